/* Reports: who is told what, in which form, and that they stand or fall with the outcomes that cause them. */
#include "base/text.h"
#define OWN_READER
#include "intake/test_fakes.h"
#include "send/internal.h"

#define CONF                                                                                                           \
    "hostname = \"relay.test\"\ndata-dir = \"/tmp\"\nlistener a { address = \"127.0.0.1:26090\" }\n"                   \
    "domain here.test { mailboxes = {\"bob\", \"postmaster\"} }\n"                                                     \
    "domain store.test { deliver = \"lmtp://127.0.0.1:24\" }\n"                                                        \
    "queue { return-body = \"2000\" }\n"

static struct original {
    struct envelope env;
    struct recipient to[8];
    str octets;
    err open, read;
} original;

err spool_read_open(struct spool_reader *r, struct spool *s, uint64_t id, struct body *mem)
{
    (void)s;
    (void)mem;
    if (original.open)
        return original.open;
    *r = (struct spool_reader){.env = original.env};
    CHECK(id == 77);
    r->env.to = original.to;
    return OK;
}
err spool_read_next(struct spool_reader *r, str *ret)
{
    if (original.read)
        return original.read;
    *ret = str_sub(original.octets, r->at, r->at + 10);
    r->at += ret->n;
    return OK;
}
void spool_read_close(struct spool_reader *r) { (void)r; }

static char results[1000];
err spool_group_results(struct spool_group *g, uint64_t id, const struct result *r, size_t n)
{
    static const char letters[] = "-DBXR";
    (void)g;
    CHECK(id == 77);
    for (size_t i = 0; i < n; i++)
        snprintf(results + strlen(results), 20, "%u%c ", r[i].rcpt, letters[r[i].outcome]);
    return OK;
}
err spool_group_end(struct spool_group *g, uint64_t id)
{
    (void)g;
    CHECK(id == 77);
    strcat(results, "end");
    return OK;
}

/* The exits are not run here. */
size_t queue_take(struct lease *l, struct ticket **out, size_t max, rt_time until)
{
    (void)l, (void)out, (void)max, (void)until;
    return 0;
}
void queue_done(struct lease *l, struct ticket *t) { (void)l, (void)t; }
void queue_untaken(struct lease *l, struct ticket *t, str why) { (void)l, (void)t, (void)why; }
void send_redirect(struct ticket *t, const struct conf *c, const struct envelope *env, struct redirect *v, size_t n)
{
    (void)t, (void)c, (void)env, (void)v, (void)n;
}
void queue_end(struct lease *l, err down, str why) { (void)l, (void)down, (void)why; }

#define HEAD "Subject: x\r\nFrom: a@b.test\r\n\r\n"
#define BODY "first line\r\n.dot\r\n"
#define FAILED "550 5.1.1 no such user"
#define END "0B end"

struct row {
    const char *name, *sender;
    struct {
        const char *address, *orcpt;
        unsigned notify;
        uint8_t outcome;
        const char *reply, *remote;
    } to[3];
    uint8_t ret;
    uint32_t flags;
    bool delayed;
    const char *octets; /* HEAD BODY when NULL */
    const char *told;   /* recipients of the report; "" for none */
    const char *results;
    const char *has[8], *lacks[4];
};

#define R(address, outcome, reply, remote)                                                                             \
    {                                                                                                                  \
        address, "", 0, outcome, reply, remote                                                                         \
    }
