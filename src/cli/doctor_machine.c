/* What `postrider doctor` looks at on this machine: folders, disk, limits, clock, certificates, ports. */
#include "cli/doctor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/timex.h>

#define SOON_DAYS 14

/* ---- folder, disk, user ------------------------------------------------------------------------------------- */

static void disk(struct doctor *d, const char *path)
{
    struct statvfs v;
    if (statvfs(path, &v))
        return;
    uint64_t free = (uint64_t)v.f_bavail * v.f_frsize, reserve = (uint64_t)d->conf->spool_reserve;
    long long mb = (long long)(free >> 20), reserve_mb = (long long)(reserve >> 20);
    if (free < reserve)
        doctor_say(d, FINDING_ERROR, S("disk"),
                   "%lld MB are free at %s, less than spool.reserve (%lld MB): new mail is refused with 452"
                   "\tmake room, or put data-dir on a larger disk",
                   mb, path, reserve_mb);
    else if (free < 4 * reserve)
        doctor_say(d, FINDING_WARNING, S("disk"),
                   "%lld MB are free at %s; below %lld MB new mail will be refused\tmake room", mb, path, reserve_mb);
    else
        doctor_say(d, FINDING_OK, S("disk"), "%lld MB are free at %s", mb, path);
    if (v.f_files && v.f_favail < 10000)
        doctor_say(d, FINDING_WARNING, S("disk"),
                   "only %lld more files can be made at %s\tmailboxes need one each message", (long long)v.f_favail,
                   path);
}

void doctor_folder(struct doctor *d)
{
    char path[1024], name[256] = "postrider";
    struct stat st;
    if (!str_to_c(d->conf->data_dir, path, sizeof path))
        return;
    if (geteuid() == 0) {
        bool named = d->conf->user.n && str_to_c(d->conf->user, name, sizeof name);
        const struct passwd *w = getpwnam(name);
        if (!w)
            doctor_say(d, named ? FINDING_ERROR : FINDING_WARNING, S("user"),
                       "there is no user \"%s\"%s\tadduser --system --group %s", name,
                       named ? "" : ": the server runs as nobody", name);
    }
    if (stat(path, &st)) {
        doctor_say(d, errno == ENOENT ? FINDING_WARNING : FINDING_ERROR, S("data-dir"), "%s: %s\t%s", path,
                   strerror(errno), errno == ENOENT ? "the first start makes it" : "make it reachable");
        return;
    }
    if (!S_ISDIR(st.st_mode) || access(path, R_OK | W_OK | X_OK))
        doctor_say(d, FINDING_ERROR, S("data-dir"), "%s cannot be written by this user\tchown it, or run as root",
                   path);
    disk(d, path);
}

/* ---- limits of the system -------------------------------------------------------------------------------------- */

static long long read_number(const char *path)
{
    long long n = -1;
    FILE *f = fopen(path, "re");
    if (f && fscanf(f, "%lld", &n) != 1)
        n = -1;
    if (f)
        fclose(f);
    return n;
}

void doctor_limits(struct doctor *d)
{
    struct rlimit l = {0};
    long long want = d->conf->limits_connections + d->conf->queue_connections_all, maps, backlog;
    size_t before = d->n;
    getrlimit(RLIMIT_NOFILE, &l);
    if (l.rlim_max != RLIM_INFINITY && (long long)l.rlim_max < want + 1000)
        doctor_say(
            d, FINDING_WARNING, S("limits"),
            "%lld open files are allowed, %lld connections are configured\traise LimitNOFILE in the unit (ulimit -Hn "
            "here), or lower limits.connections",
            (long long)l.rlim_max, want);
    maps = read_number("/proc/sys/vm/max_map_count");
    if (maps > 0 && maps < 2 * want + 1000)
        doctor_say(d, FINDING_WARNING, S("limits"),
                   "vm.max_map_count is %lld: enough for %lld sessions\tsysctl -w "
                   "vm.max_map_count=%lld",
                   maps, maps / 2, 2 * want + 10000);
    backlog = read_number("/proc/sys/net/core/somaxconn");
    if (backlog > 0 && backlog < 1024)
        doctor_say(d, FINDING_WARNING, S("limits"),
                   "net.core.somaxconn is %lld: a burst of clients may be refused\tsysctl -w net.core.somaxconn=4096",
                   backlog);
    if (d->n == before)
        doctor_say(d, FINDING_OK, S("limits"), "open files, mappings and backlog suffice for %lld connections", want);
}

void doctor_clock(struct doctor *d)
{
    struct timex t = {0};
    int state = adjtimex(&t);
    if (state == TIME_ERROR || t.status & STA_UNSYNC)
        doctor_say(
            d, FINDING_WARNING, S("clock"),
            "the system does not keep it in step with a time server\tsignatures, certificates and retry times need "
            "the right time: apt-get install systemd-timesyncd, or chrony");
    else
        doctor_say(d, FINDING_OK, S("clock"), "it follows a time server");
}

/* ---- certificates -------------------------------------------------------------------------------------------- */

