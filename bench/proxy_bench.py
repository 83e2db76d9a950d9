"""The proxy section of bench/run: what stands between a client and a sink, beside the sink alone.

Each subject is a before-queue proxy: postrider in both modes that have one, Postfix (smtpd_proxy_filter), nginx's mail
proxy and Haraka where they are installed. Each is measured with our own generator and sink, with our generator and
Postfix's sink, and with Postfix's for both, with kept connections and with a connection for each message."""
import http.server
import os
import shutil
import signal
import statistics
import subprocess
import threading
import time

from harness import Failure, Folder, Process, free_port, npm, wait_port
from postfix import Postfix
from postrider import Postrider
from others import SmtpSink, missing, smtp_source
from smtp import Client
import tools

HARAKA = "3.1.1"   # of npm, where no other is installed
TIME = 1.2         # seconds of one load; what is slow gets few messages
KEPT = 10          # messages on each of them at least

CONF = """
hostname = "edge.example.test"
data-dir = "data"
listener edge {{ address = "127.0.0.1:{port}"  proxy = "127.0.0.1:{sink}"  proxy-mode = "{mode}" }}
limits {{ connection-rate = 10000000 }}
log {{ level = "warning" }}
"""


class Direct:
    name = "direct"

    def __init__(self, sink, _):
        self.port = sink

    def __enter__(self):
        return self

    def pids(self):
        return []

    def __exit__(self, *_):
        pass


class ByPostrider(Direct):
    mode = "inspect"

    def __init__(self, sink, _):
        self.port = free_port()
        self.server = Postrider(CONF.format(port=self.port, sink=sink, mode=self.mode), [self.port])

    def __enter__(self):
        self.server.start()
        return self

    def pids(self):
        return self.server.processes()

    def __exit__(self, *_):
        self.server.stop_quietly()
        self.server.folder.remove()


class Inspect(ByPostrider):
    name = "inspect"


class Pass(ByPostrider):
    name, mode = "pass", "pass"


class ByPostfix(Direct):
    name = "postfix"

    def __init__(self, sink, args):
        self.port = free_port()
        self.server = Postfix(self.port, {"smtpd_proxy_filter": "127.0.0.1:%d" % sink, "smtpd_tls_security_level": "none",
                                          "smtpd_client_connection_count_limit": "0", "smtpd_client_connection_rate_limit": "0",
                                          "smtpd_client_message_rate_limit": "0", "in_flow_delay": "0"},
                              processes=args.connections + 10)

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop()


NGINX = """
worker_processes {cores};
error_log {folder}/nginx.log warn;
pid {folder}/nginx.pid;
daemon off;
{modules}
events {{ worker_connections 1024; }}
mail {{
  server_name edge.example.test;
  auth_http 127.0.0.1:{auth}/;
  smtp_capabilities PIPELINING "SIZE 52428800" 8BITMIME;
  server {{ listen 127.0.0.1:{port}; protocol smtp; smtp_auth none; xclient off; proxy on; }}
}}
"""


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):                                               # noqa: N802
        self.send_response(200)
        for name, value in (("Auth-Status", "OK"), ("Auth-Server", "127.0.0.1"), ("Auth-Port", str(self.server.sink)),
                            ("Content-Length", "0")):
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass


class ByNginx(Direct):
    name = "nginx"

    def __init__(self, sink, _):
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        module = "/usr/lib/nginx/modules/ngx_mail_module.so"
        if not os.access(program, os.X_OK) or not os.path.exists(module):
            raise Failure("nginx and its mail module are not installed")
        self.folder = Folder("nginx-bench-")
        self.port, auth = free_port(), free_port()
        self.answers = http.server.ThreadingHTTPServer(("127.0.0.1", auth), Answers)
        self.answers.sink = sink
        conf = self.folder.file("nginx.conf", NGINX.format(cores=os.cpu_count(), folder=self.folder.path, auth=auth,
                                                           port=self.port, modules='load_module %s;' % module))
        self.process = Process([program, "-c", conf, "-p", self.folder.path], self.folder.file("out"))

    def __enter__(self):
        threading.Thread(target=self.answers.serve_forever, daemon=True).start()
        self.process.start()
        wait_port(self.port, 10)
        return self

    def __exit__(self, *_):
        self.process.stop()
        self.answers.shutdown()
        self.folder.remove()


class ByHaraka(Direct):
    name = "haraka"

    def __init__(self, sink, _):
        program = os.environ.get("HARAKA") or shutil.which("haraka") or \
            os.path.join(npm("Haraka", HARAKA)["NODE_PATH"], ".bin", "haraka")
        self.folder = Folder("haraka-bench-")
        own = os.path.join(os.path.dirname(os.path.realpath(program)), "..", "config")   # it does not start without its defaults
        shutil.copytree(own, self.folder.file("config"))
        self.port = free_port()
        for name, text in (("smtp.ini", "listen=127.0.0.1:%d\nnodes=%d\n" % (self.port, os.cpu_count())),
                           ("plugins", "rcpt_to.in_host_list\nqueue/smtp_proxy\n"), ("host_list", "dest.example\n"),
                           ("smtp_proxy.ini", "host=127.0.0.1\nport=%d\n" % sink), ("loglevel", "ERROR\n")):
            self.folder.file("config/" + name, text)
        self.process = Process([program, "-c", self.folder.path], self.folder.file("out"))

    def __enter__(self):
        self.process.start()
        wait_port(self.port, 30)
        return self

    def __exit__(self, *_):
        self.process.stop(signal.SIGKILL)   # its workers end with it
        self.folder.remove()


