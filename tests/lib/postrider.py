"""Starts, watches and ends a postrider server for a test."""
import json
import os
import signal
import socket
import time

from harness import POSTRIDER, Failure, Folder, Process, check, children, patience, run, wait_port, wait_until


class Postrider:
    """A server on a configuration text. data-dir is relative to the file, so each has its own folder.

        with Postrider(conf, ports=[port]) as server:
            server.status()["queued"]
    """

    def __init__(self, conf, ports=(), folder=None, files=None):
        check(os.access(POSTRIDER, os.X_OK), "%s is not built" % POSTRIDER)
        self.own_folder = folder is None
        self.folder = folder or Folder()
        self.ports = list(ports)
        self.conf = self.folder.file("postrider.conf", conf)
        for name, text in (files or {}).items():
            self.folder.file(name, text)
        self.process = None
        self.kills = False               # set by a test that kills processes itself

    def start(self, wait=True, seconds=15):
        self.process = Process([POSTRIDER, "serve", "-c", self.conf], self.folder.file("log"), cwd=self.folder.path)
        self.process.start()
        if wait:
            for port in self.ports:
                try:
                    wait_port(port, seconds, self.process)
                except Failure as e:
                    log = self.log(1500)
                    self.stop_quietly()
                    raise Failure("%s; its log ends:\n%s" % (e, log)) from None
            wait_until(self.answers, 60, "the control socket")
        return self

    def answers(self):
        """The ports are open a moment before the socket for commands is: true when it is there, too, or is not ours to know."""
        with open(self.conf, encoding="utf-8", errors="replace") as f:
            text = f.read()
        if "control-socket" in text or 'data-dir = "data"' not in text or self.process.poll() is not None:
            return True
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(self.folder.file("data/control"))
                return True
            except OSError:
                return False

    def log(self, last=100000):
        return self.process.output(last) if self.process else ""

    def reload(self, conf=None):
        if conf is not None:
            self.folder.file("postrider.conf", conf)
        self.process.p.send_signal(signal.SIGHUP)

    def stop(self):
        """SIGTERM; fails when the server did not end by itself with status 0, or when something crashed before."""
        status = self.process.stop()
        check(status == 0, "postrider ended with status %s; its log ends:\n%s" % (status, self.log(1500)))
        self.look_for_crashes()

    def look_for_crashes(self):
        """A worker that died is replaced and a test may pass all the same: the log tells."""
        words = ["runtime error:", "Sanitizer:"] + ([] if self.kills else ["worker_died"])
        with open(self.process.log, encoding="utf-8", errors="replace") as f:
            for row in f:
                if any(w in row for w in words):
                    raise Failure("the log says: %s\n%s" % (row.strip(), self.log(6000)))

    def stop_quietly(self):
        try:
            if self.process:
                self.process.stop(seconds=40)
        except Failure:
            pass

    def workers(self):
        """The parent's children that serve, not the keeper of secrets: none for a moment after a start or a death."""
        return [pid for pid in children(self.process.p.pid) if "keep" not in self.name(pid)]

    @staticmethod
    def name(pid):
        try:
            with open("/proc/%d/comm" % pid, encoding="ascii", errors="replace") as f:
                return f.read().strip()
        except OSError:
            return ""

    def kill_worker(self, other_than=()):
        """kill -9 of the worker, as soon as there is one (the ports are open before it is). The pid."""
        pid = wait_until(lambda: [pid for pid in self.workers() if pid not in other_than], 20, "a worker")[0]
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            raise Failure("the worker ended before it was killed") from None
        return pid

    def processes(self):
        """The parent and everything below it."""
        found, todo = [], [self.process.p.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            todo += children(pid)
        return found

    def kill(self, whole):
        """kill -9: of the children alone, or of the parent and then the children. The pids killed."""
        pids = self.processes() if whole else self.workers()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if whole:
            self.process.p.wait()
        return pids

    def cli(self, *args, ok=(0,), stdin=None, seconds=60):
        return run(POSTRIDER, *args, "-c", self.conf, ok=ok, stdin=stdin, seconds=seconds)

    def json(self, *args):
        text = self.cli(*args, "--json").stdout
        try:
            return json.loads(text)
        except ValueError:
            raise Failure("postrider %s --json printed no JSON: %r" % (" ".join(args), text[:300])) from None

    def status(self):
        return self.json("status")

    def queued(self):
        return self.status()["queued"]

    def wait_empty(self, seconds=60):
        """Waits until no recipient is left in the queue."""
        end = time.monotonic() + patience(seconds)
        left = None
        while time.monotonic() < end:
            try:
                left = self.queued()
                if left == 0:
                    return
            except Failure:
                pass                     # a server that is just starting has no control socket yet
            time.sleep(0.1)
        raise Failure("the queue still holds %s after %g s" % (left, patience(seconds)))

    def wait_log(self, text, seconds=20):
        wait_until(lambda: text in self.log(), seconds, "%r in the log" % text)

    def mail(self, domain, mailbox):
        """The messages of a mailbox, as bytes, oldest first."""
        found = []
        for sub in ("new", "cur"):
            path = os.path.join(self.folder.path, "data", "mail", domain, mailbox, sub)
            if os.path.isdir(path):
                for name in os.listdir(path):
                    full = os.path.join(path, name)
                    found.append((os.stat(full).st_mtime_ns, full))
        return [open(full, "rb").read() for _, full in sorted(found)]

    def wait_mail(self, domain, mailbox, count=1, seconds=20):
        return wait_until(lambda: len(self.mail(domain, mailbox)) >= count and self.mail(domain, mailbox), seconds,
                          "%d messages for %s@%s" % (count, mailbox, domain))

    def __enter__(self):
        return self.start() if self.process is None else self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.stop()
            else:
                self.stop_quietly()
                print(self.log(3000))
        finally:
            if self.own_folder:
                self.folder.remove()
