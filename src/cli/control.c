/* The client's side of the control socket: one request, the answer copied as it comes. */
#include "cli/internal.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { REPLY_TIME_S = 300 }; /* between two frames: a walk over a large queue may find nothing for a while */

static bool read_exact(int fd, void *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t k = read(fd, (char *)p + at, n - at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        at += (size_t)k;
    }
    return true;
}

err control_open(struct control *c, str path, const str *words, size_t n)
{
    AUTO_BUF b;
    *c = (struct control){.fd = -1};
    buf_init(&b, CTL_HEAD + CTL_REQUEST_MAX);
    err e = ctl_request_encode(&b, words, n);
    if (e)
        return e;
    c->fd = cli_connect_unix(path);
    if (c->fd < 0)
        return E_REFUSED;
    struct timeval t = {.tv_sec = REPLY_TIME_S};
    if (!n || (!str_eq(words[0], S("watch")) && !str_eq(words[0], S("capture")))) /* these wait for what happens */
        setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
    c->frame = malloc(CTL_FRAME_MAX);
    if (c->frame)
        e = cli_write_all(c->fd, buf_str(&b));
    /* A server that refuses early closes its end; its answer can still be read. */
    if (!c->frame || (e && e != E_RESET && e != E_CLOSED)) {
        control_close(c);
        return c->frame ? e : E_NOMEM;
    }
    return OK;
}

bool control_next(struct control *c, str *ret_text, bool *ret_error, int *ret_status)
{
    unsigned char head[4], status;
    *ret_status = -1;
    if (!read_exact(c->fd, head, sizeof head))
        return false;
    uint32_t n = (uint32_t)head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 24;
    *ret_error = n & CTL_FRAME_ERROR;
    n &= ~CTL_FRAME_ERROR;
    if (n == 0) {
        if (read_exact(c->fd, &status, 1))
            *ret_status = status;
        return false;
    }
    if (n > CTL_FRAME_MAX || !read_exact(c->fd, c->frame, n))
        return false;
    *ret_text = str_mem(c->frame, n);
    return true;
}

void control_close(struct control *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    free(c->frame);
    c->frame = NULL;
}

static int copy_answer(struct control *c)
{
    str text;
    bool error;
    int status;
    while (control_next(c, &text, &error, &status))
        if (cli_write_all(error ? 2 : 1, text))
            return EX_IOERR;
    if (status < 0)
        return cli_fail(EX_UNAVAILABLE, "the server closed the connection before its answer was complete");
    return status;
}

int control_run(const char *conf_file, int argc, char **argv, const str *more, size_t nmore)
{
    int status = 0;
    struct control c;
    struct conf *conf = cli_conf(conf_file, &status);
    if (!conf)
        return status;
    str *words = calloc((size_t)argc + nmore + 1, sizeof *words);
    size_t n = 0;
    for (int i = 0; words && i < argc; i++)
        words[n++] = str_c(argv[i]);
    for (size_t i = 0; words && i < nmore; i++)
        words[n++] = more[i];
    err e = words ? control_open(&c, conf->control_socket, words, n) : E_NOMEM;
    if (e == E_REFUSED && (errno == EACCES || errno == EPERM))
        status = cli_fail(EX_NOPERM,
                          STR_FMT
                          ": not permitted: only root, the server's user and the owner of its data folder may do this",
                          STR_ARG(conf->control_socket));
    else if (e == E_REFUSED)
        status =
            cli_fail(EX_UNAVAILABLE, "no server answers at " STR_FMT ": %s; start one by \"postrider serve -c %s\"",
                     STR_ARG(conf->control_socket), strerror(errno), conf_file);
    else if (e)
        status = cli_fail(EX_USAGE, "the request cannot be sent: %s", err_text(e));
    else
        status = copy_answer(&c);
    if (!e)
        control_close(&c);
    free(words);
    conf_drop(&conf);
    return status;
}
