/* Closing by scope: __attribute__((cleanup)) helpers for what a function holds while it runs. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H
#include "base/arena.h"
#include "base/buf.h"

#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
static inline void cleanup_free(void *p) { free(*(void **)p); }
static inline void cleanup_buf(struct buf *b) { buf_free(b); }
static inline void cleanup_arena(struct arena *a) { arena_free(a); }

#define AUTO_FD __attribute__((cleanup(cleanup_fd))) int /* AUTO_FD fd = -1; */
#define AUTO_FREE __attribute__((cleanup(cleanup_free))) /* AUTO_FREE char *p = NULL; */
#define AUTO_BUF __attribute__((cleanup(cleanup_buf))) struct buf
#define AUTO_ARENA __attribute__((cleanup(cleanup_arena))) struct arena

#endif
