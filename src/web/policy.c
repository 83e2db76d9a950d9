/* The MTA-STS policies of our own domains (RFC 8461 3.2), from the configuration. */
#include "rt/rt.h"
#include "wire/sts.h"
#include "web/web.h"

#include <openssl/sha.h>

static enum conf_sts mode_of(const struct conf *c, const struct conf_domain *d)
{
    return d && d->sts_mode != CONF_STS_DEFAULT ? (enum conf_sts)(d->sts_mode - 1) : (enum conf_sts)c->sts_mode;
}

bool web_policy(const struct conf *c, const struct conf_domain *d, struct buf *out)
{
    static const enum sts_mode modes[] = {
        [CONF_STS_TESTING] = STS_TESTING, [CONF_STS_ENFORCE] = STS_ENFORCE, [CONF_STS_NONE] = STS_NONE};
    enum conf_sts mode = mode_of(c, d);
    const struct conf_list *mx = d && d->sts_mx.n ? &d->sts_mx : &c->sts_mx;
    int64_t age = d && d->sts_max_age ? d->sts_max_age : c->sts_max_age;
    if (mode == CONF_STS_OFF)
        return false;
    buf_printf(out, "version: STSv1\r\nmode: %s\r\n", sts_mode_name(modes[mode]));
    for (size_t i = 0; i < mx->n; i++)
        buf_printf(out, "mx: " STR_FMT "\r\n", STR_ARG(mx->v[i]));
    if (!mx->n)
        buf_printf(out, "mx: " STR_FMT "\r\n", STR_ARG(c->hostname));
    buf_printf(out, "max_age: %lld\r\n", (long long)(age / RT_S));
    return true;
}

void web_policy_id(str policy, char ret[WEB_ID_SIZE + 1])
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)policy.p, policy.n, hash);
    for (int i = 0; i < WEB_ID_SIZE; i++)
        ret[i] = "0123456789abcdef"[hash[i / 2] >> (i % 2 ? 0 : 4) & 15];
    ret[WEB_ID_SIZE] = 0;
}

bool web_serves(const struct conf *c)
{
    for (size_t i = 0; i < c->nlisteners; i++)
        if (c->listeners[i].protocol == CONF_HTTPS)
            return true;
    return false;
}