static const struct row rows[] = {
    {"a failure",
     "bob@here.test",
     {R("x@y.test", OUT_BOUNCED, FAILED, "mx.y.test")},
     0,
     0,
     false,
     NULL,
     "bob@here.test",
     END,
     {"Content-Type: multipart/report; report-type=delivery-status;",
      "Final-Recipient: rfc822;x@y.test\r\nAction: failed\r\nStatus: 5.1.1\r\n",
      "Remote-MTA: dns;mx.y.test\r\nDiagnostic-Code: smtp;550 5.1.1 no such user\r\n",
      "Content-Type: message/rfc822\r\n\r\n" HEAD BODY, "Reporting-MTA: dns;relay.test", "Auto-Submitted: auto-replied",
      "From: Mail Delivery System <mailer-daemon@relay.test>", "To: <bob@here.test>"},
     {"Original-Recipient", "Original-Envelope-Id"}},
    {"a sender elsewhere",
     "a@b.test",
     {R("x@y.test", OUT_BOUNCED, FAILED, "mx")},
     0,
     0,
     false,
     NULL,
     "a@b.test",
     END,
     {"To: <a@b.test>"},
     {NULL}},
    {"our own words",
     "bob@here.test",
     {R("x@y.test", OUT_BOUNCED, "556 5.1.10 y.test: no", "")},
     0,
     0,
     false,
     NULL,
     "bob@here.test",
     END,
     {"Status: 5.1.10\r\n", "<x@y.test>: 556 5.1.10 y.test: no"},
     {"Remote-MTA", "Diagnostic-Code"}},
    {"no enhanced code",
     "bob@here.test",
     {R("x@y.test", OUT_BOUNCED, "550 no", "mx")},
     0,
     0,
     false,
     NULL,
     "bob@here.test",
     END,
     {"Status: 5.0.0\r\n", "Diagnostic-Code: smtp;550 no"},
     {NULL}},
    {"three together",
     "bob@here.test",
     {R("x@y.test", OUT_BOUNCED, FAILED, "mx"), R("z@y.test", OUT_EXPIRED, "451 4.3.0 later", "mx"),
      R("w@y.test", OUT_BOUNCED, "554 no", "mx")},
     0,
     0,
     false,
     NULL,
     "bob@here.test",
     "0B 1X 2B end",
     {"rfc822;x@y.test", "rfc822;z@y.test\r\nAction: failed\r\nStatus: 5.4.7\r\n", "rfc822;w@y.test"},
     {NULL}},
    {"RET=HDRS",
     "bob@here.test",
     {R("x@y.test", OUT_BOUNCED, FAILED, "mx")},
     RET_HDRS,
     0,
     false,
     NULL,
     "bob@here.test",
     END,
     {"Content-Type: text/rfc822-headers\r\n\r\n" HEAD},
     {"first line"}},
    {"too large for the way back, too",
     "bob@here.test",
     {R("x@y.test", OUT_BOUNCED, "552 5.3.4 the message is too large", "mx")},
     RET_FULL,
     0,
     false,
     NULL,
     "bob@here.test",
     END,
     {"Content-Type: text/rfc822-headers\r\n\r\n" HEAD},
     {"first line"}},
    {"RET=FULL",
     "bob@here.test",
     {R("x@y.test", OUT_BOUNCED, FAILED, "mx")},
     RET_FULL,
     0,
     false,
     NULL,
     "bob@here.test",
     END,
     {"Content-Type: message/rfc822\r\n\r\n" HEAD BODY},
     {NULL}},
    {"binary is not returned",
     "bob@here.test",
     {R("x@y.test", OUT_BOUNCED, FAILED, "mx")},
     RET_FULL,
     ENV_BARE_EOL,
     false,
     NULL,
     "bob@here.test",
     END,
     {"text/rfc822-headers"},
     {"first line"}},
    {"original recipient",
     "bob@here.test",
     {{"x@y.test", "rfc822;al+2Bias@here.test", 0, OUT_BOUNCED, FAILED, "mx"}},
     0,
     0,
     false,
     NULL,
     "bob@here.test",
     END,
     {"Original-Recipient: rfc822;al+ias@here.test\r\nFinal-Recipient: rfc822;x@y.test"},
     {NULL}},
    {"NOTIFY=NEVER",
     "bob@here.test",
     {{"x@y.test", "", NOTIFY_NEVER, OUT_BOUNCED, FAILED, "mx"}},
     0,
     0,
     false,
     NULL,
     "",
     END,
     {NULL},
     {NULL}},
    {"NOTIFY=SUCCESS alone",
     "bob@here.test",
     {{"x@y.test", "", NOTIFY_SUCCESS, OUT_BOUNCED, FAILED, "mx"}},
     0,
     0,
     false,
     NULL,
     "",
     END,
     {NULL},
     {NULL}},
    {"one wants none",
     "bob@here.test",
     {{"x@y.test", "", NOTIFY_NEVER, OUT_BOUNCED, FAILED, "mx"},
      {"z@y.test", "", NOTIFY_FAILURE, OUT_BOUNCED, FAILED, "mx"}},
     0,
     0,
     false,
     NULL,
     "bob@here.test",
     "0B 1B end",
     {"rfc822;z@y.test"},
     {"x@y.test"}},
    {"removed by an operator",
     "bob@here.test",
     {R("x@y.test", OUT_REMOVED, "", "")},
     0,
     0,
     false,
     NULL,
     "",
     "0R end",
     {NULL},
     {NULL}},

    {"relayed",
     "bob@here.test",
     {{"x@y.test", "", NOTIFY_SUCCESS, OUT_DELIVERED, "250 2.0.0 ok", "mx.y.test"}},
     0,
     0,
     false,
     NULL,
     "bob@here.test",
     "0D end",
     {"Action: relayed\r\nStatus: 2.0.0\r\n", "Remote-MTA: dns;mx.y.test", "text/rfc822-headers"},
     {"first line"}},
    {"delivered to a mailbox",
     "a@b.test",
     {{"bob@here.test", "", NOTIFY_SUCCESS, OUT_DELIVERED, "250 2.0.0 ok", ""}},
     0,
     0,
     false,
     NULL,
     "a@b.test",
     "0D end",
     {"Action: delivered\r\nStatus: 2.0.0\r\n"},
     {"Remote-MTA"}},
    {"delivered to a store",
     "a@b.test",
     {{"x@store.test", "", NOTIFY_SUCCESS, OUT_DELIVERED, "250 2.1.5 ok", "127.0.0.1"}},
     0,
     0,
     false,
     NULL,
     "a@b.test",
     "0D end",
     {"Action: delivered\r\nStatus: 2.1.5\r\n"},
     {NULL}},
    {"success and failure",
     "a@b.test",
     {{"bob@here.test", "", NOTIFY_SUCCESS, OUT_DELIVERED, "250 ok", ""},
      {"x@y.test", "", NOTIFY_SUCCESS | NOTIFY_FAILURE, OUT_BOUNCED, FAILED, "mx"}},
     0,
     0,
     false,
     NULL,
     "a@b.test",
     "0D 1B end",
     {"Action: delivered", "Action: failed", "message/rfc822"},
     {NULL}},

    {"delay",
     "bob@here.test",
     {R("x@y.test", 0, "451 4.4.1 mx: connection refused", "")},
     0,
     0,
     true,
     NULL,
     "bob@here.test",
     "",
     {"Action: delayed\r\nStatus: 4.4.1\r\n", "Will-Retry-Until: ", "text/rfc822-headers"},
     {"first line"}},
    {"delay not wanted",
     "bob@here.test",
     {{"x@y.test", "", NOTIFY_FAILURE, 0, "451 later", ""}},
     0,
     0,
     true,
     NULL,
     "",
     "",
     {NULL},
     {NULL}},
    {"delay wanted",
     "bob@here.test",
     {{"x@y.test", "", NOTIFY_DELAY, 0, "451 later", ""}},
     0,
     0,
     true,
     NULL,
     "bob@here.test",
     "",
     {"Action: delayed"},
     {NULL}},

    {"null sender: to the postmaster",
     "",
     {R("x@y.test", OUT_BOUNCED, FAILED, "mx")},
     0,
     0,
     false,
     NULL,
     "postmaster@here.test",
     END,
     {"To: <postmaster@here.test>"},
     {NULL}},
    {"a report's failure: to the postmaster",
     "",
     {R("x@y.test", OUT_BOUNCED, FAILED, "mx")},
     0,
     ENV_REPORT,
     false,
     NULL,
     "postmaster@here.test",
     END,
     {"To: <postmaster@here.test>"},
     {NULL}},
    {"... and there it ends",
     "",
     {R("bob@here.test", OUT_BOUNCED, FAILED, "")},
     0,
     ENV_REPORT | ENV_DOUBLE,
     false,
     NULL,
     "",
     END,
     {NULL},
     {NULL}},
    {"null sender: no delay notice", "", {R("x@y.test", 0, "451 later", "")}, 0, 0, true, NULL, "", "", {NULL}, {NULL}},
    {"a sender of ours who is not there",
     "gone@here.test",
     {R("x@y.test", OUT_BOUNCED, FAILED, "mx")},
     0,
     0,
     false,
     NULL,
     "",
     END,
     {NULL},
     {NULL}},

    {"internationalized",
     "j\xc3\xb6rg@b.test",
     {{"\xc3\xbc@y.test", "utf-8;\\x{F6}\\x{2B}x@z.test", 0, OUT_BOUNCED, FAILED, "mx"}},
     0,
     ENV_SMTPUTF8,
     false,
     NULL,
     "j\xc3\xb6rg@b.test",
     END,
     {"report-type=global-delivery-status", "Content-Type: message/global-delivery-status",
      "Content-Type: message/global\r\n", "Final-Recipient: utf-8;\xc3\xbc@y.test",
      "Original-Recipient: utf-8;\xc3\xb6+x@z.test", "To: <j\xc3\xb6rg@b.test>"},
     {NULL}},
    {"SMTPUTF8 that nothing needs",
     "a@b.test",
     {R("x@y.test", OUT_BOUNCED, FAILED, "mx")},
     0,
     ENV_SMTPUTF8,
     false,
     NULL,
     "a@b.test",
     END,
     {"report-type=delivery-status", "message/rfc822"},
     {"global"}},
    {"8-bit header",
     "a@b.test",
     {R("x@y.test", OUT_BOUNCED, FAILED, "mx")},
     RET_HDRS,
     ENV_8BIT_HEAD,
     false,
     "Subject: \xc3\xbc\r\n\r\nx\r\n",
     "a@b.test",
     END,
     {"Content-Transfer-Encoding: 8bit", "text/rfc822-headers", "Subject: \xc3\xbc\r\n"},
     {"global"}},
    {"no last line end",
     "a@b.test",
     {R("x@y.test", OUT_BOUNCED, FAILED, "mx")},
     0,
     ENV_NO_FINAL_EOL,
     false,
     "Subject: x\r\n\r\nend",
     "a@b.test",
     END,
     {"end\r\n\r\n--"},
     {NULL}},
};

