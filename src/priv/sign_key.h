/*
 * A private key that signs mail (DKIM, ARC): read, made, used, and the record to publish for it. Lives in the keeper,
 * and in the commands that are given a key by hand.
 */
#ifndef PRIV_SIGN_KEY_H
#define PRIV_SIGN_KEY_H
#include "base/buf.h"

enum { SIGN_HASH_SIZE = 32, SIGN_BITS_MIN = 1024, SIGN_BITS_MAX = 4096, SIGN_SIZE_MAX = SIGN_BITS_MAX / 8 };

struct sign_key;
/* PEM (PKCS#8 or PKCS#1, no pass phrase), the same in base64 without its lines, or the 32 octets of an Ed25519 key in
 * base64 (RFC 8463 A.2). E_SYNTAX; E_UNSUPPORTED: another kind of key; E_LIMIT: an RSA key of another size; E_NOMEM. */
err sign_key_read(str text, struct sign_key **ret);
struct sign_key *sign_key_ref(struct sign_key *k); /* one more; any thread */
void sign_key_free(struct sign_key **k);
bool sign_key_is_rsa(const struct sign_key *k); /* else Ed25519 */

/* Signs a SHA-256 hash: RSASSA-PKCS1-v1_5, or PureEdDSA of the hash itself (RFC 8463 3). At most SIGN_SIZE_MAX octets.
 * Half a millisecond of RSA-2048. E_NOMEM. */
err sign_key_sign(struct sign_key *k, const unsigned char hash[SIGN_HASH_SIZE], struct buf *out);
/* "v=DKIM1; k=rsa; p=...": the public half (RFC 6376 3.6.1). */
err sign_key_record(const struct sign_key *k, struct buf *out);
/* A new key as PEM (PKCS#8); the caller wipes it. bits: of RSA; 0: Ed25519. */
err sign_key_make(unsigned bits, struct buf *pem);

#endif
