/*
 * Any text as a configuration, with what follows a line "--" as the file of aliases. What loads must print as
 * something that loads again, and every look-up must hold for what the configuration itself names.
 */
#include "base/cleanup.h"
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        __builtin_trap();
}

static err load(struct conf **ret, str main, str aliases, str path)
{
    struct conf_file files[2] = {{.path = S("t.conf"), .text = main}, {.name = path, .path = path, .text = aliases}};
    struct conf_bundle b = {.v = files, .n = 2, .dir = S("/etc"), .system_name = S("mx.example.test")};
    struct conf_errors errors;
    AUTO_BUF out;
    buf_init(&out, 1 << 20);
    err e = conf_load(ret, &b, &errors);
    conf_errors_print(&out, &errors);
    bool error = str_search(buf_str(&out), S(": error: ")) != STR_NONE;
    must(e == E_NOMEM || error == (e != OK));
    conf_errors_free(&errors);
    return e;
}

static void look_up(const struct conf *c)
{
    for (size_t i = 0; i < c->ndomains; i++) {
        const struct conf_domain *d = &c->domains[i];
        must(conf_domain(c, d->title) == d);
        for (size_t j = 0; j < d->mailboxes.n; j++)
            must(conf_has_mailbox(d, d->mailboxes.v[j]));
    }
    for (size_t i = 0; i < c->naliases; i++)
        must(conf_alias(c, c->aliases[i].local, c->aliases[i].domain) == &c->aliases[i]);
    for (size_t i = 0; i < c->nroutes; i++)
        must(conf_route(c, c->routes[i].title, c->routes[i].from.n ? c->routes[i].from.v[0] : S("")) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str all = {(const char *)data, size}, aliases = S("");
    size_t at = str_search(all, S("\n--\n"));
    if (at != STR_NONE) {
        aliases = str_skip(all, at + 4);
        all = str_sub(all, 0, at);
    }
    struct conf *c = NULL, *again = NULL;
    if (load(&c, all, aliases, S("/etc/aliases")) == OK) {
        look_up(c);
        AUTO_BUF text;
        AUTO_BUF differ;
        buf_init(&text, 4 << 20);
        buf_init(&differ, 4 << 20);
        conf_print(&text, c);
        if (!text.e) {
            must(load(&again, buf_str(&text), aliases, c->aliases_file.n ? c->aliases_file : S("/etc/aliases")) == OK);
            conf_needs_restart(&differ, c, again);
            must(differ.n == 0);
        }
    }
    conf_drop(&again);
    conf_drop(&c);
    return 0;
}
