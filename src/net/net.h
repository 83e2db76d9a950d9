/*
 * net: connections with buffers, deadlines and TLS; listeners; connecting out; DNS. All sleeping
 * calls belong to fibers of one loop.
 */
#ifndef NET_NET_H
#define NET_NET_H
#include "base/arena.h"
#include "base/list.h"
#include "rt/rt.h"
#include "wire/idn.h"
#include "wire/ip.h"
#include "wire/proxyp.h"

/* ---- connections -------------------------------------------------------------------------------- */

/*
 * A stream with one deadline and one sticky error: after the first failure every call returns that
 * error and does nothing, so a step checks once at its end. Buffers are borrowed from the loop while
 * they hold something: an idle connection owns none. A struct conn must not move while it is open. One
 * fiber may read while another one writes.
 */
struct tls_session;
struct conn {
    struct io io;
    struct tls_session *tls; /* NULL: in clear */
    rt_time deadline;        /* absolute; set by the owner for each state; RT_NEVER at first */
    err e;                   /* first error: E_CLOSED (peer ended), E_TIMEOUT, E_CANCELLED, E_RESET, E_TLS ... */
    struct sockaddr_storage peer, local;
    char *in; /* (private) what was read and not yet taken: in[in_at .. in_n) */
    size_t in_at, in_n, in_cap;
    char *out; /* (private) what is to be written: out[out_at .. out_n) */
    size_t out_at, out_n, out_cap;
    uint64_t bytes_in, bytes_out; /* of the stream, TLS taken off */
    bool hasty;        /* set by the owner: it ends while the peer may be sending, so conn_end waits for that */
    bool writing, cut; /* (private) a write sleeps; a write ended in the middle of the caller's pieces */
};

/* Takes a connected descriptor of the current loop; owned (closed) from here on, also on failure. */
err conn_init(struct conn *c, int fd, const struct sockaddr_storage *peer);
void conn_close(struct conn *c); /* at once: no flush, no close_notify */
/* Flushes, sends close_notify in TLS, closes. Bounded by the deadline. */
void conn_end(struct conn *c) YIELDS;
/* After E_TIMEOUT, E_CANCELLED or E_LINE_LENGTH: forgets the error, so that a farewell (421) can be written; the owner
 * sets a new deadline, and shields the fiber when it was cancelled. Returns the error that stays, or OK. */
err conn_resume(struct conn *c);

/* A line up to and including LF, at most `max` octets (max <= 64 KiB). *ret has neither LF nor a CR before it
 * and is valid until the next read. `*ret_crlf` (may be NULL) tells whether it ended in CRLF.
 * Out-bound data is flushed first when it would have to wait. A longer line: E_LINE_LENGTH is returned once, not
 * sticky, after the whole line was swallowed (up to 64 MiB; beyond that sticky). */
err conn_readline(struct conn *c, size_t max, str *ret, bool *ret_crlf) YIELDS;
/* Whatever is there, at least one octet: *ret is valid until the next call; conn_took says how many of
 * them were used (the rest is seen again). Flushes first when it would have to wait. */
err conn_peek(struct conn *c, str *ret) YIELDS;
/* The same after at least one more octet arrived behind those that are here: for parsers that ask for more.
 * E_LIMIT (not sticky) when 64 KiB are here already. */
err conn_peek_more(struct conn *c, str *ret) YIELDS;
void conn_took(struct conn *c, size_t n);
/* A PROXY header at the very beginning of a stream in clear, and not one octet more, so that TLS may follow at
 * once. E_SYNTAX, not sticky: there is none. */
err conn_read_proxy(struct conn *c, struct proxyp *ret) YIELDS;
/* Reads straight into `p` (n octets at most), from the buffer first: for message bodies. */
err conn_read(struct conn *c, void *p, size_t n, size_t *ret_n) YIELDS;
/* A whole line is here: conn_readline would not wait. */
bool conn_has_line(const struct conn *c);
/* Gives back the last octets that conn_read gave: they are read again. */
void conn_unread(struct conn *c, str s);
/* Octets that are here already, without sleeping (also those decrypted). */
size_t conn_buffered(const struct conn *c);
/* True when a byte is waiting in the socket or buffer right now (for early talkers); does not sleep. An end of the
 * stream or an error that shows itself is kept in c->e. */
bool conn_readable(struct conn *c);
/* After a failed write: what the peer said before may still be read; nothing more can be written. In TLS the error
 * stays. */
void conn_hear(struct conn *c);

