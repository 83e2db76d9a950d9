/*
 * Looking at a message as it streams by: parts from the walk of wire/mime, decoded, their names and true types; what is
 * an archive goes through its reader. Memory and work are bounded whatever the octets are: items by number, names by
 * the octets of an arena, unpacking by octets in all.
 */
#include "scan/internal.h"

#include "base/cleanup.h"
#include "wire/head.h"
#include "wire/mime.h"
#include "wire/mime_param.h"

enum { NAMES_MEMORY = 512 * 1024, PIECE = 3072, PATTERN_MAX = 32 };

/* What is searched for in documents, whatever stands around it. */
static const struct {
    enum scan_type type;
    str octets;
    unsigned flag;
} patterns[] = {
    {SCAN_OLE, S_INIT("_\0V\0B\0A\0_\0P\0R\0O\0J\0E\0C\0T\0"), SCAN_MACROS},
    {SCAN_OLE, S_INIT("E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0"), SCAN_ENCRYPTED},
    {SCAN_RTF, S_INIT("\\objdata"), SCAN_ACTIVE},
    {SCAN_RTF, S_INIT("\\objupdate"), SCAN_ACTIVE},
    {SCAN_PDF, S_INIT("/Launch"), SCAN_ACTIVE},
    {SCAN_PDF, S_INIT("/JavaScript"), SCAN_ACTIVE},
    {SCAN_PDF, S_INIT("/Encrypt"), SCAN_ENCRYPTED},
    {SCAN_TEXT, S_INIT("XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUB"), SCAN_GTUBE},
    {SCAN_HTML, S_INIT("XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUB"), SCAN_GTUBE},
};

struct scan_look {
    struct scan_limits limits;
    struct mime *mime;
    struct arena names;
    struct scan_found found;
    size_t cap;
    uint64_t unpacked;
    err e;
    /* the part at hand */
    bool open, typed;
    size_t part;  /* its item */
    size_t other; /* the first item behind it and its other names */
    struct mime_decoder decoder;
    struct head_of head;
    char tail[PATTERN_MAX]; /* the last octets, for patterns that lie over two pieces */
    size_t ntail;
    enum scan_type reader; /* SCAN_EMPTY: none */
    /* made when first needed */
    struct zip *zip;
    struct tar *tar;
    struct gunzip *gunzip;
    struct rar *rar;
    char out[PIECE + 8];
};

/* ---- gathering --------------------------------------------------------------------------------------------------- */

bool head_take(struct head_of *h, str *in)
{
    size_t n = sizeof h->p - h->n < in->n ? sizeof h->p - h->n : in->n;
    memcpy(h->p + h->n, in->p, n);
    h->n += n;
    *in = str_skip(*in, n);
    return h->n == sizeof h->p;
}

void gather_for(struct gather *g, size_t want)
{
    g->n = 0;
    g->want = want;
    g->skip = 0;
}

bool gather_take(struct gather *g, str *in)
{
    size_t n = g->skip < in->n ? (size_t)g->skip : in->n;
    g->skip -= n;
    *in = str_skip(*in, n);
    if (g->skip)
        return false;
    n = g->want - g->n < in->n ? g->want - g->n : in->n;
    memcpy(g->p + g->n, in->p, n);
    g->n += n;
    *in = str_skip(*in, n);
    return g->n == g->want;
}

/* ---- items ------------------------------------------------------------------------------------------------------- */

void look_nomem(struct scan_look *l) { l->e = E_NOMEM; }

void look_incomplete(struct scan_look *l, const char *why)
{
    if (!l->found.incomplete)
        l->found.incomplete = why;
}

bool look_unpacked(struct scan_look *l, size_t octets)
{
    l->unpacked += octets;
    if (l->unpacked <= l->limits.unpacked)
        return true;
    look_incomplete(l, "an archive unpacks to too much");
    return false;
}

struct scan_item *look_item(struct scan_look *l, size_t at) { return at < l->found.n ? &l->found.v[at] : NULL; }
struct scan_item *look_part(struct scan_look *l) { return &l->found.v[l->part]; }

