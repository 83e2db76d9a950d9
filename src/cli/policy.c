/*
 * `postrider policy test`: a message, or a session that `postrider capture` has recorded, through the pipeline of a
 * configuration, and which rule or filter said what. Whether recipients exist is not looked at.
 */
#include "cli/check.h"
#include "cli/policy.h"
#include "wire/head.h"

enum { LINES_MAX = 64 << 20 };

static struct {
    const char *ip, *helo, *from, *to, *listener, *account, *tls, *json;
} given;

static const struct cli_option options[] = {
    {"ip", false, &given.ip},  {"helo", false, &given.helo},         {"from", false, &given.from},
    {"to", false, &given.to},  {"listener", false, &given.listener}, {"account", false, &given.account},
    {"tls", true, &given.tls}, {"json", true, &given.json},
};

static struct conf *conf;

/* ---- what is said
 * ------------------------------------------------------------------------------------------------------- */

static void begin_item(struct trial *t)
{
    if (t->json)
        buf_add_c(&t->run->out, t->items++ ? ",\n" : "\n");
}

void trial_say(struct trial *t, const char *phase, const char *by, const char *what, str text)
{
    struct buf *out = &t->run->out;
    begin_item(t);
    if (!t->json) {
        buf_printf(out, "%-8s %s%s%s%s", phase, by, by[0] ? ": " : "", what, text.n ? " (" : "");
        text_safe(out, text);
        buf_add_c(out, text.n ? ")\n" : "\n");
        return;
    }
    buf_printf(out, "{\"phase\":\"%s\",\"by\":", phase);
    text_json(out, str_c(by));
    buf_printf(out, ",\"verdict\":\"%s\",\"text\":", what);
    text_json(out, text);
    buf_add_char(out, '}');
}

static void hear(void *arg, enum phase ph, const char *by, const char *what, str text)
{
    trial_say(arg, phase_name(ph), by, what, text);
}

static void answered(struct trial *t, const char *phase, const struct verdict *v)
{
    char mem[REPLY_LINE_MAX];
    struct buf text;
    buf_init_fixed(&text, mem, sizeof mem);
    reply_print_line(&text, &v->reply);
    trial_say(t, phase, "", "answer", buf_str(&text));
}

static const char *const edit_names[] = {[EDIT_SENDER] = "sender",
                                         [EDIT_RCPT_ADD] = "add recipient",
                                         [EDIT_RCPT_REMOVE] = "remove recipient",
                                         [EDIT_HEADER_ADD] = "add field",
                                         [EDIT_HEADER_INSERT] = "insert field",
                                         [EDIT_HEADER_CHANGE] = "change field",
                                         [EDIT_HEADER_REMOVE] = "remove field",
                                         [EDIT_BODY] = "body",
                                         [EDIT_TAG] = "tag",
                                         [EDIT_CLASS] = "class",
                                         [EDIT_WAY] = "send by",
                                         [EDIT_JUNK] = "junk"};

/* What would become of the message. */
static void result(struct trial *t)
{
    const struct verdict *v = policy_outcome(t->src.policy);
    char mem[600];
    struct buf text;
    for (const struct edit *e = policy_edits(t->src.policy); e; e = e->next) {
        buf_init_fixed(&text, mem, sizeof mem);
        buf_add(&text, str_sub(e->name, 0, 100));
        if (e->name.n && e->value.n)
            buf_add(&text, S(": "));
        buf_add(&text, str_sub(e->value, 0, 400));
        if (e->kind == EDIT_CLASS)
            buf_printf(&text, "%u", e->index);
        trial_say(t, "edit", e->by ? e->by : "", edit_names[e->kind], buf_str(&text));
    }
    buf_init_fixed(&text, mem, sizeof mem);
    buf_printf(&text, "score %g", policy_score_now(t->src.policy));
    if (v->why.n)
        buf_printf(&text, ", " STR_FMT, STR_ARG(str_sub(v->why, 0, 200)));
    if (v->to.n)
        buf_printf(&text, ", redirected to " STR_FMT, STR_ARG(str_sub(v->to, 0, 200)));
    t->told = true;
    trial_say(t, "result", v->by ? v->by : "", v->kind == VERDICT_CONTINUE ? "accepted" : verdict_name(v->kind),
              buf_str(&text));
}

