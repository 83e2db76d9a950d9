/* postrider dkim and postrider arc: signatures verified and made, without a configuration. */
#include "check/sign.h"
#include "cli/check.h"
#include "cli/keys.h"
#include "priv/sign_key.h"
#include "wire/head.h"
#include "wire/idn.h"

#include <errno.h>
#include <fcntl.h>

/* ---- verify ---- */

static int verify(struct check_run *r, bool arc, struct check_results *ret) YIELDS
{
    struct check_mail *m = NULL;
    size_t head = head_len(r->message, NULL);
    err e = check_mail_begin(&r->check, str_sub(r->message, 0, head), arc, &m);
    if (e)
        return cli_fail(EX_OSERR, "the signatures cannot be read: %s", err_text(e));
    check_mail_body(m, str_skip(r->message, head));
    check_mail_end(m, ret);
    check_mail_free(&m);
    return 0;
}

static void print_tag(struct buf *out, const char *name, str value)
{
    if (value.n) {
        buf_printf(out, " %s=", name);
        text_safe(out, value);
    }
}

static void print_why(struct buf *out, str why)
{
    if (why.n)
        buf_printf(out, " (" STR_FMT ")", STR_ARG(why));
    buf_add_char(out, '\n');
}

static int dkim_verify_run(struct check_run *r)
{
    struct check_results v = {0};
    int status = verify(r, false, &v);
    if (status)
        return status;
    if (!v.ndkim)
        buf_add(&r->out, S("none\n"));
    for (size_t i = 0; i < v.ndkim; i++) {
        const struct check_dkim *d = &v.dkim[i];
        buf_add_c(&r->out, check_result_name(d->result));
        print_tag(&r->out, "d", d->domain);
        print_tag(&r->out, "s", d->selector);
        print_tag(&r->out, "a", d->algorithm);
        print_tag(&r->out, "i", d->identity);
        if (d->key_bits)
            buf_printf(&r->out, " bits=%u", d->key_bits);
        if (d->testing)
            buf_add(&r->out, S(" testing"));
        print_why(&r->out, d->why);
    }
    if (v.dkim_more)
        buf_printf(&r->out, "policy (only the first %d signatures are looked at)\n", CHECK_SIGNATURES_MAX);
    return 0;
}

static int arc_verify_run(struct check_run *r)
{
    struct check_results v = {0};
    int status = verify(r, true, &v);
    if (status)
        return status;
    buf_add_c(&r->out, check_result_name(v.arc.result));
    if (v.arc.instances)
        buf_printf(&r->out, " i=%u", v.arc.instances);
    print_tag(&r->out, "d", v.arc.domain);
    if (v.arc.result == CHECK_PASS)
        buf_printf(&r->out, " oldest-pass=%u", v.arc.oldest_pass);
    print_why(&r->out, v.arc.why);
    return 0;
}

/* ---- sign, seal ---- */

enum { KEY_FILE_MAX = 16384, FIELDS_MAX = 1 << 20 };

static struct {
    const char *domain, *selector, *key, *algorithm, *canon, *headers, *authserv, *bits;
} given;

static const struct cli_option sign_options[] = {
    {"domain", false, &given.domain},       {"selector", false, &given.selector}, {"key", false, &given.key},
    {"algorithm", false, &given.algorithm}, {"canon", false, &given.canon},       {"headers", false, &given.headers},
    {"authserv", false, &given.authserv},
};

static int read_key(const char *path, struct sign_key **ret)
{
    AUTO_BUF text = {.max = KEY_FILE_MAX};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    err e = fd < 0 ? err_from_errno(errno) : cli_read_all(fd, &text);
    if (fd >= 0)
        close(fd);
    if (e)
        return cli_fail(EX_NOINPUT, "%s: cannot be read: %s", path, err_text(e));
    e = sign_key_read(buf_str(&text), ret);
    explicit_bzero(text.p, text.n);
    if (e)
        return cli_fail(EX_DATAERR, "%s: expected a private key, RSA of %d to %d bits or Ed25519, in PEM or base64: %s",
                        path, SIGN_BITS_MIN, SIGN_BITS_MAX, err_text(e));
    return 0;
}

