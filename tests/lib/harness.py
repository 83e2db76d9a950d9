"""Common ground of the Python tiers: where things are, free ports, processes, certificates, counting.

Everything runs on loopback, in folders of its own, and ends what it started by process id.
Environment: POSTRIDER (the program, default build/postrider), TOOLS (folder of gen and sink),
KEEP=1 (do not remove the temporary folders).
"""
import atexit
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
POSTRIDER = os.environ.get("POSTRIDER", os.path.join(ROOT, "build", "postrider"))
TOOLS = os.environ.get("TOOLS", os.path.join(os.path.dirname(POSTRIDER), "tests", "tools"))
LOAD = float(os.environ.get("PATIENCE", "1"))     # factor on every wait: sanitizer builds set 5


def patience(seconds=0):
    """How long to wait for what comes for certain: an end for a test that hangs, no statement about speed. Never less than a
    minute, for the machine may do other things. Whoever waits for something NOT to come, or times something, does it himself."""
    return max(seconds, 60) * LOAD


class Failure(Exception):
    """An assertion of a test, in words."""


def check(condition, words):
    if not condition:
        raise Failure(words)


def equal(got, wanted, what):
    if got != wanted:
        raise Failure("%s: expected %r, found %r" % (what, wanted, got))


FIRST_PORT, LAST_PORT = 12000, 19999          # below those that the kernel gives to clients


def free_port():
    """A port that nobody has now and that no other test gets soon. Ports are handed out in turn, by a file that all tests
    share: one that the kernel chose could be a client's a moment later, and the server that is to have it would not start."""
    with open(os.path.join(tempfile.gettempdir(), "postrider-test-ports-%d" % os.getuid()), "a+") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        f.seek(0)
        last = f.read().strip()
        port = int(last) if last.isdigit() else FIRST_PORT + os.getpid() % 7000
        for _ in range(LAST_PORT - FIRST_PORT):
            port = port + 1 if FIRST_PORT <= port < LAST_PORT else FIRST_PORT
            if all(nobody_has(port, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)):
                f.truncate(0)
                f.write(str(port))
                return port
    raise Failure("no port from %d to %d is free" % (FIRST_PORT, LAST_PORT))


def nobody_has(port, kind):
    with socket.socket(socket.AF_INET, kind) as s:
        try:
            s.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def wait_until(condition, seconds, what):
    """Calls condition() until it is true; its value."""
    end = time.monotonic() + patience(seconds)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure("waited %g s for %s" % (patience(seconds), what))
        time.sleep(0.02)


HELD = []                                             # files of alone(), open until we end


def alone(name):
    """Waits until no other test of this machine uses what is called so (a port that cannot be chosen); ours until we end."""
    f = open(os.path.join(tempfile.gettempdir(), "postrider-test-%s-%d" % (name, os.getuid())), "a")
    fcntl.flock(f, fcntl.LOCK_EX)
    HELD.append(f)


def port_open(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), 10).close()
        return True
    except OSError:
        return False


def wait_port(port, seconds=15, process=None):
    def ready():
        if process is not None and process.poll() is not None:
            raise Failure("the server for port %d ended with status %s" % (port, process.p.returncode))
        return port_open(port)
    wait_until(ready, seconds, "port %d to open" % port)


