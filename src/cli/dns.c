/* `postrider dns DOMAIN`: every record to publish for a domain, as lines of a zone file. */
#include "base/cleanup.h"
#include "check/check.h"
#include "cli/check.h"
#include "cli/keys.h"
#include "web/web.h"

#include <stdarg.h>
#include <stdio.h>

#include <stdio.h>

enum { TEXT_STRING_MAX = 255 }; /* octets of one string of a TXT record (RFC 1035 3.3) */

static void txt(struct buf *out, const char *owner, str domain, str text)
{
    buf_printf(out, "%s" STR_FMT ". TXT", owner, STR_ARG(domain));
    do {
        buf_printf(out, " \"" STR_FMT "\"", STR_ARG(str_sub(text, 0, TEXT_STRING_MAX)));
        text = str_skip(text, TEXT_STRING_MAX);
    } while (text.n);
    buf_add_char(out, '\n');
}

static void txt_c(struct buf *out, const char *owner, str domain, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void txt_c(struct buf *out, const char *owner, str domain, const char *fmt, ...)
{
    char text[1000];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    txt(out, owner, domain, str_mem(text, n > 0 && n < (int)sizeof text ? (size_t)n : 0));
}

/* The records of keys that the server made; what may be removed is only said. */
static int kept_keys(struct buf *out, const struct conf *c, str domain, int *ret_n)
{
    AUTO_ARENA a = {0};
    struct keys_key *v;
    size_t n = 0;
    arena_init(&a, 65536, 32 << 20);
    int status = cli_kept_keys(c, domain, &a, &v, &n);
    for (size_t i = 0; i < n; i++) {
        char owner[KEYS_SELECTOR_MAX + 16];
        snprintf(owner, sizeof owner, "%s._domainkey.", v[i].selector);
        if (v[i].state == KEYS_GONE)
            buf_printf(out, "; %s is used no more: remove it\n", v[i].name);
        else if (v[i].record[0])
            txt(out, owner, domain, str_c(v[i].record));
    }
    *ret_n += (int)n;
    return status;
}

static int dkim(struct buf *out, const struct conf *c, str domain)
{
    int n = 0, status = kept_keys(out, c, domain, &n);
    bool kept = false;
    for (size_t i = 0; i < c->ndkims; i++) {
        const struct conf_dkim *k = &c->dkims[i];
        AUTO_BUF record;
        char path[1024], owner[300];
        kept |= str_ieq(k->domain, domain) && !k->selector.n;
        if (!str_ieq(k->domain, domain) || !k->selector.n || !str_to_c(k->key, path, sizeof path))
            continue;
        buf_init(&record, 4096);
        int one = cli_key_record(path, &record);
        status = one ? one : status;
        snprintf(owner, sizeof owner, STR_FMT "._domainkey.", STR_ARG(str_sub(k->selector, 0, 250)));
        if (!one)
            txt(out, owner, domain, buf_str(&record));
        n++;
    }
    if (n == 0 && kept)
        buf_printf(out, "; the keys that sign mail of " STR_FMT " are made when the server starts\n", STR_ARG(domain));
    else if (n == 0)
        buf_printf(out, "; no key signs mail of " STR_FMT ": postrider dkim key makes one, a section dkim uses it\n",
                   STR_ARG(domain));
    return status;
}

static void services(struct buf *out, const struct conf *c, str domain)
{
    for (size_t i = 0; i < c->nlisteners; i++) {
        const struct conf_listener *l = &c->listeners[i];
        struct ip_port at;
        if (!l->submission || !ip_from_sockaddr((const struct sockaddr *)&l->address, sizeof l->address, &at))
            continue;
        buf_printf(out, "%s._tcp." STR_FMT ". SRV 0 1 %u " STR_FMT ".\n",
                   l->tls == CONF_TLS_IMPLICIT ? "_submissions" : "_submission", STR_ARG(domain), at.port,
                   STR_ARG(c->hostname));
    }
}

/* RFC 8461: the record, and the policy that it stands for. */
static void sts(struct buf *out, const struct conf *c, str domain)
{
    AUTO_BUF policy = {.max = 65536};
    char id[WEB_ID_SIZE + 1];
    str text, line;
    if (!web_policy(c, conf_domain(c, domain), &policy) || policy.e)
        return;
    web_policy_id(buf_str(&policy), id);
    if (web_serves(c))
        buf_printf(out, "mta-sts." STR_FMT ". CNAME " STR_FMT ".\n", STR_ARG(domain), STR_ARG(c->hostname));
    else
        buf_printf(out,
                   "; MTA-STS needs https://mta-sts." STR_FMT "/.well-known/mta-sts.txt: a listener with protocol = "
                   "\"https\", or a web server\n; of yours with a certificate for that name and these lines in "
                   "the file:\n",
                   STR_ARG(domain));
    for (text = buf_str(&policy); !web_serves(c) && str_cut(&text, '\n', &line);)
        if (line.n)
            buf_printf(out, ";   " STR_FMT "\n", STR_ARG(str_sub(line, 0, line.n - 1)));
    txt_c(out, "_mta-sts.", domain, "v=STSv1; id=%s", id);
}

/* Where reports of one kind should go: to an address of report.received, at best of this domain and with `word` in it.
 */
static str report_address(const struct conf *c, str domain, str word, struct arena *a)
{
    str best = {NULL, 0};
    int rank = 0;
    for (size_t i = 0; i < c->report_received.n; i++) {
        str s = c->report_received.v[i];
        size_t at = str_rfind(s, '@');
        bool ours = at != STR_NONE && str_ieq(str_skip(s, at + 1), domain);
        int r = 1 + 2 * ours + (str_search(str_sub(s, 0, at), word) != STR_NONE);
        if (r > rank) {
            best = s;
            rank = r;
        }
    }
    return best.p ? best : arena_printf(a, "postmaster@" STR_FMT, STR_ARG(domain));
}

static void reports(struct buf *out, const struct conf *c, str domain)
{
    AUTO_ARENA a = {0};
    arena_init(&a, 1024, 65536);
    str dmarc = report_address(c, domain, S("dmarc"), &a), tls = report_address(c, domain, S("tls"), &a);
    txt_c(out, "_dmarc.", domain, "v=DMARC1; p=quarantine; rua=mailto:" STR_FMT, STR_ARG(dmarc));
    str host = str_skip(dmarc, str_rfind(dmarc, '@') + 1);
    if (!str_ieq(host, domain)) /* RFC 9990 4: they must say that they want them */
        buf_printf(out, STR_FMT "._report._dmarc." STR_FMT ". TXT \"v=DMARC1\"\n", STR_ARG(domain), STR_ARG(host));
    txt_c(out, "_smtp._tls.", domain, "v=TLSRPTv1; rua=mailto:" STR_FMT, STR_ARG(tls));
}

int cli_records(struct buf *out, const struct conf *c, str domain)
{
    buf_printf(out, STR_FMT ". MX 10 " STR_FMT ".\n", STR_ARG(domain), STR_ARG(c->hostname));
    txt_c(out, "", domain, "v=spf1 mx -all");
    int status = dkim(out, c, domain);
    reports(out, c, domain);
    services(out, c, domain);
    cli_tlsa_print(out, c);
    sts(out, c, domain);
    return status;
}

int cli_dns(int argc, char **argv)
{
    AUTO_BUF out;
    const char *file = cli_config_file(&argc, argv);
    str domain = argc == 2 ? str_c(argv[1]) : S("");
    if (!file || !domain_valid(domain, 0))
        return cli_fail(EX_USAGE, "usage: postrider dns [-c FILE] DOMAIN");
    struct conf *c = cli_load_config(file);
    if (!c)
        return EX_CONFIG;
    buf_init(&out, 1 << 20);
    int status = cli_records(&out, c, domain);
    if (out.e || cli_write_all(1, buf_str(&out)))
        status = EX_IOERR;
    conf_drop(&c);
    return status;
}
