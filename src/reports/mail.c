/* A finished report as a message (RFC 9990 4): compressed, addressed to those who may have it, handed to the spool. */
#include "base/codec.h"
#include "base/text.h"
#include "reports/internal.h"
#include "wire/head.h"

#include <stdarg.h>
#include <stdio.h>
#include <zlib.h>

#define XML_MAX ((size_t)64 << 20)
#define ASK_TIME (20 * RT_S)
enum { ADDRESS_MAX = 320, LINE_OCTETS = 57 };

struct letter {
    const struct period *p;
    struct conf *conf;
    str from, organization; /* domains */
    char from_mem[ADDRESS_MAX], id[64];
    struct buf xml, gz;
    err e;
};

/* ---- the attachment, on the pool -------------------------------------------------------------------------------- */

static err compress_all(str in, struct buf *out)
{
    z_stream z = {0};
    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return E_NOMEM;
    z.next_in = (unsigned char *)(uintptr_t)in.p;
    z.avail_in = (unsigned)in.n;
    int r = Z_OK;
    while (r == Z_OK) {
        char *to = buf_room(out, 65536);
        if (!to)
            break;
        z.next_out = (unsigned char *)to;
        z.avail_out = 65536;
        r = deflate(&z, Z_FINISH);
        out->n += 65536 - z.avail_out;
    }
    deflateEnd(&z);
    return out->e ? out->e : r == Z_STREAM_END ? OK : E_BUG;
}

static void make_attachment(void *arg)
{
    struct letter *l = arg;
    struct feedback f = l->p->f;
    f.organization = l->organization;
    f.email = l->from;
    f.id = str_c(l->id);
    l->e = feedback_print(&l->xml, &f);
    if (!l->e)
        l->e = compress_all(buf_str(&l->xml), &l->gz);
    buf_free(&l->xml);
}

/* ---- the message ----------------------------------------------------------------------------------------------------
 */

