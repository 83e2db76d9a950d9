/* What `postrider doctor` compares of transport security: the MTA-STS policy and TLSA records of ours, TLS reports. */
#include "cli/doctor.h"
#include "cli/keys.h"
#include "http/http.h"
#include "web/web.h"
#include "wire/sts.h"

enum { FETCH_S = 20 };

/* ---- MTA-STS (RFC 8461) -------------------------------------------------------------------------------------- */

static err fetch(struct doctor *d, str domain, str *ret, struct buf *why) YIELDS;
static err fetch(struct doctor *d, str domain, str *ret, struct buf *why)
{
    struct http1_answer r;
    struct http_question q = {
        .method = "GET",
        .url = {true, arena_printf(d->check->mem, "mta-sts." STR_FMT, STR_ARG(domain)), 443,
                S("/.well-known/mta-sts.txt")},
        .ca_pem = d->conf->ca_pem.n ? d->conf->ca_pem.p : NULL,
        .most = STS_POLICY_MAX + HTTP1_HEAD_MAX,
        .deadline = rt_after(FETCH_S * RT_S),
        .private_targets = true,
    };
    err e = q.url.host.p ? http_ask(&q, d->check->mem, &r, why) : E_NOMEM;
    if (!e && (r.status != 200 || !str_istarts(http1_field(&r, S("Content-Type")), S("text/plain")))) {
        buf_printf(why, "the answer is %d, of type " STR_FMT, r.status,
                   STR_ARG(str_sub(http1_field(&r, S("Content-Type")), 0, 100)));
        e = E_PROTOCOL;
    }
    if (!e)
        *ret = r.body;
    return e;
}

/* The file that others get: ours, or at least one that lets our server through. */
static void policy(struct doctor *d, str subject, str domain, str ours) YIELDS;
static void policy(struct doctor *d, str subject, str domain, str ours)
{
    char mem[400];
    struct buf why;
    str text;
    struct sts_policy p;
    buf_init_fixed(&why, mem, sizeof mem);
    if (fetch(d, domain, &text, &why))
        doctor_say(d, web_serves(d->conf) ? FINDING_ERROR : FINDING_WARNING, subject,
                   "its MTA-STS policy cannot be fetched: " STR_FMT "\tmta-sts." STR_FMT
                   " has to lead to a web server with a certificate for that name: a listener with "
                   "protocol = \"https\" is one",
                   STR_ARG(buf_str(&why)), STR_ARG(domain));
    else if (!sts_policy(text, &p))
        doctor_say(d, FINDING_ERROR, subject, "what https://mta-sts." STR_FMT " serves is no policy\tsee RFC 8461 3.2",
                   STR_ARG(domain));
    else if (web_serves(d->conf) && ours.n && !str_eq(text, ours))
        doctor_say(d, FINDING_WARNING, subject,
                   "its MTA-STS policy is not the one of the configuration\tdoes mta-sts." STR_FMT " lead here?",
                   STR_ARG(domain));
    else if (p.mode != STS_NONE && !sts_match(&p, d->conf->hostname))
        doctor_say(d, p.mode == STS_ENFORCE ? FINDING_ERROR : FINDING_WARNING, subject,
                   "its MTA-STS policy does not name " STR_FMT "\tadd it to the policy (sts.mx), and change the id",
                   STR_ARG(d->conf->hostname));
    else
        doctor_say(d, FINDING_OK, subject, "its MTA-STS policy (%s) is served", sts_mode_name(p.mode));
}

