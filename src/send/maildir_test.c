/* Mailboxes: what is written, under which name, in which order it becomes durable, and what a fault leaves. */
#include "send/test_fakes.h"

#include <dirent.h>
#include <fcntl.h>

#define CONF "domain here.test { mailboxes = {\"bob\", \"j\xc3\xb6rg\", \"a+b\"} }\n"
#define PLAIN "Subject: x\r\n\r\nhello\r\n"

/* ---- a file system that can fail, and remembers what it did ------------------------------------------------------ */

static struct {
    int fail_at; /* the how many-th call fails; 0: none */
    err e;
    int calls;
    char steps[65536]; /* "mkdir here.test|..." */
    size_t n;
    char names[1024][64]; /* of descriptors */
} fs;

static err step(const char *verb, const char *name)
{
    fs.n += (size_t)snprintf(fs.steps + fs.n, sizeof fs.steps - fs.n, "%s %s|", verb, name);
    return ++fs.calls == fs.fail_at ? fs.e : OK;
}
static const char *base(const char *path) { return strchr(path, '/') ? "file" : path; }

static err t_open(int at, const char *path, int flags, mode_t mode, int *ret)
{
    err e = step(flags & O_CREAT ? "create" : "open", base(path));
    e = e ? e : rt_fs_real.open(at, path, flags, mode, ret);
    if (!e && *ret < 1024)
        snprintf(fs.names[*ret], sizeof fs.names[0], "%s", base(path));
    return e;
}
static err t_pwritev(int fd, const struct iovec *v, int nv, uint64_t at)
{
    err e = step("write", fs.names[fd]);
    return e ? e : rt_fs_real.pwritev(fd, v, nv, at);
}
static err t_sync(int fd)
{
    err e = step("sync", fs.names[fd]);
    return e ? e : rt_fs_real.sync(fd);
}
static err t_link(int a, const char *from, int b, const char *to)
{
    err e = step("link", "file");
    return e ? e : rt_fs_real.link(a, from, b, to);
}
static err t_mkdir(int at, const char *path, mode_t mode)
{
    err e = step("mkdir", path);
    return e ? e : rt_fs_real.mkdir(at, path, mode);
}
static err t_list(int at, const char *path, void (*each)(void *arg, const char *name), void *arg)
{
    err e = step("list", path);
    return e ? e : rt_fs_real.list(at, path, each, arg);
}

static struct rt_fs faulty;
static char root[] = "/tmp/postrider-maildir-XXXXXX";

static void begin(void)
{
    fs.fail_at = fs.calls = 0;
    fs.n = 0;
    fs.steps[0] = 0;
    fake_begin(CONF);
    int fd = open(root, O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 0);
    snprintf(fs.names[fd], sizeof fs.names[0], "mail");
    send_setup(&(struct send){.conf = fake_conf, .mail_dir = fd});
}

static void end(void)
{
    close(send_world.mail_dir);
    fake_end();
}

/* ---- what lies there -----------------------------------------------------------------------------------------------
 */

static int count(const char *box, const char *part, char *ret_name, size_t size)
{
    char path[300];
    int n = 0;
    snprintf(path, sizeof path, "%s/here.test/%s/%s", root, box, part);
    DIR *d = opendir(path);
    if (!d)
        return 0;
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') {
            n++;
            if (ret_name)
                snprintf(ret_name, size, "%s/%.200s", path, e->d_name);
        }
    closedir(d);
    return n;
}

static void sweep(void)
{
    static const char *const boxes[] = {"bob", "j\xc3\xb6rg", "a+b", "postmaster"};
    static const char *const parts[] = {"tmp", "new", "cur"};
    char path[300], name[600];
    for (size_t b = 0; b < 4; b++) {
        for (size_t p = 0; p < 3; p++) {
            while (count(boxes[b], parts[p], name, sizeof name))
                CHECK(unlink(name) == 0);
            snprintf(path, sizeof path, "%s/here.test/%s/%s", root, boxes[b], parts[p]);
            rmdir(path);
        }
        snprintf(path, sizeof path, "%s/here.test/%s", root, boxes[b]);
        rmdir(path);
    }
    snprintf(path, sizeof path, "%s/here.test", root);
    rmdir(path);
}

