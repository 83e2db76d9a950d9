/*
 * `postrider lua test FILE`: the hooks of a script, called for a session and a message that options and standard input
 * describe, by the same code that calls them in the server. Nothing is delivered.
 */
#include "cli/check.h"
#include "policy/use_script.h"
#include "wire/head.h"

#include <limits.h>
#include <stdio.h>

static struct {
    const char *ip, *name, *helo, *from, *to, *user, *listener, *tls, *spf, *dkim, *dmarc, *folder, *json, *server;
} with;

struct step {
    enum phase phase;
    str to; /* of RCPT */
    struct verdict v;
};
struct play {
    struct check_run *r;
    struct conf *conf;
    struct policy *policy;
    struct source source;
    struct mail_cmd mail;
    struct envelope env;
    struct data_in scan;
    struct check_results results;
    struct check_dkim dkim;
    bool first;
};

/* ---- the message, read again --------------------------------------------------------------------------------- */

static err octets(void *arg, uint64_t at, str *ret)
{
    const struct play *x = arg;
    *ret = str_skip(x->r->message, at < x->r->message.n ? (size_t)at : x->r->message.n);
    return OK;
}

/* ---- saying ------------------------------------------------------------------------------------------------------ */

static void say(struct play *x, enum phase ph, str to, const struct verdict *v)
{
    struct buf *out = &x->r->out;
    char mem[REPLY_TEXT_MAX + 64];
    struct buf line;
    buf_init_fixed(&line, mem, sizeof mem);
    if (v->kind == VERDICT_REFUSE || v->kind == VERDICT_DEFER)
        reply_print_line(&line, &v->reply);
    else
        buf_add(&line, v->to.n ? v->to : v->why);
    const char *by = v->kind == VERDICT_CONTINUE || !v->by ? "" : v->by;
    if (!with.json) {
        buf_printf(out, "%s%s" STR_FMT ": %s%s" STR_FMT "%s%s%s\n", phase_name(ph), to.n ? " " : "", STR_ARG(to),
                   verdict_name(v->kind), line.n ? " " : "", (int)line.n, line.p, by[0] ? " (" : "", by,
                   by[0] ? ")" : "");
        return;
    }
    buf_printf(out, "%s{\"phase\":\"%s\",\"verdict\":\"%s\"", x->first ? "" : ",", phase_name(ph),
               verdict_name(v->kind));
    if (to.n)
        buf_add_c(out, ",\"recipient\":"), text_json(out, to);
    if (line.n)
        buf_add_c(out, ",\"text\":"), text_json(out, buf_str(&line));
    if (by[0])
        buf_add_c(out, ",\"by\":"), text_json(out, str_c(by));
    buf_add_char(out, '}');
    x->first = false;
}

/* What the script did beside its verdicts. */
static void heard(void *arg, enum phase ph, const char *by, const char *what, str text)
{
    struct play *x = arg;
    struct buf *out = &x->r->out;
    for (int k = 0; k <= VERDICT_REDIRECT; k++) /* what `say` says */
        if ((k <= VERDICT_DEFER || ph == PHASE_RCPT) && strcmp(what, verdict_name((enum verdict_kind)k)) == 0)
            return;
    if (!with.json) {
        buf_printf(out, "%s: %s " STR_FMT "\n", phase_name(ph), what, STR_ARG(text));
        return;
    }
    buf_printf(out, "%s{\"phase\":\"%s\",\"did\":\"%s\",\"what\":", x->first ? "" : ",", phase_name(ph), what);
    text_json(out, text);
    buf_add_c(out, ",\"by\":"), text_json(out, str_c(by)), buf_add_char(out, '}');
    x->first = false;
}

