/*
 * What all loops share: values by key that expire, and numbers that scripts count. One table under a lock that is held
 * for a look-up and a copy. It is bounded: when it is full, what would expire next goes first.
 */
#include "base/map.h"
#include "base/text.h"
#include "db/counts.h"
#include "script/internal.h"

enum { METRICS_MAX = 100 };

struct item {
    struct map_node node;
    struct heap_node expiry; /* wall clock, ms */
    struct script_value value;
    size_t key_n;
    char text[]; /* key, then a string's octets */
};

static struct {
    struct lock lock;
    struct map map;
    struct heap heap;
    size_t used, most;
    struct {
        char name[NAME_MAX_OWN + 1];
        double n;
    } metrics[METRICS_MAX];
    size_t nmetrics;
} store = {.most = 16 << 20};

static size_t size_of(const struct item *x) { return sizeof *x + x->key_n + x->value.s.n + 2 * sizeof(void *); }

static void drop(struct item *x)
{
    map_remove(&store.map, &x->node);
    heap_remove(&store.heap, &x->expiry);
    store.used -= size_of(x);
    free(x);
}

/* What has expired goes, and what expires next as long as there is no room for `more`. */
static void make_room(int64_t now, size_t more)
{
    for (struct heap_node *n; (n = heap_min(&store.heap)) && (n->key <= now || store.used + more > store.most);)
        drop(container_of(n, struct item, expiry));
}

static struct item *find(str key)
{
    for (struct map_node *n = map_find(&store.map, str_hash(key)); n; n = map_next_equal(n)) {
        struct item *x = container_of(n, struct item, node);
        if (str_eq((str){x->text, x->key_n}, key))
            return x;
    }
    return NULL;
}

static err put(str key, const struct script_value *v, int64_t until_ms)
{
    size_t n = v->kind == SCRIPT_STR ? v->s.n : 0;
    struct item *x = malloc(sizeof *x + key.n + n);
    if (!x)
        return E_NOMEM;
    *x = (struct item){.value = *v, .key_n = key.n};
    memcpy(x->text, key.p, key.n);
    if (n)
        memcpy(x->text + key.n, v->s.p, n);
    x->value.s = (str){x->text + key.n, n};
    size_t size = size_of(x);
    make_room(rt_wall_ms(), size);
    bool added = size <= store.most && heap_push(&store.heap, &x->expiry, until_ms);
    if (added && !map_add(&store.map, &x->node, str_hash(key))) {
        heap_remove(&store.heap, &x->expiry);
        added = false;
    }
    if (!added) {
        free(x);
        return size <= store.most ? E_NOMEM : E_LIMIT;
    }
    store.used += size;
    return OK;
}

err shared_set(str key, const struct script_value *v, int64_t until_ms)
{
    lock_take(&store.lock);
    struct item *old = find(key);
    if (old)
        drop(old);
    err e = put(key, v, until_ms);
    lock_drop(&store.lock);
    return e;
}

bool shared_get(str key, struct arena *mem, struct script_value *ret)
{
    lock_take(&store.lock);
    struct item *x = find(key);
    bool there = x && x->expiry.key > rt_wall_ms();
    if (there) {
        *ret = x->value;
        if (ret->kind == SCRIPT_STR)
            ret->s = arena_str(mem, ret->s);
        there = ret->kind != SCRIPT_STR || ret->s.p;
    }
    lock_drop(&store.lock);
    return there;
}

err shared_add(str key, double by, int64_t until_ms, double *ret)
{
    err e = OK;
    lock_take(&store.lock);
    struct item *x = find(key);
    if (x && x->expiry.key <= rt_wall_ms()) {
        drop(x);
        x = NULL;
    }
    struct script_value v = {.kind = SCRIPT_NUM, .n = by};
    if (!x) {
        e = put(key, &v, until_ms);
        *ret = by;
    } else if (x->value.kind != SCRIPT_NUM) {
        e = E_SYNTAX;
    } else {
        *ret = x->value.n += by;
    }
    lock_drop(&store.lock);
    return e;
}

