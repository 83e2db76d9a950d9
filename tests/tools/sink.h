/*
 * The counting sink: an SMTP server that keeps nothing. sink.c has the loop, the protocol and the
 * ledger, sink_opts.c the command line.
 */
#ifndef TOOLS_SINK_H
#define TOOLS_SINK_H
#include "netio.h"

struct fault {
    int percent; /* of the occasions */
    int code;    /* reply code */
};

struct options {
    char host[64];
    int port;
    int threads;
    uint64_t messages;  /* stop after so many; 0: never */
    const char *ledger; /* arrivals go here, checked octet by octet */
    uint64_t seed;      /* of every random choice */
    int delay_ms;       /* before each reply */
    struct fault refuse_mail, refuse_rcpt, refuse_data;
    int drop_before_dot, drop_after_dot, greet_421; /* percent */
    int per_connection;                             /* 421 after so many messages; 0: never */
    bool no_pipelining, no_8bitmime, no_size, chunking, smtputf8, dsn, binarymime, no_ehlo, lmtp, quiet;
    bool starttls, implicit_tls;
    const char *cert, *key;
};

void options_parse(struct options *o, int argc, char **argv);

#endif
