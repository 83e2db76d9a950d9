/* The beginning of a connection: greeting, EHLO, TLS, AUTH, and which server is tried when. */
#include "send/test_fakes.h"
#include "send/test_server.h"

#define PLAIN "Subject: x\r\n\r\nhello\r\n"
#define SENT "MAIL FROM:<a@b.test>|RCPT TO:<c@d.test>|DATA|QUIT|"
#define EHLO "EHLO relay.test|"

static struct tls_server *identity;

struct row {
    const char *name, *route, *offers, *script;
    const char *fates, *why; /* why: part of the text for people when no connection came about */
    const char *said;
    bool tls_first;
};

static const struct row rows[] = {
    {"plain", "", "SIZE 0", NULL, "1:R250", "",
     "EHLO relay.test|MAIL FROM:<a@b.test> SIZE=21|RCPT TO:<c@d.test>|DATA|QUIT|"},
    {"greeting of many lines", "", "", "GREETING=220-a/220-b/220 c", "1:R250", "", EHLO SENT},
    {"greeting 421", "", "", "GREETING=421 4.3.2 full", "",
     "421 4.3.2 full (greeting of 127.0.0.1[127.0.0.1]:", "QUIT|"},
    {"greeting 450", "", "", "GREETING=450 no", "", "450 no (greeting of", "QUIT|"},
    {"greeting 554 of a smart host: a fault to be mended", "", "", "GREETING=554 5.7.1 no", "",
     "554 5.7.1 no (greeting of", "QUIT|"},
    {"greeting 250 is none", "", "", "GREETING=250 hello", "", "the greeting is 250", "-|"},
    {"greeting junk", "", "", "GREETING=junk", "", "broke the protocol", "-|"},
    {"greeting close", "", "", "GREETING=close", "", "451 4.4.2 127.0.0.1[127.0.0.1]:", "-|"},
    {"greeting hang", "", "", "GREETING=hang", "", "timed out while waiting for the greeting", NULL},
    {"EHLO 421", "", "", "EHLO=421 bye", "", "421 bye (EHLO of", NULL},
    {"EHLO 451", "", "", "EHLO=451 4.3.0 later", "", "451 4.3.0 later (EHLO of", EHLO "QUIT|"},
    {"EHLO and HELO 550", "", "", "EHLO=550 no;HELO=550 5.7.1 no", "", "550 5.7.1 no (HELO of",
     EHLO "HELO relay.test|QUIT|"},
    {"EHLO close", "", "", "EHLO=close", "", "after EHLO", EHLO "-|"},
    {"EHLO long line", "", "", "EHLO=long", "", "broke the protocol after EHLO", NULL},
    {"EHLO answered twice", "", "", "EHLO=250 a/250 b", "", "the server said 250 without being asked", EHLO "-|"},
    {"EHLO answered, then 421", "", "", "EHLO=250 a/421 4.3.2 bye", "", "421 4.3.2 bye (before the first message of",
     NULL},
    {"EHLO answered, then 5xx", "", "", "EHLO=250 a/550 5.7.1 no", "", "the server said 550 without being asked",
     EHLO "-|"},
    {"all answers ahead of time", "", "", "GREETING=220 x/250 a/250 b/250 c/354 d/250 e", "", "451 4.5.0 ", NULL},
    {"a name of its own", "helo = \"other.test\"", "", NULL, "1:R250", "", "EHLO other.test|" SENT},

    {"TLS", "", "STARTTLS", NULL, "1:R250", "", EHLO "STARTTLS|" EHLO SENT},
    {"TLS not wanted", "tls = \"none\"", "STARTTLS", NULL, "1:R250", "", EHLO SENT},
    {"TLS refused", "", "STARTTLS", "STARTTLS=454 4.7.0 no", "1:R250", "", EHLO "STARTTLS|" SENT},
    {"TLS refused, but required", "tls = \"require\"", "STARTTLS", "STARTTLS=554 5.7.0 no", "", "says 554 to STARTTLS",
     EHLO "STARTTLS|-|"},
    {"TLS not offered, but required", "tls = \"require\"", "", NULL, "", "does not offer it", EHLO "-|"},
    {"TLS required", "tls = \"require\"", "STARTTLS", NULL, "1:R250", "", EHLO "STARTTLS|" EHLO SENT},
    {"TLS verified: self-signed", "tls = \"verify\"", "STARTTLS", NULL, "", "TLS certificate is not valid",
     EHLO "STARTTLS|-|"},
    {"TLS verified", "tls = \"verify\" ca-file = \"roots.pem\"", "STARTTLS", NULL, "1:R250", "",
     EHLO "STARTTLS|" EHLO SENT},
    {"TLS fails: once more in clear", "", "STARTTLS", "STARTTLS#1=220 go/hello", "1:R250", "",
     EHLO "STARTTLS|-|" EHLO SENT},
    {"TLS fails, but required", "tls = \"require\"", "STARTTLS", "STARTTLS#1=220 go/hello", "", "in the TLS handshake",
     NULL},
    {"TLS 421: once more in clear", "", "STARTTLS", "STARTTLS#1=421 no", "1:R250", "", NULL},
    {"TLS close: once more in clear", "", "STARTTLS", "STARTTLS#1=close", "1:R250", "", EHLO "STARTTLS|-|" EHLO SENT},
    {"implicit TLS", "", "", NULL, "1:R250", "", EHLO SENT, true},

    {"AUTH PLAIN", "auth-user = \"me\" password-file = \"password\"", "AUTH LOGIN PLAIN", NULL, "1:R250", "",
     EHLO "AUTH PLAIN AG1lAHMzY3JldA==|" SENT},
    {"AUTH PLAIN in two steps", "auth-user = \"me\" password-file = \"password\"", "AUTH PLAIN", "AUTH=334 ", "1:R250",
     "", EHLO "AUTH PLAIN AG1lAHMzY3JldA==|AG1lAHMzY3JldA==|" SENT},
    {"AUTH LOGIN", "auth-user = \"me\" password-file = \"password\"", "AUTH LOGIN",
     "AUTH=334 VXNlcm5hbWU6;SECRET#1=334 UGFzc3dvcmQ6", "1:R250", "", EHLO "AUTH LOGIN|bWU=|czNjcmV0|" SENT},
    {"AUTH refused: mail waits", "auth-user = \"me\" password-file = \"password\"", "AUTH PLAIN",
     "AUTH=535 5.7.8 wrong", "", "451 4.7.8", EHLO "AUTH PLAIN AG1lAHMzY3JldA==|-|"},
    {"AUTH not offered", "auth-user = \"me\" password-file = \"password\"", "", NULL, "",
     "neither AUTH PLAIN nor AUTH LOGIN", EHLO "-|"},
    {"AUTH by other means only", "auth-user = \"me\" password-file = \"password\"", "AUTH CRAM-MD5", NULL, "",
     "neither", EHLO "-|"},
};

