/*
 * Rules between keys, beginning with those of the top level and the groups. Every rule reports and goes on. Keys
 * whose default is another key's value get it here.
 */
#include "conf/internal.h"
#include "base/text.h"
#include "wire/addr.h"

#include <sys/un.h>

void check_name(struct load *l, int line, const char *key, bool literal, str def, str *s)
{
    if (s->n == 0) {
        *s = def;
        return;
    }
    if (literal && literal_kind(*s) != ADDR_NONE)
        return;
    if (!domain_of(l, *s, s))
        fail(&l->e, line, "%s: expected a domain name%s, found %s", key, literal ? " or an address in brackets" : "",
             shown(&l->e, *s));
}

static void check_hostname(struct load *l)
{
    struct conf *c = l->c;
    bool given = c->hostname.n > 0;
    if (!given) {
        c->hostname = arena_str(&l->c->arena, l->b->system_name);
        if (!domain_of(l, c->hostname, &c->hostname))
            fail(&l->e, 0, "hostname: expected this key, because the system's name %s is no domain name",
                 shown(&l->e, c->hostname));
    } else {
        check_name(l, LINE(l, hostname), "hostname", false, S(""), &c->hostname);
    }
    if (str_find(c->hostname, '.') == STR_NONE)
        warn(&l->e, LINE(l, hostname),
             "hostname: %s%s is not a full domain name; other servers may refuse mail from it",
             given ? "" : "the system's name ", shown(&l->e, c->hostname));
}

static void check_address(struct load *l, int line, const char *key, str *s)
{
    const char *why;
    str text = *s;
    if (text.n && !address_of(l, text, s, NULL, NULL, &why))
        fail(&l->e, line, "%s: expected an address, found %s: %s", key, shown(&l->e, text), why);
}

static bool in_domains(const struct conf *c, str domain) /* the index is made later */
{
    for (size_t i = 0; i < c->ndomains; i++)
        if (str_ieq(c->domains[i].title, domain))
            return true;
    return false;
}

/* Mail for them must come here at all: their domains are ours. A few, each looked at for every recipient. */
static void check_reports(struct load *l)
{
    enum { RECEIVED_MAX = 100 };
    struct conf *c = l->c;
    int line = LINE(l, report_received);
    check_address(l, LINE(l, report_from), "report: from", &c->report_from);
    for (size_t i = 0; i < c->report_received.n; i++) {
        str *s = &c->report_received.v[i];
        check_address(l, line, "report: received", s);
        size_t at = str_rfind(*s, '@');
        if (at != STR_NONE && !in_domains(c, str_skip(*s, at + 1)))
            warn(&l->e, line,
                 "report: received: %s is in no section domain; unless it is one of \"postrider domain "
                 "add\", its mail does not come here",
                 shown(&l->e, *s));
    }
    if (c->report_received.n > RECEIVED_MAX)
        fail(&l->e, line, "report: received: expected at most %d addresses, found %zu", RECEIVED_MAX,
             c->report_received.n);
}

static void check_map(struct load *l)
{
    for (size_t i = 0; i < l->c->local_address_map.n; i++) {
        str entry = l->c->local_address_map.v[i], from, to;
        const char *why = "no \"=\" in it";
        size_t at = str_find(entry, '=');
        if (at == STR_NONE || !address_of(l, str_trim(str_sub(entry, 0, at)), &from, NULL, NULL, &why) ||
            !address_of(l, str_trim(str_skip(entry, at + 1)), &to, NULL, NULL, &why))
            fail(&l->e, LINE(l, local_address_map),
                 "local: address-map: expected \"local@name=outside@domain\", found %s: %s", shown(&l->e, entry), why);
    }
}

static void check_subaddress(struct load *l)
{
    str s = l->c->subaddress;
    bool ok = true;
    for (size_t i = 0; i < s.n; i++)
        ok &= (unsigned char)s.p[i] > ' ' && (unsigned char)s.p[i] < 127 && !ascii_alnum(s.p[i]) &&
              !memchr("@.\"\\<>()[],;:/", s.p[i], 14);
    if (!ok)
        fail(&l->e, LINE(l, subaddress), "subaddress: expected characters such as \"+\" or \"+-\", found %s",
             shown(&l->e, s));
}

