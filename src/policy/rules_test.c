/* Conditions from text against a session, edits of headers, and what the pipeline makes of several verdicts. */
#include "policy/internal.h"
#include "policy/rules.h"
#include "rt/test_world.h"
#include "wire/addr.h"

static struct source src;
static struct envelope env;
static struct matter m;

static void set_up(struct policy **p, struct conf *c)
{
    static struct recipient to[2] = {{.address = S_INIT("alice@example.test"), .list = S_INIT("info@example.test")},
                                     {.address = S_INIT("bob@Other.test")}};
    src = (struct source){.helo = S("mail.Client.test"), .client_text = S("192.0.2.7"), .listener = S("mx")};
    CHECK(ip_parse(S("192.0.2.7"), &src.client.ip));
    env = (struct envelope){.sender = S("x@sub.client.test"), .to = to, .nto = 2};
    m = (struct matter){.source = &src, .conf = c, .env = &env};
    m.text = S("From: A <a@b.test>\r\nSubject: Good\r\n  news\r\nX-E:\r\n\r\n");
    struct policy *q = calloc(1, sizeof *q);
    CHECK(q);
    arena_init(&q->tx, 1024, 1 << 20);
    arena_init(&q->session, 1024, 1 << 20);
    verdict_init(&q->outcome);
    q->last = &q->edits;
    q->phase = PHASE_HEADER;
    q->running = "test";
    *p = q;
}

static void conditions(void)
{
    static const struct {
        const char *text;
        bool yes;
    } v[] = {
        {"client is 192.0.2.7", true},
        {"client in 10.0.0.0/8, 192.0.2.0/24", true},
        {"client in 10.0.0.0/8", false},
        {"not client in 10.0.0.0/8", true},
        {"helo is MAIL.client.test", true},
        {"helo is .client.test", true},
        {"helo is client.test", false},
        {"helo ends with '.test' and helo begins with mail", true},
        {"helo contains 'L.cli'", true},
        {"helo matches 'm*.cl?ent.t*'", true},
        {"helo matches 'm*x'", false},
        {"sender is x@SUB.client.test", true},
        {"sender is @sub.client.test", true},
        {"sender is @.client.test", true},
        {"sender is @client.test", false},
        {"sender domain is .client.test", true},
        {"recipient is info@example.test", true},
        {"recipient is bob@other.test", true},
        {"recipient is carol@other.test", false},
        {"recipient domain is other.test", true},
        {"recipients > 1", true},
        {"recipients >= 3", false},
        {"authenticated", false},
        {"not authenticated and not tls", true},
        {"header Subject is 'Good  news' or header Subject contains 'good'", true},
        {"header X-None", false},
        {"header X-E", true},
        {"author is a@b.test", true},
        {"author domain is b.test and (tls or listener is mx)", true},
        {"spf is fail", false},
        {"not spf is pass", true},
        {"score > 4", true},
        {"score > 4.5", false},
        {"tag seen", true},
        {"tag unseen", false},
        {"phase is header", true},
    };
    struct policy *p;
    set_up(&p, NULL);
    p->score = 4.25;
    CHECK(policy_add_edit(p, &(struct edit){.kind = EDIT_TAG, .name = S("Seen"), .value = S("")}) == OK);
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        struct rule_cond *c = NULL;
        str why = S("");
        if (!rule_condition(str_c(v[i].text), &p->tx, &c, &why)) {
            fprintf(stderr, "%s: " STR_FMT "\n", v[i].text, STR_ARG(why));
            _exit(1);
        }
        if (cond_true(p, &m, c) != v[i].yes) {
            fprintf(stderr, "%s is not %d\n", v[i].text, v[i].yes);
            _exit(1);
        }
    }
    policy_free(&p);
}

