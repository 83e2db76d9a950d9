/*
 * The simulator: whole servers in one process and one thread, on a virtual clock, a network and disks in
 * memory, all of it decided by one seed. docs/SIM.md is its manual.
 *
 * What is a process in production is a *node* here: it has its own copy of every writable variable of the rooms
 * (state.c) and its own memory (memory.c), so that several servers live side by side and one can be killed at any
 * point. What is a thread is an *actor*: a stack that runs until it would block. Below them lie the back end of rt
 * (backend.c), the network (net.c) and the disks (disk.c).
 *
 * Variables of the simulator itself carry OWN: they belong to no node.
 */
#ifndef SIM_H
#define SIM_H
#include "rt/internal.h"
#include "sim_mem.h"

#define OWN __attribute__((section("sim_own")))

struct node;
struct actor;
struct disk;

/* ---- kernel.c: time, chance, actors, trace ------------------------------------------------------------- */

struct sim {
    uint64_t seed;
    rt_time now;
    bool tracing, over, visiting; /* visiting: the story calls a node's functions */
    const char *broken;           /* the deliberate fault; NULL */
    struct actor *running;
    struct node *loaded; /* whose variables are in place */
    struct node *node[8];
    int nnodes;
    uint64_t accepted, crashes, violations;
    rt_time end; /* a world that lasts longer hangs */
};
extern struct sim sim;

uint64_t sim_random(void);
uint64_t sim_below(uint64_t n);
bool sim_chance(unsigned percent);
int64_t sim_between(int64_t least, int64_t most); /* both included */

/* At `at` (never before now) fn(arg, n) runs outside every actor. */
void sim_at(rt_time at, void (*fn)(void *arg, uint64_t n), void *arg, uint64_t n);

