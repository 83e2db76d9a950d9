/*
 * Rules about lists and rules: sentences become trees, names of lists, listeners and rules are tied to their sections,
 * and the phase of each rule is settled.
 */
#include "base/text.h"
#include "conf/internal.h"
#include "conf/rule.h"
#include "wire/addr.h"
#include "wire/idn.h"

enum { WHERE_MAX = 64, WEIGHT_MAX = 1000, ACTIONS_MAX = 32, ZONES_MAX = 64 };

static void where_is(char out[WHERE_MAX], const char *section, str title)
{
    struct buf b;
    memset(out, 0, WHERE_MAX);
    buf_init_fixed(&b, out, WHERE_MAX - 1);
    buf_printf(&b, "%s " STR_FMT, section, STR_ARG(str_sub(title, 0, 32)));
}

/* ---- DNS lists ---- */

/* One octet of an answer: "2", "2-11" or "*". */
static bool octet(str text, uint8_t *low, uint8_t *high)
{
    size_t dash = str_find(text, '-');
    uint64_t a, b;
    if (str_eq(text, S("*"))) {
        *low = 0;
        *high = 255;
        return true;
    }
    if (!text_u64(str_sub(text, 0, dash == STR_NONE ? text.n : dash), &a))
        return false;
    b = a;
    if (dash != STR_NONE && !text_u64(str_skip(text, dash + 1), &b))
        return false;
    *low = (uint8_t)a;
    *high = (uint8_t)b;
    return a <= b && b <= 255;
}

static bool answers(str text, struct conf_zone *z)
{
    str part;
    int n = 0;
    while (n < 4 && str_cut(&text, '.', &part))
        if (!octet(part, &z->low[n], &z->high[n]))
            return false;
        else
            n++;
    return n == 4 && text.p == NULL && z->low[0] == 127 && z->high[0] == 127;
}

/* "*2", "*-3" at the end; an octet "*" stands behind a dot. */
static bool weight(str *text, int *ret)
{
    size_t star = str_rfind(*text, '*');
    uint64_t v;
    if (star == STR_NONE || (star > 0 && text->p[star - 1] == '.'))
        return true;
    str number = str_skip(*text, star + 1);
    bool minus = str_starts(number, S("-"));
    if (!text_u64(str_skip(number, minus), &v) || v == 0 || v > WEIGHT_MAX)
        return false;
    *ret = minus ? -(int)v : (int)v;
    *text = str_sub(*text, 0, star);
    return true;
}

bool conf_zone(str text, struct arena *mem, struct conf_zone *ret)
{
    struct conf_zone z = {.low = {127, 0, 0, 0}, .high = {127, 255, 255, 255}, .weight = 1};
    if (!weight(&text, &z.weight))
        return false;
    size_t equal = str_find(text, '=');
    if (equal != STR_NONE && !answers(str_skip(text, equal + 1), &z))
        return false;
    if (idn_to_ascii(str_sub(text, 0, equal == STR_NONE ? text.n : equal), mem, &z.name) != OK ||
        !domain_valid(z.name, ADDR_F_UNDERSCORE) || z.name.n > 180)
        return false;
    *ret = z;
    return true;
}

static void check_zones(struct load *l, int line, const char *where, const struct conf_list *from,
                        struct conf_zone **ret, size_t *ret_n)
{
    struct conf_zone *v = *ret = arena_array(&l->c->arena, from->n, sizeof *v);
    if (from->n > ZONES_MAX)
        fail(&l->e, line, "%s: expected at most %d DNS lists, found %zu", where, ZONES_MAX, from->n);
    for (size_t i = 0; v && i < from->n; i++)
        if (conf_zone(from->v[i], &l->c->arena, &v[*ret_n]))
            ++*ret_n;
        else
            fail(&l->e, line, "%s: expected \"zone\" or \"zone=127.0.0.2-11\", found %s", where,
                 shown(&l->e, from->v[i]));
}

static void check_dns_lists(struct load *l)
{
    struct conf *c = l->c;
    check_zones(l, LINE(l, block_lists), "block-lists", &c->block_lists, &c->block_zones, &c->nblock_zones);
    check_zones(l, LINE(l, allow_lists), "allow-lists", &c->allow_lists, &c->allow_zones, &c->nallow_zones);
    check_zones(l, LINE(l, block_names), "block-names", &c->block_names, &c->name_zones, &c->nname_zones);
}

