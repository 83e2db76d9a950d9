/*
 * The keeper: reads the private keys and secrets of a generation from descriptors that the parent opened, hands them to
 * priv, and answers the worker until its channel to the parent ends. It talks to nobody else.
 */
#include "app/app.h"
#include "app/sandbox.h"
#include "base/cleanup.h"
#include "send/send.h"

#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { SECRETS_MAX = 20000 };

/* ---- what a generation keeps secret --------------------------------------------------------------------------- */

struct collect {
    const struct conf *c;
    const struct conf_bundle *b;
    struct arena mem;
    struct priv_secrets s;
    struct priv_login *logins;
    struct priv_pair *pairs;
    struct priv_signer *signers;
    struct priv_file *files;
};

static str route_name(struct arena *a, const struct conf_route *v)
{
    AUTO_BUF b;
    buf_init(&b, PRIV_NAME_MAX);
    send_route_name(&b, v);
    return arena_str(a, buf_str(&b));
}

static void add_pair(struct collect *x, str cert, str key)
{
    for (size_t i = 0; i < x->s.npairs; i++)
        if (str_eq(x->pairs[i].name, key))
            return;
    str text = conf_bundle_text(x->b, key);
    if (text.p)
        x->pairs[x->s.npairs++] = (struct priv_pair){conf_bundle_text(x->b, cert), text, key};
}

static void own_path(struct collect *x, const char *name, str *ret)
{
    char path[1200];
    secret_path(x->c, name, path, sizeof path);
    *ret = arena_str(&x->mem, str_c(path));
}

static void fill(struct collect *x)
{
    const struct conf *c = x->c;
    str srs, cert, key, acme, acme_key;
    own_path(x, "srs.secret", &srs);
    own_path(x, "cert.pem", &cert);
    own_path(x, "key.pem", &key);
    own_path(x, "acme.crt", &acme);
    own_path(x, "acme.key", &acme_key);
    for (size_t i = 0; i < c->nroutes; i++)
        if (c->routes[i].password.n)
            x->logins[x->s.nlogins++] = (struct priv_login){route_name(&x->mem, &c->routes[i]), c->routes[i].password};
    for (size_t i = 0; i < c->noauths; i++)
        if (c->oauths[i].secret.n)
            x->logins[x->s.nlogins++] = (struct priv_login){c->oauths[i].secret_name, c->oauths[i].secret};
    for (size_t i = 0; i < c->nlisteners; i++)
        if (c->listeners[i].key.n)
            add_pair(x, c->listeners[i].certificate, c->listeners[i].key);
    if (c->tls_key.n)
        add_pair(x, c->tls_certificate, c->tls_key);
    else
        add_pair(x, cert, key);
    for (size_t i = 0; i < c->ndkims; i++)
        if (c->dkims[i].selector.n)
            x->signers[x->s.nsigners++] = (struct priv_signer){
                c->dkims[i].title, conf_bundle_text(x->b, c->dkims[i].key), c->dkims[i].algorithm == CONF_DKIM_RSA};
    for (size_t i = 0; i < c->nsources; i++)
        if (c->sources[i].type == CONF_SOURCE_FILE)
            x->files[x->s.nfiles++] =
                (struct priv_file){c->sources[i].title, conf_bundle_text(x->b, c->sources[i].file)};
    if (c->acme_names.n && conf_bundle_text(x->b, acme).n)
        add_pair(x, acme, acme_key);
    x->s.eab = str_trim(conf_bundle_text(x->b, c->acme_eab_key_file));
    x->s.srs = str_trim(conf_bundle_text(x->b, c->srs_secret_file.n ? c->srs_secret_file : srs));
}

/* Hands the secrets of a generation to priv. */
static err use_secrets(const struct conf *c, const struct conf_bundle *b, bool lenient)
{
    struct collect x = {.c = c, .b = b};
    AUTO_BUF why;
    buf_init(&why, 2048);
    arena_init(&x.mem, 16384, (c->nroutes + c->noauths + c->nsources + c->nlisteners + c->ndkims) * 2048 + 65536);
    x.s.logins = x.logins = arena_array(&x.mem, c->nroutes + c->noauths + 1, sizeof *x.logins);
    x.s.pairs = x.pairs = arena_array(&x.mem, c->nlisteners + 3, sizeof *x.pairs);
    x.s.signers = x.signers = arena_array(&x.mem, c->ndkims, sizeof *x.signers);
    x.s.files = x.files = arena_array(&x.mem, c->nsources, sizeof *x.files);
    x.s.lenient = lenient;
    x.s.why = &why;
    err e = x.mem.e;
    if (!e) {
        fill(&x);
        e = x.mem.e ? x.mem.e : priv_setup(&x.s);
    }
    if (why.n || e)
        rt_log(EV_secret_refused, log_c(""), why.n ? log_str(buf_str(&why)) : log_err(e));
    arena_free(&x.mem);
    return e;
}

