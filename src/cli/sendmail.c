/*
 * sendmail, mailq and newaliases as every Unix expects them (the options of sendmail 8 that programs
 * use). The message goes over the local submission socket, where the kernel says who is calling: no
 * setuid, no file that others write.
 */
#include "cli/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>

enum { WAIT_MS = 30 * 1000, WAIT_STEP_MS = 200, SEND_TIME_MS = 300 * 1000 };

enum mode { SENDMAIL_SUBMIT, SENDMAIL_SMTP, SENDMAIL_LIST, SENDMAIL_FLUSH, SENDMAIL_NOTHING };

struct options {
    enum mode mode;
    const char *file, *from, *name, *ret, *notify, *envid;
    bool from_header, keep_dots, verbose;
};

struct submission {
    struct arena arena;
    const struct options *o;
    struct conf *conf;
    struct aliases aliases;
    struct mail_rules rules; /* without the map */
    struct buf text;         /* as it came in, CRLF */
    struct name_list local, outside;
    str sender; /* before the map */
};

/* ---- options ---- */

static bool word_in(const char *text, const char *const *v)
{
    for (; *v; v++)
        if (str_ieq(str_c(text), str_c(*v)))
            return true;
    return false;
}

static int option_b(struct options *o, const char *arg)
{
    switch (arg[0]) {
    case 'm':
        return 0;
    case 's':
        o->mode = SENDMAIL_SMTP;
        return 0;
    case 'p':
        o->mode = SENDMAIL_LIST;
        return 0;
    case 'i':
    case 'I':
        o->mode = SENDMAIL_NOTHING;
        return 0;
    case 'd':
    case 'D':
        return cli_fail(EX_USAGE, "-b%s: the server is started by \"postrider serve -c FILE\"", arg);
    default:
        return cli_fail(EX_USAGE, "-b%s is not supported; see sendmail(1)", arg);
    }
}

static bool notify_ok(const char *arg)
{
    static const char *const words[] = {"success", "failure", "delay", NULL};
    str rest = str_c(arg), one;
    char word[16];
    if (str_ieq(rest, S("never")))
        return true;
    while (str_cut(&rest, ',', &one))
        if (!str_to_c(one, word, sizeof word) || !word_in(word, words))
            return false;
    return arg[0];
}

static int option(struct options *o, int c, const char *arg)
{
    static const char *const ret[] = {"full", "hdrs", NULL};
    switch (c) {
    case 'b':
        return option_b(o, arg);
    case 'C':
        o->file = arg;
        return 0;
    case 'F':
        o->name = arg;
        return 0;
    case 'f':
    case 'r':
        o->from = arg;
        return 0;
    case 'I':
        o->mode = SENDMAIL_NOTHING;
        return 0;
    case 'i':
        o->keep_dots = true;
        return 0;
    case 'o':
        o->keep_dots |= arg[0] == 'i' && !arg[1];
        return 0;
    case 'O':
        o->keep_dots |= str_ieq(str_c(arg), S("IgnoreDots")) || str_ieq(str_c(arg), S("IgnoreDots=true"));
        return 0;
    case 'q':
        o->mode = SENDMAIL_FLUSH;
        return 0;
    case 't':
        o->from_header = true;
        return 0;
    case 'v':
        o->verbose = true;
        return 0;
    case 'V':
        o->envid = arg;
        return 0;
    case 'R':
        o->ret = arg;
        return word_in(arg, ret) ? 0 : cli_fail(EX_USAGE, "-R: expected full or hdrs, found \"%s\"", arg);
    case 'N':
        o->notify = arg;
        return notify_ok(arg)
                   ? 0
                   : cli_fail(EX_USAGE, "-N: expected never or some of success,failure,delay, found \"%s\"", arg);
    case '?':
    case ':':
        return cli_fail(
            EX_USAGE,
            c == ':' ? "the option -%c needs a value; see sendmail(1)" : "unknown option -%c; see sendmail(1)", optopt);
    default: /* understood and without meaning here: -A -B -G -h -L -m -n -O -p -U -X ... */
        return 0;
    }
}

static int parse(struct options *o, int argc, char **argv)
{
    opterr = 0;
    optind = 1;
    for (int c; (c = getopt(argc, argv, "+:A:B:C:F:GIL:N:O:R:UV:X:b:cd:e:f:h:imno:p:q::r:stvx:")) != -1;) {
        int status = option(o, c, optarg);
        if (status)
            return status;
    }
    return 0;
}