/* ---- lists ---- */

static void add_entry(struct load *l, const struct conf_access *x, int line, const char *where, str entry)
{
    const char *why = access_add(x->set, entry);
    if (why && !why[0])
        l->tmp.e = E_NOMEM;
    else if (why)
        fail(&l->e, line, "%s: expected %s, found %s", where, why, shown(&l->e, entry));
}

/* An entry a line; # begins a comment at the begin of a line or behind a blank. */
static void read_entries(struct load *l, const struct conf_access *x, const char *where)
{
    str rest = {NULL, 0}, line, main = l->e.path;
    for (size_t i = 1; i < l->b->n && x->file.n; i++)
        if (str_eq(l->b->v[i].path, x->file) && l->b->v[i].e == OK)
            rest = l->b->v[i].text;
    l->e.path = arena_str(&l->e.out->arena, x->file);
    for (int n = 1; rest.p && !l->e.full && str_cut(&rest, '\n', &line); n++) {
        size_t at = 0;
        while (at < line.n && (line.p[at] != '#' || (at > 0 && !ascii_wsp(line.p[at - 1]))))
            at++;
        line = str_trim(str_sub(line, 0, at));
        if (line.n)
            add_entry(l, x, n, where, line);
    }
    l->e.path = main;
}

static void fill(struct load *l, struct conf_access *x, const char *where)
{
    x->set = access_new();
    if (!x->set) {
        l->tmp.e = E_NOMEM;
        return;
    }
    for (size_t i = 0; i < x->entries.n; i++)
        add_entry(l, x, x->line, where, x->entries.v[i]);
    read_entries(l, x, where);
    if (!access_done(x->set))
        l->tmp.e = E_NOMEM;
}

static void check_list(struct load *l, size_t i)
{
    struct conf_access *x = &l->c->lists[i];
    char where[WHERE_MAX];
    where_is(where, "list", x->title);
    x->at = i;
    fill(l, x, where);
    if (!x->entries.n && !x->file.n && !x->sqlite.n && !x->dns.n)
        warn(&l->e, x->line, "%s is empty: it has none of the keys entries, file, sqlite and dns", where);
    if (x->sqlite.n && str_find(x->query, '?') == STR_NONE)
        fail(&l->e, x->line, "%s: query: expected ?1 where the value is asked for, found %s", where,
             shown(&l->e, x->query));
    char dns[WHERE_MAX + 8] = "";
    struct buf b;
    buf_init_fixed(&b, dns, sizeof dns - 1);
    buf_printf(&b, "%s: dns", where);
    check_zones(l, x->line, dns, &x->dns, &x->zones, &x->nzones);
    for (size_t k = 0; k < i; k++)
        if (str_ieq(l->c->lists[k].title, x->title))
            fail(&l->e, x->line, "list %s is given twice (first in line %d)", shown(&l->e, x->title),
                 l->c->lists[k].line);
}

/* ---- names in conditions ---- */

static void no_such(struct load *l, int line, const char *where, const char *what, str found, const char *words)
{
    str near = nearest_word(words, found);
    if (near.n)
        fail(&l->e, line, "%s: expected %s, found %s; did you mean " STR_FMT "?", where, what, shown(&l->e, found),
             STR_ARG(near));
    else
        fail(&l->e, line, "%s: expected %s, found %s", where, what, shown(&l->e, found));
}

/* "a|b|c" of titles that begin structs of `size` octets, for a suggestion. */
static const char *titles(struct load *l, const void *v, size_t size, size_t n)
{
    struct buf b;
    char mem[2048] = "";
    buf_init_fixed(&b, mem, sizeof mem - 1);
    for (size_t i = 0; i < n; i++) {
        buf_add(&b, *(const str *)((const char *)v + i * size));
        buf_add_char(&b, '|');
    }
    str s = arena_str(&l->tmp, str_c(mem));
    return s.p ? s.p : "";
}

static const struct conf_access *list_of(const struct conf *c, str title)
{
    for (size_t i = 0; i < c->nlists; i++)
        if (str_ieq(c->lists[i].title, title))
            return &c->lists[i];
    return NULL;
}

