/*
 * Receiving message data: the scanner that finds the one true end, takes stuffed dots off and says what
 * the message is made of (RFC 5321 4.5.2, 2.3.8). This is the hot path of the server: blocks of 64 octets are
 * judged by bit masks and copied as far as every CR and LF is of a CRLF and no line begins with a dot; each
 * octet that stands in the way goes alone through the machine below.
 *
 *   BOL   at the start of a line (or of the data)
 *   LINE  inside a line
 *   CR    behind a CR that was written already
 *   DOT   behind a dot at the start of a line, not written: stuffing or the end
 *   DOTCR behind such a dot and a CR, neither written
 */
#include "wire/data.h"

#if defined __SSE2__
#include <emmintrin.h>
#endif

enum { BOL, LINE, CR, DOT, DOTCR };
enum { BLOCK = 64 };

void data_in_init(struct data_in *d, enum data_mode mode, uint32_t line_max)
{
    *d = (struct data_in){.mode = mode, .state = BOL, .line_max = line_max};
}

/* The current line is n octets longer (a CR counts, its LF does not). */
static inline void grow_line(struct data_in *d, uint32_t n)
{
    if (__builtin_add_overflow(d->line, n, &d->line))
        d->line = UINT32_MAX;
    if (d->line_max && d->line > d->line_max && d->line - 1 > d->line_max)
        d->flags |= DATA_LONG_LINE;
}

/* The LF of a CRLF: `line` holds the line and its CR. True when it was the first empty line. */
static inline bool end_line(struct data_in *d)
{
    uint32_t len = d->line - 1;
    d->line = 0;
    if (len > d->longest)
        d->longest = len;
    if (d->line_max && len > d->line_max)
        d->flags |= DATA_LONG_LINE;
    if (len || d->head_done)
        return false;
    d->head_done = true;
    return true;
}

/* One block as bit masks, its first octet in bit 0. */
struct masks {
    uint64_t cr, lf, dot;
    bool nul, high; /* any in the block */
};

#if defined __SSE2__
static inline uint64_t bits(__m128i v) { return (uint32_t)_mm_movemask_epi8(v); }

static inline struct masks masks_of(const char *in)
{
    const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n'), dot = _mm_set1_epi8('.');
    __m128i a = _mm_loadu_si128((const __m128i *)(const void *)in);
    __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(in + 16));
    __m128i c = _mm_loadu_si128((const __m128i *)(const void *)(in + 32));
    __m128i d = _mm_loadu_si128((const __m128i *)(const void *)(in + 48));
    __m128i least = _mm_min_epu8(_mm_min_epu8(a, b), _mm_min_epu8(c, d));
    __m128i any = _mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d));
    return (struct masks){
        .cr = bits(_mm_cmpeq_epi8(a, cr)) | bits(_mm_cmpeq_epi8(b, cr)) << 16 | bits(_mm_cmpeq_epi8(c, cr)) << 32 |
              bits(_mm_cmpeq_epi8(d, cr)) << 48,
        .lf = bits(_mm_cmpeq_epi8(a, lf)) | bits(_mm_cmpeq_epi8(b, lf)) << 16 | bits(_mm_cmpeq_epi8(c, lf)) << 32 |
              bits(_mm_cmpeq_epi8(d, lf)) << 48,
        .dot = bits(_mm_cmpeq_epi8(a, dot)) | bits(_mm_cmpeq_epi8(b, dot)) << 16 | bits(_mm_cmpeq_epi8(c, dot)) << 32 |
               bits(_mm_cmpeq_epi8(d, dot)) << 48,
        .nul = bits(_mm_cmpeq_epi8(least, _mm_setzero_si128())) != 0,
        .high = bits(any) != 0,
    };
}
#else
static inline struct masks masks_of(const char *in)
{
    struct masks m = {0};
    for (int i = 0; i < BLOCK; i++) {
        unsigned char c = (unsigned char)in[i];
        m.cr |= (uint64_t)(c == '\r') << i;
        m.lf |= (uint64_t)(c == '\n') << i;
        m.dot |= (uint64_t)(c == '.') << i;
        m.nul |= c == 0;
        m.high |= c > 127;
    }
    return m;
}
#endif

