/* Filters that speak the milter protocol: where they are, and which of them listeners use. */
#include "base/text.h"
#include "conf/internal.h"
#include "wire/addr.h"

#include <stdio.h>
#include <sys/un.h>

enum { WHERE_MAX = 80, FILTERS_MAX = 32 };

/* "HOST:PORT" or, as Sendmail writes it, "PORT@HOST"; an IPv6 address may stand in brackets. */
static bool host_port(str s, struct conf_milter *m)
{
    size_t at = str_find(s, '@'), colon = str_rfind(s, ':');
    uint64_t port;
    struct ip ip;
    str number, host;
    if (at != STR_NONE) {
        number = str_sub(s, 0, at);
        host = str_skip(s, at + 1);
    } else if (colon != STR_NONE) {
        host = str_sub(s, 0, colon);
        number = str_skip(s, colon + 1);
    } else {
        return false;
    }
    if (str_starts(host, S("[")) && str_ends(host, S("]")))
        host = str_sub(host, 1, host.n - 1);
    if (number.n > 5 || !text_u64(number, &port) || port == 0 || port > 65535)
        return false;
    m->host = host;
    m->port = (uint16_t)port;
    return ip_parse(host, &ip) || domain_valid(host, ADDR_F_UNDERSCORE);
}

/* "unix:/path", "local:/path", "/path", "inet:...", "inet6:...", or host and port alone. */
static bool address(str s, struct conf_milter *m)
{
    static const str unixes[] = {S_INIT("unix:"), S_INIT("local:"), S_INIT("")};
    for (size_t i = 0; i < sizeof unixes / sizeof *unixes; i++)
        if (str_starts(s, unixes[i]) && str_starts(str_skip(s, unixes[i].n), S("/"))) {
            m->path = str_skip(s, unixes[i].n);
            return m->path.n < sizeof((struct sockaddr_un *)0)->sun_path && str_find(m->path, 0) == STR_NONE;
        }
    if (str_starts(s, S("inet:")) || str_starts(s, S("inet6:")))
        s = str_skip(s, str_find(s, ':') + 1);
    return host_port(s, m);
}

static void check_milter(struct load *l, struct conf_milter *m, const char *where)
{
    m->path = m->host = S("");
    if (!address(m->address, m))
        fail(&l->e, m->line, "%sexpected inet:HOST:PORT, inet:PORT@HOST, HOST:PORT or unix:/PATH, found %s", where,
             shown(&l->e, m->address));
    if (str_ieq(m->title, S("none")))
        fail(&l->e, m->line, "%sthe title \"none\" means that there is no filter; choose another one", where);
    if (m->whole_time < m->end_time)
        fail(&l->e, m->line, "%swhole-time: expected at least end-time, found less", where);
}

static const struct conf_milter *find(const struct conf *c, str text)
{
    for (size_t i = 0; i < c->nmilters; i++)
        if (str_ieq(c->all_milters[i].title, text))
            return &c->all_milters[i];
    return NULL;
}

/* A list names a filter by its address: one for all lists that do. */
static const struct conf_milter *by_address(struct load *l, int line, str text, const char *where)
{
    struct conf *c = l->c;
    struct conf_milter try = {0};
    if (!address(text, &try)) {
        fail(&l->e, line, "%sexpected the title of a milter section, or an address like inet:127.0.0.1:8891, found %s",
             where, shown(&l->e, text));
        return NULL;
    }
    size_t n = 0;
    for (size_t i = 0; i < c->nmilters; i++)
        n += c->all_milters[i].by_address;
    if (n >= MILTERS_BY_ADDRESS) {
        fail(&l->e, line, "%sexpected at most %d filters without a milter section", where, MILTERS_BY_ADDRESS);
        return NULL;
    }
    struct conf_milter *m = &c->all_milters[c->nmilters];
    if (!section_defaults(SEC_milter, &c->arena, m))
        return NULL;
    c->nmilters++;
    m->title = m->address = text;
    m->line = line;
    m->by_address = true;
    check_milter(l, m, where);
    return m;
}

static void use(struct load *l, int line, const struct conf_list *list, const char *where, struct conf_milters *ret)
{
    if (list->n > FILTERS_MAX)
        fail(&l->e, line, "%sexpected at most %d filters, found %zu", where, FILTERS_MAX, list->n);
    *ret = (struct conf_milters){.v = arena_array(&l->c->arena, list->n, sizeof *ret->v)};
    if (list->n == 1 && str_ieq(list->v[0], S("none")))
        return;
    for (size_t i = 0; ret->v && i < list->n && i < FILTERS_MAX; i++) {
        const struct conf_milter *m = find(l->c, list->v[i]);
        m = m ? m : by_address(l, line, list->v[i], where);
        for (size_t k = 0; m && k < ret->n; k++)
            if (ret->v[k] == m)
                fail(&l->e, line, "%s%s is named twice", where, shown(&l->e, list->v[i]));
        if (m)
            ret->v[ret->n++] = m;
    }
}

void check_milters(struct load *l)
{
    struct conf *c = l->c;
    char where[WHERE_MAX];
    for (size_t i = 0, n = c->nmilters; i < n; i++) {
        struct conf_milter *m = &c->all_milters[i];
        snprintf(where, sizeof where, "milter " STR_FMT ": ", STR_ARG(str_sub(m->title, 0, 32)));
        if (m->address.n) /* without one it was said already */
            check_milter(l, m, where);
        for (size_t k = 0; k < i; k++)
            if (str_ieq(c->all_milters[k].title, m->title))
                fail(&l->e, m->line, "milter %s is given twice (first in line %d)", shown(&l->e, m->title),
                     c->all_milters[k].line);
    }
    use(l, LINE(l, milters), &c->milters, "milters: ", &c->filters);
    c->local_filters = c->filters;
    if (c->local_milters.n)
        use(l, LINE(l, local_milters), &c->local_milters, "local.milters: ", &c->local_filters);
    for (size_t i = 0; i < c->nlisteners; i++) {
        struct conf_listener *x = &c->listeners[i];
        snprintf(where, sizeof where, "listener " STR_FMT ": milters: ", STR_ARG(str_sub(x->title, 0, 32)));
        x->filters = c->filters;
        if (x->milters.n)
            use(l, x->line, &x->milters, where, &x->filters);
    }
}
