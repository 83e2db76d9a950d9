/* `postrider doctor`: what can be checked from here, and what to do about each finding. */
#include "cli/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TEXT_MAX = 2000 };

static struct {
    const char *json, *to;
    const char *file, *domain;
    const struct conf *conf;
} wanted;

static const char *const levels[] = {"ok", "warning", "error"};

void doctor_say(struct doctor *d, enum finding_level level, str subject, const char *fmt, ...)
{
    char text[TEXT_MAX];
    if (d->n == FINDINGS_MAX)
        return;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    str all = arena_str(d->check->mem, str_mem(text, n < TEXT_MAX ? (size_t)n : TEXT_MAX - 1)), head;
    str_cut(&all, '\t', &head);
    d->v[d->n++] = (struct finding){level, arena_str(d->check->mem, subject), head, all};
}

/* Parts of it come from elsewhere: nothing that a terminal would obey. */
static void plain(struct buf *out, str s)
{
    for (size_t i = 0; i < s.n; i++)
        buf_add_char(out, s.p[i] >= ' ' && s.p[i] <= '~' ? s.p[i] : '?');
    buf_add_char(out, '\n');
}

static void lines(struct buf *out, const struct doctor *d)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct finding *f = &d->v[i];
        buf_printf(out, "%-8s " STR_FMT ": ", levels[f->level], STR_ARG(f->subject));
        plain(out, f->text);
        if (f->advice.n) {
            buf_add_c(out, "         -> ");
            plain(out, f->advice);
        }
    }
}

static void as_json(struct buf *out, const struct doctor *d)
{
    buf_add_c(out, "{\"findings\":[");
    for (size_t i = 0; i < d->n; i++) {
        const struct finding *f = &d->v[i];
        const struct {
            const char *name;
            str value;
        } members[] = {
            {"level", str_c(levels[f->level])}, {"subject", f->subject}, {"text", f->text}, {"advice", f->advice}};
        buf_add_c(out, i ? ",{" : "{");
        for (size_t k = 0; k < sizeof members / sizeof *members; k++) {
            buf_printf(out, "%s\"%s\":", k ? "," : "", members[k].name);
            text_json(out, members[k].value);
        }
        buf_add_char(out, '}');
    }
    buf_add_c(out, "]}\n");
}

static bool server_runs(const struct conf *c)
{
    AUTO_BUF path;
    buf_init(&path, 1024);
    if (c->control_socket.n) {
        buf_add(&path, c->control_socket);
    } else {
        buf_add(&path, c->data_dir);
        buf_add_c(&path, "/control");
    }
    int fd = cli_connect_unix(buf_str(&path));
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void this_machine(struct doctor *d)
{
    doctor_say(d, d->running ? FINDING_OK : FINDING_WARNING, S("server"), "%s",
               d->running ? "it runs" : "it does not run\tstart it: systemctl start postrider, or postrider serve");
    doctor_folder(d);
    doctor_limits(d);
    doctor_clock(d);
    doctor_certificate(d);
    doctor_ports(d);
}

static void names(struct doctor *d) YIELDS;
static void names(struct doctor *d)
{
    doctor_hostname(d);
    for (size_t i = 0; !wanted.domain && i < d->conf->ndomains; i++)
        doctor_domain(d, d->conf->domains[i].title);
    if (wanted.domain)
        doctor_domain(d, str_c(wanted.domain));
    if (wanted.to)
        doctor_outgoing(d, str_c(wanted.to));
}

static int run(struct check_run *r)
{
    struct doctor *d = calloc(1, sizeof *d);
    if (!d)
        return cli_fail(EX_OSERR, "out of memory");
    *d = (struct doctor){.conf = wanted.conf, .check = &r->check, .running = server_runs(wanted.conf)};
    if (!wanted.domain)
        this_machine(d);
    if (doctor_resolver(d))
        names(d);
    if (wanted.json)
        as_json(&r->out, d);
    else
        lines(&r->out, d);
    int status = 0;
    for (size_t i = 0; i < d->n; i++)
        status |= d->v[i].level == FINDING_ERROR;
    free(d);
    return status;
}

/* Takes the one word that is no option out of argv. False: there are more. */
static bool take_domain(int *argc, char **argv)
{
    int n = 1;
    for (int i = 1; i < *argc; i++) {
        bool value = i > 1 && (str_eq(str_c(argv[i - 1]), S("--to")) || str_eq(str_c(argv[i - 1]), S("--resolver")));
        if (argv[i][0] == '-' || value)
            argv[n++] = argv[i];
        else if (wanted.domain)
            return false;
        else
            wanted.domain = argv[i];
    }
    *argc = n;
    return true;
}

int cli_doctor(int argc, char **argv)
{
    static const struct cli_option options[] = {{"json", true, &wanted.json}, {"to", false, &wanted.to}};
    wanted.file = cli_config_file(&argc, argv);
    if (!wanted.file || !take_domain(&argc, argv))
        return cli_fail(EX_USAGE,
                        "usage: postrider doctor [-c FILE] [--json] [--to DOMAIN] [--resolver HOST:PORT] [DOMAIN]");
    struct conf *c = cli_load_config(wanted.file);
    if (!c)
        return EX_CONFIG;
    wanted.conf = c;
    bool validate = c->dns_validate == CONF_TRUE || (c->dns_validate == CONF_AUTO && !c->dns_servers.n);
    const struct dns_config dns = {.servers = c->dns_servers.v, .nservers = c->dns_servers.n, .validate = validate};
    const struct check_command command = {"doctor", "[-c FILE] [--json] [--to DOMAIN] [DOMAIN] ", 0, {options, 2}, run,
                                          &dns};
    int status = cli_check(&command, argc, argv);
    conf_drop(&c);
    return status;
}
