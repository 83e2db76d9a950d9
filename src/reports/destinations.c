/*
 * Who gets a report that a DMARC record asks for (RFC 9990 4, RFC 9991): of a list of URIs the addresses of mail, those
 * of other organizations only when these say so, and in their place those that they name.
 */
#include "reports/internal.h"
#include "wire/dmarc.h"

#define ASK_TIME (20 * RT_S)
enum { OVERRIDES_MAX = 10 }; /* addresses that are looked at in the list of one external destination */

static void add(struct destinations *d, str address)
{
    if (d->n == RECIPIENTS_MAX || !str_to_c(address, d->v[d->n], sizeof d->v[d->n]))
        return;
    for (size_t i = 0; i < d->n; i++)
        if (str_ieq(str_c(d->v[i]), address))
            return;
    d->n++;
}

/* What another organization wants in place of the address: `list`, which names at least one. */
static void add_instead(struct destinations *d, str list)
{
    char mem[ADDRESS_MAX];
    str uri, to;
    for (size_t i = 0; i < OVERRIDES_MAX && dmarc_uri_next(&list, &uri); i++)
        if (dmarc_mailto(uri, mem, sizeof mem, &to))
            add(d, to);
}

static void add_if_wanted(struct destinations *d, str domain, str address, bool failures) YIELDS;
static void add_if_wanted(struct destinations *d, str domain, str address, bool failures)
{
    AUTO_ARENA mem = {0};
    str instead;
    size_t at = str_rfind(address, '@');
    if (at == STR_NONE || at == 0 || at + 1 == address.n)
        return;
    arena_init(&mem, 4096, 1 << 20);
    struct check c = {.mem = &mem, .source = &check_source_net, .deadline = rt_after(ASK_TIME)};
    if (!check_report_wanted(&c, domain, str_skip(address, at + 1), failures, &instead))
        return;
    if (instead.n)
        add_instead(d, instead);
    else
        add(d, address);
}

void destinations_find(struct destinations *d, str domain, str list, bool failures, uint64_t size)
{
    char mem[ADDRESS_MAX];
    str uri, to;
    uint64_t most;
    d->n = 0;
    for (size_t asked = 0; d->n < RECIPIENTS_MAX && asked < ASKED_MAX && dmarc_uri_sized(&list, &uri, &most);) {
        if (!dmarc_mailto(uri, mem, sizeof mem, &to) || (most && size > most))
            continue;
        asked++;
        add_if_wanted(d, domain, to, failures);
    }
}
