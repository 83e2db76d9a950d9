/* The milter protocol: packets to a filter, and what it answers (milter.h). */
#include "wire/milter.h"

enum { LENGTH = 4, TERMS = 12 };

/* ---- to the filter ---------------------------------------------------------------------------------------- */

static void set_u32(char *p, uint32_t v)
{
    p[0] = (char)(v >> 24);
    p[1] = (char)(v >> 16);
    p[2] = (char)(v >> 8);
    p[3] = (char)v;
}

static uint32_t get_u32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

size_t milter_begin(struct buf *out, enum milter_cmd c)
{
    size_t at = out->n;
    milter_put_u32(out, 0);
    buf_add_char(out, (char)c);
    return at;
}

void milter_end(struct buf *out, size_t begun)
{
    if (!out->e)
        set_u32(out->p + begun, (uint32_t)(out->n - begun - LENGTH));
}

void milter_put(struct buf *out, str octets) { buf_add(out, octets); }

void milter_put_z(struct buf *out, str s)
{
    char *p = buf_room(out, s.n + 1);
    if (!p)
        return;
    for (size_t i = 0; i < s.n; i++)
        p[i] = s.p[i] ? s.p[i] : '?';
    p[s.n] = 0;
    out->n += s.n + 1;
}

void milter_put_u16(struct buf *out, unsigned v)
{
    buf_add_char(out, (char)(v >> 8));
    buf_add_char(out, (char)v);
}

void milter_put_u32(struct buf *out, uint32_t v)
{
    char mem[LENGTH];
    set_u32(mem, v);
    buf_add(out, str_mem(mem, sizeof mem));
}

void milter_optneg(struct buf *out, uint32_t version, uint32_t actions, uint32_t steps)
{
    size_t at = milter_begin(out, MILTER_OPTNEG);
    milter_put_u32(out, version);
    milter_put_u32(out, actions);
    milter_put_u32(out, steps);
    milter_end(out, at);
}

void milter_connect_packet(struct buf *out, str name, enum milter_family f, unsigned port, str address)
{
    size_t at = milter_begin(out, MILTER_CONNECT);
    milter_put_z(out, name);
    buf_add_char(out, (char)f);
    if (f != MILTER_FAMILY_UNKNOWN) {
        milter_put_u16(out, port);
        milter_put_z(out, address);
    }
    milter_end(out, at);
}

void milter_envelope_packet(struct buf *out, enum milter_cmd c, str address, str params)
{
    size_t at = milter_begin(out, c);
    str rest = params, word;
    milter_put_z(out, address);
    while (str_cut(&rest, ' ', &word))
        if (word.n)
            milter_put_z(out, word);
    milter_end(out, at);
}

void milter_header_packet(struct buf *out, str name, str value, bool leading_space)
{
    size_t at = milter_begin(out, MILTER_HEADER);
    milter_put_z(out, name);
    if (!leading_space && str_starts(value, S(" ")))
        value = str_skip(value, 1);
    char *p = buf_room(out, value.n + 1);
    if (!p)
        return;
    size_t n = 0;
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] != '\r' || !(i + 1 < value.n && value.p[i + 1] == '\n'))
            p[n++] = value.p[i] ? value.p[i] : '?';
    p[n++] = 0;
    out->n += n;
    milter_end(out, at);
}

/* ---- from the filter -------------------------------------------------------------------------------------- */

enum milter_frame milter_frame(str in, char *ret_what, str *ret_data, size_t *ret_used)
{
    *ret_used = LENGTH + 1;
    if (in.n < LENGTH)
        return MILTER_MORE;
    uint32_t n = get_u32(in.p);
    if (n == 0 || n > MILTER_ANSWER_MAX)
        return MILTER_BROKEN;
    *ret_used = LENGTH + n;
    if (in.n < *ret_used)
        return MILTER_MORE;
    *ret_what = in.p[LENGTH];
    *ret_data = str_mem(in.p + LENGTH + 1, n - 1);
    return MILTER_WHOLE;
}

/* Up to a NUL, which goes, too. False: there is none. */
static bool take_z(str *rest, str *ret)
{
    size_t n = str_find(*rest, 0);
    if (n == STR_NONE)
        return false;
    *ret = str_sub(*rest, 0, n);
    *rest = str_skip(*rest, n + 1);
    return true;
}

bool milter_terms_parse(str data, struct milter_terms *ret, const char **ret_why)
{
    *ret = (struct milter_terms){0};
    *ret_why = "its answer to the negotiation is too short";
    if (data.n < TERMS)
        return false;
    ret->version = get_u32(data.p);
    ret->actions = get_u32(data.p + 4);
    ret->steps = get_u32(data.p + 8) & MILTER_STEPS;
    *ret_why = "it speaks another version of the protocol";
    if (ret->version < MILTER_VERSION_LEAST || ret->version > MILTER_VERSION)
        return false;
    *ret_why = "it wants to change what no server offers";
    if (ret->actions & ~(uint32_t)MILTER_ACTIONS)
        return false;
    *ret_why = "its lists of macros are malformed";
    for (str rest = str_skip(data, TERMS); rest.n;) {
        uint32_t stage = rest.n > LENGTH ? get_u32(rest.p) : MILTER_STAGES;
        str names;
        rest = str_skip(rest, LENGTH);
        if (stage >= MILTER_STAGES || !take_z(&rest, &names))
            return false;
        ret->macros[stage] = names;
    }
    return true;
}

