/* Conditions: a sentence to a tree. One token is looked at; depth and number of tests are bounded. */
#include "conf/rule.h"
#include "base/text.h"
#include "conf/rule_read.h"
#include "wire/addr.h"
#include "wire/idn.h"

static const char type_letters[] = {
    [RULE_YES] = 'y',  [RULE_IP] = 'i',  [RULE_DOMAIN] = 'd', [RULE_ADDRESS] = 'a', [RULE_TEXT] = 't',
    [RULE_WORD] = 'w', [RULE_NUM] = 'n', [RULE_SIZE] = 's',   [RULE_SCORE] = 'c'};

static bool op_fits(enum rule_op op, enum rule_type type) { return strchr(rule_ops[op].types, type_letters[type]); }

/* ---- values ---- */

/* "20MB" for sizes; a whole number. */
static bool whole(str text, bool size, int64_t *ret)
{
    static const struct {
        str name;
        uint64_t factor;
    } units[] = {{S_INIT("GB"), 1 << 30}, {S_INIT("MB"), 1 << 20}, {S_INIT("KB"), 1 << 10}, {S_INIT(""), 1}};
    size_t n = 0;
    uint64_t v;
    while (n < text.n && ascii_digit(text.p[n]))
        n++;
    if (!text_u64(str_sub(text, 0, n), &v) || v > INT64_MAX >> 31)
        return false;
    for (size_t i = size ? 0 : 3; i < sizeof units / sizeof *units; i++)
        if (str_ieq(str_skip(text, n), units[i].name)) {
            *ret = (int64_t)(v * units[i].factor);
            return true;
        }
    return false;
}

/* "20MB", "20 MB". The unit that stands alone is taken. */
static bool size_value(struct rule_reader *r, struct rule_value *v)
{
    struct rule_reader before = *r;
    int64_t factor;
    str one;
    if (!whole(v->text, true, &v->number))
        return false;
    rule_next(r);
    one =
        r->now.kind == RT_WORD && r->now.text.n == 2 ? arena_printf(r->mem, "1" STR_FMT, STR_ARG(r->now.text)) : S("");
    if (ascii_digit(v->text.p[v->text.n - 1]) && one.n && whole(one, true, &factor) && v->number < 1 << 20)
        v->number *= factor;
    else
        *r = before;
    return true;
}

static bool word_value(struct rule_reader *r, const char *words, struct rule_value *v)
{
    str rest = str_c(words), word;
    for (int i = 0; str_cut(&rest, '|', &word); i++)
        if (str_ieq(word, r->now.text)) {
            v->number = i;
            v->text = word;
            return true;
        }
    char what[200] = "";
    struct buf b;
    buf_init_fixed(&b, what, sizeof what - 1);
    buf_add_c(&b, "one of ");
    rest = str_c(words);
    for (const char *sep = ""; str_cut(&rest, '|', &word); sep = ", ")
        buf_printf(&b, "%s" STR_FMT, sep, STR_ARG(word));
    return rule_expected(r, what);
}

static bool domain_value(struct rule_reader *r, struct rule_value *v)
{
    static const char what[] = "a domain name, or one behind a dot for its sub-domains";
    str text = r->now.text, name;
    bool suffix = str_starts(text, S("."));
    if (literal_kind(text) != ADDR_NONE) {
        v->text = arena_str(r->mem, text);
        return v->text.p || rule_nomem(r);
    }
    err e = idn_to_ascii(str_skip(text, suffix), r->mem, &name);
    if (e == E_NOMEM || e == E_LIMIT)
        return rule_nomem(r);
    if (e || !domain_valid(name, ADDR_F_UNDERSCORE))
        return rule_expected(r, what);
    v->text = suffix ? arena_printf(r->mem, "." STR_FMT, STR_ARG(name)) : name;
    return v->text.p || rule_nomem(r);
}

static bool typed_value(struct rule_reader *r, const struct rule_cond *c, struct rule_value *v)
{
    const struct rule_fact_row *f = &rule_facts[c->fact];
    bool equal = c->op == RULE_OP_IS || c->op == RULE_OP_IN;
    v->text = arena_str(r->mem, r->now.text);
    if (!v->text.p)
        return rule_nomem(r);
    switch (f->type) {
    case RULE_IP:
        return ip_net_parse(v->text, &v->net) ||
               rule_expected(r, "an address or a network such as 192.0.2.0/24 or 2001:db8::/32");
    case RULE_WORD:
        return word_value(r, f->values, v);
    case RULE_NUM:
        return whole(v->text, false, &v->number) || rule_expected(r, "a whole number");
    case RULE_SIZE:
        return size_value(r, v) || rule_expected(r, "a size such as 512KB or 20MB");
    case RULE_SCORE:
        return rule_read_score(v->text, &v->number) || rule_expected(r, "a number such as 5 or 2.5");
    case RULE_DOMAIN:
        return !equal || domain_value(r, v);
    case RULE_ADDRESS:
        return !equal || rule_read_address(r, r->now.text, true, &v->text);
    default:
        return true;
    }
}

