/* The records of a folder as text, for people who must look inside. Opens for reading only. */
#include "spool/internal.h"

#include <fcntl.h>
#include <stdlib.h>

static const char *const names[REC_TYPES] = {"", "MESSAGE", "CHUNK", "RESULTS", "RETRIES", "END"};

struct dump {
    struct engine e;
    struct buf slots, out;
    void (*line)(void *arg, str text);
    void *arg;
};

static void see(void *arg, const char *name)
{
    struct dump *d = arg;
    uint32_t slot;
    if (seg_parse_name(name, &slot))
        buf_put_u32(&d->slots, slot);
}

static void say(struct dump *d)
{
    d->line(d->arg, buf_str(&d->out));
    buf_clear(&d->out);
}

static void say_envelope(struct dump *d, str meta)
{
    struct arena a;
    struct envelope env;
    arena_init(&a, 4096, SEGMENT_MAX);
    if (envelope_decode(&a, meta, &env)) {
        buf_add(&d->out, S(" (envelope does not decode)"));
    } else {
        buf_printf(&d->out, " from=<" STR_FMT "> size=%llu", STR_ARG(env.sender),
                   (unsigned long long)(env.head_size + env.body_size));
        for (uint32_t i = 0; i < env.nto; i++)
            buf_printf(&d->out, " to=<" STR_FMT ">", STR_ARG(env.to[i].address));
    }
    arena_free(&a);
}

static void say_results(struct dump *d, str meta)
{
    struct cur c = cur_of(meta);
    for (uint32_t n = cur_u32(&c); n && !c.bad; n--) {
        uint32_t rcpt = cur_u32(&c), outcome = cur_u8(&c);
        str reply = cur_str16(&c);
        buf_printf(&d->out, " %u:outcome=%u,\"" STR_FMT "\"", rcpt, outcome, STR_ARG(reply));
    }
}

static void say_retries(struct dump *d, str meta)
{
    struct cur c = cur_of(meta);
    for (uint32_t n = cur_u32(&c); n && !c.bad; n--) {
        uint32_t rcpt = cur_u32(&c), attempts = cur_u16(&c), held = cur_u8(&c);
        long long next = (long long)cur_u64(&c);
        str reply = cur_str16(&c);
        buf_printf(&d->out, " %u:attempts=%u,held=%u,next=%lld,\"" STR_FMT "\"", rcpt, attempts, held, next,
                   STR_ARG(reply));
    }
}

static void say_record(struct dump *d, const struct foot_entry *f, str meta)
{
    buf_printf(&d->out, "  %u %u %s%s ", f->off, f->len, names[f->type], f->flags & REC_COPY ? " copy" : "");
    rt_id_text(&d->out, f->id);
    buf_printf(&d->out, " aux=%llu", (unsigned long long)f->aux);
    if (f->type == REC_MESSAGE)
        say_envelope(d, meta);
    else if (f->type == REC_RESULTS)
        say_results(d, meta);
    else if (f->type == REC_RETRIES)
        say_retries(d, meta);
    say(d);
}

static err dump_segment(struct dump *d, struct seg *s)
{
    struct foot_entry f;
    str meta;
    bool damaged = false;
    bool log = s->state != SEG_FREE;
    buf_printf(&d->out, "seg-%08x generation %llx size %llu %s", s->slot, (unsigned long long)s->gen,
               (unsigned long long)s->size, log ? "log" : "free");
    say(d);
    if (!log)
        return OK;
    err bad = scan_segment(&d->e, s, engine_cut_of(&d->e, s), &damaged);
    if (bad)
        return bad;
    str rest = buf_str(&s->foot);
    while (foot_next(&rest, &f, &meta))
        say_record(d, &f, meta);
    buf_printf(&d->out, "  end %llu batch %u%s", (unsigned long long)s->end, s->batch, damaged ? " damaged" : "");
    say(d);
    buf_free(&s->foot);
    return OK;
}

static err open_one(struct dump *d, uint32_t slot)
{
    struct seg *s = seg_new(&d->e, slot);
    char name[16];
    if (!s)
        return E_NOMEM;
    seg_name(name, "seg", slot);
    err bad = rt_fs->open(d->e.dir, name, O_RDONLY, 0, &s->fd);
    if (!bad)
        bad = rt_fs->size(s->fd, &s->size);
    if (!bad && s->size < SEGMENT_MIN)
        bad = E_CORRUPT;
    if (!bad)
        bad = seg_read_head(&d->e, s);
    if (bad == E_CORRUPT) {
        buf_printf(&d->out, "%s: head does not check", name);
        say(d);
        seg_delete(&d->e, s);
        return OK;
    }
    return bad;
}

static err dump_all(struct dump *d)
{
    err bad = rt_fs->list(d->e.dir, ".", see, d);
    struct cur c = cur_of(buf_str(&d->slots));
    while (!bad && c.n)
        bad = open_one(d, cur_u32(&c));
    for (uint64_t done = 0; !bad;) {
        struct seg *next = NULL;
        for (uint32_t i = 0; i < d->e.nsegs; i++) {
            struct seg *s = d->e.segs[i];
            if (s && s->gen > done && (!next || s->gen < next->gen))
                next = s;
        }
        if (!next)
            break;
        done = next->gen;
        bad = dump_segment(d, next);
    }
    return bad;
}

err spool_dump(int dir, void (*line)(void *arg, str text), void *arg)
{
    struct dump *d = calloc(1, sizeof *d);
    if (!d)
        return E_NOMEM;
    d->line = line;
    d->arg = arg;
    d->e.dry = d->e.running = true;
    d->e.dir = dir;
    buf_init(&d->slots, 64 << 20);
    buf_init(&d->out, 64 << 20);
    err bad = dump_all(d);
    for (uint32_t i = 0; i < d->e.nsegs; i++)
        if (d->e.segs[i])
            seg_delete(&d->e, d->e.segs[i]);
    free(d->e.segs);
    free(d->e.cuts);
    buf_free(&d->slots);
    buf_free(&d->out);
    free(d);
    return bad;
}
