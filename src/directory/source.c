/*
 * Asking the sources in their order. What one knows becomes an account of the directory, marked as the source's: so its
 * mailbox has a name from our tables, and mail that waits for it survives a new start. It is asked about again after a
 * minute; when it is gone there it is gone here; when the source is down nobody is refused for it.
 */
#include "directory/source.h"
#include "priv/priv.h"

#include <stdio.h>

enum { SOURCES = 16 };
#define DOWN_TIME (2 * RT_S) /* asked again after */
#define FRESH_TIME (60 * RT_S)

static struct {
    struct lock lock;
    struct {
        uint64_t name;
        rt_time until;
        int asking;
    } v[SOURCES];
} health;

enum { AT_ONCE = 4 }; /* threads of the pool that one source may hold */

static int place_of(const struct conf_source *s)
{
    uint64_t name = str_hash(s->title);
    for (int i = 0; i < SOURCES; i++)
        if (!health.v[i].name || health.v[i].name == name) {
            health.v[i].name = name;
            return i;
        }
    return -1;
}

/* False: it was down a moment ago, or is asked too much at once. */
static bool may_ask(const struct conf_source *s)
{
    lock_take(&health.lock);
    int i = place_of(s);
    bool ok = i >= 0 && health.v[i].until < rt_now() && health.v[i].asking < AT_ONCE;
    if (ok)
        health.v[i].asking++;
    lock_drop(&health.lock);
    return ok;
}

static void was_asked(const struct conf_source *s, bool down)
{
    lock_take(&health.lock);
    int i = place_of(s);
    if (i >= 0) {
        health.v[i].asking--;
        if (down)
            health.v[i].until = rt_now_fresh() + DOWN_TIME;
    }
    lock_drop(&health.lock);
}

static void work(void *arg)
{
    struct source_question *q = arg;
    switch (q->source->type) {
    case CONF_SOURCE_DOVECOT:
        source_dovecot(q);
        return;
    case CONF_SOURCE_LDAP:
        source_ldap(q);
        return;
    default:
        source_postgresql(q);
    }
}

/* A file's hashes are with the keeper, and so is the answer. */
static void ask_file(struct source_question *q) YIELDS;
static void ask_file(struct source_question *q)
{
    str address = str_c(q->address), password = str_c(q->password);
    size_t at = str_rfind(address, '@');
    str bare = q->source->domains.n == 1 && at != STR_NONE ? str_sub(address, 0, at) : S("");
    switch (priv_file_account(q->source->title, address, bare, q->login ? &password : NULL)) {
    case OK:
        q->answer = SOURCE_YES;
        break;
    case E_NOT_FOUND:
        q->answer = SOURCE_NO;
        break;
    case E_DENIED:
        q->answer = SOURCE_WRONG;
        break;
    default:
        snprintf(q->why, sizeof q->why, "the keeper has no such file");
    }
}

static enum source_answer ask(struct source_question *q) YIELDS;
static enum source_answer ask(struct source_question *q)
{
    rt_time until = rt_after(q->source->timeout);
    while (!may_ask(q->source)) /* a turn, unless it is down */
        if (rt_now() > until || fiber_sleep(rt_after(50 * RT_MS)))
            return SOURCE_DOWN;
    q->answer = SOURCE_DOWN;
    if (q->source->type == CONF_SOURCE_FILE)
        ask_file(q);
    else if (directory_blocking(work, q))
        snprintf(q->why, sizeof q->why, "too much work waits");
    if (q->answer == SOURCE_HASH)
        switch (priv_hash_check(str_c(q->hash), str_c(q->password))) {
        case OK:
            q->answer = SOURCE_YES;
            break;
        case E_DENIED:
            q->answer = SOURCE_WRONG;
            break;
        default:
            q->answer = SOURCE_DOWN;
        }
    was_asked(q->source, q->answer == SOURCE_DOWN);
    if (q->answer == SOURCE_DOWN)
        rt_log(EV_source_down, log_str(q->source->title), log_c(q->why));
    return q->answer;
}

static bool concerns(const struct conf *c, const struct conf_source *s, str domain)
{
    const struct conf_domain *d = directory_domain(c, domain);
    if (!d)
        return false;
    for (size_t i = 0; i < s->domains.n; i++)
        if (str_ieq(s->domains.v[i], domain))
            return true;
    return s->domains.n == 0 && d->hop.how == CONF_TO_MAILDIR;
}

