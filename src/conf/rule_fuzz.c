/* Any text as a condition and as an action: what is understood has a phase range and sane bounds, what is not has a
 * reason. */
#include "conf/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        __builtin_trap();
}

static int depth_of(const struct rule_cond *c)
{
    int most = 0;
    must(c->kind == RULE_TEST || c->first);
    for (const struct rule_cond *x = c->first; x; x = x->next) {
        int d = depth_of(x);
        most = d > most ? d : most;
    }
    if (c->kind == RULE_TEST)
        must((rule_ops[c->op].count == 0) == (c->n == 0 && c->op != RULE_OP_IN_LIST) && c->n <= RULE_VALUES);
    return most + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena mem;
    struct rule_cond *c = NULL;
    struct rule_action a;
    struct rule_range r;
    str text = {(const char *)data, size}, why;
    arena_init(&mem, 4096, 4 << 20);
    rule_range_init(&r);
    if (rule_condition(text, &mem, &c, &why)) {
        must(depth_of(c) <= 4 * RULE_DEPTH + 4);
        rule_range_of(&r, c);
    } else {
        must(!why.p || why.n);
    }
    if (rule_action(text, &mem, &a, &why)) {
        must(a.what < RULE_DOS && a.value.p && a.name.p);
        rule_range_of_action(&r, &a);
    } else {
        must(!why.p || why.n);
    }
    must(r.first < RULE_PHASES && r.last < RULE_PHASES && r.usual < RULE_PHASES);
    arena_free(&mem);
    return 0;
}
