/* The form in which a message goes to servers that offer much, little or nothing. */
#include "send/test_fakes.h"
#include "send/test_server.h"

#define MIME "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
#define EIGHT MIME "Content-Transfer-Encoding: 8bit\r\n\r\ngr\xc3\xbc\xc3\x9f dich\r\n"
#define SEVEN MIME "Content-Transfer-Encoding: quoted-printable\r\n\r\ngr=C3=BC=C3=9F dich\r\n"
#define BINARY                                                                                                         \
    "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: application/x-y\r\nContent-Transfer-Encoding: binary\r\n\r\n"    \
    "a\rb\nc\0d\xff\r\n.\r\nend"
#define CODED                                                                                                          \
    "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: application/x-y\r\nContent-Transfer-Encoding: base64\r\n\r\n"    \
    "YQ1iCmMAZP8NCi4NCmVuZA==\r\n"
#define INNER                                                                                                          \
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nSubject: j\xc3\xb6rg\r\n\r\nx\r\n"   \
    "--b--\r\n"
#define OPAQUE "MIME-Version: 1.0\r\nContent-Type: message/partial; id=x; number=1\r\n\r\n\xc3\xbc\r\n"
#define U "j\xc3\xb6rg@d.test"
#define DOMAIN                                                                                                         \
    "c@b\xc3\xbc"                                                                                                      \
    "cher.test"

struct row {
    const char *name, *offers;
    const char *sender, *to;
    struct {
        const char *p;
        size_t n;
    } in;
    uint32_t flags;
    const char *fates, *mail;
    struct {
        const char *p; /* what arrives; NULL: as it was */
        size_t n;
    } out;
    const char *text; /* part of what is said of the recipients */
};
#define T(s)                                                                                                           \
    {                                                                                                                  \
        "" s, sizeof(s) - 1                                                                                            \
    }
enum {
    E8 = ENV_8BIT_BODY,
    H8 = ENV_8BIT_HEAD,
    U8 = ENV_SMTPUTF8,
    BIN = ENV_BARE_EOL | ENV_NUL | ENV_NO_FINAL_EOL | E8 | ENV_DOT_LINE
};
#define PLAIN "Subject: x\r\n\r\nhello\r\n"
#define HEAD8 "Subject: j\xc3\xb6rg\r\n\r\nhello\r\n"

