/*
 * zip as it streams by (APPNOTE 4.3): the files by their local headers, and again by the central directory. Readers
 * differ in which of the two they believe, and in what they make of octets around them; so both are read, and where
 * they do not agree the archive counts as damaged.
 */
#include "scan/internal.h"

enum { LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50, DESCRIPTOR = 0x08074b50 };
enum { END64 = 0x06064b50, LOCATOR64 = 0x07064b50, SPLIT = 0x30304b50 };
enum { FLAG_ENCRYPTED = 1, FLAG_DESCRIPTOR = 8, FLAG_MASKED = 0x2000 };
enum { STORED = 0, DEFLATED = 8 };
#define UNKNOWN UINT64_MAX

static void damaged(struct zip *z) { look_part(z->look)->flags |= SCAN_DAMAGED; }

static void next(struct zip *z, enum zip_state s, size_t want)
{
    z->state = s;
    gather_for(&z->g, want);
}

static void seek(struct zip *z)
{
    z->state = ZIP_SEEK;
    memset(z->window, 0, sizeof z->window);
}

void zip_begin(struct zip *z, struct scan_look *l, bool seeking)
{
    z->look = l;
    z->central = z->ended = z->office = z->macros = z->jar = z->apk = false;
    z->files = z->listed = 0;
    z->item = SIZE_MAX;
    z->head.n = 0;
    next(z, ZIP_SIGN, 4);
    if (seeking)
        seek(z);
}

/* ---- one file ---- */

/* The true kind of the whole shows in the names of its files. */
static void judge_name(struct zip *z, str name)
{
    z->office |= str_ieq(name, S("[Content_Types].xml"));
    z->macros |= str_iends(name, S("vbaProject.bin")) || str_iends(name, S("/macrosheets/")) ||
                 str_search(name, S("macrosheets/")) != STR_NONE;
    z->jar |= str_ieq(name, S("META-INF/MANIFEST.MF"));
    z->apk |= str_eq(name, S("AndroidManifest.xml"));
}

static void file_known(struct zip *z)
{
    struct scan_item *i = look_item(z->look, z->item);
    if (i && !(i->flags & SCAN_ENCRYPTED))
        i->type = z->head.n ? scan_type_of((str){z->head.p, z->head.n}) : i->size ? SCAN_DATA : SCAN_EMPTY;
    z->item = SIZE_MAX;
}

static void begin_inflating(struct zip *z)
{
    int r = z->inflating ? inflateReset2(&z->z, -15) : inflateInit2(&z->z, -15);
    if (r == Z_MEM_ERROR)
        look_nomem(z->look);
    z->inflating = z->inflating || r == Z_OK;
}

static void local_header(struct zip *z)
{
    const char *p = z->g.p;
    z->flags = scan_u16(p + 2);
    z->method = scan_u16(p + 4);
    z->packed = scan_u32(p + 14);
    z->name_n = scan_u16(p + 22);
    z->extra_n = scan_u16(p + 24);
    if (z->flags & FLAG_DESCRIPTOR || z->packed == 0xffffffff)
        z->packed = UNKNOWN;
    z->item = SIZE_MAX;
    z->head.n = 0;
    next(z, ZIP_LOCAL_NAME, z->name_n < ARCHIVE_NAME_MAX ? z->name_n : ARCHIVE_NAME_MAX);
}

static void local_name(struct zip *z)
{
    str name = {z->g.p, z->g.n};
    bool folder = str_ends(name, S("/")), secret = z->flags & FLAG_ENCRYPTED;
    z->files++;
    judge_name(z, name);
    if (!folder)
        z->item = look_member(z->look, name, z->packed == UNKNOWN ? 0 : z->packed, secret ? SCAN_ENCRYPTED : 0);
    if (secret)
        look_part(z->look)->flags |= SCAN_ENCRYPTED;
    if (z->name_n > ARCHIVE_NAME_MAX)
        damaged(z);
    uint64_t skip = z->name_n - z->g.n + z->extra_n;
    if (!secret && z->method == DEFLATED) {
        begin_inflating(z);
        next(z, ZIP_DATA, 0);
    } else if (z->packed == UNKNOWN) {
        seek(z);
    } else {
        next(z, ZIP_DATA, 0);
    }
    z->g.skip = skip;
}

