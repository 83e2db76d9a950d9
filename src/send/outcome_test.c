/* What replies and errors mean. */
#include "base/test.h"
#include "send/internal.h"

static void replies(void **state)
{
    (void)state;
    static const struct {
        int code;
        char at[5]; /* at MAIL, RCPT, DATA and the end: D delivered, T deferred, F failed */
    } rows[] = {
        {250, "TTTD"}, {251, "TTTD"}, {252, "TTTD"}, {354, "TTTT"}, {421, "TTTT"}, {450, "TTTT"},
        {451, "TTTT"}, {452, "TTTT"}, {455, "TTTT"}, {500, "TFFF"}, {501, "FFFF"}, {502, "FFFF"},
        {503, "TTTT"}, {504, "FFFF"}, {521, "FFFF"}, {530, "FFFF"}, {550, "FFFF"}, {551, "FFFF"},
        {552, "FTFF"}, {553, "FFFF"}, {554, "FFFF"}, {555, "FFFF"}, {556, "FFFF"}, {599, "FFFF"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        for (int at = STAGE_MAIL; at <= STAGE_END; at++) {
            struct reply r = {.code = rows[i].code};
            enum fate f = outcome_of_reply(&r, (enum stage)at);
            enum fate want = rows[i].at[at] == 'D'   ? FATE_DELIVERED
                             : rows[i].at[at] == 'T' ? FATE_DEFERRED
                                                     : FATE_FAILED;
            if (f != want)
                fail_msg("%d at stage %d: %d", rows[i].code, at, f);
        }
}

static void ticket_of(struct ticket *t, struct ticket_rcpt *to, uint32_t n)
{
    *t = (struct ticket){.to = to, .nto = n};
    memset(to, 0, n * sizeof *to);
    arena_init(&t->arena, 256, 65536);
}

static void errors(void **state)
{
    (void)state;
    struct ticket t;
    struct ticket_rcpt to[1];
    ticket_of(&t, to, 1);
    for (int e = 1; e < ERR_COUNT; e++) { /* no error of ours or of a connection ends a recipient */
        struct finding v = finding_of_err(&t, (err)e, "testing", S("mx.test"));
        assert_int_equal(v.fate, e == E_CANCELLED ? FATE_NONE : FATE_DEFERRED);
        assert_true(e == E_CANCELLED || str_starts(v.reply, S("451 4.")));
    }
    struct finding v = finding_of_err(&t, E_RESET, "sending the message", S("mx.test"));
    assert_str(v.reply, "451 4.4.2 mx.test: connection lost while sending the message");
    assert_str(v.remote, ""); /* who says so is this server */
    arena_free(&t.arena);
}

static void giving(void **state)
{
    (void)state;
    struct ticket t;
    struct ticket_rcpt to[3];
    ticket_of(&t, to, 3);
    struct finding one = finding_of(&t, FATE_FAILED, S("550 no"), S("a.test")),
                   all = finding_of(&t, FATE_DELIVERED, S("250 yes"), S("b.test"));
    finding_give(&one, &t, 1);
    finding_give_all(&all, &t);
    assert_int_equal(to[0].fate, FATE_DELIVERED);
    assert_int_equal(to[1].fate, FATE_FAILED);
    assert_str(to[1].reply, "550 no");
    assert_str(to[1].remote, "a.test");
    assert_str(to[2].reply, "250 yes");
    t.arena.max = t.arena.used; /* no memory for the text: the fate stands all the same */
    struct finding bare = finding_of(&t, FATE_FAILED, S("550 a text that is too long"), S("c.test"));
    assert_int_equal(bare.fate, FATE_FAILED);
    assert_int_equal(bare.reply.n, 0);
    arena_free(&t.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(replies), cmocka_unit_test(errors), cmocka_unit_test(giving)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
