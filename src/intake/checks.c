/* One transaction's checks: when each is made, and what follows from them. */
#include "intake/checks.h"
#include "base/cleanup.h"
#include "wire/authres.h"
#include "wire/head.h"

#include <stdlib.h>

enum { RESULTS_CHUNK = 2048, RESULTS_MAX = 1 << 20 };

struct checks {
    const struct source *source;
    const struct conf *conf;
    struct arena mem;
    struct check check;
    struct check_results results;
    struct check_mail *mail;
    struct buf head; /* the header block, gathered */
    bool head_done, sender_done, ended, quarantine;
    bool seal_simple, seal_relaxed; /* an ARC set is wanted, over the body in this form */
    err trouble;                    /* why the message itself could not be looked at */
};

/* ---- begin and end ------------------------------------------------------------------------------------- */

static bool any(const struct conf *c)
{
    return c->check_spf != CONF_SPF_OFF || c->check_dkim || c->check_dmarc != CONF_DMARC_OFF || c->check_arc ||
           c->check_iprev || c->check_author == CONF_AUTHOR_REJECT;
}

bool checks_wanted(const struct source *s, const struct conf *c)
{
    return any(c) && s->client.ip.v && !s->socket && !s->lmtp && !s->submitted && !s->authenticated && !s->trusted &&
           !conf_nets_has(&c->limit_exempt, &s->client.ip);
}

struct checks *checks_new(const struct source *s, const struct conf *c, str sender)
{
    struct checks *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    k->source = s;
    k->conf = c;
    arena_init(&k->mem, RESULTS_CHUNK, RESULTS_MAX);
    buf_init(&k->head, (size_t)c->limits_header_size);
    k->check = (struct check){.mem = &k->mem,
                              .source = &check_source_net,
                              .ip = s->client.ip,
                              .helo = s->helo,
                              .from = sender,
                              .us = c->hostname};
    return k;
}

void checks_free(struct checks **k)
{
    if (!*k)
        return;
    check_mail_free(&(*k)->mail);
    buf_free(&(*k)->head);
    arena_free(&(*k)->mem);
    free(*k);
    *k = NULL;
}

const struct check_results *checks_results(const struct checks *k) { return &k->results; }

static void begin_asking(struct checks *k)
{
    k->check.deadline = rt_after(k->conf->check_time);
    k->check.now_s = rt_wall_ms() / 1000;
}

/* ---- the sender ---------------------------------------------------------------------------------------- */

static bool judge_spf(const struct checks *k, struct reply *r)
{
    const struct check_spf *s = &k->results.mail;
    if (k->conf->check_spf != CONF_SPF_REJECT || s->result != CHECK_FAIL)
        return true;
    if (s->explanation.n)
        reply_set(r, 550, "5.7.23", "SPF of " STR_FMT " does not allow this client; it explains: " STR_FMT,
                  STR_ARG(s->domain), STR_ARG(s->explanation));
    else
        reply_set(r, 550, "5.7.23", "SPF of " STR_FMT " does not allow this client", STR_ARG(s->domain));
    return false;
}

bool checks_sender(struct checks *k, struct reply *r)
{
    if (!k->sender_done) {
        k->sender_done = true;
        begin_asking(k);
        if (k->conf->check_iprev)
            check_iprev(&k->check, &k->results.iprev);
        if (k->conf->check_spf != CONF_SPF_OFF || k->conf->check_dmarc != CONF_DMARC_OFF) {
            check_spf_mail(&k->check, &k->results.mail);
            if (k->check.from.n)
                check_spf_helo(&k->check, &k->results.helo);
            else
                k->results.helo = k->results.mail; /* of <> the name in HELO is what was judged */
        }
    }
    return judge_spf(k, r);
}

/* ---- the message ----------------------------------------------------------------------------------------- */

static void begin_mail(struct checks *k)
{
    k->head_done = true;
    if (k->head.e && !k->trouble)
        k->trouble = k->head.e;
    k->check.now_s = rt_wall_ms() / 1000;
    bool seal = k->seal_simple || k->seal_relaxed;
    if (!k->trouble && (k->conf->check_dkim || k->conf->check_arc || seal || k->conf->check_dmarc != CONF_DMARC_OFF))
        k->trouble = check_mail_begin(&k->check, buf_str(&k->head), k->conf->check_arc || seal, &k->mail);
    for (int relaxed = 0; relaxed < 2 && k->mail && !k->trouble; relaxed++)
        if (relaxed ? k->seal_relaxed : k->seal_simple)
            k->trouble = check_mail_want(k->mail, relaxed);
}

void checks_feed(struct checks *k, str octets, const struct data_in *scan)
{
    if (!k->head_done) {
        size_t n = octets.n;
        if (scan->head_done && scan->body_at - k->head.n < n)
            n = (size_t)(scan->body_at - k->head.n);
        buf_add(&k->head, str_sub(octets, 0, n));
        octets = str_skip(octets, n);
        if (scan->head_done || k->head.e)
            begin_mail(k);
    }
    if (k->mail && octets.n)
        check_mail_body(k->mail, octets);
}