/* ---- names ---- */

static str unbracket(str s)
{
    s = str_trim(s);
    return s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>' ? str_sub(s, 1, s.n - 1) : s;
}

/* The domain is one of the server's own, so that the message does not leave. */
static bool is_ours(const struct submission *s, str address)
{
    size_t at = str_rfind(address, '@');
    return at != STR_NONE && conf_domain(s->conf, str_skip(address, at + 1));
}

static int bad_address(str text)
{
    AUTO_BUF safe;
    buf_init(&safe, 1024);
    text_safe(&safe, str_sub(text, 0, 200));
    return cli_fail(EX_USAGE, "expected an address, found \"" STR_FMT "\"", STR_ARG(buf_str(&safe)));
}

static bool has_controls(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 32 || s.p[i] == 127 || s.p[i] == '<' || s.p[i] == '>')
            return true;
    return false;
}

/* One recipient as it was given: aliases followed, completed, sorted by whether it leaves. */
static int add_recipient(struct submission *s, str text)
{
    struct name_list to = {0};
    AUTO_BUF why;
    buf_init(&why, 1024);
    str name = unbracket(text);
    if (name.n == 0 || has_controls(name))
        return bad_address(text);
    if (str_iends(name, S("@localhost")))
        name.n -= S("@localhost").n;
    bool bare = str_find(name, '@') == STR_NONE;
    if (bare ? !aliases_expand(&s->arena, &s->aliases, name, &to, &why) : !name_list_add(&s->arena, &to, name))
        return cli_fail(EX_UNAVAILABLE, STR_FMT, STR_ARG(buf_str(&why)));
    for (size_t i = 0; i < to.n; i++) {
        str full = mail_address(&s->arena, unbracket(to.v[i]), &s->rules);
        if (full.n == 0 || has_controls(full))
            return bad_address(to.v[i]);
        if (!name_list_add(&s->arena, is_ours(s, full) ? &s->local : &s->outside, full))
            return cli_fail(EX_USAGE, "too many recipients");
    }
    return EX_OK;
}

static void read_aliases(struct submission *s)
{
    AUTO_BUF b;
    buf_init(&b, 16 << 20);
    const char *path = s->conf->local_aliases_file.p; /* NUL-ended, as all strings of a configuration */
    AUTO_FD fd = s->conf->local_aliases_file.n ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
    if (fd >= 0 && cli_read_all(fd, &b) == OK)
        aliases_parse(&s->arena, arena_str(&s->arena, buf_str(&b)), &s->aliases);
}

/* The caller's name and full name, as the system has them. */
static void who_am_i(struct submission *s)
{
    const struct options *o = s->o;
    const struct passwd *p = getpwuid(getuid());
    str login = p ? str_c(p->pw_name) : arena_printf(&s->arena, "uid%u", (unsigned)getuid());
    str full = p ? str_c(p->pw_gecos) : S("");
    full = str_sub(full, 0, str_find(full, ','));
    if (getenv("NAME"))
        full = str_c(getenv("NAME"));
    if (o->name)
        full = str_c(o->name);
    s->sender = mail_address(&s->arena, arena_str(&s->arena, o->from ? unbracket(str_c(o->from)) : login), &s->rules);
    AUTO_BUF value;
    buf_init(&value, 4096);
    str shown = s->sender.n ? s->sender : mail_address(&s->arena, arena_str(&s->arena, login), &s->rules);
    mail_from_value(&value, full, shown);
    s->rules.from = arena_str(&s->arena, buf_str(&value));
}

/* ---- submission ---- */

static int no_server(const struct submission *s, const char *why)
{
    return cli_fail(EX_TEMPFAIL,
                    "no mail server took the message within %d s (" STR_FMT
                    ": %s); it was not sent: try again later, or "
                    "start the server by \"postrider serve -c %s\"",
                    WAIT_MS / 1000, STR_ARG(s->conf->local_socket), why, s->o->file);
}

static void pause_ms(int ms) { nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL); }

/* A connection to the server, waiting for it until `until`; -1: errno. */
static int connect_server(const struct submission *s, int64_t until)
{
    for (;;) {
        int fd = cli_connect_unix(s->conf->local_socket);
        if (fd >= 0 || (errno != ENOENT && errno != ECONNREFUSED && errno != EAGAIN) || cli_now_ms() >= until)
            return fd;
        pause_ms(WAIT_STEP_MS);
    }
}

