/* What the files of DKIM and ARC share: the fields of a message, its body's hashes, keys. */
#ifndef CHECK_SIGNED_H
#define CHECK_SIGNED_H
#include "check/check.h"
#include "wire/dkim.h"

#include <openssl/evp.h>

/* ---- fields.c: a header block in which fields are found by name, last ones first -------------------------------- */

struct mail_field {
    struct head_field f;
    uint32_t above;  /* 1 + index of the next field of the same name upwards; 0: none */
    uint32_t cursor; /* of the lowest field of its name: the one to be signed next ... */
    uint32_t stamp;  /* ... in the walk of this number */
};
struct fields {
    struct mail_field *v; /* in the order of the message */
    size_t n;
    uint32_t *slot; /* hash table of 1 + index of the lowest field of each name */
    size_t mask;
    uint32_t stamp;
};
/* E_LIMIT: more than CHECK_FIELDS_MAX. E_NOMEM. `head` stays where it is. */
err fields_read(struct fields *f, str head, struct arena *a);
/* A walk as RFC 6376 5.4.2 wants it: each name takes the lowest field that was not taken yet. NULL: no more. */
void fields_begin(struct fields *f);
const struct head_field *fields_take(struct fields *f, str name);
size_t fields_count(const struct fields *f, str name);

/* ---- hash.c --------------------------------------------------------------------------------------------------------
 */

/* The hashes of one body in both canonical forms, as far as they are wanted. */
struct body_hash {
    struct body_stream {
        EVP_MD_CTX *md; /* NULL: not wanted */
        struct canon_body canon;
        uint64_t size; /* canonical octets */
        unsigned char hash[DKIM_HASH_SIZE];
        bool bad;
    } form[2]; /* enum canon */
};
err body_hash_want(struct body_hash *b, enum canon c);
void body_hash_feed(struct body_hash *b, str octets);
void body_hash_end(struct body_hash *b);
void body_hash_free(struct body_hash *b);
err sha256(str data, unsigned char ret[DKIM_HASH_SIZE]);

/* ---- key.c: public keys
 * ---------------------------------------------------------------------------------------------- */

/* Does `signature` belong to this hash? OK; E_DENIED: no. E_LIMIT: a key too small or too large; E_SYNTAX: not a key of
 * this algorithm; E_NOMEM. *ret_bits as soon as it is known. */
err key_verify(enum dkim_alg alg, str p, const unsigned char hash[DKIM_HASH_SIZE], str signature, unsigned *ret_bits);

/* ---- mail.c, dkim.c, arc.c: one message
 * ------------------------------------------------------------------------------ */

struct mail_sig {
    const struct head_field *field;
    struct dkim_sig sig;
    err e; /* of the parser */
};
struct mail_key { /* what a name said, asked once a message */
    struct mail_key *next;
    str name;
    err e;
    str record[4];
    size_t n;
};
struct arc_set {
    const struct head_field *results, *message, *seal;
    str payload; /* of the results */
    struct dkim_sig ams, as;
};
struct check_mail {
    struct check *c;
    struct fields fields;
    struct body_hash body;
    struct mail_sig *sig;
    size_t nsig;
    bool more, too_many, arc;
    bool arc_sealed_fail; /* the newest seal says cv=fail */
    unsigned arc_last;    /* the newest instance of a chain that is not sound */
    struct arc_set *set;  /* [1 .. nset], when the chain is sound in its form */
    unsigned nset;
    str arc_why; /* not empty: why it is not */
    err arc_e;
    struct mail_key *keys;
    struct buf scratch; /* canonical fields */
    size_t hashed;      /* octets of them so far */
};

/* What became of one signature. */
struct sig_verdict {
    enum check_result result;
    str why;
    unsigned bits;
    bool testing;
};
/* Fetches the key of `s` and verifies `hash` with it. */
void sig_judge(struct check_mail *m, const struct dkim_sig *s, const unsigned char hash[DKIM_HASH_SIZE],
               struct sig_verdict *ret) YIELDS;
/* The hash over the fields that h= names and the signature's own (RFC 6376 3.7). */
err sig_hash_fields(struct check_mail *m, const struct head_field *field, const struct dkim_sig *s, enum canon form,
                    unsigned char ret[DKIM_HASH_SIZE]);
void dkim_verify(struct check_mail *m, struct check_results *r) YIELDS;

/* The three fields of each set, sorted and parsed. */
void arc_collect(struct check_mail *m);
void arc_verify(struct check_mail *m, struct check_results *r) YIELDS;
/* The canonical form of one set as seals cover it (RFC 8617 5.1.1); of the seal that is being made or verified the part
 * without its signature. */
void arc_scope_set(struct buf *out, const struct arc_set *s, bool whole);

/* ---- sign.c ---- */

struct sign_order;
/* Writes an ARC-Seal over `scope`, to which its own form is added. */
err seal_write(const struct sign_order *o, enum arc_cv cv, struct buf *scope, struct buf *out) YIELDS;

#endif
