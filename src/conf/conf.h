/*
 * conf: the configuration, from text to one immutable generation. Every key is a row of keys.def; the
 * structs below, the parser, the checks, the sample file and the manual page all come from it.
 *
 * Files reach the parser through a *bundle* (names with contents), which the parent fills and hands to
 * its children: they parse the same bytes and open nothing.
 *
 * Everything that conf_load returns is immutable and may be read by every thread; whoever keeps it holds a
 * reference. All strings, lists and look-up results live as long as the generation.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H
#include "base/arena.h"
#include "base/buf.h"
#include "conf/access.h"
#include "conf/rule.h"
#include "wire/ip.h"
#include "wire/url.h"

#include <sys/socket.h>

/* An entry of a list of DNS lists, "zone=127.0.0.2-11*2": which answers count, and how much. */
struct conf_zone {
    str name;       /* in A-labels, lower case */
    uint8_t low[4]; /* answers from low to high in each octet */
    uint8_t high[4];
    int weight; /* 1 when none is written */
};
struct conf_list {
    str *v;
    size_t n;
};
struct conf_nets {
    struct ip_net *v;
    size_t n;
};
struct conf_addrs {
    struct sockaddr_storage *v;
    size_t n;
};
struct conf_times { /* nanoseconds */
    int64_t *v;
    size_t n;
};

/* What an ENUM key may be: the index of its words in keys.def. */
enum conf_auto { CONF_AUTO, CONF_FALSE, CONF_TRUE };
enum conf_ipv { CONF_IPV_BOTH, CONF_IPV_4, CONF_IPV_6 };
enum conf_tls_out { CONF_TLS_MAY, CONF_TLS_NONE, CONF_TLS_REQUIRE, CONF_TLS_VERIFY };
enum conf_tls_in { CONF_TLS_STARTTLS, CONF_TLS_IMPLICIT, CONF_TLS_OFF };
enum conf_acme_challenge { CONF_ACME_HTTP, CONF_ACME_TLS_ALPN };
enum conf_tls_version { CONF_TLS_1_2, CONF_TLS_1_3 };
enum conf_source_type { CONF_SOURCE_DOVECOT, CONF_SOURCE_LDAP, CONF_SOURCE_POSTGRESQL, CONF_SOURCE_FILE };
enum conf_protocol { CONF_SMTP, CONF_LMTP, CONF_HTTPS };
enum conf_sts { CONF_STS_TESTING, CONF_STS_ENFORCE, CONF_STS_NONE, CONF_STS_OFF };
enum conf_sts_domain { CONF_STS_DEFAULT }; /* the others: CONF_STS_* + 1 */
enum conf_proxy_mode { CONF_PROXY_INSPECT, CONF_PROXY_PASS, CONF_PROXY_STORE };
enum conf_split { CONF_SPLIT_DEFER, CONF_SPLIT_STORE };
enum conf_balance { CONF_BALANCE_FAILOVER, CONF_BALANCE_LEAST, CONF_BALANCE_HASH };
enum conf_proxy_header { CONF_PROXY_NONE, CONF_PROXY_V1, CONF_PROXY_V2 };
enum conf_spf { CONF_SPF_MARK, CONF_SPF_REJECT, CONF_SPF_OFF };
enum conf_dmarc { CONF_DMARC_ENFORCE, CONF_DMARC_QUARANTINE, CONF_DMARC_MARK, CONF_DMARC_OFF };
enum conf_author { CONF_AUTHOR_REJECT, CONF_AUTHOR_MARK };
enum conf_quarantine { CONF_QUARANTINE_HEADER, CONF_QUARANTINE_FOLDER };
enum conf_helo { CONF_HELO_REJECT, CONF_HELO_MARK, CONF_HELO_OFF };
enum conf_early { CONF_EARLY_REJECT, CONF_EARLY_MARK };
enum conf_greylist { CONF_GREY_SUSPICIOUS, CONF_GREY_ALL, CONF_GREY_OFF };
enum conf_verify_fail { CONF_VERIFY_DEFER, CONF_VERIFY_ACCEPT };
enum conf_fail { CONF_FAIL_ACCEPT, CONF_FAIL_DEFER, CONF_FAIL_REFUSE };      /* rspamd.fail */
enum conf_fail_safe { CONF_SAFE_DEFER, CONF_SAFE_ACCEPT, CONF_SAFE_REFUSE }; /* clamd.fail */
enum conf_whose { CONF_WHOSE_ALL, CONF_WHOSE_STRANGERS, CONF_WHOSE_RULES };
enum conf_found { CONF_FOUND_REFUSE, CONF_FOUND_QUARANTINE, CONF_FOUND_DISCARD, CONF_FOUND_MARK };
enum conf_attachments { CONF_FILES_REFUSE, CONF_FILES_QUARANTINE, CONF_FILES_MARK, CONF_FILES_OFF };
enum conf_headers { CONF_HEADERS_MARK, CONF_HEADERS_OFF };
enum conf_log_level { CONF_LOG_INFO, CONF_LOG_DEBUG, CONF_LOG_NOTICE, CONF_LOG_WARNING, CONF_LOG_ERROR };
enum conf_log_format { CONF_LOG_TEXT, CONF_LOG_JSON };

