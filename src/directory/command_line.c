/* What a line of an import or a command may say: addresses brought to the form of tables, rates, domains that are
 * there. */
#include "directory/internal.h"
#include "priv/priv.h"

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
