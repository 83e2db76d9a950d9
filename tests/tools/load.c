/* See load.h. */
#include "load.h"
#include <stdio.h>
#include <stdlib.h>

#define BLOCKS 256
#define BLOCK_LINES 48
#define BLOCK_BYTES 4096

struct block {
    char plain[BLOCK_BYTES], stuffed[BLOCK_BYTES + BLOCK_LINES];
    uint16_t plain_end[BLOCK_LINES], stuffed_end[BLOCK_LINES]; /* where each line ends, CRLF included */
    unsigned lines;
};

static struct block *pool[3]; /* by kind: p, d, 8 */

uint64_t load_mix(uint64_t a, uint64_t b)
{
    uint64_t z = a * 0x9e3779b97f4a7c15u + b + 0x632be59bd9b4e019u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static unsigned kind_index(char kind) { return kind == 'd' ? 1 : kind == '8' ? 2 : 0; }

static size_t words(char *dst, size_t want, uint64_t r, bool utf8)
{
    static const char *const list[] = {"letters", "are",   "sorted", "by",   "hand", "before", "the",  "rider",
                                       "leaves",  "at",    "dawn.",  "each", "sack", "holds",  "mail", "for",
                                       "towns",   "along", "a",      "road", "that", "bends,", "and",  "returns"};
    static const char *const more[] = {"gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac",
                                       "\xd0\xbf\xd0\xbe\xd1\x87\xd1\x82\xd0\xb0"};
    size_t n = 0;
    for (uint64_t i = 0;; i++) {
        uint64_t h = load_mix(r, i);
        const char *w = utf8 && h % 5 == 0 ? more[h / 5 % 3] : list[h / 7 % 24];
        size_t len = strlen(w);
        if (n + len + 1 > want)
            break;
        memcpy(dst + n, w, len);
        n += len;
        dst[n++] = ' ';
    }
    if (n > 0)
        n--; /* the last blank */
    return n;
}

/* One awkward line without its CRLF. */
static size_t odd_line(char *dst, uint64_t r)
{
    static const char *const odd[] = {".",     "..",    "...",          ".dot",   "..dots", "",
                                      ". ",    ".\t",   "From here on", ">From",  "QUIT",   "RSET",
                                      "DATA",  " ",     "trailing  ",   "tab\t",  "--",     "\\.",
                                      ".QUIT", "..\\r", "MAIL FROM:<>", "a.b.c.", "=2E=0D", ".=0D=0A."};
    if (r % 29 == 0) { /* as long as the standard allows (RFC 5321 4.5.3.1.6), with or without a dot */
        memset(dst, r % 2 ? '.' : 'L', 998);
        return 998;
    }
    const char *s = odd[r / 29 % 24];
    size_t n = strlen(s);
    memcpy(dst, s, n);
    return n;
}

static void add_line(struct block *b, const char *line, size_t n)
{
    unsigned i = b->lines++;
    size_t p = i > 0 ? b->plain_end[i - 1] : 0, s = i > 0 ? b->stuffed_end[i - 1] : 0;
    memcpy(b->plain + p, line, n);
    memcpy(b->plain + p + n, "\r\n", 2);
    b->plain_end[i] = (uint16_t)(p + n + 2);
    if (n > 0 && line[0] == '.')
        b->stuffed[s++] = '.';
    memcpy(b->stuffed + s, line, n);
    memcpy(b->stuffed + s + n, "\r\n", 2);
    b->stuffed_end[i] = (uint16_t)(s + n + 2);
}

static void make_block(struct block *b, unsigned kind, uint64_t r)
{
    char line[1000];
    size_t used = 0;
    for (uint64_t i = 0; b->lines < BLOCK_LINES; i++) {
        uint64_t h = load_mix(r, i);
        size_t n;
        if (kind > 0 && h % 4 == 0)
            n = odd_line(line, h >> 8);
        else
            n = words(line, 50 + (h >> 8) % 28, h, kind == 2);
        if (used + n + 2 > BLOCK_BYTES)
            break;
        add_line(b, line, n);
        used += n + 2;
    }
}

void load_init(void)
{
    for (unsigned k = 0; k < 3; k++) {
        pool[k] = calloc(BLOCKS, sizeof *pool[k]);
        if (!pool[k]) {
            fputs("load: out of memory\n", stderr);
            exit(1);
        }
        for (uint64_t i = 0; i < BLOCKS; i++)
            make_block(&pool[k][i], k, load_mix(k + 1, i));
    }
}

static size_t make_head(const struct load_msg *m, struct buf *out)
{
    size_t before = out->n;
    unsigned long long seed = m->seed, seq = m->seq;
    buf_printf(out, "X-Load: seed=%llu seq=%llu try=%u size=%u kind=%c\r\n", seed, seq, m->attempt, m->size, m->kind);
    buf_printf(out,
               "From: <sender@load.example>\r\nTo: undisclosed-recipients:;\r\n"
               "Date: Fri, 21 Nov 2025 10:00:00 +0000\r\nSubject: message %llu\r\n"
               "Message-ID: <%llu.%u.%llu@load.example>\r\nMIME-Version: 1.0\r\n"
               "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n",
               seq, seq, m->attempt, seed, m->kind == '8' ? "8bit" : "7bit");
    return out->n - before;
}

/* Exactly n octets of short lines; n is 0 or at least 2. */
static void fill(struct buf *out, size_t n)
{
    static const char x[] = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
    while (n > 0) {
        size_t take = n < 74 ? n : n - 74 == 1 ? 73 : 74;
        buf_add(out, str_mem(x, take - 2));
        buf_add(out, S("\r\n"));
        n -= take;
    }
}

void load_make(const struct load_msg *m, bool stuffed, struct buf *out)
{
    size_t head = make_head(m, out);
    size_t left = m->size > head + 2 ? m->size - head : 2;
    for (uint64_t i = 0; left > 0 && !out->e; i++) {
        char mark[64];
        size_t n = (size_t)snprintf(mark, sizeof mark, "= %llu.%u block %llu =\r\n", (unsigned long long)m->seq,
                                    m->attempt, (unsigned long long)i);
        if (left < n + 2) {
            fill(out, left);
            return;
        }
        buf_add(out, str_mem(mark, n));
        left -= n;
        const struct block *b = &pool[kind_index(m->kind)][load_mix(m->seed ^ (m->seq << 20), i) % BLOCKS];
        unsigned lines = b->lines;
        while (lines > 0 && (b->plain_end[lines - 1] > left || left - b->plain_end[lines - 1] == 1))
            lines--;
        size_t plain = lines > 0 ? b->plain_end[lines - 1] : 0;
        buf_add(out,
                stuffed ? str_mem(b->stuffed, lines > 0 ? b->stuffed_end[lines - 1] : 0) : str_mem(b->plain, plain));
        left -= plain;
        if (lines < b->lines) {
            fill(out, left);
            return;
        }
    }
}

bool load_find(str text, struct load_msg *ret_m, size_t *ret_at)
{
    size_t at = 0;
    while (at < text.n && text.p[at] != '\r') {
        str line = str_skip(text, at);
        if (str_starts(line, S("X-Load: "))) {
            char z[160];
            unsigned long long seed, seq;
            struct load_msg m = {0};
            str_to_c(str_sub(line, 0, line.n < 159 ? line.n : 159), z, sizeof z);
            if (sscanf(z, "X-Load: seed=%llu seq=%llu try=%u size=%u kind=%c", &seed, &seq, &m.attempt, &m.size,
                       &m.kind) != 5)
                return false;
            m.seed = seed, m.seq = seq;
            *ret_m = m;
            *ret_at = at;
            return m.size <= LOAD_MAX;
        }
        size_t nl = str_find(line, '\n');
        if (nl == STR_NONE)
            return false;
        at += nl + 1;
    }
    return false;
}

bool load_same(str text, size_t at, const struct load_msg *m, struct buf *scratch)
{
    buf_clear(scratch);
    load_make(m, false, scratch);
    return !scratch->e && str_eq(str_skip(text, at), buf_str(scratch));
}
