/*
 * `queue import-one ID`: an exported message comes in as an upload and enters spool and queue under the
 * id that `queue new-id` gave before; `queue has ID` tells whether it is here already. So an import that
 * was cut off anywhere can be repeated without a second copy.
 */
#include "base/codec.h"
#include "ctl/internal.h"

enum { UPLOAD_TIME_S = 60, HEAD_BLOCK_MAX = 4 * 1024 * 1024 };

/* ---- the upload ---- */

struct upload {
    struct conn *c;
    uint32_t left; /* of the current frame */
    uint32_t crc;
};

static err exact(struct conn *c, char *p, size_t n) YIELDS;
static err exact(struct conn *c, char *p, size_t n)
{
    for (size_t at = 0, k; at < n; at += k) {
        err e = conn_read(c, p + at, n - at, &k);
        if (e || k == 0)
            return e ? e : E_CLOSED;
    }
    return OK;
}

/* E_CORRUPT: the upload ends too early, or is no upload. */
static err up_read(struct upload *u, char *p, size_t n) YIELDS;
static err up_read(struct upload *u, char *p, size_t n)
{
    size_t want = n;
    char *start = p;
    while (n) {
        u->c->deadline = rt_after(UPLOAD_TIME_S * RT_S);
        if (u->left == 0) {
            char head[4];
            err e = exact(u->c, head, sizeof head);
            struct cur c = cur_of(str_mem(head, sizeof head));
            u->left = e ? 0 : cur_u32(&c);
            if (e || u->left == 0 || u->left > CTL_FRAME_MAX)
                return e ? e : E_CORRUPT;
        }
        size_t k = n < u->left ? n : u->left;
        err e = exact(u->c, p, k);
        if (e)
            return e;
        p += k;
        n -= k;
        u->left -= (uint32_t)k;
    }
    u->crc = crc32c(u->crc, start, want);
    return OK;
}

static err up_u32(struct upload *u, uint32_t *ret) YIELDS;
static err up_u32(struct upload *u, uint32_t *ret)
{
    char mem[4];
    err e = up_read(u, mem, sizeof mem);
    struct cur c = cur_of(str_mem(mem, sizeof mem));
    *ret = cur_u32(&c);
    return e;
}

static err up_body(struct upload *u, struct body *b, uint64_t n) YIELDS;
static err up_body(struct upload *u, struct body *b, uint64_t n)
{
    while (n) {
        size_t room;
        char *p = body_room(b, &room);
        if (!p)
            return E_NOMEM;
        size_t k = n < room ? (size_t)n : room;
        err e = up_read(u, p, k);
        if (e)
            return e;
        body_grew(b, k);
        n -= k;
    }
    return OK;
}

/* ---- one message ---- */

struct import {
    struct ctl_session *s;
    struct upload up;
    struct arena arena; /* the head and what was made of it */
    struct ctl_export x;
    struct body *body;
    uint32_t chunks;
    uint64_t id, was;
};

static bool sound_address(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 32 || s.p[i] == 127)
            return false;
    return s.n <= 1024;
}

/* What a checksum cannot tell: that the message could have been accepted here. */
static err judge(const struct envelope *e)
{
    bool ok = sound_address(e->sender) && e->head_size <= HEAD_BLOCK_MAX && e->arrived_ms > 0 && e->expires_ms > 0;
    for (uint32_t i = 0; i < e->nto; i++)
        ok &= e->to[i].address.n && sound_address(e->to[i].address) && sound_address(e->to[i].sender);
    return ok ? OK : E_CORRUPT;
}

static err read_head(struct import *m) YIELDS;
static err read_head(struct import *m)
{
    char first[sizeof CTL_EXPORT_MAGIC - 1 + 4];
    uint64_t size;
    err e = up_read(&m->up, first, sizeof first);
    if (!e)
        e = ctl_export_size(str_mem(first, sizeof first), &size);
    if (e || size < sizeof first)
        return e ? e : E_CORRUPT;
    char *p = arena_alloc(&m->arena, size);
    if (!p)
        return E_NOMEM;
    memcpy(p, first, sizeof first);
    e = up_read(&m->up, p + sizeof first, size - sizeof first);
    if (!e)
        e = ctl_export_decode(&m->arena, str_mem(p, size), &m->x);
    if (e)
        return e;
    m->was = m->x.env.id;
    m->x.env.id = m->id;
    m->up.crc = 0;
    return judge(&m->x.env);
}