static inline uint64_t first_bits(unsigned n) { return n < BLOCK ? ((uint64_t)1 << n) - 1 : UINT64_MAX; }

/* Flags of the first n octets of a block that has NUL or 8-bit octets; the first `head` of them are header. */
static void note_octets(struct data_in *d, const char *in, unsigned n, unsigned head)
{
    for (unsigned i = 0; i < n; i++) {
        if (in[i] == 0)
            d->flags |= DATA_NUL;
        if ((unsigned char)in[i] > 127)
            d->flags |= i < head ? DATA_8BIT_HEAD : DATA_8BIT_BODY;
    }
}

/* Lines and flags of the first n octets of a block, which are in order. */
static inline void take_part(struct data_in *d, const struct masks *m, const char *in, unsigned n)
{
    unsigned from = 0, head = d->head_done ? 0 : n;
    for (uint64_t lf = m->lf & first_bits(n); lf; lf &= lf - 1) {
        unsigned at = (unsigned)__builtin_ctzll(lf);
        grow_line(d, at - from);
        from = at + 1;
        if (end_line(d)) {
            head = from;
            d->body_at = d->size + from;
        }
    }
    grow_line(d, n - from);
    if (m->nul || (m->high && (head || !(d->flags & DATA_8BIT_BODY))))
        note_octets(d, in, n, head);
    d->size += n;
    if (n)
        d->state = m->lf >> (n - 1) & 1 ? BOL : m->cr >> (n - 1) & 1 ? CR : LINE;
}

/* The octets of one block up to the first that is out of order. */
static inline unsigned take_block(struct data_in *d, const char *in, unsigned n)
{
    struct masks m = masks_of(in);
    uint64_t dots = m.dot & (m.lf << 1 | (d->state == BOL));
    uint64_t odd = (m.lf ^ (m.cr << 1 | (d->state == CR))) | (d->mode == DATA_DOT ? dots : 0);
    if (odd && (unsigned)__builtin_ctzll(odd) < n)
        n = (unsigned)__builtin_ctzll(odd);
    if (dots & first_bits(n))
        d->flags |= DATA_DOT_LINE;
    take_part(d, &m, in, n);
    return n;
}

/* The end of the input, shorter than a block. */
static unsigned take_rest(struct data_in *d, const char *in, unsigned n)
{
    SCRATCH char block[BLOCK];
    memset(block, ' ', sizeof block);
    memcpy(block, in, n);
    return take_block(d, block, n);
}

/* Whole blocks of a body, where lines shorter than a block are of no interest: most of all octets go this way. */
static size_t take_body(struct data_in *d, const char *in, size_t n)
{
    bool bol = d->state == BOL, cr = d->state == CR, high = false, nul = false;
    uint64_t line = d->line, longest = d->longest, stop = d->mode == DATA_DOT ? UINT64_MAX : 0, dots = 0;
    size_t at = 0;
    for (; n - at >= BLOCK; at += BLOCK) {
        struct masks m = masks_of(in + at);
        uint64_t begun = m.dot & (m.lf << 1 | bol);
        if ((m.lf ^ (m.cr << 1 | cr)) | (begun & stop))
            break;
        dots |= begun;
        high |= m.high;
        nul |= m.nul;
        bol = m.lf >> 63;
        cr = m.cr >> 63;
        line += m.lf ? (unsigned)__builtin_ctzll(m.lf) : BLOCK;
        if (m.lf) {
            longest = line - 1 > longest ? line - 1 : longest;
            line = (unsigned)__builtin_clzll(m.lf);
        }
    }
    if (!at)
        return 0;
    d->flags |= (dots ? DATA_DOT_LINE : 0) | (high ? DATA_8BIT_BODY : 0) | (nul ? DATA_NUL : 0);
    if (d->line_max && (longest > d->line_max || line > (uint64_t)d->line_max + 1))
        d->flags |= DATA_LONG_LINE;
    d->line = line < UINT32_MAX ? (uint32_t)line : UINT32_MAX;
    d->longest = longest < UINT32_MAX ? (uint32_t)longest : UINT32_MAX;
    d->size += at;
    d->state = bol ? BOL : cr ? CR : LINE;
    return at;
}

