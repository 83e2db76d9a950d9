/*
 * From what happened to what it means: the only place where replies and errors become fates. An unknown
 * cause is temporary; only a clear 5xx, or an error of permanent class, ends a recipient.
 */
#include "base/text.h"
#include "send/internal.h"

static const struct {
    int code;
    enum stage at;
    enum fate fate;
} exceptions[] = {
    {552, STAGE_RCPT, FATE_DEFERRED},  /* too many recipients: as 452 (RFC 5321 4.5.3.1.10) */
    {521, STAGE_CONNECT, FATE_FAILED}, /* the host takes no mail (RFC 7504) */
    {503, STAGE_DATA, FATE_DEFERRED},  /* out of step: our connection, not the message */
    {500, STAGE_MAIL, FATE_DEFERRED},  /* does not know MAIL: no mail server */
};

enum fate outcome_of_reply(const struct reply *r, enum stage at)
{
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++)
        if (exceptions[i].code == r->code && exceptions[i].at == at)
            return exceptions[i].fate;
    switch (r->code / 100) {
    case 2:
        return FATE_DELIVERED;
    case 5:
        return FATE_FAILED;
    default: /* 4xx, and 1xx or 3xx where they make no sense */
        return FATE_DEFERRED;
    }
}

void outcome_set(struct ticket *t, int index, enum fate f, str reply, str remote)
{
    str kept = arena_str(&t->arena, str_sub(reply, 0, 500)), host = arena_str(&t->arena, remote);
    for (uint32_t i = 0; i < t->nto; i++) {
        struct ticket_rcpt *r = &t->to[i];
        if (index >= 0 ? i != (uint32_t)index : r->fate != FATE_NONE)
            continue;
        r->fate = (uint8_t)f;
        r->reply = kept.p ? kept : (str){"", 0};
        r->remote = host.p ? host : (str){"", 0};
    }
}

void outcome_set_reply(struct peer *p, struct ticket *t, int index, enum fate f)
{
    char text[512];
    struct buf b;
    buf_init_fixed(&b, text, sizeof text);
    reply_print_line(&b, &p->in.r);
    outcome_set(t, index, f, buf_str(&b), str_c(p->host));
}

void outcome_set_err(struct peer *p, struct ticket *t, err e, const char *while_doing)
{
    char text[512];
    struct buf b;
    bool perm = err_is_perm(e);
    buf_init_fixed(&b, text, sizeof text);
    buf_printf(&b, "%s%s %s%s%s", perm ? "550 5." : "451 4.", err_esc(e), err_text(e), while_doing[0] ? " while " : "",
               while_doing);
    outcome_set(t, -1, perm ? FATE_FAILED : FATE_DEFERRED, buf_str(&b), str_c(p ? p->host : ""));
}

void outcome_log(const struct ticket *t, str sender, str via, str tls, int64_t arrived_ms)
{
    for (uint32_t i = 0; i < t->nto; i++) {
        const struct ticket_rcpt *r = &t->to[i];
        if (r->fate == FATE_DELIVERED || r->fate == FATE_RELAYED)
            rt_log(EV_delivered, log_id(t->id), log_str(sender), log_str(r->address), log_str(via), log_str(r->reply),
                   log_num(rt_wall_ms() - arrived_ms), log_str(tls));
    }
}
