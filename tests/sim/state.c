/*
 * What is a process's alone: a node's writable variables are swapped in when one of its actors runs, an actor's
 * thread-local ones with the actor. The linker says where they lie; the simulator's own (section sim_own) stay.
 */
#include "sim.h"

#include <link.h>
#include <stdio.h>
#include <unistd.h>

extern char __data_start[], _end[];
extern char __start_sim_own[], __stop_sim_own[];

static char *fresh OWN, *fresh_tls OWN; /* what a new process, a new thread begins with */
static char *tls OWN;
static size_t tls_n OWN, first_n OWN, second_n OWN;

/* Byte by byte for the compiler: sanitizers keep red zones between variables, which go along. */
static void copy(void *to, const void *from, size_t n)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
}

static int find_tls(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size, (void)arg;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_TLS) {
            tls = info->dlpi_tls_data;
            tls_n = info->dlpi_phdr[i].p_memsz;
        }
    return 1; /* the program comes first; libraries keep theirs */
}

static void save(char *to)
{
    copy(to, __data_start, first_n);
    copy(to + first_n, __stop_sim_own, second_n);
}

static void load(const char *from)
{
    copy(__data_start, from, first_n);
    copy(__stop_sim_own, from + first_n, second_n);
}

void state_begin(void)
{
    first_n = (size_t)(__start_sim_own - __data_start);
    second_n = (size_t)(_end - __stop_sim_own);
    if (&__start_sim_own[0] < &__data_start[0] || &__stop_sim_own[0] > &_end[0]) {
        fputs("sim: its own variables lie outside of the others\n", stderr);
        _exit(3);
    }
    dl_iterate_phdr(find_tls, NULL);
    fresh = own_alloc(first_n + second_n);
    save(fresh);
    fresh_tls = own_alloc(tls_n);
    copy(fresh_tls, tls, tls_n);
}

void *image_new(void)
{
    void *p = own_alloc(tls_n);
    memcpy(p, fresh_tls, tls_n);
    return p;
}

void image_swap(struct actor *from, struct actor *to)
{
    if (from && from->image)
        copy(from->image, tls, tls_n);
    if (to)
        copy(tls, to->image, tls_n);
}

void state_new(struct node *n)
{
    if (!n->image)
        n->image = own_alloc(first_n + second_n);
    if (sim.loaded == n)
        sim.loaded = NULL;
    memcpy(n->image, fresh, first_n + second_n);
}

void state_load(struct node *n)
{
    if (sim.loaded == n)
        return;
    if (sim.loaded)
        save(sim.loaded->image);
    load(n->image);
    sim.loaded = n;
}

static void scan(const char *p, size_t n, void (*each)(void *word))
{
    p = (const char *)(((uintptr_t)p + 7) & ~(uintptr_t)7);
    for (size_t i = 0; i + sizeof(void *) <= n; i += sizeof(void *)) {
        void *word;
        copy(&word, p + i, sizeof word);
        each(word);
    }
}

void state_scan(struct node *n, void (*each)(void *word))
{
    state_load(n);
    scan(__data_start, first_n, each);
    scan(__stop_sim_own, second_n, each);
    for (struct actor *a = n->actors; a; a = a->next)
        if (a->image)
            scan(a->image, tls_n, each);
}