static void check_socket(struct load *l, int line, const char *key, const char *name, str *path)
{
    if (path->n == 0)
        *path = path_join(&l->c->arena, l->c->data_dir, str_c(name));
    size_t most = sizeof((struct sockaddr_un *)0)->sun_path - 1;
    if (path->n > most)
        fail(&l->e, line, "%s: expected a path of at most %zu octets for a socket, found %zu in %s", key, most, path->n,
             shown(&l->e, *path));
}

static void check_pair(struct load *l, int line, const char *where, str certificate, str key)
{
    if (certificate.n && !key.n)
        fail(&l->e, line, "%sexpected the key \"key\" with the key \"certificate\", found none", where);
    if (key.n && !certificate.n)
        fail(&l->e, line, "%sexpected the key \"certificate\" with the key \"key\", found none", where);
}

static void check_sources(struct load *l, int line, const char *where, const struct conf_list *v)
{
    int n4 = 0, n6 = 0;
    for (size_t i = 0; i < v->n; i++) {
        struct ip ip;
        if (!ip_parse(v->v[i], &ip))
            fail(&l->e, line, "%ssource: expected an IP address, found %s", where, shown(&l->e, v->v[i]));
        else if ((ip.v == 4 ? ++n4 : ++n6) > 1)
            fail(&l->e, line, "%ssource: expected at most one IPv4 and one IPv6 address, found a second one, %s", where,
                 shown(&l->e, v->v[i]));
    }
}

static bool all_loopback(const struct conf_addrs *a)
{
    for (size_t i = 0; i < a->n; i++) {
        struct ip_port at;
        if (!ip_from_sockaddr((const struct sockaddr *)&a->v[i], sizeof a->v[i], &at) ||
            ip_class(&at.ip) != IP_LOOPBACK)
            return false;
    }
    return a->n > 0;
}

static void resolve_auto(struct conf *c)
{
    c->private_targets_now =
        c->private_targets == CONF_TRUE || (c->private_targets == CONF_AUTO && all_loopback(&c->dns_servers));
    c->dns_validate_now = c->dns_validate == CONF_TRUE || (c->dns_validate == CONF_AUTO && c->dns_servers.n == 0);
}

static void check_limits(struct load *l)
{
    struct conf *c = l->c;
    if (c->limits_header_size > c->limits_message_size)
        fail(&l->e, LINE(l, limits_header_size),
             "limits.header-size: expected at most limits.message-size, found more");
    if (c->limits_message_time < c->limits_data_time)
        warn(&l->e, LINE(l, limits_message_time),
             "limits.message-time is below limits.data-time, which is then never reached");
    if (c->queue_delays.n == 0)
        fail(&l->e, LINE(l, queue_delays), "queue.delays: expected at least one time, found an empty list");
    if (c->queue_delay_notice >= c->queue_lifetime)
        warn(&l->e, LINE(l, queue_delay_notice),
             "queue.delay-notice is not below queue.lifetime: no notice will be sent");
    if (c->queue_connections > c->queue_connections_all)
        warn(&l->e, LINE(l, queue_connections),
             "queue.connections is above queue.connections-all, which is reached first");
}

static void default_postmaster(struct load *l)
{
    struct conf *c = l->c;
    check_address(l, LINE(l, postmaster), "postmaster", &c->postmaster);
    for (size_t i = 0; i < c->ndomains && c->postmaster.n == 0; i++)
        if (c->domains[i].hop.how == CONF_TO_MAILDIR)
            c->postmaster = arena_printf(&c->arena, "postmaster@" STR_FMT, STR_ARG(c->domains[i].title));
}

/* Passwords are the first line of their file; what a route needs of its files is put into its struct. */
/* p NULL also for a secret that is not in this copy of the bundle. */
static str file_text(struct load *l, str path)
{
    for (size_t i = 1; i < l->b->n && path.n; i++)
        if (str_eq(l->b->v[i].path, path) && l->b->v[i].e == OK)
            return l->b->v[i].text;
    return (str){NULL, 0};
}

static void texts_of_oauths(struct load *l)
{
    for (size_t i = 0; i < l->c->noauths; i++) {
        struct conf_oauth *o = &l->c->oauths[i];
        str rest = file_text(l, o->secret_file), line = {"", 0};
        bool here = rest.p;
        str_cut(&rest, '\n', &line);
        o->secret = arena_str(&l->c->arena, str_trim(line));
        o->secret_name = arena_printf(&l->c->arena, "oauth " STR_FMT, STR_ARG(o->title));
        o->ca_pem = arena_str(&l->c->arena, file_text(l, o->ca_file));
        if (here && !o->secret.n)
            fail(&l->e, o->line,
                 "oauth " STR_FMT ": secret-file: expected a secret in the first line of %s, found none",
                 STR_ARG(o->title), shown(&l->e, o->secret_file));
    }
}