static void fail_row(const struct row *r, const char *what, const char *got)
{
    fprintf(stderr, "%s: %s\n%s\n", r->name, what, got);
    _exit(1);
}

static void prepare(const struct row *r, struct report *rep, struct report_rcpt *to)
{
    original = (struct original){.octets = str_c(r->octets ? r->octets : HEAD BODY)};
    original.env =
        (struct envelope){.id = 77, .flags = r->flags, .ret = r->ret, .sender = str_c(r->sender), .tenant = 5};
    original.env.arrived_ms = rt_wall_ms() - 3600000;
    original.env.head_size = (uint32_t)str_search(original.octets, S("\r\n\r\n")) + 4;
    original.env.body_size = original.octets.n - original.env.head_size;
    *rep = (struct report){
        .id = 77, .to = to, .delayed = r->delayed, .last = !r->delayed, .retry_until_ms = rt_wall_ms() + 1000000};
    for (uint32_t i = 0; i < 3 && r->to[i].address; i++) {
        original.to[i] = (struct recipient){
            .address = str_c(r->to[i].address), .orcpt = str_c(r->to[i].orcpt), .notify = (uint8_t)r->to[i].notify};
        to[i] = (struct report_rcpt){i, r->to[i].outcome, str_c(r->to[i].reply), str_c(r->to[i].remote), 1};
        rep->nto++;
    }
    original.env.nto = rep->nto;
    results[0] = 0;
    fake.puts = fake.queued = 0;
    buf_clear(&fake.octets);
}

