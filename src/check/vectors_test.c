/*
 * The RFC 7208 suite on a zone in memory. Its cases come as lines from tests/auth/spf_unit: "Z name type data" and
 * "C title ip helo from results explanation", fields separated by tabs, octets above 126 and controls as \xNN.
 */
#include "base/cleanup.h"
#include "base/codec.h"
#include "check/test_zone.h"

enum { RECORDS_MAX = 4000, CASES_MAX = 400 };
static struct zone_record zone[RECORDS_MAX];
static str cases[CASES_MAX];
static size_t nzone, ncases;
static struct arena all;

static str unescape(str s)
{
    struct buf b;
    buf_init(&b, 70000);
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\\' && i + 3 < s.n) {
            struct buf one;
            buf_init_fixed(&one, &c, 1);
            (void)hex_decode(&one, str_sub(s, i + 2, i + 4));
            i += 3;
        }
        buf_add_char(&b, c);
    }
    str r = arena_str(&all, buf_str(&b));
    buf_free(&b);
    return r;
}

static str field(str *rest)
{
    str f = {0};
    if (rest->p)
        (void)str_cut(rest, '\t', &f);
    return unescape(f);
}

static unsigned type_of(str s)
{
    return str_eq(s, S("A"))      ? DNS_A
           : str_eq(s, S("AAAA")) ? DNS_AAAA
           : str_eq(s, S("MX"))   ? DNS_MX
           : str_eq(s, S("PTR"))  ? DNS_PTR
           : str_eq(s, S("TXT"))  ? DNS_TXT
                                  : 0;
}

static void run(str line)
{
    str title = field(&line), ip = field(&line), helo = field(&line), from = field(&line), results = field(&line),
        explanation = field(&line);
    struct zone z = {.v = zone, .n = nzone};
    struct check_source source = {zone_ask, &z};
    struct arena mem;
    struct check_spf got;
    arena_init(&mem, 4096, 1 << 20);
    struct check c = {.mem = &mem, .source = &source, .deadline = RT_NEVER, .helo = helo, .from = from};
    assert_true(ip_parse(ip, &c.ip));
    check_spf_mail(&c, &got);
    char have[40];
    snprintf(have, sizeof have, " %s ", check_result_name(got.result));
    if (str_search(results, str_c(have)) == STR_NONE)
        fail_msg("%.*s: expected%.*s, found%s(%.*s)", (int)title.n, title.p, (int)results.n, results.p, have,
                 (int)got.why.n, got.why.p);
    if (got.result == CHECK_FAIL && explanation.n && !str_eq(got.explanation, explanation))
        fail_msg("%.*s: explanation \"%.*s\"", (int)title.n, title.p, (int)got.explanation.n, got.explanation.p);
    arena_free(&mem);
}

static void suite(void **state)
{
    (void)state;
    for (size_t i = 0; i < ncases; i++)
        run(cases[i]);
    print_message("%zu cases\n", ncases);
}

static bool take(str line)
{
    str kind = field(&line);
    if (str_eq(kind, S("Z")) && nzone < RECORDS_MAX) {
        struct zone_record *r = &zone[nzone++];
        r->name = field(&line).p;
        r->type = type_of(field(&line));
        r->data = field(&line).p;
        return true;
    }
    if (!str_eq(kind, S("C")) || ncases == CASES_MAX)
        return false;
    cases[ncases++] = line;
    return true;
}

int main(int argc, char **argv)
{
    AUTO_BUF in = {.max = 8 << 20};
    FILE *f = argc > 1 ? fopen(argv[1], "re") : stdin;
    char *p;
    arena_init(&all, 65536, 16 << 20);
    for (size_t n = 1; f && n && (p = buf_room(&in, 65536)); in.n += n)
        n = fread(p, 1, 65536, f);
    str text = buf_str(&in), line;
    while (text.n && str_cut(&text, '\n', &line))
        if (line.n && !take(line))
            return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(suite)};
    return ncases ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
