/* What is odd about a header block, as facts with points. Pure. */
#ifndef POLICY_SANITY_H
#define POLICY_SANITY_H
#include "base/arena.h"

enum sanity {
#define ODD(NAME, name, points, text) SANITY_##NAME,
#include "policy/sanity.def"
#undef ODD
    SANITY_COUNT
};
struct sanity_row {
    const char *name, *text;
    double points;
};
extern const struct sanity_row sanity_rows[SANITY_COUNT];

/* Bits 1u << SANITY_x of what is found. `body_8bit`: the body has octets above 127; `utf8`: the message came by
 * SMTPUTF8. */
uint32_t sanity_of(str block, int64_t now_s, bool body_8bit, bool utf8);

#endif
