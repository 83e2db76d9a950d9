/* Which server goes first: by order, by connections, by the client; those that failed go last. */
#include "conf/test_conf.h"
#include "rt/test_world.h"

#include "proxy/servers.c"

static struct conf *conf;

static void load(const char *balance)
{
    char text[600];
    snprintf(text, sizeof text,
             "hostname = \"a.test\"\nlistener p { address = \"127.0.0.1:1\" proxy = \"in\" }\n"
             "upstream in { via = {\"127.0.0.1:2\", \"127.0.0.1:3\", \"127.0.0.1:4\"} balance = \"%s\" }\n",
             balance);
    conf_drop(&conf);
    conf = test_conf("/", str_c(text));
}

static struct ip client(int n)
{
    struct ip ip = {.v = 4, .b = {192, 0, (uint8_t)(n >> 8), (uint8_t)n}};
    return ip;
}

static const struct ability nothing;

static void in_order(void)
{
    uint8_t order[SERVERS_MAX];
    struct ip ip = client(1);
    load("failover");
    const struct conf_upstream *u = &conf->upstreams[0];
    CHECK(servers_order(u, &ip, order) == 3 && order[0] == 0 && order[1] == 1 && order[2] == 2);
    server_failed(server_of(u, 0), u, "gone");
    CHECK(servers_order(u, &ip, order) == 3 && order[0] == 1 && order[2] == 0);
    server_failed(server_of(u, 2), u, "gone");
    CHECK(servers_order(u, &ip, order) == 3 && order[0] == 1 && order[1] == 0);
    server_works(server_of(u, 0), u, &nothing);
    server_works(server_of(u, 2), u, &nothing);
    CHECK(servers_order(u, &ip, order) == 3 && order[0] == 0);
}

static void by_connections(void)
{
    uint8_t order[SERVERS_MAX];
    struct ip ip = client(1);
    load("least");
    const struct conf_upstream *u = &conf->upstreams[0];
    server_of(u, 0)->connections = 5;
    server_of(u, 1)->connections = 1;
    server_of(u, 2)->connections = 3;
    CHECK(servers_order(u, &ip, order) == 3 && order[0] == 1 && order[1] == 2 && order[2] == 0);
    server_failed(server_of(u, 1), u, "gone");
    CHECK(servers_order(u, &ip, order) == 3 && order[0] == 2 && order[2] == 1);
    server_works(server_of(u, 1), u, &nothing);
    for (size_t i = 0; i < 3; i++)
        server_of(u, i)->connections = 0;
}

/* Every server has a share, and a client keeps its server when another one fails. */
static void by_client(void)
{
    enum { CLIENTS = 300 };
    uint8_t first[CLIENTS], order[SERVERS_MAX];
    unsigned share[3] = {0};
    load("hash");
    const struct conf_upstream *u = &conf->upstreams[0];
    for (int i = 0; i < CLIENTS; i++) {
        struct ip ip = client(i);
        CHECK(servers_order(u, &ip, order) == 3);
        share[first[i] = order[0]]++;
    }
    for (int i = 0; i < 3; i++)
        CHECK(share[i] > CLIENTS / 6);
    server_failed(server_of(u, 1), u, "gone");
    for (int i = 0; i < CLIENTS; i++) {
        struct ip ip = client(i);
        CHECK(servers_order(u, &ip, order) == 3 && order[2] == 1);
        CHECK(first[i] == 1 || order[0] == first[i]);
    }
    server_works(server_of(u, 1), u, &nothing);
}

static void known(void)
{
    struct ctl_upstream v[8];
    load("failover");
    const struct conf_upstream *u = &conf->upstreams[0];
    server_failed(server_of(u, 1), u, "connection refused");
    CHECK(proxy_servers(conf, v, 8) == 3 && proxy_servers(conf, v, 2) == 2);
    CHECK(v[0].up && !v[1].up && strcmp(v[1].why, "connection refused") == 0 && strcmp(v[1].upstream, "in") == 0);
}

static void all_of_it(void **state)
{
    (void)state;
    in_order();
    by_connections();
    by_client();
    known();
    conf_drop(&conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_of_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
