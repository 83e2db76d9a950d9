/* A session with a filter that a script plays: what it hears, what its answers mean, and every way in which it can
 * fail. */
#include "rt/test_world.h"

#include "base/cleanup.h"
#include "milter/milter.h"

#include <stdio.h>
#include <sys/un.h>

/*
 * The script of a filter: words separated by blanks. A capital letter: that packet must come next (macros are noted and
 * passed over). "=text": send a packet, its first octet what it is, '~' is a NUL. "#": the connection ends. "!text":
 * raw octets. "z": nothing comes any more (until the test ends). "|": the next connection.
 */
struct fake {
    const char *script;
    struct buf heard; /* the packets, a line each, NUL as '~' */
    struct buf macros;
    unsigned connections;
    bool done;
    struct fiber *waiter;
};

static char path[108];

static void send_packet(struct conn *c, str text)
{
    char mem[4096];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    milter_put_u32(&b, (uint32_t)text.n);
    for (size_t i = 0; i < text.n; i++)
        buf_add_char(&b, text.p[i] == '~' ? 0 : text.p[i] == '_' ? ' ' : text.p[i]);
    CHECK(!b.e);
    conn_write(c, buf_str(&b));
    conn_flush(c);
}

static bool hear(struct fake *k, struct conn *c, struct buf *in, char want)
{
    for (;;) {
        char what;
        str data;
        size_t used, got;
        enum milter_frame f = milter_frame(buf_str(in), &what, &data, &used);
        CHECK(f != MILTER_BROKEN);
        if (f == MILTER_MORE) {
            char *p = buf_room(in, 4096);
            CHECK(p);
            if (conn_read(c, p, 4096, &got) != OK)
                return false;
            in->n += got;
            continue;
        }
        struct buf *to = what == MILTER_MACROS ? &k->macros : &k->heard;
        buf_add_char(to, what);
        if (what == MILTER_BODY && data.n > 100)
            buf_printf(to, "%zu", data.n);
        else
            for (size_t i = 0; i < data.n; i++)
                buf_add_char(to, data.p[i] ? data.p[i] : '~');
        buf_add_char(to, '\n');
        buf_drop(in, used);
        if (what == MILTER_MACROS)
            continue;
        if (what != want)
            fprintf(stderr, "heard '%c', expected '%c'\n", what, want);
        CHECK(what == want);
        return true;
    }
}

/* False: the script is at its end. */
static bool play(struct fake *k, struct conn *c, str *rest)
{
    struct buf in;
    buf_init(&in, 1 << 20);
    bool more = false;
    str word;
    while (str_cut(rest, ' ', &word)) {
        if (str_eq(word, S("|")) || str_eq(word, S("#"))) {
            more = rest->p != NULL;
            break;
        }
        if (str_eq(word, S("z")))
            (void)fiber_sleep(rt_after(3 * RT_S));
        else if (word.p[0] == '=')
            send_packet(c, str_skip(word, 1));
        else if (word.p[0] == '!')
            conn_write(c, str_skip(word, 1)), conn_flush(c);
        else if (!hear(k, c, &in, word.p[0]))
            break;
    }
    buf_free(&in);
    return more;
}

static void filter(void *arg)
{
    struct fake *k = arg;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct io listener = IO_NONE;
    int fd;
    snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    CHECK(rt_listen((struct sockaddr *)&un, sizeof un, false, 5, &fd) == OK);
    CHECK(io_attach(&listener, fd) == OK);
    str rest = str_c(k->script);
    bool more = true;
    while (more) {
        struct conn c;
        struct sockaddr_storage peer;
        if (io_accept(&listener, &fd, &peer) != OK)
            break;
        k->connections++;
        CHECK(conn_init(&c, fd, NULL) == OK);
        c.deadline = rt_after(10 * RT_S);
        more = play(k, &c, &rest);
        conn_close(&c);
    }
    io_close(&listener);
    unlink(path);
    k->done = true;
    if (k->waiter)
        fiber_wake(k->waiter);
}