static void expiry(struct doctor *d, str subject, const char *path, X509 *x)
{
    int days = 0, seconds = 0;
    ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x));
    if (days < 0 || seconds < 0)
        doctor_say(d, FINDING_ERROR, subject, "%s has expired\trenew it, then systemctl reload postrider", path);
    else if (days < SOON_DAYS)
        doctor_say(d, FINDING_WARNING, subject, "%s expires in %d days\trenew it", path, days);
    else
        doctor_say(d, FINDING_OK, subject, "%s is valid for %d more days", path, days);
    if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
        doctor_say(d, FINDING_ERROR, subject, "%s is not valid yet\tlook at the clock", path);
}

static void certificate(struct doctor *d, str subject, str file, str name)
{
    char path[1024], host[256];
    if (!str_to_c(file, path, sizeof path) || !str_to_c(name, host, sizeof host))
        return;
    FILE *f = fopen(path, "re");
    int e = errno;
    X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    if (f)
        fclose(f);
    if (!x) {
        doctor_say(d, f ? FINDING_ERROR : FINDING_WARNING, subject, "%s: %s\t%s", path,
                   f ? "no certificate in PEM is in it" : strerror(e),
                   f             ? "it wants the chain, the server's own certificate first"
                   : e == ENOENT ? "the first start makes a self-signed one"
                                 : "run this as root to look at it");
        return;
    }
    expiry(d, subject, path, x);
    if (X509_check_host(x, host, 0, 0, NULL) != 1)
        doctor_say(d, FINDING_WARNING, subject, "%s does not name %s\tget one for the name that clients connect to",
                   path, host);
    if (X509_check_issued(x, x) == X509_V_OK)
        doctor_say(d, FINDING_WARNING, subject,
                   "%s is self-signed: other servers take it, mail programs of people do not\tset tls.certificate and "
                   "tls.key to those of a certificate authority",
                   path);
    X509_free(x);
}

void doctor_certificate(struct doctor *d)
{
    const struct conf *c = d->conf;
    AUTO_BUF own;
    buf_init(&own, 1024);
    buf_add(&own, c->data_dir);
    buf_add_c(&own, "/secrets/cert.pem");
    certificate(d, S("certificate"), c->tls_certificate.n ? c->tls_certificate : buf_str(&own), c->hostname);
    for (size_t i = 0; i < c->nlisteners; i++)
        if (c->listeners[i].certificate.n)
            certificate(d, c->listeners[i].title, c->listeners[i].certificate,
                        c->listeners[i].hostname.n ? c->listeners[i].hostname : c->hostname);
}

/* ---- ports --------------------------------------------------------------------------------------------------------
 */

/* Where to reach a server that listens on every address. */
static void reachable(struct sockaddr_storage *a)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)a;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)a;
    if (a->ss_family == AF_INET && v4->sin_addr.s_addr == 0)
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (a->ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
        v6->sin6_addr = in6addr_loopback;
}

static void greeting(struct doctor *d, str subject, const char *at, const struct conf_listener *l)
{
    struct target t = {.to = l->address};
    struct conn c;
    reachable(&t.to);
    err e = net_connect(&c, &t, rt_after(10 * RT_S));
    if (e) {
        doctor_say(d, FINDING_ERROR, subject, "%s does not answer: %s\tthe log of the server says why", at,
                   err_text(e));
        return;
    }
    str line = {0};
    if (l->tls != CONF_TLS_IMPLICIT && l->protocol != CONF_HTTPS && !l->proxy_protocol_from.n &&
        !d->conf->proxy_protocol_from.n)
        e = conn_readline(&c, 1000, &line, NULL);
    if (e || (line.n && !str_starts(line, S("220"))))
        doctor_say(d, FINDING_WARNING, subject, "%s greets with \"" STR_FMT "\" %s\tthe log of the server says why", at,
                   STR_ARG(str_sub(line, 0, 200)), e ? err_text(e) : "");
    else
        doctor_say(d, FINDING_OK, subject, "%s answers", at);
    conn_close(&c);
}

static void may_bind(struct doctor *d, str subject, const char *at, const struct conf_listener *l)
{
    int fd = -1;
    socklen_t n = l->address.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    errno = 0;
    if (rt_listen((const struct sockaddr *)&l->address, n, false, 1, &fd) == OK) {
        close(fd);
        doctor_say(d, FINDING_OK, subject, "%s is free", at);
    } else {
        int e = errno;
        doctor_say(d, FINDING_ERROR, subject, "%s: %s\t%s", at, strerror(e),
                   e == EADDRINUSE      ? "another program listens there: ss -ltnp tells which"
                   : e == EACCES        ? "ports below 1024 need root"
                   : e == EADDRNOTAVAIL ? "this machine has no such address"
                                        : "see what the system says");
    }
}

void doctor_ports(struct doctor *d)
{
    for (size_t i = 0; i < d->conf->nlisteners; i++) {
        const struct conf_listener *l = &d->conf->listeners[i];
        char mem[100], subject[100];
        struct buf at;
        struct ip_port ip;
        buf_init_fixed(&at, mem, sizeof mem - 1);
        if (ip_from_sockaddr((const struct sockaddr *)&l->address, sizeof l->address, &ip))
            ip_print_port(&at, &ip);
        mem[at.n] = 0;
        snprintf(subject, sizeof subject, "listener " STR_FMT, STR_ARG(str_sub(l->title, 0, 64)));
        (d->running ? greeting : may_bind)(d, str_c(subject), mem, l);
    }
}
