/* Keys that sign mail, and the records of a domain, as several commands need them. */
#ifndef CLI_KEYS_H
#define CLI_KEYS_H
#include "base/buf.h"
#include "conf/conf.h"
#include "keys/keys.h"

/* dkim.c. A new key in a file that must not be there yet (0600): RSA of so many bits; 0: Ed25519. The exit status,
 * after a message. */
int cli_key_make(const char *path, unsigned bits);
/* The public half of the key in a file, as the text of its record: "v=DKIM1; k=rsa; p=...". The exit status, after a
 * message. */
int cli_key_record(const char *path, struct buf *out);

/* kept_keys.c. Those that the server makes itself, of a domain ("": all), from its file. The exit status, after a
 * message; 0 also when there are none. */
int cli_kept_keys(const struct conf *c, str domain, struct arena *a, struct keys_key **ret, size_t *ret_n);
int cli_dkim_kept(int argc, char **argv); /* dkim status, rotate, use */

/* tlsa.c. SHA-256 of the public keys that are shown on port 25, and of the one that tls.next-certificate names. */
enum { TLSA_MAX = 4, TLSA_SIZE = 32 };
struct cli_tlsa {
    struct cli_tlsa_key {
        char path[512];
        bool next; /* not in use yet */
        bool read; /* false: there is nothing in the file, or it cannot be opened */
        unsigned char hash[TLSA_SIZE];
    } v[TLSA_MAX];
    size_t n;
};
void cli_tlsa_keys(const struct conf *c, struct cli_tlsa *ret);
void cli_tlsa_print(struct buf *out, const struct conf *c); /* as records for hostname */

/* dns.c. Every record to publish for a domain, as lines of a zone file; the exit status, after a message. */
int cli_records(struct buf *out, const struct conf *c, str domain);

#endif
