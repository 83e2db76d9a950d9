/*
 * The walls around a child: Landlock says which folders it may open, seccomp which calls it may make. Both are set up
 * once, before the first thread starts, and hold for all that come; neither can be taken off again.
 *
 * What the table below does not name fails with EPERM, and what only an intruder would try ends the process: the parent
 * starts another one. clone3 is told to be missing (ENOSYS), so that the C library uses clone, whose flags can be seen.
 * Landlock is by raw calls, as far as the kernel has it: rights that it does not know are left out.
 */
#include "app/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZER 1
#else
#define SANITIZER 0
#endif

/* ---- Landlock ------------------------------------------------------------------------------------------------- */

/* Newer than the headers of Debian 12. */
#define ACCESS_TRUNCATE (1ULL << 14)
#define ACCESS_IOCTL_DEV (1ULL << 15)
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)
struct ruleset { /* landlock_ruleset_attr of ABI 6; older kernels take the beginning */
    uint64_t fs, net, scoped;
};

/* All that a folder of ours needs: regular files and folders, no devices, sockets, links or programs. */
#define FOLDER_RIGHTS                                                                                                  \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |                      \
     LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                    \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER | ACCESS_TRUNCATE)
#define FILE_RIGHTS (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | ACCESS_TRUNCATE)
#define ALL_RIGHTS (ACCESS_IOCTL_DEV | (ACCESS_IOCTL_DEV - 1))

static int landlock_abi(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* The rights that an ABI knows. Below 2 every link between two folders is refused, and Maildir lives by those. */
static uint64_t known_rights(int abi)
{
    return abi >= 5 ? ALL_RIGHTS : abi >= 3 ? ALL_RIGHTS & ~ACCESS_IOCTL_DEV : ALL_RIGHTS & (ACCESS_TRUNCATE - 1);
}

static int add_place(int ruleset, const struct sandbox_place *p, uint64_t known)
{
    int fd = p->file ? openat(p->folder, p->file, O_PATH | O_CLOEXEC | O_NOFOLLOW) : p->folder;
    if (fd < 0)
        return errno == ENOENT || errno == EBADF ? 0 : errno;
    struct landlock_path_beneath_attr rule = {(p->file ? FILE_RIGHTS : FOLDER_RIGHTS) & known, fd};
    int failed = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) ? errno : 0;
    if (p->file)
        close(fd);
    return failed;
}

static err landlock_enter(const struct sandbox_place *v, size_t n, int abi)
{
    struct ruleset r = {.fs = known_rights(abi), .scoped = abi >= 6 ? SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL : 0};
    size_t size = abi >= 6 ? sizeof r : abi >= 4 ? offsetof(struct ruleset, scoped) : offsetof(struct ruleset, net);
    int fd = (int)syscall(SYS_landlock_create_ruleset, &r, size, 0);
    if (fd < 0)
        return err_from_errno(errno);
    int failed = 0;
    for (size_t i = 0; i < n && !failed; i++)
        failed = add_place(fd, &v[i], r.fs);
    if (!failed && syscall(SYS_landlock_restrict_self, fd, 0))
        failed = errno;
    close(fd);
    return err_from_errno(failed);
}

/* ---- seccomp -------------------------------------------------------------------------------------------------- */

