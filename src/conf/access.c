/* Sets of addresses, networks, domains and patterns. */
#include "conf/access.h"
#include "base/buf.h"
#include "wire/addr.h"
#include "wire/idn.h"

#include <stdlib.h>

struct range { /* of addresses, both ends in it */
    uint8_t low[16], high[16];
};
struct ranges {
    struct range *v;
    size_t n, cap;
};
struct access_set {
    struct buf text;  /* all exact entries, one behind the other */
    uint32_t *offset; /* where each begins; one more for the end */
    size_t n, cap;
    uint32_t *table; /* 1 + index of an entry; open addressing */
    size_t slots;    /* a power of two */
    struct ranges nets[2];
    struct buf patterns; /* likewise, each with a NUL behind it */
    size_t npatterns, count;
};

static const size_t text_max = (size_t)1 << 30;

struct access_set *access_new(void)
{
    struct access_set *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    buf_init(&a->text, text_max);
    buf_init(&a->patterns, 4 << 20);
    return a;
}

void access_free(struct access_set **p)
{
    struct access_set *a = *p;
    *p = NULL;
    if (!a)
        return;
    buf_free(&a->text);
    buf_free(&a->patterns);
    free(a->offset);
    free(a->table);
    free(a->nets[0].v);
    free(a->nets[1].v);
    free(a);
}

size_t access_count(const struct access_set *a) { return a->count; }

/* ---- patterns ---- */

bool access_glob(str pattern, str text)
{
    size_t p = 0, t = 0, star = STR_NONE, mark = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.n && (pattern.p[p] == '?' || ascii_lower(pattern.p[p]) == ascii_lower(text.p[t]))) {
            p++;
            t++;
        } else if (star != STR_NONE) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

static bool matches(const struct access_set *a, str text)
{
    str rest = buf_str(&a->patterns), pattern;
    while (rest.n && str_cut(&rest, 0, &pattern))
        if (access_glob(pattern, text))
            return true;
    return false;
}

/* ---- adding ---- */

static const char *add_text(struct access_set *a, str s)
{
    if (a->n + 2 > a->cap) {
        size_t cap = a->cap ? a->cap * 2 : 64;
        uint32_t *v = realloc(a->offset, cap * sizeof *v);
        if (!v)
            return "";
        a->offset = v;
        a->cap = cap;
    }
    a->offset[a->n++] = (uint32_t)a->text.n;
    char *p = s.n ? buf_room(&a->text, s.n) : NULL;
    for (size_t i = 0; p && i < s.n; i++)
        p[i] = ascii_lower(s.p[i]);
    a->text.n += p ? s.n : 0;
    a->offset[a->n] = (uint32_t)a->text.n;
    return a->text.e ? "" : NULL;
}

static const char *add_net(struct access_set *a, const struct ip_net *net)
{
    struct ranges *r = &a->nets[net->ip.v == 6];
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 16;
        struct range *v = realloc(r->v, cap * sizeof *v);
        if (!v)
            return "";
        r->v = v;
        r->cap = cap;
    }
    struct range *x = &r->v[r->n++];
    memcpy(x->low, net->ip.b, 16);
    memcpy(x->high, net->ip.b, 16);
    size_t octets = net->ip.v == 6 ? 16 : 4;
    for (size_t i = 0; i < octets; i++) {
        unsigned fixed = net->bits > 8 * i ? net->bits - 8 * (unsigned)i : 0;
        if (fixed < 8)
            x->high[i] |= (uint8_t)(0xff >> fixed);
    }
    return NULL;
}

static const char *add_pattern(struct access_set *a, str s)
{
    if (++a->npatterns > ACCESS_PATTERNS)
        return "at most 10000 patterns";
    if (str_find(s, 0) != STR_NONE)
        return "text";
    buf_add(&a->patterns, s);
    buf_add_char(&a->patterns, 0);
    return a->patterns.e ? "" : NULL;
}

/* The domain part from `at` on, in A-labels when it has letters of others; what is no name stays as it is. */
static const char *add_name(struct access_set *a, str s, size_t at)
{
    bool plain = true;
    for (size_t i = 0; i < s.n; i++)
        plain &= (unsigned char)s.p[i] < 128;
    if (plain)
        return add_text(a, s);
    struct arena mem;
    str name;
    arena_init(&mem, 1024, 8192);
    err e = idn_to_ascii(str_skip(s, at), &mem, &name);
    str whole = e ? (str){NULL, 0} : arena_printf(&mem, STR_FMT STR_FMT, STR_ARG(str_sub(s, 0, at)), STR_ARG(name));
    const char *why = e && e != E_NOMEM ? add_text(a, s) : whole.p ? add_text(a, whole) : "";
    arena_free(&mem);
    return why;
}

/* Looks like a network: so a fault in it is told. */
static bool numeric(str s)
{
    bool slash = false, mark = false;
    for (size_t i = 0; i < s.n; i++) {
        bool hex = ascii_digit(s.p[i]) || ((s.p[i] | 32) >= 'a' && (s.p[i] | 32) <= 'f');
        slash |= s.p[i] == '/';
        mark |= s.p[i] == '.' || s.p[i] == ':';
        if (!hex && !strchr("./:", s.p[i]))
            return false;
    }
    return slash && mark;
}

