/* What the files of priv share: the table of questions, its handlers, and the form of a message. */
#ifndef PRIV_INTERNAL_H
#define PRIV_INTERNAL_H
#include "base/arena.h"
#include "base/cleanup.h"
#include "priv/priv.h"

/* Answers `in` by adding to `out`, which holds at most what its row says. Runs on a thread of the keeper, several at
 * once, and may block there; in process on the fiber that asks. The caller may be hostile: everything is checked. */
typedef err priv_handler(str in, struct buf *out);
#define PRIV_REQUEST(name, class, in, out, text) priv_handler priv_do_##name;
#include "priv/requests.def"
#undef PRIV_REQUEST

struct priv_row {
    const char *name;
    enum priv_class class;
    size_t most_in, most_out;
    priv_handler *run;
};
extern const struct priv_row priv_rows[PRIV_REQUESTS];

/* This, and n octets behind it: one of them is a packet of a question, one or several are one of answers, without
 * padding. Both ends are of one program. */
enum { PRIV_HELLO = 0xffff }; /* from a new keeper: what its predecessor had read and not answered is asked again */
struct priv_head {
    uint64_t id;   /* given by who asks, never used twice in a process */
    uint32_t what; /* question: enum priv_request; answer: err */
    uint32_t n;
};
enum { PRIV_PACKET_MAX = sizeof(struct priv_head) + PRIV_MESSAGE_MAX };

/* Asks; the answer is added to `out` (may be NULL). From a fiber, unless the handlers are in this process. */
err priv_call(enum priv_request what, str in, struct buf *out) YIELDS;
/* Checks the sizes and runs the handler. */
err priv_answer(uint32_t what, str in, struct buf *out);

/* ---- file.c: in the folder of secrets ---- */

err priv_file_make(int dir, const char *name, str text);        /* durable, unless there is one: that stays */
void priv_file_tidy(int dir);                                   /* removes what a crash left half-written */
err priv_file_read(int dir, const char *name, struct buf *out); /* at most out->max octets */

/* mail_keys.c: a key that the server made. E_NOT_FOUND. The caller frees it. */
struct sign_key;
err mail_key_find(str name, struct sign_key **ret);

/* ---- keys of TLS: store.c has them, tls_key.c uses them from afar ---- */

/* A key is named by the SHA-256 of its public half (SubjectPublicKeyInfo in DER). */
enum { PRIV_KEY_ID = 32 };
struct evp_pkey_st;
bool priv_key_id(const struct evp_pkey_st *key, unsigned char ret[PRIV_KEY_ID]);
/* What a TLS signature is made of (RFC 8446 4.2.3): question of tls_sign is the id, this octet, the length of the
 * digest's name, the name, and the digest (of Ed25519: the text). */
enum priv_scheme { PRIV_RSA_PKCS1, PRIV_RSA_PSS, PRIV_ECDSA, PRIV_EDDSA };

/* ---- hash.c: stored forms ---- */

#define SCRAM_PREFIX "SCRAM-SHA-256$"
enum { SCRAM_KEY = 32, SCRAM_SALT = 16, SCRAM_SALT_MAX = 64, SCRAM_ROUNDS = 15000, SCRAM_ROUNDS_MAX = 10000000 };
struct scram {
    uint32_t rounds;
    unsigned char salt[SCRAM_SALT_MAX], stored[SCRAM_KEY], server[SCRAM_KEY];
    size_t nsalt;
};
bool scram_parse(str text, struct scram *ret);

/* As both sides prepare it (RFC 4013); what cannot be prepared stays as it is. NUL-ended, to be wiped and freed. */
char *password_prepare(str password);
/* Both stored forms of a password; yescrypt. E_NOMEM, E_SYNTAX, E_LIMIT. */
err password_make(str password, char hash[PRIV_HASH_MAX], char scram[PRIV_HASH_MAX]);
/* Some 50 ms. A hash of none costs as much as one that does not fit. */
bool password_fits(str hash, str password);
bool password_hash_valid(str hash);

/* ---- account_file.c: files of accounts, sorted ---- */

struct account_file {
    str title;
    bool unread;
    struct account_line {
        str name, hash; /* folded; a form of crypt(3), or "" none */
        size_t line;
    } * v;
    size_t n;
};
/* Everything lies in `a`. E_NOMEM, E_LIMIT: too many lines. */
err account_file_read(struct account_file *f, struct arena *a, const struct priv_file *from);
const struct account_line *account_file_find(const struct account_file *f, str name);
/* store.c: the hash of an account in the file of this generation. E_NOT_FOUND, E_UNSUPPORTED: there is no such file. */
err store_file_hash(str title, str address, str bare, char hash[PRIV_HASH_MAX]);

/* ---- secrets.c: the file of passwords ---- */

/* Lower case, the domain in A-labels. False: not a name. */
bool name_fold(str name, char ret[PRIV_ACCOUNT_MAX + 1]);
/* "user", "user@domain" or "user@domain/title", completed and folded. False: no name. */
bool name_take(str name, str domain, char account[PRIV_ACCOUNT_MAX + 1], char title[PRIV_TITLE_MAX + 1]);

/* The passwords of an account (folded) that are switched on, its own first. E_NOT_FOUND; anything else: the source of
 * passwords does not answer. */
struct secret_list {
    struct priv_secret *v;
    size_t n;
};
err secrets_find(struct arena *a, const char *account, struct secret_list *ret);

#endif
