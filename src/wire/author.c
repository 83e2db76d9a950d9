/* The author's domain. What a person would be shown counts: a field that can be read in two ways has no author. */
#include "wire/author.h"
#include "wire/addr.h"
#include "wire/head.h"
#include "wire/idn.h"

enum { SCRATCH_MAX = 512 * 1024 };

/* The domain of one address, in A-labels and lower case; "" when it is none. */
static str domain_of(str spec, struct arena *mem)
{
    size_t at = str_rfind(spec, '@');
    str domain = at == STR_NONE ? (str){0} : str_skip(spec, at + 1), ascii;
    if (domain.n && domain.p[domain.n - 1] == '.')
        domain.n--;
    if (at == 0 || !domain.n || idn_to_ascii(domain, mem, &ascii) || !domain_valid(ascii, ADDR_F_UNDERSCORE))
        return (str){0};
    return ascii;
}

/* A display name that should have been quoted ("a@b.test <a@b.test>"): the one part in angle brackets, if what stands
 * before it has nothing of an address list. */
static str lone_brackets(str value)
{
    size_t open = str_find(value, '<'), close = str_find(value, '>');
    if (open == STR_NONE || close == STR_NONE || close < open || str_rfind(value, '<') != open ||
        str_trim(str_skip(value, close + 1)).n)
        return (str){0};
    str before = str_sub(value, 0, open), inside = str_trim(str_sub(value, open + 1, close));
    for (size_t i = 0; i < before.n; i++)
        if (memchr(",;:\"\\()", before.p[i], 7))
            return (str){0};
    for (size_t i = 0; i < inside.n; i++)
        if ((unsigned char)inside.p[i] <= ' ' || memchr(",;:\"\\()[]", inside.p[i], 9))
            return (str){0};
    return str_find(inside, '@') == str_rfind(inside, '@') ? inside : (str){0};
}

static enum author look(str value, struct arena *mem, str *ret_domain)
{
    struct head_addr a;
    bool bad = false, same = true;
    size_t n = 0;
    str rest = value, common = {0};
    while (head_addr_next(&rest, mem, &a, &bad)) {
        str d = domain_of(a.spec, mem);
        if (!d.n)
            return AUTHOR_BROKEN;
        if (n++ && !str_eq(d, common))
            same = false;
        common = d;
    }
    if (bad) {
        str spec = lone_brackets(value);
        common = domain_of(spec, mem);
        if (!common.n)
            return AUTHOR_BROKEN;
        n = 1;
        same = true;
    }
    if (same)
        *ret_domain = common;
    return n == 0 ? AUTHOR_NONE : n == 1 ? AUTHOR_ONE : AUTHOR_MANY;
}

enum author author_domain(str head, struct arena *mem, str *ret_domain)
{
    struct head_field f;
    struct arena scratch;
    str from = {0}, domain = {0};
    size_t n = 0;
    *ret_domain = (str){0};
    for (str rest = head; head_next(&rest, &f);)
        if (str_ieq(f.name, S("From"))) {
            n++;
            from = f.value;
        }
    if (n != 1)
        return n ? AUTHOR_MANY : AUTHOR_NONE;
    arena_init(&scratch, 1024, SCRATCH_MAX);
    enum author kind = from.n > HEAD_FIELD_MAX ? AUTHOR_BROKEN : look(from, &scratch, &domain);
    if (scratch.e)
        kind = AUTHOR_BROKEN;
    if (kind != AUTHOR_BROKEN && domain.n) {
        *ret_domain = arena_str(mem, domain);
        if (!ret_domain->p)
            kind = AUTHOR_BROKEN;
    }
    arena_free(&scratch);
    return kind;
}
