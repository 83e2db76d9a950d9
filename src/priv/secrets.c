/*
 * secrets.db: the passwords of accounts and the credentials of their applications and devices. Look-ups go to the
 * file: it is small, its pages are in memory, and what they cost is nothing beside a password hash.
 */
#include "base/text.h"
#include "db/db.h"
#include "priv/internal.h"
#include "wire/idn.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

static const char *const steps[] = {
    "CREATE TABLE secrets (account TEXT NOT NULL, title TEXT NOT NULL, hash TEXT NOT NULL, scram TEXT NOT NULL,"
    " disabled INTEGER NOT NULL, changed_ms INTEGER NOT NULL, PRIMARY KEY (account, title)) WITHOUT ROWID",
};

static struct db *db;

err priv_secrets_open(int data_dir, struct buf *why)
{
    return db_open(&db, data_dir, "secrets.db", steps, sizeof steps / sizeof *steps, why);
}

void priv_secrets_close(void) { db_close(&db); }

/* ---- names ---- */

bool name_fold(str name, char ret[PRIV_ACCOUNT_MAX + 1])
{
    AUTO_ARENA a = {0};
    arena_init(&a, 512, 8192);
    size_t at = str_rfind(name, '@');
    str local = str_sub(name, 0, at), domain = at == STR_NONE ? S("") : str_skip(name, at + 1);
    if (!name.n || name.n > PRIV_ACCOUNT_MAX || (!text_ascii(domain) && idn_to_ascii(domain, &a, &domain)))
        return false;
    struct buf out;
    buf_init_fixed(&out, ret, PRIV_ACCOUNT_MAX);
    buf_add(&out, local);
    if (at != STR_NONE)
        buf_add_char(&out, '@');
    buf_add(&out, domain);
    for (size_t i = 0; i < out.n; i++) {
        if ((unsigned char)ret[i] < 32 || ret[i] == 127)
            return false;
        ret[i] = ascii_lower(ret[i]);
    }
    ret[out.e ? 0 : out.n] = 0;
    return out.e == OK;
}

bool name_take(str name, str domain, char account[PRIV_ACCOUNT_MAX + 1], char title[PRIV_TITLE_MAX + 1])
{
    char whole[PRIV_ACCOUNT_MAX + 1];
    struct buf b;
    size_t at = str_rfind(name, '@');
    size_t slash = at == STR_NONE ? STR_NONE : str_find(str_skip(name, at), '/');
    title[0] = account[0] = 0;
    if (slash != STR_NONE) {
        if (!str_to_c(str_skip(name, at + slash + 1), title, PRIV_TITLE_MAX + 1))
            return false;
        name = str_sub(name, 0, at + slash);
    }
    buf_init_fixed(&b, whole, sizeof whole);
    buf_add(&b, name);
    if (at == STR_NONE && domain.n) {
        buf_add_char(&b, '@');
        buf_add(&b, domain);
    }
    return !b.e && name_fold(buf_str(&b), account);
}

/* ---- looking ---- */

static bool keep(struct arena *a, struct priv_secret *s)
{
    str *v[] = {&s->account, &s->title, &s->hash, &s->scram};
    bool ok = true;
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        *v[i] = arena_str(a, *v[i]);
        ok &= v[i]->p != NULL;
    }
    return ok;
}

static void row_of(struct db_rows *r, struct priv_secret *ret)
{
    *ret = (struct priv_secret){.account = db_rows_str(r, 0),
                                .title = db_rows_str(r, 1),
                                .hash = db_rows_str(r, 2),
                                .scram = db_rows_str(r, 3),
                                .disabled = db_rows_num(r, 4) != 0};
}

err secrets_find(struct arena *a, const char *account, struct secret_list *ret)
{
    struct db_rows r;
    if (!db)
        return E_NOT_FOUND;
    *ret = (struct secret_list){.v = arena_array(a, PRIV_CREDENTIALS_MAX + 1, sizeof *ret->v)};
    if (!ret->v)
        return E_NOMEM;
    db_hold(db);
    db_rows_begin(&r, db,
                  "SELECT account, title, hash, scram, disabled FROM secrets"
                  " WHERE account = ? AND disabled = 0 ORDER BY title",
                  "s", str_c(account));
    while (ret->n <= PRIV_CREDENTIALS_MAX && db_rows_next(&r)) {
        row_of(&r, &ret->v[ret->n]);
        if (!keep(a, &ret->v[ret->n++]))
            r.e = E_NOMEM;
    }
    err e = db_rows_end(&r);
    db_let_go(db);
    return e ? e : ret->n ? OK : E_NOT_FOUND;
}

/* ---- handlers ---- */

/* What all questions about one password begin with. */
struct about {
    char account[PRIV_ACCOUNT_MAX + 1];
    str title;
};

