/* The rules by which `status` says that something is wrong. */
#include "ctl/health.h"

#include <stdarg.h>
#include <stdio.h>

#define DAY_S (24 * 3600)
enum { SOON_DAYS = 14, MANY_SITES = 10 };

struct look {
    enum health_level level;
    struct buf *out;
};

static void problem(struct look *l, enum health_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void problem(struct look *l, enum health_level level, const char *fmt, ...)
{
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    l->level = level > l->level ? level : l->level;
    text_safe(l->out, str_c(text));
    buf_add_char(l->out, '\n');
}

static void spool(struct look *l, const struct health_facts *f)
{
    char mem[64];
    struct buf size;
    uint64_t reserve = f->reserve > 0 ? (uint64_t)f->reserve : 0;
    memset(mem, 0, sizeof mem);
    buf_init_fixed(&size, mem, sizeof mem - 1);
    ctl_put_size(&size, f->s->disk_free);
    if (f->s->failed)
        problem(l, HEALTH_RED, "the spool cannot be written, new mail is refused: see spool_failed in the log");
    else if (f->s->full)
        problem(l, HEALTH_YELLOW,
                "new mail is refused for want of space: %s free, see spool.reserve and spool.max-size", mem);
    else if (reserve && f->s->disk_free < 2 * reserve)
        problem(l, HEALTH_YELLOW, "the disk is nearly full: %s free, and below spool.reserve new mail is refused", mem);
}

static void queue(struct look *l, const struct health_facts *f)
{
    const struct queue_stats *q = f->q;
    int64_t age_ms = q->oldest_ms ? f->now_ms - q->oldest_ms : 0;
    if (f->most && q->recipients >= (uint64_t)f->most / 10 * 9)
        problem(l, HEALTH_YELLOW, "the queue is nearly full: %llu recipients of %lld (queue.max-recipients)",
                (unsigned long long)q->recipients, (long long)f->most);
    if (f->notice_ms && age_ms > f->notice_ms && q->held == 0) {
        char mem[64] = "";
        struct buf age;
        buf_init_fixed(&age, mem, sizeof mem - 1);
        text_age(&age, age_ms / 1000);
        mem[age.n] = 0;
        problem(l, HEALTH_YELLOW, "mail has waited for %s: \"postrider queue list --limit 5\" shows the oldest", mem);
    }
}

/* A next hop that somebody configured is one that should work; of servers found by MX some never do. */
static bool configured(str site)
{
    return (str_starts(site, S("route ")) && str_search(site, S(" mx ")) == STR_NONE) || str_starts(site, S("domain "));
}

static void sites(struct look *l, const struct health_facts *f)
{
    for (size_t i = 0; i < f->nsite; i++) {
        const struct queue_site *s = &f->site[i];
        if (configured(s->key) && s->blocked_until_ms > f->now_ms && s->waiting + s->ready)
            problem(l, HEALTH_YELLOW, STR_FMT " does not take mail, %llu wait: " STR_FMT,
                    STR_ARG(str_sub(s->key, 0, 100)), (unsigned long long)(s->waiting + s->ready),
                    STR_ARG(str_sub(s->error, 0, 300)));
    }
    if (f->q->blocked_sites >= MANY_SITES && f->q->blocked_sites > f->q->sites / 2)
        problem(l, HEALTH_YELLOW,
                "%llu of %llu destinations do not take mail: is the way out blocked? \"postrider doctor "
                "--to DOMAIN\" looks",
                (unsigned long long)f->q->blocked_sites, (unsigned long long)f->q->sites);
}

static void upstreams(struct look *l, const struct health_facts *f)
{
    for (size_t i = 0; i < f->nupstream; i++) {
        const struct ctl_upstream *u = &f->upstream[i];
        if (u->relays)
            problem(l, HEALTH_RED, "%s: %s lets this proxy relay to anybody, so anybody can", u->upstream, u->server);
        if (!u->up) /* most reasons begin with the server's name */
            problem(l, HEALTH_YELLOW, "%s: %s%s%s", u->upstream,
                    str_starts(str_c(u->why), str_c(u->server)) ? "" : u->server,
                    str_starts(str_c(u->why), str_c(u->server)) ? "" : " does not answer: ", u->why);
    }
}

static void certificate(struct look *l, const struct health_facts *f)
{
    int64_t left = f->certificate_ends - f->now_ms / 1000;
    if (f->certificate_ends && left <= 0)
        problem(l, HEALTH_RED, "a certificate has expired: \"postrider doctor\" says which; a renewed file is noticed");
    else if (f->certificate_ends && left < SOON_DAYS * DAY_S)
        problem(l, HEALTH_YELLOW, "a certificate expires in %lld days: \"postrider doctor\" says which",
                (long long)(left / DAY_S));
}

enum health_level health_look(const struct health_facts *f, struct buf *lines)
{
    struct look l = {HEALTH_GREEN, lines};
    str rest = f->filters, name;
    spool(&l, f);
    queue(&l, f);
    sites(&l, f);
    upstreams(&l, f);
    while (rest.n && str_cut(&rest, '\n', &name))
        problem(&l, HEALTH_YELLOW, STR_FMT " has failed and is not asked for a while: see filter_down in the log",
                STR_ARG(str_sub(name, 0, 200)));
    certificate(&l, f);
    return l.level;
}

const char *health_name(enum health_level level)
{
    static const char *const names[] = {"green", "yellow", "red"};
    return names[level];
}