static const struct row rows[] = {
    {"plain", "8BITMIME,CHUNKING,BINARYMIME,SMTPUTF8", "a@b.test", "c@d.test", T(PLAIN), 0, "1:R250",
     "MAIL FROM:<a@b.test>|RCPT TO:<c@d.test>|DATA|"},
    {"8-bit", "8BITMIME", "a@b.test", "c@d.test", T(EIGHT), E8, "1:R250", "MAIL FROM:<a@b.test> BODY=8BITMIME|"},
    {"8-bit by BDAT", "8BITMIME,CHUNKING", "a@b.test", "c@d.test", T(EIGHT), E8, "1:R250",
     "MAIL FROM:<a@b.test> BODY=8BITMIME|RCPT TO:<c@d.test>|BDAT 120 LAST|"},
    {"8-bit to a 7-bit server", "PIPELINING,SIZE", "a@b.test", "c@d.test", T(EIGHT), E8, "1:R250",
     "MAIL FROM:<a@b.test>|RCPT", T(SEVEN)},
    {"8-bit to a 7-bit server with CHUNKING", "CHUNKING", "a@b.test", "c@d.test", T(EIGHT), E8, "1:R250",
     "MAIL FROM:<a@b.test>|RCPT TO:<c@d.test>|DATA|", T(SEVEN)},
    {"8-bit that cannot be converted",
     "PIPELINING",
     "a@b.test",
     "c@d.test",
     T(OPAQUE),
     E8,
     "1:F554",
     "EHLO relay.test|QUIT|",
     {NULL, 0},
     "5.6.3"},
    {"binary", "8BITMIME,CHUNKING,BINARYMIME", "a@b.test", "c@d.test", T(BINARY), BIN, "1:R250",
     "MAIL FROM:<a@b.test> BODY=BINARYMIME|RCPT TO:<c@d.test>|BDAT 115 LAST|"},
    {"binary without 8BITMIME", "CHUNKING,BINARYMIME", "a@b.test", "c@d.test", T(BINARY), BIN, "1:R250",
     "MAIL FROM:<a@b.test> BODY=BINARYMIME|RCPT TO:<c@d.test>|BDAT 115 LAST|"},
    {"binary without BINARYMIME", "8BITMIME,CHUNKING", "a@b.test", "c@d.test", T(BINARY), BIN, "1:R250",
     "MAIL FROM:<a@b.test>|RCPT TO:<c@d.test>|DATA|", T(CODED)},
    {"binary without CHUNKING", "8BITMIME,BINARYMIME", "a@b.test", "c@d.test", T(BINARY), BIN, "1:R250",
     "MAIL FROM:<a@b.test>|RCPT TO:<c@d.test>|DATA|", T(CODED)},
    {"binary to nothing", "", "a@b.test", "c@d.test", T(BINARY), BIN, "1:R250", "MAIL FROM:<a@b.test>|", T(CODED)},
    {"no last line end", "8BITMIME", "a@b.test", "c@d.test", T("Subject: x\r\n\r\nend"), ENV_NO_FINAL_EOL, "1:R250",
     "MAIL FROM:<a@b.test>|RCPT TO:<c@d.test>|DATA|", T("Subject: x\r\n\r\nend\r\n")},
    {"dots", "PIPELINING", "a@b.test", "c@d.test", T("Subject: x\r\n\r\n.\r\n..\r\n.a\r\n"), ENV_DOT_LINE, "1:R250",
     "DATA|"},
    {"dots by BDAT", "8BITMIME,CHUNKING", "a@b.test", "c@d.test", T("S: x\r\n\r\n.\r\n..\r\n\xc3\xbc\r\n.\r\n"),
     ENV_DOT_LINE | E8, "1:R250", "BDAT 22 LAST|"},
    {"empty", "PIPELINING", "a@b.test", "c@d.test", T(""), 0, "1:R250", "DATA|"},
    {"only a header", "PIPELINING", "a@b.test", "c@d.test", T("Subject: x\r\n"), 0, "1:R250", "DATA|"},
    {"flags that lie: the last line has no end", "PIPELINING", "a@b.test", "c@d.test", T("Subject: x\r\n\r\nend"), 0,
     "1:R250", "DATA|", T("Subject: x\r\n\r\nend\r\n")},

    {"UTF-8 recipient", "8BITMIME,SMTPUTF8", "a@b.test", U, T(PLAIN), U8, "1:R250",
     "MAIL FROM:<a@b.test> SMTPUTF8|RCPT TO:<" U ">|"},
    {"UTF-8 recipient, no SMTPUTF8",
     "8BITMIME",
     "a@b.test",
     U,
     T(PLAIN),
     U8,
     "1:F553",
     "EHLO relay.test|QUIT|",
     {NULL, 0},
     "5.6.7"},
    {"one UTF-8 recipient of two", "8BITMIME", "a@b.test", U " c@d.test", T(PLAIN), U8, "1:F553,R250",
     "MAIL FROM:<a@b.test>|RCPT TO:<c@d.test>|DATA|"},
    {"UTF-8 domain becomes A-labels", "8BITMIME", "a@b.test", DOMAIN, T(PLAIN), U8, "1:R250",
     "RCPT TO:<c@xn--bcher-kva.test>|"},
    {"UTF-8 sender", "8BITMIME,SMTPUTF8", U, "c@d.test", T(PLAIN), U8, "1:R250", "MAIL FROM:<" U "> SMTPUTF8|"},
    {"UTF-8 sender, no SMTPUTF8",
     "8BITMIME",
     U,
     "c@d.test",
     T(PLAIN),
     U8,
     "1:F553",
     "EHLO relay.test|QUIT|",
     {NULL, 0},
     "5.6.7"},
    {"UTF-8 sender's domain", "8BITMIME", DOMAIN, "c@d.test", T(PLAIN), U8, "1:R250",
     "MAIL FROM:<c@xn--bcher-kva.test>|"},
    {"UTF-8 header", "8BITMIME,SMTPUTF8", "a@b.test", "c@d.test", T(HEAD8), U8 | H8, "1:R250",
     "MAIL FROM:<a@b.test> BODY=8BITMIME SMTPUTF8|"},
    {"UTF-8 header, no SMTPUTF8",
     "8BITMIME",
     "a@b.test",
     "c@d.test",
     T(HEAD8),
     U8 | H8,
     "1:F554",
     "EHLO relay.test|QUIT|",
     {NULL, 0},
     "5.6.9"},
    {"UTF-8 header, only SMTPUTF8", "SMTPUTF8", "a@b.test", "c@d.test", T(HEAD8), U8 | H8, "1:R250",
     "MAIL FROM:<a@b.test> SMTPUTF8|"},
    {"8-bit header that nobody declared", "8BITMIME", "a@b.test", "c@d.test", T(HEAD8), H8, "1:R250",
     "MAIL FROM:<a@b.test> BODY=8BITMIME|"},
    {"8-bit header to nothing",
     "",
     "a@b.test",
     "c@d.test",
     T(HEAD8),
     H8,
     "1:F554",
     "EHLO relay.test|QUIT|",
     {NULL, 0},
     "5.6.9"},
    {"UTF-8 in the header of a part",
     "8BITMIME",
     "a@b.test",
     "c@d.test",
     T(INNER),
     U8 | E8,
     "1:F554",
     "EHLO relay.test|QUIT|",
     {NULL, 0},
     "5.6.9"},
    {"the same where it is offered", "8BITMIME,SMTPUTF8", "a@b.test", "c@d.test", T(INNER), U8 | E8, "1:R250",
     "MAIL FROM:<a@b.test> BODY=8BITMIME SMTPUTF8|"},
    {"8-bit part of an internationalized message", "8BITMIME", "a@b.test", "c@d.test", T(EIGHT), U8 | E8, "1:R250",
     "MAIL FROM:<a@b.test> BODY=8BITMIME|"},
    {"SMTPUTF8 that nothing needs", "8BITMIME", "a@b.test", "c@d.test", T(PLAIN), U8, "1:R250",
     "MAIL FROM:<a@b.test>|"},

    {"SIZE", "SIZE 21", "a@b.test", "c@d.test", T(PLAIN), 0, "1:R250", "MAIL FROM:<a@b.test> SIZE=21|"},
    {"SIZE too small",
     "SIZE 20",
     "a@b.test",
     "c@d.test",
     T(PLAIN),
     0,
     "1:F552",
     "EHLO relay.test|QUIT|",
     {NULL, 0},
     "5.3.4"},
    {"SIZE 0 is no limit", "SIZE 0", "a@b.test", "c@d.test", T(PLAIN), 0, "1:R250", "MAIL FROM:<a@b.test> SIZE=21|"},
    {"null sender", "SIZE", "", "c@d.test", T(PLAIN), 0, "1:R250", "MAIL FROM:<> SIZE=21|"},
};

