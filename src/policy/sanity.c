/* One walk over a header block (RFC 5322 3.6, 2.1.1): how often fields stand there, and whether they can be read. */
#include "policy/sanity.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "wire/head.h"
#include "wire/mime_param.h"

enum { DAY = 86400, OLD = 60 * DAY, LINE_MAX_OCTETS = 998, RECEIVED_MAX = 20 };
#define BIT(x) (1u << SANITY_##x)

const struct sanity_row sanity_rows[SANITY_COUNT] = {
#define ODD(NAME, name, points, text) {name, text, points},
#include "policy/sanity.def"
#undef ODD
};

enum field { DATE, FROM, ID, SUBJECT, TO, CC, SENDER, REPLY_TO, VERSION, TYPE, FIELDS };
static const str names[FIELDS] = {
    [DATE] = S_INIT("Date"),
    [FROM] = S_INIT("From"),
    [ID] = S_INIT("Message-ID"),
    [SUBJECT] = S_INIT("Subject"),
    [TO] = S_INIT("To"),
    [CC] = S_INIT("Cc"),
    [SENDER] = S_INIT("Sender"),
    [REPLY_TO] = S_INIT("Reply-To"),
    [VERSION] = S_INIT("MIME-Version"),
    [TYPE] = S_INIT("Content-Type"),
};

struct seen {
    unsigned n[FIELDS], received;
    str type;
    uint32_t odd;
    int64_t now;
};

static void see_date(struct seen *k, str value)
{
    int64_t t;
    if (!head_date_read(value, &t))
        k->odd |= BIT(BAD_DATE);
    else if (t > k->now + DAY)
        k->odd |= BIT(FUTURE_DATE);
    else if (t < k->now - OLD)
        k->odd |= BIT(OLD_DATE);
}

/* "<something>", whatever comments are around it; what is inside has no blanks (RFC 5322 3.6.4, generously). */
static void see_id(struct seen *k, str value)
{
    str s = str_trim(mime_skip_cfws(value));
    size_t end = str_find(s, '>');
    bool good = s.n > 2 && s.p[0] == '<' && end != STR_NONE && end > 1;
    for (size_t i = 1; good && i < end; i++)
        good = !ascii_wsp(s.p[i]) && s.p[i] != '\r' && s.p[i] != '\n';
    if (!good)
        k->odd |= BIT(BAD_MESSAGE_ID);
}

static str domain_of(str spec)
{
    size_t at = str_rfind(spec, '@');
    return at == STR_NONE ? S("") : str_skip(spec, at + 1);
}

/* The same domain, or one below the other. */
static bool related(str a, str b)
{
    if (a.n < b.n)
        return related(b, a);
    return str_iends(a, b) && (a.n == b.n || a.p[a.n - b.n - 1] == '.');
}

/* "service@bank.example" <x@elsewhere.example>: what people see is not where it is from. */
static void see_from(struct seen *k, str value)
{
    AUTO_ARENA a = {0};
    AUTO_BUF shown;
    struct head_addr one;
    bool bad = false;
    arena_init(&a, 1024, 64 * 1024);
    buf_init(&shown, 64 * 1024);
    if (!head_addr_next(&value, &a, &one, &bad) || bad)
        return;
    mime_words(&shown, one.display);
    str text = buf_str(&shown), real = domain_of(one.spec);
    size_t at = str_find(text, '@');
    if (at == STR_NONE || !real.n)
        return;
    size_t end = at + 1;
    while (end < text.n && (ascii_alnum(text.p[end]) || text.p[end] == '.' || text.p[end] == '-'))
        end++;
    str name = str_sub(text, at + 1, end);
    while (name.n && name.p[name.n - 1] == '.')
        name.n--;
    if (str_find(name, '.') != STR_NONE && !related(name, real))
        k->odd |= BIT(FORGED_NAME);
}

static void see_received(struct seen *k, str value)
{
    int64_t t;
    size_t semi = str_rfind(value, ';');
    if (k->received++ >= RECEIVED_MAX)
        return;
    if (semi == STR_NONE || !head_date_read(str_skip(value, semi + 1), &t))
        k->odd |= BIT(RECEIVED_DATE);
    else if (t > k->now + DAY)
        k->odd |= BIT(RECEIVED_FUTURE);
}

static void see(struct seen *k, const struct head_field *f)
{
    if (str_ieq(f->name, S("Received")))
        see_received(k, f->value);
    for (int i = 0; i < FIELDS; i++) {
        if (!str_ieq(f->name, names[i]))
            continue;
        if (k->n[i]++)
            break;
        if (i == DATE)
            see_date(k, f->value);
        else if (i == ID)
            see_id(k, f->value);
        else if (i == FROM)
            see_from(k, f->value);
        else if (i == TYPE)
            k->type = f->value;
        break;
    }
}

static void see_lines(struct seen *k, str block)
{
    str line;
    while (str_cut(&block, '\n', &line))
        if (line.n > LINE_MAX_OCTETS + 1)
            k->odd |= BIT(LONG_LINE);
}

/* Text that is not ASCII must say what it is (RFC 2045 5.2: without it is us-ascii). */
static bool lacks_charset(const struct seen *k)
{
    AUTO_ARENA a = {0};
    char mem[100];
    struct buf type;
    str v[MIME_NAMES_MAX];
    arena_init(&a, 1024, 64 * 1024);
    buf_init_fixed(&type, mem, sizeof mem);
    mime_type_of(k->type, &type);
    if (type.n && !str_starts(buf_str(&type), S("text/")))
        return false;
    return !mime_names(k->type, S("charset"), &a, v, NULL);
}

static void count(struct seen *k)
{
    static const struct {
        enum field field;
        uint32_t none, twice;
    } rows[] = {
        {DATE, BIT(NO_DATE), BIT(TWICE_DATE)},
        {FROM, BIT(NO_FROM), BIT(TWICE_FROM)},
        {ID, BIT(NO_MESSAGE_ID), BIT(TWICE_ID)},
        {SUBJECT, BIT(NO_SUBJECT), BIT(TWICE_SUBJECT)},
        {TO, 0, BIT(TWICE_OTHER)},
        {CC, 0, BIT(TWICE_OTHER)},
        {SENDER, 0, BIT(TWICE_OTHER)},
        {REPLY_TO, 0, BIT(TWICE_OTHER)},
        {VERSION, 0, BIT(TWICE_OTHER)},
        {TYPE, 0, BIT(TWICE_OTHER)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        k->odd |= k->n[rows[i].field] == 0 ? rows[i].none : k->n[rows[i].field] > 1 ? rows[i].twice : 0;
    if (!k->n[TO] && !k->n[CC])
        k->odd |= BIT(NO_TO);
}

uint32_t sanity_of(str block, int64_t now_s, bool body_8bit, bool utf8)
{
    struct seen k = {.type = S(""), .now = now_s};
    struct head_field f;
    str rest = block;
    while (head_next(&rest, &f))
        see(&k, &f);
    if (rest.n && !str_starts(rest, S("\r\n")) && !str_starts(rest, S("\n")))
        k.odd |= BIT(NOT_A_FIELD);
    see_lines(&k, str_sub(block, 0, block.n - rest.n));
    count(&k);
    if (!utf8 && !text_ascii(block) && !text_utf8(block))
        k.odd |= BIT(EIGHT_BIT);
    if (body_8bit && lacks_charset(&k))
        k.odd |= BIT(NO_CHARSET);
    return k.odd;
}
