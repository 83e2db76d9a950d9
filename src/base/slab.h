/*
 * What allocators of their own are built on: slabs from the system, aligned to their size so that an address tells its
 * slab, and for ASan the marking of octets that nobody may touch.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n) ((void)0)
#define UNPOISON(p, n) ((void)0)
#endif

/* n octets, zeroed; n is a power of two and whole pages. NULL: no memory. To be given back by munmap. */
static inline char *slab_map(size_t n)
{
    char *p = (char *)mmap(NULL, 2 * n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    size_t head = (n - ((uintptr_t)p & (n - 1))) & (n - 1);
    if (head)
        munmap(p, head);
    munmap(p + head + n, n - head);
    return p + head;
}

#endif