uint32_t milter_action_of(enum milter_said s)
{
    switch (s) {
    case MILTER_SAID_ADD_HEADER:
        return MILTER_ADD_HEADERS;
    case MILTER_SAID_INSERT_HEADER: /* libmilter lets a filter insert with either */
        return MILTER_ADD_HEADERS | MILTER_CHANGE_HEADERS;
    case MILTER_SAID_CHANGE_HEADER:
        return MILTER_CHANGE_HEADERS;
    case MILTER_SAID_SENDER:
        return MILTER_CHANGE_SENDER;
    case MILTER_SAID_ADD_RCPT:
        return MILTER_ADD_RCPT | MILTER_ADD_RCPT_ARGS;
    case MILTER_SAID_ADD_RCPT_ARGS:
        return MILTER_ADD_RCPT_ARGS;
    case MILTER_SAID_DELETE_RCPT:
        return MILTER_DELETE_RCPT;
    case MILTER_SAID_BODY:
        return MILTER_CHANGE_BODY;
    case MILTER_SAID_QUARANTINE:
        return MILTER_QUARANTINE;
    default:
        return 0;
    }
}

bool milter_field_name(str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] > '~' || name.p[i] == ':')
            return false;
    return name.n > 0 && name.n <= MILTER_HEADER_NAME_MAX;
}

static bool parse_header(str rest, bool index, struct milter_answer *ret)
{
    if (index) {
        if (rest.n < LENGTH)
            return false;
        ret->index = get_u32(rest.p);
        rest = str_skip(rest, LENGTH);
    }
    return take_z(&rest, &ret->name) && take_z(&rest, &ret->value) && rest.n == 0 && milter_field_name(ret->name) &&
           ret->index <= INT32_MAX;
}

static bool parse_address(str rest, bool args, struct milter_answer *ret)
{
    ret->value = S("");
    return take_z(&rest, &ret->name) && (!args || rest.n == 0 || take_z(&rest, &ret->value)) && rest.n == 0 &&
           ret->name.n > 0 && ret->name.n <= MILTER_ADDRESS_MAX && ret->value.n <= MILTER_ADDRESS_MAX;
}

bool milter_answer_parse(char what, str data, struct milter_answer *ret, const char **ret_why)
{
    *ret = (struct milter_answer){.said = (enum milter_said)what, .name = S(""), .value = S("")};
    *ret_why = "what it answers is malformed";
    switch (what) {
    case MILTER_SAID_CONTINUE:
    case MILTER_SAID_ACCEPT:
    case MILTER_SAID_REJECT:
    case MILTER_SAID_TEMPFAIL:
    case MILTER_SAID_DISCARD:
    case MILTER_SAID_SKIP:
    case MILTER_SAID_SHUTDOWN:
    case MILTER_SAID_FAIL:
    case MILTER_SAID_PROGRESS:
        return data.n == 0;
    case MILTER_SAID_REPLY:
    case MILTER_SAID_QUARANTINE:
        return take_z(&data, &ret->value) && data.n == 0;
    case MILTER_SAID_ADD_HEADER:
        return parse_header(data, false, ret);
    case MILTER_SAID_INSERT_HEADER:
    case MILTER_SAID_CHANGE_HEADER:
        return parse_header(data, true, ret);
    case MILTER_SAID_ADD_RCPT:
    case MILTER_SAID_DELETE_RCPT:
        return parse_address(data, false, ret);
    case MILTER_SAID_ADD_RCPT_ARGS:
    case MILTER_SAID_SENDER:
        return parse_address(data, true, ret);
    case MILTER_SAID_BODY:
        ret->value = data;
        return true;
    default:
        *ret_why = "it answers what is not in the protocol";
        return false;
    }
}

/* Sendmail takes the text for a format: filters double their percent signs. */
static str without_percent(str text, char mem[REPLY_IN_LINE_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < text.n && n < REPLY_IN_LINE_MAX; i++) {
        if (text.p[i] == '%' && i + 1 < text.n)
            i++;
        mem[n++] = text.p[i];
    }
    return str_mem(mem, n);
}

bool milter_reply(str text, struct reply *ret)
{
    SCRATCH char mem[REPLY_IN_LINE_MAX];
    SCRATCH struct reply_parser p;
    enum reply_in got = REPLY_MORE;
    if (text.n == 0 || (text.p[0] != '4' && text.p[0] != '5'))
        return false;
    text = without_percent(str_sub(text, 0, REPLY_IN_LINE_MAX), mem);
    reply_parser_init(&p);
    str line;
    while (got == REPLY_MORE && str_cut(&text, '\n', &line)) {
        if (str_ends(line, S("\r")))
            line.n--;
        got = reply_parse_line(&p, line);
    }
    if (got != REPLY_DONE || (p.r.code / 100 != 4 && p.r.code / 100 != 5))
        return false;
    *ret = p.r;
    return true;
}

void milter_value(struct buf *out, str value, bool leading_space)
{
    while (value.n && (value.p[value.n - 1] == '\n' || value.p[value.n - 1] == '\r'))
        value.n--;
    if (!leading_space)
        buf_add_char(out, ' ');
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '\r' && i + 1 < value.n && value.p[i + 1] == '\n')
            continue;
        if (c == '\n') {
            buf_add(out, S("\r\n"));
            if (!ascii_wsp(value.p[i + 1])) /* there is one: line ends at the end are gone */
                buf_add_char(out, '\t');
            continue;
        }
        buf_add_char(out, ((unsigned char)c < ' ' && c != '\t') || c == 127 ? '?' : c);
    }
}
