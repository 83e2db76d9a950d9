/* The facts that are known from the session, the envelope, the header and the checks. */
#include "base/cleanup.h"
#include "check/check.h"
#include "policy/internal.h"
#include "policy/rules.h"
#include "wire/addr.h"
#include "wire/head.h"
#include "wire/idn.h"

/* ---- what a value is made of ----------------------------------------------------------------------------------------
 */

static bool see_text(str s, fact_see *see, void *arg) YIELDS
{
    return s.p && see(arg, &(struct fact_value){.text = s});
}

static bool see_number(int64_t n, fact_see *see, void *arg) YIELDS
{
    return see(arg, &(struct fact_value){.number = n});
}

static bool see_yes(bool yes, fact_see *see, void *arg) YIELDS { return yes && see_number(1, see, arg); }

/* A domain in the form of rules: lower case, A-labels. */
static bool see_domain(struct policy *p, str domain, fact_see *see, void *arg) YIELDS
{
    str a;
    if (!domain.n || idn_to_ascii(domain, &p->tx, &a))
        return domain.n && see_text(domain, see, arg);
    return see_text(a, see, arg);
}

static str domain_of(str address)
{
    size_t at = str_rfind(address, '@');
    return at == STR_NONE ? S("") : str_skip(address, at + 1);
}

static bool see_address(struct policy *p, str address, bool domain, fact_see *see, void *arg) YIELDS
{
    str d = domain_of(address), a;
    if (domain)
        return see_domain(p, d, see, arg);
    if (!d.n || idn_to_ascii(d, &p->tx, &a))
        return see_text(address, see, arg);
    str whole =
        arena_printf(&p->tx, STR_FMT "@" STR_FMT, STR_ARG(str_sub(address, 0, address.n - d.n - 1)), STR_ARG(a));
    return see_text(whole.p ? whole : address, see, arg);
}

/* ---- the session
 * ------------------------------------------------------------------------------------------------------ */

#define FACT(name) static bool name(struct policy *p, const struct matter *m, str title, fact_see *see, void *arg)
#define UNUSED (void)p, (void)m, (void)title

FACT(client)
{
    UNUSED;
    return m->source->client.ip.v && see(arg, &(struct fact_value){.ip = m->source->client.ip, .text = S("")});
}

FACT(early_talker)
{
    UNUSED;
    return see_yes(m->source->early, see, arg);
}

FACT(listener)
{
    UNUSED;
    return see_text(m->source->listener.n ? m->source->listener : S("local"), see, arg);
}

FACT(phase)
{
    UNUSED;
    return see_text(str_c(phase_name(p->phase)), see, arg);
}

FACT(helo)
{
    UNUSED;
    return see_domain(p, m->source->helo, see, arg);
}

FACT(tls)
{
    UNUSED;
    return see_yes(m->source->tls.n > 0, see, arg);
}

FACT(authenticated)
{
    UNUSED;
    return see_yes(m->source->authenticated, see, arg);
}

FACT(account)
{
    UNUSED;
    return m->source->account.n && see_address(p, m->source->account, false, see, arg);
}

/* ---- the envelope
 * --------------------------------------------------------------------------------------------------------- */

/* "local@domain" of a parsed address. */
static str printed(struct policy *p, const struct addr *a)
{
    char mem[ADDR_TEXT_MAX];
    struct buf text;
    buf_init_fixed(&text, mem, sizeof mem);
    addr_print(&text, a);
    return text.e ? (str){NULL, 0} : arena_str(&p->tx, buf_str(&text));
}

static bool sender_of(struct policy *p, const struct matter *m, bool domain, fact_see *see, void *arg) YIELDS
{
    str from = m->mail ? printed(p, &m->mail->from) : m->env ? m->env->sender : (str){NULL, 0};
    if (!from.p)
        return m->env && !m->mail && !domain && see_text(S(""), see, arg); /* the null sender */
    return domain && !from.n ? false : see_address(p, from, domain, see, arg);
}

FACT(sender)
{
    UNUSED;
    return sender_of(p, m, false, see, arg);
}

FACT(sender_domain)
{
    UNUSED;
    return sender_of(p, m, true, see, arg);
}

/* Of this RCPT; behind it any of them, also by the name that was given. */
static bool recipients_of(struct policy *p, const struct matter *m, bool domain, fact_see *see, void *arg) YIELDS
{
    if (m->to.n)
        return see_address(p, m->to, domain, see, arg);
    if (m->rcpt) {
        str to = printed(p, &m->rcpt->to);
        return to.p && see_address(p, to, domain, see, arg);
    }
    for (uint32_t i = 0; m->env && i < m->env->nto; i++) {
        const struct recipient *r = &m->env->to[i];
        if (see_address(p, r->address, domain, see, arg))
            return true;
        if (r->list.n && see_address(p, r->list, domain, see, arg))
            return true;
    }
    return false;
}

