/*
 * A world: postriders, servers and clients of others, and the story that happens to them (story.c); what was
 * promised in it and what became of that (ledger.c, check.c).
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H
#include "sim.h"
#include "conf/conf.h"
#include "history/history.h"
#include "queue/queue.h"
#include "spool/spool.h"

#include <netinet/in.h>

enum { SERVERS = 4, DOMAIN_MAX_ = 48, ADDR_MAX = 64, TO_MAX = 24, LOOPS_MAX_ = 2, HOPS = 6 };
/* Ports: of a listener that is a proxy, and of servers of others for what comes through one. */
enum { EDGE_PORT = 26, BEHIND_PORT = 2500 };

/* ---- servers of others (server.c) ------------------------------------------------------------------------- */

struct remote {
    char domain[DOMAIN_MAX_], ip[2][16]; /* the second one: where mail goes when the first is silent; "" none */
    bool lmtp;
    unsigned bad;         /* percent of steps that go wrong */
    unsigned limit;       /* recipients it takes in one transaction; 0: no limit */
    int open[8], most[8]; /* sessions by node, and the most at once */
};
void remote_serve(struct remote *r, int which, int port); /* spawns what listens; in the world outside */
const char *world_host(const char *domain);               /* address; NULL: no such name */
const char *world_second(const char *domain);

/* ---- clients (client.c) -------------------------------------------------------------------------------------- */

void client_spawn(struct node *to);
extern int clients_open;

/* ---- a postrider (postrider.c) ---------------------------------------------------------------------------------- */

enum edge_mode { EDGE_NONE, EDGE_INSPECT, EDGE_PASS, EDGE_STORE };
struct edge { /* its second listener, a proxy (edge.c) */
    enum edge_mode mode;
    struct node *behind; /* NULL: servers of others */
    int remote, other;   /* these; 0: none */
    bool judges;         /* it has rules of its own */
    const char *trace;
};
struct server {
    int loops;
    uint64_t segment;
    bool smart;  /* everything goes by the first node */
    bool rules;  /* its configuration has those of rules.c */
    bool onward; /* ... and of onward.c */
    struct edge edge;
    int version; /* of its configuration */
    unsigned connections, recipients,
        messages; /* limits in force: to one site, in one transaction, on one connection */
    unsigned per_address;
    rt_time lifetime;
    struct queue *queue;
    struct spool *spool;
    rt_time ahead_since; /* when the queue was first seen with more messages than the spool; 0: it has not */
};
struct node *postrider_new(int number);
void postrider_stop(struct node *n, void *arg); /* visits */
void postrider_reload(struct node *n, void *arg);
void postrider_look(struct node *n, void *arg); /* arg: struct look; sums that must agree */
struct look {
    struct queue_stats q;
    struct spool_stats s;
    int64_t bodies, sessions, out, recipients, fibers, behind;
    int64_t counted[LOG_ENDS];
};
void postrider_operate(struct node *n, void *arg); /* arg: enum queue_action */

/* ---- the ledger -----------------------------------------------------------------------------------------------------
 */

enum promise { ASKED, ACCEPTED, REFUSED };
/* What a message asks the rules for (rules.c). */
enum play {
    PLAY_NONE,
    PLAY_REFUSE,
    PLAY_DISCARD,
    PLAY_HOLD,
    PLAY_QUARANTINE,
    PLAY_REDIRECT,
    PLAY_ADD,
    PLAY_CHANGE,
    PLAYS
};
struct fate_of { /* one recipient of one message */
    char address[ADDR_MAX];
    int delivered, bounced, delayed, told; /* told: reports of success */
    enum { TELL_USUAL, TELL_NEVER, TELL_ALL } notify;
    bool removed;
};
struct mail {
    int token;
    char from[ADDR_MAX];
    struct fate_of to[TO_MAX + 1]; /* a rule may add one */
    int nto;
    enum promise promise;
    enum play play;
    struct node *at;    /* whose promise it is */
    struct node *proxy; /* through which it came; NULL: none */
    bool outside;       /* ... to a server of others */
    uint64_t id;        /* in the queue of `at` */
    rt_time when;
    bool report_ended; /* an operator removed or returned a report about it */
    bool unheard;      /* the proxy says that it has lost the server behind, which may have the message */
    bool doubtful;     /* its refusal may have been of a message that is kept */
};
struct arrival { /* at a server of others or in a mailbox */
    int token;
    bool report; /* about that message */
    char to[ADDR_MAX];
    int hops;
    struct {
        int node;
        uint64_t id;
    } hop[HOPS]; /* newest first */
    rt_time when;
    const struct end *end; /* that said 250 ... */
    uint64_t upto;         /* ... with the octets before this one; NULL: a mailbox */
    rt_time said;          /* when it did: some take their time */
    int node;              /* of the mailbox */
};
struct log_end { /* a line that says how a recipient ended */
    int node;
    uint64_t id;
    char to[ADDR_MAX];
};
extern struct log_end *log_ends;
extern size_t nlog_ends;
struct mail *ledger_mail(const char *from);
struct mail *ledger_find(int token);
struct fate_of *ledger_rcpt(struct mail *m, str address);
bool ledger_reaches(const struct fate_of *f, const char *to); /* its address, or one that took its place */
/* A message arrived whole: what it says about itself decides what it is (mail, or a report about mail). */
void ledger_arrival(str message, const char *const *to, int nto, const struct end *end, uint64_t upto,
                    struct node *box);
