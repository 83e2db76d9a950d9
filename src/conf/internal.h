/* What the files of conf share: the table of keys in memory, the list of errors, the parsed tree. */
#ifndef CONF_INTERNAL_H
#define CONF_INTERNAL_H
#include "base/map.h"
#include "conf/conf.h"

/* ---- the table (table.c) ---- */

enum section {
    SEC_global,
    SEC_listener,
    SEC_domain,
    SEC_alias,
    SEC_route,
    SEC_upstream,
    SEC_source,
    SEC_oauth,
    SEC_dkim,
    SEC_list,
    SEC_rule,
    SEC_milter,
    SEC_COUNT
};
enum type {
    TYPE_STR,
    TYPE_BOOL,
    TYPE_NUM,
    TYPE_SIZE,
    TYPE_TIME,
    TYPE_ENUM,
    TYPE_LIST,
    TYPE_NETS,
    TYPE_ADDR,
    TYPE_ADDRS,
    TYPE_TIMES
};
enum key_flag {
    KEY_RELOAD = 1,
    KEY_START = 2,
    KEY_PATH = 4,
    KEY_FILE = 8,
    KEY_SECRET = 16,
    KEY_MUST = 32,
    KEY_WATCH = 64,
    KEY_FOLDER = 128
};

struct key {
    const char *name; /* of the C field */
    enum section section;
    enum type type;
    const char *def;
    int64_t least, most;
    unsigned flags;
    const char *text;
    size_t offset; /* in the section's struct */
};
struct named {
    const char *name, *text;
};
enum key_count {
#define KEY_global(name, ...) KEY_AT_global_##name,
#define KEY_listener(name, ...) KEY_AT_listener_##name,
#define KEY_domain(name, ...) KEY_AT_domain_##name,
#define KEY_alias(name, ...) KEY_AT_alias_##name,
#define KEY_route(name, ...) KEY_AT_route_##name,
#define KEY_upstream(name, ...) KEY_AT_upstream_##name,
#define KEY_source(name, ...) KEY_AT_source_##name,
#define KEY_oauth(name, ...) KEY_AT_oauth_##name,
#define KEY_dkim(name, ...) KEY_AT_dkim_##name,
#define KEY_milter(name, ...) KEY_AT_milter_##name,
#define KEY_list(name, ...) KEY_AT_list_##name,
#define KEY_rule(name, ...) KEY_AT_rule_##name,
#include "conf/keys.def"
    KEY_COUNT
};
extern const struct key keys[KEY_COUNT];
extern const struct named groups[], sections[]; /* ended by a NULL name; sections[i] is section i + 1 */

/* The row of a key as written, in a group (NULL: none, or in a section). */
const struct key *key_find(enum section s, const char *group, str name);
const char *key_group(const struct key *k);          /* NULL: stands at the top level or in a section */
void key_word(struct buf *out, const struct key *k); /* as written in the file, without its group */
const char *group_find(str name);                    /* the table's own spelling, or NULL */
enum section section_find(str name);                 /* SEC_global: none */
static inline bool key_is_list(const struct key *k) { return k->type >= TYPE_LIST && k->type != TYPE_ADDR; }
/* The known word nearest to `found`, for a key of this place or (keys false) a section; "" when nothing is near. */
str nearest_key(enum section s, const char *group, str found, struct arena *mem);
str nearest_section(str found);
str nearest_word(const char *words, str found); /* of "a|b|c" */

/* ---- errors (errors.c) ---- */