void trace(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void violation(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
uint64_t trace_hash(void);

struct actor {
    struct node *node;
    const char *kind;
    struct ctx ctx;
    char *stack;
    void (*fn)(void *arg);
    void *arg;
    void *image; /* its thread-local variables while it does not run */
    struct loop *loop;
    struct task *task;
    struct actor *joiner, *next; /* waits for its end; list of the node */
    bool ready, woken, ended;
    uint64_t sleep; /* counts its sleeps: a timer of an older one means nothing */
    struct {        /* pthread_setspecific */
        void (*end)(void *value);
        void *value;
    } specific[4];
};
struct actor *actor_new(struct node *n, const char *kind, void (*fn)(void *arg), void *arg);
void actor_sleep(rt_time until); /* the running one: until then or a wake; a wake before is kept */
void actor_wake(struct actor *a);
void actor_pass(void);          /* lets others run */
void actor_pause(rt_time span); /* only time ends it */
void actors_drop(struct node *n);
void sim_run(void); /* until sim.over */

/* ---- state.c ------------------------------------------------------------------------------------------------ */

void state_begin(void); /* what a new node starts with is what is there now */
void *image_new(void);  /* thread-local variables of a new thread */
void image_swap(struct actor *from, struct actor *to);
void state_load(struct node *n);
void state_new(struct node *n);
void state_scan(struct node *n, void (*each)(void *word)); /* every pointer-sized word of its variables */

/* ---- memory.c -------------------------------------------------------------------------------------------------- */

struct memory {
    struct block *first;
    struct map *maps;
    size_t nmaps, maps_cap, bytes;
};
void memory_drop(struct node *n);                         /* everything it ever allocated */
size_t memory_leaked(struct node *n, size_t *ret_blocks); /* bytes that none of its variables leads to */

/* ---- disk.c -------------------------------------------------------------------------------------------------------
 */

enum crash { CRASH_KILL, CRASH_POWER }; /* the process is gone; the machine is */
struct disk *disk_new(void);
void disk_crash(struct disk *d, enum crash how);
void disk_capacity(struct disk *d, int64_t more_bytes); /* free space from now on; negative: no limit */
void disk_errors(struct disk *d, unsigned per_mille);   /* chance that a write or sync fails */
rt_time disk_troubled_until(const struct disk *d);      /* end of the last full or failing time; RT_NEVER: now */
bool disk_troubled(const struct disk *d, rt_time from, rt_time to); /* full or failing at any time between */
/* The first moment from `at` on after which the disk was well for `span`. */
rt_time disk_calm_after(const struct disk *d, rt_time at, rt_time span);
int disk_folder(struct disk *d, const char *path); /* makes it, durable; a descriptor of the table sim_fs */
/* Every file below a folder, sorted by path. */
void disk_each(struct disk *d, const char *path, void (*each)(void *arg, const char *path, const char *p, size_t n),
               void *arg);
extern const struct rt_fs sim_fs;

/* ---- net.c
 * ----------------------------------------------------------------------------------------------------------- */

struct link; /* a connection, for ever */
struct end { /* one end of it */
    struct link *link;
    struct node *node;
    struct loop *loop;
    struct io *io;
    char *in;                    /* arrived, not yet read */
    size_t in_n, in_cap, flying; /* flying: sent by the other end, not arrived */
    uint64_t sent, got;          /* octets handed to send; taken by recv */
    rt_time last;                /* when the last piece sent by this end arrives */
    bool closed, shut, fin, reset, edge_in, edge_out, edge_end, full, deaf;
    int fd;
};
struct link {
    struct end e[2]; /* 0 connected, 1 was connected to */
    int id;
    rt_time latency, jitter, cut_at, deaf_at;
    rt_time end_time; /* when either end was closed or it broke; 0: it lives */
    unsigned window, piece;
    struct sockaddr_storage at[2];
    bool broken, established, admitted; /* admitted: a client was greeted */
    struct link *next;
};
enum { LOOP_EDGES = 2048 };
struct sock;
struct be_loop { /* what struct loop's `be` points at */
    struct actor *actor;
    struct sock *edges[LOOP_EDGES]; /* sockets that something happened to */
    size_t n;
};
void lan_begin(void);
void lan_healthy(void); /* no more faults from now on */
struct end *lan_end(int fd);
struct link *lan_links(void); /* all that ever were */
void lan_node_gone(struct node *n, enum crash how);
void lan_edges(struct loop *l); /* tells the sockets of a loop what happened */
bool lan_has_edges(struct loop *l);
extern const struct backend sim_be; /* backend.c; its sockets: net.c */
int lan_socket(int family, int type);
int lan_bind(int fd, const struct sockaddr *at, socklen_t n);
int lan_listen(int fd, int backlog);
int lan_accept(int fd, struct sockaddr *peer, socklen_t *n);
int lan_connect(int fd, const struct sockaddr *to, socklen_t n);
ssize_t lan_recv(int fd, void *p, size_t n);
ssize_t lan_send(int fd, const struct iovec *v, int nv);
int lan_getopt(int fd, int level, int name, void *p, socklen_t *n);
int lan_setopt(int fd, int level, int name, const void *p, socklen_t n);
int lan_address(int fd, bool peer, struct sockaddr *at, socklen_t *n);
int lan_shutdown(int fd, int how);
int lan_close(int fd);
int lan_watch(struct loop *l, struct io *io);
void lan_unwatch(struct loop *l, struct io *io);

/* ---- dns.c ----------------------------------------------------------------------------------------------------- */

void dns_begin(void);
void dns_healthy(void);

/* ---- node.c
 * ---------------------------------------------------------------------------------------------------------------- */

struct boot {            /* one life of a node */
    rt_time from, until; /* until: RT_NEVER while it lives */
    enum { END_STOP, END_KILL, END_POWER } how;
};
enum { LOG_ENDS = 4 }; /* delivered, bounced, expired, removed */
enum { BOOTS_MAX = 24, POOL_JOBS = 1024 };
struct node {
    int index; /* 0: the world outside, clients and servers of others */
    char name[32], ip[32];
    bool alive, up, stopping, doomed, cut_short; /* up: it accepts; cut_short: fibers were left */
    enum crash doom;
    int (*main)(struct node *n);
    void *image; /* of its variables */
    struct memory mem;
    struct actor *actors, *main_actor;
    struct disk *disk;
    int64_t wall_step; /* ms */
    uint64_t rnd;
    struct boot boot[BOOTS_MAX];
    int nboots;
    long crash_at_step; /* of its disk; 0: none */
    long steps;
    unsigned hunger; /* one allocation in so many fails while it is up; 0: none */
    struct {         /* jobs of its pool */
        struct pool_job *job[POOL_JOBS];
        unsigned from, n;
        struct actor *worker[16];
        int workers;
        bool ends;
    } pool;
    struct server *server;   /* what node.c needs to know of a postrider */
    int64_t lines[LOG_ENDS]; /* of the log in this life, by what they say */
    char log[4096];
    size_t log_n;
};
struct node *node_new(const char *name, const char *ip, int (*fn)(struct node *n));
void node_start(struct node *n);
void node_crash(struct node *n, enum crash how); /* not from one of its own actors */
void node_doom(void);                            /* the running actor's node crashes here and now; does not return */
bool node_breakable(void);                       /* the running actor belongs to a postrider */
/* Lets `fn` run on loop 0 of n as a post would; false: it has none. */
bool node_visit(struct node *n, void (*fn)(struct node *n, void *arg), void *arg);

#endif