/* What is in order, from the state BOL, LINE or CR: every CR and LF is of a CRLF, no line begins with a dot that
 * has a meaning. Returns the octets taken and written. */
static size_t take_ordered(struct data_in *d, const char *in, size_t n, char *out)
{
    size_t at = 0;
    unsigned took = BLOCK;
    while (took == BLOCK && n - at >= BLOCK) {
        if (d->head_done && d->line_max - 1 >= BLOCK)
            at += take_body(d, in + at, n - at);
        if (n - at >= BLOCK)
            at += took = take_block(d, in + at, BLOCK);
    }
    if (took == BLOCK && at < n)
        at += take_rest(d, in + at, (unsigned)(n - at));
    if (out != in) /* it may lie before `in` and overlap it */
        memmove(out, in, at);
    return at;
}

/* One octet that belongs to the message; returns 1 when it was written (a dot may be held back). */
static inline size_t take_octet(struct data_in *d, char c, char *out)
{
    uint8_t state = d->state;
    if (state == CR && c != '\n')
        d->flags |= DATA_BARE_CR;
    if (c == '.' && state == BOL) {
        if (d->mode == DATA_DOT) {
            d->state = DOT;
            return 0;
        }
        d->flags |= DATA_DOT_LINE;
    }
    *out = c;
    d->size++;
    if (c == '\n' && state == CR) {
        d->state = BOL;
        if (end_line(d))
            d->body_at = d->size;
        return 1;
    }
    if (c == '\n')
        d->flags |= DATA_BARE_LF;
    if (c == 0)
        d->flags |= DATA_NUL;
    if ((unsigned char)c > 127)
        d->flags |= d->head_done ? DATA_8BIT_BODY : DATA_8BIT_HEAD;
    d->state = c == '\r' ? CR : LINE;
    grow_line(d, 1);
    return 1;
}

/* `used` octets of this call's input are behind c, `n` were written. */
static inline size_t step(struct data_in *d, const char *in, size_t used, char *out, size_t n)
{
    char c = in[used];
    size_t start = n;
    if (d->state == DOT) {
        if (c == '\r') {
            d->state = DOTCR;
            return 0;
        }
        if (c == '.')
            d->flags |= DATA_DOT_LINE;
        d->state = LINE;
    } else if (d->state == DOTCR) {
        if (c == '\n') {
            d->done = true;
            return 0;
        }
        d->state = LINE;
        if (out != in || n < used) /* in place there may be no room for it */
            n += take_octet(d, '\r', out + n);
        d->flags |= DATA_BARE_CR;
    }
    n += take_octet(d, c, out + n);
    return n - start;
}

size_t data_in_feed(struct data_in *d, const char *in, size_t n, char *out, size_t *ret_out)
{
    size_t used = 0, o = 0;
    while (used < n && !d->done) {
        size_t k = d->state <= CR ? take_ordered(d, in + used, n - used, out + o) : 0;
        used += k;
        o += k;
        if (used < n) {
            o += step(d, in, used, out, o);
            used++;
        }
    }
    *ret_out = o;
    return used;
}

void data_in_end(struct data_in *d)
{
    if (d->mode == DATA_DOT)
        return;
    if (d->state == CR)
        d->flags |= DATA_BARE_CR;
    if (d->state != BOL)
        d->flags |= DATA_UNENDED;
    if (d->line > d->longest)
        d->longest = d->line;
    if (d->line_max && d->line > d->line_max)
        d->flags |= DATA_LONG_LINE;
}