static bool one_value(struct rule_reader *r, struct rule_cond *c, size_t *cap)
{
    if (r->now.kind != RT_WORD && r->now.kind != RT_STRING)
        return rule_expected(r, "a value");
    if (c->n == *cap) {
        size_t more = *cap ? *cap * 4 : 4;
        struct rule_value *v = arena_array(r->mem, more, sizeof *v);
        if (!v)
            return rule_nomem(r);
        if (c->n)
            memcpy(v, c->v, c->n * sizeof *v);
        c->v = v;
        *cap = more;
    }
    if (c->n >= RULE_VALUES)
        return rule_expected(r, "at most 1024 values; a section list holds more");
    if (!typed_value(r, c, &c->v[c->n]))
        return false;
    c->n++;
    rule_next(r);
    return true;
}

/* "a, b, c", in parentheses or not. */
static bool values(struct rule_reader *r, struct rule_cond *c)
{
    size_t cap = 0;
    bool several = rule_ops[c->op].count == 2, in = several && r->now.kind == RT_OPEN;
    if (in)
        rule_next(r);
    do {
        if (c->n)
            rule_next(r); /* the comma */
        if (!one_value(r, c, &cap))
            return false;
    } while (several && r->now.kind == RT_COMMA);
    if (r->now.kind == RT_COMMA)
        return rule_expected(r, "one value here; \"in\" takes several, so \"and\", \"or\" or the end");
    if (!in)
        return true;
    if (r->now.kind != RT_CLOSE)
        return rule_expected(r, "\",\" or \")\" behind a value");
    rule_next(r);
    return true;
}

/* ---- tests ---- */

static struct rule_cond *cond_new(struct rule_reader *r, enum rule_kind kind)
{
    struct rule_cond *c = arena_new(r->mem, struct rule_cond);
    if (c)
        c->kind = kind;
    else
        (void)rule_nomem(r);
    return c;
}

static struct rule_cond *negated(struct rule_reader *r, struct rule_cond *c, bool negate)
{
    struct rule_cond *n = negate && c ? cond_new(r, RULE_NOT) : c;
    if (n && n != c)
        n->first = c;
    return n;
}

/* The operators that a type has, for a message. */
static bool no_operator(struct rule_reader *r, const struct rule_cond *c)
{
    char what[256] = "";
    struct buf b;
    const char *sep = "";
    buf_init_fixed(&b, what, sizeof what - 1);
    buf_printf(&b, "behind %s one of ", rule_facts[c->fact].words);
    for (int i = 0; i < RULE_OPS; i++)
        if (rule_ops[i].words[0] && op_fits((enum rule_op)i, rule_facts[c->fact].type)) {
            buf_printf(&b, "%s%s", sep, rule_ops[i].words);
            sep = ", ";
        }
    if (op_fits(RULE_OP_PRESENT, rule_facts[c->fact].type))
        buf_printf(&b, "%sand, or, the end", sep);
    return rule_expected(r, what);
}

static bool test_ends(struct rule_reader *r)
{
    struct rule_reader at = *r;
    return r->now.kind == RT_END || r->now.kind == RT_CLOSE || rule_takes(&at, "and") || rule_takes(&at, "or");
}

static int take_op(struct rule_reader *r, bool is)
{
    int op = rule_takes_row(r, rule_ops, sizeof *rule_ops, RULE_OPS);
    if (op < 0 && !is && rule_takes(r, "="))
        return RULE_OP_IS;
    return op < 0 && is ? RULE_OP_IS : op;
}