static str macro(void *arg, str name)
{
    (void)arg;
    if (str_eq(name, S("j")))
        return S("mx.test");
    if (str_eq(name, S("client_addr")))
        return S("192.0.2.7");
    if (str_eq(name, S("i")))
        return S("id1");
    if (str_eq(name, S("mail_addr")))
        return S("a@b");
    return (str){0};
}

static struct fake fake;
static struct conf_milter conf;
static struct milter *m;
static struct milter_verdict v;
static struct arena mem;
static struct milter_result got;

/* What the filter heard, and what came of it. */
static void forget(void)
{
    arena_free(&mem);
    buf_free(&fake.heard);
    buf_free(&fake.macros);
}

/* A new filter, and a session with it that keeps its connection for `idle` after its end. */
static void begin(const char *script, rt_time idle)
{
    forget();
    fake = (struct fake){.script = script};
    buf_init(&fake.heard, 1 << 20);
    buf_init(&fake.macros, 1 << 20);
    snprintf(path, sizeof path, "/tmp/milter_test.%d", getpid());
    unlink(path);
    conf = (struct conf_milter){.title = S("x"),
                                .address = str_c(path),
                                .path = str_c(path),
                                .host = S(""),
                                .connect_time = 300 * RT_MS,
                                .time = 300 * RT_MS,
                                .end_time = 300 * RT_MS,
                                .whole_time = 5 * RT_S,
                                .idle_time = idle};
    arena_init(&mem, 1024, 1 << 20);
    CHECK(fiber_spawn(filter, &fake, "filter"));
    fiber_yield();
    m = milter_new(&conf, macro, NULL);
    CHECK(m);
}

/* The session ends, and the filter with it. */
static void end(void)
{
    milter_free(&m);
    fake.waiter = fiber_self();
    while (!fake.done && fiber_park(rt_after(5 * RT_S)) == OK)
        ;
    fake.waiter = NULL;
}

static const struct milter_who who = {.name = S_INIT("client.test")};
static err hello(void)
{
    struct milter_who w = who;
    CHECK(ip_parse(S("192.0.2.7"), &w.client.ip));
    w.client.port = 4711;
    err e = milter_connect(m, &w, &v);
    return e || v.outcome != MILTER_GO_ON ? e : milter_helo(m, S("helo.test"), &v);
}

/* Each step when those before it decided nothing. */
#define STEP(e, call) (!(e) && v.outcome == MILTER_GO_ON ? (call) : (e))

static err envelope(void)
{
    err e = milter_mail(m, S("<a@b>"), S("SIZE=1"), &v);
    e = STEP(e, milter_rcpt(m, S("<c@d>"), S(""), &v));
    return STEP(e, milter_data(m, &v));
}

static err message(void)
{
    err e = hello();
    e = STEP(e, envelope());
    e = STEP(e, milter_head(m, S("Subject: x\r\n y\r\nTo:\tz\r\n\r\n"), &v));
    if (milter_wants_body(m))
        e = STEP(e, milter_body(m, S("line\r\n"), &v));
    return STEP(e, milter_eom(m, &mem, 1000, &got, &v));
}

static bool heard(const char *want)
{
    bool ok = str_eq(buf_str(&fake.heard), str_c(want));
    if (!ok)
        fprintf(stderr, "heard:\n" STR_FMT, STR_ARG(buf_str(&fake.heard)));
    return ok;
}

#define TERMS "=O~~~\006~~\001\xff~~~~" /* all changes, all steps */
/* Scripts of what goes well, until HELO was answered, DATA, the end of the header. */
#define HELO "O " TERMS " C =c H =c "
#define DATA HELO "M =c R =c T =c "
#define HEAD DATA "L =c L =c N =c "
#define OFFER "O~~~\006~~\001\xff~\037\xff\xff\n"