static const struct conf_listener *listener_of(const struct conf *c, str title)
{
    for (size_t i = 0; i < c->nlisteners; i++)
        if (str_ieq(c->listeners[i].title, title))
            return &c->listeners[i];
    return NULL;
}

static void tie_listeners(struct load *l, const struct conf_rule *x, const struct rule_cond *c, const char *where)
{
    const struct conf *conf = l->c;
    for (size_t i = 0; i < c->n; i++)
        if (!listener_of(conf, c->v[i].text))
            no_such(l, x->line_if, where, "the title of a listener", c->v[i].text,
                    titles(l, conf->listeners, sizeof *conf->listeners, conf->nlisteners));
}

static void tie(struct load *l, const struct conf_rule *x, struct rule_cond *c, const char *where)
{
    if (c->kind == RULE_TEST && c->op == RULE_OP_IN_LIST) {
        c->list = list_of(l->c, c->list_title);
        if (!c->list)
            no_such(l, x->line_if, where, "the title of a section list", c->list_title,
                    titles(l, l->c->lists, sizeof *l->c->lists, l->c->nlists));
    }
    if (c->kind == RULE_TEST && c->fact == RULE_FACT_LISTENER && (c->op == RULE_OP_IS || c->op == RULE_OP_IN))
        tie_listeners(l, x, c, where);
    for (struct rule_cond *k = c->first; k; k = k->next)
        tie(l, x, k, where);
}

static void tie_milter(struct load *l, const struct conf_rule *x, struct rule_action *a, const char *where)
{
    struct conf *c = l->c;
    for (size_t i = 0; i < c->nmilters && a->what == RULE_DO_MILTER; i++)
        if (str_ieq(c->all_milters[i].title, a->name))
            a->milter = &c->all_milters[i];
    if (a->what == RULE_DO_MILTER && !a->milter)
        no_such(l, x->line_then, where, "the title of a section milter", a->name,
                titles(l, c->all_milters, sizeof *c->all_milters, c->nmilters));
}

static void tie_route(struct load *l, const struct conf_rule *x, const struct rule_action *a, const char *where)
{
    struct conf *c = l->c;
    if (a->what == RULE_DO_SEND_BY && !conf_route_named(c, a->name))
        no_such(l, x->line_then, where, "the title of a section route", a->name,
                titles(l, c->routes, sizeof *c->routes, c->nroutes));
}

/* ---- rules ---- */

static void nomem(struct load *l) { l->tmp.e = E_NOMEM; }

static void check_if(struct load *l, struct conf_rule *x, const char *where)
{
    str why;
    if (str_trim(x->if_).n == 0)
        return;
    if (!rule_condition(x->if_, &l->c->arena, &x->cond, &why)) {
        if (!why.p)
            nomem(l);
        else
            fail(&l->e, x->line_if, "%s: if: " STR_FMT, where, STR_ARG(why));
        return;
    }
    char in[WHERE_MAX + 8] = "";
    struct buf b;
    buf_init_fixed(&b, in, sizeof in - 1);
    buf_printf(&b, "%s: if", where);
    tie(l, x, x->cond, in);
}

static void check_then(struct load *l, struct conf_rule *x, const char *where)
{
    str why;
    if (x->then.n > ACTIONS_MAX) {
        fail(&l->e, x->line_then, "%s: then: expected at most %d actions, found %zu", where, ACTIONS_MAX, x->then.n);
        return;
    }
    if (x->then.n == 0 && x->then.v)
        fail(&l->e, x->line_then, "%s: then: expected at least one action, found an empty list", where);
    char in[WHERE_MAX + 8] = "";
    struct buf b;
    buf_init_fixed(&b, in, sizeof in - 1);
    buf_printf(&b, "%s: then", where);
    x->actions = arena_array(&l->c->arena, x->then.n, sizeof *x->actions);
    for (size_t i = 0; x->actions && i < x->then.n; i++)
        if (rule_action(x->then.v[i], &l->c->arena, &x->actions[x->nactions], &why)) {
            tie_route(l, x, &x->actions[x->nactions], in);
            tie_milter(l, x, &x->actions[x->nactions++], in);
        } else if (!why.p)
            nomem(l);
        else
            fail(&l->e, x->line_then, "%s: then: " STR_FMT, where, STR_ARG(why));
}

