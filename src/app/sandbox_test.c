/* The same walls around a child of the test, which then tries what an intruder would: each attempt has its expected
 * end, an error number or death by SIGSYS. */
#include "app/sandbox.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

static char dir[64]; /* holds mail/, secrets/key.pem, and a program */
static int mail, top, key_fd;

static const char *at(const char *name)
{
    static char path[200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

/* ---- attempts: 0, or the error number ------------------------------------------------------------------------- */

static int result(long r) { return r < 0 ? errno : 0; }
static int open_it(int folder, const char *path, int flags)
{
    return result(openat(folder, path, flags | O_CLOEXEC, 0600));
}

static int read_key(void) { return open_it(AT_FDCWD, at("secrets/key.pem"), O_RDONLY); }
static int read_key_by_fd(void) { return open_it(top, "secrets/key.pem", O_RDONLY); }
static int read_key_by_dots(void) { return open_it(mail, "../secrets/key.pem", O_RDONLY); }
static int reopen_key(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", key_fd);
    return open_it(AT_FDCWD, path, O_RDONLY);
}
static int list_secrets(void) { return open_it(top, "secrets", O_RDONLY | O_DIRECTORY); }
static int read_passwd(void) { return open_it(AT_FDCWD, "/etc/passwd", O_RDONLY); }
static int read_memory(void) { return open_it(AT_FDCWD, "/proc/self/mem", O_RDWR); }
static int write_tmp(void) { return open_it(AT_FDCWD, "/tmp/postrider-sandbox", O_CREAT | O_WRONLY); }
static int write_beside(void) { return open_it(top, "new", O_CREAT | O_WRONLY); }
static int remove_key(void) { return result(unlinkat(top, "secrets/key.pem", 0)); }
static int move_key(void) { return result(renameat(top, "secrets/key.pem", mail, "key")); }
static int link_key(void) { return result(linkat(top, "secrets/key.pem", mail, "key", 0)); }
static int write_one(void) { return open_it(top, "one.db", O_RDWR | O_CREAT | O_TRUNC); }
static int write_another(void) { return open_it(top, "two.db", O_RDWR); }
static int make_link(void) { return result(symlinkat("/etc/passwd", mail, "passwd")); }
static int make_device(void) { return result(mknodat(mail, "null", S_IFCHR | 0600, 0x103)); }
static int make_pipe(void) { return result(mknodat(mail, "pipe", S_IFIFO | 0600, 0)); }
static int set_mode(void) { return result(fchmodat(mail, ".", 04755, 0)); }
static int change_owner(void) { return result(fchownat(mail, ".", 0, 0, 0)); }

static int exec_shell(void) { return result(execl("/bin/sh", "sh", "-c", "exit 77", (char *)NULL)); }
static int exec_fd(void)
{
    char *argv[] = {(char *)(uintptr_t) "x", NULL};
    return result(fexecve(key_fd, argv, argv + 1));
}
static int spawn(void)
{
    pid_t p = fork();
    if (p == 0)
        _exit(0);
    return result(p);
}
static int raw_fork(void) { return result(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }
static int new_namespace(void) { return result(unshare(CLONE_NEWUSER)); }
static int trace_parent(void) { return result(syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, getppid(), 0, 0)); }
static int read_parent(void)
{
    char x[8];
    struct iovec v = {x, 8}, from = {x, 8};
    return result(syscall(SYS_process_vm_readv, getppid(), &v, 1, &from, 1, 0));
}
static int kill_parent(void) { return result(kill(getppid(), 0)); }
static int become_root(void) { return result(setuid(0)); }
static int executable_memory(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? errno : 0;
}
static int make_executable(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? 1000 : result(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}
static int packet_socket(void) { return result(socket(AF_PACKET, SOCK_RAW, 0)); }
static int netlink_socket(void) { return result(socket(AF_NETLINK, SOCK_RAW, 0)); }
static int inet_socket(void) { return result(socket(AF_INET, SOCK_STREAM, 0)); }
static int keyring(void) { return result(syscall(SYS_keyctl, 0, -3, 0)); }
static int ring(void) { return result(syscall(SYS_io_uring_setup, 1, NULL)); }
static int raise_limit(void) { return result(setrlimit(RLIMIT_CORE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY})); }
static int dumpable(void) { return result(prctl(PR_SET_DUMPABLE, 1)); }
static int other_arch(void)
{
#if defined __x86_64__
    long r;
    __asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory"); /* getpid of i386 */
    return r < 0 ? (int)-r : 0;
#else
    raise(SIGSYS);
    return 0;
#endif
}

/* ---- what it lives by ---- */

static int deliver(void)
{
    int e = result(mkdirat(mail, "tmp", 0700)), fd = -1;
    e = e ? e : result(mkdirat(mail, "new", 0700));
    e = e ? e : result(fd = openat(mail, "tmp/a", O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
    e = e ? e : result(write(fd, "x", 1));
    e = e ? e : result(ftruncate(fd, 0));
    e = e ? e : result(fsync(fd));
    e = e ? e : result(linkat(mail, "tmp/a", mail, "new/a", 0));
    e = e ? e : result(unlinkat(mail, "tmp/a", 0));
    e = e ? e : result(renameat(mail, "new/a", mail, "b"));
    return e ? e : result(unlinkat(mail, "b", 0));
}
static void *nothing(void *arg) { return arg; }
static int thread(void)
{
    pthread_t t;
    int e = pthread_create(&t, NULL, nothing, NULL);
    return e ? e : pthread_join(t, NULL);
}
static void *read_from_thread(void *arg)
{
    *(int *)arg = read_key();
    return NULL;
}
static int key_from_thread(void)
{
    pthread_t t;
    int got = 1000;
    if (pthread_create(&t, NULL, read_from_thread, &got) == 0)
        pthread_join(t, NULL);
    return got;
}

enum { DIES = -1 };
static const struct attempt {
    const char *name;
    int (*run)(void);
    int worker, keeper; /* error number, 0: works, DIES */
    bool landlock;      /* only where the kernel has it */
} attempts[] = {
    {"read a key", read_key, EACCES, 0, true},
    {"read a key, from a folder", read_key_by_fd, EACCES, 0, true},
    {"read a key, by ..", read_key_by_dots, EACCES, 0, true},
    {"read a key, in a thread", key_from_thread, EACCES, 0, true},
    {"open a key again by /proc", reopen_key, EACCES, 0, true},
    {"list the secrets", list_secrets, EACCES, 0, true},
    {"read /etc/passwd", read_passwd, EACCES, EACCES, true},
    {"write to its memory by /proc", read_memory, EACCES, EACCES, true},
    {"write to /tmp", write_tmp, EACCES, EACCES, true},
    {"write beside its folder", write_beside, EACCES, EACCES, true},
    {"write the one file that is its own", write_one, 0, EACCES, true},
    {"write another beside it", write_another, EACCES, EACCES, true},
    {"remove a key", remove_key, EACCES, 0, true},
    {"move a key", move_key, EACCES, EACCES, true},
    {"link a key", link_key, EXDEV, EPERM, true},
    {"make a symbolic link", make_link, EPERM, EPERM, false},
    {"make a device", make_device, EPERM, EPERM, false},
    {"make a pipe", make_pipe, EPERM, EPERM, false},
    {"set a mode by path", set_mode, EPERM, EPERM, false},
    {"change an owner", change_owner, EPERM, EPERM, false},
    {"run a shell", exec_shell, DIES, DIES, false},
    {"run a file by descriptor", exec_fd, DIES, DIES, false},
    {"fork", spawn, EPERM, EPERM, false},
    {"fork by clone", raw_fork, EPERM, EPERM, false},
    {"make a namespace", new_namespace, DIES, DIES, false},
    {"trace its parent", trace_parent, DIES, DIES, false},
    {"read its parent's memory", read_parent, DIES, DIES, false},
    {"signal its parent", kill_parent, EPERM, EPERM, false},
    {"become root", become_root, DIES, DIES, false},
    {"map memory to be run", executable_memory, EPERM, EPERM, false},
    {"make memory executable", make_executable, EPERM, EPERM, false},
    {"open a packet socket", packet_socket, EPERM, EPERM, false},
    {"open a netlink socket", netlink_socket, EPERM, EPERM, false},
    {"open a network socket", inet_socket, 0, EPERM, false},
    {"use the keyring", keyring, EPERM, EPERM, false},
    {"use io_uring", ring, EPERM, EPERM, false},
    {"raise a limit", raise_limit, EPERM, EPERM, false},
    {"become dumpable", dumpable, EPERM, EPERM, false},
    {"call as another architecture", other_arch, DIES, DIES, false},
    {"deliver mail", deliver, 0, EPERM, false},
    {"start a thread", thread, 0, 0, false},
};

/* ---- */

static void shut_in(enum sandbox kind)
{
    const struct sandbox_place worker[] = {{mail, NULL}, {top, "one.db"}, {top, "not there"}};
    const struct sandbox_place keeper[] = {{openat(top, "secrets", O_RDONLY | O_DIRECTORY | O_CLOEXEC), NULL}};
    if (kind == SANDBOX_WORKER ? sandbox_enter(kind, worker, 3) : sandbox_enter(kind, keeper, 1))
        _exit(201);
}

/* In a child: what the attempt ended with. */
static int end_of(const struct attempt *a, enum sandbox kind)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGSYS, SIG_DFL);
        shut_in(kind);
        _exit(a->run());
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? DIES : 1000 + WTERMSIG(status);
    return WEXITSTATUS(status);
}

static void write_key(void)
{
    int fd = open(at("secrets/key.pem"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void try_all(enum sandbox kind)
{
    int abi = landlock_abi(), wrong = 0;
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        const struct attempt *a = &attempts[i];
        int want = kind == SANDBOX_WORKER ? a->worker : a->keeper;
        if (SANITIZER || (a->landlock && abi < 2))
            continue;
        write_key(); /* the one before may have removed it, which only the keeper can */
        int got = end_of(a, kind);
        if (got != want) {
            fprintf(stderr, "%s: %s: expected %d, found %d (%s)\n", kind == SANDBOX_WORKER ? "worker" : "keeper",
                    a->name, want, got, strerror(got));
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void test_worker(void **state) { (void)state, try_all(SANDBOX_WORKER); }
static void test_keeper(void **state) { (void)state, try_all(SANDBOX_KEEPER); }

/* Outside the walls the attempts that need no privilege succeed: it is the walls that refuse. */
static void test_outside(void **state)
{
    (void)state;
    assert_int_equal(read_key(), 0);
    assert_int_equal(read_key_by_dots(), 0);
    assert_int_equal(list_secrets(), 0);
    assert_int_equal(reopen_key(), 0);
    assert_int_equal(executable_memory(), 0);
    assert_int_equal(netlink_socket(), 0);
    assert_int_equal(kill_parent(), 0);
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(exec_shell());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 77);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/sandbox-test-XXXXXX");
    if (!mkdtemp(dir) || mkdir(at("mail"), 0700) || mkdir(at("secrets"), 0700))
        return -1;
    write_key();
    close(open(at("one.db"), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    close(open(at("two.db"), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mail = open(at("mail"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    key_fd = open(at("secrets/key.pem"), O_RDONLY | O_CLOEXEC);
    return top < 0 || mail < 0 || key_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(at("secrets/key.pem"));
    unlink(at("one.db"));
    unlink(at("two.db"));
    rmdir(at("mail/tmp"));
    rmdir(at("mail/new"));
    rmdir(at("mail"));
    rmdir(at("secrets"));
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_outside), cmocka_unit_test(test_worker),
                                       cmocka_unit_test(test_keeper)};
    return cmocka_run_group_tests_name("app/sandbox", tests, set_up, tear_down);
}