static err sign_with(void *arg, const unsigned char hash[DKIM_HASH_SIZE], struct buf *out)
{
    return sign_key_sign(arg, hash, out);
}

/* "a:b", "a,b" and "a b" are the same list. */
static str header_list(struct check_run *r, const char *list)
{
    size_t n = list ? strlen(list) : 0;
    char *copy = arena_alloc(r->check.mem, n + 1);
    for (size_t i = 0; copy && i < n; i++)
        copy[i] = list[i] == ',' || list[i] == ' ' ? ':' : list[i];
    return copy ? str_mem(copy, n) : S("");
}

static int fill_order(struct check_run *r, struct sign_key *key, struct sign_order *o)
{
    enum dkim_alg alg = sign_key_is_rsa(key) ? DKIM_RSA_SHA256 : DKIM_ED25519_SHA256;
    *o = (struct sign_order){.alg = alg, .head = CANON_RELAXED, .body = CANON_RELAXED, .t = r->check.now_s};
    if (idn_to_ascii(str_c(given.domain), r->check.mem, &o->domain) ||
        idn_to_ascii(str_c(given.selector), r->check.mem, &o->selector) ||
        !domain_valid(o->domain, ADDR_F_UNDERSCORE) || !domain_valid(o->selector, ADDR_F_UNDERSCORE))
        return cli_fail(EX_USAGE, "--domain and --selector: expected names, found \"%s\" and \"%s\"", given.domain,
                        given.selector);
    if (given.algorithm && !dkim_alg_parse(str_c(given.algorithm), &o->alg))
        return cli_fail(EX_USAGE, "--algorithm: expected rsa-sha256 or ed25519-sha256, found \"%s\"", given.algorithm);
    if (o->alg != alg)
        return cli_fail(EX_USAGE, "--algorithm: %s is not what the key in %s is for", given.algorithm, given.key);
    if (given.canon && !dkim_canon_parse(str_c(given.canon), &o->head, &o->body))
        return cli_fail(EX_USAGE, "--canon: expected simple or relaxed, twice with a slash between, found \"%s\"",
                        given.canon);
    o->headers = header_list(r, given.headers);
    o->sign = sign_with;
    o->arg = key;
    return 0;
}

static err sign_message(struct check_run *r, const struct sign_order *o, struct buf *out) YIELDS
{
    struct check_body *body = NULL;
    size_t head = head_len(r->message, NULL);
    err e = check_body_new(&body, o->body == CANON_SIMPLE, o->body == CANON_RELAXED);
    if (e)
        return e;
    check_body_feed(body, str_skip(r->message, head));
    const unsigned char *hash = check_body_hash(body, o->body);
    e = hash ? check_sign(o, str_sub(r->message, 0, head), hash, out) : E_NOMEM;
    check_body_free(&body);
    return e;
}

static int dkim_sign_run(struct check_run *r)
{
    struct sign_key *key = NULL;
    struct sign_order o;
    AUTO_BUF field = {.max = FIELDS_MAX};
    if (!given.domain || !given.selector || !given.key)
        return cli_fail(EX_USAGE, "dkim sign: --domain, --selector and --key are needed");
    int status = read_key(given.key, &key);
    status = status ? status : fill_order(r, key, &o);
    if (!status) {
        err e = sign_message(r, &o, &field);
        if (e)
            status = cli_fail(EX_SOFTWARE, "the message cannot be signed: %s", err_text(e));
        else
            check_run_prepend(r, buf_str(&field));
    }
    sign_key_free(&key);
    return status;
}

/* What the chain was on arrival: as our own field says; without one, as it is now. */
static enum arc_cv chain_status(str arc, const struct check_results *v)
{
    if (str_ieq(arc, S("pass")) || str_ieq(arc, S("fail")))
        return str_ieq(arc, S("pass")) ? ARC_CV_PASS : ARC_CV_FAIL;
    return v->arc.result == CHECK_PASS ? ARC_CV_PASS : v->arc.result == CHECK_NONE ? ARC_CV_NONE : ARC_CV_FAIL;
}

