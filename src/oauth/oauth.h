/*
 * oauth: bearer tokens of mail programs (RFC 6750) and whose they are. A token is either signed (JWT, RFC 7519) and
 * checked here by the public keys that its authority publishes (RFC 7517), or the authority is asked about it
 * (RFC 7662). Which authorities are believed, and about whom, is what the oauth sections of the configuration say.
 *
 * The messages of OAUTHBEARER (RFC 7628) and XOAUTH2 (as Google and Microsoft have it) are read here, too.
 */
#ifndef OAUTH_OAUTH_H
#define OAUTH_OAUTH_H
#include "conf/conf.h"
#include "rt/rt.h"

enum { OAUTH_ACCOUNT_MAX = 320, OAUTH_TOKEN_MAX = 12288 };

struct oauth_message {
    char name[OAUTH_ACCOUNT_MAX + 1]; /* who the client says it is; "" it does not */
    str token;                        /* a view; "" none: the client wants to be told what is needed (RFC 7628 4.3) */
};
/* Pure. False: it is not such a message. */
bool oauth_message_parse(bool xoauth2, str in, struct oauth_message *ret);

enum oauth_result {
    OAUTH_YES,
    OAUTH_NO,  /* expired, for somebody else, of nobody that we know, ... */
    OAUTH_DOWN /* an authority does not answer: later */
};
struct oauth_owner {
    char account[OAUTH_ACCOUNT_MAX + 1]; /* lower case; may lack a domain */
    const struct conf_oauth *by;         /* who says so; NULL: nobody was asked. Lives as long as the configuration. */
    const char *why;                     /* of anything but YES, for the log; static */
};
/* Whose token is it? */
enum oauth_result oauth_judge(const struct conf *c, str token, struct oauth_owner *ret) YIELDS;
/* May this authority speak for accounts of this domain? */
bool oauth_speaks_for(const struct conf_oauth *by, str domain);
/* What the client is told when its token is refused: JSON (RFC 7628 3.2.2). `by` may be NULL. */
void oauth_refusal(struct buf *out, bool xoauth2, const struct conf *c, const struct conf_oauth *by);

#endif
