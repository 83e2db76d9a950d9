/* What the readers of conditions and of actions share: words of a sentence, and saying what is wrong with one. */
#ifndef CONF_RULE_READ_H
#define CONF_RULE_READ_H
#include "base/buf.h"
#include "conf/rule.h"

enum rule_tok { RT_END, RT_WORD, RT_STRING, RT_OPEN, RT_CLOSE, RT_COMMA, RT_MARK /* > < >= <= = != */, RT_BAD };
struct rule_token {
    enum rule_tok kind;
    str text;
    size_t at, end; /* in the sentence */
};
struct rule_reader {
    str in;
    size_t at; /* behind `now` */
    struct rule_token now;
    struct arena *mem;
    int depth, tests;
    str near; /* what may have been meant; "" */
    str why;  /* the first fault */
    bool bad, nomem;
};

void rule_read_begin(struct rule_reader *r, str text, struct arena *mem);
void rule_next(struct rule_reader *r);
/* Always false. "expected WHAT, found ..." */
bool rule_expected(struct rule_reader *r, const char *what);
bool rule_nomem(struct rule_reader *r);
/* Takes the words of one row ("sender domain") when they come next, in any case; `words` empty: nothing is taken. */
bool rule_takes(struct rule_reader *r, const char *words);
/* The index of the row whose words come next, the longest of them, taken; -1: none. `rows` are `n` structs of `size`
 * octets that begin with a pointer to their words. */
int rule_takes_row(struct rule_reader *r, const void *rows, size_t size, int n);
/* "a, b or c" of such rows, for messages; what may have been meant by the word that comes next is said behind it. */
const char *rule_rows(struct rule_reader *r, const char *before, const void *rows, size_t size, int n);
/* A fact with the name behind `header` and `tag`. */
bool rule_read_fact(struct rule_reader *r, enum rule_fact *ret, str *ret_name);
/* A value that is one word or string, taken. */
bool rule_read_word(struct rule_reader *r, const char *what, str *ret);
bool rule_read_score(str text, int64_t *ret);
/* An address in the form of tables; "" for <>. With `patterns` also "@domain". */
bool rule_read_address(struct rule_reader *r, str text, bool patterns, str *ret);
bool rule_field_name(str name);

#endif
