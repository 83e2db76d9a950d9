/*
 * The names in rar archives of versions 4 and 5, and in 7z where its header is not packed itself (mostly it is). What
 * they hold is not unpacked: names and what is encrypted are all that is found.
 */
#include "scan/internal.h"

enum { RAR4_MAIN = 0x73, RAR4_FILE = 0x74, RAR4_END = 0x7b, RAR4_MARK = 7, RAR5_MARK = 8, SEVENZIP_MARK = 32 };
enum { SEVENZIP_HEADER = 1, SEVENZIP_PACKED = 0x17, SEVENZIP_NAMES = 0x11 };

static void stop(struct rar *r, unsigned flags)
{
    look_part(r->look)->flags |= flags;
    r->state = RAR_STOP;
}

static void next(struct rar *r, enum rar_state s, size_t want)
{
    r->state = s;
    gather_for(&r->g, want);
}

void rar_begin(struct rar *r, struct scan_look *l, enum scan_type type)
{
    r->look = l;
    r->type = type;
    r->files = 0;
    next(r, RAR_MARK, type == SCAN_RAR ? RAR4_MARK : type == SCAN_RAR5 ? RAR5_MARK : SEVENZIP_MARK);
}

static void member(struct rar *r, str name, uint64_t size, bool secret)
{
    r->files++;
    look_member(r->look, name, size, secret ? SCAN_ENCRYPTED : 0);
    if (secret)
        look_part(r->look)->flags |= SCAN_ENCRYPTED;
}

/* ---- version 4: a header of 7 octets, its rest, perhaps data ---- */

static void rar4_file(struct rar *r, unsigned flags)
{
    const char *p = r->g.p;
    size_t at = flags & 0x100 ? 40 : 32, n = r->g.n >= 28 ? scan_u16(p + 26) : 0; /* 64-bit sizes */
    if (r->g.n < at) {
        stop(r, SCAN_DAMAGED);
        return;
    }
    str name = str_sub(str_skip((str){p, r->g.n}, at), 0, n);
    name = str_sub(name, 0, strnlen(name.p, name.n)); /* behind a NUL: the same in Unicode, packed */
    if ((flags & 0xe0) != 0xe0)                       /* folders */
        member(r, name, scan_u32(p + 11), flags & 4);
}

static void rar4(struct rar *r)
{
    const char *p = r->g.p;
    unsigned type = (unsigned char)p[2], flags = scan_u16(p + 3);
    size_t size = scan_u16(p + 5);
    if (r->state == RAR_HEAD) {
        if (size < 7 || type < 0x72 || type > RAR4_END) {
            stop(r, SCAN_DAMAGED);
            return;
        }
        if (type == RAR4_MAIN && flags & 0x80) {
            stop(r, SCAN_ENCRYPTED | SCAN_UNREADABLE);
            return;
        }
        if (type == RAR4_END) {
            stop(r, 0);
            return;
        }
        size_t want = size < sizeof r->g.p ? size : sizeof r->g.p;
        if (want > 7) { /* the rest, behind what is here */
            r->state = RAR_BODY;
            r->g.want = want;
            return;
        }
    }
    uint64_t data = flags & 0x8000 && r->g.n >= 11 ? scan_u32(p + 7) : 0;
    if (type == RAR4_FILE && flags & 0x100 && r->g.n >= 36)
        data |= (uint64_t)scan_u32(p + 32) << 32;
    if (type == RAR4_FILE)
        rar4_file(r, flags);
    if (r->state == RAR_STOP)
        return;
    size_t rest = size - r->g.n;
    next(r, RAR_HEAD, 7);
    r->g.skip = rest + data;
}

/* ---- version 5: numbers of 7 bits an octet, low first ---- */

static uint64_t vint(str *s, bool *bad)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < 10 && i < s->n; i++) {
        v |= (uint64_t)(s->p[i] & 127) << (7 * i);
        if (!(s->p[i] & 128)) {
            *s = str_skip(*s, i + 1);
            return v;
        }
    }
    *bad = true;
    return 0;
}

static void rar5_file(struct rar *r, str s, uint64_t extra)
{
    bool bad = false, secret = false;
    str area = str_skip(s, s.n > extra ? s.n - extra : 0);
    uint64_t flags = vint(&s, &bad), size = vint(&s, &bad);
    vint(&s, &bad);
    s = str_skip(s, (flags & 2 ? 4 : 0) + (flags & 4 ? 4 : 0));
    vint(&s, &bad);
    vint(&s, &bad);
    uint64_t n = vint(&s, &bad);
    if (bad || n > s.n) {
        stop(r, SCAN_DAMAGED);
        return;
    }
    while (extra && area.n && !bad) { /* records; type 1 tells of encryption */
        uint64_t len = vint(&area, &bad);
        str record = str_sub(area, 0, len < area.n ? (size_t)len : area.n);
        area = str_skip(area, record.n);
        secret |= record.n && vint(&record, &bad) == 1;
    }
    if (!(flags & 1)) /* a folder */
        member(r, str_sub(s, 0, (size_t)n), size, secret);
}