static void expect_file(const char *what, const char *box, str want)
{
    static char got[8 << 20];
    char name[600];
    CHECK(count(box, "new", name, sizeof name) == 1 && count(box, "tmp", NULL, 0) == 0);
    FILE *f = fopen(name, "r");
    CHECK(f);
    size_t n = fread(got, 1, sizeof got, f);
    fclose(f);
    if (!str_eq(str_mem(got, n), want)) {
        fprintf(stderr, "%s: the file has %zu octets instead of %zu:\n%.*s\n", what, n, want.n,
                (int)(n < 2000 ? n : 2000), got);
        _exit(1);
    }
}

/* ---- content --------------------------------------------------------------------------------------------------------
 */

#define T(s)                                                                                                           \
    {                                                                                                                  \
        "" s, sizeof(s) - 1                                                                                            \
    }
static const struct row {
    const char *name, *sender, *to, *box;
    struct {
        const char *p;
        size_t n;
    } in, out;
    uint32_t flags;
} rows[] = {
    {"plain", "a@b.test", "bob@here.test", "bob", T(PLAIN),
     T("Return-Path: <a@b.test>\nDelivered-To: bob@here.test\nSubject: x\n\nhello\n"), 0},
    {"null sender", "", "BOB@here.test", "bob", T(PLAIN),
     T("Return-Path: <>\nDelivered-To: BOB@here.test\nSubject: x\n\nhello\n"), 0},
    {"sub-address", "a@b.test", "bob+x@here.test", "bob", T("A: b\r\n\r\n"),
     T("Return-Path: <a@b.test>\nDelivered-To: bob+x@here.test\nA: b\n\n"), 0},
    {"a mailbox with a plus", "a@b.test", "a+b@here.test", "a+b", T("A: b\r\n\r\n"),
     T("Return-Path: <a@b.test>\nDelivered-To: a+b@here.test\nA: b\n\n"), 0},
    {"postmaster", "a@b.test", "Postmaster@here.test", "postmaster", T("A: b\r\n\r\n"),
     T("Return-Path: <a@b.test>\nDelivered-To: Postmaster@here.test\nA: b\n\n"), 0},
    {"not ASCII", "a@b.test", "j\xc3\xb6rg@here.test", "j\xc3\xb6rg", T("A: b\r\n\r\n"),
     T("Return-Path: <a@b.test>\nDelivered-To: j\xc3\xb6rg@here.test\nA: b\n\n"), 0},
    {"sender of its own", "a@b.test", "bob@here.test<srs@x.test", "bob", T("A: b\r\n\r\n"),
     T("Return-Path: <srs@x.test>\nDelivered-To: bob@here.test\nA: b\n\n"), 0},
    {"Return-Path of others", "a@b.test", "bob@here.test", "bob",
     T("Received: x\r\nReturn-Path: <evil@x.test>\r\n (folded)\r\nReturn-path: <evil@x.test>\r\nA: "
       "b\r\n\r\nReturn-Path: body\r\n"),
     T("Return-Path: <a@b.test>\nDelivered-To: bob@here.test\nReceived: x\nA: b\n\nReturn-Path: body\n"), 0},
    {"dots", "a@b.test", "bob@here.test", "bob", T("A: b\r\n\r\n.\r\n..\r\n.x\r\n"),
     T("Return-Path: <a@b.test>\nDelivered-To: bob@here.test\nA: b\n\n.\n..\n.x\n"), ENV_DOT_LINE},
    {"no last line end", "a@b.test", "bob@here.test", "bob", T("A: b\r\n\r\nend"),
     T("Return-Path: <a@b.test>\nDelivered-To: bob@here.test\nA: b\n\nend"), ENV_NO_FINAL_EOL},
    {"only a header", "a@b.test", "bob@here.test", "bob", T("A: b\r\n"),
     T("Return-Path: <a@b.test>\nDelivered-To: bob@here.test\nA: b\n"), 0},
    {"nothing", "a@b.test", "bob@here.test", "bob", T(""), T("Return-Path: <a@b.test>\nDelivered-To: bob@here.test\n"),
     0},
    {"binary", "a@b.test", "bob@here.test", "bob",
     T("MIME-Version: 1.0\r\nContent-Type: a/b\r\nReturn-Path: <x>\r\n\r\na\rb\nc\0"),
     T("Return-Path: <a@b.test>\nDelivered-To: bob@here.test\nMIME-Version: 1.0\nContent-Type: a/b\n"
       "Content-Transfer-Encoding: base64\n\nYQ1iCmMA\n"),
     ENV_BARE_EOL | ENV_NUL | ENV_NO_FINAL_EOL},
};