static void one_message(void)
{
    begin(HELO "M =c R =c R =y550-5.7.1_one\r\n550_5.7.1_two~ T =c L =c L =c N =c B =c E =hX-A~b~ =i~~~\001X-B~c~ "
               "=m~~~\001To~~ =e<>~ =+<e@f>~ =2<g@h>~NOTIFY=NEVER~ =-<c@d>~ =bnew\n =bbody\r =b\nx =qwhy~ =p =c K",
          60 * RT_S);
    CHECK(hello() == OK && v.outcome == MILTER_GO_ON);
    CHECK(milter_mail(m, S("<a@b>"), S("SIZE=1 BODY=7BIT"), &v) == OK);
    CHECK(milter_rcpt(m, S("<c@d>"), S(""), &v) == OK && v.outcome == MILTER_GO_ON);
    CHECK(milter_rcpt(m, S("<no@d>"), S("NOTIFY=NEVER"), &v) == OK && v.outcome == MILTER_REFUSE);
    CHECK(v.reply.code == 550 && str_eq(reply_text(&v.reply), S("one\ntwo")));
    CHECK(milter_data(m, &v) == OK && v.outcome == MILTER_GO_ON);
    CHECK(milter_head(m, S("Subject: x\r\n y\r\nTo:\tz\r\n\r\n"), &v) == OK && v.outcome == MILTER_GO_ON);
    CHECK(milter_wants_body(m));
    CHECK(milter_body(m, S("line\r\n"), &v) == OK);
    CHECK(milter_eom(m, &mem, 1000, &got, &v) == OK && v.outcome == MILTER_GO_ON);
    const struct milter_change *c = got.changes;
    for (const char *said = "hime+2-"; *said; said++, c = c->next)
        CHECK(c && c->said == (enum milter_said) * said);
    CHECK(!c && str_eq(got.quarantine, S("why")) && got.progress);
    size_t at = 0;
    str piece;
    struct buf body;
    buf_init(&body, 100);
    while (body_piece(got.body, &at, &piece))
        buf_add(&body, piece);
    CHECK(str_eq(buf_str(&body), S("new\r\nbody\r\nx\r\n")));
    buf_free(&body);
    body_drop(&got.body);
    milter_abort(m); /* nothing to say: the message ended */
    end();
    CHECK(heard(OFFER "Cclient.test~4\022g192.0.2.7~\nHhelo.test~\nM<a@b>~SIZE=1~BODY=7BIT~\nR<c@d>~\nR<no@d>~"
                      "NOTIFY=NEVER~\nT\nLSubject~x\n y~\nLTo~\tz~\nN\nBline\r\n\nE\nK\n"));
    CHECK(str_eq(buf_str(&fake.macros),
                 S("DCj~mx.test~{client_addr}~192.0.2.7~\nDMi~id1~{mail_addr}~a@b~"
                   "{client_addr}~192.0.2.7~\nDRi~id1~\nDRi~id1~\nDTi~id1~\nDNi~id1~\nDEi~id1~\n")));
}

/* Two sessions on one connection; the filter wants few steps, its own macros and leading blanks, and is silent often.
 */
static void kept(void)
{
    /* no connect, helo, data, unknown; no answer to fields; leading space */
    begin("O =O~~~\006~~\001\020~\020\003\203~~~\002i_{nothing}~ M =c R =c L L N =c B =c E =c K M =t A Q", 60 * RT_S);
    CHECK(message() == OK && v.outcome == MILTER_GO_ON && !got.changes && !got.body);
    CHECK(milter_unknown(m, S("XYZ"), &v) == OK && v.outcome == MILTER_GO_ON);
    milter_free(&m);
    m = milter_new(&conf, macro, NULL);
    CHECK(hello() == OK && fake.connections == 1);
    CHECK(milter_mail(m, S("<a@b>"), S(""), &v) == OK && v.outcome == MILTER_REFUSE && v.reply.code == 451);
    CHECK(milter_rcpt(m, S("<c@d>"), S(""), &v) == OK && v.outcome == MILTER_GO_ON); /* it is not asked */
    conf.idle_time = 0;
    end();
    CHECK(heard(OFFER "M<a@b>~SIZE=1~\nR<c@d>~\nLSubject~ x\n y~\nLTo~\tz~\nN\nBline\r\n\nE\nK\nM<a@b>~\n"
                      "A\nQ\n"));
}

