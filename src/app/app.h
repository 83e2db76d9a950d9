/*
 * app: start, fork, drop privileges, wire the rooms together.
 *
 * The parent is small, single-threaded and reads no byte from a peer: it holds the lock, the
 * listening sockets and the configuration, forks the keeper and the worker and replaces a dead one. The
 * keeper alone reads private keys and secrets. The worker is everything else. Each shares a *channel* with
 * the parent: its end of file ends the child, so nothing outlives a killed parent.
 */
#ifndef APP_APP_H
#define APP_APP_H
#include "conf/conf.h"
#include "priv/priv.h"
#include "rt/rt.h"

/* ---- the parent ------------------------------------------------------------------------------------ */

/* `postrider serve -c FILE`: runs until SIGTERM or SIGINT; the exit status. */
int app_serve(const char *file);

/* ---- sockets: opened by the parent, one per loop, kept over reloads and lost workers ----------------- */

enum socket_kind { SOCKET_LISTENER, SOCKET_CONTROL, SOCKET_LOCAL, SOCKET_METRICS, SOCKET_ACME };
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
void sockets_close(struct sockets *s); /* the descriptors alone, in a child that does not serve them */
/* For the program that this process becomes: the sockets stay open, and the environment tells of them; sockets_follow
 * there takes those that fit. E_NOMEM: nothing is changed. */
err sockets_hand_over(struct sockets *s);
/* Paths of the two local sockets. */
void socket_path(struct buf *out, const struct conf *c, enum socket_kind kind);

/* ---- the channel between parent and worker ------------------------------------------------------------ */

enum message_type {
    MSG_READY,    /* worker: accepting; text: what `ready` logs */
    MSG_RELOAD,   /* parent: fd 0 is a memory file with the bundle */
    MSG_SOCKETS,  /* parent: one socket_set with its descriptors; before MSG_RELOAD */
    MSG_RELOADED, /* worker: the generation is in use */
    MSG_DRAIN,    /* parent: stop accepting, end sessions after their transaction */
    MSG_SECRETS,  /* parent to keeper: descriptors of the bundle's secrets, in its order; before MSG_RELOAD */
    MSG_REFUSED,  /* keeper: the generation was not taken; the log says why */
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
    int data, spool, mail, history, secrets, lock;
};
/* Makes and locks the data folder (waiting up to 10 s for an old server), makes it `uid`'s when root. */
err folders_open(struct folders *f, const struct conf *c, uid_t uid, gid_t gid, struct buf *why);

/* Writes into the lock who holds it, and whether it serves; see upgrade.c. */
void folders_sign(const struct folders *f, bool ready);

/* The path of a file in data-dir/secrets. */
void secret_path(const struct conf *c, const char *name, char *out, size_t size);
/* Adds the server's own certificate and secrets and the system's resolv.conf, hosts and trust anchor to a bundle: what
 * the children need and may not be able to open. */
#define ROOT_ANCHOR "/usr/share/dns/root.key"
err bundle_complete(struct conf_bundle *b, const struct conf *c);

/* A self-signed pair and the SRS secret, made at the first start and kept in the data folder. */
err secrets_make(const struct folders *f, const struct conf *c, struct buf *why);

/* ---- a new version takes over (upgrade.c) ------------------------------------------------------------- */

int upgrade_command(const char *file);                  /* `postrider upgrade`; the exit status */
void upgrade_remember_program(void);                    /* where this program lies, at the start */
void upgrade_exec(struct sockets *s, const char *file); /* returns only when it cannot be done */

/* ---- the children ---------------------------------------------------------------------------------------- */

struct child_start {
    struct conf_bundle *bundle;
    struct conf *conf;
    struct sockets *sockets;
    struct folders folders;
    struct priv_links *links;
    int channel;
    uid_t uid; /* to become; 0: stay */
    gid_t gid;
    bool again; /* its predecessor died */
};
int worker_run(const struct child_start *w); /* the exit status of the process */
int keeper_run(const struct child_start *k);
/* Becomes the user, for good. */
err drop_privileges(uid_t uid, gid_t gid);
/* The bundle in a memory file. */
err bundle_from_fd(struct conf_bundle *b, int fd);

/* ---- the parent's side of them (children.c) ---- */

struct child {
    const char *name;
    enum event started, died;
    int (*run)(const struct child_start *s);
    pid_t pid;   /* 0: none */
    int channel; /* -1: none */
    bool ready;
    int lost;         /* in a row without becoming ready */
    rt_time start_at; /* not before */
    bool again;
};
/* Forks; in the child runs it and exits. `others` are descriptors that it must not hold, ended by -1. */
void child_start(struct child *c, struct child_start *s, const int *others);
/* After its end; `clean`: as it was told to. */
void child_ended(struct child *c, int status, bool clean);
void child_kill(struct child *c); /* and waits */
/* Sends a bundle in a memory file; secrets first, for the keeper. */
err child_tell(struct child *c, const struct conf_bundle *b, uint64_t generation, bool secrets);
/* Waits for the keeper's word on a generation (0: that it is ready). E_DENIED: refused; E_CLOSED, E_TIMEOUT. */
err child_wait(struct child *c, uint64_t generation);

/* sd_notify(3): a line to the service manager, if there is one. */
void notify_manager(const char *text);

#endif
