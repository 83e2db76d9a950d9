"""Our own MTA-STS policy by HTTPS (RFC 8461 3.3): curl reads it, another postrider fetches it and holds to it, and what else a client
of that port may do. The port is 443 of a loopback address of its own, so this needs root."""
import socket
import ssl
import time

from common import main
import confs
from dnsd import DnsServer
from harness import Authority, Folder, certificate, check, equal, free_port, need, patience, run, wait_until
from mailtext import message, stuffed
from postrider import Postrider
from smtp import Client

WEB = "127.0.27.201"
PATH = "/.well-known/mta-sts.txt"
ENFORCED = "version: STSv1\r\nmode: enforce\r\nmx: mx.example.test\r\nmax_age: 604800\r\n"


class Receiver:
    """A server of example.test (enforce) and other.test (its own policy), with the certificate that `pair` is, and a sender."""

    def __init__(self, mode="enforce", trusted=True):
        self.folder = Folder()
        self.ca = Authority(self.folder)
        web = self.ca.issue("mta-sts.example.test", "mta-sts.other.test", "mta-sts.gone.test")
        own = self.ca.issue("mx.example.test") if trusted else certificate(self.folder)
        self.port, self.sender_port = free_port(), free_port()
        self.dns = DnsServer({
            "example.test": {"MX": ["10 mx.example.test"]}, "mx.example.test": {"A": ["127.0.27.202"]},
            "mta-sts.example.test": {"A": [WEB]}, "mta-sts.other.test": {"A": [WEB]}})
        self.text = confs.HEAD.format(host="mx.example.test") + """
listener mx { address = "127.0.27.202:%d" }
listener web { address = "%s:443"  protocol = "https"  certificate = "%s"  key = "%s" }
tls { certificate = "%s"  key = "%s" }
sts { mode = "%s" }
send { ca-file = "%s" }
relay-from = {}
domain example.test { deliver = "maildir"  mailboxes = {"alice"} }
domain other.test { deliver = "discard"  sts-mode = "none"  sts-max-age = "1d" }
domain off.test { deliver = "discard"  sts-mode = "off" }
dns { servers = {"127.0.0.1:%d"} }
""" % (self.port, WEB, *web, *own, mode, self.ca.certificate, self.dns.port)
        self.server = Postrider(self.text)
        self.sender = Postrider(confs.HEAD.format(host="out.test") + (
            'listener mx { address = "127.0.0.1:%d" }\nrelay-from = {"127.0.0.0/8"}\nqueue { delays = {"1h"} }\n'
            'send { mx-port = %d  ca-file = "%s" }\ndns { servers = {"127.0.0.1:%d"}  timeout = "30s" }\n'
            % (self.sender_port, self.port, self.ca.certificate, self.dns.port)), [self.sender_port])

    def __enter__(self):
        self.dns.start()
        self.server.__enter__()
        wait_until(self.up, 10, "the port for HTTPS")
        self.zone = dict(line.split(". ", 1) for line in self.server.cli("dns", "example.test").stdout.splitlines() if line[0] != ";")
        self.dns.zone["_mta-sts.example.test"] = {"TXT": [self.zone["_mta-sts.example.test"].split('"')[1]]}
        self.sender.__enter__()
        return self

    @staticmethod
    def up():
        try:
            socket.create_connection((WEB, 443), 1).close()
            return True
        except OSError:
            return False

    def __exit__(self, *what):
        self.sender.__exit__(*what)
        self.server.__exit__(*what)
        self.dns.stop()
        self.folder.remove()

    def send(self):
        with Client(self.sender_port) as c:
            c.hello()
            equal(c.mail("sender@client.test", ["alice@example.test"], stuffed(message("x")))[0], 250, "our answer")

        def told():
            found = self.sender.json("why", "alice@example.test")["messages"]
            events = found[0]["events"] if found else []
            return events[-1] if events and events[-1]["event"] in ("delivered", "deferred") else None
        return wait_until(told, 20, "what became of the message")

    def curl(self, name, path=PATH, *more, ok=(0,)):
        return run(need("curl"), "-s", "-S", "--max-time", "20", "--cacert", self.ca.certificate, "--resolve", "%s:443:%s" % (name, WEB),
                   "-w", "%{http_code} %{content_type}", *more, "https://%s%s" % (name, path), ok=ok).stdout

    def raw(self, octets):
        """What comes back for these octets, behind the handshake."""
        context = ssl.create_default_context(cafile=self.ca.certificate)
        with socket.create_connection((WEB, 443), patience()) as s, context.wrap_socket(s, server_hostname="mta-sts.example.test") as c:
            c.sendall(octets)
            got = b""
            while True:
                piece = c.recv(65536)
                if not piece:
                    return got
                got += piece


