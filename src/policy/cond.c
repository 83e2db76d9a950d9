/* Conditions: the tree of conf/rule.h against the facts of a phase. A fact that is not known has no value, and no test
 * of it is true. */
#include "policy/internal.h"
#include "policy/rules.h"

bool glob_match(str pattern, str text)
{
    size_t i = 0, k = 0, star = STR_NONE, back = 0;
    while (k < text.n) {
        if (i < pattern.n && pattern.p[i] == '*') {
            star = i++;
            back = k;
        } else if (i < pattern.n && (pattern.p[i] == '?' || ascii_lower(pattern.p[i]) == ascii_lower(text.p[k]))) {
            i++;
            k++;
        } else if (star != STR_NONE) {
            i = star + 1;
            k = ++back;
        } else {
            return false;
        }
    }
    while (i < pattern.n && pattern.p[i] == '*')
        i++;
    return i == pattern.n;
}

static bool icontains(str text, str part)
{
    for (size_t i = 0; i + part.n <= text.n; i++)
        if (str_ieq(str_sub(text, i, i + part.n), part))
            return true;
    return false;
}

static bool domain_is(str domain, str want)
{
    return str_starts(want, S(".")) ? domain.n > want.n && str_iends(domain, want) : str_ieq(domain, want);
}

static bool address_is(str address, str want)
{
    if (str_starts(want, S("@"))) {
        size_t at = str_rfind(address, '@');
        return at != STR_NONE && domain_is(str_skip(address, at + 1), str_skip(want, 1));
    }
    return str_ieq(address, want);
}

static bool is(enum rule_type type, const struct fact_value *v, const struct rule_value *want)
{
    switch (type) {
    case RULE_IP:
        return ip_net_has(&want->net, &v->ip);
    case RULE_DOMAIN:
        return domain_is(v->text, want->text);
    case RULE_ADDRESS:
        return address_is(v->text, want->text);
    case RULE_NUM:
    case RULE_SIZE:
    case RULE_SCORE:
    case RULE_YES:
        return v->number == want->number;
    default:
        return str_ieq(v->text, want->text);
    }
}

static bool compare(enum rule_op op, enum rule_type type, const struct fact_value *v, const struct rule_value *want)
{
    switch (op) {
    case RULE_OP_IS:
    case RULE_OP_IN:
        return is(type, v, want);
    case RULE_OP_MATCHES:
        return glob_match(want->text, v->text);
    case RULE_OP_CONTAINS:
        return icontains(v->text, want->text);
    case RULE_OP_BEGINS:
        return str_istarts(v->text, want->text);
    case RULE_OP_ENDS:
        return str_iends(v->text, want->text);
    case RULE_OP_MORE:
        return v->number > want->number;
    case RULE_OP_LESS:
        return v->number < want->number;
    case RULE_OP_LEAST:
        return v->number >= want->number;
    case RULE_OP_MOST:
        return v->number <= want->number;
    default:
        return false;
    }
}

struct test {
    struct policy *p;
    const struct matter *m;
    const struct rule_cond *c;
    enum rule_type type;
};

static bool present(enum rule_type type, const struct fact_value *v)
{
    switch (type) {
    case RULE_IP:
        return v->ip.v != 0;
    case RULE_YES:
    case RULE_NUM:
    case RULE_SIZE:
    case RULE_SCORE:
        return v->number != 0;
    case RULE_TEXT:
        return true; /* a field may be empty */
    default:
        return v->text.n > 0;
    }
}

static bool see(void *arg, const struct fact_value *v)
{
    struct test *t = arg;
    const struct rule_cond *c = t->c;
    if (c->op == RULE_OP_PRESENT)
        return present(t->type, v);
    if (c->op == RULE_OP_IN_LIST)
        return c->list && rule_in_list && rule_in_list(t->p, t->m, c->list, t->type, v);
    for (size_t i = 0; i < c->n; i++)
        if (compare(c->op, t->type, v, &c->v[i]))
            return true;
    return false;
}

bool cond_true(struct policy *p, const struct matter *m, const struct rule_cond *c)
{
    struct test t = {p, m, c, RULE_YES};
    if (!c)
        return true;
    switch (c->kind) {
    case RULE_ALL:
        for (c = c->first; c; c = c->next)
            if (!cond_true(p, m, c))
                return false;
        return true;
    case RULE_ANY:
        for (c = c->first; c; c = c->next)
            if (cond_true(p, m, c))
                return true;
        return false;
    case RULE_NOT:
        return !cond_true(p, m, c->first);
    case RULE_TEST:
        break;
    }
    t.type = rule_facts[c->fact].type;
    fact_fn *fact = own_facts[c->fact] ? own_facts[c->fact] : more_facts[c->fact];
    return fact && fact(p, m, c->name, see, &t);
}
