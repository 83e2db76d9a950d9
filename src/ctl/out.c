/* The answer on its way: frames, JSON, and the small texts that the commands share. */
#include "ctl/internal.h"

enum { SEND_TIME_S = 30 }; /* for one frame: a reader that is slower is cut off */

static void put_u32(char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (char)(v >> (8 * i));
}

static err frame(struct conn *c, uint32_t mark, str s)
{
    char head[4];
    put_u32(head, (uint32_t)s.n | mark);
    c->deadline = rt_after(SEND_TIME_S * RT_S);
    struct iovec v[2] = {{head, 4}, {(void *)(uintptr_t)s.p, s.n}};
    return conn_writev(c, v, 2);
}

err ctl_out_send(struct ctl_out *o)
{
    err e = o->b.e;
    for (size_t at = 0; at < o->b.n && !e; at += CTL_FRAME_MAX)
        e = frame(o->c, 0, str_sub(buf_str(&o->b), at, at + CTL_FRAME_MAX));
    if (o->b.e)
        ctl_out_error(o, S("postrider: the answer ran out of memory; it is not complete"));
    buf_clear(&o->b);
    return e ? e : conn_flush(o->c);
}

void ctl_out_error(struct ctl_out *o, str text)
{
    char mem[2048];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    buf_add(&b, str_sub(text, 0, sizeof mem - 2));
    buf_add_char(&b, '\n');
    if (frame(o->c, CTL_FRAME_ERROR, buf_str(&b)) == OK)
        conn_flush(o->c);
}

void ctl_out_end(struct ctl_out *o, int status)
{
    char end[5] = {0, 0, 0, 0, (char)status};
    o->c->deadline = rt_after(SEND_TIME_S * RT_S);
    if (conn_write(o->c, str_mem(end, sizeof end)) == OK)
        conn_flush(o->c);
}

/* ---- JSON ---- */

static void element(struct ctl_out *o)
{
    if (o->comma && !o->was_key)
        buf_add_char(&o->b, ',');
    o->comma = true;
    o->was_key = false;
}

void json_open(struct ctl_out *o, char bracket)
{
    element(o);
    buf_add_char(&o->b, bracket);
    o->comma = false;
}

void json_close(struct ctl_out *o, char bracket)
{
    buf_add_char(&o->b, bracket);
    o->comma = true;
    o->was_key = false;
}

void json_key(struct ctl_out *o, const char *name)
{
    element(o);
    text_json(&o->b, str_c(name));
    buf_add_char(&o->b, ':');
    o->was_key = true;
}

void json_str(struct ctl_out *o, str s)
{
    element(o);
    text_json(&o->b, s);
}

void json_num(struct ctl_out *o, int64_t n)
{
    element(o);
    buf_printf(&o->b, "%lld", (long long)n);
}

void json_bool(struct ctl_out *o, bool b)
{
    element(o);
    buf_add_c(&o->b, b ? "true" : "false");
}

void json_null(struct ctl_out *o)
{
    element(o);
    buf_add_c(&o->b, "null");
}

void json_time(struct ctl_out *o, int64_t ms)
{
    element(o);
    if (ms == 0) {
        buf_add_c(&o->b, "null");
        return;
    }
    buf_add_char(&o->b, '"');
    text_time(&o->b, ms);
    buf_add_char(&o->b, '"');
}

void json_id(struct ctl_out *o, uint64_t id)
{
    element(o);
    buf_add_char(&o->b, '"');
    rt_id_text(&o->b, id);
    buf_add_char(&o->b, '"');
}

void json_end(struct ctl_out *o, char bracket)
{
    json_close(o, bracket);
    buf_add_char(&o->b, '\n');
    o->comma = false;
}

void json_kopen(struct ctl_out *o, const char *name, char bracket)
{
    json_key(o, name);
    json_open(o, bracket);
}

void json_kid(struct ctl_out *o, const char *name, uint64_t id)
{
    json_key(o, name);
    json_id(o, id);
}

void json_kstr(struct ctl_out *o, const char *name, str s)
{
    json_key(o, name);
    json_str(o, s);
}

void json_knum(struct ctl_out *o, const char *name, int64_t n)
{
    json_key(o, name);
    json_num(o, n);
}

void json_kbool(struct ctl_out *o, const char *name, bool b)
{
    json_key(o, name);
    json_bool(o, b);
}

void json_ktime(struct ctl_out *o, const char *name, int64_t ms)
{
    json_key(o, name);
    json_time(o, ms);
}

/* ---- texts ---- */

void ctl_put_size(struct buf *out, uint64_t n)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    double v = (double)n;
    unsigned u = 0;
    while (v >= 1024 && u < 4) {
        v /= 1024;
        u++;
    }
    buf_printf(out, u && v < 100 ? "%.1f %s" : "%.0f %s", v, units[u]);
}

void ctl_put_count(struct buf *out, uint64_t n, const char *one, const char *many)
{
    buf_printf(out, "%llu %s", (unsigned long long)n, n == 1 ? one : many);
}

void ctl_put_recipients(struct buf *out, uint64_t n, uint64_t messages)
{
    ctl_put_count(out, n, "recipient", "recipients");
    buf_add_c(out, " of ");
    ctl_put_count(out, messages, "message", "messages");
}

void ctl_put_message(struct buf *out, uint64_t id, str sender, uint64_t size, int64_t arrived_ms, int64_t now_ms)
{
    rt_id_text(out, id);
    buf_add_c(out, "  from ");
    ctl_put_sender(out, sender);
    buf_add_c(out, ", ");
    ctl_put_size(out, size);
    buf_add_c(out, ", ");
    text_age(out, (now_ms - arrived_ms) / 1000);
    buf_add_c(out, " old\n");
}

void ctl_put_id(struct ctl_out *o, uint64_t id)
{
    if (o->json) {
        json_id(o, id);
    } else {
        rt_id_text(&o->b, id);
        buf_add_char(&o->b, '\n');
    }
}

void ctl_put_in(struct buf *out, int64_t ms, int64_t now_ms)
{
    if (ms <= now_ms) {
        buf_add_c(out, "now");
        return;
    }
    buf_add_c(out, "in ");
    text_age(out, (ms - now_ms + 999) / 1000);
}

void ctl_put_next(struct buf *out, const struct queue_entry *e, int64_t now_ms, const char *indent)
{
    if (e->state[0] == 'w') {
        buf_add_c(out, ", next ");
        ctl_put_in(out, e->next_ms, now_ms);
    }
    buf_add_char(out, '\n');
    if (e->reply.n) {
        buf_add_c(out, indent);
        text_safe(out, e->reply);
        buf_add_char(out, '\n');
    }
}

void ctl_put_pad(struct buf *out, size_t from, size_t width)
{
    while (!out->e && out->n < from + width)
        buf_add_char(out, ' ');
}

void ctl_put_sender(struct buf *out, str sender)
{
    if (sender.n == 0)
        buf_add_c(out, "<>");
    else
        text_safe(out, sender);
}
