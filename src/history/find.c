/* Asking: segments newest first; in each the index (or the keys of frames) says where to look, and records decide. */
#include "history/internal.h"
#include "base/text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <zstd.h>

enum { SKEW_MS = 60000 }; /* how much before a segment's name its events may be */

struct finder {
    const struct history_query *q;
    const struct history_answer *a;
    int dirfd;
    const char *folder;
    uint32_t *key; /* of ids and address, sorted */
    size_t nkeys;
    size_t left; /* of the limit */
    bool done;
    struct buf packed, block, wanted, offsets; /* offsets of records (u32) or frames (u64) */
    uint64_t *id;                              /* sorted */
};

static void note(struct finder *f, const char *file, const char *why)
{
    if (f->a->note)
        f->a->note(f->a->arg, file, why);
}

/* ---- does a record match? ---- */

static int by_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}
static int by_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static bool field_matches(const struct finder *f, enum role role, const struct log_field *v)
{
    if (role == ROLE_ID && v->kind != LF_STR) {
        uint64_t id = (uint64_t)v->n;
        return f->q->nids && bsearch(&id, f->id, f->q->nids, sizeof id, by_u64);
    }
    return role == ROLE_ADDRESS && v->kind == LF_STR && f->q->address.n && v->s.n &&
           str_ieq(address_bare(v->s), address_bare(f->q->address));
}

static bool event_wanted(const struct history_query *q, str name)
{
    for (size_t i = 0; i < q->nevents; i++)
        if (str_eq(name, str_c(event_name(q->events[i]))))
            return true;
    return q->nevents == 0;
}

static bool matches(const struct finder *f, const struct row *row, const struct record *r)
{
    const struct history_query *q = f->q;
    bool found = f->nkeys == 0;
    if ((q->from_ms && r->ms < q->from_ms) || (q->to_ms && r->ms >= q->to_ms))
        return false;
    for (size_t i = 0; !found && i < r->n && i < row->n; i++)
        found = field_matches(f, (enum role)row->role[i], &r->v[i]);
    return found && event_wanted(q, row->name);
}

static void give(struct finder *f, const struct row *row, const struct record *r)
{
    struct history_event e = {.ms = r->ms, .name = row->name};
    for (; e.n < r->n && e.n < row->n; e.n++) {
        e.field[e.n] = (struct history_field){row->field[e.n], r->v[e.n]};
        if (str_eq(row->field[e.n], S("id")) && r->v[e.n].kind != LF_STR)
            e.id = (uint64_t)r->v[e.n].n;
    }
    f->done = !f->a->each(f->a->arg, &e) || (f->q->limit && --f->left == 0);
}

/* The records of a block or a frame, newest (last) first. False when it is damaged. */
static bool search_records(struct finder *f, const struct table *t, str records)
{
    struct cur c = cur_of(records);
    struct record r;
    buf_clear(&f->offsets);
    for (const char *from = c.p; record_next(&c, &r); from = c.p)
        if (r.event < t->n && matches(f, &t->v[r.event], &r))
            buf_put_u32(&f->offsets, (uint32_t)(from - records.p));
    for (size_t n = f->offsets.n / 4; n > 0 && !f->done; n--) {
        uint32_t at;
        memcpy(&at, f->offsets.p + 4 * (n - 1), 4);
        struct cur one = cur_of(str_skip(records, at));
        if (record_next(&one, &r))
            give(f, &t->v[r.event], &r);
    }
    return !c.bad;
}

/* ---- finished segments ---- */

static bool ids_in(const struct finder *f, const struct footer *s)
{
    if (f->q->address.n || f->nkeys == 0)
        return true;
    for (size_t i = 0; i < f->q->nids; i++)
        if (f->id[i] >= s->min_id && f->id[i] <= s->max_id)
            return true;
    return false;
}

static bool times_in(const struct history_query *q, int64_t first, int64_t last)
{
    return (!q->from_ms || last >= q->from_ms) && (!q->to_ms || first < q->to_ms);
}

static err search_block(struct finder *f, struct segment *s, uint32_t n)
{
    struct block_row row;
    err e = segment_row(s, n, &row);
    if (e || !times_in(f->q, row.first_ms, row.last_ms))
        return e;
    e = segment_table(s);
    if (e == OK)
        e = segment_read(s, &row, &f->packed, &f->block);
    if (e)
        return e;
    return search_records(f, &s->t, buf_str(&f->block)) ? OK : E_CORRUPT;
}