static void rar5_block(struct rar *r, str s)
{
    bool bad = false;
    uint64_t type = vint(&s, &bad), flags = vint(&s, &bad);
    uint64_t extra = flags & 1 ? vint(&s, &bad) : 0, data = flags & 2 ? vint(&s, &bad) : 0;
    if (bad) {
        stop(r, SCAN_DAMAGED);
        return;
    }
    if (type == 4) {
        stop(r, SCAN_ENCRYPTED | SCAN_UNREADABLE);
        return;
    }
    if (type == 5) {
        stop(r, 0);
        return;
    }
    if (type == 2)
        rar5_file(r, s, extra);
    if (r->state == RAR_STOP)
        return;
    next(r, RAR_HEAD, 7);
    r->g.skip = data;
}

/* A checksum of 4 octets, then the size of the rest: 7 octets hold both and at least one octet of that. */
static void rar5(struct rar *r)
{
    bool bad = false;
    str s = str_skip((str){r->g.p, r->g.n}, 4), from = s;
    uint64_t size = vint(&s, &bad);
    size_t head = 4 + (from.n - s.n);
    if (bad || size == 0 || head > 7 || size > sizeof r->g.p - head) {
        stop(r, SCAN_DAMAGED);
        return;
    }
    size_t want = head + (size_t)size;
    if (want < 7) /* none is so short: type, flags, and a field */ {
        stop(r, SCAN_DAMAGED);
        return;
    }
    if (r->g.n < want) {
        r->g.want = want;
        return;
    }
    rar5_block(r, str_sub(s, 0, (size_t)size));
}

/* ---- 7z ---- */

static void sevenzip_start(struct rar *r)
{
    uint64_t at = scan_u64(r->g.p + 12), size = scan_u64(r->g.p + 20);
    if (size == 0) {
        stop(r, at ? SCAN_DAMAGED : 0);
        return;
    }
    next(r, RAR_BODY, size < sizeof r->g.p ? (size_t)size : sizeof r->g.p);
    r->g.skip = at;
}

static void utf16_name(struct rar *r, str s)
{
    char mem[ARCHIVE_NAME_MAX];
    size_t n = 0;
    for (size_t i = 0; i + 1 < s.n && n < sizeof mem; i += 2)
        mem[n++] = s.p[i + 1] ? '?' : s.p[i];
    if (n)
        member(r, (str){mem, n}, 0, false);
}

/* The names are one property: its number, its size, "not elsewhere", and UTF-16 with NULs between. */
static void sevenzip_names(struct rar *r)
{
    str h = {r->g.p, r->g.n};
    if (h.n == 0 || h.p[0] != SEVENZIP_HEADER) {
        stop(r, SCAN_UNREADABLE);
        return;
    }
    for (size_t i = 1; i + 4 < h.n; i++) {
        size_t n = (unsigned char)h.p[i + 1], from = i + 2;
        if (h.p[i] != SEVENZIP_NAMES)
            continue;
        if (n & 0x80 && !(n & 0x40)) /* 14 bits: the high ones in the first octet */
            n = (n & 0x3f) << 8 | (unsigned char)h.p[from++];
        str v = str_sub(str_skip(h, from), 0, n);
        if (v.n != n || n < 5 || n % 2 == 0 || v.p[0] || v.p[n - 1] || v.p[n - 2])
            continue;
        for (size_t a = 1, b = 1; b + 1 < v.n; b += 2)
            if (!v.p[b] && !v.p[b + 1]) {
                utf16_name(r, str_sub(v, a, b));
                a = b + 2;
            }
        stop(r, 0);
        return;
    }
    stop(r, SCAN_UNREADABLE);
}

/* ---- */

void rar_feed(struct rar *r, str in)
{
    while (in.n && r->state != RAR_STOP) {
        if (!gather_take(&r->g, &in))
            continue;
        if (r->state == RAR_MARK && r->type == SCAN_SEVENZIP)
            sevenzip_start(r);
        else if (r->state == RAR_MARK)
            next(r, RAR_HEAD, 7);
        else if (r->type == SCAN_SEVENZIP)
            sevenzip_names(r);
        else if (r->type == SCAN_RAR)
            rar4(r);
        else
            rar5(r);
    }
}

void rar_end(struct rar *r)
{
    if (r->state == RAR_BODY && r->type == SCAN_SEVENZIP)
        stop(r, SCAN_DAMAGED | SCAN_UNREADABLE);
    else if (r->state != RAR_STOP && (r->state != RAR_HEAD || r->g.n || r->g.skip))
        stop(r, SCAN_DAMAGED);
}
