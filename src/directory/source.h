/*
 * Accounts that are kept elsewhere: one question, three kinds of who answers it. Every function blocks (the pool) and
 * makes a connection of its own: a server that comes back is found by the next question.
 */
#ifndef DIRECTORY_SOURCE_H
#define DIRECTORY_SOURCE_H
#include "directory/internal.h"

enum source_answer {
    SOURCE_YES,   /* there is such an account, and the password, when one was asked about, is right */
    SOURCE_NO,    /* there is none */
    SOURCE_WRONG, /* the password is not right */
    SOURCE_HASH,  /* there is; whether the password fits ret_hash is for the caller to find out */
    SOURCE_DOWN   /* no answer, or none that can be understood */
};
struct source_question {
    const struct conf_source *source;
    char address[400]; /* lower case */
    char password[512];
    bool login; /* is `password` right? else: is there such an account? */
    char hash[400];
    char why[200]; /* for the log, when it is down */
    enum source_answer answer;
};
void source_dovecot(struct source_question *q) BLOCKS;
void source_ldap(struct source_question *q) BLOCKS;
void source_postgresql(struct source_question *q) BLOCKS;

/* Pure: "%u" of a filter is the address, with what RFC 4515 3 wants escaped. */
void source_filter(struct buf *out, str filter, str address);
/* Pure: one line of Dovecot's auth protocol about our question. False: about something else. */
bool source_dovecot_line(str line, bool login, enum source_answer *ret);

#endif
