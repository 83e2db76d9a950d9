/* The command line: which command, where the configuration is, and help. */
#include "cli/check.h"
#include "cli/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

const char *cli_name = "postrider";

int cli_fail(int status, const char *fmt, ...)
{
    va_list ap;
    fflush(stdout);
    fprintf(stderr, "%s: ", cli_name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return status;
}

int64_t cli_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

err cli_read_all(int fd, struct buf *out)
{
    for (;;) {
        size_t want = out->max - out->n < 65536 ? out->max - out->n : 65536;
        char one, *p = want ? buf_room(out, want) : &one;
        if (!p)
            return out->e;
        ssize_t n = read(fd, p, want ? want : 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? err_from_errno(errno) : OK;
        if (!want)
            return E_LIMIT;
        out->n += (size_t)n;
    }
}

err cli_write_all(int fd, str s)
{
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_from_errno(errno);
        s = str_skip(s, (size_t)n);
    }
    return OK;
}

int cli_connect_unix(str path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!str_to_c(path, to.sun_path, sizeof to.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to)) {
        int e = errno;
        close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

const char *cli_no_file(err e)
{
    return e == E_NOT_FOUND ? "; say which one by -c FILE, or make one: postrider setup"
           : e == E_DENIED  ? "; ask as root, or as the server's user"
                            : "";
}

struct conf *cli_conf(const char *file, int *ret_status)
{
    struct conf_bundle b;
    struct conf *c = NULL;
    err e = conf_bundle_read(&b, file);
    if (!e)
        e = conf_load_loose(&c, &b);
    if (e)
        *ret_status = cli_fail(EX_CONFIG, "cannot read the configuration %s: %s%s", file, err_text(e), cli_no_file(e));
    conf_bundle_free(&b);
    return c;
}

const char *cli_default_config(void)
{
    const char *file = getenv("POSTRIDER_CONF");
    return file && *file ? file : "/etc/postrider/postrider.conf";
}

const char *cli_config_file(int *argc, char **argv)
{
    const char *file = cli_default_config();
    int n = 1;
    for (int i = 1; i < *argc; i++) {
        bool end = str_eq(str_c(argv[i]), S("--"));
        if (str_eq(str_c(argv[i]), S("-c"))) {
            file = argv[++i];
            if (!file)
                return NULL;
        } else {
            argv[n++] = argv[i];
        }
        for (; end && i + 1 < *argc; i++)
            argv[n++] = argv[i + 1];
    }
    argv[n] = NULL;
    *argc = n;
    return file;
}

/* ---- commands ---- */

static int remote(int argc, char **argv)
{
    const char *file = cli_config_file(&argc, argv);
    if (!file)
        return cli_fail(EX_USAGE, "-c: expected the path of a configuration file behind it");
    return control_run(file, argc, argv, NULL, 0);
}

static int queue(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        str word = str_c(argv[i]);
        if (str_eq(word, S("-c")))
            i++;
        else if (str_eq(word, S("export")))
            return cli_export(argc, argv);
        else if (str_eq(word, S("import")))
            return cli_import(argc, argv);
        else if (!str_starts(word, S("-")))
            break;
    }
    return remote(argc, argv);
}

static int version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("postrider " POSTRIDER_VERSION);
    return 0;
}

#define FILTERS                                                                                                        \
    "[--sender T] [--recipient T] [--site T] [--error T]\n"                                                            \
    "                    [--older 2h] [--younger 2h] [--tenant N] [--held[=no]]"