enum conf_dkim_algorithm { CONF_DKIM_RSA, CONF_DKIM_ED25519, CONF_DKIM_BOTH };
enum conf_dkim_canon { CONF_DKIM_RR, CONF_DKIM_RS, CONF_DKIM_SR, CONF_DKIM_SS };

#define CONF_STR str
#define CONF_BOOL bool
#define CONF_NUM int64_t
#define CONF_SIZE int64_t
#define CONF_TIME int64_t /* nanoseconds, as rt_time */
#define CONF_ENUM int     /* index into the words of the row: one of the enums above */
#define CONF_LIST struct conf_list
#define CONF_NETS struct conf_nets
#define CONF_ADDR struct sockaddr_storage /* ss_family 0: none */
#define CONF_ADDRS struct conf_addrs
#define CONF_TIMES struct conf_times
#define CONF_FIELD(name, type, ...) CONF_##type name;

/* Keys that name a path hold the whole path (relative ones begin at the main file's folder). */

enum conf_milter_fail { CONF_MILTER_DEFER, CONF_MILTER_ACCEPT, CONF_MILTER_REFUSE };

/* Filters in the order in which they are asked. */
struct conf_milter;
struct conf_milters {
    const struct conf_milter **v;
    size_t n;
};

struct conf_listener {
    str title;
    int line;
#define KEY_listener CONF_FIELD
#include "conf/keys.def"
    const struct conf_upstream **upstreams; /* of `proxy`; the first is that of servers named in place, if any */
    size_t nupstreams;
    const struct conf_rule **judged; /* rules that apply to it, in order: of `rules`, or all whose `on` fits */
    size_t njudged;
    struct conf_milters filters; /* of `milters`, its own or the global ones */
};

/* Where mail goes: `deliver` and the entries of `via`, understood. */
enum conf_how { CONF_TO_MAILDIR, CONF_TO_DISCARD, CONF_TO_MX, CONF_TO_SERVER };
struct conf_hop {
    enum conf_how how;
    struct url url; /* of CONF_TO_SERVER */
};

struct conf_domain {
    str title; /* the domain, A-labels, lower case */
    int line;
#define KEY_domain CONF_FIELD
#include "conf/keys.def"
    struct conf_hop hop;   /* of `deliver` */
    const struct map *box; /* (private) */
};

struct conf_alias {
    str title; /* the address replaced: local part as written, domain in A-labels, lower case */
    int line;
#define KEY_alias CONF_FIELD
#include "conf/keys.def"
    str local, domain; /* the two parts of the title; local without quotes */
    bool from_file;    /* a line of aliases_file */
};

struct conf_route {
    str title; /* "*", a domain, or ".domain" for its sub-domains */
    int line;
#define KEY_route CONF_FIELD
#include "conf/keys.def"
    struct conf_hop *hops; /* of `via`, as many */
    str password;          /* contents of password_file, first line */
    str ca_pem;            /* contents of ca_file */
    bool of_proxy;         /* made for mail that a proxy listener stores */
};

struct conf_source {
    str title;
    int line;
#define KEY_source CONF_FIELD
#include "conf/keys.def"
    str password; /* contents of password_file, first line */
};

