/*
 * Keys that sign mail and that the server makes itself (rotation): a file each in data-dir/secrets, named by the name
 * under which the public half is published. Making one that is there, and removing one that is not, changes nothing, so
 * that a step that a crash cut off is done again.
 */
#include "priv/internal.h"
#include "base/map.h"
#include "priv/sign_key.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define PREFIX "dkim."
#define SUFFIX ".key"
enum {
    RSA_BITS = 2048,
    FILE_MAX = 16384,
    NAME_OCTETS = NAME_MAX - sizeof PREFIX - sizeof SUFFIX - sizeof ".1234567890.new"
};

static int folder = -1;

struct kept {
    struct map_node node;
    struct sign_key *key;
    size_t n;
    char name[];
};
static struct lock lock;
static struct map keys;

void priv_mail_keys_open(int dirfd)
{
    folder = dirfd;
    priv_file_tidy(dirfd);
}

/* ---- names ---- */

/* It comes from another process: letters, digits, "-", "_" and single dots between them. */
static err file_name(str name, char ret[NAME_MAX + 1])
{
    bool ok = name.n > 0 && name.n <= NAME_OCTETS && name.p[0] != '.';
    for (size_t i = 0; i < name.n; i++)
        ok = ok && (ascii_alnum(name.p[i]) || name.p[i] == '-' || name.p[i] == '_' ||
                    (name.p[i] == '.' && name.p[i - 1] != '.'));
    if (!ok)
        return name.n > NAME_OCTETS ? E_LIMIT : E_SYNTAX;
    snprintf(ret, NAME_MAX + 1, PREFIX STR_FMT SUFFIX, STR_ARG(name));
    return folder < 0 ? E_UNSUPPORTED : OK;
}

/* ---- in memory ---- */

static struct kept *find(str name)
{
    for (struct map_node *n = map_find(&keys, str_hash(name)); n; n = map_next_equal(n)) {
        struct kept *k = container_of(n, struct kept, node);
        if (str_eq(str_mem(k->name, k->n), name))
            return k;
    }
    return NULL;
}

static struct sign_key *recall(str name)
{
    lock_take(&lock);
    struct kept *k = find(name);
    struct sign_key *key = k ? sign_key_ref(k->key) : NULL;
    lock_drop(&lock);
    return key;
}

static void remember(str name, struct sign_key *key)
{
    struct kept *k = calloc(1, sizeof *k + name.n);
    if (!k)
        return; /* it is read again the next time */
    memcpy(k->name, name.p, name.n);
    k->n = name.n;
    lock_take(&lock);
    bool add = !find(name) && keys.n < PRIV_MAIL_KEYS_MAX && map_add(&keys, &k->node, str_hash(name));
    if (add)
        k->key = sign_key_ref(key);
    lock_drop(&lock);
    if (!add)
        free(k);
}

static void forget(str name)
{
    lock_take(&lock);
    struct kept *k = find(name);
    if (k)
        map_remove(&keys, &k->node);
    lock_drop(&lock);
    if (k)
        sign_key_free(&k->key);
    free(k);
}

/* ---- files ---- */

static err read_key(const char *file, struct sign_key **ret)
{
    struct buf text;
    buf_init(&text, FILE_MAX);
    err e = priv_file_read(folder, file, &text);
    e = e ? e : sign_key_read(buf_str(&text), ret);
    if (text.p)
        OPENSSL_cleanse(text.p, text.n);
    buf_free(&text);
    return e;
}

static err make_key(const char *file, bool rsa)
{
    struct buf pem;
    buf_init(&pem, FILE_MAX);
    if (!buf_room(&pem, FILE_MAX)) /* in one piece: nothing is left behind */
        return E_NOMEM;
    err e = sign_key_make(rsa ? RSA_BITS : 0, &pem);
    e = e ? e : priv_file_make(folder, file, buf_str(&pem)); /* a dying predecessor may be at it, too */
    OPENSSL_cleanse(pem.p, pem.n);
    buf_free(&pem);
    return e;
}

err mail_key_find(str name, struct sign_key **ret)
{
    char file[NAME_MAX + 1];
    *ret = recall(name);
    if (*ret)
        return OK;
    err e = file_name(name, file);
    e = e ? E_NOT_FOUND : read_key(file, ret);
    ERR_clear_error();
    if (!e)
        remember(name, *ret);
    return e;
}

/* ---- questions ---- */

err priv_do_dkim_make(str in, struct buf *out)
{
    struct cur c = cur_of(in);
    bool rsa = cur_u8(&c) != 0;
    str name = str_mem(c.p, c.n);
    char file[NAME_MAX + 1];
    struct sign_key *key = NULL;
    err e = c.bad ? E_SYNTAX : file_name(name, file);
    if (e)
        return e;
    e = read_key(file, &key);
    if (e == E_NOT_FOUND) {
        e = make_key(file, rsa);
        e = e ? e : read_key(file, &key);
    }
    if (!e && sign_key_is_rsa(key) != rsa)
        e = E_EXISTS;
    e = e ? e : sign_key_record(key, out);
    sign_key_free(&key);
    ERR_clear_error();
    return e;
}

err priv_do_dkim_drop(str name, struct buf *out)
{
    char file[NAME_MAX + 1];
    (void)out;
    err e = file_name(name, file);
    if (e)
        return e;
    if (unlinkat(folder, file, 0) && errno != ENOENT)
        return err_from_errno(errno);
    forget(name);
    return fsync(folder) ? err_from_errno(errno) : OK;
}

err priv_dkim_make(str name, bool rsa, struct buf *record)
{
    AUTO_BUF in = {.max = 1024};
    buf_put_u8(&in, rsa);
    buf_add(&in, name);
    return in.e ? in.e : priv_call(PRIV_dkim_make, buf_str(&in), record);
}

err priv_dkim_drop(str name) { return priv_call(PRIV_dkim_drop, name, NULL); }
