/* What the files of keys share: the rows, and the steps that an operator may ask for. */
#ifndef KEYS_INTERNAL_H
#define KEYS_INTERNAL_H
#include "keys/keys.h"

/* ---- store.c: rows in memory and on disk; memory changes when the disk has ---- */

/* A copy of the key of a domain and algorithm in this state, the youngest. False: none. */
bool store_find(str domain, bool rsa, enum keys_state state, struct keys_key *ret);
bool store_get(str name, struct keys_key *ret);
/* Writes up to two rows, all or none. E_LIMIT: too many keys. */
err store_put(const struct keys_key *v, size_t n) YIELDS;
err store_drop(const struct keys_key *k) YIELDS;

/* ---- life.c ---- */

/* Makes the next key of a section, unless one waits already, which is given then. Not from two fibers at once: */
err life_make(const struct conf *c, const struct conf_dkim *d, bool rsa, struct keys_key *ret) YIELDS;
/* This one signs from now on. */
err life_use(struct keys_key *k) YIELDS;
/* ... which these see to. */
err life_lock(void) YIELDS;
void life_unlock(void);

/* "rsa" or "ed25519" are made for this section? */
static inline bool life_wants(const struct conf_dkim *d, bool rsa)
{
    return d->algorithm == CONF_DKIM_BOTH || (d->algorithm == CONF_DKIM_RSA) == rsa;
}

#endif