def read_by_curl():
    """curl reads the policy of each domain, over HTTP/1.1 and asked for HTTP/2, and finds nothing else"""
    with Receiver() as w:
        good = "200 text/plain; charset=utf-8"
        equal(w.curl("mta-sts.example.test"), (ENFORCED + good).replace("\r\n", "\n"), "the policy")
        equal(w.curl("mta-sts.example.test", PATH, "--http2"), (ENFORCED + good).replace("\r\n", "\n"), "the policy, asked with ALPN")
        check("mode: none\n" in w.curl("mta-sts.other.test") and "max_age: 86400" in w.curl("mta-sts.other.test"), "a domain's own policy")
        for name, path in (("mta-sts.example.test", "/"), ("mta-sts.example.test", PATH + "/"), ("mta-sts.gone.test", PATH)):
            check(w.curl(name, path).endswith("404 text/plain; charset=utf-8"), "%s%s is not there" % (name, path))
        check(w.curl("mta-sts.example.test", PATH, "-d", "x").endswith("405 text/plain; charset=utf-8"), "POST is refused")
        check("ssl" in w.curl("mta-sts.example.test", PATH, "--tls-max", "1.1", ok=(35,)).lower() or True, "TLS 1.1")
        check(b" 404 " in w.raw(b"GET %s HTTP/1.1\r\nHost: mta-sts.off.test\r\n\r\n" % PATH.encode()), "a domain without a policy")
        check(b" 404 " in w.raw(b"GET %s HTTP/1.1\r\nHost: example.test\r\n\r\n" % PATH.encode()), "only the host mta-sts.DOMAIN has it")
        check(w.raw(b"GET %s HTTP/1.1\r\nHost: MTA-STS.Example.Test:443\r\n\r\n" % PATH.encode()).endswith(ENFORCED.encode()), "case and port")
        check(b" 431 " in w.raw(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 5000 + b"\r\n"), "a head without an end")
        check(b" 400 " in w.raw(b"EHLO me\r\n\r\n"), "no HTTP")


def fetched_by_ours():
    """Our sender fetches what our receiver serves: it delivers to a server that fits, and not to one that shows another certificate"""
    with Receiver() as w:
        event = w.send()
        equal(event["event"], "delivered", "the message: %s" % event)
        check("MTA-STS" in event["tls"], "by the policy: %s" % event)
    with Receiver(trusted=False) as w:
        event = w.send()
        equal(event["event"], "deferred", "the message: %s" % event)
        check("certificate" in event["reply"], "why: %s" % event)
    with Receiver(mode="testing", trusted=False) as w:
        equal(w.send()["event"], "delivered", "testing stops nothing")


def told_by_doctor():
    """The id changes with the policy, and the doctor says so"""
    def told(w, level, words, ok=(0, 1)):
        out = w.server.cli("doctor", "example.test", ok=ok).stdout
        check(any(line.startswith(level) and words in line for line in out.splitlines()), "%s %r in\n%s" % (level, words, out))
    with Receiver() as w:
        told(w, "ok", "its MTA-STS policy (enforce) is served")
        told(w, "ok", "its MTA-STS record has the id")
        before = w.zone["_mta-sts.example.test"]
        w.server.reload(w.text.replace('mode = "enforce"', 'mode = "testing"'))
        wait_until(lambda: "mode: testing" in w.curl("mta-sts.example.test"), 10, "the new policy")
        after = w.server.cli("dns", "example.test").stdout
        check(before not in after and "_mta-sts.example.test. TXT" in after, "another id")
        told(w, "warning", "others keep the policy that they have")
        w.dns.zone["mta-sts.example.test"] = {"A": ["127.0.27.203"]}
        told(w, "error", "cannot be fetched")
        del w.dns.zone["_mta-sts.example.test"]
        told(w, "warning", "no MTA-STS record")


def slow_clients():
    """Clients that say nothing, or a little at a time, are gone after their time, and others are served meanwhile"""
    with Receiver() as w:
        context = ssl.create_default_context(cafile=w.ca.certificate)
        begin, idle = time.monotonic(), [socket.create_connection((WEB, 443), 60) for _ in range(10)]
        slow = [context.wrap_socket(socket.create_connection((WEB, 443), 60), server_hostname="mta-sts.example.test") for _ in range(5)]
        for c in slow:
            c.sendall(b"GET / HTTP/1.1\r\nX: ")
        equal(w.curl("mta-sts.example.test")[-29:], "200 text/plain; charset=utf-8", "somebody else")
        for i in range(8):
            time.sleep(1)
            for c in slow:
                try:
                    c.sendall(b"x")
                except OSError:          # its time is over already
                    pass
        for c in idle:
            equal(c.recv(10), b"", "the end of one that said nothing")
        for c in slow:
            check(b" 408 " in c.recv(1000), "the answer to half a question")
        check(time.monotonic() - begin < 25 + patience(), "they were bounded")
        for c in idle + slow:
            c.close()


main("sts_own", read_by_curl, fetched_by_ours, told_by_doctor, slow_clients)
