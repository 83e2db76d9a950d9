/* tar (POSIX 1003.1 pax, with the long names of GNU) and gzip (RFC 1952), which may hold one. */
#include "scan/internal.h"

enum { BLOCK = 512 };

/* ---- tar ---- */

void tar_begin(struct tar *t, struct scan_look *l)
{
    t->look = l;
    t->in_data = t->stopped = false;
    t->left = t->pad = 0;
    t->item = SIZE_MAX;
    t->name_n = 0;
    gather_for(&t->g, BLOCK);
}

static uint64_t number(const char *p, size_t n)
{
    uint64_t v = 0;
    if ((unsigned char)p[0] == 0x80) { /* GNU: binary, large first */
        for (size_t i = n - 8; i < n; i++)
            v = v << 8 | (unsigned char)p[i];
        return v;
    }
    for (size_t i = 0; i < n; i++)
        if (p[i] >= '0' && p[i] <= '7')
            v = v << 3 | (uint64_t)(p[i] - '0');
        else if (p[i] != ' ' || v)
            break;
    return v;
}

static bool sum_right(const char *b)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : (unsigned char)b[i];
    return sum == number(b + 148, 8);
}

static str field(const char *p, size_t n) { return (str){p, strnlen(p, n)}; }

static void header_name(struct tar *t)
{
    str prefix = memcmp(t->g.p + 257, "ustar", 6) == 0 ? field(t->g.p + 345, 155) : S("");
    struct buf b;
    buf_init_fixed(&b, t->name, sizeof t->name);
    buf_add(&b, prefix);
    buf_add(&b, prefix.n ? S("/") : S(""));
    buf_add(&b, field(t->g.p, 100));
    t->name_n = b.n;
}

static void header(struct tar *t)
{
    const char *b = t->g.p;
    gather_for(&t->g, BLOCK);
    if (b[0] == 0)
        return; /* the end, or nothing */
    if (!sum_right(b)) {
        look_part(t->look)->flags |= SCAN_DAMAGED;
        t->stopped = true;
        return;
    }
    t->kind = b[156];
    t->left = number(b + 124, 12);
    t->pad = (BLOCK - t->left % BLOCK) % BLOCK;
    t->head.n = 0;
    t->in_data = true;
    t->item = SIZE_MAX;
    if (t->kind == '0' || t->kind == 0 || t->kind == '7') {
        if (t->name_n == 0)
            header_name(t);
        if (t->name_n && t->name[t->name_n - 1] != '/')
            t->item = look_member(t->look, (str){t->name, t->name_n}, t->left, 0);
    }
    if (t->kind != 'x' && t->kind != 'L')
        t->name_n = 0;
}

/* pax: "LENGTH path=NAME\n" among others. */
static void pax(struct tar *t, str s)
{
    str line;
    while (str_cut(&s, '\n', &line)) {
        size_t blank = str_find(line, ' ');
        str rest = blank == STR_NONE ? S("") : str_skip(line, blank + 1);
        if (!str_starts(rest, S("path=")))
            continue;
        rest = str_skip(rest, 5);
        rest = str_skip(rest, rest.n > sizeof t->name ? rest.n - sizeof t->name : 0);
        memcpy(t->name, rest.p, rest.n);
        t->name_n = rest.n;
    }
}

static void data_ends(struct tar *t)
{
    str head = {t->head.p, t->head.n};
    struct scan_item *i = look_item(t->look, t->item);
    if (i)
        i->type = scan_type_of(head);
    if (t->kind == 'x')
        pax(t, head);
    if (t->kind == 'L') {
        t->name_n = strnlen(head.p, head.n);
        memcpy(t->name, head.p, t->name_n);
    }
    t->in_data = false;
    t->item = SIZE_MAX;
    gather_for(&t->g, BLOCK);
    t->g.skip = t->pad;
}

void tar_feed(struct tar *t, str in)
{
    while (!t->stopped && (in.n || (t->in_data && !t->left))) {
        if (!t->in_data) {
            if (gather_take(&t->g, &in))
                header(t);
            continue;
        }
        str s = str_sub(in, 0, t->left < in.n ? (size_t)t->left : in.n);
        size_t n = s.n;
        head_take(&t->head, &s);
        t->left -= n;
        in = str_skip(in, n);
        if (t->left == 0)
            data_ends(t);
    }
}

void tar_end(struct tar *t)
{
    if (t->in_data || t->g.n) {
        look_part(t->look)->flags |= SCAN_DAMAGED;
        if (t->in_data)
            data_ends(t);
    }
}

/* ---- gzip ---- */

void gunzip_begin(struct gunzip *g, struct scan_look *l)
{
    g->look = l;
    g->stopped = g->named = g->is_tar = false;
    g->item = SIZE_MAX;
    g->head.n = 0;
    g->name[0] = 0;
    g->header = (gz_header){.name = g->name, .name_max = sizeof g->name - 1};
    int r = g->inflating ? inflateReset2(&g->z, 15 + 16) : inflateInit2(&g->z, 15 + 16);
    if (r == Z_MEM_ERROR)
        look_nomem(l);
    g->inflating = g->inflating || r == Z_OK;
    if (g->inflating)
        inflateGetHeader(&g->z, &g->header);
}

/* Without a name inside, that of the whole loses its last extension. */
static void name_it(struct gunzip *g)
{
    str name = {(char *)g->name, strnlen((char *)g->name, sizeof g->name)};
    char mem[SCAN_EXTENSION_MAX];
    g->named = true;
    if (!g->header.done || !name.n) {
        str whole = look_part(g->look)->name, ext = scan_extension(whole, mem);
        name = str_eq(ext, S("gz")) ? str_sub(whole, 0, str_rfind(whole, '.')) : S("");
    }
    g->item = look_member(g->look, name, 0, 0);
}

static void inner_known(struct gunzip *g)
{
    struct scan_item *i = look_item(g->look, g->item);
    enum scan_type t = scan_type_of((str){g->head.p, g->head.n});
    if (i)
        i->type = t;
    g->is_tar = t == SCAN_TAR;
    if (g->is_tar) {
        tar_begin(&g->tar, g->look);
        tar_feed(&g->tar, (str){g->head.p, g->head.n});
    } else {
        g->stopped = true;
    }
}

static void unpacked(struct gunzip *g, str out)
{
    if (!g->named)
        name_it(g);
    if (!g->is_tar && head_take(&g->head, &out))
        inner_known(g);
    if (g->is_tar)
        tar_feed(&g->tar, out);
}

void gunzip_feed(struct gunzip *g, str in)
{
    while (in.n && !g->stopped && g->inflating) {
        g->z.next_in = (Bytef *)(uintptr_t)in.p;
        g->z.avail_in = (uInt)in.n;
        g->z.next_out = (Bytef *)g->out;
        g->z.avail_out = sizeof g->out;
        int r = inflate(&g->z, Z_NO_FLUSH);
        in = str_skip(in, in.n - g->z.avail_in);
        size_t n = sizeof g->out - g->z.avail_out;
        if (n)
            unpacked(g, (str){g->out, n});
        if (!look_unpacked(g->look, n))
            g->stopped = true;
        if (r == Z_STREAM_END) {
            inflateReset(&g->z); /* 2.2: members follow each other */
        } else if (r != Z_OK && r != Z_BUF_ERROR) {
            look_part(g->look)->flags |= SCAN_DAMAGED;
            g->stopped = true;
        }
    }
}

void gunzip_end(struct gunzip *g)
{
    if (!g->named)
        name_it(g);
    if (!g->is_tar && !g->stopped)
        inner_known(g);
    if (g->is_tar)
        tar_end(&g->tar);
}