static err search_segment(struct finder *f, struct segment *s, const char *file)
{
    size_t octets = s->f.nblocks / 8 + 1;
    buf_clear(&f->wanted);
    uint8_t *wanted = (uint8_t *)buf_room(&f->wanted, octets); /* a bit for each block */
    if (!wanted)
        return E_NOMEM;
    memset(wanted, f->nkeys ? 0 : 0xff, octets);
    err e = OK;
    for (size_t i = 0; e == OK && i < f->nkeys; i++)
        e = segment_blocks(s, f->key[i], wanted);
    if (e)
        return e;
    for (uint32_t n = s->f.nblocks; n > 0 && !f->done; n--) {
        if (!(wanted[(n - 1) / 8] & 1u << (n - 1) % 8))
            continue;
        e = search_block(f, s, n - 1);
        if (e == E_CORRUPT)
            note(f, file, "a block is damaged");
        else if (e)
            return e;
    }
    return OK;
}

static err find_seg(struct finder *f, const char *stem, const char *path)
{
    struct segment s;
    err e = segment_open(&s, f->dirfd, f->folder, stem);
    if (e)
        return e;
    if (times_in(f->q, s.f.first_ms, s.f.last_ms) && ids_in(f, &s.f))
        e = search_segment(f, &s, path);
    segment_close(&s);
    return e;
}

/* ---- raw segments ---- */

static bool keys_in(const struct finder *f, str keys)
{
    uint32_t one = f->nkeys == 1 ? f->key[0] : 0;
    for (size_t i = 0; i + 4 <= keys.n; i += 4) {
        uint32_t key;
        memcpy(&key, keys.p + i, 4);
        if (f->nkeys == 1 ? key == one : bsearch(&key, f->key, f->nkeys, sizeof key, by_u32) != NULL)
            return true;
    }
    return f->nkeys == 0;
}

/* Where frames with a wanted key begin, oldest first. */
static err list_frames(struct finder *f, int fd, uint64_t size, uint64_t at, struct buf *list, uint64_t *ret_skipped)
{
    struct frame x;
    uint64_t skipped;
    err e;
    while ((e = frame_next(fd, size, &at, &f->block, &x, &skipped)) == OK) {
        *ret_skipped += skipped;
        if (keys_in(f, str_sub(buf_str(&f->block), 0, 4 * (size_t)x.nkeys)))
            buf_put_u64(list, x.data - FRAME_HEAD);
    }
    *ret_skipped += skipped;
    return e == E_NOT_FOUND ? list->e : e;
}

static err search_raw(struct finder *f, int fd, const struct table *t, uint64_t data, const char *file)
{
    AUTO_BUF list;
    uint64_t size = 0, skipped = 0;
    buf_init(&list, 8 * (SEGMENT_MAX / FRAME_HEAD));
    err e = rt_fs->size(fd, &size);
    if (e == OK)
        e = list_frames(f, fd, size, data, &list, &skipped);
    for (size_t n = list.n / 8; e == OK && n > 0 && !f->done; n--) {
        uint64_t at, more;
        struct frame x;
        memcpy(&at, list.p + 8 * (n - 1), 8);
        e = frame_next(fd, size, &at, &f->block, &x, &more);
        if (e == OK && !search_records(f, t, str_skip(buf_str(&f->block), 4 * (size_t)x.nkeys)))
            note(f, file, "a record is damaged");
    }
    if (skipped > FRAME_MAX) /* less may be a frame that is being written */
        note(f, file, "a part is damaged");
    return e;
}

static err find_raw(struct finder *f, const char *path)
{
    int fd;
    struct table t;
    uint64_t data;
    err e = rt_fs->open(f->dirfd, path, O_RDONLY, 0, &fd);
    if (e)
        return e;
    e = file_head_read(fd, RAW_MAGIC, &t, &data);
    if (e == OK) {
        e = search_raw(f, fd, &t, data, path);
        table_free(&t);
    }
    rt_fs->close(fd);
    return e;
}

/* ---- the folder ---- */