/* The file stays open until the next record is there: when none is, its header was wrong about its size. */
static void file_ends(struct zip *z) { next(z, ZIP_SIGN, 4); }

/* What is left of a file of known size is not looked at. */
static void skip_rest(struct zip *z)
{
    uint64_t left = z->packed;
    file_known(z);
    file_ends(z);
    z->g.skip = left;
}

static size_t inflate_some(struct zip *z, str in)
{
    z->z.next_in = (Bytef *)(uintptr_t)in.p;
    z->z.avail_in = (uInt)in.n;
    z->z.next_out = (Bytef *)z->out;
    z->z.avail_out = sizeof z->out;
    int r = z->inflating ? inflate(&z->z, Z_NO_FLUSH) : Z_DATA_ERROR;
    str out = {z->out, sizeof z->out - z->z.avail_out};
    size_t used = in.n - z->z.avail_in;
    bool room = look_unpacked(z->look, out.n);
    bool full = head_take(&z->head, &out);
    if (z->packed != UNKNOWN && used > z->packed) { /* more than its header says */
        damaged(z);
        z->packed = UNKNOWN;
    }
    bool known = z->packed != UNKNOWN;
    z->packed -= known ? used : 0;
    if (r == Z_STREAM_END && (!known || z->packed == 0)) {
        file_known(z);
        file_ends(z);
    } else if (r == Z_STREAM_END || (r != Z_OK && r != Z_BUF_ERROR)) {
        damaged(z);
        file_known(z);
        seek(z);
    } else if (known && (full || !room)) {
        skip_rest(z);
    } else if (!room) {
        z->state = ZIP_STOP;
    }
    return used;
}

/* All that the header says is here; what is being inflated says itself where it ends. */
static bool is_over(const struct zip *z)
{
    bool inflating = z->method == DEFLATED && !(z->flags & FLAG_ENCRYPTED) && z->head.n;
    return z->state == ZIP_DATA && z->packed == 0 && !z->g.skip && !inflating;
}

static void data(struct zip *z, str *in)
{
    bool secret = z->flags & FLAG_ENCRYPTED;
    if (is_over(z)) {
        file_ends(z);
    } else if (!secret && z->method == DEFLATED) {
        *in = str_skip(*in, inflate_some(z, *in));
    } else if (secret || z->method != STORED) {
        skip_rest(z);
    } else {
        str s = str_sub(*in, 0, z->packed < in->n ? (size_t)z->packed : in->n);
        size_t n = s.n;
        bool full = head_take(&z->head, &s);
        z->packed -= n - s.n;
        *in = str_skip(*in, n - s.n);
        if (full)
            skip_rest(z);
    }
}

/* No record where the header of the file before said that it ends: then it goes on here. */
static void goes_on(struct zip *z)
{
    str more = {z->g.p, 4};
    damaged(z);
    if (z->item != SIZE_MAX && z->method == DEFLATED) {
        z->packed = UNKNOWN;
        next(z, ZIP_DATA, 0);
        begin_inflating(z);
        inflate_some(z, more);
        return;
    }
    if (z->item != SIZE_MAX)
        head_take(&z->head, &more);
    seek(z);
    memcpy(z->window, z->g.p, sizeof z->window);
}

/* ---- the directory ---- */

static void central_header(struct zip *z)
{
    const char *p = z->g.p;
    z->flags = scan_u16(p + 4);
    z->packed = scan_u32(p + 20); /* of the whole file, unpacked */
    z->name_n = scan_u16(p + 24);
    z->extra_n = scan_u16(p + 26) + scan_u16(p + 28);
    z->central = true;
    next(z, ZIP_CENTRAL_NAME, z->name_n < ARCHIVE_NAME_MAX ? z->name_n : ARCHIVE_NAME_MAX);
}

static void central_name(struct zip *z)
{
    str name = {z->g.p, z->g.n};
    unsigned flags = z->flags & FLAG_ENCRYPTED ? SCAN_ENCRYPTED : 0;
    uint64_t skip = z->name_n - z->g.n + z->extra_n;
    z->listed++;
    judge_name(z, name);
    if (z->flags & FLAG_MASKED) /* 4.4.4: the local headers hide what this one says */
        look_part(z->look)->flags |= SCAN_ENCRYPTED;
    struct scan_item *i = look_item(z->look, look_find(z->look, name));
    if (i) {
        i->size = z->packed;
        i->flags |= flags;
    } else if (!str_ends(name, S("/"))) {
        if (look_member(z->look, name, z->packed, flags | SCAN_DAMAGED) != SIZE_MAX)
            damaged(z);
    }
    look_part(z->look)->flags |= flags;
    next(z, ZIP_SIGN, 4);
    z->g.skip = skip;
}

