/* Changes of fields by Sendmail's rules: each row is a header (names), changes, and what comes out. */
#include "base/test.h"
#include "milter/milter.h"

/* A block as names separated by blanks; edits are made on it as whoever applies them does. */
struct block {
    char names[16][16];
    int n;
};

static int place(const struct block *b, str name, uint32_t index)
{
    for (int i = 0; i < b->n; i++)
        if (str_ieq(str_sub(str_c(b->names[i]), 0, 1), name) && --index == 0)
            return i;
    return -1;
}

static void put(struct block *b, int at, str name, str value)
{
    assert_true(b->n < 16 && at <= b->n);
    memmove(b->names[at + 1], b->names[at], (size_t)(b->n - at) * sizeof *b->names);
    snprintf(b->names[at], sizeof *b->names, STR_FMT STR_FMT, STR_ARG(name), STR_ARG(value));
    b->n++;
}

static void edit(struct block *b, const struct milter_edit *e, str value)
{
    int at;
    switch (e->kind) {
    case MILTER_EDIT_ADD:
        put(b, b->n, e->name, value);
        break;
    case MILTER_EDIT_TOP:
        put(b, 0, S("^"), value);
        break;
    case MILTER_EDIT_INSERT:
        put(b, (int)e->index, e->name, value);
        break;
    case MILTER_EDIT_CHANGE:
    case MILTER_EDIT_REMOVE:
        at = place(b, e->name, e->index);
        assert_true(at >= 0);
        if (e->kind == MILTER_EDIT_CHANGE)
            snprintf(b->names[at] + 1, 15, STR_FMT, STR_ARG(value));
        else
            memmove(b->names[at], b->names[at + 1], (size_t)(--b->n - at) * sizeof *b->names);
        break;
    case MILTER_EDIT_NONE:
        break;
    }
}

#define ADD(n, v)                                                                                                      \
    {                                                                                                                  \
        .said = MILTER_SAID_ADD_HEADER, .name = S_INIT(n), .value = S_INIT(v)                                          \
    }
#define INS(i, n, v)                                                                                                   \
    {                                                                                                                  \
        .said = MILTER_SAID_INSERT_HEADER, .index = (i), .name = S_INIT(n), .value = S_INIT(v)                         \
    }
#define CHG(i, n, v)                                                                                                   \
    {                                                                                                                  \
        .said = MILTER_SAID_CHANGE_HEADER, .index = (i), .name = S_INIT(n), .value = S_INIT(v)                         \
    }

static const struct row {
    const char *before;
    struct milter_change c[5];
    const char *after;
} rows[] = {
    {"A B", {ADD("X", "1")}, "A B X1"},
    {"A B", {ADD("A", "1")}, "A B A1"},
    {"A B", {INS(0, "X", "1")}, "^1 A B"},
    {"A B", {INS(1, "X", "1")}, "X1 A B"},
    {"A B", {INS(2, "X", "1")}, "A X1 B"},
    {"A B", {INS(3, "X", "1")}, "A B X1"},
    {"A B", {INS(99, "X", "1")}, "A B X1"},
    {"A B A", {CHG(1, "A", "1")}, "A1 B A"},
    {"A B A", {CHG(2, "a", "1")}, "A B A1"},
    {"A B A", {CHG(0, "A", "1")}, "A1 B A"},
    {"A B", {CHG(2, "A", "1")}, "A B A1"}, /* not there: added */
    {"A B", {CHG(1, "X", "")}, "A B"},     /* not there: nothing to delete */
    {"A B A", {CHG(1, "A", "")}, "B A"},
    {"A B A", {CHG(1, "A", ""), CHG(2, "A", "")}, "B"},       /* numbers stay what they were */
    {"A B A", {CHG(2, "A", ""), CHG(1, "A", "")}, "B"},       /* from the last one on, as many filters do */
    {"A B A", {CHG(1, "A", ""), CHG(1, "A", "")}, "B A"},     /* deleted is deleted */
    {"A B A", {CHG(1, "A", ""), CHG(1, "A", "1")}, "A1 B A"}, /* and comes back in its place */
    {"A B", {ADD("A", "1"), CHG(2, "A", "2")}, "A B A2"},     /* its own count, too */
    {"A B", {CHG(1, "A", ""), INS(1, "X", "1"), ADD("Y", "2")}, "X1 B Y2"}, /* what is deleted is in nobody's way */
    {"A B", {CHG(1, "A", ""), INS(2, "X", "1")}, "B X1"},
    {"A B C", {CHG(1, "B", ""), INS(2, "X", "1"), CHG(1, "C", "2")}, "A X1 C2"},
    {"", {INS(1, "X", "1")}, "X1"},
};

static void changes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *r = &rows[i];
        struct block b = {0};
        struct buf text, got;
        struct arena mem;
        struct milter_fields f;
        str rest = str_c(r->before), name;
        arena_init(&mem, 1024, 1 << 20);
        buf_init(&text, 1000);
        buf_init(&got, 1000);
        while (rest.n && str_cut(&rest, ' ', &name)) {
            put(&b, b.n, name, S(""));
            buf_printf(&text, STR_FMT ": x\r\n", STR_ARG(name));
        }
        buf_add(&text, S("\r\n"));
        assert_int_equal(milter_fields_begin(&f, &mem, buf_str(&text)), OK);
        for (size_t k = 0; r->after && k < COUNT(r->c) && r->c[k].said; k++) {
            struct milter_edit e;
            assert_int_equal(milter_fields_apply(&f, &r->c[k], &e), OK);
            edit(&b, &e, r->c[k].value);
        }
        for (int k = 0; k < b.n; k++)
            buf_printf(&got, "%s%s", k ? " " : "", b.names[k]);
        if (r->after) {
            buf_add_char(&got, 0);
            assert_string_equal(got.p, r->after);
        }
        buf_free(&text);
        buf_free(&got);
        arena_free(&mem);
    }
}

static void no_memory(void **state)
{
    (void)state;
    struct arena mem;
    struct milter_fields f;
    arena_init(&mem, 64, 64);
    assert_int_equal(milter_fields_begin(&f, &mem, S("A: b\r\nC: d\r\nE: f\r\n\r\n")), E_NOMEM);
    arena_free(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(changes), cmocka_unit_test(no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