const char *access_add(struct access_set *a, str entry)
{
    struct ip_net net;
    str s = str_trim(entry);
    if (s.n == 0 || s.n > ACCESS_ENTRY_MAX)
        return "an entry of 1 to 320 octets";
    if (++a->count > ACCESS_ENTRIES)
        return "at most 8 million entries";
    if (str_eq(s, S("<>")))
        return add_text(a, s);
    if (ip_net_parse(s, &net))
        return add_net(a, &net);
    if (numeric(s))
        return "a network without bits behind its prefix, such as 192.0.2.0/24";
    if (str_find(s, '*') != STR_NONE || str_find(s, '?') != STR_NONE)
        return add_pattern(a, s);
    size_t at = str_rfind(s, '@');
    if (at != STR_NONE) {
        size_t from = at + 1 + str_starts(str_skip(s, at + 1), S("."));
        return from < s.n ? add_name(a, s, from) : "a domain behind the \"@\"";
    }
    return add_name(a, s, str_starts(s, S(".")));
}

/* ---- the end of adding ---- */

static str entry_at(const struct access_set *a, size_t i)
{
    return str_mem(a->text.p + a->offset[i], a->offset[i + 1] - a->offset[i]);
}

/* Nobody but the owner of the list chooses what is in a chain: no key. */
static uint64_t hash_of(str s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)ascii_lower(s.p[i])) * 0x100000001b3u;
    return h ^ h >> 29;
}

static size_t find(const struct access_set *a, str s)
{
    size_t at = hash_of(s) & (a->slots - 1);
    while (a->table[at] && !str_ieq(entry_at(a, a->table[at] - 1), s))
        at = (at + 1) & (a->slots - 1);
    return at;
}

static int by_low(const void *a, const void *b) { return memcmp(a, b, sizeof(struct range)); }

/* Sorted, and those that touch in one another made one. */
static void merge(struct ranges *r)
{
    if (r->n == 0)
        return;
    qsort(r->v, r->n, sizeof *r->v, by_low);
    size_t n = 1;
    for (size_t i = 1; i < r->n; i++) {
        struct range *last = &r->v[n - 1];
        if (memcmp(r->v[i].low, last->high, 16) > 0)
            r->v[n++] = r->v[i];
        else if (memcmp(r->v[i].high, last->high, 16) > 0)
            memcpy(last->high, r->v[i].high, 16);
    }
    r->n = n;
}

bool access_done(struct access_set *a)
{
    merge(&a->nets[0]);
    merge(&a->nets[1]);
    a->slots = 16;
    while (a->slots < a->n * 2)
        a->slots *= 2;
    a->table = calloc(a->slots, sizeof *a->table);
    for (size_t i = 0; a->table && i < a->n; i++)
        a->table[find(a, entry_at(a, i))] = (uint32_t)(i + 1);
    return a->table != NULL;
}

/* ---- asking ---- */

bool access_has_ip(const struct access_set *a, const struct ip *ip)
{
    const struct ranges *r = &a->nets[ip->v == 6];
    size_t low = 0, high = r->n;
    if (!ip->v)
        return false;
    while (low < high) { /* the first that begins above it */
        size_t mid = low + (high - low) / 2;
        if (memcmp(r->v[mid].low, ip->b, 16) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low > 0 && memcmp(ip->b, r->v[low - 1].high, 16) <= 0;
}

bool access_each_form(str value, bool (*has)(void *arg, str form), void *arg)
{
    char mem[ACCESS_ENTRY_MAX + 2];
    size_t at = str_rfind(value, '@');
    bool address = at != STR_NONE;
    str domain = address ? str_skip(value, at + 1) : value, rest = domain;
    if (has(arg, value))
        return true;
    if (value.n > ACCESS_ENTRY_MAX)
        return false;
    if (address && (has(arg, str_skip(value, at)) || has(arg, domain)))
        return true;
    for (size_t dot; (dot = str_find(rest, '.')) != STR_NONE; rest = str_skip(rest, dot + 1)) {
        str suffix = str_skip(rest, dot);
        mem[0] = '@';
        memcpy(mem + 1, suffix.p, suffix.n);
        if ((address && has(arg, str_mem(mem, suffix.n + 1))) || has(arg, suffix))
            return true;
    }
    return false;
}

static bool has_exact(void *arg, str form)
{
    const struct access_set *a = arg;
    return a->n && a->table[find(a, form)];
}

bool access_has_domain(const struct access_set *a, str name)
{
    return name.n && (access_each_form(name, has_exact, (void *)a) || matches(a, name));
}

bool access_has_address(const struct access_set *a, str address)
{
    size_t at = str_rfind(address, '@');
    if (address.n == 0 || str_eq(address, S("<>")))
        return has_exact((void *)a, S("<>"));
    return access_each_form(address, has_exact, (void *)a) || matches(a, address) ||
           (at != STR_NONE && matches(a, str_skip(address, at + 1)));
}

bool access_has_text(const struct access_set *a, str text) { return has_exact((void *)a, text) || matches(a, text); }
