/*
 * conf: the configuration, from text to one immutable generation. Every key is a row of keys.def; the
 * structs below, the parser, the checks, the sample file and the manual page all come from it.
 *
 * Files reach the parser through a *bundle* (names with contents), which the parent fills and hands to
 * its children: they parse the same bytes and open nothing.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H
#include "base/arena.h"
#include "wire/ip.h"

#include <sys/socket.h>

struct conf_list { str *v; size_t n; };
struct conf_nets { struct ip_net *v; size_t n; };
struct conf_addrs { struct sockaddr_storage *v; size_t n; };
struct conf_times { int64_t *v; size_t n; };           /* nanoseconds */

#define CONF_STR str
#define CONF_BOOL bool
#define CONF_NUM int64_t
#define CONF_SIZE int64_t
#define CONF_TIME int64_t                               /* nanoseconds, as rt_time */
#define CONF_ENUM int                                   /* index into the words of the row */
#define CONF_LIST struct conf_list
#define CONF_NETS struct conf_nets
#define CONF_ADDR struct sockaddr_storage               /* ss_family 0: none */
#define CONF_ADDRS struct conf_addrs
#define CONF_TIMES struct conf_times

#define CONF_FIELD(name, type) CONF_##type name;

struct conf_listener {
    str title;
    int line;
#define KEY(section, name, type, ...) CONF_IN_listener_##section(name, type)
#define CONF_IN_listener_listener(name, type) CONF_FIELD(name, type)
#define CONF_IN_listener_global(name, type)
#define CONF_IN_listener_domain(name, type)
#define CONF_IN_listener_alias(name, type)
#define CONF_IN_listener_route(name, type)
#include "conf/keys.def"
#undef KEY
};

struct conf_domain {
    str title;                       /* the domain, A-labels, lower case */
    int line;
#define KEY(section, name, type, ...) CONF_IN_domain_##section(name, type)
#define CONF_IN_domain_domain(name, type) CONF_FIELD(name, type)
#define CONF_IN_domain_global(name, type)
#define CONF_IN_domain_listener(name, type)
#define CONF_IN_domain_alias(name, type)
#define CONF_IN_domain_route(name, type)
#include "conf/keys.def"
#undef KEY
};

struct conf_alias {
    str title;                       /* the address replaced, domain in lower case */
    int line;
#define KEY(section, name, type, ...) CONF_IN_alias_##section(name, type)
#define CONF_IN_alias_alias(name, type) CONF_FIELD(name, type)
#define CONF_IN_alias_global(name, type)
#define CONF_IN_alias_listener(name, type)
#define CONF_IN_alias_domain(name, type)
#define CONF_IN_alias_route(name, type)
#include "conf/keys.def"
#undef KEY
};

struct conf_route {
    str title;                       /* "*", a domain, or ".domain" for its sub-domains */
    int line;
#define KEY(section, name, type, ...) CONF_IN_route_##section(name, type)
#define CONF_IN_route_route(name, type) CONF_FIELD(name, type)
#define CONF_IN_route_global(name, type)
#define CONF_IN_route_listener(name, type)
#define CONF_IN_route_domain(name, type)
#define CONF_IN_route_alias(name, type)
#include "conf/keys.def"
#undef KEY
    str password;                    /* contents of password_file, first line */
    str ca_pem;                      /* contents of ca_file */
};

struct conf {
#define KEY(section, name, type, ...) CONF_IN_global_##section(name, type)
#define CONF_IN_global_global(name, type) CONF_FIELD(name, type)
#define CONF_IN_global_listener(name, type)
#define CONF_IN_global_domain(name, type)
#define CONF_IN_global_alias(name, type)
#define CONF_IN_global_route(name, type)
#include "conf/keys.def"
#undef KEY
    struct conf_listener *listeners;
    struct conf_domain *domains;
    struct conf_alias *aliases;      /* of sections and of aliases_file */
    struct conf_route *routes;
    size_t nlisteners, ndomains, naliases, nroutes;
    uint64_t generation;             /* counts up with every reload */
    str dir;                         /* folder of the configuration file */
    bool private_targets_now;        /* private_targets with `auto` resolved; likewise: */
    bool dns_validate_now;
    struct arena arena;              /* (private) */
    int refs;                        /* (private) */
    struct conf_index *index;        /* (private) */
};

/* ---- bundles: the files that a configuration consists of ------------------------------------------ */

struct conf_file {
    str name;                        /* as written in the configuration; "" for the main file */
    str path;                        /* for messages */
    str text;
    err e;                           /* OK, or why it could not be read */
};
struct conf_bundle {
    struct conf_file *v;
    size_t n;
    str dir;                         /* of the main file */
    str system_name;                 /* default of hostname */
    struct arena arena;
};
/* Reads the main file and all that its P keys name (an unreadable one is kept with its error). Limit 16 MiB
 * a file. Blocks: for the parent and the command line. */
err conf_bundle_read(struct conf_bundle *b, const char *path);
void conf_bundle_free(struct conf_bundle *b);
void conf_bundle_encode(struct buf *out, const struct conf_bundle *b);     /* to hand it to a child */
err conf_bundle_decode(struct conf_bundle *b, str bytes);

/* ---- generations --------------------------------------------------------------------------------------- */

struct conf_error {
    str path;
    int line;                        /* 0: the file as a whole */
    str text;                        /* what was expected, what was found, what to do */
};
struct conf_errors {
    struct conf_error *v;
    size_t n;
    struct arena arena;
};
/* Parses and checks everything; on errors returns E_SYNTAX with all of them (in file order) and no configuration.
 * Warnings (mistakes that do not stop a start) come in `errors`, too, when OK is returned. */
err conf_load(struct conf **ret, const struct conf_bundle *b, struct conf_errors *errors);
void conf_errors_free(struct conf_errors *e);
struct conf *conf_ref(struct conf *c);                   /* atomic */
void conf_drop(struct conf **c);
/* Which S keys differ between two generations, as text for a warning ("" none). */
void conf_needs_restart(struct buf *out, const struct conf *from, const struct conf *to);

/* Look-ups, O(1) by index. Domains are compared in lower case, A-labels. */
const struct conf_domain *conf_domain(const struct conf *c, str domain);
bool conf_has_mailbox(const struct conf_domain *d, str local);                      /* ASCII case folded */
const struct conf_alias *conf_alias(const struct conf *c, str local, str domain);
/* The route for a recipient's domain and a sender: exact domain, then longest ".suffix", then "*"; among equals
 * one whose `from` matches goes first. NULL: MX. */
const struct conf_route *conf_route(const struct conf *c, str domain, str sender);

/* ---- documents made from keys.def ------------------------------------------------------------------------ */

void conf_sample(struct buf *out);                       /* a commented sample file with all defaults */
void conf_manual(struct buf *out);                       /* the KEYS part of postrider.conf(5), mdoc */
/* "key = value" of everything in force, defaults marked. Secrets are left out. */
void conf_print(struct buf *out, const struct conf *c);

#endif
