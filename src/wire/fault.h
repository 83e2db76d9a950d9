/* What may be wrong with a command or address, each with the reply that a client gets for it. */
#ifndef WIRE_FAULT_H
#define WIRE_FAULT_H
#include "wire/reply.h"

enum fault {
    FAULT_NONE = 0,
#define FAULT(name, code, esc, text) FAULT_##name,
#include "wire/fault.def"
#undef FAULT
    FAULT_COUNT
};

const char *fault_name(enum fault f); /* "ADDR_8BIT"; "NONE" */
const char *fault_text(enum fault f);
/* Sets *r to the row's reply. `sender`: the fault is about a reverse-path (5.1.7 for 5.1.3). */
void fault_reply(struct reply *r, enum fault f, bool sender);

#endif
