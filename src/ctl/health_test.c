/* Each thing that may be wrong, at its limit and beside it. */
#include "base/test.h"
#include "ctl/health.h"

#define NOW ((int64_t)1800000000000)
#define DAY_S (24 * 3600)
#define GB ((uint64_t)1 << 30)

struct facts {
    uint64_t recipients, held, free;
    int64_t age_s, ends_s;
    bool full, failed;
    const char *filters;
    uint64_t sites, blocked;
};

static void rules(void **none)
{
    static const struct {
        const char *name, *level, *says;
        struct facts f;
    } cases[] = {
        {"nothing", "green", "", {.free = GB}},
        {"the disk at twice the reserve", "green", "", {.free = GB / 2}},
        {"one octet less", "yellow", "nearly full: 512 MB free", {.free = GB / 2 - 1}},
        {"full", "yellow", "new mail is refused for want of space", {.free = 1, .full = true}},
        {"no writing", "red", "the spool cannot be written", {.free = GB, .failed = true, .full = true}},
        {"as old as a notice", "green", "", {.free = GB, .recipients = 1, .age_s = 4 * 3600}},
        {"older", "yellow", "mail has waited for 4 h", {.free = GB, .recipients = 1, .age_s = 4 * 3600 + 1}},
        {"what is held may be old", "green", "", {.free = GB, .recipients = 1, .held = 1, .age_s = 99999}},
        {"899 of 1000", "green", "", {.free = GB, .recipients = 899}},
        {"900 of 1000", "yellow", "nearly full: 900 recipients of 1000", {.free = GB, .recipients = 900}},
        {"a filter", "yellow", "milter a has failed", {.free = GB, .filters = "milter a\nclamd\n"}},
        {"14 days", "green", "", {.free = GB, .ends_s = 14 * DAY_S}},
        {"less than that", "yellow", "expires in 13 days", {.free = GB, .ends_s = 14 * DAY_S - 1}},
        {"expired", "red", "a certificate has expired", {.free = GB, .ends_s = -1}},
        {"half of the destinations", "green", "", {.free = GB, .sites = 20, .blocked = 10}},
        {"more than half", "yellow", "10 of 19 destinations", {.free = GB, .sites = 19, .blocked = 10}},
        {"few destinations", "green", "", {.free = GB, .sites = 9, .blocked = 9}},
    };
    (void)none;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct facts *x = &cases[i].f;
        const struct queue_stats q = {.recipients = x->recipients,
                                      .held = x->held,
                                      .sites = x->sites,
                                      .blocked_sites = x->blocked,
                                      .oldest_ms = x->age_s ? NOW - x->age_s * 1000 : 0};
        const struct spool_stats s = {.disk_free = x->free, .full = x->full, .failed = x->failed};
        const struct health_facts f = {.q = &q,
                                       .s = &s,
                                       .now_ms = NOW,
                                       .certificate_ends = x->ends_s ? NOW / 1000 + x->ends_s : 0,
                                       .reserve = (int64_t)(GB / 4),
                                       .most = 1000,
                                       .notice_ms = 4 * 3600 * 1000,
                                       .filters = str_c(x->filters ? x->filters : "")};
        AUTO_BUF lines;
        buf_init(&lines, 65536);
        const char *level = health_name(health_look(&f, &lines));
        if (strcmp(level, cases[i].level) != 0 || str_search(buf_str(&lines), str_c(cases[i].says)) == STR_NONE ||
            (!cases[i].says[0] && lines.n))
            fail_msg("%s: %s: " STR_FMT, cases[i].name, level, STR_ARG(buf_str(&lines)));
    }
}

static void hops(void **none)
{
    static const struct {
        const char *site;
        uint64_t waiting;
        int64_t until_s;
        const char *level;
    } cases[] = {
        {"route *", 3, 30, "yellow"},       {"domain a.test", 1, 30, "yellow"}, {"route *", 0, 30, "green"},
        {"route *", 3, -1, "green"},        {"mx a.test", 3, 30, "green"},      {"route * mx a.test", 3, 30, "green"},
        {"maildir a.test", 3, 30, "green"},
    };
    (void)none;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct queue_stats q = {0};
        const struct spool_stats s = {.disk_free = GB};
        const struct queue_site site = {.key = str_c(cases[i].site),
                                        .waiting = cases[i].waiting,
                                        .blocked_until_ms = NOW + cases[i].until_s * 1000,
                                        .error = S("451 4.4.1 \x1b[2J")};
        const struct health_facts f = {.q = &q, .s = &s, .site = &site, .nsite = 1, .now_ms = NOW};
        AUTO_BUF lines;
        buf_init(&lines, 65536);
        assert_string_equal(health_name(health_look(&f, &lines)), cases[i].level);
        assert_true(str_find(buf_str(&lines), '\x1b') == STR_NONE);
    }
}

static void behind(void **none)
{
    (void)none;
    const struct queue_stats q = {0};
    const struct spool_stats s = {.disk_free = GB};
    struct ctl_upstream u = {.upstream = "inner", .server = "10.0.0.5:25", .up = true};
    const struct health_facts f = {.q = &q, .s = &s, .upstream = &u, .nupstream = 1, .now_ms = NOW};
    AUTO_BUF lines;
    buf_init(&lines, 65536);
    assert_int_equal(health_look(&f, &lines), HEALTH_GREEN);
    u.up = false;
    assert_int_equal(health_look(&f, &lines), HEALTH_YELLOW);
    u.relays = true;
    assert_int_equal(health_look(&f, &lines), HEALTH_RED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rules), cmocka_unit_test(hops), cmocka_unit_test(behind)};
    return cmocka_run_group_tests_name("ctl/health", tests, NULL, NULL);
}