/* The flags say the truth of the octets. */
static void check_flags(const struct row *r)
{
    struct data_in d;
    size_t n;
    data_in_init(&d, DATA_CHUNK, 998);
    data_in_feed(&d, fake.octets.p, fake.octets.n, fake.octets.p, &n);
    data_in_end(&d);
    uint32_t f = fake.env.flags;
    bool good = !(d.flags & (DATA_BARE | DATA_NUL | DATA_UNENDED | DATA_LONG_LINE)) &&
                !(d.flags & DATA_DOT_LINE) == !(f & ENV_DOT_LINE) &&
                !(d.flags & DATA_8BIT_BODY) == !(f & ENV_8BIT_BODY) &&
                !(d.flags & DATA_8BIT_HEAD) == !(f & ENV_8BIT_HEAD) && d.body_at == fake.env.head_size &&
                fake.env.head_size + fake.env.body_size == fake.octets.n;
    if (!good || !(f & ENV_REPORT) || fake.env.sender.n || fake.env.tenant != 5)
        fail_row(r, "flags, sizes, sender or tenant are wrong", "");
}

static void check_report(const struct row *r)
{
    char told[300] = "";
    for (uint32_t i = 0; i < fake.env.nto; i++)
        snprintf(told + strlen(told), 200, "%s" STR_FMT, i ? " " : "", STR_ARG(fake.env.to[i].address));
    if (strcmp(told, r->told) != 0)
        fail_row(r, "told is", told);
    buf_add_char(&fake.octets, 0);
    for (size_t i = 0; i < 8 && r->has[i]; i++)
        if (!strstr(fake.octets.p, r->has[i]))
            fail_row(r, r->has[i], fake.octets.p);
    for (size_t i = 0; i < 4 && r->lacks[i]; i++)
        if (strstr(fake.octets.p, r->lacks[i]))
            fail_row(r, r->lacks[i], fake.octets.p);
    fake.octets.n--;
    check_flags(r);
}

