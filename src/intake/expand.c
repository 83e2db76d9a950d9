/*
 * What an accepted address becomes: the mailbox itself, the targets of an alias, a forward with a rewritten
 * sender, and the archive's copy (RFC 3461 5.2.7: ORCPT stays what the sender knows). Bounded in depth,
 * in steps and in recipients; each address once.
 */
#include "intake/internal.h"
#include "directory/directory.h"
#include "intake/srs.h"
#include "base/text.h"

/* ---- the list of recipients -------------------------------------------------------------------- */

static str local_part(str address) { return str_sub(address, 0, str_rfind(address, '@')); }

static uint64_t address_hash(str address)
{
    str local = local_part(address);
    return str_ihash(local) * 31 + str_ihash(str_skip(address, local.n));
}

static bool same_address(str a, str b, bool fold)
{
    if (!str_ieq(a, b))
        return false;
    return fold || str_eq(local_part(a), local_part(b));
}

static void seen_put(struct tx *t, uint32_t index)
{
    uint32_t at = (uint32_t)address_hash(t->env.to[index].address) & (t->seen_cap - 1);
    while (t->seen[at])
        at = (at + 1) & (t->seen_cap - 1);
    t->seen[at] = index + 1;
}

/* The table begins with the 16th recipient and doubles. */
static bool seen_grow(struct tx *t)
{
    if (t->env.nto < 16 || (t->seen_cap && t->env.nto < t->seen_cap / 2))
        return true;
    uint32_t cap = t->seen_cap ? t->seen_cap * 2 : 64;
    uint32_t *v = arena_array(&t->arena, cap, sizeof *v);
    if (!v)
        return false;
    t->seen = v;
    t->seen_cap = cap;
    for (uint32_t i = 0; i < t->env.nto; i++)
        seen_put(t, i);
    return true;
}

static bool is_there(const struct tx *t, str address, bool fold)
{
    if (!t->seen_cap) {
        for (uint32_t i = 0; i < t->env.nto; i++)
            if (same_address(t->env.to[i].address, address, fold))
                return true;
        return false;
    }
    uint32_t at = (uint32_t)address_hash(address) & (t->seen_cap - 1);
    for (; t->seen[at]; at = (at + 1) & (t->seen_cap - 1))
        if (same_address(t->env.to[t->seen[at] - 1].address, address, fold))
            return true;
    return false;
}

static bool list_grow(struct tx *t)
{
    if (t->env.nto < t->cap)
        return true;
    uint32_t cap = t->cap ? t->cap * 2 : 2;
    struct recipient *v = arena_array(&t->arena, cap, sizeof *v);
    if (!v)
        return false;
    if (t->env.nto)
        memcpy(v, t->env.to, t->env.nto * sizeof *v);
    t->env.to = v;
    t->cap = cap;
    return true;
}

err rcpt_add(struct tx *t, str address, bool fold, str list, str sender, const struct want *w)
{
    if (is_there(t, address, fold))
        return OK;
    if (t->env.nto >= EXPAND_RECIPIENTS)
        return E_LIMIT;
    if (!list_grow(t))
        return E_NOMEM;
    t->env.to[t->env.nto++] =
        (struct recipient){.address = address, .orcpt = w->orcpt, .notify = w->notify, .list = list, .sender = sender};
    uint32_t cap = t->seen_cap;
    if (!seen_grow(t)) {
        t->env.nto--;
        return E_NOMEM;
    }
    if (t->seen_cap && t->seen_cap == cap)
        seen_put(t, t->env.nto - 1);
    return OK;
}

void rcpt_cut(struct tx *t, uint32_t n)
{
    if (t->env.nto == n)
        return;
    t->env.nto = n;
    if (!t->seen_cap)
        return;
    memset(t->seen, 0, t->seen_cap * sizeof *t->seen);
    for (uint32_t i = 0; i < n; i++)
        seen_put(t, i);
}

/* ---- ORCPT and sender of what goes on ---------------------------------------------------------------- */

/* RFC 6533 3: utf-8-addr-xtext, for addresses that ASCII cannot say. */
static void add_utf8_xtext(struct buf *out, str s)
{
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        uint32_t cp = len == 1 ? c : c & (0xffu >> (len + 1));
        for (size_t k = 1; k < len && i + k < s.n; k++)
            cp = cp << 6 | ((unsigned char)s.p[i + k] & 0x3f);
        if (len == 1 && c > 32 && c < 127 && c != '\\' && c != '+' && c != '=')
            buf_add_char(out, (char)c);
        else
            buf_printf(out, "\\x{%X}", cp);
        i += len;
    }
}

