/* The commands domain, user, alias and credential: what an operator typed, checked, done, and told. */
#include "directory/internal.h"
#include "priv/priv.h"

#include <stdarg.h>
#include <stdio.h>

enum { DONE = 0, FAILED = 1, USAGE = 64 };

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

/* ---- what may be said ---- */

static bool check_rates(str messages, str recipients, struct buf *why)
{
    const char *text;
    if (directory_rate(messages, &text) && directory_rate(recipients, &text))
        return true;
    buf_add_c(why, text);
    return false;
}

/* Commas and blanks between addresses become one blank; bare names get `domain`. */
static bool check_targets(struct arena *a, str domain, str *targets, struct buf *why)
{
    struct buf out;
    str rest = *targets;
    size_t n = 0, max = targets->n * 4 + 4096;
    char *mem = arena_alloc(a, max);
    if (!mem)
        return false;
    buf_init_fixed(&out, mem, max);
    while (rest.n) {
        size_t i = 0;
        while (i < rest.n && rest.p[i] != ',' && rest.p[i] != ' ')
            i++;
        str one = str_sub(rest, 0, i), local, where;
        const char *fault;
        rest = str_skip(rest, i + 1);
        if (!one.n)
            continue;
        if (str_find(one, '@') == STR_NONE)
            one = arena_printf(a, STR_FMT "@" STR_FMT, STR_ARG(one), STR_ARG(domain));
        if (++n > DIRECTORY_TARGETS_MAX || !one.p || !directory_address(a, one, &local, &where, &fault)) {
            buf_add_c(why, n > DIRECTORY_TARGETS_MAX ? "too many addresses" : "expected an address, found \"");
            if (n <= DIRECTORY_TARGETS_MAX) {
                text_safe(why, one);
                buf_add_char(why, '"');
            }
            return false;
        }
        str text = directory_print(a, local, where);
        if (str_find(text, ' ') != STR_NONE) {
            buf_add_c(why, "an address with a blank in it cannot be a target here");
            return false;
        }
        if (out.n)
            buf_add_char(&out, ' ');
        buf_add(&out, text);
    }
    *targets = buf_str(&out);
    return out.e == OK;
}

static bool known_domain(struct directory_call *c, str domain, const struct directory_all *also)
{
    if (directory_domain(c->conf, domain))
        return true;
    for (size_t i = 0; also && i < also->n; i++)
        if (also->v[i].kind == DIR_DOMAIN && str_ieq(also->v[i].domain.name, domain))
            return true;
    return false;
}

static bool need_domain(struct directory_call *c, str domain, const struct directory_all *also, struct buf *why)
{
    if (known_domain(c, domain, also))
        return true;
    buf_printf(why, "the domain " STR_FMT " is not here; \"postrider domain add " STR_FMT "\" makes it",
               STR_ARG(domain), STR_ARG(domain));
    return false;
}

static bool check_domain(struct directory_call *c, struct directory_line *l, struct buf *why)
{
    struct conf_hop hop;
    const char *text;
    str local, domain;
    if (!directory_hop(l->change.domain.deliver, &hop, &text)) {
        buf_add_c(why, text);
        return false;
    }
    if (conf_domain(c->conf, l->change.domain.name)) {
        buf_printf(why, "the configuration file has the domain " STR_FMT " already", STR_ARG(l->change.domain.name));
        return false;
    }
    if (l->change.domain.catch_all.n) {
        if (!directory_address(c->arena, l->change.domain.catch_all, &local, &domain, &text)) {
            buf_printf(why, "catch-all: expected an address: %s", text);
            return false;
        }
        l->change.domain.catch_all = directory_print(c->arena, local, domain);
    }
    return check_rates(l->change.domain.messages, l->change.domain.recipients, why);
}

static bool check_account(struct directory_call *c, struct directory_line *l, const struct directory_all *also,
                          struct buf *why)
{
    struct account *a = &l->change.account;
    const char *want = conf_mailbox_fault(a->local);
    if (want) {
        buf_printf(why, "the part before the @ becomes a mailbox: expected %s", want);
        return false;
    }
    return need_domain(c, a->domain, also, why) && check_rates(a->messages, a->recipients, why) &&
           check_targets(c->arena, a->domain, &a->forward, why);
}

bool directory_line_check(struct directory_call *c, struct directory_line *l, const struct directory_all *also,
                          struct buf *why)
{
    if (l->password.n > PRIV_PASSWORD_MAX || l->title.n > PRIV_TITLE_MAX) {
        buf_printf(why, "expected a password of at most %d and a title of at most %d octets", PRIV_PASSWORD_MAX,
                   PRIV_TITLE_MAX);
        return false;
    }
    if (l->credential) {
        if (l->title.n && str_find(l->title, '/') == STR_NONE)
            return true;
        buf_add_c(why, "expected a title without \"/\" for the credential");
        return false;
    }
    if (l->change.kind == DIR_DOMAIN)
        return check_domain(c, l, why);
    if (l->change.kind == DIR_ACCOUNT)
        return check_account(c, l, also, why);
    if (!need_domain(c, l->change.alias.domain, also, why) ||
        !check_targets(c->arena, l->change.alias.domain, &l->change.alias.targets, why))
        return false;
    if (!l->change.alias.targets.n)
        buf_add_c(why, "expected at least one address that the alias leads to");
    return l->change.alias.targets.n > 0;
}

