/* Dialogues with a server of every mood: what is said to it, and what becomes of the recipients. */
#include "send/test_fakes.h"
#include "send/test_server.h"

#define PLAIN "Subject: x\r\n\r\nhello\r\n"
#define USUAL "PIPELINING,8BITMIME,SIZE 10000000,ENHANCEDSTATUSCODES"
#define HELLO "EHLO relay.test|"
#define MAILS "MAIL FROM:<a@b.test> SIZE=21|"
#define ONE HELLO MAILS "RCPT TO:<c@d.test>|DATA|QUIT|"

struct row {
    const char *name, *to, *offers, *script, *fates, *said;
    int messages; /* 0: one */
    bool lmtp;
    const char *more; /* of the route, or global keys behind '\n' */
};

/* Every reply class at every step; USUAL offers where none are given. */
static const struct row rows[] = {
    {"plain", "c@d.test", NULL, NULL, "1:R250", ONE},
    {"no pipelining", "c@d.test", "SIZE", NULL, "1:R250", ONE},
    {"DSN: the report is the server's", "c@d.test", "DSN", NULL, "1:D250",
     HELLO "MAIL FROM:<a@b.test>|RCPT TO:<c@d.test>|DATA|QUIT|"},
    {"HELO", "c@d.test", NULL, "EHLO=500 what", "1:R250",
     HELLO "HELO relay.test|MAIL FROM:<a@b.test>|RCPT TO:<c@d.test>|DATA|QUIT|"},
    {"HELO after 502 and words", "c@d.test", NULL, "EHLO=502-PIPELINING/502-SIZE 1/502 no", "1:R250",
     HELLO "HELO relay.test|MAIL FROM:<a@b.test>|RCPT TO:<c@d.test>|DATA|QUIT|"},
    {"two, one transaction", "c@d.test e@d.test", NULL, NULL, "1:R250,R250",
     HELLO MAILS "RCPT TO:<c@d.test>|RCPT TO:<e@d.test>|DATA|QUIT|"},

    {"MAIL 451", "c@d.test", NULL, "MAIL=451 4.3.0 no", "1:T451", ONE},
    {"MAIL 550", "c@d.test", NULL, "MAIL=550 5.1.8 no", "1:F550", ONE},
    {"MAIL 550, no pipelining", "c@d.test", "SIZE", "MAIL=550 5.1.8 no", "1:F550", HELLO MAILS "QUIT|"},
    {"MAIL 550 for many: the replies behind it are not taken for others'", "c@d.test e@d.test f@d.test", NULL,
     "MAIL#1=550 no;RCPT#1=503 no;RCPT#2=503 no;RCPT#3=503 no;DATA#1=503 no", "1:F550,F550,F550 2:R250,R250,R250", NULL,
     2},
    {"MAIL 552", "c@d.test", NULL, "MAIL=552 5.3.4 too big", "1:F552", ONE},
    {"MAIL 500: no mail server", "c@d.test", NULL, "MAIL=500 what", "1:T500", ONE},
    {"MAIL 503: out of step", "c@d.test", NULL, "MAIL=503 what", "1:T503", ONE},
    {"MAIL 354 is nonsense", "c@d.test", NULL, "MAIL=354 go on", "1:T354", ONE},
    {"MAIL 421", "c@d.test", NULL, "MAIL=421 4.3.2 bye", "1:T421", HELLO MAILS "RCPT TO:<c@d.test>|DATA|-|"},
    {"MAIL close", "c@d.test", NULL, "MAIL=close", "1:T451", HELLO MAILS "-|"},
    {"MAIL reset", "c@d.test", NULL, "MAIL=reset", "1:T451", HELLO MAILS "-|"},
    {"MAIL junk", "c@d.test", "SIZE", "MAIL=junk", "1:T451", HELLO MAILS "-|"},
    {"MAIL long", "c@d.test", "SIZE", "MAIL=long", "1:T451", HELLO MAILS "-|"},

    {"RCPT 450", "c@d.test", NULL, "RCPT=450 4.2.1 no", "1:T450", HELLO MAILS "RCPT TO:<c@d.test>|DATA|RSET|QUIT|"},
    {"RCPT 550", "c@d.test", NULL, "RCPT=550 5.1.1 no", "1:F550", HELLO MAILS "RCPT TO:<c@d.test>|DATA|RSET|QUIT|"},
    {"RCPT 550, no pipelining", "c@d.test", "SIZE", "RCPT=550 5.1.1 no", "1:F550",
     HELLO MAILS "RCPT TO:<c@d.test>|RSET|QUIT|"},
    {"RCPT 251", "c@d.test", NULL, "RCPT=251 will forward", "1:R250", ONE},
    {"RCPT 552 is temporary", "c@d.test", NULL, "RCPT=552 5.2.2 full", "1:T552", NULL},
    {"RCPT 503", "c@d.test", NULL, "RCPT=503 what", "1:T503", NULL},
    {"RCPT 354 is nonsense", "c@d.test", NULL, "RCPT=354 what;DATA=503 no", "1:T354", NULL},
    {"RCPT 421", "c@d.test e@d.test", NULL, "RCPT#1=421 4.3.2 bye", "1:T421,T421", NULL},
    {"RCPT 421 behind an accepted one", "c@d.test e@d.test", NULL, "RCPT#2=421 4.3.2 bye", "1:T421,T421", NULL},
    {"RCPT 421 behind a refused one", "c@d.test e@d.test", NULL, "RCPT#1=550 no;RCPT#2=421 4.3.2 bye", "1:F550,T421",
     NULL},
    {"RCPT close", "c@d.test e@d.test", NULL, "RCPT#2=close", "1:T451,T451", NULL},
    {"mixed", "c@d.test e@d.test f@d.test", NULL, "RCPT#1=550 5.1.1 no;RCPT#3=450 4.2.1 no", "1:F550,R250,T450", NULL},
    {"452 behind an accepted one waits for the next transaction", "c@d.test e@d.test", NULL, "RCPT#2=452 4.5.3 full",
     "1:R250,-", NULL},
    {"552 behind an accepted one likewise", "c@d.test e@d.test", NULL, "RCPT#2=552 full", "1:R250,-", NULL},
    {"452 for the first", "c@d.test e@d.test", NULL, "RCPT#1=452 4.5.3 full", "1:T452,R250", NULL},
    {"452 is not in what DATA refuses", "c@d.test e@d.test", NULL, "RCPT#2=452 4.5.3 full;DATA=554 no", "1:F554,-",
     NULL},
    {"452 is not in what is lost", "c@d.test e@d.test", NULL, "RCPT#2=452 4.5.3 full;TEXT=close", "1:T451,-", NULL},

    {"DATA 451", "c@d.test", NULL, "DATA=451 4.3.0 no", "1:T451", HELLO MAILS "RCPT TO:<c@d.test>|DATA|RSET|QUIT|"},
    {"DATA 554", "c@d.test", NULL, "DATA=554 5.7.1 no", "1:F554", HELLO MAILS "RCPT TO:<c@d.test>|DATA|RSET|QUIT|"},
    {"DATA 250 is no delivery", "c@d.test", NULL, "DATA=250 thanks", "1:T250",
     HELLO MAILS "RCPT TO:<c@d.test>|DATA|RSET|QUIT|"},
    {"DATA 421", "c@d.test", NULL, "DATA=421 bye", "1:T421", HELLO MAILS "RCPT TO:<c@d.test>|DATA|-|"},
    {"DATA close", "c@d.test", NULL, "DATA=close", "1:T451", NULL},
    {"DATA 354 with nobody accepted", "c@d.test", NULL, "RCPT=550 no;DATA=354 go on;TEXT=554 nobody", "1:F550", ONE},
    {"DATA 354 behind a refused MAIL", "c@d.test", NULL, "MAIL=550 no;DATA=354 go on;TEXT=554 nobody", "1:F550", ONE},
    {"DATA 354 with nobody, twice", "c@d.test", NULL, "RCPT=550 no;DATA=354 go on;TEXT=250 fine", "1:F550 2:F550", NULL,
     2},

    {"end 451", "c@d.test", NULL, "TEXT=451 4.3.0 no", "1:T451", ONE},
    {"end 552", "c@d.test", NULL, "TEXT=552 5.3.4 no", "1:F552", ONE},
    {"end 554", "c@d.test", NULL, "TEXT=554 5.6.0 no", "1:F554", ONE},
    {"end 503", "c@d.test", NULL, "TEXT=503 what", "1:T503", ONE},
    {"end 354 is nonsense", "c@d.test", NULL, "TEXT=354 go on", "1:T354", ONE},
    {"end 421", "c@d.test", NULL, "TEXT=421 4.3.2 bye", "1:T421", HELLO MAILS "RCPT TO:<c@d.test>|DATA|-|"},
    {"end close", "c@d.test", NULL, "TEXT=close", "1:T451", HELLO MAILS "RCPT TO:<c@d.test>|DATA|-|"},
    {"end junk", "c@d.test", NULL, "TEXT=junk", "1:T451", NULL},
    {"end hang", "c@d.test", NULL, "TEXT=hang", "1:T451", NULL, 0, false, "\nsend { end-time = \"300ms\" }\n"},
    {"MAIL hang", "c@d.test", NULL, "MAIL=hang", "1:T451", NULL, 0, false, "\nsend { command-time = \"300ms\" }\n"},
    {"refused while the text is sent", "c@d.test", NULL, "TEXT=early 552 5.3.4 too big", "1:F552", NULL},
    {"put off while the text is sent", "c@d.test", NULL, "TEXT=early 452 4.3.1 full", "1:T452", NULL},

    {"two messages, one connection", "c@d.test", NULL, NULL, "1:R250 2:R250",
     HELLO MAILS "RCPT TO:<c@d.test>|DATA|" MAILS "RCPT TO:<c@d.test>|DATA|QUIT|", 2},
    {"the next one is not touched by a refusal", "c@d.test", NULL, "TEXT#1=554 no", "1:F554 2:R250 3:R250", NULL, 3},
    {"the next one is begun when 421 comes", "c@d.test", NULL, "TEXT#1=421 bye", "1:T421 2:- 3:-", NULL, 3},
    {"the next one is begun when the connection ends", "c@d.test", NULL, "TEXT#1=close", "1:T451 2:- 3:-", NULL, 3},
    {"the connection ends between two", "c@d.test", "SIZE", "MAIL#2=close", "1:R250 2:- 3:-", NULL, 3},
    {"421 between two", "c@d.test", NULL, "MAIL#2=421 4.7.0 enough", "1:R250 2:- 3:-", NULL, 3},
    {"421 to RCPT of the second", "c@d.test", NULL, "RCPT#2=421 4.7.0 enough", "1:R250 2:T421 3:-", NULL, 3},
    {"all refused, then the next", "c@d.test", NULL, "RCPT#1=550 no", "1:F550 2:R250", NULL, 2},
    {"DATA refused, then the next", "c@d.test", NULL, "DATA#1=451 no", "1:T451 2:R250", NULL, 2},
    {"RSET close", "c@d.test", NULL, "RCPT#1=550 no;RSET=close", "1:F550 2:-", NULL, 2},

    {"other senders go apart", "c@d.test e@d.test<z@z.test f@d.test", NULL, NULL, "1:R250,-,R250", NULL},
    {"... and are not hit by MAIL", "c@d.test e@d.test<z@z.test", NULL, "MAIL=550 no", "1:F550,-", NULL},
    {"... nor by a lost connection", "c@d.test e@d.test<z@z.test", NULL, "DATA=close", "1:T451,-", NULL},

    {"RCPTMAX", "c@d.test e@d.test f@d.test", "PIPELINING,LIMITS RCPTMAX=2", NULL, "1:R250,R250,-", NULL},
    {"RCPTDOMAINMAX", "c@d.test e@o.test f@d.test g@O.test", "LIMITS RCPTDOMAINMAX=1", NULL, "1:R250,-,R250,-", NULL},
    {"MAILMAX", "c@d.test", "PIPELINING,LIMITS MAILMAX=2", NULL, "1:R250 2:R250 3:-", NULL, 3},

    {"LMTP", "c@d.test e@d.test", "PIPELINING", NULL, "1:R250,R250",
     "LHLO relay.test|MAIL FROM:<a@b.test>|RCPT TO:<c@d.test>|RCPT TO:<e@d.test>|DATA|QUIT|", 0, true},
    {"LMTP, one answer each", "c@d.test e@d.test f@d.test", "PIPELINING", "TEXT#2=550 5.2.2 full;TEXT#3=451 no",
     "1:R250,F550,T451", NULL, 0, true},
    {"LMTP, answers only for the accepted", "c@d.test e@d.test f@d.test", "PIPELINING", "RCPT#1=550 no;TEXT#1=451 no",
     "1:F550,T451,R250 2:R250,R250,R250", NULL, 2, true},
    {"LMTP, overlap", "c@d.test e@d.test", "PIPELINING", "TEXT#1=452 no;TEXT#4=550 no", "1:T452,R250 2:R250,F550", NULL,
     2, true},
    {"LMTP, lost between answers", "c@d.test e@d.test", "PIPELINING", "TEXT#2=close", "1:R250,T451 2:-,-", NULL, 2,
     true},
    {"LMTP, 421 between answers", "c@d.test e@d.test f@d.test", "PIPELINING", "TEXT#2=421 bye", "1:R250,T421,R250",
     NULL, 0, true},
    {"LMTP, 354 with nobody accepted", "c@d.test", "PIPELINING", "RCPT=550 no;DATA=354 go on", "1:F550", NULL, 0, true},
};