str orcpt_make(struct arena *mem, str address)
{
    char text[8 * ADDR_TEXT_MAX];
    struct buf out;
    buf_init_fixed(&out, text, sizeof text);
    if (text_ascii(address)) {
        buf_add_c(&out, "rfc822;");
        xtext_encode(&out, address);
    } else {
        buf_add_c(&out, "utf-8;");
        add_utf8_xtext(&out, address);
    }
    return out.e || out.n > 500 ? S("") : arena_str(mem, buf_str(&out));
}

/* The reverse-path for a recipient outside of our domains: rewritten unless it is ours or null. */
static str forward_sender(struct tx *t, const struct conf_domain *from)
{
    struct addr a;
    if (!t->env.sender.n || t->sender_ours)
        return S("");
    if (addr_parse(t->env.sender, ADDR_F_UTF8, &t->arena, &a) || a.kind == ADDR_LOCAL)
        return S("");
    char mem[ADDR_TEXT_MAX + 128], text[ADDR_TEXT_MAX];
    struct buf local, out;
    buf_init_fixed(&local, mem, sizeof mem);
    buf_init_fixed(&out, text, sizeof text);
    if (!srs_forward(&local, a.local, a.domain, rt_wall_ms() / 1000))
        return S("");
    struct addr srs = {.local = buf_str(&local), .kind = ADDR_NAME};
    srs.domain = t->conf->srs_domain.n ? t->conf->srs_domain : from->title;
    addr_print(&out, &srs);
    str s = out.e ? S("") : arena_str(&t->arena, buf_str(&out));
    return s.p ? s : S("");
}

/* ---- the walk ------------------------------------------------------------------------------------------- */

struct step { /* the aliases that led here */
    const struct step *up;
    const struct conf_alias *alias;
    const struct conf_domain *domain; /* that forwards; NULL at the top */
    int depth;
};
struct walk {
    struct tx *t;
    struct want want;
    uint32_t visits;
};

static err walk_text(struct walk *k, const struct step *at, str address, str list);

static str print_address(struct tx *t, const struct addr *a)
{
    char mem[ADDR_TEXT_MAX];
    struct buf text;
    buf_init_fixed(&text, mem, sizeof mem);
    addr_print(&text, a);
    return text.e ? (str){NULL, 0} : arena_str(&t->arena, buf_str(&text));
}

static err archive_add(struct tx *t, const struct conf_domain *d)
{
    struct walk k = {.t = t, .want = {.notify = NOTIFY_NEVER, .archive = true}};
    const struct step top = {.domain = d};
    return walk_text(&k, &top, d->archive, d->archive) ? E_SYNTAX : OK;
}

static bool on_path(const struct step *at, const struct conf_alias *alias)
{
    for (; at; at = at->up)
        if (at->alias && str_ieq(at->alias->title, alias->title))
            return true;
    return false;
}

static err walk_alias(struct walk *k, const struct step *at, const struct conf_alias *alias)
{
    err result = E_LOOP;
    for (size_t i = 0; i < alias->to.n; i++) {
        err e = walk_text(k, at, alias->to.v[i], alias->title);
        bool none = e == E_NOT_FOUND || e == E_SWITCHED_OFF; /* a target that is no more: the others count */
        if (e == OK || (none && result == E_LOOP))
            result = e;
        else if (e != E_LOOP && !none)
            return e;
    }
    return result;
}

static err walk_mailbox(struct walk *k, const struct addr *a, str list)
{
    str text = print_address(k->t, a);
    return text.p ? rcpt_add(k->t, text, true, list, S(""), &k->want) : E_NOMEM;
}

static bool has_mailbox(const struct conf_domain *d, str local)
{
    char name[ADDR_LOCAL_MAX + 1];
    return directory_mailbox(d, local, name, sizeof name);
}

