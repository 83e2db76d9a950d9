/* Options of the commands that a server answers: filters, limits, and what is left. Pure. */
#include "ctl/internal.h"

/* A number and the rest behind it. */
static bool number(str *s, uint64_t *ret)
{
    size_t n = 0;
    while (n < s->n && ascii_digit(s->p[n]))
        n++;
    bool ok = text_u64(str_sub(*s, 0, n), ret);
    *s = str_skip(*s, n);
    return ok;
}

bool ctl_span(str s, int64_t *ret_ms)
{
    static const struct {
        str name;
        int64_t ms;
    } units[] = {
        {S_INIT("ms"), 1},      {S_INIT("s"), 1000},     {S_INIT("min"), 60000},   {S_INIT("m"), 60000},
        {S_INIT("h"), 3600000}, {S_INIT("d"), 86400000}, {S_INIT("w"), 604800000},
    };
    int64_t sum = 0;
    if (s.n == 0)
        return false;
    while (s.n) {
        uint64_t v;
        size_t n = 0, u = 0;
        if (!number(&s, &v))
            return false;
        while (n < s.n && ascii_alpha(s.p[n]))
            n++;
        while (u < sizeof units / sizeof *units && !str_eq(units[u].name, str_sub(s, 0, n)))
            u++;
        if (u == sizeof units / sizeof *units || v > (uint64_t)((INT64_MAX / 4 - sum) / units[u].ms))
            return false;
        sum += (int64_t)v * units[u].ms;
        s = str_skip(s, n);
    }
    *ret_ms = sum;
    return true;
}

enum kind { FLAG, STRING, SPAN, NUMBER, YESNO };
struct option {
    str name;
    unsigned group; /* enum ctl_opt; 0: always */
    enum kind kind;
    size_t offset; /* in struct ctl_args */
};
#define AT(member) offsetof(struct ctl_args, member)
static const struct option options[] = {
    {S_INIT("json"), 0, FLAG, AT(json)},
    {S_INIT("all"), OPT_ALL, FLAG, AT(all)},
    {S_INIT("dry-run"), OPT_DRY, FLAG, AT(dry_run)},
    {S_INIT("ids"), OPT_IDS, FLAG, AT(ids)},
    {S_INIT("head"), OPT_HEAD, FLAG, AT(head)},
    {S_INIT("message"), OPT_MESSAGE, FLAG, AT(message)},
    {S_INIT("hold"), OPT_TAKE, FLAG, AT(hold)},
    {S_INIT("had"), OPT_TAKE, FLAG, AT(had)},
    {S_INIT("text"), OPT_PART, FLAG, AT(text)},
    {S_INIT("parts"), OPT_PART, FLAG, AT(parts)},
    {S_INIT("to"), OPT_TO, STRING, AT(to)},
    {S_INIT("limit"), OPT_LIMIT, NUMBER, AT(limit)},
    {S_INIT("sender"), OPT_FILTER, STRING, AT(filter.sender)},
    {S_INIT("recipient"), OPT_FILTER, STRING, AT(filter.recipient)},
    {S_INIT("site"), OPT_FILTER, STRING, AT(filter.site)},
    {S_INIT("error"), OPT_FILTER, STRING, AT(filter.error)},
    {S_INIT("older"), OPT_FILTER, SPAN, AT(filter.older_ms)},
    {S_INIT("younger"), OPT_FILTER, SPAN, AT(filter.younger_ms)},
    {S_INIT("tenant"), OPT_FILTER, NUMBER, AT(filter.tenant)},
    {S_INIT("held"), OPT_FILTER, YESNO, AT(filter.held)},
};

static const struct option *find(str name)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (str_eq(options[i].name, name))
            return &options[i];
    return NULL;
}

static void say(struct buf *why, const char *before, str found, const char *after)
{
    buf_add_c(why, before);
    text_safe(why, str_sub(found, 0, 200));
    buf_add_c(why, after);
}

static bool set(const struct option *o, struct ctl_args *a, str value, struct buf *why)
{
    char *at = (char *)a + o->offset;
    uint64_t n;
    if (o->group == OPT_FILTER)
        a->filtered = true;
    if (o->kind == FLAG) {
        *(bool *)at = true;
    } else if (o->kind == YESNO) {
        *(int *)at = !str_eq(value, S("no"));
        if (value.n && !str_eq(value, S("no")) && !str_eq(value, S("yes"))) {
            say(why, "--held: expected nothing, =yes or =no, found \"", value, "\"");
            return false;
        }
    } else if (o->kind == STRING) {
        if (value.n == 0) {
            say(why, "--", o->name, ": expected a text, found an empty one");
            return false;
        }
        *(str *)at = value;
    } else if (o->kind == NUMBER) {
        if (!text_u64(value, &n) || n > INT64_MAX) {
            say(why, "--", o->name, ": expected a whole number, found \"");
            say(why, "", value, "\"");
            return false;
        }
        *(uint64_t *)at = n;
    } else if (!ctl_span(value, (int64_t *)at)) {
        say(why, "--", o->name, ": expected a time such as 30min, 2h or 1d, found \"");
        say(why, "", value, "\"");
        return false;
    }
    return true;
}

bool ctl_args_parse(struct arena *mem, const str *v, size_t n, unsigned opts, struct ctl_args *ret, struct buf *why)
{
    struct ctl_args a = {.filter = {.tenant = -1, .held = -1}};
    bool only_words = false;
    a.word = arena_array(mem, n + 1, sizeof *a.word);
    if (!a.word) {
        buf_add_c(why, "out of memory");
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (only_words || v[i].n < 2 || v[i].p[0] != '-') {
            a.word[a.nword++] = v[i];
            continue;
        }
        if (str_eq(v[i], S("--"))) {
            only_words = true;
            continue;
        }
        str name = str_skip(v[i], str_starts(v[i], S("--")) ? 2 : 1), value = {0};
        size_t eq = str_find(name, '=');
        if (eq != STR_NONE) {
            value = str_skip(name, eq + 1);
            name = str_sub(name, 0, eq);
        }
        const struct option *o = str_starts(v[i], S("--")) ? find(name) : NULL;
        if (!o || (o->group && !(o->group & opts))) {
            say(why, o ? "this command does not take the option " : "unknown option ", v[i], "; see postrider help");
            return false;
        }
        if (eq != STR_NONE && o->kind == FLAG) {
            say(why, "--", o->name, " takes no value");
            return false;
        }
        if (eq == STR_NONE && o->kind != FLAG && o->kind != YESNO) {
            if (++i == n) {
                say(why, "--", o->name, ": expected a value behind it, found the end");
                return false;
            }
            value = v[i];
        }
        if (!set(o, &a, value, why))
            return false;
    }
    *ret = a;
    return true;
}
