"""The proxy section of bench/run: what stands between a client and a sink, beside the sink alone.

Each subject is a before-queue proxy: postrider in both modes that have one, Postfix (smtpd_proxy_filter), nginx's mail
proxy and Haraka where they are installed. The client keeps its connections unless --reuse says otherwise."""
import http.server
import os
import shutil
import signal
import statistics
import threading
import time

from harness import Failure, Folder, Process, free_port, npm, wait_port
from postfix import Postfix
from postrider import Postrider
from smtp import Client
import tools

HARAKA = "3.1.1"   # of npm, where no other is installed

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


def cpu(pids):
    """Seconds of processor time that processes have used."""
    ticks = 0
    for pid in pids:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            row = f.read().rsplit(")", 1)[1].split()
        ticks += int(row[11]) + int(row[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def rate_once(make, args, messages, extra):
    """(messages a second, microseconds of processor time a message)"""
    with Folder("proxy-bench-") as folder:
        port = free_port()
        sink = tools.sink(folder, port)
        with make(port, args) as subject:
            def load(count):
                return tools.gen(folder, subject.port, "--connections", min(args.connections, 20), "--messages", count,
                                 "--size", args.size, *extra).wait(180)
            load(100)
            before = cpu(subject.pids())
            result = load(messages)
            used = cpu(subject.pids()) - before
        sink.finish()
    if result["acked"] != messages:
        raise Failure("%s: %d of %d were taken" % (make.name, result["acked"], messages))
    return result["rate"], used / messages * 1e6


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


def measured(make, args, messages, extra):
    try:
        return rate_once(make, args, messages, extra)
    except Failure as e:
        return str(e)


def section_proxy(args, results, say, spread):
    say("proxy: client to sink through a proxy, %d connections" % min(args.connections, 20))
    subjects = {Direct: args.messages, Inspect: args.messages, Pass: args.messages, ByPostfix: args.messages_postfix,
                ByNginx: args.messages, ByHaraka: args.messages_postfix}
    r = results["proxy"] = {}
    for title, extra in (("kept connections", ()), ("a connection for each message", ("--reuse", 1))):
        found, missing = {}, {}
        for _ in range(args.rounds):
            for make, messages in subjects.items():
                one = measured(make, args, max(100, messages // (10 if extra else 1)), extra)
                if isinstance(one, str):
                    missing[make.name] = one
                else:
                    found.setdefault(make.name, []).append(one)
        say("  " + title)
        r[title] = {}
        for name, rows in found.items():
            s = r[title][name] = {**spread([x[0] for x in rows]), "cpu_us": statistics.median(x[1] for x in rows)}
            s["to direct"] = s["median"] / r[title]["direct"]["median"]
            say("    %-10s %8.0f /s (%.0f to %.0f), %.2f of direct%s" %
                (name, s["median"], s["least"], s["most"], s["to direct"],
                 ", %.0f us of processor time a message" % s["cpu_us"] if s["cpu_us"] else ""))
        for name, why in missing.items():
            if name not in found:
                say("    %-10s %s" % (name, why))
    r["round trip us"] = {m.name: round_trip(m, args) for m in (Direct, Inspect, Pass)}
    say("  one round trip of one session: direct %.0f us, inspect %.0f, pass %.0f" %
        tuple(r["round trip us"][n] for n in ("direct", "inspect", "pass")))