/* ---- the steps
 * -------------------------------------------------------------------------------------------------------------- */

static bool ask(struct trial *t, enum phase ph, struct matter *m, struct verdict *v) YIELDS
{
    m->source = &t->src;
    m->conf = t->conf;
    m->env = ph >= PHASE_RCPT ? &t->env : NULL;
    m->checks = ph >= PHASE_RCPT && t->checked ? &t->results : NULL;
    if (!policy_judge(t->src.policy, ph, m, v))
        verdict_reply(v, 451, "4.3.1", "Out of memory");
    bool ok = v->kind != VERDICT_REFUSE && v->kind != VERDICT_DEFER;
    if (!ok)
        answered(t, phase_name(ph), v);
    t->last = v->kind;
    return ok;
}

/* Those that the server itself would ask about SPF, DKIM and DMARC. */
static bool stranger(const struct trial *t)
{
    return t->src.client.ip.v && !t->src.may_relay && !t->src.authenticated &&
           !conf_nets_has(&t->conf->limit_exempt, &t->src.client.ip);
}

bool trial_connect(struct trial *t)
{
    struct matter m = {0};
    SCRATCH struct verdict v;
    t->src.may_relay = t->src.authenticated || conf_nets_has(&t->conf->relay_from, &t->src.client.ip);
    t->src.submitted = t->src.authenticated;
    if (policy_begin(&t->src.policy, &t->src, t->conf))
        return false;
    if (!t->src.policy && policy_out_wanted(t->conf))
        return true;
    if (!t->src.policy) {
        t->told = true;
        trial_say(t, "result", "", "accepted", S("nothing in this configuration looks at such a session"));
        return false;
    }
    policy_listen(t->src.policy, hear, t);
    return ask(t, PHASE_CONNECT, &m, &v);
}

bool trial_hello(struct trial *t, str name)
{
    struct matter m = {0};
    SCRATCH struct verdict v;
    t->src.helo = name;
    t->src.esmtp = true;
    t->run->check.helo = name;
    return ask(t, PHASE_HELO, &m, &v) && (!t->src.authenticated || ask(t, PHASE_AUTH, &m, &v));
}

bool trial_mail(struct trial *t, const struct mail_cmd *mail, str from)
{
    struct matter m = {.mail = mail};
    SCRATCH struct verdict v;
    t->env =
        (struct envelope){.id = 1, .sender = from, .client = t->src.client_text, .to = t->to, .body = mail->p.body};
    t->checked = false;
    t->run->check.from = from;
    return policy_begin(&t->src.policy, &t->src, t->conf) == OK && ask(t, PHASE_MAIL, &m, &v);
}

bool trial_rcpt(struct trial *t, const struct rcpt_cmd *rcpt, str to)
{
    struct matter m = {.rcpt = rcpt, .to = to};
    SCRATCH struct verdict v;
    if (t->env.nto >= TRIAL_RECIPIENTS)
        return false;
    if (!t->checked && stranger(t)) {
        t->results = (struct check_results){0};
        check_iprev(&t->run->check, &t->results.iprev);
        check_spf_helo(&t->run->check, &t->results.helo);
        check_spf_mail(&t->run->check, &t->results.mail);
        t->checked = true;
    }
    t->to[t->env.nto++] = (struct recipient){.address = to};
    if (ask(t, PHASE_RCPT, &m, &v) && v.kind == VERDICT_CONTINUE)
        return true;
    if (v.kind == VERDICT_REDIRECT)
        t->to[t->env.nto - 1].address = v.to;
    else if (v.kind != VERDICT_ACCEPT)
        t->env.nto--;
    return v.kind != VERDICT_REFUSE && v.kind != VERDICT_DEFER;
}

