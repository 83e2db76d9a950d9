/*
 * For tests of send: messages in memory in the place of the spool, a queue that hands out what the test lays in it and
 * writes down what came back.
 */
#ifndef SEND_TEST_FAKES_H
#define SEND_TEST_FAKES_H
#include "conf/test_conf.h"
#include "rt/test_world.h"

#include "priv/priv.h"
#include "send/internal.h"
#include "wire/cmd.h"

enum { MESSAGES_MAX = 64, RCPTS_MAX = 1200 };

struct message { /* what the fake spool holds */
    const char *sender;
    struct recipient to[RCPTS_MAX];
    uint32_t nto;
    str octets;
    uint32_t flags;
    struct envelope more; /* ret, envid */
};

static struct fake {
    struct conf *conf;
    struct message *v[MESSAGES_MAX + 1]; /* by id, from 1 */
    uint64_t n, next;                    /* next to be handed out */
    size_t piece;                        /* octets handed out at a time */
    err open, read;                      /* what the next calls answer; read: in the middle of the message */
    struct buf fates;                    /* "1:D250,F550 2:T451 " */
    struct buf texts;                    /* of all replies and remotes */
    bool ended;
    err down;
    char why[600];
    struct fiber *waiter, *sender;
    rt_time idle; /* how long the queue has nothing before the message of id `pause` */
    uint64_t pause;
} fake;

/* ---- the spool ---- */

static struct message *fake_message(uint64_t id)
{
    CHECK(id >= 1 && id <= fake.n);
    return fake.v[id];
}

/* Everything is copied, so that a view that outlives the reader is found. */
err spool_read_open(struct spool_reader *r, struct spool *s, uint64_t id, struct body *mem)
{
    (void)s;
    (void)mem;
    *r = (struct spool_reader){0};
    if (fake.open) {
        err e = fake.open;
        fake.open = OK;
        return e;
    }
    const struct message *m = fake_message(id);
    arena_init(&r->arena, 4096, 1 << 24);
    size_t head = str_search(m->octets, S("\r\n\r\n"));
    head = head == STR_NONE ? m->octets.n : head + 4;
    r->env = m->more;
    r->env.id = id;
    r->env.arrived_ms = 1800000000000;
    r->env.flags = m->flags;
    r->env.sender = arena_str(&r->arena, str_c(m->sender));
    r->env.head_size = (uint32_t)head;
    r->env.body_size = m->octets.n - head;
    r->env.nto = m->nto;
    r->env.to = arena_array(&r->arena, m->nto, sizeof *r->env.to);
    for (uint32_t i = 0; i < m->nto; i++) {
        r->env.to[i] = m->to[i];
        r->env.to[i].address = arena_str(&r->arena, m->to[i].address);
        r->env.to[i].sender = arena_str(&r->arena, m->to[i].sender);
    }
    r->state = (void *)m;
    fiber_yield();
    return OK;
}

err spool_read_next(struct spool_reader *r, str *ret_piece)
{
    const struct message *m = r->state;
    CHECK(m);
    if (fake.read && r->at) {
        err e = fake.read;
        fake.read = OK;
        return e;
    }
    *ret_piece = str_sub(m->octets, r->at, r->at + (fake.piece ? fake.piece : 64 * 1024));
    r->at += ret_piece->n;
    return OK;
}

void spool_read_close(struct spool_reader *r)
{
    arena_free(&r->arena);
    r->state = NULL;
}

/* ---- the queue ---- */

static struct ticket *fake_ticket(uint64_t id)
{
    const struct message *m = fake_message(id);
    struct ticket *t = calloc(1, sizeof *t);
    CHECK(t);
    t->id = id;
    t->nto = m->nto;
    t->to = calloc(m->nto, sizeof *t->to);
    CHECK(t->to);
    for (uint32_t i = 0; i < m->nto; i++)
        t->to[i] = (struct ticket_rcpt){.index = i, .address = m->to[i].address};
    arena_init(&t->arena, 256, 65536 + (size_t)m->nto * 2048);
    return t;
}

size_t queue_take(struct lease *l, struct ticket **out, size_t max, rt_time until)
{
    (void)l;
    (void)until;
    size_t n = 0;
    fiber_yield();
    if (fake.pause && fake.next == fake.pause && fake.idle) {
        rt_time at = rt_after(fake.idle);
        fake.idle = 0;
        if (fiber_sleep(at) != OK)
            return 0;
    }
    while (n < max && fake.next <= fake.n && !(n && fake.next == fake.pause))
        out[n++] = fake_ticket(fake.next++);
    return n;
}

void queue_done(struct lease *l, struct ticket *t)
{
    (void)l;
    static const char letters[] = "-DRTFHP";
    buf_printf(&fake.fates, "%llu:", (unsigned long long)t->id);
    for (uint32_t i = 0; i < t->nto; i++) {
        const struct ticket_rcpt *r = &t->to[i];
        CHECK(r->fate < sizeof letters - 1);
        if (i < 8)
            buf_printf(&fake.fates, "%s%c" STR_FMT, i ? "," : "", letters[r->fate],
                       STR_ARG(str_sub(r->reply, 0, r->fate ? 3 : 0)));
        if (r->fate)
            buf_printf(&fake.texts, STR_FMT " [" STR_FMT "]\n", STR_ARG(r->reply), STR_ARG(r->remote));
    }
    buf_add_char(&fake.fates, ' ');
    arena_free(&t->arena);
    free(t->to);
    free(t);
}