/* Buffers, and writes when 16 KiB are gathered. */
err conn_write(struct conn *c, str s) YIELDS;
err conn_writev(struct conn *c, const struct iovec *v, int nv) YIELDS; /* large pieces go out without a copy */
err conn_printf(struct conn *c, const char *fmt, ...) YIELDS __attribute__((format(printf, 2, 3)));
err conn_flush(struct conn *c) YIELDS;

/* ---- TLS (OpenSSL 3.0) ---------------------------------------------------------------------------- */

/* The identities (certificate chain and key) of one listener generation, chosen by server name (SNI); immutable,
 * shared by all loops, counted. Sessions resume across loops, listeners and reloads of one process. */
struct tls_server;
struct tls_server_config {
    const char *const *cert_pem; /* chains in PEM, one text each; the first is the default ... */
    const char *const *key_pem;  /* ... with their keys; NULL, or NULL in it: the keeper has the key (priv_tls_key) */
    size_t n;
    int min_version;     /* 0: TLS1_2_VERSION */
    const char *ciphers; /* TLS 1.2 list; NULL: ours */
    const char *alpn;    /* the one protocol that is agreed to (RFC 7301); static; NULL: none is spoken of */
};
/* *ret_why (may be NULL, as everywhere below) receives what is wrong. E_TLS, E_NOMEM. */
err tls_server_new(struct tls_server **ret, const struct tls_server_config *c, struct buf *ret_why);
struct tls_server *tls_server_ref(struct tls_server *s);
/* When the first of its certificates ends, in seconds since 1970; 0: not known. */
int64_t tls_server_ends(const struct tls_server *s);
void tls_server_drop(struct tls_server **s);
/* A self-signed pair (ECDSA P-256, 10 years) for `hostname`, as PEM texts. */
err tls_self_signed(str hostname, struct buf *cert_pem, struct buf *key_pem);

/* Server handshake on c. Fails with E_TLS when plain octets are buffered already (RFC 3207, injection).
 * Bounded by c->deadline. *ret_why (may be NULL) receives OpenSSL's reason for the log. */
err tls_accept(struct conn *c, struct tls_server *s, struct buf *ret_why) YIELDS;

enum tls_verify {
    TLS_ANY,
    TLS_LOOK,   /* as TLS_VERIFY, but what is found out is only told: *ret_fault */
    TLS_VERIFY, /* chain to the system's roots and `name` */
    TLS_DANE    /* a record of `tlsa` (RFC 7672) */
};
enum tls_fault { TLS_FAULT_NONE, TLS_FAULT_NAME, TLS_FAULT_EXPIRED, TLS_FAULT_TRUST, TLS_FAULT_OTHER };
struct tls_tlsa { /* RFC 6698 2.1 */
    uint8_t usage, selector, matching;
    str data;
};
struct tls_client_config {
    enum tls_verify verify;
    str name;           /* SNI and reference identity; TLS_DANE: the base domain of the records */
    const char *ca_pem; /* roots instead of the system's; NULL: the system's */
    const struct tls_tlsa *tlsa;
    size_t ntlsa;
    enum tls_fault *ret_fault; /* what is wrong with the certificate; may be NULL; not set when there was none */
    bool resume;               /* sessions with the same server under the same conditions may be resumed */
    str also; /* TLS_DANE: another identity that a DANE-TA(2) chain may have, the next-hop domain; "" none */
};
/* E_TLS_NAME: the handshake went well but for the certificate. */
err tls_connect(struct conn *c, const struct tls_client_config *cfg, struct buf *ret_why) YIELDS;
/* Loads the system's roots now rather than at the first TLS_VERIFY: before files are out of reach. */
err tls_setup(void) BLOCKS;

struct tls_info {
    const char *version, *cipher; /* "TLSv1.3", "TLS_AES_256_GCM_SHA384"; static */
    int bits;
    char sni[256];
    bool resumed, verified;
};
bool tls_info(const struct conn *c, struct tls_info *ret); /* false in clear */
/* The tls-exporter channel binding (RFC 9266). False in clear, and in TLS 1.2 without the extended master secret. */
bool tls_binding(const struct conn *c, unsigned char ret[32]);

/* ---- connecting out -------------------------------------------------------------------------------- */

struct target { /* one address to try */
    struct sockaddr_storage to;
    struct sockaddr_storage from; /* ss_family 0: the system chooses */
    bool tls;                     /* implicit TLS, by the caller */
};
err net_connect(struct conn *c, const struct target *t, rt_time deadline) YIELDS;

/* ---- idle connections (idle.c) ------------------------------------------------------------------------ */

