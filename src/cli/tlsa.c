/* TLSA records "3 1 1" (RFC 7671 5.1, RFC 7672 3.1) of the keys that the server shows now, and of the one that comes.
 */
#include "cli/keys.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <stdio.h>
#include <unistd.h>

/* The public key in a certificate, a request for one, or by itself. */
static EVP_PKEY *read_key(FILE *f)
{
    X509 *x = PEM_read_X509(f, NULL, NULL, NULL);
    EVP_PKEY *key = x ? X509_get_pubkey(x) : NULL;
    X509_free(x);
    if (!key) {
        rewind(f);
        X509_REQ *r = PEM_read_X509_REQ(f, NULL, NULL, NULL);
        key = r ? X509_REQ_get_pubkey(r) : NULL;
        X509_REQ_free(r);
    }
    if (!key) {
        rewind(f);
        key = PEM_read_PUBKEY(f, NULL, NULL, NULL);
    }
    return key;
}

static bool hash_key(const char *path, unsigned char ret[TLSA_SIZE])
{
    unsigned char *der = NULL;
    FILE *f = fopen(path, "re");
    EVP_PKEY *key = f ? read_key(f) : NULL;
    int len = key ? i2d_PUBKEY(key, &der) : 0;
    bool ok = len > 0 && EVP_Digest(der, (size_t)len, ret, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    EVP_PKEY_free(key);
    if (f)
        fclose(f);
    return ok;
}

static void add(struct cli_tlsa *all, str path, bool next)
{
    struct cli_tlsa_key *k = &all->v[all->n];
    if (all->n == TLSA_MAX || !str_to_c(path, k->path, sizeof k->path))
        return;
    k->next = next;
    k->read = hash_key(k->path, k->hash);
    for (size_t i = 0; i < all->n; i++)
        if (k->read && all->v[i].read && memcmp(k->hash, all->v[i].hash, TLSA_SIZE) == 0)
            return; /* the next certificate has the same key */
    all->n++;
}

/* The common certificate: what the server takes, in its order (app/ports.c). */
static void add_common(struct cli_tlsa *all, const struct conf *c)
{
    char path[1024];
    if (c->tls_certificate.n) {
        add(all, c->tls_certificate, false);
        return;
    }
    snprintf(path, sizeof path, STR_FMT "/secrets/acme.crt", STR_ARG(c->data_dir));
    if (!c->acme_names.n || access(path, F_OK))
        snprintf(path, sizeof path, STR_FMT "/secrets/cert.pem", STR_ARG(c->data_dir));
    add(all, str_c(path), false);
}

void cli_tlsa_keys(const struct conf *c, struct cli_tlsa *ret)
{
    *ret = (struct cli_tlsa){0};
    add_common(ret, c);
    for (size_t i = 0; i < c->nlisteners; i++)
        if (c->listeners[i].certificate.n && c->listeners[i].protocol == CONF_SMTP && !c->listeners[i].submission)
            add(ret, c->listeners[i].certificate, false);
    if (c->tls_next_certificate.n)
        add(ret, c->tls_next_certificate, true);
}

void cli_tlsa_print(struct buf *out, const struct conf *c)
{
    struct cli_tlsa all;
    cli_tlsa_keys(c, &all);
    buf_printf(out,
               "; TLSA only when the zone of " STR_FMT " is signed; a new key needs its record before it is used\n",
               STR_ARG(c->hostname));
    for (size_t i = 0; i < all.n; i++) {
        const struct cli_tlsa_key *k = &all.v[i];
        if (!k->read) {
            buf_printf(out, "; TLSA: %s cannot be read\n", k->path);
            continue;
        }
        if (k->next)
            buf_printf(out, "; of the key that comes next, in %s\n", k->path);
        buf_printf(out, "_25._tcp." STR_FMT ". TLSA 3 1 1 ", STR_ARG(c->hostname));
        for (unsigned b = 0; b < TLSA_SIZE; b++)
            buf_printf(out, "%02x", k->hash[b]);
        buf_add_char(out, '\n');
    }
}
