/* Any octets as a server's answer, and as the text of ours. */
#include "wire/reply.h"
#include "wire/fuzz.h"

static void print(const struct reply *r)
{
    static char mem[65536];
    struct buf out;
    str rest, line;
    buf_init_fixed(&out, mem, sizeof mem);
    reply_print(&out, r);
    MUST(out.e == OK && out.n > 5);
    rest = buf_str(&out);
    while (str_cut(&rest, '\n', &line) && rest.p) {
        MUST(line.n >= 5 && line.n + 1 <= REPLY_LINE_MAX && line.p[line.n - 1] == '\r');
        MUST(str_find(str_sub(line, 0, line.n - 1), '\r') == STR_NONE && line.p[3] == (rest.n ? '-' : ' '));
    }
    MUST(line.n == 0);
    reply_print_line(&out, r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str all = {(const char *)data, size}, rest = all, line;
    struct reply_parser p;
    struct ehlo e = {0};
    struct reply r = {0};
    reply_parser_init(&p);
    while (str_cut(&rest, '\n', &line)) {
        enum reply_in got = reply_parse_line(&p, line);
        if (got == REPLY_BAD)
            break;
        ehlo_line(&e, p.line);
        if (got == REPLY_DONE) {
            print(&p.r);
            reply_parser_init(&p);
        }
    }
    reply_set_str(&r, 550, "5.7.1", all);
    print(&r);
    if (reply_from_text(&r, all))
        print(&r);
    return 0;
}
