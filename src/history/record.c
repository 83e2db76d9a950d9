/* Records, the heads of files, and what a record can be found by. Numbers are little-endian. */
#include "history/internal.h"
#include "base/codec.h"

#include <stdlib.h>

/* ---- the table of events ---- */

static const struct {
    const char *name, *fields;
} own_rows[] = {
#define EVENT(name, level, fields, help) {#name, fields},
#include "rt/events.def"
#undef EVENT
};

/* Fields that hold a message id or an address, by their names in rt/events.def. */
static enum role role_of(str field)
{
    static const struct {
        const char *name;
        enum role role;
    } v[] = {{"id", ROLE_ID},        {"report", ROLE_ID},  {"anew", ROLE_ID},
             {"from", ROLE_ADDRESS}, {"to", ROLE_ADDRESS}, {"into", ROLE_ADDRESS}};
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        if (str_eq(field, str_c(v[i].name)))
            return v[i].role;
    return ROLE_NONE;
}

static void set_row(struct row *r, str name, str fields)
{
    str field;
    r->name = name;
    while (r->n < HISTORY_FIELDS && str_cut(&fields, ' ', &field))
        if (field.n) {
            r->role[r->n] = (uint8_t)role_of(field);
            r->field[r->n++] = field;
        }
}

err table_own(struct table *t)
{
    *t = (struct table){0};
    arena_init(&t->mem, 16384, TABLE_MAX * 4);
    t->v = arena_array(&t->mem, EVENT_COUNT, sizeof *t->v);
    if (!t->v)
        return t->mem.e;
    for (; t->n < EVENT_COUNT; t->n++)
        set_row(&t->v[t->n], str_c(own_rows[t->n].name), str_c(own_rows[t->n].fields));
    return OK;
}

void table_free(struct table *t)
{
    arena_free(&t->mem);
    t->v = NULL;
    t->n = 0;
}

void table_encode(struct buf *out, const struct table *t)
{
    buf_put_u16(out, (uint16_t)t->n);
    for (size_t i = 0; i < t->n; i++) {
        const struct row *r = &t->v[i];
        buf_put_str16(out, r->name);
        buf_put_u8(out, r->n);
        for (size_t j = 0; j < r->n; j++)
            buf_put_str16(out, r->field[j]);
    }
}

err table_decode(struct table *t, str bytes)
{
    *t = (struct table){0};
    arena_init(&t->mem, 16384, TABLE_MAX * 4);
    str copy = arena_str(&t->mem, bytes);
    struct cur c = cur_of(copy);
    size_t n = cur_u16(&c);
    if (copy.p && n <= ROWS_MAX)
        t->v = arena_array(&t->mem, n, sizeof *t->v);
    for (; t->v && t->n < n && !c.bad; t->n++) {
        struct row *r = &t->v[t->n];
        r->name = cur_str16(&c);
        r->n = cur_u8(&c);
        if (r->n > HISTORY_FIELDS)
            c.bad = true;
        for (size_t j = 0; !c.bad && j < r->n; j++) {
            r->field[j] = cur_str16(&c);
            r->role[j] = (uint8_t)role_of(r->field[j]);
        }
    }
    err e = !t->v && t->mem.e ? E_NOMEM : !t->v || c.bad || c.n ? E_CORRUPT : OK;
    if (e)
        table_free(t);
    return e;
}

void file_head(struct buf *out, const char *magic, const struct table *t)
{
    AUTO_BUF table;
    buf_init(&table, TABLE_MAX);
    table_encode(&table, t);
    buf_add(out, (str){magic, 8});
    buf_put_u32(out, (uint32_t)table.n);
    buf_put_u32(out, crc32c(0, table.p, table.n));
    buf_add(out, buf_str(&table));
    if (table.e && !out->e)
        out->e = table.e;
}

err file_head_read(int fd, const char *magic, struct table *t, uint64_t *ret_data)
{
    char head[HEAD_SIZE];
    size_t got;
    err e = rt_fs->pread(fd, head, sizeof head, 0, &got);
    struct cur c = cur_of((str){head, got});
    str m = cur_bytes(&c, 8);
    uint32_t size = cur_u32(&c), crc = cur_u32(&c);
    if (e)
        return e;
    if (c.bad || memcmp(m.p, magic, 7) != 0 || size > TABLE_MAX)
        return E_CORRUPT;
    if (m.p[7] != magic[7])
        return E_UNSUPPORTED;
    AUTO_FREE char *table = malloc(size ? size : 1);
    e = table ? rt_fs->pread(fd, table, size, HEAD_SIZE, &got) : E_NOMEM;
    if (e == OK && (got != size || crc32c(0, table, size) != crc))
        e = E_CORRUPT;
    *ret_data = HEAD_SIZE + (uint64_t)size;
    return e ? e : table_decode(t, (str){table, size});
}

