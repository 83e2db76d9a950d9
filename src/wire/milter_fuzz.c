/* A stream of packets of a filter: a prefix never says more than the whole, and what a packet gives may stand where it
 * goes. The first octet says how the values of fields are taken. */
#include "wire/fuzz.h"
#include "wire/head.h"
#include "wire/milter.h"

static void field(const struct milter_answer *a, bool space)
{
    struct buf b;
    struct head_field f;
    buf_init(&b, 4 * MILTER_ANSWER_MAX);
    buf_add(&b, a->name);
    buf_add_char(&b, ':');
    milter_value(&b, a->value, space);
    buf_add(&b, S("\r\n"));
    MUST(!b.e);
    str rest = buf_str(&b);
    MUST(head_next(&rest, &f) && rest.n == 0 && str_eq(f.name, a->name)); /* one field, whatever it holds */
    struct buf p;
    char what;
    str data;
    size_t used;
    buf_init(&p, 4 * MILTER_ANSWER_MAX);
    milter_header_packet(&p, f.name, f.value, true);
    MUST(milter_frame(buf_str(&p), &what, &data, &used) == MILTER_WHOLE || p.n > MILTER_ANSWER_MAX);
    buf_free(&p);
    buf_free(&b);
}

static void packet(char what, str data, bool space)
{
    struct milter_answer a;
    struct milter_terms t;
    struct reply r;
    const char *why = NULL;
    if (what == MILTER_OPTNEG) {
        if (!milter_terms_parse(data, &t, &why))
            MUST(why);
        return;
    }
    if (!milter_answer_parse(what, data, &a, &why)) {
        MUST(why);
        return;
    }
    MUST(a.name.n + a.value.n <= data.n);
    MUST(a.said == MILTER_SAID_BODY || (str_find(a.name, 0) == STR_NONE && str_find(a.value, 0) == STR_NONE));
    if (a.said == MILTER_SAID_REPLY && milter_reply(a.value, &r))
        MUST(r.code >= 400 && r.code < 600 && (!r.esc[0] || r.esc[0] == '0' + r.code / 100));
    if (a.said == MILTER_SAID_ADD_HEADER || a.said == MILTER_SAID_INSERT_HEADER || a.said == MILTER_SAID_CHANGE_HEADER)
        field(&a, space);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    str in = {(const char *)data + 1, size - 1};
    char what;
    str body;
    size_t used;
    enum milter_frame f;
    while ((f = milter_frame(in, &what, &body, &used)) == MILTER_WHOLE) {
        MUST(used <= in.n && body.n + 5 == used);
        size_t need;
        char w;
        str d;
        MUST(milter_frame(str_sub(in, 0, used - 1), &w, &d, &need) == MILTER_MORE);
        packet(what, body, data[0] & 1);
        in = str_skip(in, used);
    }
    MUST(f == MILTER_BROKEN || used > in.n);
    return 0;
}
