"""The configurations that must work as they stand (tests/contract), with free ports in place of theirs."""
import os
import re

from common import main
from harness import ROOT, check, equal, free_port
from mailtext import body, message, stuffed
from postrider import Postrider
from smtp import Client, FakeServer


def stands(name, **ports):
    """The text of a file with some ports replaced: stands("relay", p2525=...)."""
    with open(os.path.join(ROOT, "tests", "contract", name + ".conf"), encoding="utf-8") as f:
        text = f.read()
    for old, new in ports.items():
        check(":" + old[1:] in text, "%s.conf has no port %s" % (name, old[1:]))
        text = re.sub(":%s\\b" % old[1:], ":%d" % new, text)
    return text


def relay():
    """relay.conf takes mail from loopback and hands it on"""
    port = free_port()
    with FakeServer() as there, Postrider(stands("relay", p2525=port, p2599=there.port), [port]) as server:
        server.cli("config", "check")
        with Client(port) as c:
            c.hello()
            equal(c.mail("sender@client.test", "someone@elsewhere.test", stuffed(message("relay")))[0], 250, "our answer")
        equal(body(there.wait()[0].data), body(message("relay")), "the body")


def mx():
    """mx.conf delivers to Maildir and LMTP, follows aliases, refuses strangers, and relays for nobody"""
    port = free_port()
    with FakeServer(lmtp=True) as store, Postrider(stands("mx", p2525=port, p2424=store.port), [port]) as server:
        server.cli("config", "check")
        with Client(port) as c:
            c.hello()
            equal(c.mail("sender@client.test", ["info@example.test", "abuse@example.test", "any@lists.test"],
                         stuffed(message("mx")))[0], 250, "our answer")
            c.command("MAIL FROM:<sender@client.test>", 250)
            c.command("RCPT TO:<nobody@example.test>", 550)
            c.command("RCPT TO:<someone@elsewhere.test>", 550)
        for box in ("alice", "bob", "postmaster"):
            equal(body(server.wait_mail("example.test", box)[0]), body(message("mx")), "the body for " + box)
        equal(store.wait()[0].rcpts, ["any@lists.test"], "recipients by LMTP")


def proxy():
    """proxy.conf stands before a server, whose answers its clients get, and warns of what that may mean"""
    port = free_port()
    with FakeServer() as there, Postrider(stands("proxy", p2530=port, p2531=there.port), [port]) as server:
        check("open relay" in server.cli("config", "check").stderr, "no warning")
        with Client(port) as c:
            c.hello()
            equal(c.mail("sender@client.test", "someone@inner.test", stuffed(message("proxy"))), (250, "2.0.0 taken"), "the answer")
        equal(body(there.wait()[0].data), body(message("proxy")), "the body")


if __name__ == "__main__":
    main("contract", relay, mx, proxy)