static void run_row(const struct row *r)
{
    struct server s = {.lmtp = r->lmtp};
    char text[1024];
    const char *more = r->more ? r->more : "";
    int options = (int)strcspn(more, "\n");
    server_start(&s, r->offers ? r->offers : USUAL, r->script);
    if (r->lmtp)
        snprintf(text, sizeof text, "domain d.test { deliver = \"lmtp://127.0.0.1:%u\" }\n", s.port);
    else
        snprintf(text, sizeof text, "route \"*\" { via = \"smtp://127.0.0.1:%u\" %.*s }%s", s.port, options, more,
                 more + options);
    fake_begin(text);
    for (int i = 0; i < (r->messages ? r->messages : 1); i++)
        fake_add("a@b.test", r->to, PLAIN, sizeof PLAIN - 1, 0);
    fake_run(r->lmtp ? "domain d.test" : "route *");
    same("fates", r->name, buf_str(&fake.fates), r->fates);
    while (s.open)
        CHECK(fiber_sleep(rt_after(RT_MS)) == OK);
    if (r->said)
        same("what was said", r->name, buf_str(&s.said), r->said);
    same("fault", r->name, str_c(s.why), "");
    server_stop(&s);
    fake_end();
}

static void all_rows(void *arg, int index)
{
    (void)arg;
    (void)index;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        run_row(&rows[i]);
    rt_stop();
}

