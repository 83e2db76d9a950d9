/*
 * keys: DKIM keys of domains that have a section `dkim DOMAIN`, which the server makes and changes by schedule. The
 * private halves are the keeper's (priv_dkim_make); what is here is their life, a row each in data-dir/dkim.db:
 *
 *   MAKING   the row is there, the keeper may have made the key or not
 *   WAITING  its record is to be published; DNS is asked for it
 *   USED     it was seen there, and signs
 *   RETIRED  another one signs now; it stays published, for what is under way
 *   GONE     its private half is deleted; the record may be removed, and once it is, the row goes
 *
 * Each step is durable before the next one begins, and may be done twice.
 */
#ifndef KEYS_KEYS_H
#define KEYS_KEYS_H
#include "base/arena.h"
#include "base/buf.h"
#include "conf/conf.h"
#include "rt/rt.h"

enum keys_state { KEYS_MAKING, KEYS_WAITING, KEYS_USED, KEYS_RETIRED, KEYS_GONE, KEYS_STATES };
const char *keys_state_name(enum keys_state s); /* "waiting" */

enum { KEYS_MAX = 10000, KEYS_RECORD_MAX = 1024, KEYS_NAME_MAX = 253, KEYS_SELECTOR_MAX = 63, KEYS_SIGNERS_MAX = 2 };
struct keys_key {
    char name[KEYS_NAME_MAX + 1]; /* SELECTOR._domainkey.DOMAIN */
    char selector[KEYS_SELECTOR_MAX + 1];
    char record[KEYS_RECORD_MAX + 1]; /* "v=DKIM1; k=rsa; p=..."; "" while it is being made */
    bool rsa;
    enum keys_state state;
    int64_t since_s, made_s; /* of the state; of the key */
};
static inline str keys_domain(const struct keys_key *k) { return str_skip(str_c(k->name), strlen(k->selector) + 12); }

/* Opens (makes) dkim.db in the data folder. *why in words. Before loops run; or in a command, which only looks. */
err keys_open(int data_dir, struct buf *why) BLOCKS;
void keys_close(void) BLOCKS;

/* The keys that sign for a domain (A-labels, lower case) now, one of an algorithm; any thread. */
struct keys_signer {
    char name[KEYS_NAME_MAX + 1];
    char selector[KEYS_SELECTOR_MAX + 1];
    bool rsa;
};
size_t keys_signers(str domain, struct keys_signer ret[KEYS_SIGNERS_MAX]);
/* Is a signature with this key's name ours, whatever state the key is in? */
bool keys_known(str name);
/* All of a domain, or of all domains (""), by domain and age. Copies in `a`. E_NOMEM. */
err keys_list(struct arena *a, str domain, struct keys_key **ret, size_t *ret_n);

/* Each generation, on loop 0: begins, goes on, or rests. */
void keys_follow(struct conf *c);

/* "status [DOMAIN]", "rotate DOMAIN", "use NAME": an operator's words, text or JSON to `out`, complaints to `why`. The
 * exit status (0, 1, 64). status may be asked without a server. On loop 0. */
struct keys_call {
    const struct conf *conf;
    const str *words;
    size_t n;
    bool json;
    struct buf *out, *why;
    struct arena *arena;
};
int keys_command(const struct keys_call *c) YIELDS;

#endif
