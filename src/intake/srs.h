/*
 * SRS: the reverse-path of forwarded mail, rewritten into one of our domains so that the next server's
 * SPF check fits, signed (by priv) so that nobody else can make one, dated so that it ends.
 *
 *   SRS0=hash=day=domain=local     first forwarder
 *   SRS1=hash=first=rest           a later one; goes back to `first` directly
 */
#ifndef INTAKE_SRS_H
#define INTAKE_SRS_H
#include "base/arena.h"
#include "base/buf.h"
#include "rt/rt.h"

enum srs_result {
    SRS_NONE, /* not such an address */
    SRS_OK,
    SRS_BAD /* forged, expired or broken */
};
enum { SRS_DAYS = 21 };

/* The new local part for `local`@`domain`. False when there is no secret, or it would be longer than
 * a local part may be: keep the sender. */
bool srs_forward(struct buf *out, str local, str domain, int64_t now_s) YIELDS;
/* The way back, in `mem`. */
enum srs_result srs_reverse(struct arena *mem, str local, int64_t now_s, str *ret_local, str *ret_domain) YIELDS;

#endif
