/* What servers answer: multi-line replies, enhanced codes and the EHLO list (RFC 5321 4.2.1, 4.1.1.1; RFC
 * 2034; RFC 9422). Tolerant in form, bounded in size. */
#include "wire/reply.h"
#include "base/text.h"

/* Up to three digits without a leading zero at *at. */
static bool esc_part(str s, size_t *at)
{
    size_t start = *at;
    while (*at < s.n && ascii_digit(s.p[*at]))
        ++*at;
    size_t n = *at - start;
    return n >= 1 && n <= 3 && (n == 1 || s.p[start] != '0');
}

size_t reply_esc_len(str s)
{
    size_t at = 2;
    if (s.n < 5 || (s.p[0] != '2' && s.p[0] != '4' && s.p[0] != '5') || s.p[1] != '.')
        return 0;
    if (!esc_part(s, &at) || at >= s.n || s.p[at++] != '.' || !esc_part(s, &at))
        return 0;
    return at == s.n || ascii_wsp(s.p[at]) ? at : 0;
}

static int code_of(str line)
{
    if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || !ascii_digit(line.p[1]) || !ascii_digit(line.p[2]))
        return 0;
    if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
        return 0;
    return (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0');
}

bool reply_from_text(struct reply *r, str text)
{
    int code = code_of(text);
    if (code == 0 || (text.n > 3 && text.p[3] == '-'))
        return false;
    str rest = str_skip(text, 4);
    size_t n = reply_esc_len(rest);
    char esc[12] = "";
    if (n && rest.p[0] == text.p[0]) {
        str_to_c(str_sub(rest, 0, n), esc, sizeof esc);
        rest = str_skip(rest, n + 1);
    }
    reply_set_str(r, code, esc, rest);
    return true;
}

void reply_parser_init(struct reply_parser *p)
{
    reply_init(&p->r);
    p->line = S("");
    p->lines = 0;
}

enum reply_in reply_parse_line(struct reply_parser *p, str line)
{
    int code = code_of(line);
    if (code == 0 || line.n > REPLY_IN_LINE_MAX || p->lines >= REPLY_IN_LINES_MAX)
        return REPLY_BAD;
    p->lines++;
    p->line = str_skip(line, 4);
    str text = p->line;
    size_t n = reply_esc_len(text);
    if (n && text.p[0] == line.p[0]) {
        if (p->r.esc[0] == 0)
            str_to_c(str_sub(text, 0, n), p->r.esc, sizeof p->r.esc);
        text = str_skip(text, n + 1);
    }
    p->r.code = code;
    text = str_trim(text);
    size_t room = sizeof p->r.text - p->r.n;
    if (text.n >= room) {
        p->r.cut = true;
        text.n = room ? room - 1 : 0;
    }
    if (text.n)
        reply_add_str(&p->r, text);
    if (line.n > 3 && line.p[3] == '-')
        return REPLY_MORE;
    if (p->r.esc[0] && p->r.esc[0] != '0' + code / 100) /* the code changed on the way */
        p->r.esc[0] = 0;
    return REPLY_DONE;
}

static const struct word {
    str name;
    uint32_t bit;
} caps[] = {
    {S_INIT("PIPELINING"), CAP_PIPELINING},
    {S_INIT("SIZE"), CAP_SIZE},
    {S_INIT("8BITMIME"), CAP_8BITMIME},
    {S_INIT("SMTPUTF8"), CAP_SMTPUTF8},
    {S_INIT("CHUNKING"), CAP_CHUNKING},
    {S_INIT("BINARYMIME"), CAP_BINARYMIME},
    {S_INIT("DSN"), CAP_DSN},
    {S_INIT("ENHANCEDSTATUSCODES"), CAP_ENHANCEDSTATUSCODES},
    {S_INIT("STARTTLS"), CAP_STARTTLS},
    {S_INIT("AUTH"), CAP_AUTH},
    {S_INIT("LIMITS"), CAP_LIMITS},
    {S_INIT("VRFY"), CAP_VRFY},
    {S_INIT("XCLIENT"), CAP_XCLIENT},
    {S_INIT("REQUIRETLS"), CAP_REQUIRETLS},
    {S_INIT("DELIVERBY"), CAP_DELIVERBY},
    {S_INIT("FUTURERELEASE"), CAP_FUTURERELEASE},
    {S_INIT("MT-PRIORITY"), CAP_MT_PRIORITY},
    {S_INIT("ETRN"), CAP_ETRN},
    {S_INIT("XFORWARD"), CAP_XFORWARD},
};
static const struct word mechs[] = {
    {S_INIT("PLAIN"), AUTH_PLAIN},
    {S_INIT("LOGIN"), AUTH_LOGIN},
    {S_INIT("CRAM-MD5"), AUTH_CRAM_MD5},
    {S_INIT("SCRAM-SHA-1"), AUTH_SCRAM_SHA_1},
    {S_INIT("SCRAM-SHA-1-PLUS"), AUTH_SCRAM_SHA_1_PLUS},
    {S_INIT("SCRAM-SHA-256"), AUTH_SCRAM_SHA_256},
    {S_INIT("SCRAM-SHA-256-PLUS"), AUTH_SCRAM_SHA_256_PLUS},
    {S_INIT("OAUTHBEARER"), AUTH_OAUTHBEARER},
    {S_INIT("XOAUTH2"), AUTH_XOAUTH2},
    {S_INIT("EXTERNAL"), AUTH_EXTERNAL},
};

static uint32_t find_word(const struct word *w, size_t n, str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_ieq(w[i].name, name))
            return w[i].bit;
    return 0;
}

/* The next word of *rest; false when there is none. */
static bool next_word(str *rest, str *ret)
{
    *rest = str_trim(*rest);
    if (rest->n == 0)
        return false;
    size_t i = 0;
    while (i < rest->n && !ascii_wsp(rest->p[i]))
        i++;
    *ret = str_sub(*rest, 0, i);
    *rest = str_skip(*rest, i);
    return true;
}

static void limit_word(struct ehlo *e, str word)
{
    size_t eq = str_find(word, '=');
    uint64_t v;
    if (eq == STR_NONE || !text_u64(str_skip(word, eq + 1), &v) || v == 0)
        return;
    str name = str_sub(word, 0, eq);
    if (str_ieq(name, S("MAILMAX")))
        e->mail_max = v;
    else if (str_ieq(name, S("RCPTMAX")))
        e->rcpt_max = v;
    else if (str_ieq(name, S("RCPTDOMAINMAX")))
        e->rcpt_domain_max = v;
}

void ehlo_line(struct ehlo *e, str line)
{
    str rest = line, word;
    uint64_t v;
    if (!next_word(&rest, &word))
        return;
    if (str_istarts(word, S("AUTH="))) {
        e->caps |= CAP_AUTH;
        e->auth |= find_word(mechs, sizeof mechs / sizeof *mechs, str_skip(word, 5));
        word = S("AUTH");
    }
    uint32_t cap = find_word(caps, sizeof caps / sizeof *caps, word);
    e->caps |= cap;
    while (next_word(&rest, &word)) {
        if (cap == CAP_AUTH)
            e->auth |= find_word(mechs, sizeof mechs / sizeof *mechs, word);
        else if (cap == CAP_LIMITS)
            limit_word(e, word);
        else if (cap == CAP_SIZE && text_u64(word, &v))
            e->size = v;
    }
}