def need(program):
    """The path of a peer's program. A missing peer is a failure, never a skip."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/sbin")
    if not path:
        raise Failure("%s is not installed; ./check installs what is needed" % program)
    return path


def run(*args, stdin=None, seconds=60, ok=(0,), env=None, cwd=None):
    """Runs a program to its end; CompletedProcess with text. `ok` lists the wanted statuses; None: any."""
    p = subprocess.run([str(a) for a in args], input=stdin, capture_output=True, text=True, env=env, cwd=cwd,
                       timeout=patience(seconds), errors="replace")
    if ok is not None and p.returncode not in ok:
        raise Failure("%s ended with %d\n%s%s" % (" ".join(map(str, args)), p.returncode, p.stdout[-2000:],
                                                  p.stderr[-2000:]))
    return p


class Folder:
    """A temporary folder that every user may enter (servers drop their privileges)."""

    def __init__(self, name="postrider-test-", where=None):
        self.path = tempfile.mkdtemp(prefix=name, dir=where)
        os.chmod(self.path, 0o755)

    def file(self, name, text=None, mode=0o644):
        path = os.path.join(self.path, name)
        if text is not None:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb" if isinstance(text, bytes) else "w") as f:
                f.write(text)
            os.chmod(path, mode)
        return path

    def remove(self):
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.path, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


RUNNING = []                                          # processes that were begun here


@atexit.register
def end_all():
    """What a test that failed leaves behind would keep its ports."""
    for p in RUNNING:
        if p.poll() is None:
            try:
                os.killpg(p.pid, signal.SIGKILL)
            except OSError:
                pass


class Process:
    """A program in the background with its output in a file."""

    def __init__(self, args, log, cwd=None, env=None):
        self.args = [str(a) for a in args]
        self.log = log
        self.cwd = cwd
        self.env = env
        self.p = None

    def start(self):
        with open(self.log, "ab") as out:
            self.p = subprocess.Popen(self.args, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.cwd,
                                      env=self.env, start_new_session=True)
        RUNNING.append(self.p)
        return self

    def poll(self):
        return self.p.poll()

    def output(self, last=4000):
        with open(self.log, "rb") as f:
            f.seek(max(0, os.path.getsize(self.log) - last))
            return f.read().decode("utf-8", "replace")

    def stop(self, how=signal.SIGTERM, seconds=45):
        """Ends it and waits; its exit status (negative: signal)."""
        if self.p is None:
            return None
        if self.p.poll() is None:
            self.p.send_signal(how)
            try:
                self.p.wait(patience(seconds))
            except subprocess.TimeoutExpired:
                self.p.kill()
                self.p.wait()
                raise Failure("%s did not end within %g s of signal %d" % (self.args[0], patience(seconds), how))
        return self.p.returncode

    def __enter__(self):
        return self.start() if self.p is None else self

    def __exit__(self, *_):
        self.stop()


def children(pid):
    """The child processes of a process."""
    found = []
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, task)) as f:
                found += [int(x) for x in f.read().split()]
    except OSError:
        pass
    return found


def certificate(folder, names=("localhost", "mx.example.test"), stem="cert"):
    """A self-signed pair: (certificate file, key file)."""
    cert, key = folder.file(stem + ".pem"), folder.file(stem + "-key.pem")
    alt = ",".join("DNS:" + n for n in names) + ",IP:127.0.0.1"
    run(need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", key, "-out", cert, "-days", "30", "-subj", "/CN=" + names[0], "-addext", "subjectAltName=" + alt)
    os.chmod(key, 0o644)
    return cert, key


def npm(package, version):
    """An environment in which node finds this package. Each has a folder of its own in build/, filled once, by one test at a time."""
    base = os.path.join(ROOT, "build", "npm", package)
    os.makedirs(base, exist_ok=True)
    with open(os.path.join(base, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = os.path.join(base, "ready-" + version)
        if not os.path.exists(ready):
            run(need("npm"), "install", "--prefix", base, "--no-audit", "--no-fund", package + "@" + version, seconds=300)
            open(ready, "w").close()
    return dict(os.environ, NODE_PATH=os.path.join(base, "node_modules"))


def pypi(package, version):
    """A Python interpreter that can import this package, likewise."""
    base = os.path.join(ROOT, "build", "pypi", package)
    os.makedirs(base, exist_ok=True)
    python = os.path.join(base, "bin", "python")
    with open(os.path.join(base, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = os.path.join(base, "ready-" + version)
        if not os.path.exists(ready):
            run(sys.executable, "-m", "venv", base, seconds=120)
            run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package + "==" + version, seconds=600)
            open(ready, "w").close()
    return python


class Authority:
    """A certificate authority of a test."""

    EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

    def __init__(self, folder, name="ca"):
        self.folder, self.certificate, self.key = folder, folder.file(name + ".pem"), folder.file(name + ".key")
        run(need("openssl"), "req", "-x509", *self.EC, "-days", "30", "-subj", "/CN=A test CA", "-keyout", self.key, "-out", self.certificate)

    def issue(self, *names):
        """(chain, key) of a certificate for these names, the authority's own behind it."""
        stem = names[0].replace("*", "any")
        key, request, leaf = (self.folder.file(stem + x) for x in (".key", ".csr", ".leaf"))
        run("openssl", "req", *self.EC, "-subj", "/CN=" + names[0], "-keyout", key, "-out", request)
        more = self.folder.file(stem + ".ext", "subjectAltName=%s\n" % ",".join("DNS:" + n for n in names))
        run("openssl", "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-days", "30", "-out", leaf, "-extfile", more)
        with open(leaf) as a, open(self.certificate) as b:
            chain = self.folder.file(stem + ".pem", a.read() + b.read())
        os.chmod(key, 0o644)
        return chain, key


class Tally:
    """Counts cases; prints a line per failure and 'N passed, N failed' at the end."""

    def __init__(self, name, verbose=False):
        self.name, self.verbose = name, verbose
        self.passed = self.failed = 0

    def case(self, title, function, *args):
        begun = time.monotonic()
        try:
            function(*args)
        except Failure as e:
            return self.bad(title, str(e))
        except Exception as e:                       # a broken test is a failed test
            return self.bad(title, "%s: %s\n%s" % (type(e).__name__, e, traceback.format_exc(limit=-4)))
        self.passed += 1
        if self.verbose:
            print("ok      %s: %s (%.1f s)" % (self.name, title, time.monotonic() - begun), flush=True)
        return True

    def bad(self, title, words):
        self.failed += 1
        print("FAILED  %s: %s: %s" % (self.name, title, words), flush=True)
        return False

    def good(self, title=None):
        self.passed += 1
        if self.verbose and title:
            print("ok      %s: %s" % (self.name, title), flush=True)

    def end(self):
        print("%d passed, %d failed" % (self.passed, self.failed), flush=True)
        sys.exit(1 if self.failed or not self.passed else 0)
