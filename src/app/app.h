/*
 * app: start, fork, drop privileges, wire the rooms together.
 *
 * The parent is small, single-threaded and reads no byte from a peer: it holds the lock, the
 * listening sockets and the configuration, forks the worker and replaces a dead one. The worker is
 * everything else. They share a *channel*: its end of file ends the worker, so nothing outlives a
 * killed parent.
 */
#ifndef APP_APP_H
#define APP_APP_H
#include "conf/conf.h"
#include "rt/rt.h"

/* ---- the parent ------------------------------------------------------------------------------------ */

/* `postrider serve -c FILE`: runs until SIGTERM or SIGINT; the exit status. */
int app_serve(const char *file);

/* ---- sockets: opened by the parent, one per loop, kept over reloads and lost workers ----------------- */

enum socket_kind { SOCKET_LISTENER, SOCKET_CONTROL, SOCKET_LOCAL, SOCKET_METRICS };
struct socket_set { /* one address */
    enum socket_kind kind;
    char title[64]; /* of the listener section */
    struct sockaddr_storage at;
    int *fd; /* nfd of them */
    int nfd;
    bool seen; /* wanted by the configuration at hand */
};
struct sockets {
    struct socket_set *v;
    size_t n;
    int nloops;
};
/* Opens what `c` asks for and is not open yet, closes what it no longer asks for. On failure nothing is
 * changed and *why says which address and what to do. */
err sockets_follow(struct sockets *s, const struct conf *c, struct buf *why);
void sockets_free(struct sockets *s);
/* Paths of the two local sockets. */
void socket_path(struct buf *out, const struct conf *c, enum socket_kind kind);

/* ---- the channel between parent and worker ------------------------------------------------------------ */

enum message_type {
    MSG_READY,    /* worker: accepting; text: what `ready` logs */
    MSG_RELOAD,   /* parent: fd 0 is a memory file with the bundle */
    MSG_SOCKETS,  /* parent: one socket_set with its descriptors; before MSG_RELOAD */
    MSG_RELOADED, /* worker: the generation is in use */
    MSG_DRAIN,    /* parent: stop accepting, end sessions after their transaction */
};
#define MESSAGE_FDS 64
struct message {
    uint32_t type, kind, nfd;
    char title[64];
    struct sockaddr_storage at;
    uint64_t generation;
};
/* Whole messages over a SOCK_SEQPACKET pair. E_CLOSED at end of file, E_AGAIN on a non-blocking one. */
err channel_send(int fd, const struct message *m, const int *fds);
err channel_recv(int fd, struct message *m, int fds[MESSAGE_FDS]);

/* ---- folders ------------------------------------------------------------------------------------------- */

/* Descriptors that the worker keeps: opened before privileges are dropped. */
struct folders {
    int data, spool, mail, history, lock;
};
/* Makes and locks the data folder (waiting up to 10 s for an old server), makes it `uid`'s when root. */
err folders_open(struct folders *f, const struct conf *c, uid_t uid, gid_t gid, struct buf *why);

/* The path of a file in data-dir/secrets. */
void secret_path(const struct conf *c, const char *name, char *out, size_t size);
/* Adds the server's own secrets and the system's resolv.conf and hosts to a bundle: what the worker needs and may not
 * be able to open. */
err bundle_complete(struct conf_bundle *b, const struct conf *c);

/* A self-signed pair and the SRS secret, made at the first start and kept in the data folder. */
err secrets_make(const struct folders *f, const struct conf *c, struct buf *why);

/* ---- the worker ------------------------------------------------------------------------------------------ */

struct worker_start {
    const struct conf_bundle *bundle;
    struct conf *conf;
    struct sockets *sockets;
    struct folders folders;
    int channel;
    uid_t uid; /* to become; 0: stay */
    gid_t gid;
};
int worker_run(const struct worker_start *w); /* the exit status of the process */

/* sd_notify(3): a line to the service manager, if there is one. */
void notify_manager(const char *text);

#endif