static void every_step(void **state)
{
    (void)state;
    world(1, all_rows);
}

/* ---- what a table does not say --------------------------------------------------------------------------------- */

static struct server server;
static char big[4 << 20];

static void open_world(const char *offers, const char *script, const char *more)
{
    char text[1024];
    server = (struct server){0};
    server_start(&server, offers, script);
    snprintf(text, sizeof text, "route \"*\" { via = \"smtp://127.0.0.1:%u\" }\n%s", server.port, more);
    fake_begin(text);
}

static void close_world(const char *name, const char *fates)
{
    same("fates", name, buf_str(&fake.fates), fates);
    while (server.open)
        CHECK(fiber_sleep(rt_after(RT_MS)) == OK);
    same("fault", name, str_c(server.why), "");
    server_stop(&server);
    fake_end();
}

static void fill_big(void)
{
    size_t n = (size_t)snprintf(big, sizeof big, "Subject: big\r\n\r\n");
    while (n + 80 < sizeof big)
        n += (size_t)snprintf(big + n, 81, "%076zu\r\n", n);
    memset(big + n, 'x', sizeof big - n - 2);
    big[sizeof big - 2] = '\r';
    big[sizeof big - 1] = '\n';
}

/* A server that says its word in the middle of a large message, and closes. */
static void early_case(const char *offers, uint32_t flags, const char *script, const char *fates)
{
    open_world(offers, script, "");
    fake_add("a@b.test", "c@d.test", big, sizeof big, flags);
    fake_run("route *");
    CHECK(server.texts.n == 0 && fake.down == OK);
    close_world(script, fates);
}

