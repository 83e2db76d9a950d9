/* What `config check` finds out about certificates and keys by reading them, as the server will. */
#include "cli/internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

struct pair {
    const char *file; /* of the configuration, */
    int line;         /* and the place in it; 0: unknown */
    char where[64];   /* "listener mx: ", "tls." */
};

static void say(const struct pair *p, const char *level, const char *key, str path, const char *what)
{
    fprintf(stderr, "%s", p->file);
    if (p->line)
        fprintf(stderr, ":%d", p->line);
    fprintf(stderr, ": %s: %s%s: " STR_FMT ": %s\n", level, p->where, key, STR_ARG(path), what);
}

static int no_passphrase(char *buf, int size, int rw, void *arg)
{
    (void)buf, (void)size, (void)rw, (void)arg;
    return -1;
}

static FILE *open_file(str path)
{
    char name[1024];
    return str_to_c(path, name, sizeof name) ? fopen(name, "re") : NULL;
}

static void times(const struct pair *p, str path, X509 *x)
{
    char text[128];
    int days = 0, seconds = 0;
    struct tm end;
    if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
        say(p, "warning", "certificate", path, "is not valid yet: is the clock right?");
    if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x)) != 1)
        return;
    if ((days < 0 || seconds < 0) && ASN1_TIME_to_tm(X509_get0_notAfter(x), &end) == 1) {
        strftime(text, sizeof text, "expired on %Y-%m-%d: mail programs refuse it; renew it", &end);
        say(p, "warning", "certificate", path, text);
    }
}

static bool look(const struct pair *p, str certificate, str key)
{
    FILE *c = open_file(certificate), *k = open_file(key);
    X509 *x = c ? PEM_read_X509(c, NULL, no_passphrase, NULL) : NULL;
    EVP_PKEY *y = k ? PEM_read_PrivateKey(k, NULL, no_passphrase, NULL) : NULL;
    bool ok = (x || !c) && (y || !k); /* what cannot be opened was told with the other keys */
    if (c && !x)
        say(p, "error", "certificate", certificate,
            "expected a certificate in PEM (\"-----BEGIN CERTIFICATE-----\"), the server's own first, found none");
    if (k && !y)
        say(p, "error", "key", key, "expected a private key in PEM without a pass phrase, found none");
    if (x && y && X509_check_private_key(x, y) != 1) {
        say(p, "error", "key", key, "expected the key that the certificate was made for, found another one");
        ok = false;
    }
    if (x)
        times(p, certificate, x);
    ERR_clear_error();
    EVP_PKEY_free(y);
    X509_free(x);
    if (c)
        fclose(c);
    if (k)
        fclose(k);
    return ok;
}

bool cli_check_certificates(const struct conf *c, const char *file)
{
    struct pair p = {.file = file, .where = "tls."};
    bool ok = !c->tls_certificate.n || look(&p, c->tls_certificate, c->tls_key);
    for (size_t i = 0; i < c->nlisteners; i++) {
        const struct conf_listener *l = &c->listeners[i];
        p.line = l->line;
        snprintf(p.where, sizeof p.where, "listener " STR_FMT ": ", STR_ARG(str_sub(l->title, 0, 32)));
        if (l->certificate.n)
            ok = look(&p, l->certificate, l->key) && ok;
    }
    return ok;
}
