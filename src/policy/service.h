/* What the filters that ask others have in common: the message as these read it, and what becomes of mail without an
 * answer. */
#ifndef POLICY_SERVICE_H
#define POLICY_SERVICE_H
#include "policy/breaker.h"
#include "policy/content.h"

struct service_octets { /* arg of the reader */
    struct policy *p;
    const struct matter *m;
};
/* False: the message is not kept here, or cannot be read. */
bool service_message(struct service_octets *o, struct scan_octets *ret) YIELDS;

enum service_fail { SERVICE_ACCEPT, SERVICE_DEFER, SERVICE_REFUSE };
/* It could not be asked: noted, and *v by `fail`. `by` is static; `what` is it for people: "spam filter". */
void service_failed(struct policy *p, const struct matter *m, struct verdict *v, enum service_fail fail, const char *by,
                    const char *what, str why);

#endif