/* A connection that ended while it was kept: the next session does not notice. */
static void stale(void)
{
    begin(HEAD "B =c E =c K C # O " TERMS " C =a Q", 60 * RT_S);
    CHECK(message() == OK);
    milter_free(&m);
    m = milter_new(&conf, macro, NULL);
    CHECK(milter_connect(m, &who, &v) == OK && v.outcome == MILTER_TAKE && fake.connections == 2);
    CHECK(milter_helo(m, S("x"), &v) == OK && v.outcome == MILTER_GO_ON);
    CHECK(milter_mail(m, S("<a@b>"), S(""), &v) == OK && v.outcome == MILTER_GO_ON);
    conf.idle_time = 0;
    end();
}

/* The body goes out in pieces of 65,535 octets; "skip" ends it. */
static void pieces(void)
{
    static char big[3 * MILTER_BODY_MAX];
    memset(big, 'x', sizeof big);
    begin(DATA "L =c N =c B =c B =s E =c M =c R =c T =c L =c N =c B =c B =c E =c Q", 0);
    CHECK(hello() == OK);
    for (int i = 0; i < 2; i++) {
        CHECK(envelope() == OK && milter_head(m, S("A: b\r\n\r\n"), &v) == OK);
        if (i)
            CHECK(milter_body(m, str_mem(big, MILTER_BODY_MAX + 1), &v) == OK);
        else
            CHECK(milter_body(m, str_mem(big, sizeof big), &v) == OK && !milter_wants_body(m));
        CHECK(milter_eom(m, &mem, 0, &got, &v) == OK && v.outcome == MILTER_GO_ON);
    }
    end();
    CHECK(str_search(buf_str(&fake.heard), S("B65535\nB65535\nE")) != STR_NONE);
    CHECK(str_search(buf_str(&fake.heard), S("B65535\nBx\nE")) != STR_NONE);
}