static err take_about(struct cur *c, struct about *ret)
{
    str account = cur_str16(c);
    ret->title = cur_str16(c);
    if (!ret->title.p)
        ret->title = S("");
    if (!db)
        return E_UNSUPPORTED;
    if (c->bad || ret->title.n > PRIV_TITLE_MAX)
        return E_LIMIT;
    return name_fold(account, ret->account) ? OK : E_SYNTAX;
}

static err count_others(const struct about *x)
{
    struct db_rows r;
    int64_t have = 0;
    db_rows_begin(&r, db, "SELECT count(*) FROM secrets WHERE account = ? AND title <> ?", "ss", str_c(x->account),
                  x->title);
    if (db_rows_next(&r))
        have = db_rows_num(&r, 0);
    err e = db_rows_end(&r);
    return e ? e : have >= PRIV_CREDENTIALS_MAX ? E_QUEUE_FULL : OK;
}

static err put(const struct about *x, str hash, str scram, bool disabled)
{
    db_hold(db);
    err e = count_others(x);
    if (!e)
        e = db_run(db, NULL,
                   "INSERT OR REPLACE INTO secrets (account, title, hash, scram, disabled, changed_ms)"
                   " VALUES (?, ?, ?, ?, ?, ?)",
                   "ssssii", str_c(x->account), x->title, hash, scram, (int64_t)disabled, rt_wall_ms());
    db_let_go(db);
    return e;
}

err priv_do_secret_set(str in, struct buf *out)
{
    char hash[PRIV_HASH_MAX], scram[PRIV_HASH_MAX];
    struct cur c = cur_of(in);
    struct about x;
    (void)out;
    err e = take_about(&c, &x);
    str password = cur_str16(&c);
    if (!e)
        e = c.bad ? E_SYNTAX : password_make(password, hash, scram);
    if (!e)
        e = put(&x, str_c(hash), str_c(scram), false);
    OPENSSL_cleanse(hash, sizeof hash);
    OPENSSL_cleanse(scram, sizeof scram);
    return e;
}

err priv_do_secret_put(str in, struct buf *out)
{
    struct cur c = cur_of(in);
    struct about x;
    struct scram parsed;
    (void)out;
    err e = take_about(&c, &x);
    str hash = cur_str16(&c), scram = cur_str16(&c);
    bool disabled = cur_u8(&c);
    if (e)
        return e;
    if (c.bad || hash.n >= PRIV_HASH_MAX || scram.n >= PRIV_HASH_MAX || (hash.n && !password_hash_valid(hash)) ||
        (scram.n && !scram_parse(scram, &parsed)))
        return E_SYNTAX;
    return put(&x, hash.n ? hash : S(""), scram.n ? scram : S(""), disabled);
}

err priv_do_secret_enable(str in, struct buf *out)
{
    struct cur c = cur_of(in);
    struct about x;
    int64_t n = 0;
    (void)out;
    err e = take_about(&c, &x);
    bool on = cur_u8(&c);
    if (e)
        return e;
    db_hold(db);
    e = db_run(db, &n, "UPDATE secrets SET disabled = ? WHERE account = ? AND title = ?", "iss", (int64_t)!on,
               str_c(x.account), x.title);
    db_let_go(db);
    return e ? e : n ? OK : E_NOT_FOUND;
}

err priv_do_secret_remove(str in, struct buf *out)
{
    struct cur c = cur_of(in);
    struct about x;
    int64_t n = 0;
    (void)out;
    err e = take_about(&c, &x);
    bool all = cur_u8(&c);
    if (e)
        return e;
    db_hold(db);
    e = all ? db_run(db, &n, "DELETE FROM secrets WHERE account = ?", "s", str_c(x.account))
            : db_run(db, &n, "DELETE FROM secrets WHERE account = ? AND title = ?", "ss", str_c(x.account), x.title);
    db_let_go(db);
    return e ? e : n ? OK : E_NOT_FOUND;
}

static void add_row(struct buf *out, const struct priv_secret *s)
{
    buf_put_str16(out, s->account);
    buf_put_str16(out, s->title);
    buf_put_str16(out, s->hash);
    buf_put_str16(out, s->scram);
    buf_put_u8(out, s->disabled);
}

