/* `status`: how the server is, on one screen. */
#include "ctl/health.h"

enum { SITES = 10, UPSTREAMS = 32 };

struct picture {
    struct queue_stats q;
    struct spool_stats s;
    struct queue_site site[SITES];
    size_t nsite;
    struct ctl_upstream *upstream; /* in the session's arena */
    size_t nupstream;
    int64_t now, up_s, in, out;
    uint64_t generation;
    str hostname;
    enum health_level health;
    str problems; /* a line each */
};

static void upstreams_json(struct ctl_out *o, const struct picture *p)
{
    json_kopen(o, "upstreams", '[');
    for (size_t i = 0; i < p->nupstream; i++) {
        const struct ctl_upstream *u = &p->upstream[i];
        json_open(o, '{');
        json_kstr(o, "upstream", str_c(u->upstream));
        json_kstr(o, "server", str_c(u->server));
        json_kbool(o, "up", u->up);
        json_kbool(o, "relays", u->relays);
        json_knum(o, "connections", u->connections);
        json_kstr(o, "error", str_c(u->why));
        json_close(o, '}');
    }
    json_close(o, ']');
}

static void problems_json(struct ctl_out *o, str rest)
{
    str one;
    json_kopen(o, "problems", '[');
    while (rest.n && str_cut(&rest, '\n', &one))
        json_str(o, one);
    json_close(o, ']');
}

static void status_json(struct ctl_out *o, const struct picture *p)
{
    json_open(o, '{');
    json_kstr(o, "version", S(POSTRIDER_VERSION));
    json_kstr(o, "hostname", p->hostname);
    json_knum(o, "uptime", p->up_s);
    json_knum(o, "generation", (int64_t)p->generation);
    json_kstr(o, "health", str_c(health_name(p->health)));
    problems_json(o, p->problems);
    json_knum(o, "queued", (int64_t)p->q.recipients);
    json_knum(o, "messages", (int64_t)p->q.messages);
    json_knum(o, "ready", (int64_t)p->q.ready);
    json_knum(o, "waiting", (int64_t)p->q.waiting);
    json_knum(o, "active", (int64_t)p->q.active);
    json_knum(o, "held", (int64_t)p->q.held);
    json_ktime(o, "oldest", p->q.oldest_ms);
    json_knum(o, "connections_in", p->in);
    json_knum(o, "connections_out", p->out);
    json_knum(o, "body_bytes", (int64_t)p->q.body_bytes);
    json_kopen(o, "spool", '{');
    json_knum(o, "messages", (int64_t)p->s.messages);
    json_knum(o, "segments", (int64_t)p->s.segments);
    json_knum(o, "free_segments", (int64_t)p->s.free_segments);
    json_knum(o, "bytes", (int64_t)p->s.bytes);
    json_knum(o, "live_bytes", (int64_t)p->s.live_bytes);
    json_knum(o, "disk_free", (int64_t)p->s.disk_free);
    json_kbool(o, "full", p->s.full);
    json_kbool(o, "failed", p->s.failed);
    json_close(o, '}');
    json_knum(o, "site_count", (int64_t)p->q.sites);
    json_knum(o, "sites_blocked", (int64_t)p->q.blocked_sites);
    json_kopen(o, "sites", '[');
    for (size_t i = 0; i < p->nsite; i++) {
        json_open(o, '{');
        json_kstr(o, "site", p->site[i].key);
        json_knum(o, "ready", (int64_t)p->site[i].ready);
        json_knum(o, "waiting", (int64_t)p->site[i].waiting);
        json_knum(o, "connections", (int64_t)p->site[i].connections);
        json_ktime(o, "blocked_until", p->site[i].blocked_until_ms);
        json_kstr(o, "error", p->site[i].error);
        json_close(o, '}');
    }
    json_close(o, ']');
    upstreams_json(o, p);
    json_end(o, '}');
}

static void line(struct buf *b, const char *name)
{
    size_t at = b->n;
    buf_add_c(b, name);
    ctl_put_pad(b, at, 13);
}

static void queue_text(struct buf *b, const struct picture *p)
{
    line(b, "queue");
    ctl_put_recipients(b, p->q.recipients, p->q.messages);
    buf_printf(b, ": %llu ready, %llu waiting, %llu active, %llu held\n", (unsigned long long)p->q.ready,
               (unsigned long long)p->q.waiting, (unsigned long long)p->q.active, (unsigned long long)p->q.held);
    if (p->q.oldest_ms) {
        line(b, "oldest");
        text_age(b, (p->now - p->q.oldest_ms) / 1000);
        buf_add_char(b, '\n');
    }
    line(b, "connections");
    buf_printf(b, "%lld in, %lld out\n", (long long)p->in, (long long)p->out);
    line(b, "spool");
    ctl_put_size(b, p->s.live_bytes);
    buf_add_c(b, " in use of ");
    ctl_put_size(b, p->s.bytes);
    buf_printf(b, " in %llu files; disk: ", (unsigned long long)p->s.segments);
    ctl_put_size(b, p->s.disk_free);
    buf_add_c(b, p->s.failed ? " free; WRITES FAIL\n" : p->s.full ? " free: FULL, new mail is refused\n" : " free\n");
}

