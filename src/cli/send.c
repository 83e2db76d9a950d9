/* `postrider send`: a message over SMTP to any server, as a stranger's program would bring it. */
#include "cli/internal.h"
#include "wire/ip.h"

#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

enum { CONNECT_TIME_MS = 30000 };
static const size_t message_max = (size_t)256 << 20;

struct target {
    char host[256], port[8];
};

/* "host:port", "[::1]:25", "host". */
static bool target_parse(str s, struct target *t)
{
    size_t colon = str_rfind(s, ':'), close = str_rfind(s, ']');
    str host = s, port = S("25");
    if (colon != STR_NONE && (close == STR_NONE || colon > close)) {
        host = str_sub(s, 0, colon);
        port = str_skip(s, colon + 1);
    }
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = str_sub(host, 1, host.n - 1);
    uint64_t n;
    return host.n && text_u64(port, &n) && n > 0 && n < 65536 && str_to_c(host, t->host, sizeof t->host) &&
           str_to_c(port, t->port, sizeof t->port);
}

static int connect_to(const struct target *t)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all;
    int fd = -1;
    if (getaddrinfo(t->host, t->port, &hints, &all)) {
        errno = EHOSTUNREACH;
        return -1;
    }
    for (const struct addrinfo *a = all; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen)) {
            int e = errno;
            close(fd);
            fd = -1;
            errno = e;
        }
    }
    freeaddrinfo(all);
    return fd;
}

static int deliver(const struct target *t, const struct mail *m, str helo, bool verbose)
{
    struct dialog *d = calloc(1, sizeof *d);
    if (!d)
        return cli_fail(EX_OSERR, "out of memory");
    buf_init(&d->why, 65536);
    d->verbose = verbose;
    d->deadline = cli_now_ms() + CONNECT_TIME_MS;
    d->fd = connect_to(t);
    int status = EX_UNAVAILABLE;
    if (d->fd < 0) {
        cli_fail(0, "%s port %s: %s", t->host, t->port, strerror(errno));
    } else {
        status = dialog_run(d, helo, m);
        close(d->fd);
        if (status)
            cli_fail(status, STR_FMT, STR_ARG(buf_str(&d->why)));
    }
    buf_free(&d->why);
    free(d);
    return status;
}

int cli_send(int argc, char **argv)
{
    struct target t = {"127.0.0.1", "25"};
    const char *from = "", *helo = "client.invalid",
               *usage = "usage: postrider send -s HOST:PORT -f FROM [-H NAME] [-v] TO... <MESSAGE";
    bool verbose = false;
    optind = 1;
    opterr = 0;
    for (int c; (c = getopt(argc, argv, "s:f:H:v")) != -1;) {
        if (c == 's' && !target_parse(str_c(optarg), &t))
            return cli_fail(EX_USAGE, "-s: expected HOST:PORT, found \"%s\"", optarg);
        if (c == '?')
            return cli_fail(EX_USAGE, "%s", usage);
        from = c == 'f' ? optarg : from;
        helo = c == 'H' ? optarg : helo;
        verbose |= c == 'v';
    }
    if (optind == argc)
        return cli_fail(EX_USAGE, "%s", usage);
    AUTO_BUF raw, text;
    buf_init(&raw, message_max);
    buf_init(&text, 2 * message_max);
    str *to = calloc((size_t)(argc - optind), sizeof *to);
    err e = to ? cli_read_all(0, &raw) : E_NOMEM;
    mail_text(&text, buf_str(&raw), false);
    if (!e)
        e = text.e;
    int status = EX_IOERR;
    if (e) {
        cli_fail(status, "the message cannot be read: %s", err_text(e));
    } else {
        for (int i = optind; i < argc; i++)
            to[i - optind] = str_c(argv[i]);
        struct mail m = {.sender = str_c(from), .to = to, .nto = (size_t)(argc - optind), .octets = buf_str(&text)};
        status = deliver(&t, &m, str_c(helo), verbose);
    }
    free(to);
    return status;
}
