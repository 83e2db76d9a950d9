/*
 * directory: domains, accounts, aliases and forwards that are managed while the server runs, beside those of the
 * configuration file. They lie in data-dir/directory.db and, all of them, in memory: look-ups never touch the disk.
 * A change is durable first, then in memory, then answered. Passwords are not here but in priv.
 *
 * Where both name a thing, the configuration's entry is used.
 */
#ifndef DIRECTORY_DIRECTORY_H
#define DIRECTORY_DIRECTORY_H
#include "conf/conf.h"
#include "rt/rt.h"

enum {
    DIRECTORY_TEXT_MAX = 1024,   /* octets of one value */
    DIRECTORY_TARGETS_MAX = 1000 /* of an alias or forward */
};

/* Opens (makes) directory.db in the data folder and reads it. *why in words. Before loops run. */
err directory_open(int data_dir, struct buf *why) BLOCKS;
void directory_close(void) BLOCKS;

/* ---- look-ups; any thread ------------------------------------------------------------------------------------- */

/* As conf_domain, the directory's domains too. What is returned lives as long as the process. */
const struct conf_domain *directory_domain(const struct conf *c, str domain);
/* False: it was switched off by `domain disable`. */
bool directory_domain_enabled(const struct conf_domain *d);

struct account {
    int64_t id;               /* 0: not of this directory */
    str local, domain;        /* as spelled when it was made; domain in A-labels, lower case */
    str name;                 /* of the person or thing, for lists */
    str customer;             /* who pays for it; "" nobody in particular */
    str messages, recipients; /* limits as text, "30/min 500/h"; "" the configuration's */
    int64_t size;             /* largest message; 0: the configuration's */
    bool enabled;
    bool any_sender; /* may send as every address of its domain */
    bool keep;       /* with a forward: the mailbox gets a copy, too */
    str forward;     /* addresses, one blank between; "" none */
    str source;      /* the source that knows it; "": the directory itself */
    str held;        /* why it may not send for now; "" it may */
};
/* By address, without regard to ASCII case; strings in `a`. E_NOT_FOUND, E_NOMEM. */
err directory_account(struct arena *a, str local, str domain, struct account *ret);
/* The mailbox as it is spelled (names of folders come from here, never from a peer): of conf or of an account. */
bool directory_mailbox(const struct conf_domain *d, str local, char *ret_name, size_t size);
/* An alias of conf or of the directory; also an account's forward. Its strings live in conf or in `a`.
 * E_NOT_FOUND, E_NOMEM. */
err directory_alias(const struct conf *c, struct arena *a, str local, str domain, const struct conf_alias **ret);
/* True when mail for `local@domain` reaches `account` ("local@domain") by an alias: it may send as that address. */
bool directory_leads_to(const struct conf *c, str local, str domain, str account);
/* Who pays for a domain of the directory, and its limits; "" none. In `a`. */
bool directory_domain_limits(struct arena *a, str domain, str *ret_customer, str *ret_messages, str *ret_recipients);

/* ---- sources ---- */

/* Is this password right by the sources of the configuration? Not asked about accounts that the directory has itself.
 * OK: it is, and the account is in the directory now; E_DENIED: it is not; E_AGAIN: a source is down. */
err directory_source_login(const struct conf *c, str local, str domain, str password) YIELDS;
/* Do the sources know it? `known`: what the directory has, NULL nothing. OK: it is in the directory now; E_NOT_FOUND;
 * E_AGAIN: a source is down. */
err directory_source_find(const struct conf *c, str local, str domain, const struct account *known) YIELDS;

/* ---- changes -------------------------------------------------------------------------------------------------- */

enum directory_kind { DIR_DOMAIN, DIR_ACCOUNT, DIR_ALIAS };
enum directory_verb { DIR_ADD, DIR_PUT, DIR_DELETE }; /* PUT: adds, or replaces what is there */
struct directory_change {
    enum directory_kind kind;
    enum directory_verb verb;
    struct account account; /* DIR_ACCOUNT */
    struct {
        str name, deliver, catch_all, customer, messages, recipients;
        bool enabled;
    } domain;
    struct {
        str local, domain, targets; /* addresses, one blank between */
        bool enabled;
    } alias;
};
/* All or none, durable when it returns OK. E_EXISTS: ADD of what is there; E_NOT_FOUND: DELETE of what is not;
 * *ret_failed (may be NULL) says which. Fibers sleep meanwhile; elsewhere it blocks. */
err directory_apply(const struct directory_change *v, size_t n, size_t *ret_failed) YIELDS;
/* May not send until `why` is "" again. Durable. */
err directory_hold(str local, str domain, str why) YIELDS;

/* Everything, sorted by name: for lists and export. The strings live in `a`. */
struct directory_all {
    struct directory_change *v; /* verb DIR_PUT */
    size_t n;
};
err directory_list(struct arena *a, enum directory_kind kind, struct directory_all *ret);

/* ---- commands of an operator ---------------------------------------------------------------------------------- */

/*
 * domain, user, alias, credential: `words` as they were typed, "domain" first, with "--secret TEXT" for a password.
 * Results go to `out` as text or JSON, complaints to `why`. Returns the exit status (0, 1, 64). Runs on a fiber of
 * the server, or blocking in a process of its own that holds the data folder.
 */
struct directory_call {
    const struct conf *conf;
    const str *words;
    size_t n;
    bool json;
    struct buf *out, *why;
    struct arena *arena;
};
int directory_command(struct directory_call *c) YIELDS;
bool directory_is_command(str word);

#endif