static void site_text(struct buf *b, const struct queue_site *s, int64_t now)
{
    buf_add_c(b, "  ");
    size_t at = b->n;
    text_safe(b, s->key);
    ctl_put_pad(b, at, 38);
    buf_printf(b, " %llu ready, %llu waiting, %llu connection%s", (unsigned long long)s->ready,
               (unsigned long long)s->waiting, (unsigned long long)s->connections, s->connections == 1 ? "" : "s");
    if (s->blocked_until_ms > now) {
        buf_add_c(b, ", next try ");
        ctl_put_in(b, s->blocked_until_ms, now);
    }
    if (s->error.n) {
        buf_add_c(b, "\n      ");
        text_safe(b, s->error);
    }
    buf_add_char(b, '\n');
}

static void upstream_text(struct buf *b, const struct ctl_upstream *u)
{
    buf_add_c(b, "  ");
    size_t at = b->n;
    text_safe(b, str_c(u->upstream));
    buf_add_c(b, ": ");
    text_safe(b, str_c(u->server));
    ctl_put_pad(b, at, 38);
    buf_printf(b, " %s, %u connection%s\n", u->up ? "up" : "DOWN", u->connections, u->connections == 1 ? "" : "s");
    if (u->why[0]) {
        buf_add_c(b, "      ");
        text_safe(b, str_c(u->why));
        buf_add_char(b, '\n');
    }
    if (u->relays)
        buf_add_c(
            b, "      RED: it lets this proxy relay to anybody, so anybody can: take our address out of its trusted\n"
               "      networks, or set xclient or proxy-protocol in an upstream section\n");
}

static void problems_text(struct buf *b, const struct picture *p)
{
    str rest = p->problems, one;
    line(b, "health");
    buf_add_c(b, health_name(p->health));
    buf_add_char(b, '\n');
    while (rest.n && str_cut(&rest, '\n', &one)) {
        buf_add_c(b, "  ! ");
        buf_add(b, one);
        buf_add_char(b, '\n');
    }
}

static void status_text(struct buf *b, const struct picture *p)
{
    line(b, "postrider");
    buf_add_c(b, POSTRIDER_VERSION " on ");
    text_safe(b, p->hostname);
    buf_add_c(b, ", up ");
    text_age(b, p->up_s);
    buf_printf(b, ", configuration %llu\n", (unsigned long long)p->generation);
    problems_text(b, p);
    queue_text(b, p);
    line(b, "sites");
    buf_printf(b, "%llu, %llu of them blocked\n", (unsigned long long)p->q.sites,
               (unsigned long long)p->q.blocked_sites);
    for (size_t i = 0; i < p->nsite; i++)
        site_text(b, &p->site[i], p->now);
    if (p->nupstream) {
        line(b, "upstreams");
        buf_printf(b, "%zu\n", p->nupstream);
    }
    for (size_t i = 0; i < p->nupstream; i++)
        upstream_text(b, &p->upstream[i]);
}

static void look(struct picture *p, const struct ctl *r, const struct conf *c, struct buf *lines)
{
    AUTO_BUF down;
    buf_init(&down, 65536);
    if (r->filters_down)
        r->filters_down(&down);
    const struct health_facts f = {.q = &p->q,
                                   .s = &p->s,
                                   .site = p->site,
                                   .nsite = p->nsite,
                                   .upstream = p->upstream,
                                   .nupstream = p->nupstream,
                                   .now_ms = p->now,
                                   .certificate_ends = metric_read(M_certificate_ends),
                                   .reserve = c->spool_reserve,
                                   .most = c->queue_max_recipients,
                                   .notice_ms = c->queue_delay_notice / RT_MS,
                                   .filters = buf_str(&down)};
    p->health = health_look(&f, lines);
    p->problems = buf_str(lines);
}

int ctl_status(struct ctl_session *s)
{
    AUTO_BUF lines;
    const struct ctl *r = s->rooms;
    struct conf *c = r->conf();
    buf_init(&lines, 65536);
    struct picture p = {.now = rt_wall_ms(), .in = metric_read(M_connections), .out = metric_read(M_deliveries)};
    queue_stats(r->queue, &p.q);
    spool_stats(r->spool, &p.s);
    p.upstream = r->upstreams ? arena_array(&s->arena, UPSTREAMS, sizeof *p.upstream) : NULL;
    if (p.upstream)
        p.nupstream = r->upstreams(c, p.upstream, UPSTREAMS);
    p.nsite = queue_sites(r->queue, p.site, SITES);
    p.up_s = (p.now - r->started_ms) / 1000;
    p.generation = c->generation;
    p.hostname = c->hostname;
    look(&p, r, c, &lines);
    if (s->out.json)
        status_json(&s->out, &p);
    else
        status_text(&s->out.b, &p);
    conf_drop(&c);
    return EXIT_OK;
}