static void content(void *arg, int index)
{
    (void)arg;
    (void)index;
    for (size_t i = 0; i < 3 * (sizeof rows / sizeof *rows); i++) {
        const struct row *r = &rows[i / 3];
        begin();
        fake.piece = (size_t[]){0, 1, 5}[i % 3];
        fake_add(r->sender, r->to, r->in.p, r->in.n, r->flags);
        fake_run("maildir here.test");
        same("fates", r->name, buf_str(&fake.fates), "1:R250");
        expect_file(r->name, r->box, str_mem(r->out.p, r->out.n));
        end();
        sweep();
    }
    rt_stop();
}

static void contents(void **state)
{
    (void)state;
    world(1, content);
}

static void large(void *arg, int index)
{
    (void)arg;
    (void)index;
    static char in[3 << 20], out[3 << 20];
    size_t n = (size_t)snprintf(in, sizeof in, "Subject: x\r\n\r\n"),
           m = (size_t)snprintf(out, sizeof out,
                                "Return-Path: <a@b.test>\nDelivered-To: bob@here.test\nSubject: x\n\n");
    for (int i = 0; n + 100 < sizeof in; i++) {
        n += (size_t)snprintf(in + n, 100, "%0*d\r\n", 1 + i % 90, i);
        m += (size_t)snprintf(out + m, 100, "%0*d\n", 1 + i % 90, i);
    }
    begin();
    fake.piece = 65537;
    fake_add("a@b.test", "bob@here.test", in, n, 0);
    fake_run("maildir here.test");
    same("fates", "large", buf_str(&fake.fates), "1:R250");
    expect_file("large", "bob", str_mem(out, m));
    end();
    sweep();
    rt_stop();
}

static void large_message(void **state)
{
    (void)state;
    world(1, large);
}

/* ---- who is not there -----------------------------------------------------------------------------------------------
 */

static void refusals(void *arg, int index)
{
    (void)arg;
    (void)index;
    begin();
    fake_add("a@b.test", "nobody@here.test", PLAIN, sizeof PLAIN - 1, 0);
    fake_add("a@b.test", "bob@here.test", "MIME-Version: 1.0\r\nContent-Type: message/partial\r\n\r\na\rb", 55,
             ENV_BARE_EOL);
    fake_add("a@b.test", "\"../../etc\"@here.test", PLAIN, sizeof PLAIN - 1, 0);
    fake_add("a@b.test", "bob@here.test", PLAIN, sizeof PLAIN - 1, 0);
    fake_run("maildir here.test");
    same("fates", "refusals", buf_str(&fake.fates), "1:F550 2:F554 3:F550 4:R250");
    holds("texts", "refusals", buf_str(&fake.texts), "550 5.1.1 ");
    holds("texts", "refusals", buf_str(&fake.texts), "554 5.6.3 ");
    CHECK(count("bob", "new", NULL, 0) == 1);
    end();
    sweep();
    rt_stop();
}

static void nobody_there(void **state)
{
    (void)state;
    world(1, refusals);
}

/* ---- durable, once, and in the right order --------------------------------------------------------------------------
 */

static const char *after(const char *at, const char *word)
{
    const char *p = at ? strstr(at, word) : NULL;
    return p ? p + strlen(word) : NULL;
}

static void order(void *arg, int index)
{
    (void)arg;
    (void)index;
    begin();
    for (int i = 0; i < 10; i++)
        fake_add("a@b.test", i % 2 ? "bob@here.test" : "postmaster@here.test", PLAIN, sizeof PLAIN - 1, 0);
    fake_run("maildir here.test");
    same("fates", "order", buf_str(&fake.fates),
         "1:R250 2:R250 3:R250 4:R250 5:R250 6:R250 7:R250 8:R250 9:R250 10:R250");
    CHECK(count("bob", "new", NULL, 0) == 5 && count("postmaster", "new", NULL, 0) == 5);
    /* folders: each is synced in the one above before it is used */
    const char *p = after(fs.steps, "mkdir here.test|");
    p = after(p, "sync mail|");
    p = after(p, "mkdir postmaster|");
    p = after(p, "sync here.test|");
    p = after(p, "mkdir cur|");
    p = after(p, "sync postmaster|");
    p = after(p, "create file|");
    CHECK(after(p, "sync file|link file|"));
    /* a batch: one sync of each mailbox, behind its last link */
    int syncs = 0;
    const char *last = NULL;
    for (const char *q = fs.steps; (q = after(q, "link file|")); last = q)
        ;
    for (const char *q = fs.steps; (q = after(q, "sync new|")); syncs++)
        CHECK(q > last);
    CHECK(syncs == 2);
    end();
    sweep();
    rt_stop();
}