bool shared_delete(str key)
{
    lock_take(&store.lock);
    struct item *x = find(key);
    if (x)
        drop(x);
    lock_drop(&store.lock);
    return x != NULL;
}

void script_store_limit(size_t most)
{
    lock_take(&store.lock);
    store.most = most;
    make_room(0, 0);
    lock_drop(&store.lock);
}

size_t script_store_used(void)
{
    lock_take(&store.lock);
    size_t n = store.used;
    lock_drop(&store.lock);
    return n;
}

/* ---- kept over a restart: what is small (db/counts.h) ---- */

static void put_item(struct buf *b, const struct item *x)
{
    uint64_t number;
    memcpy(&number, &x->value.n, sizeof number);
    buf_put_u64(b, (uint64_t)x->expiry.key);
    buf_put_u8(b, (uint8_t)x->value.kind);
    buf_put_u64(b, x->value.kind == SCRIPT_NUM ? number : x->value.b);
    buf_put_str16(b, (str){x->text, x->key_n});
    buf_put_str16(b, x->value.s);
}

static void save(struct counts_out *out)
{
    char mem[COUNTS_NUMBERS_MAX];
    int looks = 2 * COUNTS_RECORDS_MAX; /* a few ms at most */
    lock_take(&store.lock);
    int64_t now = rt_wall_ms();
    struct map_iter it = map_begin(&store.map);
    for (struct map_node *n; looks && (n = map_each(&it)); looks--) {
        const struct item *x = container_of(n, struct item, node);
        struct buf b;
        if (x->expiry.key <= now || size_of(x) - sizeof *x > sizeof mem)
            continue;
        buf_init_fixed(&b, mem, sizeof mem);
        put_item(&b, x);
        if (!b.e && !counts_put(out, x->node.hash, buf_str(&b)))
            break;
    }
    lock_drop(&store.lock);
}

static void load(uint64_t hash, struct cur *in)
{
    int64_t until = (int64_t)cur_u64(in);
    struct script_value v = {.kind = cur_u8(in)};
    uint64_t number = cur_u64(in);
    str key = cur_str16(in), text = cur_str16(in);
    (void)hash;
    if (in->bad || !key.n || until <= rt_wall_ms() ||
        (v.kind != SCRIPT_STR && v.kind != SCRIPT_NUM && v.kind != SCRIPT_BOOL))
        return;
    v.s = v.kind == SCRIPT_STR ? text : S("");
    v.b = v.kind == SCRIPT_BOOL && number;
    if (v.kind == SCRIPT_NUM)
        memcpy(&v.n, &number, sizeof number);
    shared_set(key, &v, until);
}

void script_store_keep(void)
{
    static const struct counts_owner owner = {'L', save, load};
    counts_register(&owner);
}

/* ---- metrics ---- */

err shared_metric(str name, double by)
{
    lock_take(&store.lock);
    size_t i = 0;
    while (i < store.nmetrics && !str_eq(str_c(store.metrics[i].name), name))
        i++;
    err e = i < METRICS_MAX && name.n <= NAME_MAX_OWN ? OK : E_LIMIT;
    if (!e && i == store.nmetrics) {
        memcpy(store.metrics[i].name, name.p, name.n);
        store.metrics[i].name[name.n] = 0;
        store.nmetrics++;
    }
    if (!e)
        store.metrics[i].n += by;
    lock_drop(&store.lock);
    return e;
}

void script_metrics_print(struct buf *out)
{
    lock_take(&store.lock);
    if (store.nmetrics)
        buf_add_c(
            out,
            "# HELP postrider_script_total what scripts count by metric()\n# TYPE postrider_script_total counter\n");
    for (size_t i = 0; i < store.nmetrics; i++)
        buf_printf(out, "postrider_script_total{name=\"%s\"} %.15g\n", store.metrics[i].name, store.metrics[i].n);
    lock_drop(&store.lock);
}
