/* All registrations between rooms: who is told of what. */
#include "acme/acme.h"
#include "app/wiring.h"
#include "proxy/proxy.h"
#include "ctl/ctl.h"
#include "intake/intake.h"
#include "keys/keys.h"
#include "net/net.h"
#include "reports/reports.h"
#include "policy/breaker.h"
#include "policy/use_script.h"
#include "send/send.h"

#include <sys/stat.h>
#include <unistd.h>

const struct queue_ops *world_queue_ops(void)
{
    static const struct queue_ops ops = {.site = send_site, .start = send_start, .report = send_report};
    return &ops;
}

void world_watch(void *arg)
{
    (void)arg;
    proxy_watch(world_conf);
}

void world_wire_up(void)
{
    metrics_also(policy_metrics);
    metrics_also(script_metrics_print);
    intake_setup(&(struct intake){world.spool, world.queue, world_conf});
    send_setup(&(struct send){world.spool, world.queue, world_conf, world.folders.mail, reports_received});
}

static void filter_state(void *out, str name, enum breaker_state s, uint64_t asked, uint64_t failed)
{
    (void)asked, (void)failed;
    if (s == BREAKER_CLOSED)
        return;
    buf_add(out, name);
    buf_add_char(out, '\n');
}

static void filters_down(struct buf *out) { breaker_each(filter_state, out); }

void world_serve(enum socket_kind kind, int fd)
{
    static struct ctl rooms;
    struct stat st;
    if (kind == SOCKET_ACME) {
        acme_serve(fd);
        return;
    }
    rooms = (struct ctl){.queue = world.queue,
                         .spool = world.spool,
                         .history = world.history,
                         .conf = world_conf,
                         .started_ms = world.started_ms,
                         .upstreams = proxy_servers,
                         .filters_down = filters_down,
                         .reports = reports_answer};
    rooms.owner = fstat(world.folders.data, &st) ? geteuid() : st.st_uid;
    err e = kind == SOCKET_CONTROL ? ctl_serve(&rooms, fd) : ctl_metrics_serve(&rooms, fd);
    if (e)
        rt_log(EV_accept_failed, log_c(kind == SOCKET_CONTROL ? "control" : "metrics"), log_err(e));
}

void loop_follow(struct conf *c)
{
    dns_follow(c);
    if (rt_index() == 0 && world.running)
        queue_reload(world.queue, c);
    if (rt_index() == 0)
        acme_follow(c);
    if (rt_index() == 0)
        keys_follow(c);
}
