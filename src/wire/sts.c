/* MTA-STS records and policies (RFC 8461 3, 4.1). */
#include "wire/sts.h"

#include "base/text.h"

const char *sts_mode_name(enum sts_mode m)
{
    static const char *const names[] = {"none", "testing", "enforce"};
    return names[m];
}

static bool alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool sts_record(str txt, str *ret_id)
{
    str field, id = {NULL, 0};
    if (!str_cut(&txt, ';', &field) || !str_eq(str_trim_wsp(field), S("v=STSv1")))
        return false;
    while (str_cut(&txt, ';', &field)) {
        field = str_trim_wsp(field);
        if (field.n == 0 && txt.p == NULL)
            break;
        size_t eq = str_find(field, '=');
        if (eq == STR_NONE || eq == 0)
            return false;
        if (str_eq(str_sub(field, 0, eq), S("id")) && !id.p)
            id = str_skip(field, eq + 1);
    }
    for (size_t i = 0; i < id.n; i++)
        if (!alnum(id.p[i]))
            return false;
    *ret_id = id;
    return id.n > 0 && id.n <= STS_ID_MAX;
}

static bool is_name(str s)
{
    if (str_starts(s, S("*.")))
        s = str_skip(s, 2);
    for (size_t i = 0; i < s.n; i++)
        if (!alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '.' && s.p[i] != '_')
            return false;
    return s.n > 0 && s.n <= 253;
}

struct seen {
    bool version, mode, age;
};

static bool mode(str value, struct sts_policy *p)
{
    for (int m = STS_NONE; m <= STS_ENFORCE; m++)
        if (str_eq(value, str_c(sts_mode_name((enum sts_mode)m)))) {
            p->mode = (enum sts_mode)m;
            return true;
        }
    return false;
}

static bool age(str value, struct sts_policy *p)
{
    uint64_t n;
    if (value.n > 10 || !text_u64(value, &n))
        return false;
    p->max_age_s = n > STS_AGE_MAX ? STS_AGE_MAX : (int64_t)n;
    return true;
}

static bool one(str key, str value, struct seen *had, struct sts_policy *p)
{
    bool first = true;
    if (str_eq(key, S("version"))) {
        first = !had->version;
        had->version = true;
        return !first || str_eq(value, S("STSv1"));
    }
    if (str_eq(key, S("mode"))) {
        first = !had->mode;
        had->mode = true;
        return !first || mode(value, p);
    }
    if (str_eq(key, S("max_age"))) {
        first = !had->age;
        had->age = true;
        return !first || age(value, p);
    }
    if (!str_eq(key, S("mx")))
        return true;
    if (p->nmx == STS_MX_MAX || !is_name(value))
        return false;
    p->mx[p->nmx++] = value;
    return true;
}

bool sts_policy(str text, struct sts_policy *ret)
{
    struct seen had = {0};
    str line;
    *ret = (struct sts_policy){0};
    while (str_cut(&text, '\n', &line)) {
        line = str_trim(line);
        if (line.n == 0)
            continue;
        size_t colon = str_find(line, ':');
        if (colon == STR_NONE ||
            !one(str_trim_wsp(str_sub(line, 0, colon)), str_trim_wsp(str_skip(line, colon + 1)), &had, ret))
            return false;
    }
    return had.version && had.mode && had.age && (ret->nmx || ret->mode == STS_NONE);
}

bool sts_match(const struct sts_policy *p, str host)
{
    size_t dot = str_find(host, '.');
    for (size_t i = 0; i < p->nmx; i++) {
        if (str_ieq(p->mx[i], host))
            return true;
        if (str_starts(p->mx[i], S("*.")) && dot != STR_NONE && dot > 0 &&
            str_ieq(str_skip(p->mx[i], 1), str_skip(host, dot)))
            return true;
    }
    return false;
}
