/*
 * Answers to the authority's checks: http-01 (RFC 8555 8.3), a text under a path; tls-alpn-01 (RFC 8737), a certificate
 * of the name with a hash in it. The key of that certificate is thrown away with it; it proves nothing else.
 */
#include "acme/internal.h"
#include "http/http.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <stdlib.h>
#include <unistd.h>

enum { CLIENTS_MAX = 32 };
static const rt_time client_time = 10 * RT_S;
#define PATH "/.well-known/acme-challenge/"

static struct proof {
    char name[256], token[TOKEN_MAX + 1], text[2 * TOKEN_MAX];
    struct buf cert, key; /* PEM, tls-alpn-01 */
} proofs[NAMES_MAX];
static size_t nproofs;
static struct tls_server *server; /* of all names; NULL: http-01 */
static int clients;

/* ---- the certificate of tls-alpn-01 ---- */

static bool add_hash(X509 *x, const unsigned char hash[32])
{
    unsigned char der[34] = {4, 32}; /* OCTET STRING */
    memcpy(der + 2, hash, 32);
    ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    X509_EXTENSION *e = NULL;
    bool ok = id && s && ASN1_OCTET_STRING_set(s, der, sizeof der) &&
              (e = X509_EXTENSION_create_by_OBJ(NULL, id, 1, s)) && X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(s);
    ASN1_OBJECT_free(id);
    return ok;
}

static bool add_name(X509 *x, const char *name)
{
    char san[300];
    snprintf(san, sizeof san, "DNS:%s", name);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
    bool ok = e && X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    return ok;
}

static bool into(struct buf *out, BIO *b)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    buf_init(out, 16384);
    buf_add(out, str_mem(p, n > 0 ? (size_t)n : 0));
    buf_add_char(out, 0);
    return !out->e && n > 0;
}

static bool make_certificate(struct proof *p)
{
    unsigned char hash[32];
    uint64_t serial = 0;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    BIO *cert = BIO_new(BIO_s_mem()), *private = BIO_new(BIO_s_mem());
    X509_NAME *subject = x ? X509_get_subject_name(x) : NULL;
    bool ok = key && x && cert && private && EVP_Digest(p->text, strlen(p->text), hash, NULL, EVP_sha256(), NULL) &&
              RAND_bytes((unsigned char *)&serial, sizeof serial) == 1 && X509_set_version(x, X509_VERSION_3) &&
              ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1) &&
              X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC, (const unsigned char *)"ACME challenge",
                                         -1, -1, 0) &&
              X509_set_issuer_name(x, subject) && X509_gmtime_adj(X509_getm_notBefore(x), -86400L) &&
              X509_gmtime_adj(X509_getm_notAfter(x), 7 * 86400L) && X509_set_pubkey(x, key) && add_name(x, p->name) &&
              add_hash(x, hash) && X509_sign(x, key, EVP_sha256()) && PEM_write_bio_X509(cert, x) &&
              PEM_write_bio_PKCS8PrivateKey(private, key, NULL, NULL, 0, NULL, NULL) && into(&p->cert, cert) &&
              into(&p->key, private);
    BIO_free(cert);
    BIO_free(private);
    X509_free(x);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return ok;
}

/* A server with the certificates of all proofs so far; checks that are under way keep the one before. */
static err make_server(void)
{
    const char *cert[NAMES_MAX], *key[NAMES_MAX];
    struct tls_server *s = NULL;
    for (size_t i = 0; i < nproofs; i++) {
        cert[i] = proofs[i].cert.p;
        key[i] = proofs[i].key.p;
    }
    err e = tls_server_new(
        &s, &(struct tls_server_config){.cert_pem = cert, .key_pem = key, .n = nproofs, .alpn = "acme-tls/1"}, NULL);
    if (!e) {
        tls_server_drop(&server);
        server = s;
    }
    return e;
}

err challenge_begin(bool tls, str name, str token, str authorization)
{
    if (nproofs == NAMES_MAX)
        return E_LIMIT;
    struct proof *p = &proofs[nproofs];
    *p = (struct proof){0};
    for (size_t i = 0; i < token.n; i++)
        if (!ascii_alnum(token.p[i]) && token.p[i] != '-' && token.p[i] != '_')
            return E_SYNTAX;
    if (!str_to_c(name, p->name, sizeof p->name) || !str_to_c(token, p->token, sizeof p->token) ||
        !str_to_c(authorization, p->text, sizeof p->text) || token.n == 0)
        return E_LIMIT;
    if (tls && !make_certificate(p))
        return E_NOMEM;
    nproofs++;
    return tls ? make_server() : OK;
}

void challenge_end(void)
{
    tls_server_drop(&server);
    for (size_t i = 0; i < nproofs; i++) {
        buf_free(&proofs[i].cert);
        buf_free(&proofs[i].key);
    }
    nproofs = 0;
}

/* ---- serving ---- */

static const char *text_of(str token)
{
    for (size_t i = 0; i < nproofs; i++)
        if (str_eq(str_c(proofs[i].token), token))
            return proofs[i].text;
    return NULL;
}

static void answer(void *arg, const struct http1_request *q, struct http_reply *r)
{
    (void)arg;
    const char *text = str_starts(q->path, S(PATH)) ? text_of(str_skip(q->path, sizeof PATH - 1)) : NULL;
    if (!text)
        return;
    r->status = 200;
    r->type = "application/octet-stream";
    buf_add_c(r->body, text);
}

struct client {
    int fd;
    struct sockaddr_storage peer;
};

static void serve_client(void *arg)
{
    struct client v = *(struct client *)arg;
    struct conn c;
    struct tls_server *s = tls_server_ref(server);
    free(arg);
    if (conn_init(&c, v.fd, &v.peer) == OK) {
        c.deadline = rt_after(client_time);
        c.hasty = true;
        if (!s)
            (void)http_serve_one(&c, answer, NULL);
        else if (tls_accept(&c, s, NULL) == OK)
            conn_end(&c); /* the handshake was all */
        conn_close(&c);
    }
    tls_server_drop(&s);
    clients--;
}

void acme_serve(int fd)
{
    struct io io;
    err e = io_attach_listener(&io, fd);
    while (!e) {
        struct client *v = malloc(sizeof *v);
        int got = -1;
        struct sockaddr_storage peer;
        e = io_accept(&io, &got, &peer);
        if (e && e != E_CANCELLED)
            e = fiber_sleep(rt_after(100 * RT_MS));
        if (got >= 0 && v && clients < CLIENTS_MAX) {
            *v = (struct client){got, peer};
            clients++;
            if (fiber_spawn(serve_client, v, "acme check"))
                continue;
            clients--;
        }
        if (got >= 0)
            close(got);
        free(v);
    }
    io_close(&io);
}