SUBJECTS = (Direct, Inspect, Pass, ByPostfix, ByNginx, ByHaraka)


def cpu(pids):
    """Seconds of processor time that processes have used."""
    ticks = 0
    for pid in pids:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            row = f.read().rsplit(")", 1)[1].split()
        ticks += int(row[11]) + int(row[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Ours:
    """gen, which pipelines, and sink."""
    name = "gen to sink"

    def __init__(self, args, port):
        self.args, self.port, self.folder = args, port, Folder("proxy-bench-")

    def __enter__(self):
        self.sink = tools.sink(self.folder, self.port)
        return self

    def rate(self, port, messages, keep):
        result = tools.gen(self.folder, port, "--connections", sessions(self.args), "--messages", messages,
                           "--size", self.args.size, "--reuse", 0 if keep else 1).wait(60)
        if result["acked"] != messages:
            raise Failure("%d of %d were taken" % (result["acked"], messages))
        return result["rate"]

    def __exit__(self, *_):
        self.sink.finish()
        self.folder.remove()


class OursToTheirs(Ours):
    """gen, and a sink that is not ours."""
    name = "gen to smtp-sink"

    def __enter__(self):
        if missing():
            raise Failure(missing())
        self.sink = SmtpSink(self.port).__enter__()
        return self

    def __exit__(self, *_):
        self.sink.__exit__()
        self.folder.remove()


class Theirs:
    name = "smtp-source to smtp-sink"

    def __init__(self, args, port):
        self.args, self.sink = args, SmtpSink(port)

    def __enter__(self):
        if missing():
            raise Failure(missing())
        self.sink.__enter__()
        return self

    def rate(self, port, messages, keep):
        return smtp_source(port, messages, sessions(self.args), self.args.size, keep)

    def __exit__(self, *_):
        self.sink.__exit__()


LOADS = (Ours, OursToTheirs, Theirs)


def sessions(args):
    return min(args.connections, 20)


def how_many(args, seen, keep):
    """Messages that take TIME at this rate; of kept connections at least so many that their beginnings do not count."""
    return max(sessions(args) * (KEPT if keep else 2), min(int(seen * TIME), args.messages))


def one_round(make, load, args, rates, costs):
    """One start of a subject: with kept connections and without, for about TIME each. The first round finds out how many
    messages that is; every one begins with a few that do not count."""
    port = free_port()
    with load(args, port) as by, make(port, args) as subject:
        for keep in (True, False):
            key = (load.name, keep, make.name)
            seen = by.rate(subject.port, sessions(args), keep)
            if key not in rates:
                seen = by.rate(subject.port, how_many(args, seen, keep), keep)
            messages = how_many(args, rates[key][-1] if key in rates else seen, keep)
            before = cpu(subject.pids())
            rates.setdefault(key, []).append(by.rate(subject.port, messages, keep))
            costs.setdefault(key, []).append((cpu(subject.pids()) - before) / messages * 1e6)


def round_trip(make, args, count=3000):
    """Median microseconds of a RCPT in one session."""
    with Folder("proxy-bench-") as folder:
        port = free_port()
        sink = tools.sink(folder, port)
        times = []
        with make(port, args) as subject, Client(subject.port) as c:
            c.hello()
            for i in range(count):
                if i % 500 == 0:
                    c.command("RSET", 250)
                    c.command("MAIL FROM:<a@load.example>", 250)
                begun = time.perf_counter()
                c.command("RCPT TO:<r%d@dest.example>" % i, 250)
                times.append(time.perf_counter() - begun)
        sink.finish()
    return statistics.median(times) * 1e6


def show(say, spread, rates, costs, load, keep):
    """The table of one load: {name: numbers}."""
    found = {}
    say("  %s, %s" % (load.name, "kept connections" if keep else "a connection for each message"))
    for name in [m.name for m in SUBJECTS if rates.get((load.name, keep, m.name))]:
        key = (load.name, keep, name)
        s = found[name] = {**spread(rates[key]), "cpu_us": statistics.median(costs[key])}
        s["to direct"] = s["median"] / found["direct"]["median"] if "direct" in found else 0
        say("    %-10s %8.0f /s (%.0f to %.0f), %.2f of direct%s" %
            (name, s["median"], s["least"], s["most"], s["to direct"],
             ", %.0f us of processor time a message" % s["cpu_us"] if s["cpu_us"] else ""))
    if "inspect" in found and "postfix" in found:
        found["to postfix"] = found["inspect"]["median"] / found["postfix"]["median"]
        say("    inspect : postfix %.1f" % found["to postfix"])
    return found


def section_proxy(args, results, say, spread):
    say("proxy: client to sink through a proxy, %d connections" % sessions(args))
    rates, costs, without = {}, {}, {}
    for _ in range(args.rounds):
        for load in LOADS:
            for make in SUBJECTS:
                if (load, make) in without:
                    continue
                try:
                    one_round(make, load, args, rates, costs)
                except (Failure, OSError, subprocess.SubprocessError) as e:
                    without[load, make] = str(e)
    r = results["proxy"] = {}
    for load in LOADS:
        for keep in (True, False):
            r["%s, %s" % (load.name, "kept" if keep else "a connection each")] = show(say, spread, rates, costs, load, keep)
        for (of, make), why in without.items():
            if of is load:
                say("    %-10s %s" % (make.name, why))
    r["round trip us"] = {m.name: round_trip(m, args) for m in (Direct, Inspect, Pass)}
    say("  one round trip of one session: direct %.0f us, inspect %.0f, pass %.0f" %
        tuple(r["round trip us"][n] for n in ("direct", "inspect", "pass")))