static int send_once(struct submission *s, const struct mail *m, int64_t until, bool *ret_again)
{
    struct dialog *d = calloc(1, sizeof *d);
    *ret_again = false;
    if (!d)
        return cli_fail(EX_OSERR, "out of memory");
    d->fd = connect_server(s, until);
    d->verbose = s->o->verbose;
    d->deadline = until;
    buf_init(&d->why, 65536);
    int status = EX_TEMPFAIL;
    if (d->fd >= 0) {
        status = dialog_run(d, s->conf->hostname, m);
        *ret_again = !d->greeted && cli_now_ms() < until;
        close(d->fd);
    } else if (errno == EACCES) {
        buf_add_c(&d->why, "permission denied");
        status = EX_NOPERM;
    } else {
        buf_add_c(&d->why, strerror(errno));
    }
    if (status != EX_OK && !*ret_again) {
        if (status == EX_TEMPFAIL && !d->greeted)
            status = no_server(s, buf_str(&d->why).n ? (buf_add_char(&d->why, 0), d->why.p) : "no answer");
        else
            status = cli_fail(status, STR_FMT, STR_ARG(buf_str(&d->why)));
    }
    buf_free(&d->why);
    free(d);
    return status;
}

/* One group of recipients: those who see our own addresses, or those outside, who see the mapped ones. */
static int send_group(struct submission *s, const struct name_list *to, bool leaves)
{
    AUTO_BUF out;
    AUTO_BUF converted;
    struct mail_rules r = s->rules;
    r.map = leaves ? &s->conf->local_address_map : NULL;
    buf_init(&out, s->text.max + (1 << 20));
    buf_init(&converted, 4 * out.max);
    err e = mail_header(&s->arena, &out, buf_str(&s->text), &r);
    bool carriable = e || mail_carriable(buf_str(&out));
    if (!carriable) /* what a program prints may have lines of any length */
        e = mail_convert(&converted, buf_str(&out));
    if (e)
        return cli_fail(EX_DATAERR, "the message cannot be prepared: %s", err_text(e));
    struct mail m = {.sender = mail_address(&s->arena, s->sender, &r),
                     .to = to->v,
                     .nto = to->n,
                     .octets = buf_str(carriable ? &out : &converted),
                     .envid = str_c(s->o->envid),
                     .ret = s->o->ret,
                     .notify = s->o->notify};
    int64_t until = cli_now_ms() + WAIT_MS;
    for (;;) {
        bool again;
        int status = send_once(s, &m, until, &again);
        if (!again)
            return status;
        pause_ms(WAIT_STEP_MS);
    }
}

static int read_message(struct submission *s)
{
    AUTO_BUF raw;
    size_t max = (size_t)s->conf->limits_message_size;
    buf_init(&raw, max);
    buf_init(&s->text, 2 * max + 65536);
    err e = cli_read_all(0, &raw);
    if (e == E_LIMIT)
        return cli_fail(EX_DATAERR, "the message is larger than %zu octets (limits: message-size)", max);
    if (!e)
        mail_text(&s->text, buf_str(&raw), !s->o->keep_dots);
    if (!e)
        e = s->text.e;
    return e ? cli_fail(EX_IOERR, "the message cannot be read: %s", err_text(e)) : EX_OK;
}

static int all_recipients(struct submission *s, int argc, char **argv)
{
    int status = EX_OK;
    for (int i = 0; i < argc && status == EX_OK; i++) {
        struct name_list one = {0}; /* a word may be a list: "a@b, c@d" */
        AUTO_BUF why, field;
        buf_init(&why, 1024);
        buf_init(&field, 65536);
        buf_printf(&field, "To: %s\r\n\r\n", argv[i]);
        if (has_controls(unbracket(str_c(argv[i]))) || !mail_recipients(&s->arena, buf_str(&field), &one, &why))
            return bad_address(str_c(argv[i]));
        for (size_t k = 0; k < one.n && status == EX_OK; k++)
            status = add_recipient(s, one.v[k]);
    }
    if (status == EX_OK && s->o->from_header) {
        struct name_list found = {0};
        AUTO_BUF why;
        buf_init(&why, 1024);
        if (!mail_recipients(&s->arena, buf_str(&s->text), &found, &why))
            return cli_fail(EX_DATAERR, STR_FMT, STR_ARG(buf_str(&why)));
        for (size_t k = 0; k < found.n && status == EX_OK; k++)
            status = add_recipient(s, found.v[k]);
    }
    return status;
}

