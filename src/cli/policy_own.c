/* `policy test`: what the server refuses a message for without being told by a rule: its limits, and whether it is what
 * it says to be. The same as intake says, in the same words. */
#include "cli/policy.h"

static bool fits(const struct conf *c, uint64_t size, uint64_t head, unsigned flags, struct reply *r)
{
    if (head > (uint64_t)c->limits_header_size)
        reply_set(r, 552, "5.3.4", "Header of the message exceeds fixed maximum of %lld octets",
                  (long long)c->limits_header_size);
    else if (size > (uint64_t)c->limits_message_size)
        reply_set(r, 552, "5.3.4", "Message size exceeds fixed maximum of %lld octets",
                  (long long)c->limits_message_size);
    else if (flags & (DATA_BARE | DATA_NUL))
        reply_set(r, 554, "5.6.11", "%s in message", flags & DATA_BARE ? "Bare CR or LF" : "NUL");
    else if (flags & DATA_LONG_LINE)
        reply_set(r, 554, "5.6.0", "Line of more than %lld octets in message", (long long)c->limits_line_length);
    else
        return true;
    return false;
}

static bool is_what_it_says(const struct conf *c, const struct check_dmarc *d, struct reply *r)
{
    static const char *const why[] = {
        [AUTHOR_NONE] = "there is none", [AUTHOR_MANY] = "there are several", [AUTHOR_BROKEN] = "it cannot be read"};
    if (c->check_author == CONF_AUTHOR_REJECT && d->author != AUTHOR_ONE)
        reply_set(r, 550, "5.7.1", "A message needs one From field with one address: %s", why[d->author]);
    else if (c->check_dmarc == CONF_DMARC_ENFORCE && d->policy == DMARC_POLICY_REJECT)
        reply_set(r, 550, "5.7.26", "This message is refused by the DMARC policy of " STR_FMT,
                  STR_ARG(str_sub(d->policy_domain, 0, 255)));
    else
        return true;
    return false;
}

bool trial_own(const struct trial *t, uint64_t size, size_t head, unsigned flags, struct reply *r)
{
    return fits(t->conf, size, head, t->env.body == BODY_BINARYMIME ? 0 : flags, r) &&
           (!t->checked || is_what_it_says(t->conf, &t->results.dmarc, r));
}