static err walk_local(struct walk *k, const struct step *up, const struct conf_domain *d, const struct addr *a,
                      const struct local_target *l, str list)
{
    struct step here = {up, l->alias, d, up ? up->depth + 1 : 1};
    if (here.depth > EXPAND_DEPTH)
        return E_LOOP;
    if (l->kind == LOCAL_LATER)
        return E_AGAIN;
    if (l->kind == LOCAL_UNKNOWN || l->kind == LOCAL_CLOSED || l->kind == LOCAL_TROUBLE)
        return l->kind == LOCAL_UNKNOWN ? E_NOT_FOUND : l->kind == LOCAL_CLOSED ? E_SWITCHED_OFF : E_NOMEM;
    err e = d->archive.n && !k->want.archive ? archive_add(k->t, d) : OK;
    if (e)
        return e;
    if (l->kind == LOCAL_MAILBOX)
        return walk_mailbox(k, a, list);
    if (l->kind == LOCAL_ALIAS && on_path(up, l->alias)) /* an alias that names itself means its mailbox */
        return has_mailbox(d, a->local) ? walk_mailbox(k, a, list) : E_LOOP;
    if (!k->want.orcpt.n && !k->want.archive && l->kind != LOCAL_SRS) {
        str given = print_address(k->t, a);
        k->want.orcpt = given.p ? orcpt_make(&k->t->arena, given) : S("");
    }
    switch (l->kind) {
    case LOCAL_ALIAS:
        return walk_alias(k, &here, l->alias);
    case LOCAL_OTHER:
        return walk_text(k, &here, d->catch_all, d->title);
    case LOCAL_SRS:
        return walk_text(k, &here, l->back, S("srs"));
    default:
        return E_NOT_FOUND;
    }
}

static err walk_text(struct walk *k, const struct step *at, str address, str list)
{
    if (++k->visits > EXPAND_VISITS)
        return E_LOOP;
    struct tx *t = k->t;
    if (str_find(address, '@') == STR_NONE && at && at->domain)
        address = arena_printf(&t->arena, STR_FMT "@" STR_FMT, STR_ARG(address), STR_ARG(at->domain->title));
    struct addr a;
    bool bad;
    if (!address.p)
        return E_NOMEM;
    if (addr_parse(address, ADDR_F_UTF8 | ADDR_F_UNDERSCORE, &t->arena, &a))
        return E_NOT_FOUND;
    const struct conf_domain *d = domain_find(t, &a, &bad);
    if (d) {
        struct local_target l;
        local_find(t, d, &a, false, &l);
        return walk_local(k, at, d, &a, &l, list);
    }
    str sender = at && at->domain ? forward_sender(t, at->domain) : S("");
    return rcpt_add(t, address, false, list, sender, &k->want);
}

err expand_text(struct tx *t, str address, str from_list, const struct want *w)
{
    struct walk k = {.t = t, .want = *w};
    return walk_text(&k, NULL, address, from_list);
}

err expand_local(struct tx *t, const struct conf_domain *d, const struct addr *a, const struct local_target *l,
                 const struct want *w)
{
    struct walk k = {.t = t, .want = *w};
    return walk_local(&k, NULL, d, a, l, S(""));
}

err expand_redirected(struct tx *t, str to, str from, const struct want *w)
{
    struct walk k = {.t = t, .want = *w};
    struct step top = {0};
    struct addr a;
    bool bad;
    if (from.n && !addr_parse(from, ADDR_F_UTF8 | ADDR_F_UNDERSCORE, &t->arena, &a))
        top.domain = domain_find(t, &a, &bad);
    if (from.n && !k.want.orcpt.n)
        k.want.orcpt = orcpt_make(&t->arena, from);
    return k.want.orcpt.p || !from.n ? walk_text(&k, &top, to, from) : E_NOMEM;
}

static str domain_part(str address)
{
    size_t at = str_rfind(address, '@');
    return at == STR_NONE ? S("") : str_skip(address, at + 1);
}

err tx_onward(struct tx *t, struct conf *c, const struct envelope *env, const struct recipient *was, str to)
{
    struct addr a;
    bool bad;
    uint32_t before = t->env.nto;
    t->conf = c;
    t->open = true;
    t->env.sender = env->sender;
    t->sender_ours = env->sender.n && !addr_parse(env->sender, ADDR_F_UTF8, &t->arena, &a) && domain_find(t, &a, &bad);
    /* a domain's archive has its copy already */
    struct want w = {.orcpt = arena_str(&t->arena, was->orcpt),
                     .notify = was->notify,
                     .archive = str_ieq(domain_part(to), domain_part(was->address))};
    str past = policy_past(&t->arena, was->past, was->address);
    str from = arena_str(&t->arena, was->address), sender = arena_str(&t->arena, was->sender);
    str text = arena_str(&t->arena, to);
    if (!w.orcpt.p || !past.p || !from.p || !sender.p || !text.p)
        return E_NOMEM;
    err e = expand_redirected(t, text, from, &w);
    if (e)
        rcpt_cut(t, before);
    for (uint32_t i = before; i < t->env.nto; i++) {
        t->env.to[i].past = past;
        if (!t->env.to[i].sender.n)
            t->env.to[i].sender = sender;
    }
    return e;
}
