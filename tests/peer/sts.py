"""MTA-STS (RFC 8461): policies served by HTTPS, servers that fit them and servers that do not. The web server listens on port 443
of a loopback address of its own, so this needs root."""
import http.server
import ssl
import threading
import time

from common import main
import confs
from dnsd import DnsServer
from harness import Authority, Folder, certificate, check, equal, free_port
from outgoing import fake_servers, send
from postrider import Postrider

WEB = "127.0.27.200"


class Web:
    """Serves what `policies` has for mta-sts.NAME; counts questions."""

    def __init__(self, pair, policies):
        self.asked = []
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                name = self.headers["Host"]
                web.asked.append(name)
                text = policies.get(name[len("mta-sts."):]) if self.path == "/.well-known/mta-sts.txt" else None
                body = (text or "no").encode()
                self.send_response(200 if text else 404)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((WEB, 443), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def policy(mode, mx, age=86400):
    return "version: STSv1\r\nmode: %s\r\nmx: %s\r\nmax_age: %d\r\n" % (mode, mx, age)


# name: (policy or None for 404, the server's pair: good, selfsigned or None)
DOMAINS = {
    "good": (policy("enforce", "mx.good.test"), "good"),
    "wild": (policy("enforce", "*.wild.test"), "good"),
    "other": (policy("enforce", "mx.elsewhere.test"), "good"),
    "selfsigned": (policy("enforce", "mx.selfsigned.test"), "selfsigned"),
    "plain": (policy("enforce", "mx.plain.test"), None),
    "testing": (policy("testing", "mx.elsewhere.test"), "selfsigned"),
    "off": (policy("none", "mx.off.test"), "selfsigned"),
    "broken": ("version: STSv1\nmode: enforce\n", "selfsigned"),
    "missing": (None, "selfsigned"),
}


class World:
    def __init__(self):
        self.folder = Folder()
        ca = Authority(self.folder)
        names = ["mx.%s.test" % n for n in DOMAINS]
        pairs = {"good": ca.issue(*names), "selfsigned": certificate(self.folder), None: None}
        self.web = Web(ca.issue(*["mta-sts.%s.test" % n for n in DOMAINS]), {n + ".test": p for n, (p, _) in DOMAINS.items()})
        self.mx, self.port = free_port(), free_port()
        zone, self.servers = {}, fake_servers(DOMAINS, "127.0.27", self.mx, lambda name: pairs[DOMAINS[name][1]])
        for name, server in self.servers.items():
            zone["%s.test" % name] = {"MX": ["10 mx.%s.test" % name]}
            zone["mx.%s.test" % name] = {"A": [server.address]}
            zone["_mta-sts.%s.test" % name] = {"TXT": ["v=STSv1; id=1;"], "ttl": 1}
            zone["mta-sts.%s.test" % name] = {"A": [WEB]}
        self.dns = DnsServer(zone)
        self.server = Postrider(confs.HEAD.format(host="relay.example.test") + (
            'listener mx { address = "127.0.0.1:%d" }\nrelay-from = {"127.0.0.0/8"}\nqueue { delays = {"1h"}  idle-time = "100ms" }\n'
            'send { mx-port = %d  ca-file = "%s" }\ndns { servers = {"127.0.0.1:%d"}  timeout = "30s" }\n'
            % (self.port, self.mx, ca.certificate, self.dns.port)), [self.port])

    def __enter__(self):
        self.dns.start()
        for s in self.servers.values():
            s.start()
        self.server.__enter__()
        return self

    def __exit__(self, *what):
        self.server.__exit__(*what)
        for s in self.servers.values():
            s.stop()
        self.dns.stop()
        self.web.stop()
        self.folder.remove()

    def send(self, name, box="someone"):
        return send(self.server, self.port, "%s@%s.test" % (box, name), name)


def all_kinds():
    """An enforced policy is kept to, one that is tested or cannot be read stops nothing"""
    rows = (("good", "delivered", "MTA-STS"), ("wild", "delivered", "MTA-STS"), ("other", "deferred", "MTA-STS policy"),
            ("selfsigned", "deferred", "certificate"), ("plain", "deferred", "by MTA-STS"), ("testing", "delivered", "TLSv1"),
            ("off", "delivered", "TLSv1"), ("broken", "delivered", "TLSv1"), ("missing", "delivered", "TLSv1"))
    with World() as w:
        for name, wanted, words in rows:
            event = w.send(name)
            equal(event["event"], wanted, "the message to %s: %s" % (name, event))
            text = event["tls"] if wanted == "delivered" else event["reply"]
            check(words in text, "%s: expected %r in %r" % (name, words, event))
            check(wanted != "delivered" or words == "MTA-STS" or "MTA-STS" not in text, "%s: %s" % (name, event))


def kept():
    """A policy holds until it expires, over a restart, with its web server and its record gone; a new id fetches it anew"""
    with World() as w:
        equal(w.send("good")["event"], "delivered", "the first message")
        equal(w.send("good", "again")["event"], "delivered", "the second message")
        equal(w.web.asked.count("mta-sts.good.test"), 1, "fetched once")
        w.dns.zone["_mta-sts.good.test"] = {"TXT": ["v=STSv1; id=2;"]}
        time.sleep(1.2)                  # the old record's time
        w.send("good", "third")
        equal(w.web.asked.count("mta-sts.good.test"), 2, "fetched for the new id")
        w.send("other")
        w.server.stop()
        w.dns.zone["_mta-sts.good.test"] = w.dns.zone["_mta-sts.other.test"] = "NXDOMAIN"
        w.server.start()
        event = w.send("good", "later")
        check("MTA-STS" in event["tls"], "the policy is kept over a restart: %s" % event)
        equal(w.send("other", "later")["event"], "deferred", "the same of one that nothing fits")
        equal(w.web.asked.count("mta-sts.good.test"), 2, "not fetched again")


main("sts", all_kinds, kept)
