/* The sink's command line. */
#include "sink.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: sink --listen 127.0.0.1:PORT [options]\n"
    "  --threads N           loops, each with its own listening socket (1)\n"
    "  --messages N          stop when N messages have come; else at SIGTERM or SIGINT\n"
    "  --ledger FILE         one line per arrival, its text compared with what gen sent\n"
    "  --seed N              of the random choices below\n"
    "  --delay-ms N          before each reply\n"
    "  --refuse-mail P:CODE  answer P percent of MAIL with CODE; likewise --refuse-rcpt, --refuse-data (at the dot)\n"
    "  --drop-before-dot P   close the connection in the middle of the text; --drop-after-dot P: after it, unanswered\n"
    "  --greet-421 P         refuse P percent of the connections; --per-connection N: 421 after N messages\n"
    "  --no-ehlo --no-pipelining --no-8bitmime --no-size --chunking --binarymime --smtputf8 --dsn   what EHLO offers\n"
    "  --lmtp                LHLO, and one reply per recipient after the dot\n"
    "  --starttls | --tls    with --cert FILE --key FILE\n"
    "  --quiet               no statistics at the end\n";

enum {
    LISTEN = 1,
    THREADS,
    MESSAGES,
    LEDGER,
    SEED,
    DELAY,
    R_MAIL,
    R_RCPT,
    R_DATA,
    D_BEFORE,
    D_AFTER,
    G421,
    PER_CONN,
    NO_EHLO,
    NO_PIPE,
    NO_8BIT,
    NO_SIZE,
    CHUNKING,
    BINARY,
    UTF8,
    DSN,
    LMTP,
    STARTTLS,
    TLS,
    CERT,
    KEY,
    QUIET
};

static const struct option table[] = {{"listen", 1, NULL, LISTEN},
                                      {"threads", 1, NULL, THREADS},
                                      {"messages", 1, NULL, MESSAGES},
                                      {"ledger", 1, NULL, LEDGER},
                                      {"seed", 1, NULL, SEED},
                                      {"delay-ms", 1, NULL, DELAY},
                                      {"refuse-mail", 1, NULL, R_MAIL},
                                      {"refuse-rcpt", 1, NULL, R_RCPT},
                                      {"refuse-data", 1, NULL, R_DATA},
                                      {"drop-before-dot", 1, NULL, D_BEFORE},
                                      {"drop-after-dot", 1, NULL, D_AFTER},
                                      {"greet-421", 1, NULL, G421},
                                      {"per-connection", 1, NULL, PER_CONN},
                                      {"no-ehlo", 0, NULL, NO_EHLO},
                                      {"no-pipelining", 0, NULL, NO_PIPE},
                                      {"no-8bitmime", 0, NULL, NO_8BIT},
                                      {"no-size", 0, NULL, NO_SIZE},
                                      {"chunking", 0, NULL, CHUNKING},
                                      {"binarymime", 0, NULL, BINARY},
                                      {"smtputf8", 0, NULL, UTF8},
                                      {"dsn", 0, NULL, DSN},
                                      {"lmtp", 0, NULL, LMTP},
                                      {"starttls", 0, NULL, STARTTLS},
                                      {"tls", 0, NULL, TLS},
                                      {"cert", 1, NULL, CERT},
                                      {"key", 1, NULL, KEY},
                                      {"quiet", 0, NULL, QUIET},
                                      {0}};

static struct fault parse_fault(const char *arg)
{
    struct fault f = {0};
    char extra;
    if (sscanf(arg, "%d:%d%c", &f.percent, &f.code, &extra) != 2 || f.code < 400 || f.code > 599)
        die("sink: %s: expected PERCENT:CODE, as 10:451", arg);
    return f;
}

static void set_flag(struct options *o, int c)
{
    switch (c) {
    case NO_EHLO:
        o->no_ehlo = true;
        break;
    case NO_PIPE:
        o->no_pipelining = true;
        break;
    case NO_8BIT:
        o->no_8bitmime = true;
        break;
    case NO_SIZE:
        o->no_size = true;
        break;
    case CHUNKING:
        o->chunking = true;
        break;
    case BINARY:
        o->binarymime = o->chunking = true;
        break;
    case UTF8:
        o->smtputf8 = true;
        break;
    case DSN:
        o->dsn = true;
        break;
    case LMTP:
        o->lmtp = true;
        break;
    case STARTTLS:
        o->starttls = true;
        break;
    case TLS:
        o->implicit_tls = true;
        break;
    case QUIET:
        o->quiet = true;
        break;
    default:
        fputs(usage, stderr), exit(2);
    }
}

static void set_value(struct options *o, int c, const char *arg)
{
    switch (c) {
    case LISTEN:
        if (!parse_hostport(arg, o->host, &o->port))
            die("sink: %s: expected a loopback address and a port, as 127.0.0.1:2599", arg);
        break;
    case THREADS:
        o->threads = atoi(arg);
        break;
    case MESSAGES:
        o->messages = strtoull(arg, NULL, 10);
        break;
    case LEDGER:
        o->ledger = arg;
        break;
    case SEED:
        o->seed = strtoull(arg, NULL, 10);
        break;
    case DELAY:
        o->delay_ms = atoi(arg);
        break;
    case R_MAIL:
        o->refuse_mail = parse_fault(arg);
        break;
    case R_RCPT:
        o->refuse_rcpt = parse_fault(arg);
        break;
    case R_DATA:
        o->refuse_data = parse_fault(arg);
        break;
    case D_BEFORE:
        o->drop_before_dot = atoi(arg);
        break;
    case D_AFTER:
        o->drop_after_dot = atoi(arg);
        break;
    case G421:
        o->greet_421 = atoi(arg);
        break;
    case PER_CONN:
        o->per_connection = atoi(arg);
        break;
    case CERT:
        o->cert = arg;
        break;
    case KEY:
        o->key = arg;
        break;
    default:
        break;
    }
}

void options_parse(struct options *o, int argc, char **argv)
{
    *o = (struct options){.threads = 1, .seed = 1};
    for (int c; (c = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        if (optarg)
            set_value(o, c, optarg);
        else
            set_flag(o, c);
    }
    if (!o->port || optind != argc || o->threads < 1 || o->threads > 64)
        fputs(usage, stderr), exit(2);
    if ((o->starttls || o->implicit_tls) && (!o->cert || !o->key))
        die("sink: TLS needs --cert and --key");
}