/* What each answer means, and each way to fail. */
static const struct row {
    const char *script;
    err e;
    enum milter_outcome outcome;
    int code;
    const char *why;
} rows[] = {
    {"O " TERMS " C =r Q", OK, MILTER_REFUSE, 550, ""},
    {"O " TERMS " C =c H =t Q", OK, MILTER_REFUSE, 451, ""},
    {"O " TERMS " C =c H =y421_4.7.0_bye~ Q", OK, MILTER_CLOSE, 421, ""},
    {HELO "M =4 A Q", OK, MILTER_CLOSE, 421, ""},
    {HELO "M =f A Q", OK, MILTER_CLOSE, 421, ""},
    {HELO "M =d A Q", OK, MILTER_DISCARD, 0, ""},
    {HELO "M =c R =d A Q", OK, MILTER_DISCARD, 0, ""},
    {HELO "M =c R =c T =r A Q", OK, MILTER_REFUSE, 550, ""},
    {DATA "L =t A Q", OK, MILTER_REFUSE, 451, ""},
    {DATA "L =c L =c N =y554_no~ A Q", OK, MILTER_REFUSE, 554, ""},
    {HEAD "B =a A Q", OK, MILTER_TAKE, 0, ""},
    {DATA "L =p =p =c L =c N =c B =c E =d Q", OK, MILTER_DISCARD, 0, ""},
    {HEAD "B =c E =hA~b~ =r Q", OK, MILTER_REFUSE, 550, ""},
    {DATA "L =s N =c B =c E =c Q", OK, MILTER_GO_ON, 0, ""},

    {"O #", E_CLOSED, MILTER_GO_ON, 0, "negotiating: connection closed by the peer"},
    {"O z", E_TIMEOUT, MILTER_GO_ON, 0, "negotiating: timed out"},
    {"O =c", E_PROTOCOL, MILTER_GO_ON, 0, "its answer to the negotiation is another one"},
    {"O =O~~~\001~~~~~~~~", E_PROTOCOL, MILTER_GO_ON, 0, "it speaks another version of the protocol"},
    {"O =O~~~\006~~\x03~~~~~", E_PROTOCOL, MILTER_GO_ON, 0, "it wants to change what no server offers"},
    {"O !HTTP/1.1", E_PROTOCOL, MILTER_GO_ON, 0, "negotiating: the peer broke the protocol"},
    {"O " TERMS " C z", E_TIMEOUT, MILTER_GO_ON, 0, "waiting for the answer to connect: timed out"},
    {"O " TERMS " C =d", E_PROTOCOL, MILTER_GO_ON, 0, "connect: this answer may not stand here"},
    {"O " TERMS " C =c H #", E_CLOSED, MILTER_GO_ON, 0,
     "waiting for the answer to HELO: connection closed by the peer"},
    {HELO "M =Z", E_PROTOCOL, MILTER_GO_ON, 0, "MAIL: it answers what is not in the protocol"},
    {HELO "M =y250_ok~", E_PROTOCOL, MILTER_GO_ON, 0, "MAIL: this answer may not stand here"},
    {HELO "M =c R =hA~b~", E_PROTOCOL, MILTER_GO_ON, 0, "RCPT: this answer may not stand here"},
    {HELO "M =c R =c T #", E_CLOSED, MILTER_GO_ON, 0, "waiting for the answer to DATA: connection closed by the peer"},
    {DATA "L z", E_TIMEOUT, MILTER_GO_ON, 0, "waiting for the answer to a header field: timed out"},
    {DATA "L =c L =c N !~ z", E_TIMEOUT, MILTER_GO_ON, 0, "waiting for the answer to the end of the header: timed out"},
    {HEAD "B #", E_CLOSED, MILTER_GO_ON, 0,
     "waiting for the answer to a piece of the body: connection closed by the peer"},
    {HEAD "B =c E =hA~b~ #", E_CLOSED, MILTER_GO_ON, 0,
     "waiting for the answer to the end of the message: connection closed by the peer"},
    {HEAD "B =c E =p z", E_TIMEOUT, MILTER_GO_ON, 0, "waiting for the answer to the end of the message: timed out"},
    {HEAD "B =c E =s", E_PROTOCOL, MILTER_GO_ON, 0, "end of message: this answer may not stand here"},
    {HEAD "B =c E =hA~b", E_PROTOCOL, MILTER_GO_ON, 0, "end of message: what it answers is malformed"},
    {"O =O~~~\006~~~\001~~~~ C =c H =c M =c R =c T =c L =c L =c N =c B =c E =bx", E_PROTOCOL, MILTER_GO_ON, 0,
     "end of message: it changes what it did not negotiate"},
};

static const struct row *row;

static void one_row(void)
{
    begin(row->script, 0);
    err e = message();
    str why = milter_why(m);
    if (e != row->e || (!e && (v.outcome != row->outcome || v.reply.code != row->code)) ||
        (e && !str_eq(why, str_c(row->why))))
        fprintf(stderr, "%s: %s, outcome %d %d, why \"" STR_FMT "\"\n", row->script, err_name(e), v.outcome,
                v.reply.code, STR_ARG(why));
    CHECK(e == row->e);
    CHECK(e ? str_eq(why, str_c(row->why)) : v.outcome == row->outcome && v.reply.code == row->code);
    CHECK(!got.changes && !got.body && !got.quarantine.p);
    CHECK(milter_failed(m) == (e != OK));
    if (e) /* nothing more is asked in this message */
        CHECK(milter_rcpt(m, S("<c@d>"), S(""), &v) == E_CLOSED && v.outcome == MILTER_GO_ON);
    end();
}