/* Rows behind (account, title), as many as fit. */
err priv_do_secret_list(str in, struct buf *out)
{
    struct cur c = cur_of(in);
    struct db_rows r;
    struct priv_secret s;
    char only[PRIV_ACCOUNT_MAX + 1] = "";
    str of = cur_str16(&c), account = cur_str16(&c), title = cur_str16(&c);
    if (!db)
        return E_UNSUPPORTED;
    if (c.bad || (of.n && !name_fold(of, only)))
        return E_SYNTAX;
    account = account.n ? account : S("");
    title = title.n ? title : S("");
    db_hold(db);
    db_rows_begin(&r, db,
                  "SELECT account, title, hash, scram, disabled FROM secrets WHERE (account, title) > (?, ?)"
                  " AND (? = '' OR account = ?) ORDER BY account, title LIMIT 20",
                  "ssss", account, title, str_c(only), str_c(only));
    while (db_rows_next(&r)) {
        row_of(&r, &s);
        if (out->n + s.account.n + s.title.n + s.hash.n + s.scram.n + 16 > 4000)
            break;
        add_row(out, &s);
    }
    err e = db_rows_end(&r);
    db_let_go(db);
    return e;
}

/* ---- log-in ---- */

/* What was found right lately: a MAC of account, stored hash and password under a key that lives as long as this
 * process, so that a changed password is another one. */
enum { LATELY = 4096 };
#define LATELY_TIME (3600 * RT_S)
static struct {
    struct lock lock;
    bool keyed;
    unsigned char key[32];
    struct {
        unsigned char mac[PRIV_MAC_SIZE];
        rt_time at;
    } * v; /* LATELY; made with the key */
} lately;

static bool lately_mac(const struct priv_secret *s, str password, unsigned char ret[EVP_MAX_MD_SIZE])
{
    AUTO_BUF b;
    unsigned n = 0;
    buf_init(&b, 4096);
    buf_put_str16(&b, s->account);
    buf_put_str16(&b, s->title);
    buf_put_str16(&b, s->hash);
    buf_put_str16(&b, password);
    lock_take(&lately.lock);
    if (!lately.v)
        lately.v = calloc(LATELY, sizeof *lately.v);
    if (lately.v && !lately.keyed)
        lately.keyed = RAND_bytes(lately.key, sizeof lately.key) == 1;
    bool keyed = lately.keyed;
    lock_drop(&lately.lock);
    bool ok =
        keyed && !b.e && HMAC(EVP_sha256(), lately.key, sizeof lately.key, (const unsigned char *)b.p, b.n, ret, &n);
    if (b.p)
        OPENSSL_cleanse(b.p, b.n);
    return ok;
}

static size_t lately_place(const unsigned char *mac) { return (size_t)(mac[0] | mac[1] << 8) % LATELY; }

static bool lately_has(const struct priv_secret *s, str password)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    if (!s->hash.n || !lately_mac(s, password, mac))
        return false;
    lock_take(&lately.lock);
    size_t at = lately_place(mac);
    bool has = lately.v[at].at && rt_now_fresh() - lately.v[at].at < LATELY_TIME &&
               CRYPTO_memcmp(lately.v[at].mac, mac, PRIV_MAC_SIZE) == 0;
    lock_drop(&lately.lock);
    return has;
}

static void lately_add(const struct priv_secret *s, str password)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    if (!lately_mac(s, password, mac))
        return;
    lock_take(&lately.lock);
    size_t at = lately_place(mac);
    memcpy(lately.v[at].mac, mac, PRIV_MAC_SIZE);
    lately.v[at].at = rt_now_fresh();
    lock_drop(&lately.lock);
}

/* An account's own password, or any of its credentials; with a title that one alone. */
static err log_in(str in, struct buf *out, bool hashed)
{
    AUTO_ARENA mem = {0};
    struct cur c = cur_of(in);
    struct secret_list all = {0};
    char account[PRIV_ACCOUNT_MAX + 1];
    str of = cur_str16(&c), title = cur_str16(&c), password = cur_str16(&c), found = S("");
    bool tried = false, fits = false;
    if (c.bad)
        return E_SYNTAX;
    arena_init(&mem, 4096, 65536);
    mem.secret = true;
    err e = name_fold(of, account) ? secrets_find(&mem, account, &all) : E_NOT_FOUND;
    if (e && e != E_NOT_FOUND)
        return e;
    for (size_t i = 0; i < all.n && !fits; i++) {
        if (title.n && !str_eq(all.v[i].title, title))
            continue;
        tried = true;
        fits = hashed ? password_fits(all.v[i].hash, password) : lately_has(&all.v[i], password);
        found = all.v[i].title;
        if (fits && hashed)
            lately_add(&all.v[i], password);
    }
    if (!tried && hashed)
        (void)password_fits(S(""), password);
    buf_put_u8(out, fits);
    buf_put_str16(out, found);
    return OK;
}

err priv_do_login(str in, struct buf *out) { return log_in(in, out, true); }
err priv_do_login_again(str in, struct buf *out) { return log_in(in, out, false); }

err priv_do_hash_fits(str in, struct buf *out)
{
    struct cur c = cur_of(in);
    str hash = cur_str16(&c), password = cur_str16(&c);
    (void)out;
    return c.bad ? E_SYNTAX : password_fits(hash, password) ? OK : E_DENIED;
}
