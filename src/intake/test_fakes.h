/*
 * For tests of intake and recv: a spool that keeps the last message in memory and can refuse, a queue that counts,
 * and a configuration from text.
 */
#ifndef INTAKE_TEST_FAKES_H
#define INTAKE_TEST_FAKES_H
#include "conf/test_conf.h"
#include "rt/test_world.h"

#include "intake/intake.h"
#include "priv/priv.h"

static struct fake {
    err room, queue_room, put, chunk; /* what the next calls answer */
    uint64_t id;
    unsigned puts, forgotten, queued, chunks;
    struct envelope env; /* of the last message; strings live in `arena` */
    struct arena arena;
    struct buf octets; /* of the last message, chunks included */
    struct buf loose;  /* chunks whose message has not come */
    struct conf *conf;
} fake;

uint64_t spool_new_id(struct spool *s)
{
    (void)s;
    return ++fake.id;
}

err spool_room(struct spool *s, uint64_t size)
{
    (void)s;
    (void)size;
    return fake.room;
}

void spool_group_init(struct spool_group *g) { memset(g, 0, sizeof *g); }
void spool_group_free(struct spool_group *g) { (void)g; }

static void fake_add(struct buf *out, const struct body *b)
{
    size_t at = 0;
    str piece;
    while (body_piece(b, &at, &piece))
        buf_add(out, piece);
}

err spool_group_chunk(struct spool_group *g, uint64_t id, uint32_t n, struct body *b)
{
    (void)g;
    CHECK(id == fake.id && n == fake.chunks);
    CHECK(body_size(b) <= SPOOL_CHUNK);
    fake.chunks++;
    fake_add(&fake.loose, b);
    return fake.chunk;
}

static str fake_keep(str s) { return s.n ? arena_str(&fake.arena, s) : s; }

err spool_group_message(struct spool_group *g, const struct envelope *env, struct body *b, uint32_t chunks)
{
    (void)g;
    CHECK(chunks == fake.chunks);
    CHECK(body_size(b) + fake.loose.n == env->head_size + env->body_size);
    arena_reset(&fake.arena);
    buf_clear(&fake.octets);
    fake.env = *env;
    struct recipient *to = arena_array(&fake.arena, env->nto, sizeof *to);
    CHECK(to);
    for (uint32_t i = 0; i < env->nto; i++)
        to[i] = (struct recipient){.address = fake_keep(env->to[i].address),
                                   .orcpt = fake_keep(env->to[i].orcpt),
                                   .notify = env->to[i].notify,
                                   .list = fake_keep(env->to[i].list),
                                   .sender = fake_keep(env->to[i].sender)};
    fake.env.to = to;
    fake.env.sender = fake_keep(env->sender);
    fake.env.envid = fake_keep(env->envid);
    fake.env.client = fake_keep(env->client);
    fake.env.helo = fake_keep(env->helo);
    fake.env.user = fake_keep(env->user);
    fake.env.message_id = fake_keep(env->message_id);
    struct buf all;
    buf_init(&all, 1 << 28);
    fake_add(&all, b);
    buf_add(&fake.octets, str_sub(buf_str(&all), 0, env->head_size));
    buf_add(&fake.octets, buf_str(&fake.loose));
    buf_add(&fake.octets, str_skip(buf_str(&all), env->head_size));
    buf_free(&all);
    CHECK(!fake.octets.e);
    return OK;
}

err spool_put(struct spool *s, struct spool_group *g)
{
    (void)s;
    (void)g;
    fake.puts++;
    fiber_yield();
    return fake.put;
}

void spool_forget(struct spool *s, uint64_t id)
{
    (void)s;
    CHECK(id == fake.id);
    fake.forgotten++;
    fake.chunks = 0;
    buf_clear(&fake.loose);
}

err spool_read_chunks(struct spool_reader *r, struct spool *s, uint64_t id)
{
    (void)s;
    CHECK(id == fake.id);
    *r = (struct spool_reader){0};
    return fake.loose.n ? OK : E_NOT_FOUND;
}

#ifndef OWN_READER /* a test that reads messages itself */
/* In pieces of some length that fits nothing else. */
err spool_read_next(struct spool_reader *r, str *ret_piece)
{
    *ret_piece = str_sub(buf_str(&fake.loose), r->at, r->at + 70001 < fake.loose.n ? r->at + 70001 : fake.loose.n);
    r->at += ret_piece->n;
    return OK;
}

void spool_read_close(struct spool_reader *r) { *r = (struct spool_reader){0}; }
#endif

err queue_accept(struct queue *q, const struct envelope *env, struct body *mem)
{
    (void)q;
    CHECK(env->id == fake.id && mem);
    fake.queued++;
    fake.chunks = 0;
    buf_clear(&fake.loose);
    return OK;
}

err queue_accept_as(struct queue *q, const struct envelope *env, const struct rcpt_status *state)
{
    CHECK(state && state->next_ms == env->release_ms);
    return queue_accept(q, env, (struct body *)1);
}

err spool_group_retries(struct spool_group *g, uint64_t id, const struct retry *r, size_t n)
{
    (void)g;
    CHECK(id == fake.id && n && r->next_ms);
    return OK;
}

err queue_room(struct queue *q, uint32_t recipients)
{
    (void)q;
    CHECK(recipients > 0);
    return fake.queue_room;
}

static struct conf *fake_conf(void) { return conf_ref(fake.conf); }

/* The text has no line for the listener. */
static void fake_begin(const char *text)
{
    fake = (struct fake){.conf = test_conf("/tmp", str_c(text))};
    arena_init(&fake.arena, 1024, 1 << 20);
    buf_init(&fake.octets, 1 << 28);
    buf_init(&fake.loose, 1 << 28);
    CHECK(priv_setup(&(struct priv_secrets){.srs = S("a secret of the tests")}) == OK);
    intake_setup(&(struct intake){.conf = fake_conf});
}

static inline void fake_end(void)
{
    conf_drop(&fake.conf);
    priv_end();
    arena_free(&fake.arena);
    buf_free(&fake.octets);
    buf_free(&fake.loose);
}

#endif
