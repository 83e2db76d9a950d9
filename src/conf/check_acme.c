/* The rules of acme { }: names that a certificate can have, and consent. */
#include "conf/internal.h"

enum { ACME_NAMES_MAX = 100 };

static void check_names(struct load *l)
{
    struct conf *c = l->c;
    int line = LINE(l, acme_names);
    if (c->acme_names.n > ACME_NAMES_MAX)
        fail(&l->e, line, "acme: names: expected at most %d names, found %zu", ACME_NAMES_MAX, c->acme_names.n);
    for (size_t i = 0; i < c->acme_names.n; i++) {
        str name;
        struct ip ip;
        if (domain_of(l, c->acme_names.v[i], &name) && !ip_parse(name, &ip) && str_find(name, '.') != STR_NONE)
            c->acme_names.v[i] = name;
        else
            fail(&l->e, line, "acme: names: expected domain names with a dot, found %s",
                 shown(&l->e, c->acme_names.v[i]));
    }
}

static void check_contact(struct load *l)
{
    struct conf *c = l->c;
    for (size_t i = 0; i < c->acme_contact.n; i++) {
        const char *why = "";
        str whole;
        if (!address_of(l, c->acme_contact.v[i], &whole, NULL, NULL, &why))
            fail(&l->e, LINE(l, acme_contact), "acme: contact: expected mail addresses, found %s: %s",
                 shown(&l->e, c->acme_contact.v[i]), why);
    }
}

void check_acme(struct load *l)
{
    struct conf *c = l->c;
    int line = LINE(l, acme_names);
    if (c->acme_names.n == 0)
        return;
    check_names(l);
    check_contact(l);
    if (!c->acme_agree)
        fail(&l->e, line,
             "acme: expected agree = true: the authority gives certificates to those who agree to its terms "
             "of service");
    if (c->tls_certificate.n)
        fail(&l->e, LINE(l, tls_certificate),
             "tls: certificate: expected either a certificate here or acme.names, found "
             "both");
    if ((c->acme_eab_kid.n > 0) != (c->acme_eab_key_file.n > 0))
        fail(&l->e, LINE(l, acme_eab_kid) + LINE(l, acme_eab_key_file),
             "acme: expected both eab-kid and eab-key-file, found one of them");
    if (!str_starts(c->acme_directory, S("https://")))
        fail(&l->e, LINE(l, acme_directory), "acme: directory: expected an address that begins with https://, found %s",
             shown(&l->e, c->acme_directory));
    if (c->tls_watch == 0)
        fail(&l->e, LINE(l, tls_watch),
             "tls: watch: expected more than 0 with acme.names: a new certificate would not be "
             "noticed");
}