/* The range of what it names, and `at` in it. */
static void check_at(struct load *l, struct conf_rule *x, const char *where)
{
    struct rule_range r;
    rule_range_init(&r);
    if (x->cond)
        rule_range_of(&r, x->cond);
    for (size_t i = 0; i < x->nactions; i++)
        rule_range_of_action(&r, &x->actions[i]);
    if (r.first > r.last) {
        fail(
            &l->e, x->line,
            "%s: expected facts and actions of one phase, found \"%s\", which begins at \"%s\", and \"%s\", which ends "
            "at \"%s\"",
            where, r.first_by, rule_phases[r.first].word, r.last_by, rule_phases[r.last].word);
        return;
    }
    x->phase = x->at ? (enum rule_phase)(x->at - 1) : r.usual > r.last ? r.last : r.usual;
    if (x->phase < r.first)
        fail(&l->e, x->line_at, "%s: at: expected \"%s\" or later, because %s is not known before, found \"%s\"", where,
             rule_phases[r.first].word, r.first_by, rule_phases[x->phase].word);
    if (x->phase > r.last)
        fail(&l->e, x->line_at, "%s: at: expected \"%s\" or earlier, because %s is not possible later, found \"%s\"",
             where, rule_phases[r.last].word, r.last_by, rule_phases[x->phase].word);
}

static const struct {
    str word;
    unsigned bits;
} places[] = {{S_INIT("inbound"), CONF_ON_INBOUND},       {S_INIT("outbound"), CONF_ON_OUTBOUND},
              {S_INIT("submission"), CONF_ON_SUBMISSION}, {S_INIT("relay"), CONF_ON_RELAY},
              {S_INIT("local"), CONF_ON_LOCAL},           {S_INIT("proxy"), CONF_ON_PROXY},
              {S_INIT("delivery"), CONF_ON_DELIVERY}};

/* The title of a listener wins over a word. */
static void check_on(struct load *l, struct conf_rule *x, const char *where)
{
    enum { PLACES = sizeof places / sizeof *places };
    x->everywhere = x->on.n == 0;
    x->listeners = arena_array(&l->c->arena, x->on.n, sizeof *x->listeners);
    for (size_t i = 0; x->listeners && i < x->on.n; i++) {
        const struct conf_listener *one = listener_of(l->c, x->on.v[i]);
        size_t k = 0;
        if (one) {
            x->listeners[x->nlisteners++] = one;
            continue;
        }
        while (k < PLACES && !str_ieq(places[k].word, x->on.v[i]))
            k++;
        if (k < PLACES)
            x->where |= places[k].bits;
        else
            fail(&l->e, x->line_on,
                 "%s: on: expected the title of a listener, inbound, outbound, submission, relay, local, proxy or "
                 "delivery, found %s",
                 where, shown(&l->e, x->on.v[i]));
    }
}

static void check_rule(struct load *l, size_t i)
{
    struct conf_rule *x = &l->c->rules[i];
    char where[WHERE_MAX];
    where_is(where, "rule", x->title);
    x->at_index = i;
    for (size_t k = 0; k < i; k++)
        if (str_ieq(l->c->rules[k].title, x->title))
            fail(&l->e, x->line, "rule %s is given twice (first in line %d)", shown(&l->e, x->title),
                 l->c->rules[k].line);
    check_if(l, x, where);
    check_then(l, x, where);
    check_at(l, x, where);
    check_on(l, x, where);
}

/* ---- listeners ---- */

/* Directions that sessions of a listener can have: any listener may relay for trusted clients. */
static unsigned sides_of(const struct conf_listener *x)
{
    unsigned all = CONF_ON_INBOUND | CONF_ON_RELAY | CONF_ON_SUBMISSION;
    return x->nupstreams ? all | CONF_ON_PROXY : all;
}

static bool applies(const struct conf_rule *r, const struct conf_listener *x)
{
    for (size_t i = 0; i < r->nlisteners; i++)
        if (r->listeners[i] == x)
            return true;
    return r->everywhere || r->where & sides_of(x);
}