static err seal_message(struct check_run *r, struct sign_order *o, struct buf *out) YIELDS
{
    struct check_mail *m = NULL;
    struct check_results v = {0};
    AUTO_BUF results = {.max = FIELDS_MAX};
    size_t n = head_len(r->message, NULL);
    str head = str_sub(r->message, 0, n), arc = S("");
    bool sealed, any;
    err e = check_seal_results(head, str_c(given.authserv), &results, &arc, &any);
    e = e ? e : check_mail_begin(&r->check, head, true, &m);
    e = e ? e : check_mail_want(m, o->body == CANON_RELAXED);
    if (!e) {
        check_mail_body(m, str_skip(r->message, n));
        check_mail_end(m, &v);
        e = check_seal(o, m, head, buf_str(&results), chain_status(arc, &v), out, &sealed);
        if (!e && !sealed)
            check_explain(&r->check, "arc: the chain had failed or is full: no set is added");
    }
    check_mail_free(&m);
    return e;
}

static int arc_seal_run(struct check_run *r)
{
    struct sign_key *key = NULL;
    struct sign_order o;
    AUTO_BUF fields = {.max = FIELDS_MAX};
    if (!given.domain || !given.selector || !given.key || !given.authserv)
        return cli_fail(EX_USAGE, "arc seal: --domain, --selector, --key and --authserv are needed");
    int status = read_key(given.key, &key);
    status = status ? status : fill_order(r, key, &o);
    if (!status) {
        err e = seal_message(r, &o, &fields);
        if (e)
            status = cli_fail(EX_SOFTWARE, "the message cannot be sealed: %s", err_text(e));
        else
            check_run_prepend(r, buf_str(&fields));
    }
    sign_key_free(&key);
    return status;
}

/* ---- the commands ---- */

#define SIGN_USAGE "--domain NAME --selector NAME --key FILE"
static const struct check_command commands[] = {
    {"dkim verify", "", NEEDS_MESSAGE, {NULL, 0}, dkim_verify_run},
    {"dkim sign",
     SIGN_USAGE " [--algorithm rsa-sha256|ed25519-sha256] [--canon C/C]\n           [--headers A:B:C] ",
     NEEDS_MESSAGE,
     {sign_options, 6},
     dkim_sign_run},
    {"arc verify", "", NEEDS_MESSAGE, {NULL, 0}, arc_verify_run},
    {"arc seal",
     SIGN_USAGE " --authserv NAME [--headers A:B:C]\n           ",
     NEEDS_MESSAGE,
     {sign_options, 7},
     arc_seal_run},
};

/* ---- key ---- */

static int write_new(const char *path, str text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return cli_fail(EX_CANTCREAT, "%s: cannot be made: %s", path, strerror(errno));
    err e = cli_write_all(fd, text);
    if (!e && fsync(fd))
        e = err_from_errno(errno);
    if (close(fd) && !e)
        e = err_from_errno(errno);
    if (e) {
        (void)unlink(path);
        return cli_fail(EX_IOERR, "%s: cannot be written: %s", path, err_text(e));
    }
    return 0;
}

int cli_key_make(const char *path, unsigned bits)
{
    struct buf pem;
    buf_init(&pem, KEY_FILE_MAX);
    if (!buf_room(&pem, KEY_FILE_MAX / 2)) /* in one piece: nothing is left behind */
        return cli_fail(EX_OSERR, "out of memory");
    err e = sign_key_make(bits, &pem);
    int status = e ? cli_fail(EX_SOFTWARE, "no key could be made: %s", err_text(e)) : write_new(path, buf_str(&pem));
    explicit_bzero(pem.p, pem.n);
    buf_free(&pem);
    return status;
}

int cli_key_record(const char *path, struct buf *out)
{
    struct sign_key *key = NULL;
    int status = read_key(path, &key);
    if (status)
        return status;
    err e = sign_key_record(key, out);
    sign_key_free(&key);
    return e ? cli_fail(EX_SOFTWARE, "the record cannot be made: %s", err_text(e)) : 0;
}