static void texts_of_files(struct load *l)
{
    texts_of_oauths(l);
    l->c->ca_pem = arena_str(&l->c->arena, file_text(l, l->c->send_ca_file));
    l->c->anchor = arena_str(&l->c->arena, file_text(l, l->c->dns_trust_anchor));
    for (size_t i = 0; i < l->c->nsources; i++) {
        str rest = file_text(l, l->c->sources[i].password_file), line = {"", 0};
        str_cut(&rest, '\n', &line);
        l->c->sources[i].password = arena_str(&l->c->arena, str_trim(line));
    }
    for (size_t i = 0; i < l->c->nroutes; i++) {
        struct conf_route *r = &l->c->routes[i];
        str rest = file_text(l, r->password_file), line = {0};
        if (rest.p) {
            str_cut(&rest, '\n', &line);
            r->password = arena_str(&l->c->arena, str_trim(line));
            if (r->password.n == 0)
                fail(&l->e, r->line,
                     "route " STR_FMT ": password-file: expected a password in the first line of %s, found none",
                     STR_ARG(r->title), shown(&l->e, r->password_file));
        }
        r->ca_pem = arena_str(&l->c->arena, file_text(l, r->ca_file));
        char where[300] = "";
        struct buf b;
        buf_init_fixed(&b, where, sizeof where - 1);
        buf_printf(&b, "route " STR_FMT ": ", STR_ARG(r->title));
        check_sources(l, r->line, where, &r->source);
    }
}

/* A file without any would let the worker die at each start; whether it is sound, the server finds out. */
static void check_pem(struct load *l, int line, const char *where, str path)
{
    str text = file_text(l, path);
    if (path.n && text.p && str_search(text, S("-----BEGIN ")) == STR_NONE)
        fail(&l->e, line, "%scertificate: expected a certificate in PEM in %s, found none", where, shown(&l->e, path));
}

void check(struct load *l)
{
    struct conf *c = l->c;
    check_hostname(l);
    check_name(l, LINE(l, origin), "origin", false, c->hostname, &c->origin);
    check_name(l, LINE(l, check_authserv_id), "check.authserv-id", false, c->hostname, &c->check_authserv_id);
    check_name(l, LINE(l, send_helo), "send.helo", true, c->hostname, &c->send_helo);
    check_name(l, LINE(l, srs_domain), "srs-domain", false, S(""), &c->srs_domain);
    if (c->data_dir.n == 0)
        fail(&l->e, LINE(l, data_dir), "data-dir: expected a path, found \"\"");
    if (LINE(l, data_dir) == 0)
        c->data_dir = path_join(&c->arena, l->b->dir, c->data_dir);
    check_socket(l, LINE(l, control_socket), "control-socket", "control", &c->control_socket);
    check_socket(l, LINE(l, local_socket), "local.socket", "submit", &c->local_socket);
    check_pair(l, LINE(l, tls_certificate) + LINE(l, tls_key), "tls: ", c->tls_certificate, c->tls_key);
    check_pem(l, LINE(l, tls_certificate), "tls: ", c->tls_certificate);
    check_acme(l);
    check_sts(l);
    check_scan(l);
    check_sources(l, LINE(l, send_source), "send.", &c->send_source);
    check_subaddress(l);
    check_map(l);
    check_limits(l);
    resolve_auto(c);
    check_relay(l);
    check_submission(l);
    for (size_t i = 0; i < c->nlisteners; i++) {
        char where[64] = "";
        struct buf b;
        buf_init_fixed(&b, where, sizeof where - 1);
        buf_printf(&b, "listener " STR_FMT ": ", STR_ARG(str_sub(c->listeners[i].title, 0, 32)));
        check_pair(l, c->listeners[i].line, where, c->listeners[i].certificate, c->listeners[i].key);
        check_pem(l, c->listeners[i].line, where, c->listeners[i].certificate);
    }
    check_listeners(l);
    check_domains(l);
    default_postmaster(l);
    check_reports(l);
    check_aliases(l);
    check_proxies(l);
    check_routes(l);
    texts_of_files(l);
    check_accounts(l);
    check_oauths(l);
    check_dkims(l);
    check_milters(l);
    check_rules(l);
}