enum { ERRORS_MAX = 200, WARNINGS_MAX = 50, FILE_MAX = 64 << 20 };
struct errs {
    struct conf_errors *out;
    size_t cap;
    int errors, warnings;
    bool failed; /* an error, not only warnings */
    bool full;   /* ERRORS_MAX reached: nothing more is kept, and work may stop */
    str path;    /* the file that is being read */
};
void errs_init(struct errs *e, struct conf_errors *out);
void errs_add(struct errs *e, int line, bool warning, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
#define fail(e, line, ...) errs_add((e), (line), false, __VA_ARGS__)
#define warn(e, line, ...) errs_add((e), (line), true, __VA_ARGS__)
void errs_finish(struct errs *e, const struct conf_bundle *order); /* sorts by file and line */
/* Text that is safe to show, in quotes, cut at 60 octets. Lives in the errors' arena. */
const char *shown(struct errs *e, str s);

/* ---- text to tokens to tree (lex.c, parse.c) ---- */

enum tok { TOK_END, TOK_WORD, TOK_STRING, TOK_EQUAL, TOK_OPEN, TOK_CLOSE, TOK_COMMA, TOK_BAD };
struct token {
    enum tok kind;
    int line;
    str text;
};
struct lexer {
    str in;
    size_t at;
    int line;
    struct arena *mem; /* for strings with backslashes */
    struct errs *errs;
};
struct token lex_next(struct lexer *l);

struct entry { /* key = value */
    struct entry *next;
    str name;
    int line;
    struct token *v; /* one, or a list's; TOK_BAD: reported already */
    size_t n;
    bool list, bad;
};
struct block { /* a section; the first block of a file holds its top level */
    struct block *next;
    str name, title;
    bool titled;
    int line;
    struct entry *first, **last;
};
/* The tree of a file; what cannot be understood is reported and left out. NULL without memory. */
struct block *parse(str text, struct arena *mem, struct errs *e);

/* ---- values (value.c) ---- */

struct setting { /* where a value is set, for messages */
    struct errs *e;
    struct arena *mem;
    str dir;           /* that paths are relative to */
    const char *where; /* "listener mx: " or "" */
};
/* Sets the field of `k` in the struct at `base`; false and reported when the value is wrong. */
bool value_set(const struct setting *s, const struct key *k, const struct entry *v, void *base);
bool value_default(const struct key *k, struct arena *mem, void *base); /* false only without memory */
bool section_defaults(enum section s, struct arena *mem, void *base);   /* all keys of a struct */
void value_print(struct buf *out, const struct key *k, const void *base);
str path_join(struct arena *mem, str dir, str path);

/* ---- loading (load.c, aliases.c, check*.c, index.c) ---- */

enum { MILTERS_BY_ADDRESS = 64 }; /* filters that lists name without a section */

struct load {
    struct conf *c;
    const struct conf_bundle *b;
    struct errs e;
    struct arena tmp;
    int lines[KEY_COUNT]; /* where a global key stands; 0: it has its default */
    str alias_path;       /* of aliases_file, for messages */
};
#define LINE(l, name) ((l)->lines[KEY_AT_global_##name])
void scripts_read(struct load *l); /* fills in c->scripts */
void aliases_read(struct load *l); /* adds the lines of aliases_file to c->aliases */
void check(struct load *l);        /* rules between keys; fills in defaults that come from other keys */
void check_relay(struct load *l);
void check_acme(struct load *l); /* check_acme.c */
void check_scan(struct load *l); /* check_scan.c */
void check_sts(struct load *l);  /* check_sts.c */
void check_submission(struct load *l);
void check_accounts(struct load *l); /* source sections */
void check_oauths(struct load *l);   /* after the texts of files */
void check_listeners(struct load *l);
void check_domains(struct load *l);
void check_aliases(struct load *l);
void check_routes(struct load *l);
void check_dkims(struct load *l);      /* keys that sign: their titles, what they sign */
void check_milters(struct load *l);    /* filters: their addresses, who uses them */
void check_proxies(struct load *l);    /* upstreams, listeners that use them, routes of stored mail */
void check_rules(struct load *l);      /* lists and rules: sentences to trees, names to sections, phases */
bool conf_index_build(struct load *l); /* false without memory; reports what is there twice */
void check_loops(struct load *l);      /* by the index */
void conf_index_free(struct conf_index *x);
bool key_given(const struct conf *c, const struct key *k); /* a global key stands in the file */

/* An empty `*s` becomes `def`; anything else must be a domain name (or, with `literal`, an address in brackets). */
void check_name(struct load *l, int line, const char *key, bool literal, str def, str *s);
/* One of `own` ("mx", "discard", "maildir" as bits of 1 << conf_how) or a server's URL. */
bool check_hop(struct load *l, int line, const char *where, str text, unsigned own, bool lmtp, struct conf_hop *ret);

/* The listener of ours that a connection to this server would reach, or NULL. */
const struct conf_listener *own_listener(const struct conf *c, const struct url *u);
/* Brings an address to the form used in tables (domain in A-labels, lower case). False and *ret_why set when it is
 * none. *ret_local (may be NULL) is without quotes. */
bool address_of(struct load *l, str text, str *ret, str *ret_local, str *ret_domain, const char **ret_why);
/* The same for a domain name; single labels are fine. */
bool domain_of(struct load *l, str text, str *ret);

#endif
