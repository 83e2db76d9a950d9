/*
 * Signatures made: DKIM-Signature and ARC-Message-Signature over a header and the hash of a body (RFC 6376 3.7, 5; RFC
 * 8463), ARC-Seal over sets (RFC 8617 5.1). The private key is somebody else's: it is asked to sign a hash.
 */
#include "check/sign.h"
#include "base/codec.h"
#include "check/signed.h"

enum { FIELD_MAX = 65536, DATA_MAX = 4 << 20, LINE = 76 };

/* Names that are signed, each as often as it is there. '+': once more than that, so that nobody can add one. */
static const char *const signed_names[] = {
    "+From",
    "+Subject",
    "+Date",
    "+To",
    "+Reply-To",
    "Cc",
    "Sender",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "+List-Id",
    "+List-Unsubscribe",
    "+List-Unsubscribe-Post",
    "+List-Subscribe",
    "+List-Post",
    "+List-Owner",
    "+List-Help",
    "+List-Archive",
};

/* ---- writing a field that is folded as it grows
 * ------------------------------------------------------------------------- */

struct writer {
    struct buf *out;
    size_t col;
};

/* A piece that is not cut; behind `glue`, a blank, or a fold in place of it. */
static void word(struct writer *w, bool glue, str s)
{
    if (glue && w->col + 1 + s.n > LINE) {
        buf_add(w->out, S("\r\n\t"));
        w->col = 8;
    } else if (glue) {
        buf_add_char(w->out, ' ');
        w->col++;
    }
    buf_add(w->out, s);
    w->col += s.n;
}

static void tag(struct writer *w, const char *name, str value)
{
    char mem[600];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    buf_printf(&b, "%s=" STR_FMT ";", name, STR_ARG(value));
    word(w, true, buf_str(&b));
    if (b.e && !w->out->e)
        w->out->e = E_LIMIT;
}

static void number_tag(struct writer *w, const char *name, int64_t v)
{
    char mem[32];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    buf_add_u64(&b, v > 0 ? (uint64_t)v : 0);
    tag(w, name, buf_str(&b));
}

/* Text without blanks, cut anywhere. */
static void long_text(struct writer *w, str s)
{
    while (s.n) {
        size_t room = w->col < LINE ? LINE - w->col : 0, n = s.n < room ? s.n : room;
        buf_add(w->out, str_sub(s, 0, n));
        w->col += n;
        s = str_skip(s, n);
        if (s.n) {
            buf_add(w->out, S("\r\n\t"));
            w->col = 8;
        }
    }
}

static void base64_text(struct writer *w, str octets)
{
    char mem[DKIM_SIG_MAX * 2];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    base64_encode(&b, octets);
    long_text(w, buf_str(&b));
    if (b.e && !w->out->e)
        w->out->e = E_LIMIT;
}

/* h=, which may be cut behind a colon. */
static void header_tag(struct writer *w, str names)
{
    str one;
    word(w, true, S("h="));
    for (bool first = true; tags_item(&names, ':', &one); first = false) {
        if (!first) {
            buf_add_char(w->out, ':');
            w->col++;
        }
        if (w->col + one.n + 1 > LINE) {
            buf_add(w->out, S("\r\n\t"));
            w->col = 8;
        }
        buf_add(w->out, one);
        w->col += one.n;
    }
    buf_add_char(w->out, ';');
    w->col++;
}

/* ---- what is signed
 * ----------------------------------------------------------------------------------------------------- */

static void default_names(const struct fields *f, struct buf *out)
{
    for (size_t i = 0; i < sizeof signed_names / sizeof *signed_names; i++) {
        const char *name = signed_names[i];
        bool over = *name == '+';
        size_t n = fields_count(f, str_c(name + over)) + over;
        for (; n; n--) {
            if (out->n)
                buf_add_char(out, ':');
            buf_add_c(out, name + over);
        }
    }
}

static void hash_names(struct buf *data, struct fields *f, enum canon c, str names)
{
    const struct head_field *one;
    str name;
    fields_begin(f);
    while (tags_item(&names, ':', &name))
        if ((one = fields_take(f, name)))
            canon_field(data, c, one);
}