static const struct conf_rule *rule_of(const struct conf *c, str title)
{
    for (size_t i = 0; i < c->nrules; i++)
        if (str_ieq(c->rules[i].title, title))
            return &c->rules[i];
    return NULL;
}

/* What cannot be done to mail that passes through octet by octet. */
static bool changes(enum rule_do what)
{
    switch (what) {
    case RULE_DO_DISCARD:
    case RULE_DO_QUARANTINE:
    case RULE_DO_HOLD:
    case RULE_DO_REDIRECT:
    case RULE_DO_SENDER:
    case RULE_DO_RCPT_ADD:
    case RULE_DO_RCPT_REMOVE:
    case RULE_DO_HEADER_ADD:
    case RULE_DO_HEADER_CHANGE:
    case RULE_DO_HEADER_REMOVE:
    case RULE_DO_BODY:
    case RULE_DO_CLASS:
    case RULE_DO_SEND_BY:
        return true;
    default:
        return false;
    }
}

/* An error where the rule is meant for this listener, else a warning: there it does nothing. */
static void check_pass(struct load *l, const struct conf_listener *x, const struct conf_rule *r)
{
    static const char text[] =
        "rule " STR_FMT ": then: expected what leaves mail as it is (accept, refuse, defer, tag, "
        "score, limit ...) on listener " STR_FMT ", whose proxy-mode is \"pass\", found \"%s\"; "
        "set proxy-mode = \"inspect\", or name other listeners with on";
    bool meant = x->rules.n || (r->where & CONF_ON_PROXY);
    for (size_t i = 0; i < r->nlisteners; i++)
        meant |= r->listeners[i] == x;
    for (size_t i = 0; i < r->nactions; i++) {
        if (r->phase > RULE_AT_END || !changes(r->actions[i].what))
            continue;
        const char *words = rule_dos[r->actions[i].what].words;
        if (meant)
            fail(&l->e, r->line_then, text, STR_ARG(r->title), STR_ARG(x->title), words);
        else
            warn(&l->e, r->line_then, text, STR_ARG(r->title), STR_ARG(x->title), words);
        return;
    }
}

static void check_order(struct load *l, struct conf_listener *x)
{
    struct conf *c = l->c;
    char where[WHERE_MAX + 8];
    where_is(where, "listener", x->title);
    x->judged = arena_array(&c->arena, x->rules.n ? x->rules.n : c->nrules, sizeof(void *));
    if (!x->judged)
        return;
    for (size_t i = 0; !x->rules.n && i < c->nrules; i++)
        if (applies(&c->rules[i], x))
            x->judged[x->njudged++] = &c->rules[i];
    for (size_t i = 0; i < x->rules.n; i++) {
        const struct conf_rule *r = rule_of(c, x->rules.v[i]);
        if (r)
            x->judged[x->njudged++] = r;
        else
            no_such(l, x->line, where, "rules: the title of a rule", x->rules.v[i],
                    titles(l, c->rules, sizeof *c->rules, c->nrules));
    }
    for (size_t i = 0; x->proxy.n && x->proxy_mode == CONF_PROXY_PASS && i < x->njudged; i++)
        check_pass(l, x, x->judged[i]);
}

static void check_verify(struct load *l)
{
    for (size_t i = 0; i < l->c->ndomains; i++) {
        const struct conf_domain *d = &l->c->domains[i];
        l->c->verifies |= d->verify;
        if (d->verify && d->hop.how != CONF_TO_SERVER)
            fail(&l->e, d->line, "domain " STR_FMT ": verify: expected a server in deliver that can be asked, found %s",
                 STR_ARG(d->title), shown(&l->e, d->deliver));
    }
}

void check_rules(struct load *l)
{
    check_dns_lists(l);
    check_verify(l);
    if (l->c->policy_greylist_delay >= l->c->policy_greylist_window)
        fail(&l->e, LINE(l, policy_greylist_delay), "policy.greylist-delay: expected less than policy.greylist-window");
    for (size_t i = 0; i < l->c->nlists && !l->e.full; i++)
        check_list(l, i);
    for (size_t i = 0; i < l->c->nrules && !l->e.full; i++)
        check_rule(l, i);
    for (size_t i = 0; i < l->c->nlisteners && !l->e.full; i++)
        check_order(l, &l->c->listeners[i]);
}