void checks_end(struct checks *k)
{
    if (k->ended)
        return;
    k->ended = true;
    if (!k->head_done)
        begin_mail(k);
    begin_asking(k);
    if (k->mail)
        check_mail_end(k->mail, &k->results);
    if (!k->seal_simple && !k->seal_relaxed)
        check_mail_free(&k->mail);
    if (k->conf->check_dmarc != CONF_DMARC_OFF || k->conf->check_author == CONF_AUTHOR_REJECT)
        check_dmarc(&k->check, buf_str(&k->head), &k->results);
    if (k->trouble && k->results.dmarc.result == CHECK_FAIL) { /* nobody has looked at the signatures */
        k->results.dmarc.result = CHECK_TEMPERROR;
        k->results.dmarc.policy = DMARC_POLICY_NONE;
    }
}

void checks_will_seal(struct checks *k, bool simple, bool relaxed)
{
    k->seal_simple = simple;
    k->seal_relaxed = relaxed;
}

struct check_mail *checks_sealable(struct checks *k)
{
    bool wanted = k->seal_simple || k->seal_relaxed;
    return wanted && !k->trouble && k->results.arc.result != CHECK_TEMPERROR ? k->mail : NULL;
}

/* ---- what follows ------------------------------------------------------------------------------------------ */

static bool judge_author(const struct checks *k, struct reply *r)
{
    static const char *const why[] = {
        [AUTHOR_NONE] = "there is none", [AUTHOR_MANY] = "there are several", [AUTHOR_BROKEN] = "it cannot be read"};
    enum author a = k->results.dmarc.author;
    if (k->conf->check_author != CONF_AUTHOR_REJECT || a == AUTHOR_ONE || k->trouble)
        return true;
    reply_set(r, 550, "5.7.1", "A message needs one From field with one address: %s", why[a]);
    return false;
}

static void (*observer)(const struct checks_seen *s);

void checks_observe(void (*fn)(const struct checks_seen *s)) { observer = fn; }

static void tell(const struct checks *k, enum dmarc_policy done)
{
    if (observer)
        observer(&(struct checks_seen){&k->check, &k->results, done, buf_str(&k->head)});
}

bool checks_verdict(struct checks *k, struct reply *r)
{
    const struct check_dmarc *d = &k->results.dmarc;
    if (!judge_author(k, r))
        return false;
    if (k->conf->check_dmarc == CONF_DMARC_OFF)
        return true;
    if (k->conf->check_dmarc == CONF_DMARC_MARK) {
        tell(k, DMARC_POLICY_NONE);
        return true;
    }
    if (d->policy == DMARC_POLICY_REJECT && k->conf->check_dmarc == CONF_DMARC_ENFORCE) {
        reply_set(r, 550, "5.7.26",
                  "This message is refused by the DMARC policy of " STR_FMT
                  ": neither SPF nor DKIM passed for the domain in From",
                  STR_ARG(d->policy_domain));
        tell(k, DMARC_POLICY_REJECT);
        return false;
    }
    k->quarantine = d->policy != DMARC_POLICY_NONE;
    tell(k, k->quarantine ? DMARC_POLICY_QUARANTINE : DMARC_POLICY_NONE);
    return true;
}

bool checks_quarantine(const struct checks *k) { return k->quarantine; }

/* RFC 7208 9.1 */
static void add_received_spf(const struct checks *k, struct buf *out)
{
    const struct check_spf *s = &k->results.mail;
    AUTO_BUF v = {0};
    buf_init(&v, 4096);
    buf_printf(&v, "%s client-ip=", check_result_name(s->result));
    ip_print(&v, &k->check.ip);
    buf_add(&v, S("; receiver="));
    buf_add(&v, k->conf->hostname);
    buf_printf(&v, "; identity=%s", k->check.from.n ? "mailfrom" : "helo");
    if (k->check.from.n) {
        buf_add_char(&v, ';');
        authres_property(&v, "envelope-from", k->check.from);
    }
    buf_add_char(&v, ';');
    authres_property(&v, "helo", k->check.helo);
    if (s->mechanism.n) {
        buf_add_char(&v, ';');
        authres_property(&v, "mechanism", s->mechanism);
    }
    if (!v.e)
        (void)head_add(out, S("Received-SPF"), buf_str(&v));
}

err checks_fields(const struct checks *k, struct buf *out)
{
    size_t before = out->n;
    if (check_authres(&k->check, &k->results, k->conf->check_authserv_id, out))
        out->n = before; /* too much to say: nothing is said */
    if (k->conf->check_received_spf && k->results.mail.done)
        add_received_spf(k, out);
    if (k->quarantine)
        buf_add(out, S("X-Spam-Flag: YES\r\n"));
    return out->e;
}

void checks_log(const struct checks *k, uint64_t id)
{
    const struct check_results *r = &k->results;
    char mem[64];
    struct buf dkim;
    size_t passed = 0;
    buf_init_fixed(&dkim, mem, sizeof mem);
    for (size_t i = 0; i < r->ndkim; i++)
        passed += r->dkim[i].result == CHECK_PASS;
    buf_printf(&dkim, "%zu of %zu", passed, r->ndkim);
    rt_log(EV_checked, log_id(id), log_num((int64_t)k->source->session), log_c(check_result_name(r->mail.result)),
           log_str(r->mail.domain), log_str(buf_str(&dkim)), log_c(check_result_name(r->arc.result)),
           log_c(check_result_name(r->dmarc.result)), log_str(r->dmarc.from), log_str(r->dmarc.org_domain),
           log_str(r->dmarc.psl_domain), log_c(dmarc_policy_name(r->dmarc.policy)));
}
