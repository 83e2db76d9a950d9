/*
 * The sentences of sections `rule`: conditions and actions as trees, from text. Pure: nothing is looked up, all
 * memory is the caller's arena, and what comes out does not change any more once conf_load has tied names to sections.
 *
 *     condition := all { "or" all }      all := test { "and" test }
 *     test := "not" test | "(" condition ")" | FACT [ ["is"] ["not"] OPERATOR VALUE { "," VALUE } ]
 *
 * Words are told apart without regard to case. A value with blanks, commas or parentheses stands in single quotes.
 */
#ifndef CONF_RULE_H
#define CONF_RULE_H
#include "base/arena.h"
#include "wire/ip.h"

enum rule_phase {
#define RULE_PHASE(id, ...) RULE_AT_##id,
#include "conf/rule.def"
    RULE_PHASES
};
enum rule_fact {
#define RULE_FACT(id, ...) RULE_FACT_##id,
#include "conf/rule.def"
    RULE_FACTS
};
enum rule_op {
#define RULE_OP(id, ...) RULE_OP_##id,
#include "conf/rule.def"
    RULE_OPS
};
enum rule_do {
#define RULE_DO(id, ...) RULE_DO_##id,
#include "conf/rule.def"
    RULE_DOS
};
enum rule_type { RULE_YES, RULE_IP, RULE_DOMAIN, RULE_ADDRESS, RULE_TEXT, RULE_WORD, RULE_NUM, RULE_SIZE, RULE_SCORE };

struct rule_phase_row {
    const char *word, *text;
};
struct rule_fact_row {
    const char *words;
    enum rule_type type;
    enum rule_phase first, usual, last;
    const char *values, *text;
};
struct rule_op_row {
    const char *words, *types;
    int count;
    const char *text;
};
struct rule_do_row {
    const char *words, *shape;
    enum rule_phase first, usual, last;
    const char *text;
};
extern const struct rule_phase_row rule_phases[RULE_PHASES];
extern const struct rule_fact_row rule_facts[RULE_FACTS];
extern const struct rule_op_row rule_ops[RULE_OPS];
extern const struct rule_do_row rule_dos[RULE_DOS];

enum {
    RULE_DEPTH = 16,       /* parentheses and nots inside each other */
    RULE_TESTS = 256,      /* in one condition */
    RULE_VALUES = 1024,    /* of one test */
    RULE_REPLY_MAX = 400,  /* octets of the text of a reply */
    RULE_SCORE_UNIT = 100, /* a score of 1 */
    RULE_RATES = 3         /* a minute, an hour, a day */
};

struct conf_access;
struct conf_milter;
struct rule_value {
    str text;          /* of DOMAIN and ADDRESS: the form of tables, lower case, A-labels; others as they stand */
    int64_t number;    /* of NUM, SIZE; of SCORE in hundredths; of WORD its index in `values` */
    struct ip_net net; /* of IP */
};

enum rule_kind { RULE_ALL, RULE_ANY, RULE_NOT, RULE_TEST };
struct rule_cond {
    enum rule_kind kind;
    struct rule_cond *first, *next; /* what ALL, ANY and NOT hold; its neighbour there */
    enum rule_fact fact;            /* of TEST, and all below */
    str name;                       /* of `header` and `tag` */
    enum rule_op op;
    struct rule_value *v;
    size_t n;
    str list_title;
    const struct conf_access *list; /* of IN_LIST, set by conf_load */
};

struct rule_action {
    enum rule_do what;
    str name;                   /* of a header field; of `tag`, `run milter`, `run script` */
    str value;                  /* of a header field; an address ("" for <>); why; the text of a reply or a body */
    int code;                   /* of `refuse` and `defer` */
    str enhanced;               /* likewise, "5.7.1" */
    int64_t number;             /* of `class`; of `score` in hundredths */
    uint32_t rates[RULE_RATES]; /* of `limit`: a minute, an hour, a day; 0: none */
    uint32_t at_once;           /* likewise; 0: none */
    enum rule_fact by;          /* likewise */
    str by_name;                /* likewise, of `by header NAME` */
    str host;                   /* of `verify recipient at`; "" for the domain's own */
    uint16_t port;              /* likewise */
    const struct conf_milter *milter; /* of `run milter`, set by conf_load */
};

/* False: *ret_why says what was expected and what was found (p NULL: no memory). */
bool rule_condition(str text, struct arena *mem, struct rule_cond **ret, str *ret_why);
bool rule_action(str text, struct arena *mem, struct rule_action *ret, str *ret_why);

/* The phases in which a condition and its actions can be judged: from the first to the last, and the usual one. The
 * range may be empty (first > last); `ret_first_by` and `ret_last_by` name the words that bound it. */
struct rule_range {
    enum rule_phase first, usual, last;
    const char *first_by, *last_by;
};
void rule_range_init(struct rule_range *r);
void rule_range_of(struct rule_range *r, const struct rule_cond *c);
void rule_range_of_action(struct rule_range *r, const struct rule_action *a);

#endif
