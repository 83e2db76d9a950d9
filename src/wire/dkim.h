/*
 * The grammars of DKIM and ARC: signature fields (RFC 6376 3.5), key records (3.6.1), ARC sets (RFC 8617 4.1), with
 * RFC 8301, RFC 8463 and RFC 8616. Pure: what a field says, not whether it is true.
 */
#ifndef WIRE_DKIM_H
#define WIRE_DKIM_H
#include "wire/canon.h"
#include "wire/tags.h"

enum dkim_alg { DKIM_RSA_SHA256, DKIM_ED25519_SHA256 };
const char *dkim_alg_name(enum dkim_alg a); /* as in a= */
bool dkim_alg_parse(str a, enum dkim_alg *ret);
bool dkim_canon_parse(str c, enum canon *ret_head, enum canon *ret_body);

enum { DKIM_HASH_SIZE = 32, DKIM_HEADERS_MAX = 1000, DKIM_SIG_MAX = 1024, DKIM_INSTANCE_MAX = 50 };

enum dkim_kind { DKIM_SIGNATURE, ARC_MESSAGE_SIGNATURE, ARC_SEAL };
enum arc_cv { ARC_CV_NONE, ARC_CV_PASS, ARC_CV_FAIL };

struct dkim_sig {
    enum dkim_kind kind;
    str a, d, s, i; /* as written; i: the whole identity, "@d" when there is none */
    str domain;     /* d= as A-labels in lower case */
    str key_name;   /* where the key lies: s._domainkey.d */
    str h;          /* names, to be taken off with tags_item(':'); ARC_SEAL: none */
    str b;          /* raw value of b=; canon_b_value gives all that is left out of the hash */
    str signature;  /* decoded */
    unsigned char body_hash[DKIM_HASH_SIZE];
    enum dkim_alg alg;
    enum canon head, body;
    bool has_c, has_l, has_t, has_x;
    uint64_t l, t, x;  /* saturated */
    unsigned instance; /* ARC: 1 to 50 */
    enum arc_cv cv;    /* ARC_SEAL */
    str why;           /* what is wrong, for people, when the parser said so */
};

/* The value of a field into *ret; strings live in `value` or in `a`. E_SYNTAX; E_UNSUPPORTED: an algorithm, form or
 * version that is unknown here, or rsa-sha1 (RFC 8301 3.1); E_NOMEM. ret->why, and d, s and a as far as they were
 * found, are set after an error, too. */
err dkim_sig_parse(str value, enum dkim_kind kind, struct arena *a, struct dkim_sig *ret);
/* i= of an ARC-Authentication-Results field, and what stands behind it. False: no valid instance in front. */
bool arc_results_parse(str value, unsigned *ret_instance, str *ret_payload);

struct dkim_key {
    enum dkim_alg alg; /* of the key: DKIM_RSA_SHA256 or DKIM_ED25519_SHA256 */
    str p;             /* decoded; empty: revoked */
    bool strict;       /* t=s: i= must be in d= itself (3.6.1) */
    bool testing;      /* t=y */
    str why;
};
/* A record as one string. E_SYNTAX, E_UNSUPPORTED (other version, key type, hash or service), E_NOMEM; ret->why. */
err dkim_key_parse(str record, struct arena *a, struct dkim_key *ret);

#endif
