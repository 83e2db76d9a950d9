/*
 * Memory for small things that stay for hours, messages of the queue and answers of DNS: cells of equal size, cut from
 * slabs that hold nothing else. They are made while sessions and connections take and give back buffers; from the
 * common heap they would end up between these, and whatever was free around them could never go back to the system. Any
 * thread may take and give.
 */
#ifndef RT_CELLS_H
#define RT_CELLS_H
#include <stddef.h>

/* Zeroed, aligned to 8 octets. NULL without memory. Large ones are of the common heap. */
void *cell_take(size_t n);
void cell_give(void *p, size_t n); /* n as it was taken; NULL: nothing happens */
size_t cells_bytes(void);          /* of all slabs */

#endif