static void say_end(struct play *x)
{
    struct buf *out = &x->r->out;
    const struct verdict *v = policy_outcome(x->policy);
    AUTO_BUF head = {.max = (size_t)8 << 20};
    str block = str_sub(x->r->message, 0, x->scan.head_done ? (size_t)x->scan.body_at : x->r->message.n);
    err e = policy_edit_head(policy_edits(x->policy), block, NULL, NULL, &head);
    if (with.json) {
        buf_printf(out, "],\"outcome\":\"%s\",\"score\":%g,\"header\":", verdict_name(v->kind),
                   policy_score_now(x->policy));
        text_json(out, e ? S("") : buf_str(&head));
        buf_add_c(out, "}\n");
        return;
    }
    buf_printf(out, "outcome: %s%s" STR_FMT ", score %g\n", verdict_name(v->kind), v->to.n ? " to " : "",
               STR_ARG(v->to), policy_score_now(x->policy));
    if (!e && block.n && !str_eq(buf_str(&head), block))
        buf_printf(out, "header:\n" STR_FMT, (int)head.n, head.p);
}

/* ---- the session --------------------------------------------------------------------------------------------------
 */

/* True: it goes on. */
static bool ask(struct play *x, enum phase ph, struct matter *m) YIELDS;
static bool ask(struct play *x, enum phase ph, struct matter *m)
{
    struct verdict v;
    m->source = &x->source;
    m->conf = x->conf;
    m->checks = with.spf || with.dkim || with.dmarc ? &x->results : NULL;
    if (ph > PHASE_MAIL)
        m->env = &x->env;
    if (!policy_wants(x->policy, ph))
        return true;
    if (!policy_judge(x->policy, ph, m, &v))
        return false;
    say(x, ph, ph == PHASE_RCPT ? m->to : S(""), &v);
    return v.kind != VERDICT_REFUSE && v.kind != VERDICT_DEFER && (ph != PHASE_RCPT || v.kind != VERDICT_DISCARD);
}

static bool recipients(struct play *x, struct arena *mem) YIELDS;
static bool recipients(struct play *x, struct arena *mem)
{
    str rest = str_c(with.to ? with.to : "rcpt@example.test"), one;
    x->env.to = arena_array(mem, rest.n + 1, sizeof *x->env.to);
    while (x->env.to && str_cut(&rest, ',', &one)) {
        struct matter m = {.to = str_trim(one)};
        if (ask(x, PHASE_RCPT, &m))
            x->env.to[x->env.nto++].address = m.to;
    }
    return x->env.nto > 0;
}

static bool content(struct play *x) YIELDS;
static bool content(struct play *x)
{
    enum { PIECE = 16384 };
    const struct matter_octets face = {x->r->message.n, octets, x};
    str all = x->r->message, head = str_sub(all, 0, x->scan.head_done ? (size_t)x->scan.body_at : all.n);
    struct matter m = {.scan = &x->scan, .text = head};
    if (!ask(x, PHASE_HEADER, &m))
        return false;
    for (size_t at = head.n; at < all.n && policy_wants(x->policy, PHASE_BODY); at += PIECE) {
        m = (struct matter){.scan = &x->scan, .text = str_sub(all, at, at + PIECE)};
        if (!ask(x, PHASE_BODY, &m))
            return false;
    }
    m = (struct matter){.scan = &x->scan, .text = head, .octets = &face};
    return ask(x, PHASE_END, &m);
}

static bool session(struct play *x, struct arena *mem) YIELDS;
static bool session(struct play *x, struct arena *mem)
{
    struct matter m = {0};
    bool more = ask(x, PHASE_CONNECT, &m);
    x->source.helo = str_c(with.helo ? with.helo : "client.example.test");
    x->source.esmtp = true;
    m = (struct matter){0};
    more = more && ask(x, PHASE_HELO, &m);
    if (with.user) {
        x->source.user = x->source.account = str_c(with.user);
        x->source.authenticated = x->source.submitted = x->source.may_relay = true;
        m = (struct matter){0};
        more = more && ask(x, PHASE_AUTH, &m);
    }
    m = (struct matter){.mail = &x->mail};
    more = more && ask(x, PHASE_MAIL, &m) && recipients(x, mem);
    m = (struct matter){0};
    return more && ask(x, PHASE_DATA, &m) && (!x->r->message.n || content(x));
}

