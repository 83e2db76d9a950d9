/* Inside check. */
#ifndef CHECK_INTERNAL_H
#define CHECK_INTERNAL_H
#include "base/cleanup.h"
#include "check/check.h"

#endif
