/* The rooms of one worker process and what connects them (wire_up.c, ports.c). */
#ifndef APP_WIRING_H
#define APP_WIRING_H
#include "app/app.h"
#include "history/history.h"
#include "queue/queue.h"
#include "recv/recv.h"

struct world {
    struct conf *conf; /* in force; world_conf() from anywhere */
    struct spool *spool;
    struct queue *queue;
    struct history *history; /* NULL: it could not be opened */
    struct folders folders;
    int channel;
    bool running;       /* the queue has been started */
    int64_t started_ms; /* wall clock */
};
extern struct world world;

/* The generation in force, with a reference. Any thread. */
struct conf *world_conf(void);

/* ---- wire_up.c ------------------------------------------------------------------------------------------ */

const struct queue_ops *world_queue_ops(void);
/* A fiber that looks after the servers behind proxy listeners. */
void world_watch(void *arg) YIELDS;
/* Tells every room of the others; before the loops run. */
void world_wire_up(void);
/* Serves a control or metrics socket of this loop, until the fiber is cancelled. */
void world_serve(enum socket_kind kind, int fd) YIELDS;
/* The parts of a generation that belong to one loop: the resolver. On loop 0 also the queue. The script is followed
 * before: by loop 0 for all of them, so that no session has the generation without it. */
void loop_follow(struct conf *c);

/* ---- ports.c: listening sockets and what serves them ------------------------------------------------------ */

/* Certificates and listeners of a generation: put into use for new sessions when all of it is well. */
err ports_prepare(struct conf *c, const struct conf_bundle *b);
/* Adds the sockets of one address (descriptors are owned from here on), or closes them when it has them already.
 * E_NOMEM: they are closed. */
err ports_add(const struct socket_set *s);
/* All that were added count as served from now on: before the loops run. */
void ports_begin(void);
/* Begins to serve, on every loop. Loop 0, once all is there that a session needs. */
void ports_start(void);
/* After all ports_add of a reload: begins to serve new ones, ends what was not named again. Loop 0. */
void ports_follow(void);
/* Stops accepting on every loop. Loop 0. */
void ports_stop(void);

#endif