/* Of both children. */
static const char *const common_calls[] = {
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "preadv",
    "pwritev",
    "preadv2",
    "pwritev2",
    "close",
    "lseek",
    "fstat",
    "newfstatat",
    "statx",
    "stat",
    "lstat",
    "openat",
    "open",
    "fcntl",
    "flock",
    "fsync",
    "fdatasync",
    "ftruncate",
    "unlinkat",
    "unlink",
    "renameat",
    "renameat2",
    "getdents64",
    "access",
    "faccessat",
    "faccessat2",
    "getcwd",
    "fchmod",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "epoll_wait",
    "epoll_pwait",
    "epoll_ctl",
    "epoll_create1",
    "poll",
    "ppoll",
    "eventfd2",
    "pipe2",
    "dup",
    "dup2",
    "dup3",
    "munmap",
    "mremap",
    "madvise",
    "mincore",
    "brk",
    "membarrier",
    "futex",
    "get_robust_list",
    "set_robust_list",
    "rseq",
    "set_tid_address",
    "exit",
    "exit_group",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigtimedwait",
    "sigaltstack",
    "restart_syscall",
    "getpid",
    "gettid",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getresuid",
    "getresgid",
    "getrandom",
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "time",
    "getrusage",
    "sysinfo",
    "uname",
    "times",
    "sched_yield",
    "sched_getaffinity",
    "getcpu",
    "arch_prctl",
    "getpriority",
    "setpriority",
    "umask",
};
/* Of the worker alone: the network, and folders of mail. */
static const char *const worker_calls[] = {
    "bind",        "listen",     "connect",    "accept",          "accept4",         "getsockname",
    "getpeername", "getsockopt", "setsockopt", "shutdown",        "socketpair",      "select",
    "pselect6",    "mkdirat",    "linkat",     "fallocate",       "sync_file_range", "fstatfs",
    "fadvise64",   "utimensat",  "sendfile",   "copy_file_range", "splice",
};
/* Nobody asks for these by mistake. */
static const char *const deadly_calls[] = {
    "execve",
    "execveat",
    "fork",
    "vfork",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "kexec_load",
    "init_module",
    "finit_module",
    "bpf",
    "mount",
    "pivot_root",
    "chroot",
    "unshare",
    "setns",
    "open_by_handle_at",
    "pidfd_getfd",
    "setuid",
    "setgid",
    "setresuid",
    "setresgid",
    "setreuid",
    "setregid",
};

static int add_names(scmp_filter_ctx f, uint32_t action, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int call = seccomp_syscall_resolve_name(names[i]);
        int e = call == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(f, action, call, 0);
        if (e && e != -EDOM) /* not a call of this machine */
            return e;
    }
    return 0;
}
#define ADD(f, action, names) add_names(f, action, names, sizeof(names) / sizeof *(names))

/* Calls that are judged by an argument. */
static int add_judged(scmp_filter_ctx f, bool worker)
{
    static const int commands[] = {FIONBIO, FIONREAD, TIOCOUTQ};
    static const int families[] = {AF_INET, AF_INET6, AF_UNIX};
    int e = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    e = e ? e : seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    e = e ? e
          : seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    e = e ? e : seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    e = e ? e : seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
    e = e ? e : seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    /* Limits are read, not set. */
    e = e ? e
          : seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, SCMP_A0(SCMP_CMP_EQ, 0),
                             SCMP_A2(SCMP_CMP_EQ, 0));
    for (size_t i = 0; i < sizeof commands / sizeof *commands && !e; i++)
        e = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i]));
    for (size_t i = 0; i < sizeof families / sizeof *families && !e && worker; i++)
        e = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
    return e;
}

static err seccomp_enter(bool worker)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!f)
        return E_NOMEM;
    int e = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    e = e ? e : seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
    (void)seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree instead of a list, where the library can */
    (void)seccomp_attr_set(f, SCMP_FLTATR_CTL_SSB, 1); /* no slower loads for a filter that runs no code of others */
    e = e ? e : ADD(f, SCMP_ACT_KILL_PROCESS, deadly_calls);
    e = e ? e : ADD(f, SCMP_ACT_ALLOW, common_calls);
    e = e ? e : worker ? ADD(f, SCMP_ACT_ALLOW, worker_calls) : 0;
    e = e ? e : add_judged(f, worker);
    e = e ? e : seccomp_load(f);
    seccomp_release(f);
    return err_from_errno(-e);
}

/* ---- both ----------------------------------------------------------------------------------------------------- */

err sandbox_enter(enum sandbox kind, const struct sandbox_place *v, size_t n)
{
    const char *who = kind == SANDBOX_WORKER ? "worker" : "keeper";
    char landlock[48] = "off: not in this kernel", seccomp[48] = "on";
    if (SANITIZER) { /* it reads /proc and more */
        rt_log(EV_sandbox, log_c(who), log_c("off: a build with sanitizers"), log_c("off: a build with sanitizers"));
        return OK;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return err_from_errno(errno);
    int abi = landlock_abi();
    err e = abi >= 2 ? landlock_enter(v, n, abi) : E_UNSUPPORTED;
    if (e && abi >= 2)
        snprintf(landlock, sizeof landlock, "off: %s", err_text(e));
    else if (!e)
        snprintf(landlock, sizeof landlock, "on, version %d", abi);
    e = seccomp_enter(kind == SANDBOX_WORKER);
    if (e)
        snprintf(seccomp, sizeof seccomp, "off: %s", err_text(e));
    rt_log(EV_sandbox, log_c(who), log_c(landlock), log_c(seccomp));
    return OK;
}
