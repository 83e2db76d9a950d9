/*
 * For tests of send: an SMTP or LMTP server in fibers of the test's own loop. It answers well, except where its script
 * says otherwise, and keeps what it was told.
 *
 * Script: entries separated by ';': STEP=REPLY for every occasion, STEP#N=REPLY for the N-th one (from 1, over all
 * connections). STEP is GREETING, a verb, SECRET (a line that AUTH asked for), or TEXT (the end of the message). REPLY
 * is a reply, "close" (ends the connection), "reset", "hang" (no reply ever), "junk" (a line that is none), "long" (a
 * line without an end). For TEXT also "early REPLY": said when the text has begun, and the connection is closed.
 */
#ifndef SEND_TEST_SERVER_H
#define SEND_TEST_SERVER_H
#include "rt/test_world.h"

#include "base/text.h"
#include "net/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>

struct seen { /* how often a step came */
    char step[16];
    int n;
};

struct server {
    const char *offers; /* words of EHLO, separated by ',' */
    const char *script;
    bool lmtp, tls_first, ipv6;
    struct tls_server *tls; /* for STARTTLS and tls_first */
    uint16_t port;
    rt_time idle_end; /* a connection without a command for so long is closed; 0: never */
    struct buf said;  /* commands, each with '|' behind it; "-" for a connection that ended without QUIT */
    struct buf texts; /* messages as they came, unstuffed, each with '\f' behind it */
    struct buf raw;   /* all octets of texts as they came by DATA */
    int connections, open;
    bool broken; /* something was sent that must never be: see `why` */
    char why[200];
    struct io listener;
    struct fiber *acceptor;
    struct seen seen[24];
};

struct visit { /* one connection */
    struct server *s;
    struct conn c;
    unsigned taken; /* recipients of the transaction */
    bool bdat, secure, eight, binary, utf8;
    struct buf text;
};

static void server_broken(struct server *s, const char *why)
{
    s->broken = true;
    snprintf(s->why, sizeof s->why, "%s", why);
}

static int server_count(struct server *s, str step)
{
    for (size_t i = 0; i < sizeof s->seen / sizeof *s->seen; i++) {
        if (!s->seen[i].n)
            CHECK(str_to_c(step, s->seen[i].step, sizeof s->seen[i].step));
        if (str_ieq(str_c(s->seen[i].step), step))
            return ++s->seen[i].n;
    }
    return 0;
}

/* What the script says to a step; p == NULL: nothing. */
static str server_script(struct server *s, const char *step)
{
    int n = server_count(s, str_c(step));
    str rest = str_c(s->script), entry;
    while (s->script && str_cut(&rest, ';', &entry)) {
        size_t eq = str_find(entry, '=');
        str name = str_sub(entry, 0, eq), number = {"", 0};
        size_t hash = str_find(name, '#');
        if (hash != STR_NONE) {
            number = str_skip(name, hash + 1);
            name = str_sub(name, 0, hash);
        }
        uint64_t want = 0;
        if (str_ieq(name, str_c(step)) && (!number.n || (text_u64(number, &want) && (int)want == n)))
            return str_skip(entry, eq + 1);
    }
    return (str){NULL, 0};
}

/* False: the connection is over. *ret_code is the code of what was said. */
static bool server_say(struct visit *v, str scripted, const char *usual, int *ret_code)
{
    str r = scripted.p ? scripted : str_c(usual);
    *ret_code = 0;
    if (str_eq(r, S("close")))
        return false;
    if (str_eq(r, S("reset"))) {
        struct linger l = {1, 0};
        setsockopt(v->c.io.fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
        return false;
    }
    if (str_eq(r, S("hang"))) {
        str more;
        while (conn_peek(&v->c, &more) == OK)
            conn_took(&v->c, more.n);
        return false;
    }
    if (str_eq(r, S("junk")))
        r = S("hello there");
    if (str_eq(r, S("long"))) {
        for (int i = 0; i < 500; i++)
            conn_write(&v->c, S("250-what a long line this is without an end of any kind "));
        return conn_write(&v->c, S("\r\n250 ok\r\n")) == OK;
    }
    str rest = r, line; /* lines are separated by '/' */
    while (str_cut(&rest, '/', &line)) {
        *ret_code = (int)strtol(line.p, NULL, 10);
        conn_printf(&v->c, STR_FMT "\r\n", STR_ARG(line));
    }
    return v->c.e == OK;
}

static bool server_step(struct visit *v, const char *step, const char *usual, int *ret_code)
{
    return server_say(v, server_script(v->s, step), usual, ret_code);
}

static bool server_ehlo(struct visit *v, const char *verb)
{
    char mem[1024];
    struct buf b;
    int code;
    str rest = str_c(v->s->offers), word;
    buf_init_fixed(&b, mem, sizeof mem - 1);
    buf_add_c(&b, "250-fake.test/");
    while (rest.n && str_cut(&rest, ',', &word))
        if (!(v->secure && str_eq(word, S("STARTTLS"))))
            buf_printf(&b, "250-" STR_FMT "/", STR_ARG(word));
    buf_add_c(&b, "250 HELP");
    mem[b.n] = 0;
    v->taken = 0;
    return server_step(v, verb, mem, &code);
}

static bool server_offers(const struct server *s, const char *word)
{
    return s->offers && str_search(str_c(s->offers), str_c(word)) != STR_NONE;
}

/* The law for octets that arrive: nothing that was not agreed on. */
static void server_judge(struct visit *v, str text, bool by_data)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool bare =
            (c == '\r' && !(i + 1 < text.n && text.p[i + 1] == '\n')) || (c == '\n' && !(i && text.p[i - 1] == '\r'));
        if (c > 127 && !v->eight && !v->binary && !v->utf8)
            server_broken(v->s, "octets above 127 without BODY=8BITMIME");
        if ((bare || !c) && (by_data || !v->binary))
            server_broken(v->s, "a bare CR, a bare LF or NUL");
    }
}