static void begin(const char *text)
{
    static const struct priv_login login = {S_INIT("*"), S_INIT("s3cret")};
    CHECK(priv_setup(&(struct priv_secrets){.logins = &login, .nlogins = 1}) == OK);
    fake_begin(text);
}

static void run_row(const struct row *r)
{
    struct server s = {.tls = identity, .tls_first = r->tls_first};
    char text[1024];
    server_start(&s, r->offers, r->script);
    snprintf(text, sizeof text, "route \"*\" { via = \"%s://127.0.0.1:%u\" %s }\nsend { greeting-time = \"300ms\" }\n",
             r->tls_first ? "smtps" : "smtp", s.port, r->route);
    begin(text);
    fake_add("a@b.test", "c@d.test", PLAIN, sizeof PLAIN - 1, 0);
    fake_run("route *");
    same("fates", r->name, buf_str(&fake.fates), r->fates);
    holds("why", r->name, str_c(fake.why), r->why);
    CHECK((fake.down != OK) == (r->why[0] != 0));
    CHECK(str_search(str_c(fake.why), S("s3cret")) == STR_NONE && str_search(str_c(fake.why), S("AG1l")) == STR_NONE);
    while (s.open)
        CHECK(fiber_sleep(rt_after(RT_MS)) == OK);
    if (r->said)
        same("what was said", r->name, buf_str(&s.said), r->said);
    server_stop(&s);
    fake_end();
}

static void make_identity(void)
{
    struct buf cert, key;
    buf_init(&cert, 8192);
    buf_init(&key, 8192);
    CHECK(tls_self_signed(S("127.0.0.1"), &cert, &key) == OK);
    buf_add_char(&cert, 0);
    buf_add_char(&key, 0);
    const struct tls_server_config c = {
        .cert_pem = (const char *const[]){cert.p}, .key_pem = (const char *const[]){key.p}, .n = 1};
    CHECK(tls_server_new(&identity, &c, NULL) == OK);
    fake_file("roots.pem", cert.p);
    fake_file("password", "s3cret\n");
    buf_free(&cert);
    buf_free(&key);
}

static void all_rows(void *arg, int index)
{
    (void)arg;
    (void)index;
    make_identity();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        run_row(&rows[i]);
    tls_server_drop(&identity);
    fake_files_end();
    rt_stop();
}

static void every_beginning(void **state)
{
    (void)state;
    world(1, all_rows);
}

/* ---- several servers -------------------------------------------------------------------------------------------- */

static void failover_case(const char *first, const char *second, const char *fates, const char *why, int connections)
{
    struct server s[2] = {0};
    char text[1024], name[100];
    server_start(&s[0], "", first);
    server_start(&s[1], "", second);
    snprintf(name, sizeof name, "%s, then %s", first ? first : "well", second ? second : "well");
    snprintf(text, sizeof text, "route \"*\" { via = {\"smtp://127.0.0.1:%u\", \"smtp://127.0.0.1:%u\"} }\n", s[0].port,
             s[1].port);
    if (first && !*first)
        io_close(&s[0].listener);
    begin(text);
    fake_add("a@b.test", "c@d.test", PLAIN, sizeof PLAIN - 1, 0);
    fake_run("route *");
    same("fates", name, buf_str(&fake.fates), fates);
    holds("why", name, str_c(fake.why), why);
    CHECK(s[0].connections + s[1].connections == connections);
    server_stop(&s[0]);
    server_stop(&s[1]);
    fake_end();
}

static void failover_world(void *arg, int index)
{
    (void)arg;
    (void)index;
    failover_case(NULL, NULL, "1:R250", "", 1);
    failover_case("", NULL, "1:R250", "", 1); /* does not listen */
    failover_case("GREETING=421 no", NULL, "1:R250", "", 2);
    failover_case("GREETING=554 no", NULL, "1:R250", "", 2);
    failover_case("EHLO=close", NULL, "1:R250", "", 2);
    failover_case("GREETING=421 no", "GREETING=450 4.2.1 later", "", "450 4.2.1 later", 2);
    failover_case("GREETING=421 no", "GREETING=554 never", "", "554 never", 2);
    failover_case("MAIL=451 no", NULL, "1:T451", "", 1); /* not the other one at once: it has had its attempt */
    rt_stop();
}

static void failover(void **state)
{
    (void)state;
    world(1, failover_world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_beginning), cmocka_unit_test(failover)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