struct conf_oauth { /* who gives tokens */
    str title;
    int line;
#define KEY_oauth CONF_FIELD
#include "conf/keys.def"
    str ca_pem;      /* contents of ca_file */
    str secret;      /* contents of secret_file, first line: only where secrets are read */
    str secret_name; /* for priv_password; "" there is none */
};

struct conf_upstream {
    str title; /* for servers that a listener names itself: "LISTENER servers" */
    int line;
#define KEY_upstream CONF_FIELD
#include "conf/keys.def"
    struct conf_hop *hops;                 /* of `via`, as many */
    str ca_pem;                            /* contents of ca_file */
    bool lmtp;                             /* its servers speak LMTP */
    const struct conf_listener *inline_of; /* NULL: a section */
    const struct conf_route *stored;       /* the way of what is stored for it; NULL: nothing is */
};

struct conf_script { /* a file of Lua */
    str name;        /* without its folder */
    str text;
};

struct conf_dkim { /* a key that signs */
    str title;
    int line;
#define KEY_dkim CONF_FIELD
#include "conf/keys.def"
    str selector, domain; /* of the title; A-labels in lower case; selector "": the server makes the keys (room keys) */
    str names;            /* of `headers`, for h=: "From:To"; empty: what is usual */
};

struct conf_access { /* section list */
    str title;
    int line;
#define KEY_list CONF_FIELD
#include "conf/keys.def"
    struct access_set *set; /* of entries and file (conf/access.h); never NULL once loaded */
    struct conf_zone *zones;
    size_t nzones;
    size_t at; /* its place in conf.lists */
};

/* What a rule may say about where it applies, bits of conf_rule.where. */
enum conf_where {
    CONF_ON_INBOUND = 1,
    CONF_ON_SUBMISSION = 2,
    CONF_ON_RELAY = 4,
    CONF_ON_LOCAL = 8,
    CONF_ON_PROXY = 16,
    CONF_ON_DELIVERY = 32,
    CONF_ON_OUTBOUND = CONF_ON_SUBMISSION | CONF_ON_RELAY | CONF_ON_LOCAL
};

struct conf_rule {
    str title;
    int line;
#define KEY_rule CONF_FIELD
#include "conf/keys.def"
    struct rule_cond *cond; /* of `if`; NULL: always */
    struct rule_action *actions;
    size_t nactions;
    enum rule_phase phase;
    unsigned where;                         /* bits of conf_where; 0 with listeners only */
    const struct conf_listener **listeners; /* of `on` */
    size_t nlisteners;
    bool everywhere; /* no `on` */
    size_t at_index; /* its place in conf.rules */
    int line_if, line_then, line_at, line_on;
};

struct conf_milter {
    str title; /* for a filter that a list names by its address: that address */
    int line;
#define KEY_milter CONF_FIELD
#include "conf/keys.def"
    str path; /* of a unix socket, else "" ... */
    str host; /* ... a name or an IP address ... */
    uint16_t port;
    bool by_address; /* no section */
};

struct conf {
#define KEY_global CONF_FIELD
#include "conf/keys.def"
    struct conf_listener *listeners;
    struct conf_domain *domains;
    struct conf_alias *aliases; /* of sections and of aliases_file */
    struct conf_route *routes;
    struct conf_upstream *upstreams;
    struct conf_source *sources; /* in the order of the file */
    size_t nsources;
    struct conf_oauth *oauths;
    size_t noauths;
    struct conf_dkim *dkims;
    size_t ndkims;
    struct conf_script *scripts; /* the script, then the files of its folder */
    size_t nscripts;
    struct conf_access *lists;
    size_t nlists;
    struct conf_rule *rules; /* in the order of the file */
    size_t nrules;
    struct conf_zone *block_zones, *allow_zones, *name_zones; /* of block_lists, allow_lists and block_names */
    size_t nblock_zones, nallow_zones, nname_zones;
    bool verifies;                   /* some domain has `verify` */
    struct conf_milter *all_milters; /* sections, and those that lists name by address */
    size_t nmilters;
    struct conf_milters filters, local_filters; /* of `milters` and local.milters */
    size_t nlisteners, ndomains, naliases, nroutes, nupstreams;
    uint64_t generation;      /* counts up with every reload; set by the owner */
    str dir;                  /* folder of the configuration file */
    str resolv_conf, hosts;   /* texts of the system's files; set by the owner */
    str ca_pem;               /* contents of send_ca_file; empty: the system's roots */
    str anchor;               /* contents of dns_trust_anchor; without: of the system's, set by the owner */
    str acme_chain;           /* likewise: the certificate that ACME brought, PEM; "" none */
    bool private_targets_now; /* private_targets with `auto` resolved; likewise: */
    bool dns_validate_now;
    struct arena arena;       /* (private) */
    int refs;                 /* (private) */
    struct conf_index *index; /* (private) */
};