void queue_untaken(struct lease *l, struct ticket *t, str why)
{
    struct finding f = finding_of(t, FATE_DEFERRED, why, S(""));
    finding_give_all(&f, t);
    queue_done(l, t);
}

/* Where it goes stands in place of the reply. */
void send_redirect(struct ticket *t, const struct conf *c, const struct envelope *env, struct redirect *v, size_t n)
{
    (void)c;
    (void)env;
    for (size_t k = 0; k < n; k++) {
        struct finding f = finding_of(t, FATE_REPLACED, v[k].to, S(""));
        finding_give(&f, t, v[k].i);
    }
}

void queue_end(struct lease *l, err down, str why)
{
    (void)l;
    CHECK(!fake.ended);
    fake.ended = true;
    fake.down = down;
    str_to_c(str_sub(why, 0, sizeof fake.why - 1), fake.why, sizeof fake.why);
    if (fake.waiter)
        fiber_wake(fake.waiter);
}

/* ---- the test's side ---- */

static struct conf *fake_conf(void) { return conf_ref(fake.conf); }

/* Files that configurations may name, in a folder of their own. */
static char fake_dir[] = "/tmp/postrider-send-XXXXXX";
static const char *const fake_names[] = {"password", "roots.pem"};

static str fake_path(const char *name)
{
    static char path[100];
    snprintf(path, sizeof path, "%s/%s", fake_dir, name);
    return str_c(path);
}
static void fake_file(const char *name, const char *text)
{
    if (fake_dir[sizeof fake_dir - 2] == 'X')
        CHECK(mkdtemp(fake_dir));
    FILE *f = fopen(fake_path(name).p, "w");
    CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}
static void fake_files_end(void)
{
    for (size_t i = 0; i < sizeof fake_names / sizeof *fake_names; i++)
        unlink(fake_path(fake_names[i]).p);
    rmdir(fake_dir);
}

static struct conf *fake_load(const char *text)
{
    struct conf_bundle b;
    CHECK(conf_bundle_of(&b, S("t.conf"), str_c(text), str_c(fake_dir)) == OK);
    for (size_t i = 0; i < sizeof fake_names / sizeof *fake_names; i++)
        if (strstr(text, fake_names[i]))
            CHECK(conf_bundle_add(&b, fake_path(fake_names[i])) == OK);
    return test_conf_load(&b);
}

/* The text has hostname and data-dir in front. */
static void fake_begin(const char *text)
{
    static char all[4096];
    snprintf(all, sizeof all, "hostname = \"relay.test\"\ndata-dir = \"/tmp\"\n%s", text);
    fake = (struct fake){.conf = fake_load(all), .next = 1};
    buf_init(&fake.fates, 1 << 20);
    buf_init(&fake.texts, 1 << 24);
    rt_log_setup(LOG_ERROR, false, 2);
    send_setup(&(struct send){.conf = fake_conf, .mail_dir = -1});
}

static void fake_end(void)
{
    for (uint64_t i = 1; i <= fake.n; i++)
        free(fake.v[i]);
    conf_drop(&fake.conf);
    buf_free(&fake.fates);
    buf_free(&fake.texts);
}

/* A message for the addresses in `to` (separated by blanks; "address<sender" has a sender of its own). */
static struct message *fake_add(const char *sender, const char *to, const char *octets, size_t n, uint32_t flags)
{
    struct message *m = calloc(1, sizeof *m);
    CHECK(m && fake.n < MESSAGES_MAX);
    *m = (struct message){.sender = sender, .octets = {octets, n}, .flags = flags};
    str rest = str_c(to), one;
    while (str_cut(&rest, ' ', &one)) {
        size_t at = str_find(one, '<');
        str from = at == STR_NONE ? S("") : str_skip(one, at + 1);
        CHECK(m->nto < RCPTS_MAX);
        m->to[m->nto++] = (struct recipient){.address = str_sub(one, 0, at), .sender = from};
    }
    fake.v[++fake.n] = m;
    return m;
}

/* One lease on `key`, to its end. */
static void fake_run(const char *key)
{
    struct lease l = {0};
    CHECK(str_to_c(str_c(key), l.key, sizeof l.key));
    fake.ended = false;
    CHECK(send_start(NULL, &l));
    fake.waiter = fiber_self();
    while (!fake.ended)
        if (fiber_park(rt_after(30 * RT_S)) != OK) {
            fprintf(stderr, "a lease came to no end; fates: " STR_FMT "\n", STR_ARG(buf_str(&fake.fates)));
            _exit(1);
        }
    fake.waiter = NULL;
    while (fake.fates.n && fake.fates.p[fake.fates.n - 1] == ' ')
        fake.fates.n--;
}

static void same(const char *what, const char *name, str got, const char *want)
{
    if (str_eq(got, str_c(want)))
        return;
    fprintf(stderr, "%s: %s is\n  " STR_FMT "\nexpected\n  %s\n", name, what, STR_ARG(got), want);
    _exit(1);
}

static void holds(const char *what, const char *name, str got, const char *want)
{
    if (str_search(got, str_c(want)) != STR_NONE)
        return;
    fprintf(stderr, "%s: %s is\n  " STR_FMT "\nwithout\n  %s\n", name, what, STR_ARG(got), want);
    _exit(1);
}

#endif
