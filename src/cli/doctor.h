/* What `postrider doctor` is made of: findings, and the checks that make them. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H
#include "cli/check.h"

enum finding_level { FINDING_OK, FINDING_WARNING, FINDING_ERROR };

struct finding {
    enum finding_level level;
    str subject; /* "hostname", "domain example.org" */
    str text;    /* what was found */
    str advice;  /* what to do about it; "" for FINDING_OK */
};

enum { FINDINGS_MAX = 1000, DOCTOR_ADDRESSES_MAX = 16 };
struct doctor {
    const struct conf *conf;
    struct check *check;                 /* the resolver, an arena, a deadline */
    bool running;                        /* a server answers on the control socket */
    struct ip own[DOCTOR_ADDRESSES_MAX]; /* that the host name has */
    size_t nown;
    struct finding v[FINDINGS_MAX];
    size_t n;
};
/* Adds a finding; what stands behind a tab in the text is advice. Texts are copied. */
void doctor_say(struct doctor *d, enum finding_level level, str subject, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* doctor_machine.c: this machine; none asks a name. They may block: no server runs here. */
void doctor_folder(struct doctor *d); /* data-dir, its disk, the user */
void doctor_limits(struct doctor *d); /* descriptors, mappings, backlog */
void doctor_clock(struct doctor *d);
void doctor_certificate(struct doctor *d); /* of the server and of each listener that has its own */
void doctor_ports(struct doctor *d) YIELDS;

/* doctor_names.c: what DNS says */
err doctor_ask(struct doctor *d, enum dns_type type, struct dns_answer *ret, const char *fmt, ...) YIELDS
    __attribute__((format(printf, 4, 5)));
bool doctor_resolver(struct doctor *d) YIELDS; /* false: there is no use in asking it more */
void doctor_hostname(struct doctor *d) YIELDS; /* forward and reverse; fills in own[] */
void doctor_domain(struct doctor *d, str domain) YIELDS;
void doctor_outgoing(struct doctor *d, str domain) YIELDS; /* can its servers be reached? */

/* doctor_tls.c: transport security */
void doctor_sts(struct doctor *d, str subject, str domain) YIELDS;
void doctor_tlsrpt(struct doctor *d, str subject, str domain) YIELDS;
void doctor_tlsa(struct doctor *d) YIELDS;

#endif