static const char *field_name(enum dkim_kind k)
{
    return k == DKIM_SIGNATURE ? "DKIM-Signature" : k == ARC_SEAL ? "ARC-Seal" : "ARC-Message-Signature";
}

static void canon_tag(struct writer *w, const struct sign_order *o)
{
    static const char *const names[] = {"simple", "relaxed"};
    char mem[32];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    buf_printf(&b, "%s/%s", names[o->head], names[o->body]);
    tag(w, "c", buf_str(&b));
}

static void open_field(struct writer *w, const struct sign_order *o)
{
    buf_printf(w->out, "%s:", field_name(o->kind));
    w->col = w->out->n;
    if (o->kind == DKIM_SIGNATURE)
        tag(w, "v", S("1"));
    else
        number_tag(w, "i", o->instance);
    tag(w, "a", str_c(dkim_alg_name(o->alg)));
}

static void common_tags(struct writer *w, const struct sign_order *o)
{
    tag(w, "d", o->domain);
    tag(w, "s", o->selector);
    number_tag(w, "t", o->t);
    if (o->x)
        number_tag(w, "x", o->x);
}

/* Hashes `data` and the field so far, asks for the signature, ends the field. */
static err finish(struct writer *w, const struct sign_order *o, enum canon c, struct buf *data) YIELDS
{
    unsigned char hash[DKIM_HASH_SIZE], mem[DKIM_SIG_MAX];
    struct head_field f;
    struct buf sig;
    word(w, true, S("b="));
    str rest = buf_str(w->out);
    if (w->out->e || !head_next(&rest, &f))
        return w->out->e ? w->out->e : E_BUG;
    canon_field_unsigned(data, c, &f, canon_b_value(f.value));
    err e = data->e ? data->e : sha256(buf_str(data), hash);
    buf_init_fixed(&sig, mem, sizeof mem);
    e = e ? e : o->sign(o->arg, hash, &sig);
    if (e)
        return e;
    base64_text(w, buf_str(&sig));
    buf_add(w->out, S("\r\n"));
    return w->out->e;
}

static err sign_fields(const struct sign_order *o, struct fields *f, const unsigned char *body_hash, struct buf *field,
                       struct buf *data) YIELDS
{
    struct buf names;
    struct writer w = {field, 0};
    buf_init(&names, FIELD_MAX);
    if (o->headers.n)
        buf_add(&names, o->headers);
    else
        default_names(f, &names);
    open_field(&w, o);
    canon_tag(&w, o);
    common_tags(&w, o);
    header_tag(&w, buf_str(&names));
    word(&w, true, S("bh="));
    base64_text(&w, str_mem(body_hash, DKIM_HASH_SIZE));
    buf_add_char(field, ';');
    w.col++;
    hash_names(data, f, o->head, buf_str(&names));
    err e = names.e ? names.e : finish(&w, o, o->head, data);
    buf_free(&names);
    return e;
}

err check_sign(const struct sign_order *o, str head, const unsigned char body_hash[DKIM_HASH_SIZE], struct buf *out)
{
    struct arena mem;
    struct buf field, data;
    struct fields f;
    arena_init(&mem, 16384, (size_t)16 << 20);
    buf_init(&field, FIELD_MAX);
    buf_init(&data, DATA_MAX);
    err e = fields_read(&f, head, &mem);
    e = e ? e : sign_fields(o, &f, body_hash, &field, &data);
    if (!e) {
        buf_add(out, buf_str(&field));
        e = out->e;
    }
    buf_free(&data);
    buf_free(&field);
    arena_free(&mem);
    return e;
}

err seal_write(const struct sign_order *o, enum arc_cv cv, struct buf *scope, struct buf *out)
{
    static const char *const names[] = {"none", "pass", "fail"};
    struct buf field;
    struct writer w = {&field, 0};
    buf_init(&field, FIELD_MAX);
    open_field(&w, o);
    tag(&w, "cv", str_c(names[cv]));
    common_tags(&w, o);
    err e = finish(&w, o, CANON_RELAXED, scope);
    if (!e) {
        buf_add(out, buf_str(&field));
        e = out->e;
    }
    buf_free(&field);
    return e;
}
