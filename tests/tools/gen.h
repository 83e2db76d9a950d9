/*
 * The load generator: an SMTP client on many connections. gen.c has the loop and the protocol,
 * gen_opts.c the command line.
 */
#ifndef TOOLS_GEN_H
#define TOOLS_GEN_H
#include "netio.h"

#define GEN_RCPT_MAX 1000
#define GEN_SIZES_MAX 1000

struct options {
    char host[64];
    int port;
    int connections, threads;
    uint64_t messages, first; /* how many, and the first sequence number */
    double seconds;           /* stop after this time; 0: no limit */
    double rate;              /* messages a second over all connections; 0: as fast as it goes */
    uint32_t sizes[GEN_SIZES_MAX];
    unsigned nsizes;
    uint64_t seed;
    char kind; /* p, d, 8; 'm': all of them in turn */
    unsigned rcpts, domains;
    const char *domain, *rcpt, *from, *helo;
    const char *ledger;
    unsigned reuse; /* messages per connection; 0: no limit */
    bool no_pipeline, bdat, implicit_tls, starttls, lmtp;
    unsigned chunk;  /* octets per BDAT */
    double patience; /* give up when nothing was acknowledged for so many seconds */
};

void options_parse(struct options *o, int argc, char **argv);

#endif