static void becomes_durable(void **state)
{
    (void)state;
    world(1, order);
}

static void deliver_again(const char *fates)
{
    fake.next = 1;
    buf_clear(&fake.fates);
    fake_run("maildir here.test");
    same("fates", "again", buf_str(&fake.fates), fates);
}

static void again(void *arg, int index)
{
    (void)arg;
    (void)index;
    char name[600], to[700];
    begin();
    fake_add("a@b.test", "bob@here.test", PLAIN, sizeof PLAIN - 1, 0);
    fake_run("maildir here.test");
    deliver_again("1:R250"); /* the file is in new */
    holds("texts", "again", buf_str(&fake.texts), "was delivered before");
    CHECK(count("bob", "new", name, sizeof name) == 1 && count("bob", "tmp", NULL, 0) == 0);
    snprintf(to, sizeof to, "%s/here.test/bob/cur/%s:2,S", root, strrchr(name, '/') + 1);
    CHECK(rename(name, to) == 0);
    deliver_again("1:R250"); /* somebody has read it */
    CHECK(count("bob", "new", NULL, 0) == 0 && count("bob", "cur", NULL, 0) == 1);
    snprintf(name, sizeof name, "%s/here.test/bob/tmp/%s", root, strrchr(to, '/') + 1);
    *strchr(name + strlen(root), ':') = 0;
    CHECK(rename(to, name) == 0);
    deliver_again("1:R250"); /* a crash left half of it in tmp */
    CHECK(count("bob", "new", NULL, 0) == 1 && count("bob", "tmp", NULL, 0) == 0);
    end();
    sweep();
    rt_stop();
}

static void delivered_once(void **state)
{
    (void)state;
    world(1, again);
}

/* Every call fails in turn: the message waits, or lies there once; nothing is left in tmp; the next attempt ends it. */
static void faults(void *arg, int index)
{
    (void)arg;
    (void)index;
    static const err errors[] = {E_DISK_FULL, E_DENIED, E_IO, E_LIMIT};
    for (size_t k = 0; k < sizeof errors / sizeof *errors; k++)
        for (int n = 1;; n++) {
            begin();
            for (int i = 0; i < 3; i++)
                fake_add("a@b.test", "bob@here.test", PLAIN, sizeof PLAIN - 1, 0);
            fs.fail_at = n;
            fs.e = errors[k];
            fake_run("maildir here.test");
            bool failed = fs.calls >= n;
            int delivered = 0;
            for (size_t i = 0; i < fake.fates.n; i++)
                delivered += fake.fates.p[i] == 'R';
            CHECK(str_search(buf_str(&fake.fates), S("F")) == STR_NONE &&
                  str_search(buf_str(&fake.fates), S("-")) == STR_NONE);
            CHECK(count("bob", "new", NULL, 0) >= delivered);
            fs.fail_at = 0;
            deliver_again("1:R250 2:R250 3:R250");
            CHECK(count("bob", "new", NULL, 0) == 3 && count("bob", "tmp", NULL, 0) == 0);
            end();
            sweep();
            if (!failed)
                break;
        }
    rt_stop();
}

static void every_fault(void **state)
{
    (void)state;
    world(1, faults);
}

int main(void)
{
    faulty = rt_fs_real;
    faulty.open = t_open;
    faulty.pwritev = t_pwritev;
    faulty.sync = t_sync;
    faulty.link = t_link;
    faulty.mkdir = t_mkdir;
    faulty.list = t_list;
    rt_fs = &faulty;
    if (!mkdtemp(root))
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(contents),       cmocka_unit_test(large_message),
                                       cmocka_unit_test(nobody_there),   cmocka_unit_test(becomes_durable),
                                       cmocka_unit_test(delivered_once), cmocka_unit_test(every_fault)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sweep();
    rmdir(root);
    return failed;
}
