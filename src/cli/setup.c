/*
 * `postrider setup`: a configuration for a domain of one's own, keys that sign its mail, perhaps a first account, and
 * the records to publish. What is not given as an option is asked for on a terminal.
 */
#include "cli/internal.h"
#include "cli/keys.h"
#include "cli/options.h"
#include "wire/addr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    const char *domain, *hostname, *folder, *data, *user, *address, *ports, *password, *replace;
} given;

static const struct cli_option options[] = {
    {"domain", false, &given.domain},  {"hostname", false, &given.hostname},
    {"folder", false, &given.folder},  {"data-dir", false, &given.data},
    {"user", false, &given.user},      {"address", false, &given.address},
    {"ports", false, &given.ports},    {"password-stdin", true, &given.password},
    {"replace", true, &given.replace},
};

static int usage(void)
{
    return cli_fail(EX_USAGE, "usage: postrider setup [--domain NAME] [--hostname NAME] [--folder /etc/postrider]\n"
                              "           [--data-dir /var/lib/postrider] [--address 0.0.0.0] [--ports 25,587,465]\n"
                              "           [--user ADDRESS --password-stdin] [--replace]");
}

static bool read_options(int argc, char **argv)
{
    return cli_options(&CLI_OPTIONS(options), 1, argc, argv) && !given.user == !given.password;
}

/* A line of the terminal in `mem`; what stands in brackets when it is empty. */
static const char *ask(const char *question, const char *otherwise, char *mem, size_t size)
{
    if (!isatty(0))
        return otherwise;
    fprintf(stderr, "%s%s%s%s ", question, otherwise ? " [" : "", otherwise ? otherwise : "", otherwise ? "]:" : ":");
    if (!fgets(mem, (int)size, stdin))
        return otherwise;
    str s = str_trim(str_c(mem));
    if (s.n == 0)
        return otherwise;
    memmove(mem, s.p, s.n);
    mem[s.n] = 0;
    return mem;
}

static int write_file(const char *path, str text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return cli_fail(EX_CANTCREAT, "%s: %s", path, strerror(errno));
    err e = cli_write_all(fd, text);
    bool bad = fsync(fd) || e;
    close(fd);
    if (bad)
        (void)unlink(path);
    return bad ? cli_fail(EX_IOERR, "%s cannot be written", path) : 0;
}

static void listeners(struct buf *b, const unsigned port[3])
{
    static const char *const rows[][2] = {
        {"mx", ""}, {"submission", "  submission = true"}, {"smtps", "  submission = true  tls = \"implicit\""}};
    for (int i = 0; i < 3; i++)
        buf_printf(b, "listener %s { address = \"%s:%u\"%s }\n", rows[i][0], given.address, port[i], rows[i][1]);
}

static void compose(struct buf *b, const unsigned port[3], const char *selector)
{
    buf_printf(b,
               "# Written by \"postrider setup\". Every key is explained in postrider.conf(5); after a change:\n"
               "#     postrider config check && systemctl reload postrider\n\n"
               "hostname = \"%s\"\ndata-dir = \"%s\"\n\n",
               given.hostname, given.data);
    listeners(b, port);
    buf_printf(b,
               "\n# Its people: postrider user add NAME@%s; other names for them: postrider alias add\n"
               "domain %s { deliver = \"maildir\" }\n\n"
               "# A certificate of an authority, once there is one; until then a self-signed one is used:\n"
               "#tls { certificate = \"/etc/letsencrypt/live/%s/fullchain.pem\"  key = "
               "\"/etc/letsencrypt/live/%s/privkey.pem\" }\n\n",
               given.domain, given.domain, given.hostname, given.hostname);
    buf_printf(b,
               "# What others report about its mail comes to these addresses; \"postrider reports\" shows it\n"
               "report { received = {\"dmarc@%s\", \"tls@%s\"} }\n\n"
               "# Keys that sign mail of the domain; \"postrider dns %s\" prints their records\n"
               "dkim rsa%s._domainkey.%s { key = \"dkim/rsa%s.%s.pem\" }\n"
               "dkim ed%s._domainkey.%s { key = \"dkim/ed%s.%s.pem\"  algorithm = \"ed25519-sha256\" }\n",
               given.domain, given.domain, given.domain, selector, given.domain, selector, given.domain, selector,
               given.domain, selector, given.domain);
}

