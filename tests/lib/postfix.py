"""A Postfix of the test's own: configuration, queue and log in a temporary folder, nothing shared with
the system's instance. It needs root, because Postfix does."""
import os
import pwd
import shutil

from harness import Failure, Folder, check, need, run, wait_port, wait_until

MASTER = """
{listen} inet n - n - {processes} smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - {processes} smtp
relay unix - - n - {processes} smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - {processes} lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """`settings` are lines of main.cf on top of a plain relay for loopback. `resolv_conf`: a file that it finds in place of
    /etc/resolv.conf, in a mount namespace of its own; then it also asks DNS."""

    def __init__(self, port, settings=None, processes=100, folder=None, resolv_conf=None):
        check(os.geteuid() == 0, "Postfix has to be started by root")
        need("postfix")
        self.port, self.resolv_conf = port, resolv_conf
        self.own_folder = folder is None
        self.folder = folder or Folder("postfix-test-")
        owner = pwd.getpwnam("postfix")
        queue, data = self.folder.file("queue"), self.folder.file("data-postfix")
        os.mkdir(queue)
        os.mkdir(data)
        os.chown(data, owner.pw_uid, owner.pw_gid)
        self.log_path = self.folder.file("maillog")
        main = {
            "compatibility_level": "3.6", "queue_directory": queue, "data_directory": data,
            "command_directory": "/usr/sbin", "daemon_directory": "/usr/lib/postfix/sbin", "mail_owner": "postfix",
            "setgid_group": "postdrop", "maillog_file": self.log_path, "maillog_file_prefixes": "/tmp, /var",
            "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "myhostname": "postfix.test",
            "mydestination": "", "mynetworks": "127.0.0.0/8", "alias_maps": "", "local_recipient_maps": "",
            "smtpd_relay_restrictions": "permit_mynetworks, reject", "smtp_host_lookup": "native",
            "smtpd_peername_lookup": "no", "default_process_limit": str(processes), "biff": "no",
            "import_environment": "MAIL_CONFIG TZ LANG=C", "disable_dns_lookups": "yes",
        }
        if resolv_conf:
            main.update({"disable_dns_lookups": "no", "smtp_host_lookup": "dns", "smtp_dns_support_level": "dnssec"})
        main.update(settings or {})
        self.conf = self.folder.file("conf")
        os.mkdir(self.conf)
        self.folder.file("conf/main.cf", "".join("%s = %s\n" % row for row in main.items()))
        self.folder.file("conf/master.cf", MASTER.format(listen="127.0.0.1:%d" % port, processes=processes))
        self.running = False

    def command(self, *args, ok=(0,)):
        words = [need("postfix"), "-c", self.conf, *args]
        if self.resolv_conf:
            words = [need("unshare"), "-m", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', self.resolv_conf] + words
        return run(*words, ok=ok)

    def start(self):
        try:
            self.command("start")
        except Failure as e:
            raise Failure("%s\n%s" % (e, self.log(2000))) from None
        self.running = True
        wait_port(self.port)
        return self

    def log(self, last=100000):
        try:
            with open(self.log_path, "rb") as f:
                return f.read()[-last:].decode("utf-8", "replace")
        except OSError:
            return ""

    def queued(self):
        """Messages in its queue, by the files there."""
        count = 0
        for sub in ("incoming", "active", "deferred", "maildrop"):
            for _, _, names in os.walk(os.path.join(self.folder.path, "queue", sub)):
                count += len(names)
        return count

    def wait_empty(self, seconds=60):
        wait_until(lambda: self.queued() == 0, seconds, "an empty Postfix queue")

    def master_pid(self):
        with open(os.path.join(self.folder.path, "queue", "pid", "master.pid"), encoding="ascii") as f:
            return int(f.read())

    def stop(self):
        if self.running:
            self.running = False
            self.command("stop", ok=None)
            if os.path.exists("/proc/%d" % self.master_pid()):
                self.command("abort", ok=None)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        if self.own_folder and not os.environ.get("KEEP"):
            shutil.rmtree(self.folder.path, ignore_errors=True)
