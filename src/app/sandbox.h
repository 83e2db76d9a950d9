/* What a child may still do when it has opened what it needs (sandbox.c). */
#ifndef APP_SANDBOX_H
#define APP_SANDBOX_H
#include "rt/rt.h"

enum sandbox { SANDBOX_WORKER, SANDBOX_KEEPER };
struct sandbox_place {
    int folder;       /* descriptor */
    const char *file; /* one file in it alone; NULL: all below it. What is not there is left out */
};
/* From here on this process and its threads open only what lies in these places, start no program, gain no privilege.
 * As far as the kernel can; the event `sandbox` says what holds. Before the first thread. Fails only when new
 * privileges cannot be ruled out. */
err sandbox_enter(enum sandbox kind, const struct sandbox_place *v, size_t n);

#endif