/* [is] [not] OPERATOR VALUES. *ret_not: it is negated. */
static bool comparison(struct rule_reader *r, struct rule_cond *c, bool *ret_not)
{
    enum rule_type type = rule_facts[c->fact].type;
    if (rule_takes(r, "!=")) {
        *ret_not = true;
        c->op = RULE_OP_IS;
    } else {
        bool is = rule_takes(r, "is");
        *ret_not = rule_takes(r, "not") || rule_takes(r, "does not");
        int op = take_op(r, is);
        if (op < 0)
            return no_operator(r, c);
        c->op = (enum rule_op)op;
    }
    if (!op_fits(c->op, type))
        return no_operator(r, c);
    if (rule_ops[c->op].count == 3)
        return rule_read_word(r, "the title of a list", &c->list_title);
    return values(r, c);
}

static struct rule_cond *test(struct rule_reader *r)
{
    bool no = false;
    struct rule_cond *c = cond_new(r, RULE_TEST);
    if (!c || !rule_read_fact(r, &c->fact, &c->name))
        return NULL;
    if (++r->tests > RULE_TESTS) {
        (void)rule_expected(r, "at most 256 tests in a condition");
        return NULL;
    }
    c->op = RULE_OP_PRESENT;
    if (test_ends(r) && op_fits(RULE_OP_PRESENT, rule_facts[c->fact].type) && rule_facts[c->fact].type != RULE_WORD)
        return c;
    return comparison(r, c, &no) ? negated(r, c, no) : NULL;
}

static struct rule_cond *any(struct rule_reader *r);

static struct rule_cond *term(struct rule_reader *r)
{
    struct rule_cond *c;
    if (++r->depth > RULE_DEPTH) {
        (void)rule_expected(r, "at most 16 parentheses and nots inside each other");
        return NULL;
    }
    if (rule_takes(r, "not")) {
        c = negated(r, term(r), true);
    } else if (r->now.kind == RT_OPEN) {
        rule_next(r);
        c = any(r);
        if (c && r->now.kind != RT_CLOSE) {
            (void)rule_expected(r, "\"and\", \"or\" or \")\"");
            return NULL;
        }
        rule_next(r);
    } else {
        c = test(r);
    }
    r->depth--;
    return c;
}

/* One or several of `part` with `word` between them. */
static struct rule_cond *several(struct rule_reader *r, enum rule_kind kind, const char *word,
                                 struct rule_cond *(*part)(struct rule_reader *))
{
    struct rule_cond *first = part(r), *all = NULL, *last = first;
    while (last && rule_takes(r, word)) {
        if (!all && (all = cond_new(r, kind)) == NULL)
            return NULL;
        all->first = first;
        last = last->next = part(r);
    }
    return !last ? NULL : all ? all : first;
}

static struct rule_cond *every(struct rule_reader *r) { return several(r, RULE_ALL, "and", term); }
static struct rule_cond *any(struct rule_reader *r) { return several(r, RULE_ANY, "or", every); }

bool rule_condition(str text, struct arena *mem, struct rule_cond **ret, str *ret_why)
{
    struct rule_reader r;
    rule_read_begin(&r, text, mem);
    struct rule_cond *c = any(&r);
    if (c && r.now.kind != RT_END) {
        (void)rule_expected(&r, "\"and\", \"or\" or the end");
        c = NULL;
    }
    *ret_why = r.nomem ? (str){NULL, 0} : r.why;
    if (c)
        *ret = c;
    return c != NULL;
}

/* ---- phases ---- */

void rule_range_init(struct rule_range *r)
{
    *r = (struct rule_range){RULE_AT_CONNECT, RULE_AT_CONNECT, RULE_AT_DELIVER, "", ""};
}

static void narrow(struct rule_range *r, const char *by, enum rule_phase first, enum rule_phase usual,
                   enum rule_phase last)
{
    if (first > r->first) {
        r->first = first;
        r->first_by = by;
    }
    if (last < r->last) {
        r->last = last;
        r->last_by = by;
    }
    if (usual > r->usual)
        r->usual = usual;
}

static void narrow_fact(struct rule_range *r, enum rule_fact f)
{
    narrow(r, rule_facts[f].words, rule_facts[f].first, rule_facts[f].usual, rule_facts[f].last);
}

void rule_range_of(struct rule_range *r, const struct rule_cond *c)
{
    if (c->kind == RULE_TEST)
        narrow_fact(r, c->fact);
    for (const struct rule_cond *x = c->first; x; x = x->next)
        rule_range_of(r, x);
}

void rule_range_of_action(struct rule_range *r, const struct rule_action *a)
{
    const struct rule_do_row *row = &rule_dos[a->what];
    narrow(r, row->words, row->first, row->usual, row->last);
    if (a->what == RULE_DO_LIMIT)
        narrow_fact(r, a->by);
}