static const struct cli_command own[] = {
    {"config", cli_config_command, "check|print -c FILE, sample",
     "check a configuration file, print what is in force, print a commented sample"},
    {"status", remote, "", "how the server is: queue, connections, disk, slow destinations"},
    {"watch", remote, "[FIELD=VALUE|TEXT]...", "sessions and verdicts as they happen"},
    {"capture", remote, "[FIELD=VALUE|TEXT]...", "the transcript of chosen sessions as they go on, secrets masked"},
    {"why", cli_why, "ID|ADDRESS [--limit N]", "the whole story of a message, or of the newest messages of an address"},
    {"queue list", NULL, FILTERS "\n                    [--limit N] [--ids]",
     "what is not yet delivered, oldest first"},
    {"queue show", NULL, "ID [--head|--message]", "one message: envelope and recipients, header block, or all of it"},
    {"queue flush", NULL, "ID...|FILTERS|--all [--dry-run]", "try again now; likewise:"},
    {"queue hold", NULL, "", "do not try before a release"},
    {"queue release", NULL, "", "end a hold"},
    {"queue remove", NULL, "", "delete without a report"},
    {"queue bounce", NULL, "", "return to the sender"},
    {"queue export", NULL, "FOLDER [FILTERS] [--remove]",
     "copy (or move) messages into files, from a running or a stopped server"},
    {"queue import", NULL, "FOLDER", "put such files into the running server"},
    {"quarantine list", NULL, FILTERS "\n                    [--limit N] [--ids]",
     "messages in quarantine, oldest first, and why"},
    {"quarantine show", NULL, "ID [--parts] [--text] [--head|--message]",
     "one of them: envelope, header, parts, the text decoded, or all of it"},
    {"quarantine release", NULL, "ID...|FILTERS|--all [--to ADDRESS]",
     "deliver it after all, or send it somewhere else"},
    {"quarantine delete", NULL, "ID...|FILTERS|--all", "remove it without a report"},
    {"quarantine learn", NULL, "spam|ham ID...", "hand it to rspamd for learning"},
    {"quarantine", remote, NULL, NULL},
    {"domain", cli_accounts,
     "add|change NAME [--deliver D] [--catch-all A] [--customer C] [--messages R] [--recipients R]",
     "domains besides those of the configuration file; also list, show, enable, disable, delete"},
    {"user", cli_accounts,
     "add|change ADDRESS [--password-stdin] [--name N] [--forward A,B] [--keep]\n"
     "                    [--any-sender] [--customer C] [--messages \"30/min 500/h\"] [--recipients R] [--size N]",
     "accounts: a mailbox and a log-in; also list, show, enable, disable, delete"},
    {"alias", cli_accounts, "add|change FROM TO...",
     "addresses that lead to others; also list, show, enable, disable, delete"},
    {"credential", cli_accounts, "add ADDRESS TITLE [--password-stdin]",
     "a password of its own for an application or device; made and printed unless given; also list, enable, disable, "
     "delete"},
    {"user export", NULL, ">FILE", "the directory as text, likewise domain, alias, credential export; and back:"},
    {"user import", NULL, "FILE", "adds or replaces what the file says, whatever kinds of line are in it"},
    {"spool", cli_spool, "dump", "the records of the spool's files, for people"},
    {"queue", queue, NULL, NULL},
    {"send", cli_send, "-s HOST:PORT -f FROM TO... <MESSAGE", "send a message as any SMTP client would"},
    {"setup", cli_setup, "[--domain NAME] [--hostname NAME] [--user ADDRESS --password-stdin] ...",
     "write a configuration for a domain, with keys, and say what to publish"},
    {"dns", cli_dns, "DOMAIN", "the records to publish for a domain"},
    {"doctor", cli_doctor, "[--json] [--to DOMAIN] [--resolver HOST:PORT] [DOMAIN]",
     "look for what is wrong: configuration, ports, names, certificate, resolver, disk, limits"},
    {"policy test", NULL,
     "[--ip A] [--helo NAME] [--from A] [--to A,...] [--listener TITLE]\n"
     "                    [--account A] [--tls] [--resolver HOST:PORT] <MESSAGE|SESSION",
     "a message, or a session that capture has recorded, through the rules and filters: which said what"},
    {"policy", cli_policy, NULL, NULL},
    {"spf", cli_spf, "--ip A --helo NAME --from ADDRESS [--explanation] [--resolver HOST:PORT] ...",
     "whether SPF lets this client send this mail; --explain shows every step"},
    {"reports", cli_reports, "[list|summary] [--domain D] [--kind K] [--since 7d] [--until T] [--limit N]",
     "what others report about mail of our domains (DMARC, TLS, failures, complaints), and sums per domain and source"},
    {"reports show", NULL, "NUMBER", "one report, all of it; likewise: reports remove"},
    {"reports read", NULL, "[FILE|FOLDER...]", "reports in files or on standard input, without a server"},
    {"dmarc", cli_dmarc, "--ip A --helo NAME --from ADDRESS [--resolver HOST:PORT] ... <MESSAGE",
     "what DMARC finds, from SPF and DKIM together"},
    {"dkim verify", NULL, "[--explain] <MESSAGE", "judge the DKIM signatures of a message: a line for each"},
    {"dkim sign", NULL, "--domain NAME --selector NAME --key FILE <MESSAGE", "the message with a new signature"},
    {"dkim key", NULL, "--domain NAME --selector NAME --key FILE", "make a key, print the DNS record for it"},
    {"dkim status", NULL, "[DOMAIN]", "keys for mail that the server makes itself: which sign, wait for DNS, may go"},
    {"dkim rotate", NULL, "DOMAIN", "make the next key now; it signs as soon as its record is seen in DNS"},
    {"dkim use", NULL, "NAME", "use a key that waits without looking for its record"},
    {"dkim", cli_dkim, NULL, NULL},
    {"arc verify", NULL, "[--explain] <MESSAGE", "judge the ARC chain of a message"},
    {"arc seal", NULL, "--domain NAME --selector NAME --key FILE --authserv NAME <MESSAGE",
     "the message with a new ARC set"},
    {"arc", cli_arc, NULL, NULL},
    {"auth", cli_auth, "--ip A --helo NAME --from ADDRESS [--hostname NAME] ... <MESSAGE",
     "the Authentication-Results field that would be written"},
    {"lua test", NULL, "FILE [--ip A] [--helo NAME] [--from ADDRESS] [--to A,B] [--json] ... <MESSAGE",
     "runs the hooks of a script for a session and a message, and says what they did"},
    {"lua", cli_lua, NULL, NULL},
    {"version", version, "", "print the version"},
};

