/* LDAP: the entry is searched for, then its password is tried by a bind in its name. */
#include "directory/source.h"

#include <ldap.h>
#include <stdio.h>

void source_filter(struct buf *out, str filter, str address)
{
    for (size_t i = 0; i < filter.n; i++) {
        if (!str_starts(str_skip(filter, i), S("%u"))) {
            buf_add_char(out, filter.p[i]);
            continue;
        }
        for (size_t k = 0; k < address.n; k++) {
            unsigned char c = (unsigned char)address.p[k];
            if (c < 32 || c > 126 || strchr("*()\\", c))
                buf_printf(out, "\\%02x", c);
            else
                buf_add_char(out, (char)c);
        }
        i++;
    }
}

static LDAP *open_it(struct source_question *q, int *rc)
{
    char url[512];
    LDAP *l = NULL;
    int version = LDAP_VERSION3;
    struct timeval t = {.tv_sec = q->source->timeout / RT_S, .tv_usec = q->source->timeout % RT_S / 1000};
    *rc = LDAP_PARAM_ERROR;
    if (!str_to_c(q->source->address, url, sizeof url) || (*rc = ldap_initialize(&l, url)) != LDAP_SUCCESS)
        return NULL;
    ldap_set_option(l, LDAP_OPT_PROTOCOL_VERSION, &version);
    ldap_set_option(l, LDAP_OPT_NETWORK_TIMEOUT, &t);
    ldap_set_option(l, LDAP_OPT_TIMEOUT, &t);
    ldap_set_option(l, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    return l;
}

static int bind_as(LDAP *l, const char *dn, const char *password)
{
    struct berval cred = {.bv_val = (char *)(uintptr_t)password, .bv_len = strlen(password)};
    return ldap_sasl_bind_s(l, dn, LDAP_SASL_SIMPLE, &cred, NULL, NULL, NULL);
}

/* The name of the one entry; NULL: *rc is LDAP_NO_SUCH_OBJECT, or what went wrong. */
static char *search(LDAP *l, struct source_question *q, int *rc)
{
    char base[512], filter[2048] = "", *none[] = {(char *)(uintptr_t)LDAP_NO_ATTRS, NULL}, *dn = NULL;
    struct timeval t = {.tv_sec = q->source->timeout / RT_S, .tv_usec = q->source->timeout % RT_S / 1000};
    LDAPMessage *m = NULL;
    struct buf b;
    buf_init_fixed(&b, filter, sizeof filter - 1);
    source_filter(&b, q->source->filter, str_c(q->address));
    *rc = LDAP_PARAM_ERROR;
    if (b.e || !str_to_c(q->source->base, base, sizeof base))
        return NULL;
    *rc = ldap_search_ext_s(l, base, LDAP_SCOPE_SUBTREE, filter, none, 0, NULL, NULL, &t, 2, &m);
    if (*rc == LDAP_SUCCESS) {
        int n = ldap_count_entries(l, m);
        *rc = n == 1 ? LDAP_SUCCESS : n ? LDAP_SIZELIMIT_EXCEEDED : LDAP_NO_SUCH_OBJECT;
        dn = n == 1 ? ldap_get_dn(l, ldap_first_entry(l, m)) : NULL;
    }
    ldap_msgfree(m);
    return dn;
}

void source_ldap(struct source_question *q)
{
    char name[512], secret[512];
    int rc;
    char *dn = NULL;
    LDAP *l = open_it(q, &rc);
    q->answer = SOURCE_DOWN;
    if (l && str_to_c(q->source->bind, name, sizeof name) && str_to_c(q->source->password, secret, sizeof secret)) {
        rc = bind_as(l, name, secret);
        if (rc == LDAP_SUCCESS)
            dn = search(l, q, &rc);
        if (rc == LDAP_NO_SUCH_OBJECT)
            q->answer = SOURCE_NO;
        explicit_bzero(secret, sizeof secret);
    }
    if (dn && !q->login)
        q->answer = SOURCE_YES;
    if (dn && q->login) { /* an empty password would be a bind as nobody (RFC 4513 5.1.2) */
        rc = q->password[0] ? bind_as(l, dn, q->password) : LDAP_INVALID_CREDENTIALS;
        q->answer = rc == LDAP_SUCCESS ? SOURCE_YES : rc == LDAP_INVALID_CREDENTIALS ? SOURCE_WRONG : SOURCE_DOWN;
    }
    if (q->answer == SOURCE_DOWN)
        snprintf(q->why, sizeof q->why, "%s", ldap_err2string(rc));
    if (dn)
        ldap_memfree(dn);
    if (l)
        ldap_unbind_ext_s(l, NULL, NULL);
}
