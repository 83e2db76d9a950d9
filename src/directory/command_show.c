/* show and list, as text or JSON. */
#include "directory/command.h"

void command_json(struct buf *out, const char *key, str value, bool first)
{
    buf_printf(out, "%s\"%s\":", first ? "" : ",", key);
    text_json(out, value);
}

static void show_json(struct want *w, const struct directory_change *x)
{
    struct buf *o = w->call->out;
    buf_add_char(o, '{');
    if (x->kind == DIR_DOMAIN) {
        command_json(o, "name", x->domain.name, true);
        command_json(o, "deliver", x->domain.deliver, false);
        command_json(o, "catch_all", x->domain.catch_all, false);
        command_json(o, "customer", x->domain.customer, false);
        buf_printf(o, ",\"enabled\":%s", x->domain.enabled ? "true" : "false");
    } else if (x->kind == DIR_ALIAS) {
        str rest = x->alias.targets, one;
        command_json(o, "address", directory_print(w->call->arena, x->alias.local, x->alias.domain), true);
        buf_add_c(o, ",\"to\":[");
        for (bool first = true; next_target(&rest, &one); first = false) {
            buf_add_c(o, first ? "" : ",");
            text_json(o, one);
        }
        buf_printf(o, "],\"enabled\":%s", x->alias.enabled ? "true" : "false");
    } else {
        const struct account *a = &x->account;
        command_json(o, "address", directory_print(w->call->arena, a->local, a->domain), true);
        command_json(o, "name", a->name, false);
        command_json(o, "customer", a->customer, false);
        command_json(o, "messages", a->messages, false);
        command_json(o, "recipients", a->recipients, false);
        command_json(o, "forward", a->forward, false);
        command_json(o, "held", a->held, false);
        buf_printf(o, ",\"id\":%lld,\"size\":%lld,\"any_sender\":%s,\"keep\":%s,\"enabled\":%s", (long long)a->id,
                   (long long)a->size, a->any_sender ? "true" : "false", a->keep ? "true" : "false",
                   a->enabled ? "true" : "false");
    }
    buf_add_char(o, '}');
}

static void show_one(struct want *w, const struct directory_change *x)
{
    struct directory_line l = {.change = *x};
    if (w->json)
        show_json(w, x);
    else
        directory_line_print(w->call->out, &l);
}

int command_show(struct want *w)
{
    if (command_load(w))
        return command_not_found(w);
    show_one(w, &w->line.change);
    if (w->json)
        buf_add_char(w->call->out, '\n');
    return DONE;
}

int command_list(struct want *w)
{
    struct directory_all all;
    struct buf *o = w->call->out;
    str in = w->nwords ? w->words[0] : S("");
    size_t n = 0;
    if (directory_list(w->call->arena, w->line.change.kind, &all))
        return directory_fail(w->call, FAILED, "out of memory");
    if (w->json)
        buf_add_char(o, '[');
    for (size_t i = 0; i < all.n; i++) {
        const struct directory_change *x = &all.v[i];
        str domain = x->kind == DIR_DOMAIN    ? x->domain.name
                     : x->kind == DIR_ACCOUNT ? x->account.domain
                                              : x->alias.domain;
        if (in.n && !str_ieq(in, domain))
            continue;
        if (w->json && n)
            buf_add_char(o, ',');
        show_one(w, x);
        n++;
    }
    if (w->json)
        buf_add_c(o, "]\n");
    return DONE;
}