static void run_row(const struct row *r, size_t piece)
{
    struct server s = {0};
    char text[1024];
    server_start(&s, r->offers, NULL);
    snprintf(text, sizeof text, "route \"*\" { via = \"smtp://127.0.0.1:%u\" }\n", s.port);
    fake_begin(text);
    fake.piece = piece;
    fake_add(r->sender, r->to, r->in.p, r->in.n, r->flags);
    fake_run("route *");
    same("fates", r->name, buf_str(&fake.fates), r->fates);
    while (s.open)
        CHECK(fiber_sleep(rt_after(RT_MS)) == OK);
    holds("what was said", r->name, buf_str(&s.said), r->mail);
    same("fault", r->name, str_c(s.why), "");
    if (r->text)
        holds("what is said of it", r->name, buf_str(&fake.texts), r->text);
    str want = r->out.p ? (str){r->out.p, r->out.n} : (str){r->in.p, r->in.n};
    str got = str_sub(buf_str(&s.texts), 0, s.texts.n ? s.texts.n - 1 : 0);
    if (strchr(r->fates, 'R') && !str_eq(got, want)) {
        fprintf(stderr, "%s: arrived\n" STR_FMT "\n", r->name, STR_ARG(got));
        _exit(1);
    }
    server_stop(&s);
    fake_end();
}

static void all_rows(void *arg, int index)
{
    (void)arg;
    (void)index;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run_row(&rows[i], 0);
        run_row(&rows[i], 1);
        run_row(&rows[i], 7);
    }
    rt_stop();
}

static void every_form(void **state)
{
    (void)state;
    world(1, all_rows);
}

/* ---- parameters of DSN ---------------------------------------------------------------------------------------- */

static void dsn_said(void *arg, int index)
{
    (void)arg;
    (void)index;
    struct server s = {0};
    char text[200];
    server_start(&s, "PIPELINING,DSN", NULL);
    snprintf(text, sizeof text, "route \"*\" { via = \"smtp://127.0.0.1:%u\" }\n", s.port);
    fake_begin(text);
    struct message *m = fake_add("a@b.test", "c@d.test e@d.test f@d.test", PLAIN, sizeof PLAIN - 1, 0);
    m->more = (struct envelope){.ret = RET_HDRS, .envid = S_INIT("a+b=c")};
    m->to[0].notify = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY;
    m->to[0].orcpt = S("rfc822;x+2By@z.test");
    m->to[1].notify = NOTIFY_NEVER;
    m->to[1].orcpt = S("utf-8;j\xc3\xb6rg@z.test"); /* not to a server without SMTPUTF8 */
    fake_run("route *");
    same("fates", "dsn", buf_str(&fake.fates), "1:D250,D250,D250");
    while (s.open)
        CHECK(fiber_sleep(rt_after(RT_MS)) == OK);
    same("what was said", "dsn", buf_str(&s.said),
         "EHLO relay.test|MAIL FROM:<a@b.test> RET=HDRS ENVID=a+2Bb+3Dc|"
         "RCPT TO:<c@d.test> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;x+2By@z.test|"
         "RCPT TO:<e@d.test> NOTIFY=NEVER|RCPT TO:<f@d.test>|DATA|QUIT|");
    server_stop(&s);
    fake_end();
    rt_stop();
}

static void dsn_parameters(void **state)
{
    (void)state;
    world(1, dsn_said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_form), cmocka_unit_test(dsn_parameters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
