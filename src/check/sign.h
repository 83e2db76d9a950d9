/* Making signatures: DKIM, and ARC sets. What policy decides is given in full; the private key is asked by a call. */
#ifndef CHECK_SIGN_H
#define CHECK_SIGN_H
#include "check/check.h"
#include "wire/dkim.h"

/* Signs a hash with the key of `arg`. */
typedef err sign_fn(void *arg, const unsigned char hash[DKIM_HASH_SIZE], struct buf *out) YIELDS;

struct sign_order {
    enum dkim_kind kind;
    enum dkim_alg alg;
    str domain, selector; /* A-labels */
    enum canon head, body;
    str headers;  /* h= as it shall stand, "From:To:..."; "" what is usual, with From, Subject, Date, To, Reply-To and
                   * List-*  once more than they are there */
    int64_t t, x; /* x: 0 none */
    unsigned instance;
    const unsigned char *body_hash; /* check_seal: of a body that took the place of the one that was read; NULL */
    sign_fn *sign;
    void *arg;
};

/* The hash of a body that is given in pieces, in one form or both. */
struct check_body;
err check_body_new(struct check_body **ret, bool simple, bool relaxed);
void check_body_feed(struct check_body *b, str octets);
/* NULL: not wanted, or failed. After it nothing is fed any more. */
const unsigned char *check_body_hash(struct check_body *b, enum canon c);
void check_body_free(struct check_body **b);

/* The field with its line end, to be put before `head` (CRLF). E_LIMIT: too many fields or octets; E_NOMEM; errors of
 * the signer. */
err check_sign(const struct sign_order *o, str head, const unsigned char body_hash[DKIM_HASH_SIZE],
               struct buf *out) YIELDS;

/* The next ARC set over a message that `m` has read to its end (check_mail_end): `results` is what stood in our
 * Authentication-Results, "mx.test; spf=pass ..."; `cv` what the chain was on arrival. o->kind and o->instance are
 * filled in. *ret_sealed is false, and nothing is written, when the chain cannot grow: it failed before, or has 50 sets
 * (RFC 8617 5.1, 5.1.2). */
err check_seal(struct sign_order *o, struct check_mail *m, str head, str results, enum arc_cv cv, struct buf *out,
               bool *ret_sealed) YIELDS;
/* What our Authentication-Results fields in `head` say, in one: "authserv-id; a; b". *ret_arc is their arc= word, or
 * "". *ret_any: is there one? */
err check_seal_results(str head, str authserv, struct buf *out, str *ret_arc, bool *ret_any);

#endif