static err find_in(struct finder *f, const struct name *n)
{
    char path[PATH_LEN];
    if (n->bad && path_of(path, f->folder, n->stem, ".bad"))
        note(f, path, "it could not be read and was put aside");
    if (!n->raw && !n->seg)
        return OK;
    err e = E_NOT_FOUND;
    if (n->raw && !n->seg && path_of(path, f->folder, n->stem, ".raw"))
        e = find_raw(f, path);
    if (e == E_NOT_FOUND && path_of(path, f->folder, n->stem, ".seg")) /* or finished since we looked */
        e = find_seg(f, n->stem, path);
    if (e == E_NOMEM)
        return e;
    if (e == E_UNSUPPORTED)
        note(f, path, "it was written by another version");
    else if (e && e != E_NOT_FOUND)
        note(f, path, err_text(e));
    return OK;
}

static err prepare(struct finder *f)
{
    const struct history_query *q = f->q;
    f->key = malloc((q->nids + 1) * sizeof *f->key);
    f->id = malloc((q->nids + 1) * sizeof *f->id);
    if (!f->key || !f->id)
        return E_NOMEM;
    for (size_t i = 0; i < q->nids; i++) {
        f->id[i] = q->ids[i];
        f->key[f->nkeys++] = key_of_id(q->ids[i]);
    }
    if (q->address.n)
        f->key[f->nkeys++] = key_of_address(q->address);
    qsort(f->key, f->nkeys, sizeof *f->key, by_u32);
    qsort(f->id, q->nids, sizeof *f->id, by_u64);
    f->left = q->limit;
    buf_init(&f->packed, ZSTD_COMPRESSBOUND(BLOCK_MAX));
    buf_init(&f->block, FRAME_MAX + 4 * (size_t)KEYS_MAX);
    buf_init(&f->wanted, BLOCKS_MAX / 8 + 1);
    buf_init(&f->offsets, 4 * (size_t)FRAME_MAX);
    return OK;
}

err history_find(int dirfd, const char *folder, const struct history_query *q, const struct history_answer *a)
{
    struct finder f = {.q = q, .a = a, .dirfd = dirfd, .folder = folder};
    struct names names = {0};
    if (q->nids > HISTORY_IDS_MAX || !folder_fits(folder))
        return E_LIMIT;
    err e = prepare(&f);
    if (e == OK)
        e = names_list(&names, dirfd, folder);
    for (size_t i = names.n; e == OK && i > 0 && !f.done; i--) {
        int64_t begun;
        if (q->to_ms && stem_time(names.v[i - 1].stem, &begun) && begun - SKEW_MS >= q->to_ms)
            continue;
        e = find_in(&f, &names.v[i - 1]);
    }
    names_free(&names);
    buf_free(&f.packed);
    buf_free(&f.block);
    buf_free(&f.wanted);
    buf_free(&f.offsets);
    free(f.key);
    free(f.id);
    return e;
}

/* ---- printing ---- */

static void print_value(struct buf *out, const struct log_field *v, bool json)
{
    if (v->kind == LF_NUM) {
        buf_printf(out, "%lld", (long long)v->n);
    } else if (v->kind == LF_ID) {
        buf_add_c(out, json ? "\"" : "");
        rt_id_text(out, (uint64_t)v->n);
        buf_add_c(out, json ? "\"" : "");
    } else if (json) {
        text_json(out, v->s);
    } else {
        bool bare = v->s.n > 0;
        for (size_t i = 0; bare && i < v->s.n; i++)
            bare = (unsigned char)v->s.p[i] > ' ' && (unsigned char)v->s.p[i] < 127 && !memchr("\"\\=", v->s.p[i], 3);
        buf_add_c(out, bare ? "" : "\"");
        text_safe(out, v->s);
        buf_add_c(out, bare ? "" : "\"");
    }
}

void history_print(struct buf *out, const struct history_event *e, bool json)
{
    buf_add_c(out, json ? "{\"time\":\"" : "");
    text_time(out, e->ms);
    buf_add_c(out, json ? "\",\"event\":" : " ");
    if (json)
        text_json(out, e->name);
    else
        text_safe(out, e->name);
    for (size_t i = 0; i < e->n; i++) {
        buf_add_c(out, json ? "," : " ");
        if (json)
            text_json(out, e->field[i].name);
        else
            text_safe(out, e->field[i].name);
        buf_add_c(out, json ? ":" : "=");
        print_value(out, &e->field[i].value, json);
    }
    buf_add_c(out, json ? "}\n" : "\n");
}