static int make_keys(const char *selector)
{
    static const struct {
        const char *prefix;
        unsigned bits;
    } kinds[] = {{"rsa", 2048}, {"ed", 0}};
    char path[1200];
    snprintf(path, sizeof path, "%s/dkim", given.folder);
    if (mkdir(path, 0700) && errno != EEXIST)
        return cli_fail(EX_CANTCREAT, "%s: %s", path, strerror(errno));
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/dkim/%s%s.%s.pem", given.folder, kinds[i].prefix, selector, given.domain);
        if (access(path, F_OK) == 0)
            continue;
        int status = cli_key_make(path, kinds[i].bits);
        if (status)
            return status;
    }
    return 0;
}

/* An earlier configuration is kept beside the new one. */
static int make_room(const char *path)
{
    char old[1300], mem[16];
    if (access(path, F_OK))
        return 0;
    if (!given.replace) {
        const char *answer =
            ask("There is a configuration already. Replace it (the old one is kept beside it)?", "no", mem, sizeof mem);
        if (answer[0] != 'y' && answer[0] != 'Y')
            return cli_fail(EX_CANTCREAT, "%s is there already; --replace puts it aside", path);
    }
    snprintf(old, sizeof old, "%s.%lld", path, (long long)time(NULL));
    if (rename(path, old))
        return cli_fail(EX_CANTCREAT, "%s: %s", path, strerror(errno));
    fprintf(stderr, "The old configuration is now %s\n", old);
    return 0;
}

static int first_user(char *path)
{
    char user[] = "user", add[] = "add", secret[] = "--password-stdin", option[] = "-c", address[400];
    char *argv[] = {user, add, address, secret, option, path, NULL};
    if (!given.user)
        return 0;
    bool whole = str_find(str_c(given.user), '@') != STR_NONE;
    snprintf(address, sizeof address, "%s%s%s", given.user, whole ? "" : "@", whole ? "" : given.domain);
    return cli_accounts(6, argv);
}

static int tell(const char *path)
{
    AUTO_BUF out;
    struct conf *c = cli_load_config(path);
    if (!c)
        return EX_CONFIG;
    buf_init(&out, 1 << 20);
    buf_printf(&out, "; Records to publish for %s (\"postrider dns %s\" prints them again):\n", given.domain,
               given.domain);
    int status = cli_records(&out, c, str_c(given.domain));
    if (cli_write_all(1, buf_str(&out)))
        status = EX_IOERR;
    conf_drop(&c);
    fprintf(stderr,
            "\n%s is written. Next:\n"
            "  1. publish the records above, and an address record for %s\n"
            "  2. postrider user add YOU@%s          (asks for nothing: the password comes by --password-stdin)\n"
            "  3. systemctl restart postrider        (or postrider serve -c %s)\n"
            "  4. postrider doctor                   (looks for what is still wrong)\n",
            path, given.hostname, given.domain, path);
    return status;
}

static bool answers(unsigned port[3], char mem[2][256])
{
    given.folder = given.folder ? given.folder : "/etc/postrider";
    given.data = given.data ? given.data : "/var/lib/postrider";
    given.address = given.address ? given.address : "0.0.0.0";
    if (!given.domain)
        given.domain = ask("The domain whose mail is to come here, such as example.org", NULL, mem[0], 256);
    if (!given.domain || !domain_valid(str_c(given.domain), 0))
        return false;
    static char host[300];
    snprintf(host, sizeof host, "mail.%s", given.domain);
    if (!given.hostname)
        given.hostname = ask("The full name of this server", host, mem[1], 256);
    struct ip ip;
    return domain_valid(str_c(given.hostname), 0) && ip_parse(str_c(given.address), &ip) &&
           sscanf(given.ports ? given.ports : "25,587,465", "%u,%u,%u", &port[0], &port[1], &port[2]) == 3;
}

int cli_setup(int argc, char **argv)
{
    unsigned port[3];
    char mem[2][256], path[1100], selector[16];
    AUTO_BUF text;
    time_t now = time(NULL);
    struct tm tm;
    if (!read_options(argc, argv) || !answers(port, mem))
        return usage();
    strftime(selector, sizeof selector, "%Y%m", gmtime_r(&now, &tm));
    if (snprintf(path, sizeof path, "%s/postrider.conf", given.folder) >= (int)sizeof path)
        return usage();
    if (mkdir(given.folder, 0755) && errno != EEXIST)
        return cli_fail(EX_CANTCREAT, "%s: %s", given.folder, strerror(errno));
    int status = make_room(path);
    if (!status)
        status = make_keys(selector);
    buf_init(&text, 65536);
    compose(&text, port, selector);
    if (!status)
        status = write_file(path, buf_str(&text), 0644);
    if (!status)
        status = first_user(path);
    return status ? status : tell(path);
}
