/* Any octets as command lines. */
#include "wire/cmd.h"
#include "wire/fuzz.h"

static void one_line(str line, unsigned bits)
{
    struct cmd c;
    struct mail_cmd m;
    struct rcpt_cmd r;
    struct arena mem;
    str a, b;
    uint64_t size;
    bool last;
    enum fault f;
    if (cmd_parse(line, &c))
        return;
    MUST(c.verb.n > 0 && c.verb.n <= 16 && c.verb.p + c.verb.n <= line.p + line.n);
    arena_init(&mem, 512, 65536);
    if (!cmd_mail(c.args, bits & EXT_ALL, bits & 64, &mem, &m))
        MUST(!m.from.utf8 || m.p.smtputf8);
    if (!cmd_rcpt(c.args, bits & EXT_ALL, bits & 64, bits & 128, &mem, &r))
        MUST((!r.to.utf8 || bits & 64) && r.to.kind != ADDR_NONE);
    if (!cmd_bdat(c.args, 1000, &size, &last))
        MUST(size <= 1000);
    cmd_auth(c.args, &a, &b);
    str rest = c.args;
    while (cmd_xclient_next(&rest, &mem, &a, &b, &f))
        ;
    arena_free(&mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    str rest = {(const char *)data + 1, size - 1}, line;
    while (str_cut(&rest, '\n', &line))
        one_line(line, data[0]);
    return 0;
}
