/* What an operator asks: how the keys are, the next one now, this one without waiting for DNS. */
#include "base/text.h"
#include "keys/internal.h"

static const struct conf_dkim *section(const struct conf *c, str domain)
{
    for (size_t i = 0; i < c->ndkims; i++)
        if (!c->dkims[i].selector.n && str_ieq(c->dkims[i].domain, domain))
            return &c->dkims[i];
    return NULL;
}

/* ---- status ---- */

static const char *advice(const struct keys_key *k)
{
    static const char *const words[KEYS_STATES] = {
        [KEYS_MAKING] = "is being made",
        [KEYS_WAITING] = "waits: publish its record",
        [KEYS_USED] = "signs",
        [KEYS_RETIRED] = "signs no more; leave its record published",
        [KEYS_GONE] = "is deleted: its record may be removed",
    };
    return words[k->state];
}

static void as_text(struct buf *out, const struct keys_key *k)
{
    buf_printf(out, "%s  %s, since ", k->name, advice(k));
    text_time(out, k->since_s * 1000);
    buf_add_char(out, '\n');
    if (k->state == KEYS_WAITING)
        buf_printf(out, "    %s. TXT \"%s\"\n", k->name, k->record);
}

static void as_json(struct buf *out, const struct keys_key *k, bool first)
{
    const struct {
        const char *name;
        str value;
    } members[] = {{"name", str_c(k->name)},
                   {"domain", keys_domain(k)},
                   {"selector", str_c(k->selector)},
                   {"algorithm", k->rsa ? S("rsa-sha256") : S("ed25519-sha256")},
                   {"state", str_c(keys_state_name(k->state))},
                   {"record", str_c(k->record)}};
    buf_add_c(out, first ? "{" : ",{");
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        buf_printf(out, "\"%s\":", members[i].name);
        text_json(out, members[i].value);
        buf_add_char(out, ',');
    }
    buf_add_c(out, "\"since\":\"");
    text_time(out, k->since_s * 1000);
    buf_add_c(out, "\",\"made\":\"");
    text_time(out, k->made_s * 1000);
    buf_add_c(out, "\"}");
}

static void show(const struct keys_call *c, const struct keys_key *v, size_t n)
{
    if (c->json)
        buf_add_c(c->out, "{\"keys\":[");
    for (size_t i = 0; i < n; i++)
        if (c->json)
            as_json(c->out, &v[i], i == 0);
        else
            as_text(c->out, &v[i]);
    if (c->json)
        buf_add_c(c->out, "]}\n");
}

static int status(const struct keys_call *c)
{
    struct keys_key *v;
    size_t n = 0;
    if (keys_list(c->arena, c->n > 1 ? c->words[1] : S(""), &v, &n)) {
        buf_add_c(c->why, "postrider: out of memory\n");
        return 1;
    }
    show(c, v, n);
    if (!n && !c->json)
        buf_add_c(c->out, "no keys are made here: a section \"dkim DOMAIN { }\" asks for them\n");
    return 0;
}

/* ---- changes ---- */

static int rotate(const struct keys_call *c) YIELDS;
static int rotate(const struct keys_call *c)
{
    const struct conf_dkim *d = section(c->conf, c->words[1]);
    struct keys_key v[2];
    size_t n = 0;
    if (!d) {
        buf_printf(c->why, "postrider: expected a domain with a section \"dkim DOMAIN { }\", found " STR_FMT "\n",
                   STR_ARG(str_sub(c->words[1], 0, 253)));
        return 1;
    }
    err e = life_lock();
    if (!e) {
        for (int rsa = 1; rsa >= 0 && !e; rsa--)
            if (life_wants(d, rsa)) {
                e = life_make(c->conf, d, rsa, &v[n]);
                n += !e;
            }
        life_unlock();
    }
    show(c, v, n);
    if (e)
        buf_printf(c->why, "postrider: the next key could not be made: %s\n", err_text(e));
    return e ? 1 : 0;
}

static int use(const struct keys_call *c) YIELDS;
static int use(const struct keys_call *c)
{
    struct keys_key k;
    err e = life_lock();
    bool waits = !e && store_get(c->words[1], &k) && k.state == KEYS_WAITING;
    if (waits)
        e = life_use(&k);
    if (!e || waits)
        life_unlock();
    if (!e && !waits) {
        buf_printf(c->why, "postrider: expected the name of a key that waits, found " STR_FMT "; see dkim status\n",
                   STR_ARG(str_sub(c->words[1], 0, 253)));
        return 1;
    }
    if (e)
        buf_printf(c->why, "postrider: the key could not be taken into use: %s\n", err_text(e));
    else
        show(c, &k, 1);
    return e ? 1 : 0;
}

int keys_command(const struct keys_call *c)
{
    str verb = c->n ? c->words[0] : S("");
    if (str_eq(verb, S("status")) && c->n <= 2)
        return status(c);
    if (str_eq(verb, S("rotate")) && c->n == 2)
        return rotate(c);
    if (str_eq(verb, S("use")) && c->n == 2)
        return use(c);
    buf_add_c(c->why, "postrider: expected \"dkim status [DOMAIN]\", \"dkim rotate DOMAIN\" or \"dkim use NAME\"\n");
    return 64;
}