static void globs(void)
{
    CHECK(glob_match(S("*"), S("")) && glob_match(S(""), S("")) && !glob_match(S("?"), S("")));
    CHECK(glob_match(S("a*b*c"), S("aXXbYYbZc")) && !glob_match(S("a*b*c"), S("aXXbYYbZ")));
    CHECK(glob_match(S("*.EXE"), S("x.exe")) && !glob_match(S("*.exe"), S("x.exe.txt")));
    CHECK(!glob_match(S("*a*a*a*a*b"), S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")));
}

static void head_edits(void)
{
    static const struct edit v[] = {
        {.kind = EDIT_HEADER_ADD, .name = S_INIT("X-Add"), .value = S_INIT("1")},
        {.kind = EDIT_HEADER_INSERT, .index = 1, .name = S_INIT("X-In"), .value = S_INIT("a\n b\r\n\tc\nd")},
        {.kind = EDIT_HEADER_CHANGE, .index = 2, .name = S_INIT("a"), .value = S_INIT(" spaced")},
        {.kind = EDIT_HEADER_REMOVE, .index = 1, .name = S_INIT("A"), .value = S_INIT("")},
        {.kind = EDIT_HEADER_CHANGE, .index = 1, .name = S_INIT("X-New"), .value = S_INIT("n")},
        {.kind = EDIT_HEADER_CHANGE, .index = 1, .name = S_INIT("C"), .value = S_INIT("")},
        {.kind = EDIT_HEADER_INSERT, .index = 99, .name = S_INIT("X-Last"), .value = S_INIT("z")},
    };
    struct edit list[sizeof v / sizeof *v];
    struct buf out;
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        list[i] = v[i];
        list[i].next = i + 1 < sizeof v / sizeof *v ? &list[i + 1] : NULL;
    }
    buf_init(&out, 1 << 16);
    CHECK(policy_edit_head(list, S("A: 1\r\nB: 2\r\n 3\r\nA: 4\r\nC: 5\r\n\r\n"), NULL, NULL, &out) == OK);
    str want = S("X-In: a\r\n b\r\n\tc\r\n\td\r\nB: 2\r\n 3\r\na: spaced\r\nX-Add: 1\r\nX-New: n\r\nX-Last: z\r\n\r\n");
    if (!str_eq(buf_str(&out), want))
        fprintf(stderr, STR_FMT "\n", STR_ARG(buf_str(&out)));
    CHECK(str_eq(buf_str(&out), want));
    buf_clear(&out);
    CHECK(policy_edit_head(list, S(""), NULL, NULL, &out) == OK);
    CHECK(str_ends(buf_str(&out), S("X-Last: z\r\n\r\n")));
    buf_free(&out);
    /* what must not be written */
    struct policy *p;
    set_up(&p, NULL);
    static const str bad[] = {S_INIT("a\rb"), S_INIT("a\x01"), S_INIT("a\x7f"), S_INIT("a\r\r\n")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(policy_add_edit(p, &(struct edit){.kind = EDIT_HEADER_ADD, .name = S("X"), .value = bad[i]}) == E_SYNTAX);
    CHECK(policy_add_edit(p, &(struct edit){.kind = EDIT_HEADER_ADD, .name = S("X Y"), .value = S("")}) == E_SYNTAX);
    for (int i = 0; i < EDITS_MAX; i++)
        CHECK(policy_add_edit(p, &(struct edit){.kind = EDIT_TAG, .name = S("t"), .value = S("")}) == OK);
    CHECK(policy_add_edit(p, &(struct edit){.kind = EDIT_TAG, .name = S("t"), .value = S("")}) == E_LIMIT);
    policy_free(&p);
}

static struct verdict of(enum verdict_kind k)
{
    struct verdict v;
    verdict_init(&v);
    v.kind = k;
    v.by = "test";
    return v;
}

/* Refusals end a phase and need no code; what concerns the message is remembered, the stronger of two. */
static void sums(void)
{
    struct policy *p;
    set_up(&p, NULL);
    struct verdict v = of(VERDICT_REFUSE);
    CHECK(policy_take(p, PHASE_MAIL, &m, &v) && v.reply.code == 550);
    v = of(VERDICT_DEFER);
    v.reply.code = 550; /* not one that puts off */
    CHECK(policy_take(p, PHASE_MAIL, &m, &v) && v.reply.code == 450);
    v = of(VERDICT_HOLD);
    CHECK(!policy_take(p, PHASE_MAIL, &m, &v) && policy_outcome(p)->kind == VERDICT_HOLD);
    v = of(VERDICT_REDIRECT);
    v.to = S("c@d.test");
    CHECK(!policy_take(p, PHASE_MAIL, &m, &v) && policy_outcome(p)->kind == VERDICT_HOLD);
    v = of(VERDICT_QUARANTINE);
    CHECK(!policy_take(p, PHASE_DATA, &m, &v) && policy_outcome(p)->kind == VERDICT_QUARANTINE);
    v = of(VERDICT_HOLD);
    CHECK(!policy_take(p, PHASE_DATA, &m, &v) && policy_outcome(p)->kind == VERDICT_QUARANTINE);
    CHECK(str_eq(policy_outcome(p)->to, S("c@d.test")));
    v = of(VERDICT_DISCARD);
    CHECK(policy_take(p, PHASE_RCPT, &m, &v) && policy_outcome(p)->kind == VERDICT_QUARANTINE);
    v = of(VERDICT_DISCARD);
    v.whole = true;
    CHECK(policy_take(p, PHASE_RCPT, &m, &v) && policy_outcome(p)->kind == VERDICT_DISCARD && p->tx_lifted);
    policy_tx_end(p);
    CHECK(policy_outcome(p)->kind == VERDICT_CONTINUE && !p->tx_lifted && !policy_outcome(p)->to.n);
    v = of(VERDICT_ACCEPT);
    CHECK(policy_take(p, PHASE_RCPT, &m, &v) && !p->tx_lifted);
    CHECK(policy_take(p, PHASE_MAIL, &m, &v) && p->tx_lifted && !p->lifted);
    CHECK(policy_take(p, PHASE_CONNECT, &m, &v) && p->lifted);
    policy_free(&p);
}

/* Points and tags of the session stay, and are not counted twice when EHLO is said again. */
static void of_session(void)
{
    struct policy *p;
    str value;
    set_up(&p, NULL);
    p->phase = PHASE_HELO;
    policy_score(p, &m, 2, "test", S(""));
    CHECK(policy_add_edit(p, &(struct edit){.kind = EDIT_TAG, .name = S("odd"), .value = S("1")}) == OK);
    CHECK(policy_add_edit(p, &(struct edit){.kind = EDIT_TAG, .name = S("odd"), .value = S("2")}) == OK);
    CHECK(policy_add_edit(p, &(struct edit){.kind = EDIT_CLASS, .name = S(""), .value = S("")}) == E_UNSUPPORTED);
    p->phase = PHASE_MAIL;
    policy_score(p, &m, 1.5, "test", S("because"));
    CHECK(policy_score_now(p) > 3.4 && policy_score_now(p) < 3.6);
    policy_tx_end(p);
    CHECK(policy_score_now(p) > 1.9 && policy_score_now(p) < 2.1);
    CHECK(policy_tag(p, S("ODD"), &value) && str_eq(value, S("2")));
    policy_free(&p);
}

/* A condition that is false only because there was no memory to look: the phase fails, the mail does not pass. */
static void no_memory(void)
{
    struct policy *p;
    struct verdict v;
    str why = S("");
    struct conf_rule rule = {.title = S("r"), .everywhere = true, .phase = (enum rule_phase)PHASE_HEADER};
    struct conf c = {.rules = &rule, .nrules = 1};
    set_up(&p, &c);
    CHECK(rule_condition(S("header Subject is other"), &p->session, &rule.cond, &why));
    verdict_init(&v);
    CHECK(rules_run(p, NULL, PHASE_HEADER, &m, &v) && v.kind == VERDICT_CONTINUE);
    p->short_of_memory = true;
    CHECK(!rules_run(p, NULL, PHASE_HEADER, &m, &v));
    policy_tx_end(p);
    CHECK(rules_run(p, NULL, PHASE_HEADER, &m, &v));
    p->tx.e = E_NOMEM;
    CHECK(!rules_run(p, NULL, PHASE_HEADER, &m, &v));
    policy_free(&p);
}

/* Likewise when the transaction has used up its memory: at the limit it is judged, beyond it is not. */
static void memory_limit(void)
{
    struct policy *p;
    struct verdict v;
    str why = S("");
    struct conf_rule rule = {.title = S("r"), .everywhere = true, .phase = (enum rule_phase)PHASE_HEADER};
    struct conf c = {.rules = &rule, .nrules = 1};
    size_t need = 0;
    for (int beyond = 0; beyond < 2; beyond++) {
        set_up(&p, &c);
        CHECK(rule_condition(S("author is someone@else.test"), &p->session, &rule.cond, &why));
        verdict_init(&v);
        if (!need) {
            CHECK(rules_run(p, NULL, PHASE_HEADER, &m, &v));
            need = p->tx.used;
            CHECK(need > 0);
            policy_tx_end(p);
        }
        p->tx.max = need - 16 * (size_t)beyond; /* what arenas hand out is rounded up to that */
        CHECK(rules_run(p, NULL, PHASE_HEADER, &m, &v) == !beyond);
        CHECK(p->tx.e == (beyond ? E_LIMIT : OK));
        policy_free(&p);
    }
}

static void all(void *arg, int index)
{
    (void)arg;
    (void)index;
    conditions();
    globs();
    head_edits();
    sums();
    of_session();
    no_memory();
    memory_limit();
    rt_stop();
}

static void test_rules(void **state)
{
    (void)state;
    world(1, all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
