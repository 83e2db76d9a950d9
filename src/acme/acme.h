/*
 * acme: the server's certificate, obtained and renewed by itself (RFC 8555), proved by http-01 (8.3) or tls-alpn-01
 * (RFC 8737). The account's key and the certificate's are the keeper's (priv.h); what is here speaks with the authority
 * and answers its checks. The certificate lies in data-dir/secrets, where the parent sees it change and makes it a
 * generation, so that no session is touched. Everything runs on loop 0.
 */
#ifndef ACME_ACME_H
#define ACME_ACME_H
#include "conf/conf.h"
#include "rt/rt.h"

/* Each generation, on loop 0: begins, goes on, or ends with the old settings. conf->acme_chain is what is in force. */
void acme_follow(struct conf *c);
/* Answers the authority's checks on one listening socket of loop 0 (owned), until the fiber is cancelled. */
void acme_serve(int fd) YIELDS;

#endif