static inline bool conf_nets_has(const struct conf_nets *nets, const struct ip *ip)
{
    for (size_t i = 0; i < nets->n; i++)
        if (ip_net_has(&nets->v[i], ip))
            return true;
    return false;
}

/* ---- bundles: the files that a configuration consists of ------------------------------------------ */

struct conf_file {
    str name; /* as written in the configuration; "" for the main file */
    str path; /* for messages and look-up */
    str text;
    err e;          /* OK, or why it could not be read */
    bool secret;    /* of an X key: no child but the keeper gets its text */
    int fd;         /* of a secret that was opened and not read; else -1 */
    bool watched;   /* of a W key */
    uint64_t stamp; /* of the file as it was opened: changes when it does; 0: not there */
};
struct conf_bundle {
    struct conf_file *v;
    size_t n;
    str dir;         /* of the main file, absolute */
    str system_name; /* default of hostname */
    bool closed;     /* secrets are opened, not read: v[].fd */
    struct arena arena;
};
/* Reads the main file and all that its F keys name (an unreadable one of these is kept with its error). Limit
 * 64 MiB a file. The error is that of the main file. Blocks: for the parent and the command line. */
err conf_bundle_read(struct conf_bundle *b, const char *path);
/* The same, but files of X keys are only opened: for the parent, which hands their descriptors to the keeper. */
err conf_bundle_read_closed(struct conf_bundle *b, const char *path);
/* A bundle of one file that is in memory already, e.g. for a test; `dir` stands for its folder. */
err conf_bundle_of(struct conf_bundle *b, str path, str text, str dir);
/* Reads what the main text of such a bundle names, as conf_bundle_read does. Blocks. */
err conf_bundle_read_named(struct conf_bundle *b);
/* One more file, by its whole path; one that cannot be read is kept with its error. Blocks. */
err conf_bundle_add(struct conf_bundle *b, str path);
err conf_bundle_add_secret(struct conf_bundle *b, str path);
void conf_bundle_watch(struct conf_bundle *b, str path); /* one that is in it */
/* Reads a secret, in the keeper, from a descriptor that the parent sent (its position does not matter). */
err conf_bundle_take(struct conf_bundle *b, size_t file, int fd);
/* Files that are watched: what they were when this bundle was read, and what they are now. Different: one changed. */
uint64_t conf_bundle_stamp(const struct conf_bundle *b);
uint64_t conf_bundle_stamp_now(const struct conf_bundle *b);
/* A closed bundle of the same files where those that are watched are read again, and the others (the main file too) are
 * as they were. */
err conf_bundle_refresh(struct conf_bundle *ret, const struct conf_bundle *old);
/* The contents of a file by its whole path; p == NULL: not there, or not readable. */
str conf_bundle_text(const struct conf_bundle *b, str path);
void conf_bundle_close(struct conf_bundle *b); /* the descriptors of secrets, in a child that has no use for them */
void conf_bundle_free(struct conf_bundle *b);
void conf_bundle_encode(struct buf *out, const struct conf_bundle *b); /* to hand it to a child */
/* E_CORRUPT, E_NOMEM; everything is copied. */
err conf_bundle_decode(struct conf_bundle *b, str bytes);

/* ---- generations --------------------------------------------------------------------------------------- */

struct conf_error {
    str path;
    int line; /* 0: the file as a whole */
    bool warning;
    str text; /* what was expected, what was found, what to do */
};
struct conf_errors {
    struct conf_error *v;
    size_t n;
    struct arena arena;
};
/* Parses and checks everything; on errors returns E_SYNTAX with all of them (in file order; at most 200) and no
 * configuration. Warnings (mistakes that do not stop a start; at most 50) are among them, also when OK is returned.
 * E_NOMEM.
 * `errors` is initialised here; conf_errors_free in every case. */