static void run_row(const struct row *r)
{
    struct report rep;
    struct report_rcpt to[3];
    prepare(r, &rep, to);
    fake.put = E_DISK_FULL; /* refused: nothing has happened */
    bool writes = r->told[0] || !r->delayed;
    if (send_report(NULL, &rep) != (writes ? E_DISK_FULL : OK) || fake.queued)
        fail_row(r, "a refused group is no error", "");
    prepare(r, &rep, to);
    fake.put = OK;
    if (send_report(NULL, &rep) != OK || fake.puts != writes || fake.queued != (r->told[0] != 0))
        fail_row(r, "puts or queued", "");
    if (strcmp(results, r->results) != 0)
        fail_row(r, "results", results);
    if (r->told[0])
        check_report(r);
    else if (fake.octets.n)
        fail_row(r, "a report that nobody wanted", fake.octets.p);
}

static struct conf *the_conf(void) { return fake_conf(); }

static void start(void)
{
    rt_log_setup(LOG_ERROR, false, 2);
    fake_begin(CONF);
    send_setup(&(struct send){.conf = the_conf, .mail_dir = -1});
}

static void all_rows(void *arg, int index)
{
    (void)arg;
    (void)index;
    start();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        run_row(&rows[i]);
    fake_end();
    rt_stop();
}

static void every_report(void **state)
{
    (void)state;
    world(1, all_rows);
}

/* Trouble: tried again later, or the report goes without what cannot be read. */
static void trouble(void *arg, int index)
{
    (void)arg;
    (void)index;
    struct report rep;
    struct report_rcpt to[3];
    start();
    prepare(&rows[0], &rep, to);
    original.open = E_IO;
    CHECK(send_report(NULL, &rep) == E_IO && !fake.puts);
    prepare(&rows[0], &rep, to);
    original.read = E_NOMEM;
    CHECK(send_report(NULL, &rep) == E_NOMEM && !fake.puts);
    prepare(&rows[0], &rep, to);
    original.read = E_CORRUPT;
    CHECK(send_report(NULL, &rep) == OK && fake.queued == 1);
    buf_add_char(&fake.octets, 0);
    CHECK(strstr(fake.octets.p, "Action: failed") && !strstr(fake.octets.p, "rfc822-headers") &&
          !strstr(fake.octets.p, "message/rfc822"));
    fake_end();
    rt_stop();
}

static void troubles(void **state)
{
    (void)state;
    world(1, trouble);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_report), cmocka_unit_test(troubles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