/* Room for one more; SIZE_MAX: there is none. */
static size_t add_item(struct scan_look *l)
{
    struct scan_found *f = &l->found;
    if (f->n >= l->limits.items) {
        look_incomplete(l, "too many parts and files");
        return SIZE_MAX;
    }
    if (f->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 16;
        struct scan_item *v = realloc(f->v, cap * sizeof *v);
        if (!v) {
            l->e = E_NOMEM;
            return SIZE_MAX;
        }
        f->v = v;
        l->cap = cap;
    }
    f->v[f->n] = (struct scan_item){0};
    return f->n++;
}

/* U+202A to U+202E and U+2066 to U+2069: what is written behind them is shown elsewhere. */
static bool turns(str s)
{
    for (size_t i = 0; i + 2 < s.n; i++)
        if (s.p[i] == '\xe2' && ((s.p[i + 1] == '\x80' && s.p[i + 2] >= '\xaa' && s.p[i + 2] <= '\xae') ||
                                 (s.p[i + 1] == '\x81' && s.p[i + 2] >= '\xa6' && s.p[i + 2] <= '\xa9')))
            return true;
    return false;
}

static void set_name(struct scan_look *l, size_t at, str name)
{
    struct scan_item *i = look_item(l, at);
    if (!i || !name.n)
        return;
    i->name = arena_str(&l->names, name);
    if (!i->name.p) {
        i->name = S("");
        look_incomplete(l, "too many names");
    }
    i->flags |= turns(name) ? SCAN_HIDDEN_NAME : 0;
}

size_t look_member(struct scan_look *l, str name, uint64_t size, unsigned flags)
{
    char clean[ARCHIVE_NAME_MAX];
    size_t n = 0, at = add_item(l);
    struct scan_item *i = look_item(l, at);
    if (!i)
        return at;
    for (size_t k = 0; k < name.n && n < sizeof clean; k++)
        if ((unsigned char)name.p[k] >= 32 && name.p[k] != 127)
            clean[n++] = name.p[k];
    i->part = look_part(l)->part;
    i->size = size;
    i->type = size || flags ? SCAN_DATA : SCAN_EMPTY;
    i->flags = flags | SCAN_INSIDE | (n != name.n ? SCAN_HIDDEN_NAME : 0);
    set_name(l, at, str_mem(clean, n));
    return at;
}

size_t look_find(struct scan_look *l, str name)
{
    for (size_t i = l->other; i < l->found.n; i++)
        if (str_eq(l->found.v[i].name, name))
            return i;
    return SIZE_MAX;
}

/* ---- the octets of a part ---------------------------------------------------------------------------------------- */

#define NEED(l, what) ((l)->what || ((l)->what = calloc(1, sizeof *(l)->what)) || ((l)->e = E_NOMEM, false))

/* Names that only archives of this kind have: they are read as one whatever they begin with. */
static bool called_zip(const struct scan_look *l)
{
    char mem[SCAN_EXTENSION_MAX];
    for (size_t i = l->part; i < l->other; i++) {
        str e = scan_extension(l->found.v[i].name, mem);
        if (str_eq(e, S("zip")) || str_eq(e, S("jar")) || str_eq(e, S("docm")) || str_eq(e, S("xlsm")))
            return true;
    }
    return false;
}

static void begin_reader(struct scan_look *l, enum scan_type t)
{
    enum scan_type as = t != SCAN_EMPTY && scan_type_kind(t) != SCAN_PACKED && called_zip(l) ? SCAN_ZIP : t;
    l->reader = SCAN_EMPTY;
    if (as == SCAN_ZIP && NEED(l, zip))
        zip_begin(l->zip, l, t != SCAN_ZIP);
    else if (as == SCAN_TAR && NEED(l, tar))
        tar_begin(l->tar, l);
    else if (as == SCAN_GZIP && NEED(l, gunzip))
        gunzip_begin(l->gunzip, l);
    else if ((as == SCAN_RAR || as == SCAN_RAR5 || as == SCAN_SEVENZIP) && NEED(l, rar))
        rar_begin(l->rar, l, as);
    else
        return;
    l->reader = as;
}

