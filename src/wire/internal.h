/* What files of this room share and nobody else needs. */
#ifndef WIRE_INTERNAL_H
#define WIRE_INTERNAL_H
#include "wire/cmd.h"

/* Everything behind a path (cmd_param.c): parameters of MAIL, or of RCPT. */
enum fault params_parse(str rest, bool rcpt, unsigned exts, bool utf8, struct arena *mem, struct params *ret);

#endif