static void help_one(FILE *to, const struct cli_command *c)
{
    if (c->usage)
        fprintf(to, "  %s%s%s\n        %s\n", c->name, c->usage[0] ? " " : "", c->usage, c->text);
}

/* Those of a command, or of one that has it as its first word ("queue" and "queue list"). */
static bool help_about(FILE *to, const struct cli_command *v, size_t n, str first, str second)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        str rest = str_c(v[i].name), word;
        str_cut(&rest, ' ', &word);
        if (!v[i].usage || !str_eq(word, first) || (second.n && !str_eq(rest, second)))
            continue;
        help_one(to, &v[i]);
        any = true;
    }
    return any;
}

/* "queue list", or all of "queue" when there is no such part of it. */
static bool help_words(FILE *to, const struct cli_command *more, size_t nmore, str first, str second)
{
    bool any = false;
    for (int i = 0; i < 2 && !any; i++, second = S("")) {
        any = help_about(to, more, nmore, first, second);
        any = help_about(to, own, sizeof own / sizeof *own, first, second) || any;
    }
    return any;
}

static int help(FILE *to, const struct cli_command *more, size_t nmore)
{
    fputs("usage: postrider COMMAND [-c FILE] [--json] ...\n"
          "-c FILE: the configuration file, default $POSTRIDER_CONF or /etc/postrider/postrider.conf\n\n",
          to);
    for (size_t i = 0; i < nmore; i++)
        help_one(to, &more[i]);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        help_one(to, &own[i]);
    fputs("  sendmail, mailq, newaliases\n        the same program by another name: see sendmail(1)\n", to);
    return fflush(to) ? EX_IOERR : EX_OK;
}

