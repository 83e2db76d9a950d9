/* A world for tests: a fiber that loads scripts and calls their hooks, and a subject that remembers what was done. */
#ifndef SCRIPT_TEST_SCRIPT_H
#define SCRIPT_TEST_SCRIPT_H
#include "base/cleanup.h"
#include "rt/test_world.h"
#include "script/script.h"

#include "base/test.h"

struct subject {
    str head, body, recipient;
    char edits[4096]; /* "add X: y\n" */
    struct buf log;
    double score;
};

static inline void subject_field(void *arg, enum script_field f, struct arena *mem, struct script_value *ret)
{
    static const str to[] = {S_INIT("a@example.test"), S_INIT("b@example.test")};
    const struct subject *s = arg;
    (void)mem;
    switch (f) {
    case SCRIPT_session_ip:
        *ret = (struct script_value){.kind = SCRIPT_STR, .s = S("192.0.2.1")};
        break;
    case SCRIPT_session_authenticated:
        *ret = (struct script_value){.kind = SCRIPT_BOOL, .b = false};
        break;
    case SCRIPT_envelope_recipients:
        *ret = (struct script_value){.kind = SCRIPT_LIST, .v = to, .nv = 2};
        break;
    case SCRIPT_envelope_recipient:
        *ret = (struct script_value){.kind = SCRIPT_STR, .s = s->recipient};
        break;
    case SCRIPT_message_size:
        *ret = (struct script_value){.kind = SCRIPT_NUM, .n = (double)(s->head.n + s->body.n)};
        break;
    default:
        break;
    }
}

static inline err subject_head(void *arg, struct buf *out)
{
    const struct subject *s = arg;
    if (!s->head.n)
        return E_NOT_FOUND;
    buf_add(out, s->head);
    return OK;
}

static inline err subject_body(void *arg, size_t most, struct buf *out)
{
    const struct subject *s = arg;
    fiber_yield();
    buf_add(out, str_sub(s->body, 0, most));
    return OK;
}

static inline err subject_edit(void *arg, const struct script_edit *e)
{
    struct subject *s = arg;
    if (e->kind == SCRIPT_EDIT_RCPT_ADD && str_find(e->value, '@') == STR_NONE)
        return E_SYNTAX;
    if (e->kind == SCRIPT_EDIT_WAY && !str_eq(e->value, S("bulk")))
        return E_NOT_FOUND;
    buf_printf(&s->log, "%d " STR_FMT "=" STR_FMT " %u\n", (int)e->kind, STR_ARG(e->name), STR_ARG(e->value), e->index);
    return OK;
}

static inline void subject_score(void *arg, double points, str why)
{
    struct subject *s = arg;
    (void)why;
    s->score += points;
}

static inline bool subject_tag(void *arg, str name, str *ret)
{
    (void)arg;
    *ret = S("yes");
    return str_eq(name, S("known"));
}

static inline err subject_list(void *arg, str list, str key, bool *ret)
{
    (void)arg;
    fiber_yield();
    *ret = str_eq(key, S("192.0.2.1"));
    return str_eq(list, S("bad")) ? OK : E_NOT_FOUND;
}

static const struct script_world subject_world = {.field = subject_field,
                                                  .head = subject_head,
                                                  .body = subject_body,
                                                  .edit = subject_edit,
                                                  .score = subject_score,
                                                  .tag = subject_tag,
                                                  .in_list = subject_list};

static inline err script_of(struct script **ret, const char *text, const struct script_options *more, struct buf *why)
{
    struct script_file f = {S("t.lua"), str_c(text)};
    struct script_options o;
    if (more)
        o = *more;
    else
        script_options_init(&o);
    if (!o.nfiles) {
        o.files = &f;
        o.nfiles = 1;
    }
    return script_new(ret, &o, why);
}

#endif
