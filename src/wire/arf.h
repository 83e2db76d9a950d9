/*
 * Feedback reports about single messages: complaints (ARF, RFC 5965) and authentication failures (RFC 6591, RFC 9991).
 * The fields of the part message/feedback-report, and of the message that it is about. Pure.
 */
#ifndef WIRE_ARF_H
#define WIRE_ARF_H
#include "base/arena.h"
#include "base/buf.h"

enum { ARF_TEXT_MAX = 1000, ARF_LIST_MAX = 20, ARF_FIELDS_MAX = 500 };

struct arf {  /* "" is not said */
    str type; /* "abuse", "fraud", "auth-failure", ... in lower case */
    str user_agent, source_ip, mail_from, arrival, reporting_mta, incidents;
    str failure, alignment, results, delivery, dkim_domain, dkim_selector; /* of auth-failure */
    str rcpt[ARF_LIST_MAX], domains[ARF_LIST_MAX];                         /* Original-Rcpt-To, Reported-Domain */
    size_t nrcpt, ndomains;
    str from, to, subject, message_id, date; /* of the message */
};
/* `part`: the body of message/feedback-report; `original`: the header block (and more) of the message, may be empty.
 * E_SYNTAX: without Feedback-Type; E_LIMIT, E_NOMEM. */
err arf_read(str part, str original, struct arena *a, struct arf *ret);
static inline bool arf_is_failure(const struct arf *f) { return str_eq(f->type, S("auth-failure")); }

#endif