struct leaving { /* whose way out it is */
    struct play *x;
    struct policy_leaving way;
};

static void heard_out(void *arg, enum phase ph, const char *by, const char *what, str text)
{
    const struct leaving *l = arg;
    struct buf *out = &l->x->r->out;
    if (with.json) {
        buf_printf(out, "%s{\"phase\":\"%s\",\"verdict\":\"%s\",\"recipient\":", l->x->first ? "" : ",", phase_name(ph),
                   what);
        text_json(out, l->way.to);
        buf_add_c(out, ",\"text\":"), text_json(out, text);
        buf_add_c(out, ",\"by\":"), text_json(out, str_c(by)), buf_add_char(out, '}');
        l->x->first = false;
        return;
    }
    buf_printf(out, "%s " STR_FMT ": %s%s" STR_FMT " (%s)\n", phase_name(ph), STR_ARG(l->way.to), what,
               text.n ? " " : "", STR_ARG(text), by);
}

/* on.route and on.deliver, of each recipient; what it is redirected to is asked about in its turn. */
static void way_out(struct play *x, struct arena *mem) YIELDS;
static void way_out(struct play *x, struct arena *mem)
{
    str all = x->r->message, head = str_sub(all, 0, x->scan.head_done ? (size_t)x->scan.body_at : all.n);
    for (uint32_t i = 0; i < x->env.nto && policy_out_wanted(x->conf); i++) {
        struct verdict v;
        struct leaving one = {.x = x,
                              .way = {.env = &x->env,
                                      .to = x->env.to[i].address,
                                      .site = str_c(with.server ? with.server : ""),
                                      .head = head,
                                      .past = S(""),
                                      .mem = mem,
                                      .hear = heard_out,
                                      .hear_arg = &one}};
        if (!policy_out_all(x->conf, &one.way, &v))
            return;
        if (v.kind == VERDICT_CONTINUE)
            heard_out(&one, PHASE_DELIVER, "nothing against it", "continue", S(""));
    }
}

/* ---- setting the scene ---------------------------------------------------------------------------------------------
 */

static bool result_of(const char *word, enum check_result *ret)
{
    for (int i = CHECK_NONE; word && i <= CHECK_PERMERROR; i++)
        if (strcmp(word, check_result_name((enum check_result)i)) == 0) {
            *ret = (enum check_result)i;
            return true;
        }
    return !word;
}

static int scene(struct play *x, struct arena *mem)
{
    struct ip ip;
    str from = str_c(with.from ? with.from : "sender@example.test");
    if (!ip_parse(str_c(with.ip ? with.ip : "192.0.2.1"), &ip))
        return cli_fail(EX_USAGE, "--ip: expected an IP address, found \"%s\"", with.ip);
    if (addr_parse(from, ADDR_F_UTF8 | ADDR_F_NULL, mem, &x->mail.from))
        return cli_fail(EX_USAGE, "--from: expected an address, found \"%s\"", with.from);
    if (!result_of(with.spf, &x->results.mail.result) || !result_of(with.dmarc, &x->results.dmarc.result))
        return cli_fail(EX_USAGE, "--spf, --dmarc: expected a result as pass or fail");
    x->results.mail.done = with.spf != NULL;
    x->results.mail.domain = str_skip(from, str_rfind(from, '@') + 1);
    x->dkim = (struct check_dkim){.result = CHECK_PASS, .domain = str_c(with.dkim)};
    x->results.dkim = &x->dkim;
    x->results.ndkim = with.dkim ? 1 : 0;
    x->source = (struct source){.client = {ip, 40000},
                                .client_text = str_c(with.ip ? with.ip : "192.0.2.1"),
                                .client_name = str_c(with.name ? with.name : ""),
                                .tls = str_c(with.tls ? with.tls : ""),
                                .listener = str_c(with.listener ? with.listener : "mx"),
                                .session = 1};
    x->env.sender = from;
    data_in_init(&x->scan, DATA_CHUNK, 0);
    char *copy = arena_alloc(mem, x->r->message.n + 2);
    size_t n;
    if (!copy)
        return cli_fail(EX_OSERR, "out of memory");
    data_in_feed(&x->scan, x->r->message.p, x->r->message.n, copy, &n);
    return 0;
}

