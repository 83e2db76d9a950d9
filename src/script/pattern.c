/* Patterns of Lua: reading them into items, and matching with counted steps. */
#include "script/pattern.h"

enum { CHAR, ANY, SET, OPEN, CLOSE, BACK, BALANCE, FRONTIER };
#define OPEN_STILL ((size_t)-3)

/* ---- reading ---- */

struct reader {
    struct pattern *p;
    str in;
    const char *fault;
    uint8_t open[PATTERN_CAPTURES_MAX]; /* captures not closed yet, innermost last */
    unsigned nopen;
    uint32_t closed; /* bit: this capture is complete */
};

static void set_add(uint32_t set[8], unsigned char c) { set[c / 32] |= 1u << (c % 32); }
static bool set_has(const uint32_t set[8], unsigned char c) { return set[c / 32] >> (c % 32) & 1; }

static bool in_class(unsigned char c, char class)
{
    switch (class) {
    case 'a':
        return ascii_alpha((char)c);
    case 'c':
        return c < 32 || c == 127;
    case 'd':
        return ascii_digit((char)c);
    case 'g':
        return c > 32 && c < 127;
    case 'l':
        return c >= 'a' && c <= 'z';
    case 'p':
        return c > 32 && c < 127 && !ascii_alnum((char)c);
    case 's':
        return c == ' ' || (c >= 9 && c <= 13);
    case 'u':
        return c >= 'A' && c <= 'Z';
    case 'w':
        return ascii_alnum((char)c);
    case 'x':
        return ascii_digit((char)c) || ((c | 32) >= 'a' && (c | 32) <= 'f');
    default:
        return false;
    }
}

/* What stands behind a '%': a class, in capitals its opposite, or the octet itself. */
static void set_add_escaped(uint32_t set[8], unsigned char e)
{
    char class = ascii_lower((char)e);
    if (!ascii_alpha((char)e) || !strchr("acdglpsuwx", class)) {
        set_add(set, e);
        return;
    }
    bool opposite = class != (char)e;
    for (unsigned c = 0; c < 256; c++)
        if (in_class((unsigned char)c, class) != opposite)
            set_add(set, (unsigned char)c);
}

/* Behind '[': up to its ']'. A ']' in the first place means itself. */
static void read_set(struct reader *r, uint32_t set[8])
{
    bool opposite = r->in.n && r->in.p[0] == '^';
    r->in = str_skip(r->in, opposite);
    for (bool first = true;; first = false) {
        if (!r->in.n) {
            r->fault = "malformed pattern (missing ']')";
            return;
        }
        unsigned char c = (unsigned char)r->in.p[0];
        r->in = str_skip(r->in, 1);
        if (c == ']' && !first)
            break;
        if (c == '%') {
            if (!r->in.n) {
                r->fault = "malformed pattern (missing ']')";
                return;
            }
            set_add_escaped(set, (unsigned char)r->in.p[0]);
            r->in = str_skip(r->in, 1);
        } else if (r->in.n > 1 && r->in.p[0] == '-' && r->in.p[1] != ']') {
            unsigned last = (unsigned char)r->in.p[1];
            if (last == '%') {
                r->fault = "malformed pattern (a range that ends with '%')";
                return;
            }
            for (unsigned x = c; x <= last; x++)
                set_add(set, (unsigned char)x);
            r->in = str_skip(r->in, 2);
        } else {
            set_add(set, c);
        }
    }
    for (int i = 0; opposite && i < 8; i++)
        set[i] = ~set[i];
}

static bool open_capture(struct reader *r, struct pattern_item *x)
{
    if (r->p->ncaptures >= PATTERN_CAPTURES_MAX) {
        r->fault = "too many captures";
        return false;
    }
    x->kind = OPEN;
    x->a = (uint8_t)r->p->ncaptures++;
    x->b = r->in.n && r->in.p[0] == ')';
    if (x->b) {
        r->in = str_skip(r->in, 1);
        r->closed |= 1u << x->a;
    } else {
        r->open[r->nopen++] = x->a;
    }
    return true;
}

static void close_capture(struct reader *r, struct pattern_item *x)
{
    if (!r->nopen) {
        r->fault = "invalid pattern capture";
        return;
    }
    x->kind = CLOSE;
    x->a = r->open[--r->nopen];
    r->closed |= 1u << x->a;
}

