/*
 * The filters in the order in which they are asked within a phase: rules of the configuration first, so that an
 * `accept` lifts what stands behind them; then what is built in, milters, scripts, scanners, and last the score.
 */
#include "policy/internal.h"

const struct filter filters[] = {
    {.name = NULL},
};
_Static_assert(sizeof filters / sizeof *filters <= FILTERS_MAX + 1, "one slot a filter in every session");