static void early(void *arg, int index)
{
    (void)arg;
    (void)index;
    fill_big();
    early_case("SIZE", 0, "TEXT=early 552 5.3.4 too big", "1:F552");
    early_case("SIZE", 0, "TEXT=early 452 4.3.1 full", "1:T452");
    early_case("SIZE", 0, "TEXT=early 250 thanks", "1:T451"); /* not believed */
    early_case("SIZE,PIPELINING", 0, "TEXT=early 421 bye", "1:T421");
    early_case("8BITMIME,CHUNKING", ENV_8BIT_BODY, "TEXT=early 552 5.3.4 too big", "1:F552");
    rt_stop();
}

static void early_replies(void **state)
{
    (void)state;
    world(1, early);
}

/* A message that cannot be read to its end never looks whole. */
static void unreadable(void *arg, int index)
{
    (void)arg;
    (void)index;
    fill_big();
    for (int bdat = 0; bdat < 2; bdat++) {
        open_world(bdat ? "8BITMIME,CHUNKING" : "PIPELINING", NULL, "");
        for (int i = 0; i < 3; i++)
            fake_add("a@b.test", "c@d.test", big, sizeof big, bdat ? ENV_8BIT_BODY : 0);
        fake.read = E_CORRUPT;
        fake_run("route *");
        CHECK(server.texts.n == 0);
        holds("texts", "unreadable", buf_str(&fake.texts), "stored data is damaged while sending the message");
        close_world("unreadable", "1:T451 2:- 3:-");
    }
    open_world("PIPELINING", NULL, "");
    fake_add("a@b.test", "c@d.test", PLAIN, sizeof PLAIN - 1, 0);
    fake_add("a@b.test", "c@d.test", PLAIN, sizeof PLAIN - 1, 0);
    fake.open = E_NOT_FOUND;
    fake_run("route *");
    close_world("missing", "1:T451 2:R250");
    rt_stop();
}