static void read_escape(struct reader *r, struct pattern_item *x)
{
    if (!r->in.n) {
        r->fault = "malformed pattern (ends with '%')";
        return;
    }
    unsigned char e = (unsigned char)r->in.p[0];
    r->in = str_skip(r->in, 1);
    if (e == 'b') {
        if (r->in.n < 2) {
            r->fault = "malformed pattern (missing arguments to '%b')";
            return;
        }
        x->kind = BALANCE;
        x->a = (uint8_t)r->in.p[0];
        x->b = (uint8_t)r->in.p[1];
        r->in = str_skip(r->in, 2);
    } else if (e == 'f') {
        if (!r->in.n || r->in.p[0] != '[') {
            r->fault = "missing '[' after '%f' in pattern";
            return;
        }
        r->in = str_skip(r->in, 1);
        x->kind = FRONTIER;
        read_set(r, x->set);
    } else if (ascii_digit((char)e)) {
        unsigned which = e - '1';
        if (which >= r->p->ncaptures || !(r->closed >> which & 1)) {
            r->fault = "invalid capture index in pattern";
            return;
        }
        x->kind = BACK;
        x->a = (uint8_t)which;
    } else if (ascii_alpha((char)e)) {
        x->kind = SET;
        set_add_escaped(x->set, e);
    } else {
        x->kind = CHAR;
        x->a = e;
    }
}

static void read_item(struct reader *r, struct pattern_item *x)
{
    char c = r->in.p[0];
    r->in = str_skip(r->in, 1);
    *x = (struct pattern_item){.kind = CHAR, .a = (uint8_t)c};
    if (c == '(') {
        open_capture(r, x);
        return;
    }
    if (c == ')') {
        close_capture(r, x);
        return;
    }
    if (c == '.') {
        x->kind = ANY;
    } else if (c == '[') {
        x->kind = SET;
        read_set(r, x->set);
    } else if (c == '%') {
        read_escape(r, x);
    }
    if (r->fault || x->kind > SET)
        return;
    if (r->in.n && memchr("*+-?", r->in.p[0], 4)) {
        x->repeat = (uint8_t)r->in.p[0];
        r->in = str_skip(r->in, 1);
    }
}

static size_t items(str text) { return text.n < PATTERN_ITEMS_MAX ? text.n : PATTERN_ITEMS_MAX; }

size_t pattern_size(str text) { return sizeof(struct pattern) + items(text) * sizeof(struct pattern_item); }

const char *pattern_read(struct pattern *ret, str text, bool anchor)
{
    struct reader r = {.p = ret, .in = text};
    *ret = (struct pattern){0};
    if (anchor && text.n && text.p[0] == '^') {
        ret->anchored = true;
        r.in = str_skip(text, 1);
    }
    while (r.in.n && !r.fault) {
        if (r.in.n == 1 && r.in.p[0] == '$') {
            ret->at_end = true;
            break;
        }
        if (ret->nitems >= items(text))
            return "pattern too complex";
        read_item(&r, &ret->v[ret->nitems]);
        ret->nitems++;
    }
    if (!r.fault && r.nopen)
        return "unfinished capture";
    return r.fault;
}

/* ---- matching ---- */

/* Depth of recursion: at most once an item. */
static size_t match(const struct pattern *p, struct pattern_match *m, unsigned i, size_t at);

static bool fits(const struct pattern_item *x, unsigned char c)
{
    return x->kind == ANY || (x->kind == CHAR ? x->a == c : set_has(x->set, c));
}

static bool one(const struct pattern_item *x, const struct pattern_match *m, size_t at)
{
    return at < m->subject.n && fits(x, (unsigned char)m->subject.p[at]);
}

static bool step(struct pattern_match *m, uint64_t n)
{
    if (m->left <= n)
        m->left = 0;
    else
        m->left -= n;
    return m->left > 0;
}

static size_t greedy(const struct pattern *p, struct pattern_match *m, unsigned i, size_t at, size_t least)
{
    size_t n = 0;
    while (one(&p->v[i], m, at + n))
        n++;
    if (!step(m, n))
        return STR_NONE;
    for (;; n--) {
        if (n < least)
            return STR_NONE;
        size_t end = match(p, m, i + 1, at + n);
        if (end != STR_NONE || !m->left || n == 0)
            return end;
    }
}

