/* What the files of DNS share: answers as they are kept, messages, the cache, and what asks the questions. */
#ifndef NET_DNS_H
#define NET_DNS_H
#include "base/map.h"
#include "net/net.h"

#include <stdatomic.h>

enum {
    DNS_RECORDS_MAX = 100,       /* of one answer that are kept */
    DNS_TEXTS_MAX = 1000,        /* ... of type TXT: the one that matters may be among many */
    DNS_NAME_MAX = 253,          /* octets of a name as text, without the last dot */
    DNS_ANSWER_MAX = 128 * 1024, /* octets of memory for one answer */
};

/* ---- dns_msg.c: pure ---- */

/* What a message says about `type`, following CNAMEs from its question. OK; E_DNS_NODATA, E_DNS_NONE; E_DNS_TEMP for
 * other codes and for what cannot be read; E_NOMEM, E_LIMIT of `a`. ret->ttl is filled in for the first three: of
 * a negative answer by its SOA (RFC 2308 5), 0 without. ret->secure is not touched. */
err dns_msg_read(str packet, unsigned type, struct arena *a, struct dns_answer *ret);
/* A name as it is asked: A-labels in lower case, no dot at the end, only letters, digits, '-' and '_' (and '/' of
 * RFC 2317) or, with `any`, everything but NUL; NUL behind it. E_SYNTAX. */
err dns_name_read(str name, bool any, struct arena *a, str *ret);
/* True for names of letters, digits, '-', '_', '/' and dots. */
bool dns_name_plain(str name);

/* ---- dns_cache.c: one cache for all loops ---- */

struct dns_result { /* immutable once it is shared */
    atomic_int refs;
    err e;
    rt_time until;            /* not to be used after; 0: not to be kept */
    struct dns_answer answer; /* its octets lie behind this struct */
};
struct dns_result *dns_result_new(err e, const struct dns_answer *a); /* a copy; NULL: no memory */
struct dns_result *dns_result_ref(struct dns_result *r);
void dns_result_drop(struct dns_result **r);
/* `world` names a configuration: answers of another one are not seen. A reference or NULL. */
struct dns_result *dns_cache_get(str name, unsigned type, uint64_t world);
void dns_cache_put(str name, unsigned type, uint64_t world, struct dns_result *r);
void dns_cache_clear(void);

/* ---- dns.c and what answers it ---- */

/* One question that somebody waits for, of one loop. */
struct dns_flight {
    struct map_node node; /* in its resolver's flights */
    struct cond cond;
    struct post post; /* the back end's */
    struct dns_engine *engine;
    struct dns_result *result; /* NULL: not answered yet */
    int refs;                  /* fibers that wait, and the back end */
    uint64_t world;
    unsigned type;
    size_t name_n;
    char name[DNS_NAME_MAX + 1]; /* NUL behind it */
};
/* Told once for each question: the message, or an error in `e`. On the loop's own stack. */
struct dns_reply {
    err e;
    str packet;
    bool secure, bogus;
};
void dns_answered(struct dns_flight *f, const struct dns_reply *r);
bool dns_wanted(void); /* a fiber of this loop waits for an answer */

/* The resolver library, or a fake for tests and the simulator. */
struct dns_backend {
    err (*open)(struct dns_engine **ret, const struct dns_config *c);
    void (*ask)(struct dns_engine *e, struct dns_flight *f); /* answers later, not inside */
    void (*close)(struct dns_engine *e);                     /* it ends when its last question is answered */
};
extern const struct dns_backend dns_unbound;
extern const struct dns_backend *dns_backend;

/* ---- dns_hosts.c ---- */

struct dns_hosts;
err dns_hosts_new(struct dns_hosts **ret, str text);
void dns_hosts_free(struct dns_hosts **h);
/* True: this name is a matter of the file, and *ret is OK or E_DNS_NODATA. */
bool dns_hosts_find(const struct dns_hosts *h, str name, unsigned type, struct arena *a, struct dns_answer *ret_answer,
                    err *ret);
bool dns_hosts_name(const struct dns_hosts *h, const struct ip *ip, str *ret);

#endif