err conf_load(struct conf **ret, const struct conf_bundle *b, struct conf_errors *errors);
/* Whatever can be understood of a faulty or partly unreadable configuration, defaults for the rest: for commands that
 * only look for a path or a name. Never to serve with. E_NOMEM. */
err conf_load_loose(struct conf **ret, const struct conf_bundle *b);
/* "FILE:LINE: error: TEXT" or "...: warning: TEXT", a line each. */
void conf_errors_print(struct buf *out, const struct conf_errors *e);
void conf_errors_free(struct conf_errors *e);
struct conf *conf_ref(struct conf *c); /* atomic */
void conf_drop(struct conf **c);
/* Which S keys differ between two generations, as text for a warning ("" none): "data-dir, listener mx: address". */
void conf_needs_restart(struct buf *out, const struct conf *from, const struct conf *to);

/* Contents of the file that an F key names (the value of the key as it is in the structs); p NULL for none. */
str conf_file_text(const struct conf *c, str path);

/* Look-ups, O(1) by index. Domains are compared without regard to ASCII case and must be A-labels. */
const struct conf_domain *conf_domain(const struct conf *c, str domain);
/* The mailbox as it is spelled in the configuration (names of folders come from here, never from a peer), found
 * without regard to ASCII case. A maildir domain always has "postmaster". Domains other than maildir that list no
 * mailboxes take every local part; that is for the caller to see (mailboxes.n == 0). */
bool conf_mailbox(const struct conf_domain *d, str local, str *ret_name);
bool conf_has_mailbox(const struct conf_domain *d, str local);
/* An address whose mail is reports (report.received), "local@domain". */
bool conf_takes_reports(const struct conf *c, str address);
/* How many of something in a minute, an hour, a day: "30/min 500/h 2000/d", each unit at most once; "" none. 0: no
 * limit. False: it is none of these. */
bool conf_rate(str text, uint32_t ret[3]);
/* "zone", "zone=127.0.0.2-11", "zone=127.0.0.2*-3": false: it is none of these. `mem` for the name. */
bool conf_zone(str text, struct arena *mem, struct conf_zone *ret);
/* What a mailbox may be called, since its name becomes a folder's: NULL, or what was expected. */
const char *conf_mailbox_fault(str name);
/* Local part without quotes, without regard to ASCII case. Sub-addresses are the caller's business. */
const struct conf_alias *conf_alias(const struct conf *c, str local, str domain);
/* The route for a recipient's domain and a sender ("" null): exact domain, then longest ".suffix", then "*"; among
 * equals one whose `from` matches goes first, and one with a `from` that does not match is none. NULL: MX. */
const struct conf_route *conf_route(const struct conf *c, str domain, str sender);
/* The upstream of a proxy listener that a recipient's domain (in ASCII) belongs to: the longest name wins, then the one
 * that takes all the rest. NULL: none. */
const struct conf_upstream *conf_upstream_of(const struct conf_listener *x, str domain);
const struct conf_listener *conf_listener_named(const struct conf *c, str title); /* NULL: none */
/* The same for mail that the proxy listener `x` has stored: a section that names the domain as closely as the upstream
 * does goes before the way to that. */
const struct conf_route *conf_route_stored(const struct conf *c, const struct conf_listener *x, str domain, str sender);
/* By its title, for `send by`; of several the first without `from`. NULL: none. */
const struct conf_route *conf_route_named(const struct conf *c, str title);

/* Whether a file is sound Lua: OK, or E_SYNTAX with the line and why. Set once, before anything is loaded; without it
 * files are taken as they are. */
typedef err conf_script_check(str name, str text, int *ret_line, struct buf *why);
void conf_script_checker(conf_script_check *fn);

/* The one of "a|b|c" that `found` was perhaps meant to be; "" none. */
str conf_nearest(const char *words, str found);

/* ---- documents made from keys.def ------------------------------------------------------------------------ */

void conf_sample(struct buf *out); /* a commented sample file with all defaults */
void conf_manual(struct buf *out); /* the KEYS part of postrider.conf(5), mdoc */
/* "key = value" of everything in force, as a file that loads again; defaults are marked. Secrets are left out
 * (of files only the path is shown). */
void conf_print(struct buf *out, const struct conf *c);

#endif
