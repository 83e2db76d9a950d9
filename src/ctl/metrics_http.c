/* Prometheus metrics over HTTP/1.1: GET or HEAD of /metrics, nothing else. */
#include "ctl/internal.h"
#include "http/http.h"

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

static void answer(void *arg, const struct http1_request *q, struct http_reply *r)
{
    if (!str_eq(q->path, S("/metrics")))
        return;
    r->status = 200;
    r->type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_print(r->body);
    ctl_metrics_rooms(r->body, arg);
}

void ctl_metrics_session(const struct ctl *rooms, struct conn *c)
{
    (void)http_serve_one(c, answer, (void *)(uintptr_t)rooms);
}