static void read_on(struct scan_look *l, str s)
{
    switch (l->reader) {
    case SCAN_ZIP:
        zip_feed(l->zip, s);
        break;
    case SCAN_TAR:
        tar_feed(l->tar, s);
        break;
    case SCAN_GZIP:
        gunzip_feed(l->gunzip, s);
        break;
    case SCAN_RAR:
    case SCAN_RAR5:
    case SCAN_SEVENZIP:
        rar_feed(l->rar, s);
        break;
    default:
        break;
    }
}

static void end_reader(struct scan_look *l)
{
    if (l->reader == SCAN_ZIP)
        zip_end(l->zip);
    else if (l->reader == SCAN_TAR)
        tar_end(l->tar);
    else if (l->reader == SCAN_GZIP)
        gunzip_end(l->gunzip);
    else if (l->reader != SCAN_EMPTY)
        rar_end(l->rar);
    l->reader = SCAN_EMPTY;
}

static void search_in(struct scan_item *part, str s)
{
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (patterns[i].type == part->type && !(part->flags & patterns[i].flag) &&
            memmem(s.p, s.n, patterns[i].octets.p, patterns[i].octets.n))
            part->flags |= patterns[i].flag;
}

static void search_patterns(struct scan_look *l, str s)
{
    struct scan_item *part = look_part(l);
    char both[2 * PATTERN_MAX];
    str front = str_sub(s, 0, PATTERN_MAX), back = str_skip(s, s.n > PATTERN_MAX ? s.n - PATTERN_MAX : 0);
    memcpy(both, l->tail, l->ntail);
    memcpy(both + l->ntail, front.p, front.n);
    search_in(part, str_mem(both, l->ntail + front.n));
    search_in(part, s);
    str last = back.n < PATTERN_MAX ? str_mem(both, l->ntail + front.n) : back;
    last = str_skip(last, last.n > PATTERN_MAX ? last.n - PATTERN_MAX : 0);
    memmove(l->tail, last.p, last.n);
    l->ntail = last.n;
}

static void now_typed(struct scan_look *l)
{
    str head = {l->head.p, l->head.n};
    l->typed = true;
    look_part(l)->type = scan_type_of(head);
    begin_reader(l, look_part(l)->type);
    search_patterns(l, head);
    read_on(l, head);
}

static void part_octets(struct scan_look *l, str s)
{
    look_part(l)->size += s.n;
    if (!l->typed && head_take(&l->head, &s))
        now_typed(l);
    if (l->typed && s.n) {
        search_patterns(l, s);
        read_on(l, s);
    }
}

/* ---- what the walk shows ----------------------------------------------------------------------------------------- */

/* The names of one field; the first one is that of the part. */
static void add_names(struct scan_look *l, str value, str param)
{
    str names[MIME_NAMES_MAX];
    bool controls = false;
    AUTO_ARENA a = {0};
    arena_init(&a, 2048, 64 * 1024);
    size_t n = mime_names(value, param, &a, names, &controls);
    for (size_t i = 0; i < n; i++) {
        bool known = false;
        for (size_t j = l->part; j < l->found.n; j++)
            known |= str_eq(l->found.v[j].name, names[i]);
        size_t at = look_part(l)->name.n ? known ? SIZE_MAX : add_item(l) : l->part;
        if (at == SIZE_MAX)
            continue;
        struct scan_item *it = look_item(l, at);
        if (at != l->part) {
            it->part = look_part(l)->part;
            it->flags = SCAN_OTHER_NAME;
        }
        set_name(l, at, names[i]);
        look_part(l)->flags |= controls ? SCAN_HIDDEN_NAME : 0;
    }
}