/* ---- generations ------------------------------------------------------------------------------------------------- */

static err read_secrets(struct conf_bundle *b, const int *fds, size_t n)
{
    size_t next = 0;
    err e = OK;
    for (size_t i = 0; i < b->n && !e; i++) {
        struct conf_file *f = &b->v[i];
        int fd = f->fd;
        if (fd < 0 && f->secret && !f->e && next < n)
            fd = fds[next++];
        if (fd >= 0 && conf_bundle_take(b, i, fd))
            rt_log(EV_secret_refused, log_str(f->path), log_err(f->e));
        e = b->arena.e;
    }
    return e;
}

static err take_generation(struct conf_bundle *b, const int *fds, size_t n, bool lenient)
{
    struct conf_errors errors = {0};
    struct conf *c = NULL;
    err e = read_secrets(b, fds, n);
    if (!e)
        e = conf_load(&c, b, &errors);
    for (size_t i = 0; i < errors.n; i++)
        if (!errors.v[i].warning) /* the parent told those */
            rt_log(EV_reload_failed, log_str(errors.v[i].path), log_num(errors.v[i].line), log_str(errors.v[i].text));
    if (!e)
        e = use_secrets(c, b, lenient);
    conf_errors_free(&errors);
    conf_drop(&c);
    return e;
}

static void reload(int channel, struct message *m, int fd, const int *fds, size_t n)
{
    struct conf_bundle b = {0};
    err e = bundle_from_fd(&b, fd);
    if (!e)
        e = take_generation(&b, fds, n, false);
    conf_bundle_free(&b);
    m->type = e ? MSG_REFUSED : MSG_RELOADED;
    m->nfd = 0;
    channel_send(channel, m, NULL);
}

/* ---- life ----------------------------------------------------------------------------------------------------------
 */

static int follow_parent(int channel)
{
    static int secrets[SECRETS_MAX];
    size_t n = 0;
    for (;;) {
        struct message m;
        int fds[MESSAGE_FDS];
        if (channel_recv(channel, &m, fds))
            return 0; /* the parent is gone: nothing outlives it */
        for (uint32_t i = 0; m.type == MSG_SECRETS && i < m.nfd; i++)
            if (n < SECRETS_MAX)
                secrets[n++] = fds[i];
            else
                close(fds[i]);
        if (m.type != MSG_RELOAD)
            continue;
        reload(channel, &m, fds[0], secrets, n);
        close(fds[0]);
        while (n)
            close(secrets[--n]);
    }
}

static err open_secrets(int data)
{
    char mem[500];
    struct buf why;
    buf_init_fixed(&why, mem, sizeof mem);
    err e = priv_secrets_open(data, &why);
    if (e)
        rt_log(EV_directory_failed, log_c("secrets"), log_str(buf_str(&why)));
    return e;
}

static err shut_in(const struct folders *f)
{
    const struct sandbox_place places[] = {
        {f->secrets, NULL}, {f->data, "secrets.db"}, {f->data, "secrets.db-journal"}};
    return sandbox_enter(SANDBOX_KEEPER, places, sizeof places / sizeof *places);
}

int keeper_run(const struct child_start *k)
{
    prctl(PR_SET_NAME, "postrider-keep");
    sockets_close(k->sockets);
    priv_links_close(k->links, true, false);
    err e = take_generation(k->bundle, NULL, 0, k->again);
    conf_bundle_free(k->bundle);
    if (!e)
        e = drop_privileges(k->uid, k->gid);
    prctl(PR_SET_DUMPABLE, 0); /* nobody of this user may look into its memory, and it leaves none behind */
    if (!e && k->conf->sandbox)
        e = shut_in(&k->folders);
    if (!e)
        e = open_secrets(k->folders.data);
    priv_acme_open(k->folders.secrets);
    priv_mail_keys_open(k->folders.secrets);
    if (!e)
        e = priv_serve(k->links, k->sockets->nloops);
    if (!e)
        e = channel_send(k->channel, &(struct message){.type = MSG_READY}, NULL);
    if (e)
        return 1;
    return follow_parent(k->channel);
}
