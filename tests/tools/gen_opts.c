/* The generator's command line. */
#include "gen.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: gen --to 127.0.0.1:PORT [options]\n"
    "  --connections N (1)  --threads N (1)  --messages N (1)  --first N (0)  --seconds S  --rate R (messages a "
    "second)\n"
    "  --size N[,N...]       octets of a message; of several one is drawn per message (10240)\n"
    "  --kind p|d|8|m        plain text, awkward lines, those with UTF-8, all in turn (p)\n"
    "  --seed N              messages are made from it and their sequence number (1)\n"
    "  --rcpt-per-message N (1)  --domains N (1)  --domain NAME (dest.example)  --rcpt ADDRESS (for all)\n"
    "  --from ADDRESS (sender@load.example; empty: null sender)  --helo NAME (gen.test)\n"
    "  --ledger FILE         one line per outcome, written before the next command\n"
    "  --reuse N             messages per connection (no limit)\n"
    "  --no-pipeline  --bdat (one chunk, or --chunk N octets each)  --tls  --starttls  --lmtp\n"
    "  --patience S          give up after S seconds without an acknowledgement (60)\n";

enum {
    TO = 1,
    CONNECTIONS,
    THREADS,
    MESSAGES,
    FIRST,
    SECONDS,
    RATE,
    SIZE,
    KIND,
    SEED,
    RCPTS,
    DOMAINS,
    DOMAIN_,
    RCPT,
    FROM,
    HELO,
    LEDGER,
    REUSE,
    NO_PIPELINE,
    BDAT,
    CHUNK,
    TLS,
    STARTTLS,
    LMTP,
    PATIENCE
};

static const struct option table[] = {{"to", 1, NULL, TO},
                                      {"connections", 1, NULL, CONNECTIONS},
                                      {"threads", 1, NULL, THREADS},
                                      {"messages", 1, NULL, MESSAGES},
                                      {"first", 1, NULL, FIRST},
                                      {"seconds", 1, NULL, SECONDS},
                                      {"rate", 1, NULL, RATE},
                                      {"size", 1, NULL, SIZE},
                                      {"kind", 1, NULL, KIND},
                                      {"seed", 1, NULL, SEED},
                                      {"rcpt-per-message", 1, NULL, RCPTS},
                                      {"domains", 1, NULL, DOMAINS},
                                      {"domain", 1, NULL, DOMAIN_},
                                      {"rcpt", 1, NULL, RCPT},
                                      {"from", 1, NULL, FROM},
                                      {"helo", 1, NULL, HELO},
                                      {"ledger", 1, NULL, LEDGER},
                                      {"reuse", 1, NULL, REUSE},
                                      {"no-pipeline", 0, NULL, NO_PIPELINE},
                                      {"bdat", 0, NULL, BDAT},
                                      {"chunk", 1, NULL, CHUNK},
                                      {"tls", 0, NULL, TLS},
                                      {"starttls", 0, NULL, STARTTLS},
                                      {"lmtp", 0, NULL, LMTP},
                                      {"patience", 1, NULL, PATIENCE},
                                      {0}};

static void set_sizes(struct options *o, const char *arg)
{
    str rest = str_c(arg), one;
    for (o->nsizes = 0; str_cut(&rest, ',', &one) && o->nsizes < GEN_SIZES_MAX;) {
        char z[16];
        unsigned long n = str_to_c(one, z, sizeof z) ? strtoul(z, NULL, 10) : 0;
        if (n < 512 || n > 64u << 20)
            die("gen: size " STR_FMT ": expected 512 to 67108864", STR_ARG(one));
        o->sizes[o->nsizes++] = (uint32_t)n;
    }
}

static void set_number(struct options *o, int c, const char *arg)
{
    unsigned long long n = strtoull(arg, NULL, 10);
    switch (c) {
    case CONNECTIONS:
        o->connections = (int)n;
        break;
    case THREADS:
        o->threads = (int)n;
        break;
    case MESSAGES:
        o->messages = n;
        break;
    case FIRST:
        o->first = n;
        break;
    case SECONDS:
        o->seconds = strtod(arg, NULL);
        break;
    case RATE:
        o->rate = strtod(arg, NULL);
        break;
    case SEED:
        o->seed = n;
        break;
    case RCPTS:
        o->rcpts = (unsigned)n;
        break;
    case DOMAINS:
        o->domains = (unsigned)n;
        break;
    case REUSE:
        o->reuse = (unsigned)n;
        break;
    case CHUNK:
        o->chunk = (unsigned)n;
        break;
    case PATIENCE:
        o->patience = strtod(arg, NULL);
        break;
    default:
        break;
    }
}

static void set(struct options *o, int c, const char *arg)
{
    switch (c) {
    case TO:
        if (!parse_hostport(arg, o->host, &o->port))
            die("gen: %s: expected a loopback address and a port, as 127.0.0.1:2525", arg);
        break;
    case SIZE:
        set_sizes(o, arg);
        break;
    case KIND:
        o->kind = arg[0];
        break;
    case DOMAIN_:
        o->domain = arg;
        break;
    case RCPT:
        o->rcpt = arg;
        break;
    case FROM:
        o->from = arg;
        break;
    case HELO:
        o->helo = arg;
        break;
    case LEDGER:
        o->ledger = arg;
        break;
    case NO_PIPELINE:
        o->no_pipeline = true;
        break;
    case BDAT:
        o->bdat = true;
        break;
    case TLS:
        o->implicit_tls = true;
        break;
    case STARTTLS:
        o->starttls = true;
        break;
    case LMTP:
        o->lmtp = true;
        break;
    case '?':
        fputs(usage, stderr), exit(2);
    default:
        set_number(o, c, arg);
        break;
    }
}

void options_parse(struct options *o, int argc, char **argv)
{
    *o = (struct options){.connections = 1,
                          .threads = 1,
                          .messages = 1,
                          .sizes = {10240},
                          .nsizes = 1,
                          .seed = 1,
                          .kind = 'p',
                          .rcpts = 1,
                          .domains = 1,
                          .domain = "dest.example",
                          .from = "sender@load.example",
                          .helo = "gen.test",
                          .patience = 60};
    for (int c; (c = getopt_long(argc, argv, "", table, NULL)) != -1;)
        set(o, c, optarg);
    if (!o->port || optind != argc || o->connections < 1 || o->threads < 1 || o->threads > 64 || o->rcpts < 1 ||
        o->rcpts > GEN_RCPT_MAX || o->domains < 1 || o->nsizes < 1 || !strchr("pd8m", o->kind))
        fputs(usage, stderr), exit(2);
    if (o->threads > o->connections)
        o->threads = o->connections;
}