void ledger_said(const struct end *end); /* what was not sent so far is on its way only now */
void ledger_line(struct node *n, str line);
void ledger_ended(str message, bool bounce);
void check_step(void); /* between two events of the story */
void check_rest(void); /* when nothing is left to do */
void check_limits(void);
void check_end(void); /* of a world that was given time to settle */
void check_mailboxes(void);
extern struct arrival *arrivals;
extern size_t narrivals;
extern struct mail **mails;
extern size_t nmails;

/* ---- rules (rules.c) ---------------------------------------------------------------------------------------- */

const char *play_word(enum play p);
enum play some_play(void);
void rules_text(struct node *n, struct buf *out);
void rules_readdress(struct mail *m);
void rules_accepted(const struct mail *m);
void rules_arrival(const struct mail *m, const struct arrival *a, str message);
void rules_gone(const struct node *n, uint64_t id, str from, str to); /* as the log says it */
bool rules_discarded(const struct mail *m, const struct fate_of *f);
void rules_released(const struct node *n, uint64_t id);
bool crashed_between(const struct node *n, rt_time from, rt_time to); /* check.c */
/* Whether some rule may discard it; *ret_here: the first server does, before it has a message. */
bool rules_discard(const struct mail *m, const struct fate_of *f, bool *ret_here);

/* ---- redirects on the way out (onward.c) ---------------------------------------------------------------------- */

extern bool onward_world;
void onward_address(char out[ADDR_MAX]);
bool onward_again(const struct mail *m, const char *address); /* it has one of this kind already */
void onward_text(struct node *n, struct buf *out);
bool onward_round(const char *asked);                   /* it goes from node to node */
bool onward_to(const char *asked, const char *address); /* may it be reached there? */
void onward_arrival(const struct mail *m, const struct fate_of *f, const struct arrival *a);
void onward_line(const struct node *n, uint64_t id, str from, str to, uint64_t anew); /* as the log says it */
int onward_logged(int node, uint64_t id, const char *address);
void onward_end(void);

/* ---- proxies (edge.c) ------------------------------------------------------------------------------------------ */

extern bool edge_world;
void edge_new(struct node *n);
void edge_text(struct node *n, struct buf *out);
bool edge_carries(const struct node *n); /* it is a proxy that stores nothing */
void edge_brings(struct mail *m, struct node *n);
bool edge_behind(const struct link *l); /* to what only comes from listeners that are proxies */
bool edge_link(const struct link *l);   /* between such a one and a server of others */
void edge_hops(const struct mail *m, struct arrival *a);
void edge_accepted(const struct mail *m, str reply);
void edge_check_rcpt(const struct mail *m, const struct fate_of *f);
void edge_check_mail(const struct mail *m);
void edge_refused(struct mail *m, str reply);
void edge_arrival(const struct mail *m, const struct arrival *a, bool changed);

/* ---- the story
 * ---------------------------------------------------------------------------------------------------------- */

void world_make(void);
void sim_begin(uint64_t seed);
extern const struct dns_backend sim_dns;
extern struct remote remotes[SERVERS];
extern int nservers;
extern bool ending;       /* the last stop of all nodes */
extern rt_time rest_from; /* when all was done, and the last crash followed; RT_NEVER: not yet */
bool sim_node_is_local(const char *ip);
struct sockaddr_storage place(const char *ip, int port);
void breaks_begin(void);
#endif