bool trial_data(struct trial *t)
{
    struct matter m = {0};
    SCRATCH struct verdict v;
    return ask(t, PHASE_DATA, &m, &v);
}

static err read_octets(void *arg, uint64_t at, str *ret)
{
    const str *all = arg;
    *ret = at < all->n ? str_skip(*all, (size_t)at) : S("");
    return OK;
}

static void check_text(struct trial *t, str message, size_t head) YIELDS
{
    struct check *c = &t->run->check;
    struct check_mail *m;
    if (!t->checked || check_mail_begin(c, str_sub(message, 0, head), true, &m))
        return;
    check_mail_body(m, str_skip(message, head));
    check_mail_end(m, &t->results);
    check_mail_free(&m);
    check_dmarc(c, str_sub(message, 0, head), &t->results);
}

static void scan_all(struct data_in *scan, str message, int64_t line_most)
{
    char out[513];
    size_t got;
    data_in_init(scan, DATA_CHUNK, (uint32_t)line_most);
    while (message.n) {
        size_t used = data_in_feed(scan, message.p, message.n < 512 ? message.n : 512, out, &got);
        message = str_skip(message, used);
    }
    data_in_end(scan);
}

bool trial_message(struct trial *t, str message)
{
    enum { PIECE = 65536 };
    struct data_in scan;
    SCRATCH struct verdict v;
    size_t head = head_len(message, NULL);
    const struct matter_octets octets = {.size = message.n, .read = read_octets, .arg = &message};
    scan_all(&scan, message, t->conf->limits_line_length);
    struct matter m = {.scan = &scan, .text = str_sub(message, 0, head), .octets = &octets};
    if (!ask(t, PHASE_HEADER, &m, &v))
        return false;
    for (str body = str_skip(message, head); body.n; body = str_skip(body, PIECE < body.n ? PIECE : body.n)) {
        m.text = str_sub(body, 0, PIECE);
        if (!ask(t, PHASE_BODY, &m, &v))
            return false;
    }
    check_text(t, message, head);
    m.text = str_sub(message, 0, head);
    if (!ask(t, PHASE_END, &m, &v))
        return false;
    if (!trial_own(t, message.n, head, scan.flags, &v.reply)) {
        v.kind = t->last = VERDICT_REFUSE;
        answered(t, "end", &v);
        return false;
    }
    result(t);
    trial_out(t, m.text);
    return true;
}

void trial_reset(struct trial *t)
{
    policy_tx_end(t->src.policy);
    t->env.nto = 0;
}

/* ---- a message, with a session from the options
 * ------------------------------------------------------------------------------ */

static str path(struct trial *t, const char *word, str address)
{
    str s = str_trim(address);
    if (str_starts(s, S("<")))
        return arena_printf(t->run->check.mem, "%s:" STR_FMT, word, STR_ARG(s));
    return arena_printf(t->run->check.mem, "%s:<" STR_FMT ">", word, STR_ARG(s));
}

static bool one_message(struct trial *t) YIELDS
{
    struct mail_cmd mail;
    struct rcpt_cmd rcpt;
    struct arena *mem = t->run->check.mem;
    str from = given.from ? str_c(given.from) : S("sender@client.invalid"), one;
    str to = given.to ? str_c(given.to) : S("postmaster");
    str args = path(t, "FROM", from);
    if (!args.p || cmd_mail(args, EXT_ALL, true, mem, &mail))
        return cli_fail(EX_USAGE, "--from: expected an address, found \"" STR_FMT "\"", STR_ARG(from)) != EX_USAGE;
    mail.p.size = t->run->message.n;
    if (!trial_connect(t) || !trial_hello(t, str_c(given.helo ? given.helo : "client.invalid")) ||
        !trial_mail(t, &mail, trial_address(t, &mail.from)))
        return true;
    uint32_t taken = 0;
    while (str_cut(&to, ',', &one)) {
        args = path(t, "TO", one);
        if (!args.p || cmd_rcpt(args, EXT_ALL, true, true, mem, &rcpt))
            return cli_fail(EX_USAGE, "--to: expected addresses, found \"" STR_FMT "\"", STR_ARG(one)) != EX_USAGE;
        taken += trial_rcpt(t, &rcpt, trial_address(t, &rcpt.to));
    }
    if (taken && trial_data(t))
        (void)trial_message(t, t->run->message);
    return true;
}

