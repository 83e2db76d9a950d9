/*
 * DKIM signatures on mail of our own users, of those that may relay, and on what we write ourselves: made when a
 * message enters, over the header as it is stored, so that every destination and every attempt sends the same one. A
 * form that differs (re-encoded for a server) is signed anew by send.
 */
#ifndef INTAKE_SIGN_H
#define INTAKE_SIGN_H
#include "check/sign.h"
#include "conf/conf.h"

/* What is signed in one message: the hash of its body, once for all keys. NULL: there are no keys at all. E_NOMEM. */
err sign_begin(const struct conf *c, struct check_body **ret);

struct sign_who {
    str account; /* authenticated user "local@domain", whose mail is signed for no other domain but its own and that ...
                  */
    str sender;  /* ... of the envelope; account empty: for any domain */
    int64_t now_s;
};
/* A field for each key of the author's domain, or of the nearest domain above it that signs for it. Adds nothing when
 * there is none. A key that the keeper does not have is passed over, and said in the log; other errors are temporary.
 */
err sign_head(const struct conf *c, const struct sign_who *w, str head, struct check_body *b, struct buf *out) YIELDS;
/* Is there a key that signs for an author of this domain? */
bool sign_has_key(const struct conf *c, str author);
/* All of it for a message in one piece: fields for its top. */
err sign_text(const struct conf *c, const struct sign_who *w, str message, struct buf *out) YIELDS;

/* The section whose key seals (check.seal); NULL: none. */
const struct conf_dkim *seal_section(const struct conf *c);
bool seal_is_simple(const struct conf_dkim *d); /* the form in which it takes the body */
/* One more ARC set over a message from outside, which `m` has read and found `arc` in; `head` is the header as it will
 * be stored, our Authentication-Results in it. `body`: the hash of another body than the one that was read; NULL. Adds
 * nothing when the chain cannot grow, or no key is there. */
struct check_mail;
err seal_head(const struct conf *c, struct check_mail *m, const struct check_arc *arc, str head,
              struct check_body *body, int64_t now_s, struct buf *out) YIELDS;

#endif