/* ---- one command ---- */

struct want {
    struct directory_call *call;
    struct directory_line line;
    str verb, name; /* `name` as typed */
    str old_name;
    str text; /* of an import */
    int64_t first_line;
    bool json, force;
    str words[2 + DIRECTORY_TARGETS_MAX];
    size_t nwords;
};

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

static int set_password(struct want *w, str title) YIELDS;
static int set_password(struct want *w, str title)
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
static err load(struct want *w)
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

static int not_found(struct want *w)
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
    int status = w->line.password.p ? set_password(w, S("")) : DONE;
    return status ? status : check_and_apply(w, DIR_ADD);
}

static int change(struct want *w, const str *v, size_t n) YIELDS;
static int change(struct want *w, const str *v, size_t n)
{
    if (load(w))
        return not_found(w);
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
        status = set_password(w, S(""));
    return status;
}

static int enable(struct want *w, bool on) YIELDS;
static int enable(struct want *w, bool on)
{
    if (load(w))
        return not_found(w);
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
    if (load(w))
        return not_found(w);
    size_t n = x->kind == DIR_DOMAIN && !w->force ? left_in(w) : 0;
    if (n)
        return directory_fail(w->call, FAILED,
                              "the domain " STR_FMT " still has %zu users and aliases: delete these first, or say "
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

/* ---- show and list ---- */

static void json_pair(struct buf *out, const char *key, str value, bool first)
{
    buf_printf(out, "%s\"%s\":", first ? "" : ",", key);
    text_json(out, value);
}

static void show_json(struct want *w, const struct directory_change *x)
{
    struct buf *o = w->call->out;
    buf_add_char(o, '{');
    if (x->kind == DIR_DOMAIN) {
        json_pair(o, "name", x->domain.name, true);
        json_pair(o, "deliver", x->domain.deliver, false);
        json_pair(o, "catch_all", x->domain.catch_all, false);
        json_pair(o, "customer", x->domain.customer, false);
        buf_printf(o, ",\"enabled\":%s", x->domain.enabled ? "true" : "false");
    } else if (x->kind == DIR_ALIAS) {
        str rest = x->alias.targets, one;
        json_pair(o, "address", directory_print(w->call->arena, x->alias.local, x->alias.domain), true);
        buf_add_c(o, ",\"to\":[");
        for (bool first = true; next_target(&rest, &one); first = false) {
            buf_add_c(o, first ? "" : ",");
            text_json(o, one);
        }
        buf_printf(o, "],\"enabled\":%s", x->alias.enabled ? "true" : "false");
    } else {
        const struct account *a = &x->account;
        json_pair(o, "address", directory_print(w->call->arena, a->local, a->domain), true);
        json_pair(o, "name", a->name, false);
        json_pair(o, "customer", a->customer, false);
        json_pair(o, "messages", a->messages, false);
        json_pair(o, "recipients", a->recipients, false);
        json_pair(o, "forward", a->forward, false);
        json_pair(o, "held", a->held, false);
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

static int show(struct want *w)
{
    if (load(w))
        return not_found(w);
    show_one(w, &w->line.change);
    if (w->json)
        buf_add_char(w->call->out, '\n');
    return DONE;
}

static int list(struct want *w)
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

/* ---- credentials ---- */

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
        return not_found(w);
    if (w->nwords < 2 || !w->words[1].n || w->words[1].n > PRIV_TITLE_MAX || str_find(w->words[1], '/') != STR_NONE)
        return directory_fail(w->call, USAGE, "expected a title for the credential (at most %d octets, without \"/\")",
                              PRIV_TITLE_MAX);
    if (made && made_password(w))
        return directory_fail(w->call, FAILED, "out of memory");
    int status = set_password(w, w->words[1]);
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
            json_pair(o, "account", v[i].account, true);
            json_pair(o, "title", v[i].title, false);
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

static int credential(struct want *w) YIELDS;
static int credential(struct want *w)
{
    if (str_eq(w->verb, S("add")) || str_eq(w->verb, S("change")))
        return credential_add(w);
    if (str_eq(w->verb, S("list")))
        return credential_list(w);
    if (str_eq(w->verb, S("delete")) || str_eq(w->verb, S("enable")) || str_eq(w->verb, S("disable")))
        return credential_change(w);
    return directory_fail(w->call, USAGE, "expected add, list, change, enable, disable, delete, import or export");
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
        return credential(w);
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
        return list(w);
    if (str_eq(w->verb, S("show")))
        return show(w);
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
