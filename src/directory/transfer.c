/* Import and export of the directory as text: domain, user, alias and credential lines (text.c), passwords in their
 * stored forms. */
#include "directory/internal.h"
#include "priv/priv.h"

enum { LINES_MAX = 20000, COMPLAINTS_MAX = 20 };

/* ---- export ---- */

static const struct priv_secret *own_password(const struct priv_secret *v, size_t n, str account)
{
    for (size_t lo = 0, hi = n; lo < hi;) { /* sorted by account, then title: the empty one first */
        size_t mid = (lo + hi) / 2;
        int d = str_cmp(v[mid].account, account);
        if (d == 0 && !v[mid].title.n)
            return &v[mid];
        if (d < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static str lower(struct arena *a, str s)
{
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; p && i < s.n; i++)
        p[i] = ascii_lower(s.p[i]);
    return (str){p, p ? s.n : 0};
}

static err export_kind(struct directory_call *c, enum directory_kind kind, const struct priv_secret *v, size_t n)
{
    struct directory_all all;
    err e = directory_list(c->arena, kind, &all);
    for (size_t i = 0; !e && i < all.n; i++) {
        struct directory_line l = {.change = all.v[i]};
        const struct account *a = &l.change.account;
        str text = kind == DIR_ACCOUNT ? directory_print(c->arena, a->local, a->domain) : S("");
        const struct priv_secret *s = text.n ? own_password(v, n, lower(c->arena, text)) : NULL;
        if (s) {
            l.hash = s->hash;
            l.scram = s->scram;
        }
        directory_line_print(c->out, &l);
    }
    return e;
}

static void export_credentials(struct directory_call *c, const struct priv_secret *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct directory_line l = {.credential = true, .title = v[i].title, .disabled = v[i].disabled};
        const char *why;
        l.change.kind = DIR_ACCOUNT;
        l.hash = v[i].hash;
        l.scram = v[i].scram;
        if (v[i].title.n &&
            directory_address(c->arena, v[i].account, &l.change.account.local, &l.change.account.domain, &why))
            directory_line_print(c->out, &l);
    }
}

int directory_export(struct directory_call *c, const char *kinds)
{
    struct priv_secret *v = NULL;
    size_t n = 0;
    err e = strpbrk(kinds, "uc") ? priv_secret_list(c->arena, S(""), &v, &n) : OK;
    if (!e && strchr(kinds, 'd'))
        e = export_kind(c, DIR_DOMAIN, v, n);
    if (!e && strchr(kinds, 'u'))
        e = export_kind(c, DIR_ACCOUNT, v, n);
    if (!e && strchr(kinds, 'c'))
        export_credentials(c, v, n);
    if (!e && strchr(kinds, 'a'))
        e = export_kind(c, DIR_ALIAS, v, n);
    e = e ? e : c->out->e;
    return e ? directory_fail(c, 1, "the directory cannot be exported: %s", err_text(e)) : 0;
}

/* ---- import ---- */

struct import {
    struct directory_call *c;
    struct directory_line *v;
    size_t n;
    struct directory_all changes;
    int complaints;
};

static void complain(struct import *m, int64_t line, str why)
{
    if (++m->complaints <= COMPLAINTS_MAX)
        directory_fail(m->c, 1, "line %lld: " STR_FMT, (long long)line, STR_ARG(why));
}

static bool parse(struct import *m, str text, int64_t line)
{
    str one;
    for (; str_cut(&text, '\n', &one); line++) {
        char mem[800];
        struct buf why;
        buf_init_fixed(&why, mem, sizeof mem);
        one = str_trim(one);
        if (!one.n || one.p[0] == '#')
            continue;
        if (m->n == LINES_MAX) {
            complain(m, line, S("too many lines at once"));
            return false;
        }
        struct directory_line *l = &m->v[m->n];
        if (!directory_line_parse(m->c->arena, one, l, &why)) {
            complain(m, line, buf_str(&why));
            continue;
        }
        if (!directory_line_check(m->c, l, &m->changes, &why)) {
            complain(m, line, buf_str(&why));
            continue;
        }
        m->n++;
        if (!l->credential)
            m->changes.v[m->changes.n++] = l->change;
    }
    return m->complaints == 0;
}

static err keep_password(struct import *m, const struct directory_line *l) YIELDS;
static err keep_password(struct import *m, const struct directory_line *l)
{
    struct priv_secret s = {.title = l->title, .hash = l->hash, .scram = l->scram, .disabled = l->disabled};
    if (l->change.kind != DIR_ACCOUNT || (!l->password.n && !l->hash.n && !l->scram.n))
        return OK;
    s.account = directory_print(m->c->arena, l->change.account.local, l->change.account.domain);
    if (!s.account.p)
        return E_NOMEM;
    return l->password.n ? priv_secret_set(s.account, l->title, l->password) : priv_secret_put(&s);
}

static int put_all(struct import *m) YIELDS;
static int put_all(struct import *m)
{
    for (size_t i = 0; i < m->n; i++) {
        err e = keep_password(m, &m->v[i]);
        const struct account *a = &m->v[i].change.account;
        if (e)
            return directory_fail(m->c, 1, "the password of " STR_FMT "@" STR_FMT " is not stored: %s",
                                  STR_ARG(a->local), STR_ARG(a->domain),
                                  e == E_SYNTAX ? "not a hash that crypt(3) knows, or not a SCRAM-SHA-256 verifier"
                                                : err_text(e));
    }
    err e = m->changes.n ? directory_apply(m->changes.v, m->changes.n, NULL) : OK;
    if (e)
        return directory_fail(m->c, 1, "nothing is stored: %s", err_text(e));
    buf_printf(m->c->out, m->c->json ? "{\"lines\":%zu}\n" : "imported: %zu lines\n", m->n);
    return 0;
}

int directory_import(struct directory_call *c, str text, int64_t first_line)
{
    struct import m = {.c = c};
    size_t lines = 1;
    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n';
    lines = lines < LINES_MAX ? lines : LINES_MAX;
    m.v = arena_array(c->arena, lines + 1, sizeof *m.v);
    m.changes.v = arena_array(c->arena, lines + 1, sizeof *m.changes.v);
    if (!m.v || !m.changes.v)
        return directory_fail(c, 1, "out of memory");
    if (!parse(&m, text, first_line)) {
        if (m.complaints > COMPLAINTS_MAX)
            directory_fail(c, 1, "and %d lines more", m.complaints - COMPLAINTS_MAX);
        return directory_fail(c, 1, "nothing of this part is imported");
    }
    return put_all(&m);
}
