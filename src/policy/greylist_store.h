/* Between the table of greylisting and its database. */
#ifndef POLICY_GREYLIST_STORE_H
#define POLICY_GREYLIST_STORE_H
#include "rt/rt.h"

struct grey_row {
    uint64_t key;
    uint32_t first, last, passes; /* seconds since 1970 */
};
void grey_secret(const uint64_t v[2]);
bool grey_load(const struct grey_row *row); /* false: it is there, or no memory */
size_t grey_take_dirty(struct grey_row *v, size_t n);
size_t grey_expire(uint32_t before);
void grey_clear(void);

#endif
