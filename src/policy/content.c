/* Looking at a message once for all who ask; what those from outside are shown of it. */
#include "policy/internal.h"

#include "base/text.h"

void content_end(struct content *k)
{
    scan_look_free(&k->look);
    *k = (struct content){0};
}

bool content_take(struct policy *p, const struct matter *m, str octets)
{
    struct content *k = &p->content;
    const struct scan_limits limits = {(size_t)m->conf->policy_attachment_files,
                                       (uint64_t)m->conf->policy_attachment_unpack};
    if (k->found)
        return true;
    if (!k->look)
        k->look = scan_look_new(&limits);
    return k->look && scan_look_at(k->look, octets) == OK;
}

const struct scan_found *content_look(struct policy *p, const struct matter *m)
{
    struct content *k = &p->content;
    bool streamed = k->look != NULL;
    if (k->found)
        return k->found;
    for (uint64_t at = 0; !streamed;) {
        str piece;
        err e = policy_body(p, m, &at, &piece);
        if (e || (piece.n && !content_take(p, m, piece)))
            return NULL;
        if (!piece.n)
            break;
    }
    return k->look && scan_look_end(k->look, &k->found) == OK ? k->found : NULL;
}

/* ---- what is dangerous ------------------------------------------------------------------------------------------- */

static bool ending_listed(const struct conf *c, const struct scan_item *i, str ending)
{
    /* names of hosts end so, too, and become names of forwarded messages */
    if (str_eq(ending, S("com")) && i->type <= SCAN_XML && !(i->flags & SCAN_INSIDE))
        return false;
    for (size_t k = 0; k < c->policy_attachment_endings.n; k++)
        if (str_eq(ending, c->policy_attachment_endings.v[k]))
            return true;
    return false;
}

/* What is packed alone has the name of what it holds before its own ending. */
static str without_packer(str name, str ending)
{
    static const str packers[] = {S_INIT("bz2"), S_INIT("xz"),   S_INIT("zst"),
                                  S_INIT("gz"),  S_INIT("lzma"), S_INIT("z")};
    for (size_t k = 0; k < sizeof packers / sizeof *packers; k++)
        if (str_eq(ending, packers[k]))
            return str_sub(name, 0, str_rfind(name, '.'));
    return name;
}

str content_danger(const struct conf *c, const struct scan_item *i, char *mem, size_t size)
{
    char small[SCAN_EXTENSION_MAX];
    struct buf b;
    str name = str_skip(i->name, i->name.n > 60 ? i->name.n - 60 : 0), ending = scan_extension(i->name, small);
    ending = scan_extension(without_packer(i->name, ending), small);
    bool program = !(i->flags & SCAN_OTHER_NAME) && scan_type_kind(i->type) == SCAN_PROGRAM;
    buf_init_fixed(&b, mem, size);
    if (!program && !(ending.n && ending_listed(c, i, ending)))
        return S("");
    buf_add(&b, i->flags & SCAN_INSIDE ? S("a file in an archive") : S("an attachment"));
    if (name.n) {
        buf_add(&b, S(", \""));
        text_safe(&b, name);
        buf_add(&b, S("\","));
    }
    if (program)
        buf_printf(&b, " is %s", scan_type_text(i->type));
    else
        buf_printf(&b, " may be a program (." STR_FMT ")", STR_ARG(ending));
    return b.e ? S("an attachment is a program") : buf_str(&b);
}
