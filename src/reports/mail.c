/*
 * A finished report as a message (RFC 9990 3.5.2, RFC 8460 5.3): compressed, signed where a key signs for the domain of
 * its From, addressed to one receiver, handed to the spool.
 */
#include "base/codec.h"
#include "base/text.h"
#include "intake/sign.h"
#include "reports/internal.h"
#include "wire/head.h"
#include "wire/pack.h"

#include <stdarg.h>
#include <stdio.h>

enum { LINE_OCTETS = 57 };

/* ---- the attachment, on the pool -------------------------------------------------------------------------------- */

static void make_attachment(void *arg)
{
    struct letter *l = arg;
    struct feedback f = l->p->f;
    struct tlsrpt t = l->p->t;
    f.organization = t.organization = l->organization;
    f.email = t.contact = l->from;
    f.id = t.id = str_c(l->id);
    l->e = l->p->kind == KIND_DMARC ? feedback_print(&l->text, &f) : tlsrpt_print(&l->text, &t);
    if (!l->e)
        l->e = pack_gzip(buf_str(&l->text), &l->gz);
    buf_free(&l->text);
}

str signing_host(const struct conf *c)
{
    if (!c->ndkims || sign_has_key(c, c->hostname))
        return c->hostname;
    for (size_t i = 0; i < c->ndkims; i++)
        if (sign_has_key(c, c->dkims[i].domain))
            return c->dkims[i].domain;
    return c->hostname;
}

err letter_make(struct letter *l, const struct period *p)
{
    struct conf *c = reports_rooms.conf();
    *l = (struct letter){.p = p, .conf = c};
    l->organization = c->report_organization.n ? c->report_organization : c->hostname;
    snprintf(l->from_mem, sizeof l->from_mem, "%s@" STR_FMT, p->kind == KIND_DMARC ? "dmarc-reports" : "tls-reports",
             STR_ARG(signing_host(c)));
    l->from = c->report_from.n ? c->report_from : str_c(l->from_mem);
    /* the same when it is sent again, another one for another server */
    snprintf(l->id, sizeof l->id, "%lld.%016llx", (long long)p->begin_s,
             (unsigned long long)(str_hash_stable(p->domain) * 31 + str_hash_stable(c->hostname)));
    buf_init(&l->text, TEXT_MAX);
    buf_init(&l->gz, REPORT_BYTES_MAX);
    err e = rt_pool_run(make_attachment, l);
    return e ? e : l->e;
}

void letter_free(struct letter *l)
{
    buf_free(&l->text);
    buf_free(&l->gz);
    conf_drop(&l->conf);
}

/* ---- the message ------------------------------------------------------------------------------------------------- */

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

static void print_head(struct buf *out, const struct letter *l, str to, const char *boundary)
{
    const struct period *p = l->p;
    bool tls = p->kind == KIND_TLS;
    int64_t now_ms = rt_wall_ms();
    head_date(out, now_ms / 1000);
    head_message_id(out, now_ms, rt_random(), l->conf->hostname);
    add_field(out, "From", "%s reports <" STR_FMT ">", tls ? "TLS" : "DMARC", STR_ARG(l->from));
    add_field(out, "To", "<" STR_FMT ">", STR_ARG(to));
    add_field(out, "Subject", "Report Domain: " STR_FMT " Submitter: " STR_FMT " Report-ID: <%s>", STR_ARG(p->domain),
              STR_ARG(l->organization), l->id);
    if (tls) {
        add_field(out, "TLS-Report-Domain", STR_FMT, STR_ARG(p->domain));
        add_field(out, "TLS-Report-Submitter", STR_FMT, STR_ARG(l->organization));
    }
    add_field(out, "Auto-Submitted", "auto-generated");
    add_field(out, "MIME-Version", "1.0");
    add_field(out, "Content-Type", "multipart/%s; boundary=\"%s\"", tls ? "report; report-type=\"tlsrpt\"" : "mixed",
              boundary);
    buf_add(out, S("\r\n"));
}