/*
 * Connections to servers that nobody uses at the moment, each on the loop that opened it. Their owner embeds a
 * `struct idle` in what it keeps, and says by functions what fits a question and how one ends; none of them yields.
 */
enum { IDLE_LOOPS_MAX = 64 };
struct idle {
    struct list at;
    struct timer timer;
    struct idle_pool *pool;
};
struct idle_pool {
    uint32_t most; /* for each loop */
    bool (*fits)(const struct idle *i, const void *key);
    bool (*alive)(struct idle *i);   /* still as it was left: see conn_quiet */
    void (*drop)(struct idle *i);    /* it is dead: at once and without a word */
    void (*expired)(struct idle *i); /* its time is over: with a farewell, where that is in order */
    struct idle_shelf {              /* (private) */
        struct list v;               /* most recent first; next NULL: not begun */
        uint32_t n;
    } shelves[IDLE_LOOPS_MAX];
};
/* The most recent one that fits and lives; from here on the caller's. NULL: none. Dead ones on the way are dropped. */
struct idle *idle_take(struct idle_pool *p, const void *key);
/* False: the loop has `most` already, or the fiber is cancelled; it stays the caller's. */
bool idle_keep(struct idle_pool *p, struct idle *i, rt_time span);
/* Nothing has come and nothing went wrong since the last answer was read to its end. */
bool conn_quiet(struct conn *c);

/* ---- DNS (libunbound behind a cache) ------------------------------------------------------------------ */

struct dns_config {
    const struct sockaddr_storage *servers; /* none: /etc/resolv.conf as it was read at start (resolv_conf) */
    size_t nservers;
    bool validate;          /* DNSSEC by the system's root anchor */
    str anchor;             /* contents of the root's trust anchor; empty: the system's file is read */
    str resolv_conf, hosts; /* contents */
    rt_time timeout;        /* for one question; 5 s */
};
/* Prepares this loop's resolver, in a fiber or a post; a reload calls it again: questions under way end with the old
 * one. E_NOMEM, E_IO; E_SYNTAX: a server without an IP address, or a trust anchor that is none. */
err dns_setup(const struct dns_config *c);
/* The same as a configuration says it. What fails (a loop short of memory) is logged and tried again each second; until
 * then the resolver stays as it was. */
struct conf;
void dns_follow(struct conf *c);
void dns_end(void); /* this loop asks no more */

enum dns_type {
    DNS_A = 1,
    DNS_CNAME = 5,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_TLSA = 52
};
struct dns_record {
    uint16_t preference; /* MX; of SRV the priority */
    str data;            /* A: 4 octets, AAAA: 16, MX/PTR/CNAME/SRV: name in lower case without
                          * the last dot (the root, as in a null MX: ""), TXT: joined strings, TLSA: rdata */
    uint16_t port;       /* SRV */
};
struct dns_answer {
    struct dns_record *v;
    size_t n;      /* at most 100, of TXT 1000 */
    str canonical; /* the name at the end of the CNAMEs */
    bool secure;   /* validated (DNSSEC) */
    uint32_t ttl;
};
/* OK with n > 0; E_DNS_NODATA (name exists), E_DNS_NONE (NXDOMAIN), E_DNS_TEMP (SERVFAIL, timeout), E_DNS_BOGUS,
 * E_SYNTAX (not a name). Names in UTF-8 are converted to A-labels first. The answer lives in `a`. */
err dns_lookup(str name, enum dns_type type, struct arena *a, struct dns_answer *ret) YIELDS;
/* The same with more say in it: E_DNS_TEMP at `until` (or when the configured time for one question is over). `any`:
 * the name asked for may hold any octet but NUL, and names in the answer any visible ASCII but a backslash (what mail
 * authentication builds from addresses); without it such names are E_SYNTAX, and such records left out. */
struct dns_question {
    str name;
    enum dns_type type;
    rt_time until;
    bool any;
};
err dns_ask(const struct dns_question *q, struct arena *a, struct dns_answer *ret) YIELDS;
/* Several questions on their way together, at most DNS_TOGETHER: `e` and `answer` of each as dns_ask gives them. */
enum { DNS_TOGETHER = 4 };
struct dns_call {
    struct dns_question q;
    struct arena *a;
    struct dns_answer answer;
    err e;
};
void dns_ask_all(struct dns_call *v, size_t n) YIELDS;
/* The reverse name of an address: validated forward-confirmed name, or E_DNS_*. */
err dns_reverse(const struct sockaddr_storage *addr, struct arena *a, str *ret_name) YIELDS;

#endif
