/*
 * Sessions that a server let us resume (RFC 8446 4.6.1, RFC 5077), for the next connections to it. A resumed session
 * has no certificate to look at: what was found out about it at the full handshake counts on. So a session is kept
 * under everything that this finding depends on (the address, the names, how and against which roots or records it was
 * verified), and is offered only where all of that is the same again, within an hour of the full handshake and while
 * the certificate is valid. The newest is offered until a newer comes: that it makes us known again (RFC 8446 C.4) is
 * no harm to a server that says its name in EHLO.
 */
#include "base/map.h"
#include "net/tls.h"

#include <openssl/err.h>
#include <stdlib.h>

enum { KEPT_MAX = 1000 }; /* the oldest goes */
#define KEPT_FOR (3600 * RT_S)

struct kept {
    struct map_node node;
    struct list age;
    unsigned char who[TLS_WHO];
    SSL_SESSION *session;
    rt_time until;
};
static struct {
    struct lock lock;
    struct map map;
    struct list all; /* oldest first */
} resume;

static uint64_t hash_of(const unsigned char who[static TLS_WHO])
{
    uint64_t h;
    memcpy(&h, who, sizeof h);
    return h;
}

static void kept_free(struct kept *k)
{
    if (!k)
        return;
    SSL_SESSION_free(k->session);
    free(k);
}

/* These three under the lock; what was taken out is freed outside. */
static struct kept *find(const unsigned char *who)
{
    struct map_node *n = map_find(&resume.map, hash_of(who));
    while (n && memcmp(container_of(n, struct kept, node)->who, who, TLS_WHO) != 0)
        n = map_next_equal(n);
    return n ? container_of(n, struct kept, node) : NULL;
}

static struct kept *take_out(struct kept *k)
{
    if (!k)
        return NULL;
    map_remove(&resume.map, &k->node);
    list_remove(&k->age);
    return k;
}

static bool put_in(struct kept *k, struct kept **ret_gone)
{
    struct kept *old = find(k->who);
    if (!resume.all.next)
        list_init(&resume.all);
    if (!old && resume.map.n >= KEPT_MAX)
        old = container_of(resume.all.next, struct kept, age);
    *ret_gone = take_out(old);
    if (!map_add(&resume.map, &k->node, hash_of(k->who)))
        return false;
    list_push_back(&resume.all, &k->age);
    return true;
}

int tls_resume_keep(SSL *ssl, SSL_SESSION *s)
{
    const struct tls_session *t = SSL_get_app_data(ssl);
    struct kept *k = t && t->resumes ? calloc(1, sizeof *k) : NULL, *gone;
    if (!k)
        return 0;
    memcpy(k->who, t->who, TLS_WHO);
    k->until = SSL_session_reused(ssl) ? t->offered_until : rt_now() + KEPT_FOR;
    k->session = s;
    lock_take(&resume.lock);
    bool in = put_in(k, &gone);
    lock_drop(&resume.lock);
    kept_free(gone);
    if (!in)
        free(k);
    return in;
}

/* A copy, since sessions on other threads may use the same; NULL: none that may be offered. */
static SSL_SESSION *copy_of(const unsigned char *who, enum tls_verify verify, rt_time *ret_until)
{
    SSL_SESSION *s = NULL, *copy;
    lock_take(&resume.lock);
    struct kept *k = find(who);
    if (k && k->until > rt_now() && SSL_SESSION_is_resumable(k->session) && SSL_SESSION_up_ref(k->session)) {
        s = k->session;
        *ret_until = k->until;
    }
    lock_drop(&resume.lock);
    const X509 *x = s ? SSL_SESSION_get0_peer(s) : NULL;
    bool good = s && (verify == TLS_ANY || (x && X509_cmp_current_time(X509_get0_notAfter(x)) > 0));
    copy = good ? SSL_SESSION_dup(s) : NULL;
    SSL_SESSION_free(s);
    return copy;
}

static void put_address(struct buf *b, const struct sockaddr_storage *a)
{
    struct ip_port at = {0};
    if (!ip_from_sockaddr((const struct sockaddr *)a, sizeof *a, &at))
        return;
    buf_add(b, str_mem(&at.ip, sizeof at.ip));
    buf_put_u16(b, at.port);
}

/* False: nothing is kept of connections that have no address. */
static bool who_of(const struct conn *c, const struct tls_client_config *cfg, unsigned char ret[TLS_WHO])
{
    struct buf b;
    buf_init(&b, 1 << 24);
    put_address(&b, &c->peer);
    bool ok = b.n > 0;
    buf_put_u8(&b, (uint8_t)cfg->verify);
    buf_put_str32(&b, cfg->name);
    buf_put_str32(&b, cfg->also);
    buf_put_str32(&b, cfg->ca_pem ? str_c(cfg->ca_pem) : (str){0});
    for (size_t i = 0; i < cfg->ntlsa; i++) {
        const struct tls_tlsa *r = &cfg->tlsa[i];
        buf_put_u8(&b, r->usage);
        buf_put_u8(&b, r->selector);
        buf_put_u8(&b, r->matching);
        buf_put_str32(&b, r->data);
    }
    ok = ok && !b.e && EVP_Digest(b.p, b.n, ret, NULL, EVP_sha256(), NULL) == 1;
    buf_free(&b);
    return ok;
}

void tls_resume(struct conn *c, const struct tls_client_config *cfg)
{
    struct tls_session *t = c->tls;
    t->resumes = cfg->resume && who_of(c, cfg, t->who);
    if (!t->resumes)
        return;
    SSL_set_app_data(t->ssl, t);
    SSL_SESSION *s = copy_of(t->who, cfg->verify, &t->offered_until);
    if (s)
        (void)SSL_set_session(t->ssl, s);
    SSL_SESSION_free(s);
    ERR_clear_error();
}
