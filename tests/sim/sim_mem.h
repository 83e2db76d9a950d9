/* The simulator's own allocations belong to no node: they go round the counting of memory.c. */
#ifndef SIM_MEM_H
#define SIM_MEM_H
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);
int __real_munmap(void *p, size_t n);
void *own_alloc(size_t n); /* zeroed; ends the process without memory */
void *own_grow(void *p, size_t n);
char *own_text(const char *s);
#endif