str trial_address(struct trial *t, const struct addr *a)
{
    char mem[ADDR_TEXT_MAX];
    struct buf text;
    buf_init_fixed(&text, mem, sizeof mem);
    addr_print(&text, a);
    return text.n ? arena_str(t->run->check.mem, buf_str(&text)) : S("");
}

/* ---- the command
 * --------------------------------------------------------------------------------------------------------------- */

static bool listener_is(struct trial *t)
{
    const struct conf *c = t->conf;
    t->src.listener = given.listener ? str_c(given.listener) : c->nlisteners ? c->listeners[0].title : S("");
    for (size_t i = 0; i < c->nlisteners; i++)
        if (str_eq(c->listeners[i].title, t->src.listener)) {
            t->src.lmtp = c->listeners[i].protocol == CONF_LMTP;
            t->src.proxied = c->listeners[i].nupstreams > 0;
            return true;
        }
    return !given.listener;
}

bool trial_client(struct trial *t, str ip)
{
    if (!ip_parse(ip, &t->src.client.ip))
        return false;
    t->src.client_text = ip;
    t->run->check.ip = t->src.client.ip;
    return true;
}

static int run(struct check_run *r)
{
    struct trial *t = arena_new(r->check.mem, struct trial);
    bool fine = t != NULL;
    if (!fine)
        return cli_fail(EX_OSERR, "out of memory");
    *t = (struct trial){.run = r, .conf = conf, .json = given.json != NULL};
    t->src = (struct source){.session = 1, .helo = S(""), .client_name = S(""), .user = S(""), .account = S("")};
    t->src.tls = given.tls ? S("TLSv1.3") : S("");
    if (given.account) {
        t->src.account = t->src.user = str_c(given.account);
        t->src.authenticated = true;
    }
    if (!listener_is(t))
        return cli_fail(EX_USAGE, "--listener: there is no listener \"%s\"", given.listener);
    if (!trial_client(t, str_c(given.ip ? given.ip : "192.0.2.1")))
        return cli_fail(EX_USAGE, "--ip: expected an IP address, found \"%s\"", given.ip);
    if (t->json)
        buf_add(&r->out, S("{\"steps\":["));
    fine = trial_is_recorded(r->raw) ? trial_replay(t, r->raw) : one_message(t);
    if (fine && !t->told)
        trial_say(t, "result", "", verdict_name(t->last), S(""));
    if (t->json)
        buf_add(&r->out, S("\n]}\n"));
    policy_free(&t->src.policy);
    return fine ? 0 : EX_USAGE;
}

int cli_policy(int argc, char **argv)
{
    const char *file = cli_config_file(&argc, argv);
    if (!file || argc < 2 || !str_eq(str_c(argv[1]), S("test")))
        return cli_fail(EX_USAGE,
                        "usage: postrider policy test [-c FILE] [--ip ADDRESS] [--helo NAME] [--from ADDRESS] "
                        "[--to ADDRESS,...]\n           [--listener TITLE] [--account ADDRESS] [--tls] "
                        "[--json] [--resolver HOST:PORT] <MESSAGE|SESSION");
    conf = cli_load_config(file);
    if (!conf)
        return EX_CONFIG;
    const struct dns_config dns = {.servers = conf->dns_servers.v, .nservers = conf->dns_servers.n};
    const struct check_command c = {.name = "policy test",
                                    .usage = "[--ip A] [--helo NAME] [--from A] [--to A,...] [--listener TITLE]\n"
                                             "           [--account A] [--tls] [--json] ",
                                    .needs = NEEDS_MESSAGE,
                                    .options = CLI_OPTIONS(options),
                                    .run = run,
                                    .dns = &dns};
    int status = cli_check(&c, argc - 1, argv + 1);
    conf_drop(&conf);
    return status;
}
