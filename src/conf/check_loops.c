/*
 * Loops among our own addresses: aliases that lead back to themselves, archives that copy to each other. An alias
 * may name itself when a mailbox of that name exists ("a copy to others, too").
 */
#include "conf/internal.h"

/* Where mail to an address goes on inside this configuration. */
struct step {
    const struct conf_alias *alias;   /* or */
    const struct conf_domain *domain; /* whose catch-all takes it */
    uint32_t node;                    /* of either; NONE: it ends here */
};
#define NONE UINT32_MAX
enum { NEW, OPEN, DONE };

static struct step step_of(const struct conf *c, str address)
{
    size_t at = str_rfind(address, '@');
    str local = str_sub(address, 0, at), domain = str_skip(address, at + 1), name;
    if (at != STR_NONE && local.n > 1 && local.p[0] == '"') /* quoted only where needed, so simple quotes suffice */
        local = str_sub(local, 1, local.n - 1);
    const struct conf_alias *a = at == STR_NONE ? NULL : conf_alias(c, local, domain);
    if (a)
        return (struct step){.alias = a, .node = (uint32_t)(a - c->aliases)};
    const struct conf_domain *d = at == STR_NONE ? NULL : conf_domain(c, domain);
    if (d && d->catch_all.n && !conf_mailbox(d, local, &name))
        return (struct step){.domain = d, .node = (uint32_t)(c->naliases + (size_t)(d - c->domains))};
    return (struct step){.node = NONE};
}

static bool names_itself(const struct conf *c, const struct conf_alias *a)
{
    const struct conf_domain *d = conf_domain(c, a->domain);
    return d && (conf_has_mailbox(d, a->local) || (d->hop.how != CONF_TO_MAILDIR && d->mailboxes.n == 0));
}

/* The i-th address that node n leads to; p NULL behind the last. */
static str target(const struct conf *c, uint32_t n, size_t i)
{
    if (n >= c->naliases)
        return i == 0 ? c->domains[n - c->naliases].catch_all : (str){NULL, 0};
    return i < c->aliases[n].to.n ? c->aliases[n].to.v[i] : (str){NULL, 0};
}

static void report(struct load *l, uint32_t n, str to)
{
    const struct conf *c = l->c;
    str main = l->e.path;
    if (n >= c->naliases) {
        const struct conf_domain *d = &c->domains[n - c->naliases];
        fail(&l->e, d->line,
             "domain " STR_FMT ": catch-all: expected an address that does not lead back to itself, found %s",
             STR_ARG(d->title), shown(&l->e, to));
    } else {
        const struct conf_alias *a = &c->aliases[n];
        if (a->from_file)
            l->e.path = l->alias_path;
        fail(&l->e, a->line, "alias " STR_FMT ": expected targets that do not lead back to it, found %s",
             STR_ARG(a->title), shown(&l->e, to));
    }
    l->e.path = main;
}

struct frame {
    uint32_t node;
    uint32_t next; /* target to try */
};

/* One edge of the walk: reports a loop, or opens the node behind it. */
static void walk_target(struct load *l, uint8_t *state, struct frame *stack, size_t *depth, uint32_t n, str to)
{
    struct step s = step_of(l->c, to);
    if (s.node == NONE || (s.node == n && s.alias && names_itself(l->c, s.alias)))
        return;
    if (state[s.node] == OPEN) {
        report(l, n, to);
    } else if (state[s.node] == NEW) {
        state[s.node] = OPEN;
        stack[(*depth)++] = (struct frame){s.node, 0};
    }
}

/* A walk in depth without recursion: each node is opened once. */
static void walk(struct load *l, uint8_t *state, struct frame *stack, uint32_t from)
{
    size_t depth = 1;
    state[from] = OPEN;
    stack[0] = (struct frame){from, 0};
    while (depth > 0) {
        struct frame *f = &stack[depth - 1];
        uint32_t n = f->node;
        str to = target(l->c, n, f->next++);
        if (!to.p) {
            state[n] = DONE;
            depth--;
        } else {
            walk_target(l, state, stack, &depth, n, to);
        }
    }
}

static const struct conf_domain *archive_domain(const struct conf *c, const struct conf_domain *d)
{
    size_t at = str_rfind(d->archive, '@');
    return d->archive.n && at != STR_NONE ? conf_domain(c, str_skip(d->archive, at + 1)) : NULL;
}

/* Archives form chains (one successor each); a ring of more than one domain would copy for ever. */
static void check_archives(struct load *l, uint32_t *seen)
{
    const struct conf *c = l->c;
    for (uint32_t i = 0; i < c->ndomains; i++) {
        const struct conf_domain *d = &c->domains[i], *before = NULL;
        for (; d && !seen[d - c->domains]; before = d, d = archive_domain(c, d))
            seen[d - c->domains] = i + 1;
        if (d && before && before != d && seen[d - c->domains] == i + 1)
            fail(&l->e, before->line,
                 "domain " STR_FMT ": archive: expected an address whose own copies do not come back, found %s",
                 STR_ARG(before->title), shown(&l->e, before->archive));
    }
}

static void check_unused(struct load *l)
{
    str main = l->e.path;
    for (size_t i = 0; i < l->c->naliases; i++) {
        const struct conf_alias *a = &l->c->aliases[i];
        if (a->domain.n == 0 || conf_domain(l->c, a->domain))
            continue;
        l->e.path = a->from_file ? l->alias_path : main;
        warn(&l->e, a->line, "alias " STR_FMT " is never used: there is no domain " STR_FMT, STR_ARG(a->title),
             STR_ARG(a->domain));
    }
    l->e.path = main;
}

void check_loops(struct load *l)
{
    size_t nodes = l->c->naliases + l->c->ndomains;
    uint8_t *state = arena_array(&l->tmp, nodes + 1, 1);
    struct frame *stack = arena_array(&l->tmp, nodes + 1, sizeof *stack);
    uint32_t *seen = arena_array(&l->tmp, l->c->ndomains + 1, sizeof *seen);
    if (!state || !stack || !seen)
        return;
    for (uint32_t n = 0; n < nodes; n++)
        if (state[n] == NEW)
            walk(l, state, stack, n);
    check_archives(l, seen);
    check_unused(l);
}