static bool server_end(struct visit *v)
{
    struct server *s = v->s;
    int code;
    buf_add(&s->texts, buf_str(&v->text));
    buf_add_char(&s->texts, '\f');
    buf_clear(&v->text);
    unsigned n = s->lmtp ? v->taken : 1;
    v->taken = 0;
    while (n--)
        if (!server_step(v, "TEXT", "250 2.0.0 taken", &code))
            return false;
    return true;
}

static bool server_early(struct visit *v)
{
    struct server *s = v->s;
    str more, entry = str_c(s->script);
    size_t at = s->script ? str_search(entry, S("TEXT=early ")) : STR_NONE;
    if (at == STR_NONE)
        return false;
    conn_peek(&v->c, &more);
    entry = str_skip(entry, at + 11);
    conn_printf(&v->c, STR_FMT "\r\n", STR_ARG(str_sub(entry, 0, str_find(entry, ';'))));
    conn_flush(&v->c);
    return true;
}

static bool server_data(struct visit *v)
{
    struct buf all;
    int code;
    if (!server_step(v, "DATA", v->taken ? "354 go on" : "554 5.5.1 no valid recipients", &code))
        return false;
    if (code != 354)
        return true;
    if (server_early(v))
        return false;
    buf_init(&all, 1 << 26);
    buf_add(&all, S("\r\n"));
    size_t end = STR_NONE;
    for (str more; end == STR_NONE && conn_peek(&v->c, &more) == OK;) {
        size_t had = all.n;
        buf_add(&all, more);
        end = str_search(str_skip(buf_str(&all), had > 4 ? had - 4 : 0), S("\r\n.\r\n"));
        end += end == STR_NONE ? 0 : had > 4 ? had - 4 : 0;
        conn_took(&v->c, end == STR_NONE ? more.n : end + 5 - had);
    }
    bool whole = end != STR_NONE;
    if (whole) {
        str text = str_sub(buf_str(&all), 2, end + 2), line;
        buf_add(&v->s->raw, text);
        server_judge(v, text, true);
        while (text.n && str_cut(&text, '\n', &line)) {
            buf_add(&v->text, str_starts(line, S(".")) ? str_skip(line, 1) : line);
            buf_add_char(&v->text, '\n');
        }
    }
    buf_free(&all);
    return whole && server_end(v);
}

static bool server_bdat(struct visit *v, str args)
{
    str size;
    uint64_t n;
    int code;
    str_cut(&args, ' ', &size);
    CHECK(text_u64(size, &n));
    if (server_early(v))
        return false;
    while (n) {
        str more;
        if (conn_peek(&v->c, &more) != OK)
            return false;
        more = str_sub(more, 0, n);
        buf_add(&v->text, more);
        conn_took(&v->c, more.n);
        n -= more.n;
    }
    if (!str_ieq(args, S("LAST")))
        return server_step(v, "BDAT", "250 2.0.0 chunk", &code);
    server_judge(v, buf_str(&v->text), false);
    return server_end(v);
}

static void server_mail(struct visit *v, str line)
{
    const struct {
        const char *word, *offer;
        bool *flag;
    } params[] = {{" BODY=8BITMIME", "8BITMIME", &v->eight},
                  {" BODY=BINARYMIME", "BINARYMIME", &v->binary},
                  {" SMTPUTF8", "SMTPUTF8", &v->utf8},
                  {" SIZE=", "SIZE", NULL},
                  {" RET=", "DSN", NULL}};
    for (size_t i = 0; i < sizeof params / sizeof *params; i++) {
        bool has = str_search(line, str_c(params[i].word)) != STR_NONE;
        if (has && !server_offers(v->s, params[i].offer))
            server_broken(v->s, params[i].word);
        if (params[i].flag)
            *params[i].flag = has;
    }
    if (!text_ascii(line) && !v->utf8)
        server_broken(v->s, "a UTF-8 address without SMTPUTF8");
    v->taken = 0;
}

