/* What rules and filters did: to the log at once, to the metrics, and to the history of the message once it has an id.
 */
#include "policy/breaker.h"
#include "policy/internal.h"

#include <stdlib.h>

/* ---- counts by rule and verdict, over all loops; the first 2,000 different ones ------------------------------------
 */

enum { COUNTS_MAX = 2000, SLOTS = 4096, COUNT_NAME = 120 };

struct count {
    uint64_t n;
    char by[COUNT_NAME], what[32];
};
static struct {
    struct lock lock;
    struct count *slot[SLOTS];
    unsigned n;
    uint64_t others;
} counts;

static struct count *count_new(str by, str what)
{
    struct count *c = counts.n < COUNTS_MAX ? calloc(1, sizeof *c) : NULL;
    if (!c)
        return NULL;
    memcpy(c->by, by.p, by.n);
    memcpy(c->what, what.p, what.n);
    counts.n++;
    return c;
}

static void count(str by, str what)
{
    by = str_sub(by, 0, COUNT_NAME - 1);
    what = str_sub(what, 0, 31);
    uint64_t at = str_ihash(by) * 31 + str_ihash(what);
    lock_take(&counts.lock);
    struct count **c = &counts.slot[at % SLOTS];
    while (*c && !(str_eq(str_c((*c)->by), by) && str_eq(str_c((*c)->what), what)))
        c = &counts.slot[++at % SLOTS];
    if (*c || (*c = count_new(by, what)))
        (*c)->n++;
    else
        counts.others++;
    lock_drop(&counts.lock);
}

void policy_metrics(struct buf *out)
{
    buf_add(out,
            S("# HELP postrider_policy_total what rules and filters did\n# TYPE postrider_policy_total counter\n"));
    lock_take(&counts.lock);
    for (size_t i = 0; i < SLOTS; i++) {
        const struct count *c = counts.slot[i];
        if (!c)
            continue;
        buf_add(out, S("postrider_policy_total{by="));
        buf_add_quoted(out, str_c(c->by));
        buf_printf(out, ",verdict=\"%s\"} %llu\n", c->what, (unsigned long long)c->n);
    }
    if (counts.others)
        buf_printf(out, "postrider_policy_total{by=\"others\",verdict=\"any\"} %llu\n",
                   (unsigned long long)counts.others);
    lock_drop(&counts.lock);
    breaker_metrics(out);
}

/* ---- notes ---------------------------------------------------------------------------------------------------------
 */

enum { NOTES_MAX = 60, SESSION_NOTES_MAX = 20, NOTE_TEXT = 300 };

/* For the history; beyond the limits only the log has it. */
static void keep(struct policy *p, const char *by, const char *what, str text)
{
    bool session = p->phase <= PHASE_AUTH;
    struct arena *mem = session ? &p->session : &p->tx;
    struct note **at = session ? &p->session_notes : &p->notes;
    unsigned n = 0;
    for (; *at; at = &(*at)->next)
        n++;
    struct note *x = n < (session ? SESSION_NOTES_MAX : NOTES_MAX) ? arena_new(mem, struct note) : NULL;
    if (!x)
        return;
    *x = (struct note){.phase = p->phase, .by = arena_str(mem, str_c(by)), .what = what, .text = arena_str(mem, text)};
    *at = x;
}

void policy_note(struct policy *p, const struct matter *m, const char *by, const char *what, str text)
{
    text = str_sub(text, 0, NOTE_TEXT);
    count(str_c(by), str_c(what));
    rt_log(EV_verdict, log_num((int64_t)m->source->session), log_str(m->source->client_text),
           log_c(phase_name(p->phase)), log_c(by), log_c(what), log_str(text));
    if (p->hear)
        p->hear(p->hear_arg, p->phase, by, what, text);
    keep(p, by, what, text);
}

static void tell(const struct note *n, uint64_t id)
{
    for (; n; n = n->next)
        rt_log(EV_judged, log_id(id), log_c(phase_name(n->phase)), log_str(n->by), log_c(n->what), log_str(n->text));
}

void policy_noted(struct policy *p, uint64_t id)
{
    tell(p->session_notes, id);
    tell(p->notes, id);
}
