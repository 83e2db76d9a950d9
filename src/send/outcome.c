/*
 * From what happened to what it means: the only place where replies and errors become fates. An unknown
 * cause is temporary; only a clear 5xx ends a recipient.
 */
#include "base/text.h"
#include "send/internal.h"

static const struct {
    int code;
    bool at[4]; /* by stage */
    enum fate fate;
} exceptions[] = {
    {552, {[STAGE_RCPT] = true}, FATE_DEFERRED}, /* too many recipients: as 452 (RFC 5321 4.5.3.1.10) */
    {500, {[STAGE_MAIL] = true}, FATE_DEFERRED}, /* does not know MAIL: no mail server */
    /* out of step: our connection, not the message */
    {503, {[STAGE_MAIL] = true, [STAGE_RCPT] = true, [STAGE_DATA] = true, [STAGE_END] = true}, FATE_DEFERRED},
};

enum fate outcome_of_reply(const struct reply *r, enum stage at)
{
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++)
        if (exceptions[i].code == r->code && exceptions[i].at[at])
            return exceptions[i].fate;
    if (reply_is_ok(r) && at == STAGE_END)
        return FATE_DELIVERED;
    return reply_is_perm(r) ? FATE_FAILED : FATE_DEFERRED; /* also 2xx and 3xx where they make no sense */
}

struct finding finding_of(struct ticket *t, enum fate f, str reply, str remote)
{
    str kept = arena_str(&t->arena, str_sub(reply, 0, 500)), host = arena_str(&t->arena, remote);
    return (struct finding){f, kept.p ? kept : (str){"", 0}, host.p ? host : (str){"", 0}};
}

struct finding finding_of_reply(struct peer *p, struct ticket *t, enum fate f)
{
    SCRATCH char text[512];
    struct buf b;
    buf_init_fixed(&b, text, sizeof text);
    reply_print_line(&b, &p->in.r);
    return finding_of(t, f, buf_str(&b), str_c(p->host));
}

struct finding finding_of_err(struct ticket *t, err e, const char *while_doing, str remote)
{
    char text[512];
    struct buf b;
    if (e == E_CANCELLED)
        return (struct finding){FATE_NONE, {"", 0}, {"", 0}};
    buf_init_fixed(&b, text, sizeof text);
    buf_printf(&b, "451 4.%s " STR_FMT "%s%s while %s", err_esc(e), STR_ARG(remote), remote.n ? ": " : "", err_text(e),
               while_doing);
    return finding_of(t, FATE_DEFERRED, buf_str(&b), S(""));
}

void finding_give(const struct finding *v, struct ticket *t, uint32_t i)
{
    t->to[i].fate = (uint8_t)v->fate;
    t->to[i].reply = v->reply;
    t->to[i].remote = v->remote;
}

void finding_give_all(const struct finding *v, struct ticket *t)
{
    for (uint32_t i = 0; i < t->nto; i++)
        if (t->to[i].fate == FATE_NONE)
            finding_give(v, t, i);
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
