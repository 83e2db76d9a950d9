/* What `postrider doctor` asks DNS: the resolver itself, this server's names, what a domain publishes. */
#include "cli/doctor.h"
#include "cli/keys.h"

#include <stdarg.h>
#include <stdio.h>

err doctor_ask(struct doctor *d, enum dns_type type, struct dns_answer *ret, const char *fmt, ...)
{
    char name[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    *ret = (struct dns_answer){0};
    return check_ask(d->check, str_c(name), type, d->check->mem, ret);
}

static bool nothing(err e) { return e == E_DNS_NODATA || e == E_DNS_NONE; }

/* ---- the resolver ---------------------------------------------------------------------------------------------- */

#define SIGNED_NAME "ietf.org" /* a domain that has been signed for many years */

bool doctor_resolver(struct doctor *d)
{
    struct dns_answer a;
    err e = doctor_ask(d, DNS_MX, &a, SIGNED_NAME);
    bool own = d->conf->dns_servers.n != 0;
    if (e == E_DNS_BOGUS)
        doctor_say(d, FINDING_ERROR, S("resolver"),
                   "its answers fail DNSSEC\tit strips signatures: use one that does not (unbound on this machine), or "
                   "dns { validate = false }");
    else if (e && !(nothing(e) && own))
        doctor_say(d, FINDING_ERROR, S("resolver"), "no answer about " SIGNED_NAME ": %s\tlook at %s", err_text(e),
                   own ? "dns.servers" : "/etc/resolv.conf");
    else if (own && d->conf->dns_validate != CONF_TRUE)
        doctor_say(d, FINDING_OK, S("resolver"), "it answers; dns.servers are believed, nothing is validated");
    else if (!e && a.secure)
        doctor_say(d, FINDING_OK, S("resolver"), "it answers, and answers are validated (DNSSEC)");
    else
        doctor_say(d, FINDING_WARNING, S("resolver"),
                   "it answers, without DNSSEC\tDANE needs validated answers: dns { validate = true }");
    return e == OK || nothing(e);
}

/* ---- our own name ------------------------------------------------------------------------------------------------ */

static void add_addresses(struct doctor *d, enum dns_type type, err *ret_e)
{
    struct dns_answer a;
    err e = doctor_ask(d, type, &a, STR_FMT, STR_ARG(str_sub(d->conf->hostname, 0, 255)));
    if (!*ret_e || nothing(*ret_e))
        *ret_e = e && !nothing(e) ? e : *ret_e;
    for (size_t i = 0; i < a.n && d->nown < DOCTOR_ADDRESSES_MAX; i++)
        d->own[d->nown++] = ip_from_octets(a.v[i].data.p, a.v[i].data.n);
}

static str address_text(struct doctor *d, const struct ip *ip)
{
    char mem[64];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    ip_print(&b, ip);
    return arena_str(d->check->mem, buf_str(&b));
}

static void reverse(struct doctor *d, const struct ip *ip)
{
    struct check_iprev r;
    str at = address_text(d, ip), host = d->conf->hostname;
    d->check->ip = *ip;
    check_iprev(d->check, &r);
    if (r.result == CHECK_PASS && str_ieq(r.name, host))
        doctor_say(d, FINDING_OK, S("reverse name"), STR_FMT " is " STR_FMT, STR_ARG(at), STR_ARG(r.name));
    else if (r.result == CHECK_PASS)
        doctor_say(d, FINDING_WARNING, S("reverse name"),
                   STR_FMT " is " STR_FMT ", not " STR_FMT
                           "\task the provider of the address to change it, or set hostname to it",
                   STR_ARG(at), STR_ARG(r.name), STR_ARG(host));
    else
        doctor_say(d, r.result == CHECK_TEMPERROR ? FINDING_WARNING : FINDING_ERROR, S("reverse name"),
                   STR_FMT " has no name that has this address (%s): many servers refuse mail from it"
                           "\task the provider of the address to set it to " STR_FMT,
                   STR_ARG(at), check_result_name(r.result), STR_ARG(host));
}

void doctor_hostname(struct doctor *d)
{
    str host = d->conf->hostname;
    err e = OK;
    if (str_find(host, '.') == STR_NONE) {
        doctor_say(d, FINDING_ERROR, S("hostname"),
                   STR_FMT " is not a full domain name\tset hostname to one, such as mail.example.org", STR_ARG(host));
        return;
    }
    add_addresses(d, DNS_A, &e);
    add_addresses(d, DNS_AAAA, &e);
    if (!d->nown) {
        doctor_say(d, e ? FINDING_WARNING : FINDING_ERROR, S("hostname"),
                   STR_FMT " has no address: %s\tpublish: " STR_FMT ". A ADDRESS", STR_ARG(host),
                   e ? err_text(e) : "there is none", STR_ARG(host));
        return;
    }
    for (size_t i = 0; i < d->nown; i++) {
        str at = address_text(d, &d->own[i]);
        doctor_say(d, FINDING_OK, S("hostname"), STR_FMT " has the address " STR_FMT, STR_ARG(host), STR_ARG(at));
        reverse(d, &d->own[i]);
    }
    doctor_tlsa(d);
}

/* ---- a domain -----------------------------------------------------------------------------------------------------
 */

static bool is_own(const struct doctor *d, const struct dns_answer *a)
{
    for (size_t i = 0; i < a->n; i++) {
        struct ip ip = ip_from_octets(a->v[i].data.p, a->v[i].data.n);
        for (size_t k = 0; k < d->nown; k++)
            if (ip_eq(&ip, &d->own[k]))
                return true;
    }
    return false;
}

static bool leads_here(struct doctor *d, str host)
{
    struct dns_answer a;
    if (str_ieq(host, d->conf->hostname))
        return true;
    if (doctor_ask(d, DNS_A, &a, STR_FMT, STR_ARG(str_sub(host, 0, 255))) == OK && is_own(d, &a))
        return true;
    return doctor_ask(d, DNS_AAAA, &a, STR_FMT, STR_ARG(str_sub(host, 0, 255))) == OK && is_own(d, &a);
}

static void mx(struct doctor *d, str subject, str domain)
{
    struct dns_answer a;
    str host = d->conf->hostname;
    err e = doctor_ask(d, DNS_MX, &a, STR_FMT, STR_ARG(domain));
    bool here = false;
    for (size_t i = 0; i < a.n && !here; i++)
        here = leads_here(d, a.v[i].data);
    if (here)
        doctor_say(d, FINDING_OK, subject, "its MX leads here");
    else if (e && !nothing(e))
        doctor_say(d, FINDING_WARNING, subject, "its MX cannot be looked up: %s\ttry again", err_text(e));
    else
        doctor_say(d, a.n ? FINDING_WARNING : FINDING_ERROR, subject, "%s\tpublish: " STR_FMT ". MX 10 " STR_FMT ".",
                   a.n ? "its MX leads to other servers" : "it has no MX", STR_ARG(domain), STR_ARG(host));
}

static void spf(struct doctor *d, str subject, str domain)
{
    struct buf from;
    char mem[320];
    for (size_t i = 0; i < d->nown; i++) {
        struct check_spf r;
        str at = address_text(d, &d->own[i]);
        buf_init_fixed(&from, mem, sizeof mem);
        buf_printf(&from, "postmaster@" STR_FMT, STR_ARG(str_sub(domain, 0, 255)));
        d->check->ip = d->own[i];
        d->check->from = buf_str(&from);
        d->check->helo = d->conf->hostname;
        check_spf_mail(d->check, &r);
        if (r.result == CHECK_PASS)
            doctor_say(d, FINDING_OK, subject, "SPF allows " STR_FMT, STR_ARG(at));
        else
            doctor_say(d, r.result == CHECK_FAIL || r.result == CHECK_PERMERROR ? FINDING_ERROR : FINDING_WARNING,
                       subject,
                       "SPF of mail from " STR_FMT " is %s%s" STR_FMT "\tpublish: " STR_FMT ". TXT \"v=spf1 mx -all\"",
                       STR_ARG(at), check_result_name(r.result), r.why.n ? ": " : "", STR_ARG(str_sub(r.why, 0, 300)),
                       STR_ARG(domain));
    }
    d->check->from = (str){0};
}

static bool has_text(const struct dns_answer *a, str begin)
{
    for (size_t i = 0; i < a->n; i++)
        if (str_starts(a->v[i].data, begin))
            return true;
    return false;
}

static void dmarc(struct doctor *d, str subject, str domain)
{
    struct dns_answer a;
    err e = doctor_ask(d, DNS_TXT, &a, "_dmarc." STR_FMT, STR_ARG(domain));
    if (has_text(&a, S("v=DMARC1")))
        doctor_say(d, FINDING_OK, subject, "it has a DMARC record");
    else
        doctor_say(d, FINDING_WARNING, subject,
                   "it has no DMARC record%s%s\tpublish: _dmarc." STR_FMT
                   ". TXT \"v=DMARC1; p=none; rua=mailto:postmaster@" STR_FMT "\"",
                   e && !nothing(e) ? ": " : "", e && !nothing(e) ? err_text(e) : "", STR_ARG(domain), STR_ARG(domain));
}

/* The record of each key that signs mail of the domain: what is not published, or is another key's, helps nobody. */
static void record(struct doctor *d, str subject, str name, str want, bool used)
{
    struct dns_answer a;
    str selector = str_sub(name, 0, str_find(name, '.'));
    err e = doctor_ask(d, DNS_TXT, &a, STR_FMT, STR_ARG(str_sub(name, 0, 255)));
    for (size_t i = 0; i < a.n; i++)
        if (str_eq(a.v[i].data, want)) {
            doctor_say(d, FINDING_OK, subject, "the DKIM key " STR_FMT " is published", STR_ARG(selector));
            return;
        }
    if (!used) {
        doctor_say(d, FINDING_WARNING, subject,
                   "the next DKIM key " STR_FMT " is not published yet\tpublish what \"postrider dkim status\" prints",
                   STR_ARG(selector));
        return;
    }
    doctor_say(d, e && !nothing(e) ? FINDING_WARNING : FINDING_ERROR, subject,
               "the DKIM key " STR_FMT " is not published as it is here%s%s: mail signed by it is not believed"
               "\tpublish what \"postrider dns " STR_FMT "\" prints for it",
               STR_ARG(selector), e ? ": " : "", e ? err_text(e) : "",
               STR_ARG(str_skip(name, str_search(name, S("._domainkey.")) + 12)));
}

/* RFC 6186, RFC 8314: where mail programs find the ports for sending. Nobody is lost without, so it is no error. */
static void services(struct doctor *d, str subject, str domain)
{
    for (size_t i = 0; i < d->conf->nlisteners; i++) {
        const struct conf_listener *l = &d->conf->listeners[i];
        const char *name = l->tls == CONF_TLS_IMPLICIT ? "_submissions" : "_submission";
        struct dns_answer a;
        struct ip_port at;
        bool here = false;
        if (!l->submission || !ip_from_sockaddr((const struct sockaddr *)&l->address, sizeof l->address, &at))
            continue;
        err e = doctor_ask(d, DNS_SRV, &a, "%s._tcp." STR_FMT, name, STR_ARG(domain));
        for (size_t k = 0; k < a.n; k++)
            here |= a.v[k].port == at.port && str_ieq(a.v[k].data, d->conf->hostname);
        if (here)
            doctor_say(d, FINDING_OK, subject, "%s leads mail programs to port %u", name, at.port);
        else
            doctor_say(d, FINDING_WARNING, subject,
                       "%s._tcp does not lead mail programs to port %u: %s\tpublish: %s._tcp." STR_FMT
                       ". SRV 0 1 %u " STR_FMT ".",
                       name, at.port,
                       e && !nothing(e)             ? err_text(e)
                       : !a.n                       ? "there is no such record"
                       : a.n == 1 && !a.v[0].data.n ? "its record says that there is no such service"
                                                    : "its records name other servers or ports",
                       name, STR_ARG(domain), at.port, STR_ARG(d->conf->hostname));
    }
}

static void dkim(struct doctor *d, str subject, const struct conf_dkim *k)
{
    AUTO_BUF want = {.max = 8192};
    char path[1024];
    if (!str_to_c(k->key, path, sizeof path) || cli_key_record(path, &want))
        doctor_say(d, FINDING_WARNING, subject, "the key %s cannot be read\trun this as root", path);
    else
        record(d, subject, k->title, buf_str(&want), true);
}

static void kept_keys(struct doctor *d, str subject, str domain)
{
    struct keys_key *v;
    size_t n = 0;
    if (cli_kept_keys(d->conf, domain, d->check->mem, &v, &n))
        return;
    for (size_t i = 0; i < n; i++)
        if (v[i].state == KEYS_GONE)
            doctor_say(d, FINDING_OK, subject, "the DKIM key %s is used no more: its record may be removed",
                       v[i].selector);
        else if (v[i].record[0])
            record(d, subject, str_c(v[i].name), str_c(v[i].record), v[i].state != KEYS_WAITING);
}

void doctor_domain(struct doctor *d, str domain)
{
    char mem[300];
    struct buf subject;
    buf_init_fixed(&subject, mem, sizeof mem);
    domain = str_sub(domain, 0, 253);
    buf_printf(&subject, "domain " STR_FMT, STR_ARG(domain));
    mx(d, buf_str(&subject), domain);
    spf(d, buf_str(&subject), domain);
    for (size_t i = 0; i < d->conf->ndkims; i++)
        if (str_ieq(d->conf->dkims[i].domain, domain) && d->conf->dkims[i].selector.n)
            dkim(d, buf_str(&subject), &d->conf->dkims[i]);
    kept_keys(d, buf_str(&subject), domain);
    dmarc(d, buf_str(&subject), domain);
    doctor_sts(d, buf_str(&subject), domain);
    doctor_tlsrpt(d, buf_str(&subject), domain);
    services(d, buf_str(&subject), domain);
}

/* ---- the way out ------------------------------------------------------------------------------------------------- */

void doctor_outgoing(struct doctor *d, str domain)
{
    struct dns_answer mx_of, a;
    struct target t = {0};
    struct conn c;
    domain = str_sub(domain, 0, 253);
    err e = doctor_ask(d, DNS_MX, &mx_of, STR_FMT, STR_ARG(domain));
    str host = e || !mx_of.v[0].data.n ? domain : mx_of.v[0].data;
    e = doctor_ask(d, DNS_A, &a, STR_FMT, STR_ARG(str_sub(host, 0, 255)));
    if (e) {
        doctor_say(d, FINDING_WARNING, S("outgoing"), STR_FMT " has no address: %s\ttry another domain", STR_ARG(host),
                   err_text(e));
        return;
    }
    struct ip_port at = {ip_from_octets(a.v[0].data.p, a.v[0].data.n), (uint16_t)d->conf->send_mx_port};
    ip_to_sockaddr(&at, &t.to);
    e = net_connect(&c, &t, rt_after(30 * RT_S));
    str line = {0};
    if (!e)
        e = conn_readline(&c, 1000, &line, NULL);
    if (e)
        doctor_say(d, FINDING_ERROR, S("outgoing"),
                   "port %d of " STR_FMT
                   " cannot be reached: %s\tmany providers block outgoing port 25: ask for it, or send "
                   "through a smart host (route \"*\")",
                   (int)at.port, STR_ARG(host), err_text(e));
    else
        doctor_say(d, str_starts(line, S("220")) ? FINDING_OK : FINDING_WARNING, S("outgoing"),
                   STR_FMT " greets with \"" STR_FMT "\"", STR_ARG(host), STR_ARG(str_sub(line, 0, 200)));
    if (c.e || !e)
        conn_close(&c);
}