static size_t lazy(const struct pattern *p, struct pattern_match *m, unsigned i, size_t at)
{
    for (;; at++) {
        size_t end = match(p, m, i + 1, at);
        if (end != STR_NONE || !m->left)
            return end;
        if (!one(&p->v[i], m, at) || !step(m, 1))
            return STR_NONE;
    }
}

static size_t balance(const struct pattern_item *x, struct pattern_match *m, size_t at)
{
    const str s = m->subject;
    if (at >= s.n || (uint8_t)s.p[at] != x->a)
        return STR_NONE;
    size_t depth = 1, i = at + 1;
    for (; i < s.n; i++) {
        if ((uint8_t)s.p[i] == x->b && --depth == 0)
            break;
        if ((uint8_t)s.p[i] == x->a && x->a != x->b)
            depth++;
    }
    step(m, i - at);
    return i < s.n ? i + 1 : STR_NONE;
}

static bool frontier(const struct pattern_item *x, const struct pattern_match *m, size_t at)
{
    unsigned char before = at ? (unsigned char)m->subject.p[at - 1] : 0;
    unsigned char here = at < m->subject.n ? (unsigned char)m->subject.p[at] : 0;
    return !set_has(x->set, before) && set_has(x->set, here);
}

/* A capture is undone when what is behind it does not match. */
static size_t capture(const struct pattern *p, struct pattern_match *m, unsigned i, size_t at)
{
    const struct pattern_item *x = &p->v[i];
    size_t from = m->capture[x->a].from, to = m->capture[x->a].to;
    if (x->kind == OPEN) {
        m->capture[x->a].from = at;
        m->capture[x->a].to = x->b ? PATTERN_POSITION : OPEN_STILL;
    } else {
        m->capture[x->a].to = at;
    }
    size_t end = match(p, m, i + 1, at);
    if (end == STR_NONE) {
        m->capture[x->a].from = from;
        m->capture[x->a].to = to;
    }
    return end;
}

static size_t again(const struct pattern_item *x, struct pattern_match *m, size_t at)
{
    size_t from = m->capture[x->a].from;
    if (m->capture[x->a].to == PATTERN_POSITION) /* a place has no text */
        return STR_NONE;
    size_t n = m->capture[x->a].to - from;
    if (!step(m, n) || n > m->subject.n - at || memcmp(m->subject.p + from, m->subject.p + at, n) != 0)
        return STR_NONE;
    return at + n;
}

/* An item without repetition that takes octets or none, and needs no undoing. */
static size_t simple(const struct pattern_item *x, struct pattern_match *m, size_t at)
{
    switch (x->kind) {
    case BALANCE:
        return balance(x, m, at);
    case FRONTIER:
        return frontier(x, m, at) ? at : STR_NONE;
    case BACK:
        return again(x, m, at);
    default:
        return one(x, m, at) ? at + 1 : STR_NONE;
    }
}

static size_t match(const struct pattern *p, struct pattern_match *m, unsigned i, size_t at)
{
    for (; i < p->nitems; i++) {
        const struct pattern_item *x = &p->v[i];
        if (!step(m, 1))
            return STR_NONE;
        if (x->kind == OPEN || x->kind == CLOSE)
            return capture(p, m, i, at);
        switch (x->repeat) {
        case '*':
            return greedy(p, m, i, at, 0);
        case '+':
            return greedy(p, m, i, at, 1);
        case '-':
            return lazy(p, m, i, at);
        case '?':
            if (one(x, m, at)) {
                size_t end = match(p, m, i + 1, at + 1);
                if (end != STR_NONE || !m->left)
                    return end;
            }
            continue;
        default:
            at = simple(x, m, at);
        }
        if (at == STR_NONE)
            return STR_NONE;
    }
    return p->at_end && at != m->subject.n ? STR_NONE : at;
}

bool pattern_here(const struct pattern *p, struct pattern_match *m, size_t at)
{
    for (unsigned i = 0; i < p->ncaptures; i++)
        m->capture[i].from = m->capture[i].to = 0;
    size_t end = match(p, m, 0, at);
    if (end == STR_NONE || !m->left)
        return false;
    m->from = at;
    m->to = end;
    m->n = p->ncaptures;
    return true;
}

bool pattern_find(const struct pattern *p, struct pattern_match *m, size_t at)
{
    for (; at <= m->subject.n; at++) {
        if (!step(m, 1))
            return false;
        if (pattern_here(p, m, at))
            return true;
        if (p->anchored || !m->left)
            return false;
    }
    return false;
}