void doctor_sts(struct doctor *d, str subject, str domain)
{
    AUTO_BUF ours = {.max = 65536};
    struct dns_answer a;
    char id[WEB_ID_SIZE + 1] = "";
    str found = {NULL, 0}, one;
    size_t n = 0;
    bool wanted = web_policy(d->conf, conf_domain(d->conf, domain), &ours) && web_serves(d->conf);
    web_policy_id(buf_str(&ours), id);
    (void)doctor_ask(d, DNS_TXT, &a, "_mta-sts." STR_FMT, STR_ARG(domain));
    for (size_t i = 0; i < a.n; i++)
        if (str_starts(a.v[i].data, S("v=STSv1"))) {
            n++;
            if (sts_record(a.v[i].data, &one))
                found = one;
        }
    if (n == 0 && !wanted)
        return;
    if (n != 1 || !found.p)
        doctor_say(d, FINDING_WARNING, subject, "%s\tpublish: _mta-sts." STR_FMT ". TXT \"v=STSv1; id=%s\"",
                   n == 0  ? "it has no MTA-STS record, so its policy is not looked for"
                   : n > 1 ? "it has several MTA-STS records, which count as none"
                           : "its MTA-STS record cannot be read",
                   STR_ARG(domain), id);
    else if (wanted && !str_eq(found, str_c(id)))
        doctor_say(d, FINDING_WARNING, subject,
                   "its MTA-STS record has the id " STR_FMT ": others keep the policy that they have"
                   "\tpublish: _mta-sts." STR_FMT ". TXT \"v=STSv1; id=%s\"",
                   STR_ARG(found), STR_ARG(domain), id);
    else
        doctor_say(d, FINDING_OK, subject, "its MTA-STS record has the id " STR_FMT, STR_ARG(found));
    if (n == 1)
        policy(d, subject, domain, buf_str(&ours));
}

/* ---- TLS reports (RFC 8460) ------------------------------------------------------------------------------------ */

void doctor_tlsrpt(struct doctor *d, str subject, str domain)
{
    struct dns_answer a;
    err e = doctor_ask(d, DNS_TXT, &a, "_smtp._tls." STR_FMT, STR_ARG(domain));
    for (size_t i = 0; i < a.n; i++)
        if (str_starts(a.v[i].data, S("v=TLSRPTv1"))) {
            doctor_say(d, FINDING_OK, subject, "it asks for TLS reports");
            return;
        }
    if (e == OK || e == E_DNS_NODATA || e == E_DNS_NONE)
        doctor_say(d, FINDING_OK, subject, "it asks for no TLS reports (\"postrider dns " STR_FMT "\" prints how)",
                   STR_ARG(domain));
}

/* ---- DANE (RFC 7672) --------------------------------------------------------------------------------------------- */

static bool has(const struct dns_answer *a, const struct cli_tlsa_key *k)
{
    for (size_t i = 0; i < a->n; i++) {
        str r = a->v[i].data;
        if (r.n == 3 + TLSA_SIZE && r.p[0] == 3 && r.p[1] == 1 && r.p[2] == 1 && !memcmp(r.p + 3, k->hash, TLSA_SIZE))
            return true;
    }
    return false;
}

void doctor_tlsa(struct doctor *d)
{
    struct cli_tlsa all;
    struct dns_answer a;
    err e = doctor_ask(d, DNS_TLSA, &a, "_25._tcp." STR_FMT, STR_ARG(str_sub(d->conf->hostname, 0, 240)));
    if (e)
        return; /* nobody has to */
    cli_tlsa_keys(d->conf, &all);
    for (size_t i = 0; i < all.n; i++) {
        const struct cli_tlsa_key *k = &all.v[i];
        if (!k->read)
            doctor_say(d, FINDING_WARNING, S("TLSA"), "%s cannot be read\trun this as root", k->path);
        else if (has(&a, k))
            doctor_say(d, FINDING_OK, S("TLSA"), "the key of %s%s is published", k->path, k->next ? ", the next," : "");
        else
            doctor_say(d, k->next ? FINDING_WARNING : FINDING_ERROR, S("TLSA"),
                       "the key of %s%s is not among the TLSA records of " STR_FMT
                       "\tpublish what \"postrider dns DOMAIN\" prints for it%s",
                       k->path, k->next ? ", the next," : "", STR_ARG(d->conf->hostname),
                       k->next ? ", and wait for the old records to expire, before it is used"
                               : ": servers that use DANE deliver nothing now");
    }
}