static void add_field(struct buf *out, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void add_field(struct buf *out, const char *name, const char *fmt, ...)
{
    char mem[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(mem, sizeof mem, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof mem || head_add(out, str_c(name), str_mem(mem, (size_t)n)))
        out->e = out->e ? out->e : E_LIMIT;
}

static void add_base64(struct buf *out, str in)
{
    for (; in.n; in = str_skip(in, LINE_OCTETS)) {
        base64_encode(out, str_sub(in, 0, LINE_OCTETS));
        buf_add(out, S("\r\n"));
    }
}

static void print_message(struct buf *out, const struct letter *l, str to, uint32_t *ret_head)
{
    const struct period *p = l->p;
    int64_t now_ms = rt_wall_ms();
    char boundary[64];
    snprintf(boundary, sizeof boundary, "=_report_%016llx", (unsigned long long)rt_random());
    head_date(out, now_ms / 1000);
    head_message_id(out, now_ms, rt_random(), l->conf->hostname);
    add_field(out, "From", "DMARC reports <" STR_FMT ">", STR_ARG(l->from));
    add_field(out, "To", "<" STR_FMT ">", STR_ARG(to));
    add_field(out, "Subject", "Report Domain: " STR_FMT " Submitter: " STR_FMT " Report-ID: <%s>", STR_ARG(p->domain),
              STR_ARG(l->organization), l->id);
    add_field(out, "Auto-Submitted", "auto-generated");
    add_field(out, "MIME-Version", "1.0");
    add_field(out, "Content-Type", "multipart/mixed; boundary=\"%s\"", boundary);
    buf_add(out, S("\r\n"));
    *ret_head = (uint32_t)out->n;
    buf_printf(
        out,
        "--%s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nThis is a DMARC aggregate report (RFC 9990) about "
        "mail from\r\n" STR_FMT " that was received by " STR_FMT ".\r\n\r\n",
        boundary, STR_ARG(p->domain), STR_ARG(l->organization));
    buf_printf(out,
               "--%s\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: "
               "attachment;\r\n filename=\"" STR_FMT "!" STR_FMT "!%lld!%lld.xml.gz\"\r\n\r\n",
               boundary, STR_ARG(l->organization), STR_ARG(p->domain), (long long)p->begin_s, (long long)p->end_s);
    add_base64(out, buf_str(&l->gz));
    buf_printf(out, "--%s--\r\n", boundary);
}

static err put(struct tx *t, struct body *b)
{
    struct spool_group g;
    spool_group_init(&g);
    err e = intake_own(&g, &t->env, b);
    if (!e)
        e = spool_put(reports_rooms.spool, &g);
    spool_group_free(&g);
    if (!e)
        queue_accept(reports_rooms.queue, &t->env, b);
    return e;
}

static err send_to(const struct letter *l, str to) YIELDS
{
    struct tx t;
    AUTO_BUF out = {0};
    uint32_t head = 0;
    buf_init(&out, 2 * (size_t)REPORT_BYTES_MAX);
    print_message(&out, l, to, &head);
    tx_init(&t);
    struct body *b = out.e ? NULL : body_new();
    err e = out.e ? out.e : b ? body_add(b, buf_str(&out)) : E_NOMEM;
    e = e ? e : tx_own(&t, l->conf, to);
    if (!e && t.env.nto) {
        t.env.id = spool_new_id(reports_rooms.spool);
        t.env.arrived_ms = rt_wall_ms();
        t.env.expires_ms = t.env.arrived_ms + l->conf->queue_report_lifetime / RT_MS;
        t.env.flags = ENV_REPORT | ENV_DOUBLE;
        t.env.head_size = head;
        t.env.body_size = out.n - head;
        e = put(&t, b);
        if (!e)
            rt_log(EV_report_sent, log_id(t.env.id), log_str(l->p->domain), log_str(to),
                   log_num((int64_t)l->p->f.nrows));
    }
    tx_reset(&t);
    body_drop(&b);
    return e;
}

/* ---- who may have it
 * -------------------------------------------------------------------------------------------------- */

/* RFC 9990 4: another organization has to say that it wants reports about this domain. */
static bool may_have(const struct period *p, str address) YIELDS
{
    AUTO_ARENA mem = {0};
    size_t at = str_rfind(address, '@');
    if (at == STR_NONE || at == 0 || at + 1 == address.n)
        return false;
    arena_init(&mem, 4096, 1 << 20);
    struct check c = {.mem = &mem, .source = &check_source_net, .deadline = rt_after(ASK_TIME)};
    return check_report_wanted(&c, p->domain, str_skip(address, at + 1));
}

static void fill(struct letter *l, const struct period *p)
{
    struct conf *c = l->conf;
    l->p = p;
    l->organization = c->report_organization.n ? c->report_organization : c->hostname;
    snprintf(l->from_mem, sizeof l->from_mem, "dmarc-reports@" STR_FMT, STR_ARG(c->hostname));
    l->from = c->report_from.n ? c->report_from : str_c(l->from_mem);
    snprintf(l->id, sizeof l->id, "%lld.%016llx", (long long)p->begin_s,
             (unsigned long long)str_hash_stable(p->domain));
    buf_init(&l->xml, XML_MAX);
    buf_init(&l->gz, REPORT_BYTES_MAX);
}

err mail_report(const struct period *p)
{
    struct letter l = {.conf = reports_rooms.conf()};
    char mem[ADDRESS_MAX];
    str list = p->rua, uri, to;
    size_t sent = 0;
    fill(&l, p);
    err e = p->f.nrows ? rt_pool_run(make_attachment, &l) : OK;
    e = e ? e : l.e;
    while (!e && p->f.nrows && sent < RECIPIENTS_MAX && dmarc_uri_next(&list, &uri)) {
        if (!dmarc_mailto(uri, mem, sizeof mem, &to) || !may_have(p, to))
            continue;
        sent++;
        err one = send_to(&l, to);
        if (one && !err_is_perm(one))
            e = one;
    }
    buf_free(&l.gz);
    buf_free(&l.xml);
    conf_drop(&l.conf);
    return err_is_perm(e) ? OK : e;
}
