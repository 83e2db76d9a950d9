/* Prometheus metrics over HTTP/1.1: one request a connection, GET or HEAD of /metrics, nothing else. */
#include "ctl/internal.h"

enum { REQUEST_TIME_S = 10, LINE_MAX_ = 2048, LINES_MAX = 100, ANSWER_MAX = 1024 * 1024 };

static void gauge(struct buf *out, const char *name, const char *help, uint64_t v)
{
    buf_printf(out, "# HELP postrider_%s %s\n# TYPE postrider_%s gauge\npostrider_%s %llu\n", name, help, name, name,
               (unsigned long long)v);
}

void ctl_metrics_rooms(struct buf *out, const struct ctl *rooms)
{
    struct queue_stats q;
    struct spool_stats s;
    queue_stats(rooms->queue, &q);
    spool_stats(rooms->spool, &s);
    buf_add_c(out, "# HELP postrider_queue_state_recipients recipients not yet done, by state\n"
                   "# TYPE postrider_queue_state_recipients gauge\n");
    const struct {
        const char *name;
        uint64_t n;
    } states[] = {{"ready", q.ready}, {"waiting", q.waiting}, {"active", q.active}, {"held", q.held}};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        buf_printf(out, "postrider_queue_state_recipients{state=\"%s\"} %llu\n", states[i].name,
                   (unsigned long long)states[i].n);
    gauge(out, "queue_sites", "destinations that mail waits for", q.sites);
    gauge(out, "queue_sites_blocked", "destinations that are closed for a while", q.blocked_sites);
    gauge(out, "queue_oldest_seconds", "age of the oldest message",
          q.oldest_ms ? (uint64_t)(rt_wall_ms() - q.oldest_ms) / 1000 : 0);
    gauge(out, "spool_size_bytes", "disk space of the spool's files", s.bytes);
    gauge(out, "spool_live_bytes", "bytes in them that are still needed", s.live_bytes);
    gauge(out, "spool_disk_free_bytes", "free space of the spool's disk", s.disk_free);
    gauge(out, "spool_full", "1 while new mail is refused for want of space", s.full);
    gauge(out, "uptime_seconds", "time since the worker started", (uint64_t)(rt_wall_ms() - rooms->started_ms) / 1000);
}

/* The request line, copied; header fields are read and forgotten. 0, or the status of the refusal. */
static int read_request(struct conn *c, char *line, size_t size) YIELDS;
static int read_request(struct conn *c, char *line, size_t size)
{
    str s;
    err e = conn_readline(c, LINE_MAX_, &s, NULL);
    if (e)
        return e == E_LINE_LENGTH ? 414 : 400;
    if (!str_to_c(s, line, size))
        return 400;
    for (int n = 0; n < LINES_MAX; n++) {
        e = conn_readline(c, LINE_MAX_, &s, NULL);
        if (e)
            return e == E_LINE_LENGTH ? 431 : 400;
        if (s.n == 0)
            return 0;
    }
    return 431;
}

static int judge(str line, bool *ret_head)
{
    str method, target;
    if (!str_cut(&line, ' ', &method) || !str_cut(&line, ' ', &target) || !str_starts(line, S("HTTP/1.")))
        return 400;
    *ret_head = str_eq(method, S("HEAD"));
    if (!*ret_head && !str_eq(method, S("GET")))
        return 405;
    str path;
    str_cut(&target, '?', &path);
    return str_eq(path, S("/metrics")) ? 200 : 404;
}

static const char *reason(int status)
{
    return status == 200   ? "OK"
           : status == 404 ? "Not Found"
           : status == 405 ? "Method Not Allowed"
           : status == 414 ? "URI Too Long"
           : status == 431 ? "Request Header Fields Too Large"
                           : "Bad Request";
}

void ctl_metrics_session(const struct ctl *rooms, struct conn *c)
{
    char line[LINE_MAX_];
    bool head = false;
    AUTO_BUF body;
    buf_init(&body, ANSWER_MAX);
    c->deadline = rt_after(REQUEST_TIME_S * RT_S);
    int status = read_request(c, line, sizeof line);
    if (c->e)
        return;
    if (status == 0)
        status = judge(str_c(line), &head);
    if (status == 200) {
        metrics_print(&body);
        ctl_metrics_rooms(&body, rooms);
    } else {
        buf_printf(&body, "%d %s: expected GET /metrics\n", status, reason(status));
    }
    c->deadline = rt_after(REQUEST_TIME_S * RT_S);
    conn_printf(c,
                "HTTP/1.1 %d %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                "Content-Length: %zu\r\nConnection: close\r\n%s\r\n",
                status, reason(status), body.n, status == 405 ? "Allow: GET, HEAD\r\n" : "");
    if (!head)
        conn_write(c, buf_str(&body));
    conn_end(c);
}