static const char *file;

/* The script alone: nothing is asked about the client. */
static struct conf *configuration(void)
{
    struct conf_bundle b;
    struct conf_errors errors = {0};
    struct conf *c = NULL;
    AUTO_BUF text = {.max = 3 * PATH_MAX}, told = {.max = 1 << 20};
    static char here[PATH_MAX];
    buf_add_c(&text, "hostname = \"lua.example.test\"\ndata-dir = \"/nonexistent\"\n"
                     "limit-exempt = {\"0.0.0.0/0\", \"::/0\"}\nlua { private-targets = true");
    if (with.folder)
        buf_add_c(&text, "  folder = "), text_json(&text, str_c(with.folder));
    buf_add_c(&text, " }\nscript = "), text_json(&text, str_c(file));
    if (!getcwd(here, sizeof here) || text.e || conf_bundle_of(&b, S("lua test"), buf_str(&text), str_c(here)))
        return NULL;
    if (!conf_bundle_read_named(&b)) {
        (void)conf_load(&c, &b, &errors);
        if (!c) { /* warnings are about what was made up above */
            conf_errors_print(&told, &errors);
            (void)cli_write_all(2, buf_str(&told));
        }
        conf_errors_free(&errors);
    }
    conf_bundle_free(&b);
    return c;
}

static int run(struct check_run *r)
{
    static struct play x;
    x = (struct play){.r = r, .first = true, .conf = configuration()};
    if (!x.conf)
        return 1;
    rt_log_setup(LOG_INFO, false, 2);
    use_script_follow(x.conf);
    int status = use_script_ready() ? scene(&x, r->check.mem) : 1;
    if (!status && policy_begin(&x.policy, &x.source, x.conf))
        status = cli_fail(EX_OSERR, "out of memory");
    if (!status && !x.policy && !policy_out_wanted(x.conf))
        status = cli_fail(1, "%s defines no hook", file);
    if (!status) {
        if (x.policy)
            policy_listen(x.policy, heard, &x);
        buf_add_c(&r->out, with.json ? "{\"steps\":[" : "");
        bool accepted = session(&x, r->check.mem);
        if (accepted && policy_outcome(x.policy)->kind != VERDICT_DISCARD)
            way_out(&x, r->check.mem);
        say_end(&x);
    }
    policy_free(&x.policy);
    conf_drop(&x.conf);
    return status;
}

int cli_lua(int argc, char **argv)
{
    static const struct cli_option options[] = {{"ip", false, &with.ip},         {"name", false, &with.name},
                                                {"helo", false, &with.helo},     {"from", false, &with.from},
                                                {"to", false, &with.to},         {"user", false, &with.user},
                                                {"tls", false, &with.tls},       {"spf", false, &with.spf},
                                                {"dkim", false, &with.dkim},     {"dmarc", false, &with.dmarc},
                                                {"folder", false, &with.folder}, {"server", false, &with.server},
                                                {"json", true, &with.json},      {"listener", false, &with.listener}};
    static const struct check_command c = {
        "lua test FILE",
        "[--ip A] [--name NAME] [--helo NAME] [--from ADDRESS] [--to A,B]\n"
        "           [--user ACCOUNT] [--listener TITLE] [--tls TEXT] [--spf RESULT]\n"
        "           [--dkim DOMAIN] [--dmarc RESULT] [--server NAME] [--folder DIR]\n           [--json] ",
        NEEDS_MESSAGE,
        {options, sizeof options / sizeof *options},
        run,
        NULL};
    if (argc < 3 || !str_eq(str_c(argv[1]), S("test")) || argv[2][0] == '-')
        return cli_fail(EX_USAGE, "usage: postrider lua test FILE [--ip A] [--from ADDRESS] [--to A,B] ... <MESSAGE");
    file = argv[2];
    return cli_check(&c, argc - 2, argv + 2);
}