/* ---- records: u16 length of the rest, u16 event, i64 ms, u8 fields; a field: u8 kind, then i64 or str16 ---- */

static size_t kept(str s) { return s.n > VALUE_MAX ? VALUE_MAX : s.n; }

size_t record_size(const struct log_field *v, size_t n)
{
    size_t size = 2 + 2 + 8 + 1;
    for (size_t i = 0; i < n; i++)
        size += v[i].kind == LF_STR ? 1 + 2 + kept(v[i].s) : 1 + 8;
    return size;
}

char *put(char *to, uint64_t v, size_t octets)
{
    memcpy(to, &v, octets); /* the machine is little-endian: see the assertion */
    return to + octets;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "stored numbers are copied as they are");

void record_put(char *to, uint16_t event, int64_t ms, const struct log_field *v, size_t n)
{
    to = put(to, record_size(v, n) - 2, 2);
    to = put(to, event, 2);
    to = put(to, (uint64_t)ms, 8);
    *to++ = (char)n;
    for (size_t i = 0; i < n; i++) {
        *to++ = (char)v[i].kind;
        if (v[i].kind != LF_STR) {
            to = put(to, (uint64_t)v[i].n, 8);
            continue;
        }
        size_t octets = kept(v[i].s);
        to = put(to, octets, 2);
        if (octets)
            memcpy(to, v[i].s.p, octets);
        to += octets;
    }
}

bool record_next(struct cur *c, struct record *r)
{
    if (c->n == 0 || c->bad)
        return false;
    size_t size = cur_u16(c);
    struct cur in = cur_of(cur_bytes(c, size));
    r->event = cur_u16(&in);
    r->ms = (int64_t)cur_u64(&in);
    r->n = cur_u8(&in);
    if (r->n > HISTORY_FIELDS)
        in.bad = true;
    for (size_t i = 0; !in.bad && i < r->n; i++) {
        uint8_t kind = cur_u8(&in);
        r->v[i] = (struct log_field){0};
        if (kind == LF_STR)
            r->v[i] = log_str(cur_str16(&in));
        else if (kind == LF_NUM || kind == LF_ID)
            r->v[i] = kind == LF_NUM ? log_num((int64_t)cur_u64(&in)) : log_id(cur_u64(&in));
        else
            in.bad = true;
    }
    c->bad |= in.bad || in.n;
    return !c->bad;
}

/* ---- keys ---- */

static uint32_t mix(uint64_t h)
{
    h ^= h >> 30;
    h *= 0xbf58476d1ce4e5b9u;
    h ^= h >> 27;
    h *= 0x94d049bb133111ebu;
    return (uint32_t)(h >> 32);
}

uint32_t key_of_id(uint64_t id) { return mix(id); }

str address_bare(str a) { return a.n >= 2 && a.p[0] == '<' && a.p[a.n - 1] == '>' ? str_sub(a, 1, a.n - 1) : a; }

uint32_t key_of_address(str address)
{
    SCRATCH char lower[VALUE_MAX];
    str a = address_bare(address);
    size_t n = kept(a);
    for (size_t i = 0; i < n; i++)
        lower[i] = ascii_lower(a.p[i]);
    return mix(str_hash_stable((str){lower, n}));
}

size_t record_keys(const struct table *t, const struct record *r, uint32_t out[HISTORY_FIELDS])
{
    size_t n = 0;
    if (r->event >= t->n)
        return 0;
    const struct row *row = &t->v[r->event];
    for (size_t i = 0; i < r->n && i < row->n; i++) {
        if (row->role[i] == ROLE_ID && r->v[i].kind != LF_STR && r->v[i].n)
            out[n++] = key_of_id((uint64_t)r->v[i].n);
        else if (row->role[i] == ROLE_ADDRESS && r->v[i].kind == LF_STR && r->v[i].s.n)
            out[n++] = key_of_address(r->v[i].s);
    }
    return n;
}