static err put_chunk(struct import *m) YIELDS;
static err put_chunk(struct import *m)
{
    struct spool_group *g = arena_new(&m->arena, struct spool_group);
    struct body *b = body_new();
    err e = g && b ? up_body(&m->up, b, SPOOL_CHUNK) : E_NOMEM;
    if (!e) {
        spool_group_init(g);
        e = spool_group_chunk(g, m->id, m->chunks, b);
        if (!e)
            e = spool_put(m->s->rooms->spool, g);
        spool_group_free(g);
        m->chunks += !e;
    }
    body_drop(&b);
    return e;
}

static err read_octets(struct import *m) YIELDS;
static err read_octets(struct import *m)
{
    uint32_t crc = 0;
    uint64_t left = m->x.env.body_size;
    m->body = body_new();
    err e = m->body ? up_body(&m->up, m->body, m->x.env.head_size) : E_NOMEM;
    for (; !e && left > SPOOL_CHUNK; left -= SPOOL_CHUNK)
        e = put_chunk(m);
    if (!e)
        e = up_body(&m->up, m->body, left);
    uint32_t have = m->up.crc;
    if (!e)
        e = up_u32(&m->up, &crc);
    return !e && crc != have ? E_CORRUPT : e;
}

/* Message and states in one group. */
static err put_message(struct import *m) YIELDS;
static err put_message(struct import *m)
{
    const struct envelope *env = &m->x.env;
    struct spool_group *g = arena_new(&m->arena, struct spool_group);
    struct retry *r = arena_array(&m->arena, env->nto, sizeof *r);
    if (!g || !r)
        return E_NOMEM;
    for (uint32_t i = 0; i < env->nto; i++) {
        const struct rcpt_status *s = &m->x.state[i];
        r[i] = (struct retry){i, s->attempts, s->held, s->next_ms, s->reply};
    }
    spool_group_init(g);
    err e = spool_group_message(g, env, m->body, m->chunks);
    if (!e)
        e = spool_group_retries(g, m->id, r, env->nto);
    if (!e)
        e = spool_put(m->s->rooms->spool, g);
    spool_group_free(g);
    if (!e)
        m->chunks = 0; /* they belong to the message now */
    return e;
}

static err import(struct import *m) YIELDS;
static err import(struct import *m)
{
    const struct ctl *rooms = m->s->rooms;
    err e = read_head(m);
    if (!e)
        e = queue_room(rooms->queue, m->x.env.nto);
    if (!e)
        e = spool_room(rooms->spool, m->x.env.head_size + m->x.env.body_size);
    if (!e)
        e = read_octets(m);
    if (!e)
        e = put_message(m);
    if (e)
        return e;
    const struct envelope *env = &m->x.env;
    rt_log(EV_imported, log_id(m->id), log_id(m->was), log_str(env->sender), log_str(env->to[0].address),
           log_num((int64_t)(env->head_size + env->body_size)), log_c(m->s->who));
    queue_accept_as(rooms->queue, env, m->x.state);
    return OK;
}

int ctl_import_one(struct ctl_session *s)
{
    struct import m = {.s = s, .up.c = &s->conn};
    if (!ctl_want_id(s, s->args.word[0], &m.id))
        return EXIT_USAGE;
    arena_init(&m.arena, 65536, 4 * (size_t)CTL_EXPORT_HEAD_MAX);
    err e = import(&m);
    if (m.chunks)
        spool_forget(s->rooms->spool, m.id);
    body_drop(&m.body);
    arena_free(&m.arena);
    if (e == E_TIMEOUT)
        conn_resume(&s->conn);
    switch (e) {
    case OK:
        return EXIT_OK;
    case E_SYNTAX:
        return ctl_fail(s, EXIT_FAIL, "postrider: this is not an exported message");
    case E_UNSUPPORTED:
        return ctl_fail(s, EXIT_FAIL, "postrider: the export was written by another version of postrider");
    case E_CORRUPT:
        return ctl_fail(s, EXIT_FAIL, "postrider: the exported message is damaged (checksum, length or contents)");
    default:
        return ctl_fail(s, EXIT_FAIL, "postrider: the message cannot be imported: %s", err_text(e));
    }
}

int ctl_new_id(struct ctl_session *s)
{
    rt_id_text(&s->out.b, spool_new_id(s->rooms->spool));
    buf_add_char(&s->out.b, '\n');
    return EXIT_OK;
}

int ctl_has(struct ctl_session *s)
{
    uint64_t id;
    struct spool_reader r;
    if (!ctl_want_id(s, s->args.word[0], &id))
        return EXIT_USAGE;
    err e = spool_read_open(&r, s->rooms->spool, id, NULL);
    if (!e)
        spool_read_close(&r);
    return e == E_NOT_FOUND && !ctl_told(s->rooms, id) ? EXIT_GONE : EXIT_OK;
}
