/*
 * Files of accounts as Dovecot's passwd-file has them: "NAME:HASH" and, behind a second colon, what is nothing to us. A
 * hash is what crypt(3) makes, with Dovecot's name of the scheme before it or without. Lines that are not understood
 * are passed over; of two lines with one name the first counts.
 */
#include "priv/internal.h"

#include <openssl/crypto.h>
#include <stdlib.h>

/* Dovecot's names for what crypt(3) makes; hash.c knows {CRYPT} and {PLAIN}. */
static str without_scheme(str hash)
{
    static const str names[] = {S_INIT("{SHA512-CRYPT}"), S_INIT("{SHA256-CRYPT}"), S_INIT("{BLF-CRYPT}"),
                                S_INIT("{MD5-CRYPT}"), S_INIT("{DES-CRYPT}")};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_istarts(hash, names[i]))
            return str_skip(hash, names[i].n);
    return hash;
}

static int by_name(const void *a, const void *b)
{
    const struct account_line *x = a, *y = b;
    int order = str_cmp(x->name, y->name);
    return order ? order : x->line < y->line ? -1 : 1;
}

static bool take_line(struct arena *a, str line, struct account_line *ret)
{
    char folded[PRIV_ACCOUNT_MAX + 1];
    str name, hash;
    line = str_trim(line);
    if (!line.n || line.p[0] == '#' || !str_cut(&line, ':', &name) || !line.p || !str_cut(&line, ':', &hash) ||
        !name_fold(name, folded))
        return false;
    hash = without_scheme(hash);
    ret->name = arena_str(a, str_c(folded));
    ret->hash = password_hash_valid(hash) ? arena_str(a, hash) : S("");
    return true;
}

err account_file_read(struct account_file *f, struct arena *a, const struct priv_file *from)
{
    size_t lines = 1;
    str rest = from->text, line;
    *f = (struct account_file){.title = arena_str(a, from->title), .unread = !from->text.p};
    for (size_t i = 0; i < rest.n; i++)
        lines += rest.p[i] == '\n';
    if (lines > PRIV_FILE_LINES_MAX)
        return E_LIMIT;
    f->v = arena_array(a, lines, sizeof *f->v);
    while (f->v && rest.n && str_cut(&rest, '\n', &line))
        if (take_line(a, line, &f->v[f->n])) {
            f->v[f->n].line = f->n;
            f->n++;
        }
    if (a->e)
        return a->e;
    qsort(f->v, f->n, sizeof *f->v, by_name);
    return OK;
}

const struct account_line *account_file_find(const struct account_file *f, str name)
{
    size_t from = 0, to = f->n;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (str_cmp(f->v[mid].name, name) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return from < f->n && str_eq(f->v[from].name, name) ? &f->v[from] : NULL;
}

/* ---- questions ------------------------------------------------------------------------------------------------ */

err priv_file_account(str title, str address, str bare, const str *password)
{
    char mem[2048];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    buf_put_str16(&b, title);
    buf_put_str16(&b, address);
    buf_put_str16(&b, bare);
    if (password)
        buf_put_str16(&b, *password);
    err e = b.e ? b.e : priv_call(password ? PRIV_file_login : PRIV_file_find, buf_str(&b), NULL);
    OPENSSL_cleanse(mem, sizeof mem);
    return e;
}

static err find(struct cur *c, char hash[PRIV_HASH_MAX])
{
    char folded[PRIV_ACCOUNT_MAX + 1];
    str title = cur_str16(c), address = cur_str16(c), bare = cur_str16(c);
    if (c->bad)
        return E_SYNTAX;
    return name_fold(address, folded) ? store_file_hash(title, str_c(folded), bare, hash) : E_NOT_FOUND;
}

err priv_do_file_find(str in, struct buf *out)
{
    char hash[PRIV_HASH_MAX];
    struct cur c = cur_of(in);
    (void)out;
    err e = find(&c, hash);
    OPENSSL_cleanse(hash, sizeof hash);
    return e;
}

err priv_do_file_login(str in, struct buf *out)
{
    char hash[PRIV_HASH_MAX];
    struct cur c = cur_of(in);
    (void)out;
    err e = find(&c, hash);
    str password = cur_str16(&c);
    if (!e)
        e = c.bad ? E_SYNTAX : hash[0] && password_fits(str_c(hash), password) ? OK : E_DENIED;
    OPENSSL_cleanse(hash, sizeof hash);
    return e;
}