/* In pieces of 255 octets, as zone files want them. */
static int print_record(const char *path)
{
    AUTO_BUF record = {.max = KEY_FILE_MAX}, out = {.max = 2 * KEY_FILE_MAX};
    int status = cli_key_record(path, &record);
    if (status)
        return status;
    str rest = buf_str(&record);
    buf_printf(&out, "%s._domainkey.%s. IN TXT (", given.selector, given.domain);
    for (; rest.n; rest = str_skip(rest, 255))
        buf_printf(&out, " \"" STR_FMT "\"", STR_ARG(str_sub(rest, 0, 255)));
    buf_add(&out, S(" )\n"));
    if (out.e)
        return cli_fail(EX_SOFTWARE, "the record cannot be made: %s", err_text(out.e));
    return cli_write_all(1, buf_str(&out)) ? EX_IOERR : EX_OK;
}

static int key_usage(void)
{
    return cli_fail(EX_USAGE, "usage: postrider dkim key --domain NAME --selector NAME --key FILE\n"
                              "           [--algorithm rsa-sha256|ed25519-sha256] [--bits 2048]\n"
                              "A key is made in FILE when there is none yet; the record to publish is printed.");
}

static bool key_options(int argc, char **argv)
{
    static const struct cli_option options[] = {{"domain", false, &given.domain},
                                                {"selector", false, &given.selector},
                                                {"key", false, &given.key},
                                                {"algorithm", false, &given.algorithm},
                                                {"bits", false, &given.bits}};
    if (!cli_options(&CLI_OPTIONS(options), 1, argc, argv))
        return false;
    return given.domain && given.selector && given.key && domain_valid(str_c(given.domain), ADDR_F_UNDERSCORE) &&
           domain_valid(str_c(given.selector), ADDR_F_UNDERSCORE);
}

static int dkim_key(int argc, char **argv)
{
    enum dkim_alg alg = DKIM_RSA_SHA256;
    uint64_t bits = 2048;
    if (!key_options(argc, argv) || (given.algorithm && !dkim_alg_parse(str_c(given.algorithm), &alg)))
        return key_usage();
    if (given.bits && (!text_u64(str_c(given.bits), &bits) || bits < SIGN_BITS_MIN || bits > SIGN_BITS_MAX))
        return cli_fail(EX_USAGE, "--bits: expected a number from %d to %d, found \"%s\"", SIGN_BITS_MIN, SIGN_BITS_MAX,
                        given.bits);
    int status = 0;
    if (access(given.key, F_OK) && errno == ENOENT)
        status = cli_key_make(given.key, alg == DKIM_RSA_SHA256 ? (unsigned)bits : 0);
    return status ? status : print_record(given.key);
}

/* argv[0] is "dkim" or "arc", argv[1] the verb. */
static int run(const char *group, int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++) {
        str name = str_c(commands[i].name), first = str_c(group);
        if (str_starts(name, first) && name.p[first.n] == ' ' && str_eq(str_skip(name, first.n + 1), str_c(argv[1])))
            return cli_check(&commands[i], argc - 1, argv + 1);
    }
    return -1;
}

int cli_dkim(int argc, char **argv)
{
    if (argc > 1 && str_eq(str_c(argv[1]), S("key")))
        return dkim_key(argc - 1, argv + 1);
    static const char *const kept[] = {"status", "rotate", "use"};
    for (size_t i = 0; argc > 1 && i < sizeof kept / sizeof *kept; i++)
        if (str_eq(str_c(argv[1]), str_c(kept[i])))
            return cli_dkim_kept(argc, argv);
    int status = run("dkim", argc, argv);
    return status >= 0 ? status
                       : cli_fail(EX_USAGE, "dkim: expected verify, sign, key, status, rotate or use behind it");
}

int cli_arc(int argc, char **argv)
{
    int status = run("arc", argc, argv);
    return status >= 0 ? status : cli_fail(EX_USAGE, "arc: expected verify or seal behind it");
}