FACT(recipient)
{
    UNUSED;
    return recipients_of(p, m, false, see, arg);
}

FACT(recipient_domain)
{
    UNUSED;
    return recipients_of(p, m, true, see, arg);
}

FACT(recipients)
{
    UNUSED;
    return see_number(p->rcpts ? p->rcpts : m->env ? m->env->nto : 0, see, arg);
}

FACT(size)
{
    UNUSED;
    uint64_t n = p->announced;
    if (m->env && m->env->head_size)
        n = m->env->head_size + m->env->body_size;
    else if (m->scan && p->phase == PHASE_END)
        n = m->scan->size;
    else if (m->mail)
        n = m->mail->p.size;
    return see_number(n < INT64_MAX ? (int64_t)n : INT64_MAX, see, arg);
}

/* ---- the header
 * ------------------------------------------------------------------------------------------------------------- */

FACT(header)
{
    UNUSED;
    struct head_field f;
    str rest = m->text;
    if (p->phase == PHASE_BODY)
        return false;
    while (head_next(&rest, &f)) {
        AUTO_BUF value = {0};
        if (!str_ieq(f.name, title))
            continue;
        buf_init(&value, f.value.n + 1); /* it can only become shorter */
        head_unfold(&value, f.value);
        p->short_of_memory |= value.e != OK;
        if (see_text(value.n ? buf_str(&value) : S(""), see, arg))
            return true;
    }
    return false;
}

static bool authors(struct policy *p, const struct matter *m, bool domain, fact_see *see, void *arg) YIELDS
{
    struct head_field f;
    str rest = m->text;
    if (p->phase == PHASE_BODY)
        return false;
    while (head_next(&rest, &f)) {
        struct head_addr one;
        bool bad = false;
        if (!str_ieq(f.name, S("From")))
            continue;
        for (str list = f.value; head_addr_next(&list, &p->tx, &one, &bad);)
            if (see_address(p, one.spec, domain, see, arg))
                return true;
    }
    return false;
}

FACT(author_is)
{
    UNUSED;
    return authors(p, m, false, see, arg);
}

FACT(author_domain_is)
{
    UNUSED;
    return authors(p, m, true, see, arg);
}

/* ---- what was found out
 * ---------------------------------------------------------------------------------------------------- */

static bool see_result(enum check_result r, fact_see *see, void *arg) YIELDS
{
    return see_text(str_c(check_result_name(r)), see, arg);
}

FACT(spf)
{
    UNUSED;
    return m->checks && see_result(m->checks->mail.result, see, arg);
}

FACT(dkim)
{
    UNUSED;
    enum check_result best = CHECK_NONE;
    for (size_t i = 0; m->checks && i < m->checks->ndkim; i++)
        if (i == 0 || m->checks->dkim[i].result == CHECK_PASS)
            best = m->checks->dkim[i].result;
    return m->checks && see_result(best, see, arg);
}

FACT(dmarc)
{
    UNUSED;
    return m->checks && see_result(m->checks->dmarc.result, see, arg);
}

FACT(arc)
{
    UNUSED;
    return m->checks && see_result(m->checks->arc.result, see, arg);
}

FACT(score)
{
    UNUSED;
    return see_number((int64_t)(policy_score_now(p) * RULE_SCORE_UNIT), see, arg);
}

FACT(tag)
{
    UNUSED;
    str value;
    return see_yes(policy_tag(p, title, &value), see, arg);
}

fact_fn *const own_facts[RULE_FACTS] = {
    [RULE_FACT_CLIENT] = client,
    [RULE_FACT_EARLY_TALKER] = early_talker,
    [RULE_FACT_LISTENER] = listener,
    [RULE_FACT_PHASE] = phase,
    [RULE_FACT_HELO] = helo,
    [RULE_FACT_TLS] = tls,
    [RULE_FACT_AUTHENTICATED] = authenticated,
    [RULE_FACT_ACCOUNT] = account,
    [RULE_FACT_SENDER] = sender,
    [RULE_FACT_SENDER_DOMAIN] = sender_domain,
    [RULE_FACT_SIZE] = size,
    [RULE_FACT_SPF] = spf,
    [RULE_FACT_RECIPIENT] = recipient,
    [RULE_FACT_RECIPIENT_DOMAIN] = recipient_domain,
    [RULE_FACT_RECIPIENTS] = recipients,
    [RULE_FACT_HEADER] = header,
    [RULE_FACT_AUTHOR] = author_is,
    [RULE_FACT_AUTHOR_DOMAIN] = author_domain_is,
    [RULE_FACT_DKIM] = dkim,
    [RULE_FACT_DMARC] = dmarc,
    [RULE_FACT_ARC] = arc,
    [RULE_FACT_SCORE] = score,
    [RULE_FACT_TAG] = tag,
};
