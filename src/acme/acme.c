/*
 * When: at once while there is no certificate for the names, then when the one in force comes near its end (at a third
 * of its life, if acme.renew-before is longer than that); after a failure again later and later.
 */
#include "acme/internal.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "priv/priv.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static struct conf *conf; /* in force */
static struct fiber *runner;

/* ---- the certificate in force ---- */

struct life {
    int64_t from, to; /* seconds since 1970 */
};

static int64_t seconds_of(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) ? (int64_t)timegm(&tm) : 0;
}

/* False: none, or not for all the names. */
static bool look_at(const struct conf *c, struct life *ret)
{
    BIO *b = c->acme_chain.n ? BIO_new_mem_buf(c->acme_chain.p, (int)c->acme_chain.n) : NULL;
    X509 *x = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
    bool fits = x != NULL;
    for (size_t i = 0; i < c->acme_names.n && fits; i++)
        fits = X509_check_host(x, c->acme_names.v[i].p, c->acme_names.v[i].n, X509_CHECK_FLAG_NO_WILDCARDS, NULL) == 1;
    if (fits)
        *ret = (struct life){seconds_of(X509_get0_notBefore(x)), seconds_of(X509_get0_notAfter(x))};
    X509_free(x);
    BIO_free(b);
    ERR_clear_error();
    return fits;
}

/* Seconds until the next one should be asked for; 0: now. */
static int64_t due_in(const struct conf *c)
{
    struct life l;
    if (!look_at(c, &l))
        return 0;
    int64_t before = c->acme_renew_before / RT_S, third = (l.to - l.from) / 3;
    int64_t at = l.to - (before < third ? before : third), now = rt_wall_ms() / 1000;
    return at > now ? at - now : 0;
}

/* ---- one attempt ---- */

static void names_text(struct buf *out, const struct conf *c)
{
    for (size_t i = 0; i < c->acme_names.n; i++) {
        buf_add(out, i ? S(" ") : S(""));
        buf_add(out, c->acme_names.v[i]);
    }
}

static bool attempt(struct conf *c, rt_time again)
{
    AUTO_ARENA a = {0};
    AUTO_BUF why = {0};
    AUTO_BUF names = {0};
    str chain = {0};
    arena_init(&a, 16384, 8 << 20);
    buf_init(&why, 1024);
    buf_init(&names, 512);
    names_text(&names, c);
    err e = order_run(c, &a, &chain, &why);
    if (!e) {
        e = priv_acme_store(chain);
        if (e)
            buf_printf(&why, "the keeper did not take the certificate: %s", err_text(e));
    }
    if (!e)
        rt_log(EV_acme_certificate, log_str(buf_str(&names)));
    else if (e != E_CANCELLED)
        rt_log(EV_acme_failed, log_str(buf_str(&names)), why.n ? log_str(buf_str(&why)) : log_err(e),
               log_num(again / RT_S));
    return e == OK;
}

/* ---- always ---- */

/* Until the parent has seen the new files, or something else has changed. */
static err wait_for_change(const struct conf *before, rt_time most)
{
    rt_time end = rt_after(most);
    while (conf == before && rt_now() < end) {
        err e = fiber_park(end);
        if (e == E_CANCELLED)
            return e;
    }
    return OK;
}

static void run(void *arg)
{
    int failures = 0;
    (void)arg;
    while (conf && conf->acme_names.n) {
        struct conf *c = conf_ref(conf), *before = c;
        int64_t due = due_in(c);
        rt_time wait = c->acme_retry << (failures < 5 ? failures : 5);
        if (due) {
            failures = 0;
            wait = (due < 3600 ? due : 3600) * RT_S;
        } else if (attempt(c, wait)) {
            failures = 0;
            wait = 60 * RT_S + 4 * c->tls_watch;
            before = conf; /* a generation that came meanwhile does not have the new chain */
        } else {
            failures++;
        }
        err e = wait_for_change(before, wait);
        conf_drop(&c);
        if (e)
            break;
    }
    runner = NULL;
}

void acme_follow(struct conf *c)
{
    conf_drop(&conf);
    conf = conf_ref(c);
    if (runner)
        fiber_wake(runner);
    else if (c->acme_names.n)
        runner = fiber_spawn(run, NULL, "acme");
}
