/* Any octets in every foreign place of a report: still our lines and our fields. */
#include "base/text.h"
#include "wire/dsn.h"
#include "wire/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char mem[1 << 18];
    str s = {(const char *)data, size}, part[6], line;
    struct buf out;
    if (size < 1 || size > 8192)
        return 0;
    for (size_t i = 0; i < 6; i++)
        part[i] = str_sub(s, size * i / 6, size * (i + 1) / 6);
    struct dsn_rcpt r = {.orcpt_type = S("utf-8"),
                         .orcpt = part[0],
                         .final = part[1],
                         .action = data[0] % 5,
                         .status = part[2],
                         .remote_mta = part[3],
                         .diagnostic = part[4],
                         .retry_until_s = 1};
    struct dsn d = {.reporting_mta = S("mx.test"),
                    .from = part[2],
                    .to = part[1],
                    .message_id = part[3],
                    .boundary = S("b"),
                    .envid = part[5],
                    .subject = part[4],
                    .now_s = 1,
                    .rcpts = &r,
                    .n_rcpts = 1,
                    .text = data[0] & 64 ? part[5] : (str){NULL, 0},
                    .utf8 = data[0] & 128};
    buf_init_fixed(&out, mem, sizeof mem);
    err e = dsn_print(&out, &d);
    if (e)
        return 0;
    MUST(d.utf8 || text_ascii(buf_str(&out)));
    str rest = buf_str(&out);
    int delimiters = 0;
    while (str_cut(&rest, '\n', &line) && rest.p) {
        MUST(line.n > 0 && line.n <= 999 && line.p[line.n - 1] == '\r');
        delimiters += str_eq(line, S("--b\r"));
    }
    MUST(delimiters >= 2);
    return 0;
}
