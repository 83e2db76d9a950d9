/* MTA-STS (RFC 8461): the record in DNS and the policy that a domain serves. Pure. */
#ifndef WIRE_STS_H
#define WIRE_STS_H
#include "base/str.h"

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };
const char *sts_mode_name(enum sts_mode m);
enum { STS_MX_MAX = 64, STS_POLICY_MAX = 64 * 1024, STS_ID_MAX = 32, STS_AGE_MAX = 31557600 };

struct sts_policy {
    enum sts_mode mode;
    int64_t max_age_s;
    str mx[STS_MX_MAX]; /* "mx.example.com", "*.example.com"; views into the text */
    size_t nmx;
};

/* The id in a TXT record "v=STSv1; id=...;" (3.1). False: it is no such record, or not one by the grammar. */
bool sts_record(str txt, str *ret_id);
/* A policy file (3.2): lines end in LF or CRLF, unknown keys are passed over, of a key given twice the first counts.
 * False: it must be treated as if there were none. */
bool sts_policy(str text, struct sts_policy *ret);
/* 4.1: whether a server's name is one of the policy's; "*." stands for one label. */
bool sts_match(const struct sts_policy *p, str host);

#endif