static void read_fields(struct scan_look *l, str head)
{
    struct head_field f;
    char mem[100];
    struct buf type;
    buf_init_fixed(&type, mem, sizeof mem);
    for (str rest = head; head_next(&rest, &f);) {
        if (str_ieq(f.name, S("Content-Disposition"))) {
            str v = f.value;
            if (str_ieq(mime_token(&v), S("attachment")))
                look_part(l)->flags |= SCAN_ATTACHED;
            add_names(l, f.value, S("filename"));
        } else if (str_ieq(f.name, S("Content-Type"))) {
            if (!type.n)
                mime_type_of(f.value, &type);
            add_names(l, f.value, S("name"));
        }
    }
    look_part(l)->declared = type.n ? arena_str(&l->names, buf_str(&type)) : S("");
}

static void part_begins(void *arg, const struct mime_seen *e)
{
    struct scan_look *l = arg;
    l->open = l->typed = false;
    if (!e->leaf || l->e)
        return;
    l->found.parts++;
    l->part = add_item(l);
    if (l->part == SIZE_MAX)
        return;
    l->open = true;
    l->head.n = l->ntail = 0;
    l->reader = SCAN_EMPTY;
    l->decoder = (struct mime_decoder){.coding = e->cte == CTE_QP       ? MIME_CODING_QP
                                                 : e->cte == CTE_BASE64 ? MIME_CODING_BASE64
                                                                        : MIME_CODING_NONE};
    look_part(l)->part = e->number;
    look_part(l)->flags = e->whole ? SCAN_WHOLE : 0;
    read_fields(l, e->head);
    l->other = l->found.n;
}

static void part_text(void *arg, str s)
{
    struct scan_look *l = arg;
    while (l->open && !l->e && s.n) {
        str piece = str_sub(s, 0, PIECE);
        s = str_skip(s, piece.n);
        part_octets(l, str_mem(l->out, mime_decode(&l->decoder, piece, l->out)));
    }
}

static void part_ends(void *arg)
{
    struct scan_look *l = arg;
    if (!l->open || l->e)
        return;
    part_octets(l, str_mem(l->out, mime_decode_end(&l->decoder, l->out)));
    if (!l->typed)
        now_typed(l);
    end_reader(l);
    look_part(l)->flags |= l->decoder.foreign ? SCAN_BROKEN_CODE : 0;
    l->open = false;
}

/* ---- the face ---------------------------------------------------------------------------------------------------- */

struct scan_look *scan_look_new(const struct scan_limits *limits)
{
    static const struct mime_visitor visitor = {part_begins, part_text, part_ends};
    struct scan_look *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->limits = *limits;
    l->mime = mime_new();
    arena_init(&l->names, 4096, NAMES_MEMORY);
    if (!l->mime) {
        scan_look_free(&l);
        return NULL;
    }
    mime_look(l->mime, &visitor, l);
    return l;
}

void scan_look_free(struct scan_look **p)
{
    struct scan_look *l = *p;
    *p = NULL;
    if (!l)
        return;
    if (l->zip && l->zip->inflating)
        inflateEnd(&l->zip->z);
    if (l->gunzip && l->gunzip->inflating)
        inflateEnd(&l->gunzip->z);
    mime_free(&l->mime);
    arena_free(&l->names);
    free(l->found.v);
    free(l->zip);
    free(l->tar);
    free(l->gunzip);
    free(l->rar);
    free(l);
}

static void note_walk(struct scan_look *l, err e)
{
    if (e == E_NOMEM)
        l->e = e;
    else if (e)
        look_incomplete(l, "parts are nested too deeply, are too many, or have too large a header");
}

err scan_look_at(struct scan_look *l, str octets)
{
    if (!l->e)
        note_walk(l, mime_look_at(l->mime, octets));
    return l->e;
}

err scan_look_end(struct scan_look *l, const struct scan_found **ret)
{
    note_walk(l, mime_look_end(l->mime));
    part_ends(l); /* where the walk gave up */
    if (!l->e)
        *ret = &l->found;
    return l->e;
}
