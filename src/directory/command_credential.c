/* credential: passwords of applications and devices, beside the account's own. */
#include "directory/command.h"
#include "priv/priv.h"

static int made_password(struct want *w)
{
    static const char letters[] = "abcdefghijkmnopqrstuvwxyz23456789"; /* none that looks like another */
    char *p = arena_alloc(w->call->arena, 32);
    size_t n = 0;
    for (int i = 0; p && i < 24; i++) {
        if (i && i % 6 == 0)
            p[n++] = '-';
        p[n++] = letters[rt_random_below(sizeof letters - 1)];
    }
    w->line.password = (str){p, n};
    return p ? DONE : FAILED;
}

static int credential_add(struct want *w) YIELDS;
static int credential_add(struct want *w)
{
    struct account *a = &w->line.change.account;
    struct account known;
    bool made = !w->line.password.p;
    if (directory_account(w->call->arena, a->local, a->domain, &known))
        return command_not_found(w);
    if (w->nwords < 2 || !w->words[1].n || w->words[1].n > PRIV_TITLE_MAX || str_find(w->words[1], '/') != STR_NONE)
        return directory_fail(w->call, USAGE, "expected a title for the credential (at most %d octets, without \"/\")",
                              PRIV_TITLE_MAX);
    if (made && made_password(w))
        return directory_fail(w->call, FAILED, "out of memory");
    int status = command_password(w, w->words[1]);
    if (!status && made)
        buf_printf(w->call->out, w->json ? "{\"password\":\"" STR_FMT "\"}\n" : STR_FMT "\n",
                   STR_ARG(w->line.password));
    return status;
}

static int credential_list(struct want *w) YIELDS;
static int credential_list(struct want *w)
{
    struct priv_secret *v;
    struct buf *o = w->call->out;
    size_t n;
    const struct account *a = &w->line.change.account;
    str account = w->name.n ? directory_print(w->call->arena, a->local, a->domain) : S("");
    err e = priv_secret_list(w->call->arena, account, &v, &n);
    if (e)
        return directory_fail(w->call, FAILED, "the credentials cannot be read: %s", err_text(e));
    if (w->json)
        buf_add_char(o, '[');
    for (size_t i = 0, k = 0; i < n; i++) {
        if (!v[i].title.n)
            continue;
        if (w->json) {
            buf_add_c(o, k++ ? ",{" : "{");
            command_json(o, "account", v[i].account, true);
            command_json(o, "title", v[i].title, false);
            buf_printf(o, ",\"enabled\":%s}", v[i].disabled ? "false" : "true");
        } else {
            buf_printf(o, STR_FMT "  ", STR_ARG(v[i].account));
            text_safe(o, v[i].title);
            buf_add_c(o, v[i].disabled ? "  disabled\n" : "\n");
        }
    }
    if (w->json)
        buf_add_c(o, "]\n");
    return DONE;
}

static int credential_change(struct want *w) YIELDS;
static int credential_change(struct want *w)
{
    const struct account *a = &w->line.change.account;
    str account = directory_print(w->call->arena, a->local, a->domain);
    if (w->nwords < 2 || !w->words[1].n)
        return directory_fail(w->call, USAGE, "expected an address and the title of a credential");
    err e = str_eq(w->verb, S("delete")) ? priv_secret_remove(account, &w->words[1])
                                         : priv_secret_enable(account, w->words[1], str_eq(w->verb, S("enable")));
    if (e == E_NOT_FOUND)
        return directory_fail(w->call, FAILED, STR_FMT " has no credential " STR_FMT, STR_ARG(account),
                              STR_ARG(w->words[1]));
    return e ? directory_fail(w->call, FAILED, "not stored: %s", err_text(e)) : DONE;
}

int command_credential(struct want *w)
{
    if (str_eq(w->verb, S("add")) || str_eq(w->verb, S("change")))
        return credential_add(w);
    if (str_eq(w->verb, S("list")))
        return credential_list(w);
    if (str_eq(w->verb, S("delete")) || str_eq(w->verb, S("enable")) || str_eq(w->verb, S("disable")))
        return credential_change(w);
    return directory_fail(w->call, USAGE, "expected add, list, change, enable, disable, delete, import or export");
}