static void messages_that_cannot_be_read(void **state)
{
    (void)state;
    world(1, unreadable);
}

/* More recipients than a transaction takes, with replies longer than any buffer. */
static void crowd(void *arg, int index)
{
    (void)arg;
    (void)index;
    static char to[RCPTS_MAX * 16], script[1024];
    size_t n = 0;
    for (int i = 0; i < RCPTS_MAX; i++)
        n += (size_t)snprintf(to + n, sizeof to - n, "%sr%d@d.test", i ? " " : "", i);
    snprintf(script, sizeof script, "RCPT=250-%0*d/250-%0*d/250 ok", 400, 0, 400, 0);
    open_world("PIPELINING", script, "queue { recipients-per-message = 10000 }\n");
    struct message *m = fake_add("a@b.test", to, PLAIN, sizeof PLAIN - 1, 0);
    CHECK(m->nto == RCPTS_MAX);
    fake_run("route *");
    same("replies", "crowd", str_sub(buf_str(&fake.texts), 0, 26), "250 2.0.0 taken [127.0.0.1");
    size_t lines = 0;
    for (size_t i = 0; i < fake.texts.n; i++)
        lines += fake.texts.p[i] == '\n';
    CHECK(lines == TRANS_RCPT_MAX); /* the others go in the next transaction */
    close_world("crowd", "1:R250,R250,R250,R250,R250,R250,R250,R250");
    rt_stop();
}

static void many_recipients(void **state)
{
    (void)state;
    world(1, crowd);
}

/* A connection that waits for work: the server closes it, or speaks. */
static void idle_case(const char *name, bool closes, const char *fates)
{
    open_world("PIPELINING", NULL, "queue { idle-time = \"5s\" }\n");
    fake_add("a@b.test", "c@d.test", PLAIN, sizeof PLAIN - 1, 0);
    fake_add("a@b.test", "c@d.test", PLAIN, sizeof PLAIN - 1, 0);
    fake.pause = 2;
    fake.idle = 200 * RT_MS;
    server.idle_end = closes ? 50 * RT_MS : 0;
    fake_run("route *");
    CHECK(fake.down == OK && server.connections == 1);
    close_world(name, fates);
}

static void idle(void *arg, int index)
{
    (void)arg;
    (void)index;
    idle_case("kept", false, "1:R250 2:R250");
    idle_case("closed while idle", true, "1:R250 2:-");
    rt_stop();
}

static void idle_connections(void **state)
{
    (void)state;
    world(1, idle);
}