static const struct cli_command *find(const struct cli_command *v, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].run && str_eq(str_c(v[i].name), str_c(name)))
            return &v[i];
    return NULL;
}

/* The command that was perhaps meant; "" none. */
static str near(const char *word, const struct cli_command *more, size_t nmore)
{
    AUTO_BUF names;
    buf_init(&names, 65536);
    for (size_t i = 0; i < nmore + sizeof own / sizeof *own; i++) {
        const struct cli_command *c = i < nmore ? &more[i] : &own[i - nmore];
        if (c->run)
            buf_printf(&names, "%s|", c->name);
    }
    buf_add_char(&names, 0);
    str best = names.e ? S("") : conf_nearest(names.p, str_c(word));
    const struct cli_command *c = NULL;
    char name[64];
    if (best.n && str_to_c(best, name, sizeof name))
        c = find(more, nmore, name) ? find(more, nmore, name) : find(own, sizeof own / sizeof *own, name);
    return c ? str_c(c->name) : S("");
}

static bool is_help(str s) { return str_eq(s, S("help")) || str_eq(s, S("--help")) || str_eq(s, S("-h")); }

/* "--help" among the words of a command, or "-h" as its first. */
static bool asks(int argc, char **argv)
{
    if (argc > 2 && str_eq(str_c(argv[2]), S("-h")))
        return true;
    for (int i = 2; i < argc && !str_eq(str_c(argv[i]), S("--")); i++)
        if (str_eq(str_c(argv[i]), S("--help")))
            return true;
    return false;
}

int cli_main(int argc, char **argv, const struct cli_command *more, size_t nmore)
{
    signal(SIGPIPE, SIG_IGN); /* a server that hangs up is an error to report, not an end */
    str program = str_c(argc > 0 ? argv[0] : "postrider");
    size_t slash = str_rfind(program, '/');
    if (slash != STR_NONE)
        program = str_skip(program, slash + 1);
    if (str_eq(program, S("sendmail")) || str_eq(program, S("mailq")) || str_eq(program, S("newaliases")))
        return cli_sendmail(argc, argv);
    if (argc > 3 && str_eq(str_c(argv[1]), S("-c"))) { /* postrider -c FILE COMMAND */
        char *command = argv[3];
        argv[3] = argv[2];
        argv[2] = argv[1];
        argv[1] = command;
    }
    if (argc > 2 && is_help(str_c(argv[1])) &&
        help_words(stdout, more, nmore, str_c(argv[2]), argc > 3 ? str_c(argv[3]) : S("")))
        return fflush(stdout) ? EX_IOERR : EX_OK;
    if (argc > 1 && is_help(str_c(argv[1])))
        return help(stdout, more, nmore);
    if (argc > 1 && str_eq(str_c(argv[1]), S("--version")))
        return version(0, NULL);
    if (argc > 1 && str_eq(str_c(argv[1]), S("sendmail")))
        return cli_sendmail(argc - 1, argv + 1);
    const struct cli_command *c = argc > 1 ? find(more, nmore, argv[1]) : NULL;
    if (!c && argc > 1)
        c = find(own, sizeof own / sizeof *own, argv[1]);
    if (c && asks(argc, argv) && help_words(stdout, more, nmore, str_c(c->name), str_c(argv[2])))
        return fflush(stdout) ? EX_IOERR : EX_OK;
    if (c && argc == 2 && (!c->usage || c->run == cli_accounts) &&
        help_words(stderr, more, nmore, str_c(c->name), S("")))
        return EX_USAGE; /* which of its parts? */
    if (c)
        return c->run(argc - 1, argv + 1);
    str meant = argc > 1 ? near(argv[1], more, nmore) : S("");
    if (meant.n)
        return cli_fail(EX_USAGE, "there is no command \"%s\"; did you mean " STR_FMT "?", argv[1], STR_ARG(meant));
    if (argc > 1)
        return cli_fail(EX_USAGE, "there is no command \"%s\"; see postrider help", argv[1]);
    help(stderr, more, nmore);
    return EX_USAGE;
}