static bool fill(struct source_question *q, const struct conf_source *s, str local, str domain)
{
    char mem[ADDR_TEXT_MAX];
    struct buf b;
    const struct addr a = {.local = local, .domain = domain, .kind = ADDR_NAME};
    buf_init_fixed(&b, mem, sizeof mem);
    addr_print(&b, &a);
    for (size_t i = 0; i < b.n; i++)
        mem[i] = ascii_lower(mem[i]);
    q->source = s;
    return !b.e && !conf_mailbox_fault(local) && str_to_c(buf_str(&b), q->address, sizeof q->address);
}

/* Keeps what a source knows. */
static err learn(const struct conf_source *s, str local, str domain) YIELDS;
static err learn(const struct conf_source *s, str local, str domain)
{
    char lower[ADDR_LOCAL_MAX + 1];
    struct directory_change c = {.kind = DIR_ACCOUNT, .verb = DIR_ADD};
    for (size_t i = 0; i < local.n && i < sizeof lower; i++)
        lower[i] = ascii_lower(local.p[i]);
    c.account =
        (struct account){.local = str_mem(lower, local.n), .domain = domain, .enabled = true, .source = s->title};
    err e = local.n <= ADDR_LOCAL_MAX ? directory_apply(&c, 1, NULL) : E_LIMIT;
    if (e == E_EXISTS)
        e = OK;
    if (!e)
        directory_checked(local, domain);
    return e;
}

static void forget(str local, str domain) YIELDS;
static void forget(str local, str domain)
{
    struct directory_change c = {.kind = DIR_ACCOUNT, .verb = DIR_DELETE};
    c.account.local = local;
    c.account.domain = domain;
    (void)directory_apply(&c, 1, NULL);
}

/* What the sources say together: the first that knows the account; SOURCE_DOWN before "no" when one did not answer. */
static enum source_answer ask_all(const struct conf *c, str local, str domain, const str *password,
                                  const struct conf_source **ret) YIELDS;
static enum source_answer ask_all(const struct conf *c, str local, str domain, const str *password,
                                  const struct conf_source **ret)
{
    enum source_answer all = SOURCE_NO;
    struct source_question *q = calloc(1, sizeof *q);
    for (size_t i = 0; q && i < c->nsources; i++) {
        const struct conf_source *s = &c->sources[i];
        q->login = password != NULL;
        if (!concerns(c, s, domain) || !fill(q, s, local, domain) ||
            (password && !str_to_c(*password, q->password, sizeof q->password)))
            continue;
        enum source_answer a = ask(q);
        *ret = s;
        if (a == SOURCE_YES || (a == SOURCE_WRONG && s->type != CONF_SOURCE_DOVECOT)) {
            all = a;
            break;
        }
        if (a == SOURCE_DOWN || (a == SOURCE_WRONG && all != SOURCE_DOWN)) /* Dovecot does not tell which */
            all = a;
    }
    if (q)
        explicit_bzero(q, sizeof *q);
    else
        all = SOURCE_DOWN;
    free(q);
    return all;
}

err directory_source_login(const struct conf *c, str local, str domain, str password)
{
    AUTO_ARENA mem = {0};
    struct account have;
    const struct conf_source *s = NULL;
    arena_init(&mem, 1024, 1 << 20);
    err e = directory_account(&mem, local, domain, &have);
    if (!c->nsources || (e == OK && !have.source.n) || (e && e != E_NOT_FOUND))
        return e == OK || e == E_NOT_FOUND ? E_DENIED : e;
    switch (ask_all(c, local, domain, &password, &s)) {
    case SOURCE_YES:
        return learn(s, local, domain);
    case SOURCE_DOWN:
        return E_AGAIN;
    default:
        return E_DENIED;
    }
}

err directory_source_find(const struct conf *c, str local, str domain, const struct account *known)
{
    const struct conf_source *s = NULL;
    if (!c->nsources || (known && (!known->source.n || directory_is_fresh(local, domain, FRESH_TIME))))
        return known ? OK : E_NOT_FOUND;
    switch (ask_all(c, local, domain, NULL, &s)) {
    case SOURCE_YES:
        return learn(s, local, domain);
    case SOURCE_DOWN:
        return E_AGAIN;
    default:
        if (known && s && s->type == CONF_SOURCE_DOVECOT && !s->users.n)
            return OK; /* known by a log-in, and nobody to ask */
        if (known)
            forget(local, domain);
        return E_NOT_FOUND;
    }
}
