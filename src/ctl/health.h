/* What is wrong with the server right now: one look at what `status` shows, pure. */
#ifndef CTL_HEALTH_H
#define CTL_HEALTH_H
#include "ctl/internal.h"

enum health_level { HEALTH_GREEN, HEALTH_YELLOW, HEALTH_RED };
struct health_facts {
    const struct queue_stats *q;
    const struct spool_stats *s;
    const struct queue_site *site; /* the busiest */
    size_t nsite;
    const struct ctl_upstream *upstream;
    size_t nupstream;
    int64_t now_ms;
    int64_t certificate_ends;         /* seconds since 1970; 0: there is none */
    int64_t reserve, most, notice_ms; /* spool.reserve, queue.max-recipients, queue.delay-notice */
    str filters;                      /* names of those that are not asked for a while, a line each */
};
/* Yellow: something does not work, or will not soon; red: mail is lost to others, or harm is done. `lines` gets a line
 * for each problem: what it is, and what to do. */
enum health_level health_look(const struct health_facts *f, struct buf *lines);
const char *health_name(enum health_level level);

#endif