/* ---- records ---- */

static void sign(struct zip *z, uint32_t is)
{
    if (is == LOCAL || is == CENTRAL || is == END || is == SPLIT || is == DESCRIPTOR || is == END64 || is == LOCATOR64)
        file_known(z);
    switch (is) {
    case LOCAL:
        if (z->central || z->ended)
            damaged(z);
        next(z, ZIP_LOCAL, 26);
        break;
    case CENTRAL:
        next(z, ZIP_CENTRAL, 42);
        break;
    case END:
        next(z, ZIP_END_RECORD, 18);
        break;
    case SPLIT:
        next(z, ZIP_SIGN, 4);
        break;
    case DESCRIPTOR: /* 12 octets, or 20 in the large form: the next record is looked for */
    case END64:
    case LOCATOR64:
        seek(z);
        break;
    default:
        if (!z->ended) {
            goes_on(z);
            break;
        }
        if (z->g.p[0])
            damaged(z);
        seek(z);
        memcpy(z->window, z->g.p, sizeof z->window);
    }
}

/* Looks for the next record. What lies between two is no harm by itself: descriptors without a signature, padding. */
static void look_for(struct zip *z, str *in)
{
    char *w = z->window;
    while (in->n) {
        if (w[3] == 0 && w[2] == 0 && w[1] == 0) { /* nothing begun: straight to the next P */
            const char *p = memchr(in->p, 'P', in->n);
            *in = str_skip(*in, p ? (size_t)(p - in->p) : in->n);
            if (!p)
                return;
        }
        memmove(w, w + 1, 3);
        w[3] = in->p[0];
        *in = str_skip(*in, 1);
        uint32_t is = scan_u32(w);
        if (is == LOCAL || is == CENTRAL || is == END) {
            file_known(z);
            sign(z, is);
            return;
        }
        if (w[3] != 'P' && w[3] != 'K' && (unsigned char)w[3] > 6)
            memset(w, 0, sizeof z->window);
    }
}

static void end_record(struct zip *z)
{
    uint32_t comment = scan_u16(z->g.p + 16), total = scan_u16(z->g.p + 6);
    if (total != z->listed && total != 0xffff)
        damaged(z);
    z->ended = true;
    z->central = false;
    z->listed = 0;
    next(z, ZIP_SIGN, 4);
    z->g.skip = comment;
}

void zip_feed(struct zip *z, str in)
{
    while ((in.n || is_over(z)) && z->state != ZIP_STOP) {
        if (z->state == ZIP_SEEK && !z->g.skip) {
            str head = in;
            if (z->item != SIZE_MAX && z->method == STORED) /* the size comes behind it */
                head_take(&z->head, &head);
            look_for(z, &in);
            continue;
        }
        if (z->g.skip || z->g.want) {
            if (!gather_take(&z->g, &in) || z->state == ZIP_SEEK)
                continue;
        }
        switch (z->state) {
        case ZIP_SIGN:
            sign(z, scan_u32(z->g.p));
            break;
        case ZIP_LOCAL:
            local_header(z);
            break;
        case ZIP_LOCAL_NAME:
            local_name(z);
            break;
        case ZIP_DATA:
            data(z, &in);
            break;
        case ZIP_CENTRAL:
            central_header(z);
            break;
        case ZIP_CENTRAL_NAME:
            central_name(z);
            break;
        case ZIP_END_RECORD:
            end_record(z);
            break;
        default:
            break;
        }
    }
}

void zip_end(struct zip *z)
{
    struct scan_item *part = look_part(z->look);
    file_known(z);
    if (z->files && !z->ended && z->state != ZIP_STOP)
        damaged(z);
    if (z->office)
        part->type = SCAN_OOXML;
    else if (z->apk)
        part->type = SCAN_APK;
    else if (z->jar)
        part->type = SCAN_JAR;
    else if (z->files)
        part->type = SCAN_ZIP;
    part->flags |= z->macros && z->office ? SCAN_MACROS : 0;
}