static void print_body(struct buf *out, const struct letter *l, const char *boundary)
{
    const struct period *p = l->p;
    bool tls = p->kind == KIND_TLS;
    buf_printf(out, "--%s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n", boundary);
    if (tls)
        buf_printf(out,
                   "This is a TLS report (RFC 8460) about connections to the mail servers\r\nof " STR_FMT
                   " that were made by " STR_FMT ".\r\n\r\n",
                   STR_ARG(p->domain), STR_ARG(l->organization));
    else
        buf_printf(out,
                   "This is a DMARC aggregate report (RFC 9990) about mail from\r\n" STR_FMT
                   " that was received by " STR_FMT ".\r\n\r\n",
                   STR_ARG(p->domain), STR_ARG(l->organization));
    buf_printf(out,
               "--%s\r\nContent-Type: application/%sgzip\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: "
               "attachment;\r\n filename=\"" STR_FMT "!" STR_FMT "!%lld!%lld.%s.gz\"\r\n\r\n",
               boundary, tls ? "tlsrpt+" : "", STR_ARG(l->organization), STR_ARG(p->domain), (long long)p->begin_s,
               (long long)p->end_s, tls ? "json" : "xml");
    add_base64(out, buf_str(&l->gz));
    buf_printf(out, "--%s--\r\n", boundary);
}

/* Signatures go to `top`. RFC 8460 3: a TLS report without one is ignored, so it is not sent. */
static err print_message(const struct letter *l, str to, struct buf *top, struct buf *out) YIELDS;
static err print_message(const struct letter *l, str to, struct buf *top, struct buf *out)
{
    char boundary[64];
    const struct sign_who w = {.now_s = rt_wall_ms() / 1000};
    snprintf(boundary, sizeof boundary, "=_report_%016llx", (unsigned long long)rt_random());
    print_head(out, l, to, boundary);
    print_body(out, l, boundary);
    err e = out->e ? out->e : sign_text(l->conf, &w, buf_str(out), top);
    return e ? e : top->e ? top->e : l->p->kind == KIND_TLS && !top->n ? E_DENIED : OK;
}

static err put(struct tx *t, struct body *b) YIELDS;
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

err message_send(struct conf *c, str to, str top, str text, unsigned flags, uint64_t *ret_id)
{
    struct tx t;
    tx_init(&t);
    *ret_id = 0;
    struct body *b = body_new();
    err e = !b ? E_NOMEM : body_add(b, top);
    e = e ? e : body_add(b, text);
    e = e ? e : tx_own(&t, c, to);
    if (!e && t.env.nto) {
        t.env.id = spool_new_id(reports_rooms.spool);
        t.env.arrived_ms = rt_wall_ms();
        t.env.expires_ms = t.env.arrived_ms + c->queue_report_lifetime / RT_MS;
        t.env.flags = ENV_REPORT | ENV_DOUBLE | (top.n ? ENV_SIGNED : 0) | flags;
        t.env.head_size = (uint32_t)(top.n + head_len(text, NULL));
        t.env.body_size = top.n + text.n - t.env.head_size;
        e = put(&t, b);
        if (!e)
            *ret_id = t.env.id;
    }
    tx_reset(&t);
    body_drop(&b);
    return e;
}

err letter_send(struct letter *l, str to)
{
    AUTO_BUF out, top;
    uint64_t id = 0;
    buf_init(&out, 2 * (size_t)REPORT_BYTES_MAX);
    buf_init(&top, 256 * 1024);
    err e = print_message(l, to, &top, &out);
    if (!e)
        e = message_send(l->conf, to, buf_str(&top), buf_str(&out), l->p->kind == KIND_TLS ? ENV_LAX : 0, &id);
    if (!e && id)
        rt_log(EV_report_sent, log_id(id), log_str(l->p->domain), log_str(to), log_num((int64_t)l->p->count));
    return e;
}