/* Rules before an attempt: what they decide stands whatever becomes of the connection, the rest is as ever. */
static const struct {
    const char *rules, *to, *script, *fates;
    int messages;
} judged_rows[] = {
    {"rule a { if = \"recipient is g@d.test\" at = \"route\" then = \"redirect new@d.test\" }", "g@d.test s@d.test", "",
     "1:Pnew,R250", 1},
    {"rule a { if = \"recipient is g@d.test\" at = \"deliver\" then = \"redirect new@d.test\" }", "g@d.test", "",
     "1:Pnew 2:Pnew", 2},
    {"rule a { if = \"recipient is g@d.test\" at = \"route\" then = \"redirect G@D.test\" }", "g@d.test", "", "1:R250",
     1},
    {"rule a { if = \"recipient is g@d.test\" at = \"route\" then = \"accept\" }\n"
     "rule b { at = \"route\" then = \"refuse\" }",
     "g@d.test s@d.test", "", "1:R250,F550", 1},
    {"rule a { if = \"recipient is g@d.test\" at = \"route\" then = \"redirect new@d.test\" }", "g@d.test s@d.test",
     "TEXT#1=close", "1:Pnew,T451 2:Pnew,-", 2},
    {"rule a { if = \"recipient is g@d.test\" at = \"route\" then = \"redirect new@d.test\" }", "g@d.test s@d.test",
     "GREETING=421 later", "1:Pnew,T421 2:Pnew,T421", 2},
    {"rule a { if = \"recipient is g@d.test\" at = \"route\" then = \"discard\" }\n"
     "rule b { if = \"recipient is s@d.test\" at = \"route\" then = \"hold\" }",
     "g@d.test s@d.test", "GREETING=421 later", "1:R250,H", 1},
    {"rule a { at = \"deliver\" then = \"refuse\" }", "g@d.test", "GREETING=421 later", "1:T421", 1},
};

static void judged_row(void *arg, int index)
{
    (void)arg;
    (void)index;
    for (size_t i = 0; i < sizeof judged_rows / sizeof *judged_rows; i++) {
        open_world("PIPELINING", judged_rows[i].script, judged_rows[i].rules);
        for (int n = 0; n < judged_rows[i].messages; n++)
            fake_add("a@b.test", judged_rows[i].to, PLAIN, sizeof PLAIN - 1, 0);
        fake_run("route *");
        close_world(judged_rows[i].script, judged_rows[i].fates);
    }
    rt_stop();
}

static void rules_decide(void **state)
{
    (void)state;
    world(1, judged_row);
}

/* A stop: what was not sent is as if never taken, what was begun is ended. */
static void stop_late(void *arg)
{
    (void)arg;
    fiber_sleep(rt_after(100 * RT_MS));
    rt_stop();
}

static void stopped_case(const char *script, const char *fates)
{
    open_world("PIPELINING", script, "");
    for (int i = 0; i < 3; i++)
        fake_add("a@b.test", "c@d.test", PLAIN, sizeof PLAIN - 1, 0);
    CHECK(fiber_spawn(stop_late, NULL, "stop"));
    struct lease l = {.key = "route *"};
    fiber_shield(true);
    CHECK(send_start(NULL, &l));
    fake.waiter = fiber_self();
    while (!fake.ended)
        CHECK(fiber_park(rt_after(10 * RT_S)) == OK);
    fake.fates.n -= fake.fates.n > 0;
    same("fates", script, buf_str(&fake.fates), fates);
    CHECK(fake.down == OK || fake.down == E_CANCELLED);
    _exit(0);
}

static void stop_greeting(void *arg, int index) { (void)arg, (void)index, stopped_case("GREETING=hang", ""); }
static void stop_mail(void *arg, int index) { (void)arg, (void)index, stopped_case("MAIL=hang", "1:- 2:- 3:-"); }
static void stop_rcpt(void *arg, int index) { (void)arg, (void)index, stopped_case("RCPT=hang", "1:- 2:- 3:-"); }

static void stops(void **state)
{
    (void)state;
    world(1, stop_greeting);
    world(1, stop_mail);
    world(1, stop_rcpt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_step),
                                       cmocka_unit_test(early_replies),
                                       cmocka_unit_test(messages_that_cannot_be_read),
                                       cmocka_unit_test(many_recipients),
                                       cmocka_unit_test(idle_connections),
                                       cmocka_unit_test(rules_decide),
                                       cmocka_unit_test(stops)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
