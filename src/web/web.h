/*
 * web: what is served by HTTPS. Now that is one page, the MTA-STS policy of each of our domains (RFC 8461 3.2, 3.3), at
 * https://mta-sts.DOMAIN/.well-known/mta-sts.txt; another page is a row of the table in web.c.
 */
#ifndef WEB_WEB_H
#define WEB_WEB_H
#include "conf/conf.h"
#include "net/net.h"

/* One connection of a client: handshake, question, answer, end. Bounded by 10 s for each of the three. */
void web_session(struct conn *c, const struct conf *conf, struct tls_server *tls) YIELDS;

/* The policy of a domain of ours (A-labels, lower case) as its file; `d` NULL: what the sections say for all. False: it
 * has none (mode "off"). */
bool web_policy(const struct conf *conf, const struct conf_domain *d, struct buf *out);
/* The id of its TXT record: another one for another text. */
enum { WEB_ID_SIZE = 20 };
void web_policy_id(str policy, char ret[WEB_ID_SIZE + 1]);
/* Is there a listener for it? */
bool web_serves(const struct conf *conf);

#endif
