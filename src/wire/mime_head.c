/* What the header of a MIME entity says, and how it is written when the body changes its encoding. */
#include "base/text.h"
#include "wire/head.h"
#include "wire/mime_internal.h"
#include "wire/mime_param.h"

static void find_boundary(str s, struct entity *e)
{
    char mem[BOUNDARY_MAX];
    while (mime_char(&s, ';')) {
        struct buf value;
        buf_init_fixed(&value, mem, sizeof mem);
        str name = mime_token(&s);
        if (!name.n || !mime_char(&s, '='))
            return;
        bool ok = mime_value(&s, &value);
        if (!str_ieq(name, S("boundary")))
            continue;
        while (value.n && ascii_wsp(mem[value.n - 1]))
            value.n--;
        if (ok && value.n) {
            memcpy(e->boundary, mem, value.n);
            e->boundary_n = value.n;
        }
        return;
    }
}

static void read_type(str value, struct entity *e)
{
    str type = mime_token(&value);
    if (!type.n || !mime_char(&value, '/'))
        return;
    str sub = mime_token(&value);
    e->text = str_ieq(type, S("text"));
    if (str_ieq(type, S("multipart"))) {
        find_boundary(value, e);
        e->kind = e->boundary_n ? KIND_MULTIPART : KIND_FIXED;
        e->digest = str_ieq(sub, S("digest"));
    } else if (str_ieq(type, S("message"))) {
        /* RFC 6532 3.7 and 6533 let the global kinds be encoded; RFC 2046 5.2 the others not */
        e->kind = str_ieq(sub, S("rfc822")) ? KIND_MESSAGE : str_istarts(sub, S("global")) ? KIND_LEAF : KIND_FIXED;
    }
}

static enum mime_cte read_cte(str value)
{
    static const struct {
        str name;
        enum mime_cte cte;
    } names[] = {
        {S_INIT("7bit"), CTE_7BIT},           {S_INIT("8bit"), CTE_8BIT},     {S_INIT("binary"), CTE_BINARY},
        {S_INIT("quoted-printable"), CTE_QP}, {S_INIT("base64"), CTE_BASE64},
    };
    str t = mime_token(&value);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_ieq(names[i].name, t))
            return names[i].cte;
    return t.n ? CTE_OTHER : CTE_NONE;
}

static bool identity(enum mime_cte c) { return c == CTE_NONE || c == CTE_7BIT || c == CTE_8BIT || c == CTE_BINARY; }

void mime_read_head(str head, bool in_digest, struct entity *ret)
{
    struct head_field f;
    *ret = (struct entity){.kind = in_digest ? KIND_MESSAGE : KIND_LEAF, .text = !in_digest};
    ret->head_8bit = !text_ascii(head);
    while (head_next(&head, &f)) {
        if (str_ieq(f.name, S("MIME-Version"))) {
            ret->has_version = true;
        } else if (str_ieq(f.name, S("Content-Type")) && !ret->has_type) {
            ret->has_type = true;
            ret->kind = KIND_LEAF;
            read_type(f.value, ret);
        } else if (str_ieq(f.name, S("Content-Transfer-Encoding")) && ret->cte == CTE_NONE) {
            ret->cte = read_cte(f.value);
        }
    }
    /* encoded against RFC 2045 6.4: opaque */
    if (!identity(ret->cte) && (ret->kind == KIND_MULTIPART || ret->kind == KIND_MESSAGE))
        ret->kind = KIND_LEAF;
}

enum mime_fix mime_fix_of(const struct mime *m, unsigned part)
{
    unsigned has = m->has[part] & (HAS_8BIT | HAS_BINARY | HAS_LONG);
    enum mime_cte cte = m->cte[part];
    if (!has || m->kind[part] == KIND_MULTIPART || m->kind[part] == KIND_MESSAGE)
        return FIX_NONE;
    if (m->kind[part] == KIND_FIXED || cte == CTE_OTHER)
        return FIX_IMPOSSIBLE;
    if (cte == CTE_QP)
        return FIX_QP_AGAIN;
    if (cte == CTE_BASE64)
        return FIX_BASE64_AGAIN;
    return m->text[part] && !(has & HAS_BINARY) ? FIX_QP : FIX_BASE64;
}

void mime_write_head(struct mime *m, str head, const struct entity *e, enum head_end how)
{
    struct head_field f;
    struct buf *out = m->out;
    bool encode = m->fix == FIX_QP || m->fix == FIX_BASE64;
    bool relabel = !encode && (e->cte == CTE_8BIT || e->cte == CTE_BINARY);
    bool message = m->top || m->inner;
    str rest = head;
    while (head_next(&rest, &f)) {
        bool cte = str_ieq(f.name, S("Content-Transfer-Encoding"));
        if (cte && relabel)
            buf_add(out, S("Content-Transfer-Encoding: 7bit\r\n"));
        else if (!cte || !encode)
            buf_add(out, f.raw);
    }
    if (encode) {
        if (message && !e->has_version)
            buf_add(out, S("MIME-Version: 1.0\r\n"));
        if (message && !e->has_type && m->has[m->part] & HAS_8BIT) /* RFC 1428 3 */
            buf_add(out, S("Content-Type: text/plain; charset=unknown-8bit\r\n"));
        buf_add(out, m->fix == FIX_QP ? S("Content-Transfer-Encoding: quoted-printable\r\n")
                                      : S("Content-Transfer-Encoding: base64\r\n"));
    }
    buf_add(out, rest);
    /* A body that begins without an empty line is kept apart from the header, unless it stays as it is. */
    bool changes = encode || e->kind == KIND_MULTIPART || e->kind == KIND_MESSAGE;
    if (how == END_EMPTY_LINE || (how == END_BODY && changes))
        buf_add(out, S("\r\n"));
}