static int submit(struct submission *s, int argc, char **argv)
{
    if (argc == 0 && !s->o->from_header)
        return cli_fail(EX_USAGE,
                        "expected recipients on the command line, or -t to take them from the header; see sendmail(1)");
    s->rules.origin = s->conf->origin;
    read_aliases(s);
    who_am_i(s);
    int status = read_message(s);
    if (status == EX_OK)
        status = all_recipients(s, argc, argv);
    if (status != EX_OK)
        return status;
    if (s->local.n + s->outside.n == 0)
        return cli_fail(EX_USAGE, "the message names no recipient");
    if (s->conf->local_address_map.n == 0) { /* no difference: one message */
        for (size_t i = 0; i < s->outside.n; i++)
            if (!name_list_add(&s->arena, &s->local, s->outside.v[i]))
                return cli_fail(EX_USAGE, "too many recipients");
        return send_group(s, &s->local, false);
    }
    if (s->local.n)
        status = send_group(s, &s->local, false);
    if (s->outside.n && status == EX_OK)
        status = send_group(s, &s->outside, true);
    return status;
}

/* ---- -bs ---- */

static bool copy(int from, int to)
{
    char p[3072];
    ssize_t n = read(from, p, sizeof p);
    if (n < 0 && errno == EINTR)
        return true;
    return n > 0 && cli_write_all(to, str_mem(p, (size_t)n)) == OK;
}

/* SMTP on stdin and stdout: the caller speaks with the server itself. */
static int pass_through(struct submission *s)
{
    AUTO_FD fd = connect_server(s, cli_now_ms() + WAIT_MS);
    if (fd < 0) {
        printf("421 4.3.2 no mail server answers\r\n");
        fflush(stdout);
        return no_server(s, strerror(errno));
    }
    struct pollfd v[2] = {{.fd = 0, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    while (poll(v, 2, SEND_TIME_MS) > 0 || errno == EINTR) {
        if (v[0].revents && !copy(0, fd)) {
            shutdown(fd, SHUT_WR);
            v[0].fd = -1;
        }
        if (v[1].revents && !copy(fd, 1))
            return EX_OK;
    }
    return EX_TEMPFAIL;
}

/* ---- main
 * ------------------------------------------------------------------------------------------------------------- */

static int control(const struct options *o, const char *const *words)
{
    char *v[4] = {NULL};
    int n = 0;
    for (; words[n]; n++)
        v[n] = (char *)(uintptr_t)words[n];
    return control_run(o->file, n, v, NULL, 0);
}

static int run(const struct options *o, int argc, char **argv)
{
    int status = EX_OK;
    switch (o->mode) {
    case SENDMAIL_NOTHING: /* aliases are read anew for every message */
        return EX_OK;
    case SENDMAIL_LIST:
        return control(o, (const char *const[]){"queue", "list", NULL});
    case SENDMAIL_FLUSH:
        return control(o, (const char *const[]){"queue", "flush", "--all", NULL});
    case SENDMAIL_SMTP:
    case SENDMAIL_SUBMIT:
        break;
    }
    struct submission s = {.o = o, .conf = cli_conf(o->file, &status)};
    if (!s.conf)
        return status;
    arena_init(&s.arena, 65536, (size_t)256 << 20);
    status = o->mode == SENDMAIL_SMTP ? pass_through(&s) : submit(&s, argc, argv);
    buf_free(&s.text);
    arena_free(&s.arena);
    conf_drop(&s.conf);
    return status;
}

int cli_sendmail(int argc, char **argv)
{
    struct options o = {.file = cli_default_config()};
    str program = str_c(argv[0]);
    if (str_ends(program, S("mailq")))
        o.mode = SENDMAIL_LIST;
    else if (str_ends(program, S("newaliases")))
        o.mode = SENDMAIL_NOTHING;
    cli_name = o.mode == SENDMAIL_LIST ? "mailq" : o.mode == SENDMAIL_NOTHING ? "newaliases" : "sendmail";
    int status = parse(&o, argc, argv);
    return status ? status : run(&o, argc - optind, argv + optind);
}