static bool server_command(struct visit *v, str line)
{
    struct server *s = v->s;
    int code = 0;
    str verb, args = line;
    str_cut(&args, ' ', &verb);
    if (str_eq(verb, S("EHLO")) || str_eq(verb, S("LHLO")))
        return server_ehlo(v, verb.p[0] == 'L' ? "LHLO" : "EHLO");
    if (str_eq(verb, S("MAIL"))) {
        server_mail(v, line);
        return server_step(v, "MAIL", "250 2.1.0 ok", &code);
    }
    if (str_eq(verb, S("RCPT"))) {
        if (!text_ascii(line) && !v->utf8)
            server_broken(s, "a UTF-8 address without SMTPUTF8");
        bool on = server_step(v, "RCPT", "250 2.1.5 ok", &code);
        v->taken += code / 100 == 2;
        return on;
    }
    if (str_eq(verb, S("DATA")))
        return server_data(v);
    if (str_eq(verb, S("BDAT")))
        return server_bdat(v, args);
    if (str_eq(verb, S("STARTTLS"))) {
        if (!server_step(v, "STARTTLS", "220 2.0.0 go on", &code) || code != 220)
            return code != 0;
        conn_flush(&v->c);
        v->secure = true;
        return tls_accept(&v->c, s->tls, NULL) == OK;
    }
    if (str_eq(verb, S("QUIT"))) {
        server_step(v, "QUIT", "221 2.0.0 bye", &code);
        return false;
    }
    if (str_eq(verb, S("AUTH")))
        return server_step(v, "AUTH", "235 2.7.0 welcome", &code);
    if (str_eq(verb, S("HELO")) || str_eq(verb, S("RSET")))
        return server_step(v, verb.p[0] == 'H' ? "HELO" : "RSET", "250 2.0.0 ok", &code);
    return server_step(v, "SECRET", "235 2.7.0 welcome", &code); /* what AUTH asked for */
}

static void server_visit(void *arg)
{
    struct visit *v = arg;
    struct server *s = v->s;
    int code;
    bool quit = false;
    v->c.deadline = rt_after(60 * RT_S);
    if (s->tls_first && tls_accept(&v->c, s->tls, NULL) != OK)
        server_broken(s, "no TLS");
    bool on = server_step(v, "GREETING", "220 fake.test ESMTP", &code);
    for (str line; on && conn_readline(&v->c, 60000, &line, NULL) == OK;) {
        v->c.deadline = rt_after(s->idle_end ? s->idle_end : 60 * RT_S);
        quit = str_eq(line, S("QUIT"));
        buf_add(&s->said, line);
        buf_add_char(&s->said, '|');
        on = server_command(v, line);
    }
    if (!quit)
        buf_add(&s->said, S("-|"));
    conn_flush(&v->c);
    conn_close(&v->c);
    buf_free(&v->text);
    free(v);
    s->open--;
}

static void server_accept(void *arg)
{
    struct server *s = arg;
    struct sockaddr_storage peer;
    int fd;
    while (io_accept(&s->listener, &fd, &peer) == OK) {
        struct visit *v = calloc(1, sizeof *v);
        CHECK(v);
        v->s = s;
        buf_init(&v->text, 1 << 26);
        CHECK(conn_init(&v->c, fd, &peer) == OK);
        s->connections++;
        s->open++;
        CHECK(fiber_spawn(server_visit, v, "visit"));
    }
    s->acceptor = NULL;
}

static void server_start(struct server *s, const char *offers, const char *script)
{
    *s = (struct server){.offers = offers, .script = script, .lmtp = s->lmtp, .tls = s->tls, .tls_first = s->tls_first};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_storage here;
    struct ip_port port;
    int fd;
    buf_init(&s->said, 1 << 20);
    buf_init(&s->texts, 1 << 27);
    buf_init(&s->raw, 1 << 27);
    CHECK(rt_listen((struct sockaddr *)&at, sizeof at, false, 64, &fd) == OK);
    CHECK(io_attach(&s->listener, fd) == OK);
    CHECK(io_address(&s->listener, false, &here) == OK);
    CHECK(ip_from_sockaddr((struct sockaddr *)&here, sizeof here, &port));
    s->port = port.port;
    s->acceptor = fiber_spawn(server_accept, s, "server");
    CHECK(s->acceptor);
}

static void server_stop(struct server *s)
{
    io_close(&s->listener);
    while (s->acceptor || s->open)
        CHECK(fiber_sleep(rt_after(RT_MS)) == OK);
    buf_free(&s->said);
    buf_free(&s->texts);
    buf_free(&s->raw);
}

#endif