/* Limits: octets of changes, of a new body, and their number. */
static void limits(void)
{
    static const struct {
        const char *end;
        uint64_t most;
        err e;
    } v3[] = {{" =b1234 =c", 4, OK},
              {" =b1234 =b5 =c", 4, E_LIMIT},
              {" =hA~123~ =c", 4 + sizeof(struct milter_change), OK},
              {" =hA~123~ =c", 3 + sizeof(struct milter_change), E_LIMIT}};
    for (size_t i = 0; i < sizeof v3 / sizeof *v3; i++) {
        char script[300];
        snprintf(script, sizeof script, DATA "L =c N =c E%s Q", v3[i].end);
        begin(script, 0);
        CHECK(hello() == OK && envelope() == OK && milter_head(m, S("A: b\r\n\r\n"), &v) == OK);
        CHECK(milter_eom(m, &mem, v3[i].most, &got, &v) == v3[i].e);
        CHECK(!v3[i].e == (got.changes || got.body));
        if (v3[i].e)
            CHECK(str_search(milter_why(m), S("more than is allowed")) != STR_NONE);
        body_drop(&got.body);
        end();
    }
}

/* After a failure the next message begins anew, and the filter hears who it is about. */
static void again(void)
{
    begin(HELO "M # " HELO "M =c A Q", 0);
    CHECK(hello() == OK && milter_mail(m, S("<a@b>"), S(""), &v) == E_CLOSED && milter_failed(m));
    CHECK(milter_helo(m, S("helo.test"), &v) == E_CLOSED);
    CHECK(milter_mail(m, S("<b@b>"), S(""), &v) == OK && !milter_failed(m));
    end();
    CHECK(str_ends(buf_str(&fake.heard), S("Hhelo.test~\nM<b@b>~\nA\nQ\n")));
}

/* Refused in connect: the whole session is, without another question. */
static void held(void)
{
    begin("O " TERMS " C =y554_5.7.1_never~ Q", 0);
    CHECK(hello() == OK && v.outcome == MILTER_REFUSE);
    CHECK(milter_helo(m, S("x"), &v) == OK && v.outcome == MILTER_REFUSE && v.reply.code == 554);
    CHECK(milter_mail(m, S("<a@b>"), S(""), &v) == OK && v.outcome == MILTER_REFUSE && v.reply.code == 554);
    end();
}

/* A filter of version 2 hears nothing that came later; one that does not listen fails at once. */
static void old(void)
{
    begin("O =O~~~\002~~~\x3f~~~~ C =c H =c M =c R =c L =c L =c N =c B =c E =c Q", 60 * RT_S);
    CHECK(message() == OK && v.outcome == MILTER_GO_ON);
    CHECK(milter_unknown(m, S("X"), &v) == OK);
    end(); /* version 2 knows no QUIT_NC */
    m = milter_new(&conf, macro, NULL);
    err e = hello();
    CHECK(e && milter_failed(m) && str_starts(milter_why(m), S("connecting: ")));
    milter_free(&m);
}

static void (*the_case)(void);

static void in_world(void *arg, int index)
{
    (void)arg, (void)index;
    the_case();
    forget();
    rt_stop();
}

#define CASE(name)                                                                                                     \
    static void name##_case(void **state)                                                                              \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        the_case = name;                                                                                               \
        world(1, in_world);                                                                                            \
    }
CASE(one_message)
CASE(kept)
CASE(stale)
CASE(pieces)
CASE(limits)
CASE(again)
CASE(held)
CASE(old)

static void answers(void **state)
{
    (void)state;
    the_case = one_row;
    for (row = rows; row < rows + sizeof rows / sizeof *rows; row++)
        world(1, in_world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_message_case), cmocka_unit_test(kept_case), cmocka_unit_test(stale_case),
        cmocka_unit_test(pieces_case),      cmocka_unit_test(answers),   cmocka_unit_test(limits_case),
        cmocka_unit_test(again_case),       cmocka_unit_test(held_case), cmocka_unit_test(old_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
