/* One loop with a resolver, in which a check runs as it does in the server. */
#include "cli/check.h"

#include <stdio.h>

enum {
    MESSAGE_MAX = 256 << 20,
    RESULTS_MAX = 64 << 20,
    EXPLAIN_MAX = 1 << 20,
    FILE_MAX = 1 << 20,
};
#define QUESTION_TIME (3 * RT_S) /* for one name that does not answer */
#define ALL_TIME (60 * RT_S)
#define DRAIN RT_S

struct job {
    const struct check_command *command;
    struct check_run run;
    struct dns_config dns;
    int status;
};

static struct {
    const char *resolver, *validate, *time, *explain, *ip, *helo, *from, *us;
} given;

static const struct cli_option common[] = {
    {"resolver", false, &given.resolver}, {"validate", true, &given.validate}, {"time", false, &given.time},
    {"explain", true, &given.explain},    {"hostname", false, &given.us},
};
static const struct cli_option client[] = {
    {"ip", false, &given.ip}, {"helo", false, &given.helo}, {"from", false, &given.from}};

static int usage(const struct check_command *c)
{
    return cli_fail(EX_USAGE,
                    "usage: postrider %s %s%s[--resolver HOST:PORT] [--validate]\n"
                    "           [--time UNIX] [--hostname NAME] [--explain]%s",
                    c->name, c->needs & NEEDS_CLIENT ? "--ip ADDRESS --helo NAME --from ADDRESS " : "", c->usage,
                    c->needs & NEEDS_MESSAGE ? " <MESSAGE" : "");
}

/* False: an option that is none, or without its value. */
static bool read_options(const struct check_command *c, int argc, char **argv)
{
    const struct cli_options tables[] = {CLI_OPTIONS(common), c->options, CLI_OPTIONS(client)};
    return cli_options(tables, c->needs & NEEDS_CLIENT ? 3 : 2, argc, argv) &&
           (!(c->needs & NEEDS_CLIENT) || (given.ip && given.helo && given.from));
}

static str strip_brackets(str s)
{
    return s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>' ? str_sub(s, 1, s.n - 1) : s;
}

static int read_values(struct job *j, struct sockaddr_storage *resolver)
{
    struct check *k = &j->run.check;
    struct ip_port at;
    uint64_t t;
    k->now_s = (int64_t)time(NULL);
    if (j->command->dns)
        j->dns = *j->command->dns;
    if (given.resolver) {
        if (!ip_port_parse(str_c(given.resolver), 53, &at))
            return cli_fail(EX_USAGE, "--resolver: expected an IP address with a port, found \"%s\"", given.resolver);
        ip_to_sockaddr(&at, resolver);
        j->dns.servers = resolver;
        j->dns.nservers = 1;
        j->dns.validate = false;
    }
    if (given.time) {
        if (!text_u64(str_c(given.time), &t) || t > INT64_MAX)
            return cli_fail(EX_USAGE, "--time: expected seconds since 1970, found \"%s\"", given.time);
        k->now_s = (int64_t)t;
    }
    if (given.ip && !ip_parse(str_c(given.ip), &k->ip))
        return cli_fail(EX_USAGE, "--ip: expected an IP address, found \"%s\"", given.ip);
    k->helo = given.helo ? str_c(given.helo) : (str){0};
    k->from = given.from ? strip_brackets(str_c(given.from)) : (str){0};
    k->us = given.us ? str_c(given.us) : (str){0};
    j->dns.validate |= given.validate != NULL;
    j->dns.timeout = QUESTION_TIME;
    return 0;
}

static void read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return;
    (void)cli_read_all(fileno(f), out);
    fclose(f);
}

/* Runs as the first fiber of the loop. */
static void begin(void *arg, int index)
{
    struct job *j = arg;
    (void)index;
    err e = dns_setup(&j->dns);
    if (e) {
        j->status = cli_fail(EX_UNAVAILABLE, "the resolver cannot be started: %s", err_text(e));
    } else {
        j->run.check.deadline = rt_after(ALL_TIME);
        j->status = j->command->run(&j->run);
        dns_end();
    }
    rt_stop();
}

static int run_job(struct job *j)
{
    AUTO_BUF resolv, hosts;
    buf_init(&resolv, FILE_MAX);
    buf_init(&hosts, FILE_MAX);
    if (!j->dns.nservers) { /* with a resolver every name is asked there */
        read_file("/etc/resolv.conf", &resolv);
        read_file("/etc/hosts", &hosts);
    }
    j->dns.resolv_conf = buf_str(&resolv);
    j->dns.hosts = buf_str(&hosts);
    rt_log_setup(LOG_ERROR, false, 2);
    struct rt_start s = {.nloops = 1, .npool = 1, .init = begin, .arg = j, .drain = DRAIN};
    err e = rt_run(&s);
    return e && e != E_TIMEOUT ? cli_fail(EX_OSERR, "cannot start: %s", err_text(e)) : j->status;
}

static int print(struct job *j, int status)
{
    struct buf *out = &j->run.out, *explain = j->run.check.explain;
    if (status == 0 && out->e)
        status = cli_fail(EX_OSERR, "the answer is too long: %s", err_text(out->e));
    else if (cli_write_all(1, buf_str(out)) && status == 0)
        status = EX_IOERR;
    if (explain)
        (void)cli_write_all(2, buf_str(explain));
    return status;
}

/* With a line end of its own alone in it the message is a local text; else it stays as it is, octet by octet. */
static bool is_wire(str s)
{
    for (size_t at = 0, lf; (lf = str_find(str_skip(s, at), '\n')) != STR_NONE; at += lf + 1)
        if (at + lf == 0 || s.p[at + lf - 1] != '\r')
            return false;
    return true;
}

static err read_message(struct buf *raw, struct buf *text, struct check_run *r)
{
    err e = cli_read_all(0, raw);
    r->raw = r->message = buf_str(raw);
    if (e || is_wire(r->raw))
        return e;
    mail_text(text, r->raw, false);
    r->message = buf_str(text);
    return text->e;
}

void check_run_prepend(struct check_run *r, str field)
{
    size_t lf = str_find(r->raw, '\n');
    bool bare = lf != STR_NONE && (lf == 0 || r->raw.p[lf - 1] != '\r');
    for (size_t i = 0; i < field.n; i++)
        if (!bare || field.p[i] != '\r')
            buf_add_char(&r->out, field.p[i]);
    buf_add(&r->out, r->raw);
}

int cli_check(const struct check_command *c, int argc, char **argv)
{
    struct sockaddr_storage resolver = {0};
    struct job j = {.command = c};
    AUTO_BUF raw = {.max = MESSAGE_MAX}, text = {.max = (size_t)2 * MESSAGE_MAX}, explain = {.max = EXPLAIN_MAX};
    AUTO_ARENA mem = {0};
    if (!read_options(c, argc, argv))
        return usage(c);
    int status = read_values(&j, &resolver);
    if (status)
        return status;
    arena_init(&mem, 65536, RESULTS_MAX);
    buf_init(&j.run.out, (size_t)2 * MESSAGE_MAX);
    j.run.check.mem = &mem;
    j.run.check.source = &check_source_net;
    j.run.check.explain = given.explain ? &explain : NULL;
    err e = c->needs & NEEDS_MESSAGE ? read_message(&raw, &text, &j.run) : OK;
    status = e ? cli_fail(EX_IOERR, "the message cannot be read: %s", err_text(e)) : print(&j, run_job(&j));
    buf_free(&j.run.out);
    return status;
}
