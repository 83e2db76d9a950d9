"""Postfix hands mail to postrider: in clear, by STARTTLS, with awkward texts, and takes refusals."""
from common import main
import confs
from harness import Folder, certificate, check, equal, free_port, wait_until
from mailtext import body, message, parsed, stuffed, with_mark
from postfix import Postfix
from postrider import Postrider
from smtp import Client


class Pair:
    """Postfix before a receiving postrider."""

    def __init__(self, settings=None):
        self.folder = Folder()
        certificate(self.folder)
        port, tls_port = free_port(), free_port()
        self.server = Postrider(confs.mx(port, tls_port=tls_port), [port, tls_port], folder=self.folder)
        self.postfix = Postfix(free_port(), {"relayhost": "[127.0.0.1]:%d" % port, **(settings or {})})

    def __enter__(self):
        self.server.__enter__()
        self.postfix.__enter__()
        return self

    def __exit__(self, *args):
        self.postfix.__exit__(*args)
        self.server.__exit__(*args)
        self.folder.remove()

    def send(self, rcpts, octets, sender="sender@client.test", params=""):
        with Client(self.postfix.port) as c:
            c.hello()
            equal(c.mail(sender, rcpts, stuffed(octets), params)[0], 250, "Postfix's answer")


def plain():
    """Awkward lines arrive as they were"""
    with Pair() as p:
        sent = message("plain")
        p.send(["alice@example.test", "bob@example.test"], sent)
        for box in ("alice", "bob"):
            got = p.server.wait_mail("example.test", box)[0]
            equal(body(got), body(sent), "the body for " + box)
            check(got.startswith(b"Return-Path: <sender@client.test>"), "no Return-Path at the top: %r" % got[:200])


def eight_bit():
    """8-bit text arrives as it was"""
    with Pair() as p:
        sent = message("eight", ["gr\u00fc\u00df dich", b"\xff\xfe latin"], extra=("MIME-Version: 1.0", "Content-Type: text/plain",
                                                                   "Content-Transfer-Encoding: 8bit"))
        p.send("alice@example.test", sent, params=" BODY=8BITMIME")
        equal(body(p.server.wait_mail("example.test", "alice")[0]), body(sent), "the body")


def large():
    """A message of five megabytes"""
    with Pair() as p:
        sent = message("large", ["%06d %s" % (i, "x" * 60) for i in range(75000)])
        p.send("alice@example.test", sent)
        equal(body(p.server.wait_mail("example.test", "alice", seconds=60)[0]), body(sent), "the body")


def tls():
    """STARTTLS, demanded by Postfix"""
    with Pair({"smtp_tls_security_level": "encrypt", "smtp_tls_loglevel": "1"}) as p:
        p.send("alice@example.test", message("tls"))
        got = p.server.wait_mail("example.test", "alice")[0]
        check(b"with ESMTPS" in got.split(b"\r\n\r\n")[0].split(b"\n\n")[0], "Received does not say ESMTPS: %r" % got[:400])


def unknown():
    """A refused recipient makes Postfix return the message; the other gets his"""
    with Pair() as p:
        p.send(["nobody@example.test", "bob@example.test"], message("unknown"), sender="alice@example.test")
        p.server.wait_mail("example.test", "bob")
        got = p.server.wait_mail("example.test", "alice")[0]
        report = parsed(got)
        equal(report.get_content_type(), "multipart/report", "what came back")
        check(b"5.1.1" in got, "the report does not give our status 5.1.1")
        check(got.startswith(b"Return-Path: <>"), "the report's Return-Path is not <>")


def many():
    """A thousand messages, each once"""
    with Pair({"smtp_destination_concurrency_limit": "20", "initial_destination_concurrency": "10"}) as p:
        with Client(p.postfix.port) as c:
            c.hello()
            for i in range(1000):
                c.mail("sender@client.test", "alice@example.test", stuffed(message("many%04d." % i, ["x"])))
        wait_until(lambda: len(p.server.mail("example.test", "alice")) >= 1000, 60, "1000 messages")
        got = p.server.mail("example.test", "alice")
        equal(len(got), 1000, "messages")
        equal(sum(1 for i in range(1000) if len(with_mark(got, "many%04d." % i)) == 1), 1000, "messages that came once")


if __name__ == "__main__":
    main("postfix to postrider", plain, eight_bit, large, tls, unknown, many)
