/* The commands domain, user, alias and credential: what an operator typed, and what it changes. */
#include "directory/command.h"
#include "priv/priv.h"

#include <stdarg.h>
#include <stdio.h>

int directory_fail(struct directory_call *c, int status, const char *fmt, ...)
{
    char text[1200];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    buf_add_c(c->why, "postrider: ");
    buf_add(c->why, str_mem(text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
    buf_add_char(c->why, '\n');
    return status;
}

/* ---- one command ---- */

static bool options(struct want *w, const str *v, size_t n)
{
    struct directory_call *c = w->call;
    for (size_t i = 0; i < n; i++) {
        uint64_t number;
        if (!str_starts(v[i], S("--"))) {
            if (w->nwords == sizeof w->words / sizeof *w->words)
                return directory_fail(c, 0, "too many words"), false;
            w->words[w->nwords++] = v[i];
            continue;
        }
        str key = str_skip(v[i], 2);
        bool next = i + 1 < n;
        if (str_eq(key, S("force"))) {
            w->force = true;
        } else if (str_eq(key, S("secret")) && next) {
            w->line.password = v[++i];
        } else if (str_eq(key, S("text")) && next) {
            w->text = v[++i];
        } else if (str_eq(key, S("line")) && next && text_u64(v[i + 1], &number)) {
            w->first_line = (int64_t)number;
            i++;
        } else if (str_starts(key, S("no-"))) {
            str flag = str_skip(key, 3);
            if (str_eq(flag, S("any-sender")))
                w->line.change.account.any_sender = false;
            else if (str_eq(flag, S("keep")))
                w->line.change.account.keep = false;
            else
                return directory_fail(c, 0, "unknown option " STR_FMT, STR_ARG(str_sub(v[i], 0, 60))), false;
        } else {
            bool flag = str_eq(key, S("any-sender")) || str_eq(key, S("keep")) || str_eq(key, S("disabled"));
            if (!flag && str_find(key, '=') == STR_NONE && next)
                i++, key = arena_printf(c->arena, STR_FMT "=" STR_FMT, STR_ARG(key), STR_ARG(v[i]));
            size_t before = c->why->n;
            buf_add_c(c->why, "postrider: --");
            if (!key.p || !directory_line_set(&w->line, key, c->why)) {
                buf_add_char(c->why, '\n');
                return false;
            }
            c->why->n = before;
        }
    }
    return true;
}

static int check_and_apply(struct want *w, enum directory_verb verb) YIELDS;
static int check_and_apply(struct want *w, enum directory_verb verb)
{
    struct directory_call *c = w->call;
    char mem[600];
    struct buf why;
    buf_init_fixed(&why, mem, sizeof mem);
    if (!directory_line_check(c, &w->line, NULL, &why))
        return directory_fail(c, FAILED, STR_FMT ": " STR_FMT, STR_ARG(w->name), STR_ARG(buf_str(&why)));
    w->line.change.verb = verb;
    err e = directory_apply(&w->line.change, 1, NULL);
    if (e == E_EXISTS)
        return directory_fail(c, FAILED, STR_FMT " is there already; \"change\" changes it", STR_ARG(w->name));
    if (e)
        return directory_fail(c, FAILED, STR_FMT ": not stored: %s", STR_ARG(w->name), err_text(e));
    return DONE;
}

int command_password(struct want *w, str title)
{
    struct directory_call *c = w->call;
    const struct account *a = &w->line.change.account;
    str account = directory_print(c->arena, a->local, a->domain);
    err e = account.p ? priv_secret_set(account, title, w->line.password) : E_NOMEM;
    if (e == E_SYNTAX)
        return directory_fail(c, FAILED, "expected a password, found none, or one with a NUL in it");
    if (e == E_LIMIT)
        return directory_fail(c, FAILED, "expected a password of at most %d octets", PRIV_PASSWORD_MAX);
    if (e == E_QUEUE_FULL)
        return directory_fail(c, FAILED, STR_FMT " has %d passwords and credentials already", STR_ARG(w->name),
                              PRIV_CREDENTIALS_MAX);
    return e ? directory_fail(c, FAILED, "the password is not stored: %s", err_text(e)) : DONE;
}

/* The entry that the command names, as it is now; E_NOT_FOUND. */
err command_load(struct want *w)
{
    struct directory_all all;
    struct directory_change *x = &w->line.change;
    if (x->kind == DIR_ACCOUNT)
        return directory_account(w->call->arena, x->account.local, x->account.domain, &x->account);
    err e = directory_list(w->call->arena, x->kind, &all);
    for (size_t i = 0; !e && i < all.n; i++)
        if (x->kind == DIR_DOMAIN
                ? str_ieq(all.v[i].domain.name, x->domain.name)
                : str_ieq(all.v[i].alias.local, x->alias.local) && str_ieq(all.v[i].alias.domain, x->alias.domain)) {
            *x = all.v[i];
            return OK;
        }
    return e ? e : E_NOT_FOUND;
}

int command_not_found(struct want *w)
{
    return directory_fail(w->call, FAILED, "there is no %s " STR_FMT " in the directory",
                          w->line.change.kind == DIR_DOMAIN    ? "domain"
                          : w->line.change.kind == DIR_ACCOUNT ? "user"
                                                               : "alias",
                          STR_ARG(str_sub(w->name, 0, 300)));
}

static int add(struct want *w) YIELDS;
static int add(struct want *w)
{
    struct account before;
    struct account *a = &w->line.change.account;
    if (w->line.change.kind != DIR_ACCOUNT)
        return check_and_apply(w, DIR_ADD);
    err e = directory_account(w->call->arena, a->local, a->domain, &before);
    if (e == OK)
        return directory_fail(w->call, FAILED, STR_FMT " is there already; \"change\" changes it", STR_ARG(w->name));
    struct directory_line line = w->line;
    char mem[600];
    struct buf why;
    buf_init_fixed(&why, mem, sizeof mem);
    if (!directory_line_check(w->call, &line, NULL, &why))
        return directory_fail(w->call, FAILED, STR_FMT ": " STR_FMT, STR_ARG(w->name), STR_ARG(buf_str(&why)));
    int status = w->line.password.p ? command_password(w, S("")) : DONE;
    return status ? status : check_and_apply(w, DIR_ADD);
}

static int change(struct want *w, const str *v, size_t n) YIELDS;
static int change(struct want *w, const str *v, size_t n)
{
    if (command_load(w))
        return command_not_found(w);
    w->nwords = 0;
    if (!options(w, v, n))
        return USAGE;
    if (w->line.change.kind == DIR_ALIAS && w->nwords > 1) {
        w->line.change.alias.targets = S("");
        for (size_t i = 1; i < w->nwords; i++)
            w->line.change.alias.targets = arena_printf(w->call->arena, STR_FMT " " STR_FMT,
                                                        STR_ARG(w->line.change.alias.targets), STR_ARG(w->words[i]));
    }
    int status = check_and_apply(w, DIR_PUT);
    if (!status && w->line.password.p && w->line.change.kind == DIR_ACCOUNT)
        status = command_password(w, S(""));
    return status;
}

static int enable(struct want *w, bool on) YIELDS;
static int enable(struct want *w, bool on)
{
    if (command_load(w))
        return command_not_found(w);
    struct directory_change *x = &w->line.change;
    if (x->kind == DIR_DOMAIN)
        x->domain.enabled = on;
    else if (x->kind == DIR_ALIAS)
        x->alias.enabled = on;
    else
        x->account.enabled = on;
    if (x->kind == DIR_ACCOUNT && on)
        x->account.held = S("");
    x->verb = DIR_PUT;
    err e = directory_apply(x, 1, NULL);
    return e ? directory_fail(w->call, FAILED, STR_FMT ": not stored: %s", STR_ARG(w->name), err_text(e)) : DONE;
}

/* Accounts and aliases that a domain still has. */
static size_t left_in(struct want *w)
{
    struct directory_all all;
    size_t n = 0;
    for (enum directory_kind k = DIR_ACCOUNT; k <= DIR_ALIAS; k++) {
        if (directory_list(w->call->arena, k, &all))
            return 1;
        for (size_t i = 0; i < all.n; i++)
            n +=
                str_ieq(k == DIR_ACCOUNT ? all.v[i].account.domain : all.v[i].alias.domain, w->line.change.domain.name);
    }
    return n;
}

static int delete (struct want *w)YIELDS;
static int delete (struct want *w)
{
    struct directory_change *x = &w->line.change;
    if (command_load(w))
        return command_not_found(w);
    size_t n = x->kind == DIR_DOMAIN && !w->force ? left_in(w) : 0;
    if (n)
        return directory_fail(w->call, FAILED,
                              "the domain " STR_FMT " still has users or aliases (%zu): delete these first, or say "
                              "--force",
                              STR_ARG(w->name), n);
    x->verb = DIR_DELETE;
    err e = directory_apply(x, 1, NULL);
    if (e)
        return directory_fail(w->call, FAILED, STR_FMT ": not deleted: %s", STR_ARG(w->name), err_text(e));
    if (x->kind == DIR_ACCOUNT) {
        str account = directory_print(w->call->arena, x->account.local, x->account.domain);
        e = account.p ? priv_secret_remove(account, NULL) : E_NOMEM;
        if (e && e != E_NOT_FOUND)
            return directory_fail(w->call, FAILED, "its passwords could not be deleted: %s", err_text(e));
    }
    return DONE;
}

/* ---- the whole ---- */

bool directory_is_command(str word)
{
    return str_eq(word, S("domain")) || str_eq(word, S("user")) || str_eq(word, S("alias")) ||
           str_eq(word, S("credential"));
}

static bool take_name(struct want *w)
{
    struct directory_change *x = &w->line.change;
    const char *why = "expected letters, digits, hyphens and dots";
    bool ok;
    w->name = w->words[0];
    if (x->kind == DIR_DOMAIN)
        ok = directory_name(w->call->arena, w->name, &x->domain.name);
    else if (x->kind == DIR_ALIAS)
        ok = directory_address(w->call->arena, w->name, &x->alias.local, &x->alias.domain, &why);
    else
        ok = directory_address(w->call->arena, w->name, &x->account.local, &x->account.domain, &why);
    if (!ok)
        directory_fail(w->call, USAGE, "expected %s, found \"" STR_FMT "\": %s",
                       x->kind == DIR_DOMAIN ? "a domain name" : "an address", STR_ARG(str_sub(w->name, 0, 200)), why);
    return ok;
}

static int run(struct want *w, const str *v, size_t n) YIELDS;
static int run(struct want *w, const str *v, size_t n)
{
    bool many = str_eq(w->verb, S("list")) || str_eq(w->verb, S("import")) || str_eq(w->verb, S("export"));
    str kind = w->call->words[0];
    if (!options(w, v, n))
        return USAGE;
    if (str_eq(w->verb, S("import")))
        return directory_import(w->call, w->text, w->first_line ? w->first_line : 1);
    if (str_eq(w->verb, S("export")))
        return directory_export(w->call, kind.p[0] == 'd'   ? "d"
                                         : kind.p[0] == 'u' ? "uc"
                                         : kind.p[0] == 'a' ? "a"
                                                            : "c");
    if (!many && !w->nwords)
        return directory_fail(w->call, USAGE, "expected a name behind " STR_FMT " " STR_FMT, STR_ARG(kind),
                              STR_ARG(w->verb));
    if ((!many || (w->line.credential && w->nwords)) && !take_name(w))
        return USAGE;
    if (w->line.credential)
        return command_credential(w);
    if (str_eq(w->verb, S("add")) && w->line.change.kind == DIR_ALIAS)
        for (size_t i = 1; i < w->nwords; i++)
            w->line.change.alias.targets = arena_printf(w->call->arena, STR_FMT " " STR_FMT,
                                                        STR_ARG(w->line.change.alias.targets), STR_ARG(w->words[i]));
    else if (!many && w->nwords > 1 && w->line.change.kind != DIR_ALIAS)
        return directory_fail(w->call, USAGE, "expected one name, found \"" STR_FMT "\" behind it",
                              STR_ARG(str_sub(w->words[1], 0, 100)));
    if (str_eq(w->verb, S("add")))
        return add(w);
    if (str_eq(w->verb, S("list")))
        return command_list(w);
    if (str_eq(w->verb, S("show")))
        return command_show(w);
    if (str_eq(w->verb, S("change")))
        return change(w, v, n);
    if (str_eq(w->verb, S("enable")) || str_eq(w->verb, S("disable")))
        return enable(w, str_eq(w->verb, S("enable")));
    if (str_eq(w->verb, S("delete")))
        return delete (w);
    return directory_fail(w->call, USAGE,
                          "expected add, list, show, change, enable, disable, delete, import or export behind " STR_FMT
                          ", found \"" STR_FMT "\"",
                          STR_ARG(kind), STR_ARG(str_sub(w->verb, 0, 60)));
}

int directory_command(struct directory_call *c)
{
    if (c->n < 2)
        return directory_fail(c, USAGE,
                              "expected add, list, show, change, enable, disable, delete, import or export; see "
                              "postrider help");
    struct want *w = arena_new(c->arena, struct want); /* too large for a fiber's stack */
    if (!w)
        return directory_fail(c, FAILED, "out of memory");
    w->call = c;
    w->verb = c->words[1];
    w->json = c->json;
    struct directory_change *x = &w->line.change;
    switch (c->words[0].p[0]) {
    case 'd':
        x->kind = DIR_DOMAIN;
        x->domain.enabled = true;
        x->domain.deliver = S("maildir");
        break;
    case 'a':
        x->kind = DIR_ALIAS;
        x->alias.enabled = true;
        x->alias.targets = S("");
        break;
    default:
        x->kind = DIR_ACCOUNT;
        x->account.enabled = true;
        w->line.credential = c->words[0].p[0] == 'c';
    }
    return run(w, c->words + 2, c->n - 2);
}
