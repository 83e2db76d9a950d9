"""What the server signs: mail of those that may relay, its own reports; every key of the author's domain; big messages,
reloads; that it verifies where it arrives."""
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import confs  # noqa: E402
from checks import Checker, new_key  # noqa: E402
from harness import Folder, Tally, check, equal, free_port, wait_until  # noqa: E402
from mailtext import stuffed  # noqa: E402
from postrider import Postrider  # noqa: E402
from smtp import Client, FakeServer  # noqa: E402

KEYS = (("r1", "a.test", "rsa-sha256"), ("e1", "a.test", "ed25519-sha256"), ("r2", "c.test", "rsa-sha256"),
        ("x", "relay.example.test", "ed25519-sha256"))
SECTIONS = """
dkim r1._domainkey.a.test { key = "r1" }
dkim e1._domainkey.a.test { key = "e1"  algorithm = "ed25519-sha256"  canonicalization = "simple/simple" }
dkim r2._domainkey.c.test { key = "r2"  subdomains = false  expire = 30d  headers = {"From", "From", "Subject"} }
dkim x._domainkey.relay.example.test { key = "x"  algorithm = "ed25519-sha256" }
"""


class Signer:
    def __init__(self, sections=SECTIONS, extra="", **fake):
        self.fake = FakeServer(**fake)
        self.port = free_port()
        self.folder, self.zone = Folder(), {}
        for selector, domain, algorithm in KEYS:
            self.zone.update(new_key(os.path.join(self.folder.path, selector), domain, selector, algorithm))
        self.base = confs.HEAD.format(host="relay.example.test") + (
            'listener mx { address = "127.0.0.1:%d" }\nrelay-from = {"127.0.0.1"}\nqueue { delays = {"1s"} }\n'
            'route "*" { via = "smtp://127.0.0.1:%d" }\n%s' % (self.port, self.fake.port, extra))
        self.server = Postrider(self.base + sections, [self.port], folder=self.folder)

    def __enter__(self):
        self.fake.start()
        self.server.__enter__()
        return self

    def __exit__(self, *args):
        self.server.__exit__(*args)
        self.fake.stop()

    def carried(self, octets, sender="s@a.test", n=1):
        """What arrived of a message that was sent."""
        with Client(self.port) as c:
            c.hello()
            equal(c.mail(sender, "r@elsewhere.test", stuffed(octets))[0], 250, "our answer")
        return self.fake.wait(n)[n - 1]

    def judged(self, octets):
        with Checker(self.zone) as c:
            return [line.split() for line in c("dkim", "verify", message=octets)]


def results(lines):
    return sorted((l[0], l[1], l[2]) for l in lines)


BODY = b"\r\nline  one \t\r\n.dot\r\n\r\n\xc3\xbc\r\n\r\n\r\n"


def each_key():
    """Two keys of one domain, of both algorithms and forms, on one message."""
    with Signer() as s:
        t = s.carried(b"From: A <a@a.test>\r\nTo: b@b.test\r\nSubject:  x\r\n\ty\r\n" + BODY)
        equal(results(s.judged(t.data)), [("pass", "d=a.test", "s=e1"), ("pass", "d=a.test", "s=r1")], "verified")
        check(s.judged(b"From: other@a.test\r\n" + t.data)[0][0] != "pass", "a second From is not covered")


def whose():
    """The author's domain decides: its own, one above it that allows that, none."""
    with Signer() as s:
        n = 0
        for author, want in (("a@sub.deep.a.test", ["d=a.test"] * 2), ("a@A.TEST", ["d=a.test"] * 2),
                             ("a@c.test", ["d=c.test"]), ("a@sub.c.test", []), ("a@other.test", []),
                             ("a@xa.test", []), ("a@test", [])):
            n += 1
            t = s.carried(b"From: %s\r\nSubject: s\r\n\r\nx\r\n" % author.encode(), n=n)
            got = [l for l in s.judged(t.data) if l[0] != "none"]
            equal([l[1] for l in got], want, "domains that signed for " + author)
            check(all(l[0] == "pass" for l in got), "%r" % got)
        n += 1
        t = s.carried(b"From: a@c.test\r\nSubject: s\r\n\r\nx\r\n", n=n)
        check(b" x=" in t.data and b"h=From:From:Subject;" in t.data, "x= and h= as configured: %r" % t.data[:300])


def large():
    """A body of several chunks, and one without an end of its last line (BDAT)."""
    with Signer(offers=("CHUNKING", "8BITMIME", "PIPELINING")) as s:
        octets = b"From: a@a.test\r\n\r\n" + (b"0123456789 \t abcdef\r\n" * 40000) + b"\r\n\r\n"
        equal([l[0] for l in s.judged(s.carried(octets).data)], ["pass", "pass"], "800 KB")
        with Client(s.port) as c:
            c.hello()
            c.command("MAIL FROM:<s@a.test>", 250)
            c.command("RCPT TO:<r@elsewhere.test>", 250)
            octets = b"From: a@a.test\r\nSubject: x\r\n\r\nno end"
            c.send(b"BDAT %d\r\n" % 20 + octets[:20])
            equal(c.reply()[0], 250, "first chunk")
            c.send(b"BDAT %d LAST\r\n" % len(octets[20:]) + octets[20:])
            equal(c.reply()[0], 250, "last chunk")
        equal([l[0] for l in s.judged(s.fake.wait(2)[1].data)], ["pass", "pass"], "no line end")


def reports():
    """Our own reports are signed for our own name."""
    with Signer(script={"RCPT": lambda _, line: "550 5.1.1 no such user" if "<r@" in line else None}) as s:
        with Client(s.port) as c:
            c.hello()
            c.mail("s@elsewhere.test", "r@elsewhere.test", stuffed(b"From: a@other.test\r\n\r\nx\r\n"))
        t = s.fake.wait(1)[0]
        equal(t.sender, "", "sender of the report")
        equal(results(s.judged(t.data)), [("pass", "d=relay.example.test", "s=x")], "the report")


def converted():
    """What is re-encoded for a server without 8BITMIME leaves with a signature of that form, and only that."""
    with Signer(offers=("PIPELINING",)) as s:
        t = s.carried(b"From: a@a.test\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                      b"Content-Transfer-Encoding: 8bit\r\n" + BODY + b"\xc3\xbc\r\n" * 100000)
        check(b"\xc3" not in t.data, "it was not re-encoded")
        equal(results(s.judged(t.data)), [("pass", "d=a.test", "s=e1"), ("pass", "d=a.test", "s=r1")], "verified")


def rotation():
    """A reload brings another key; a key that cannot be used is refused, and the old ones go on."""
    with Signer() as s:
        s.server.reload(s.base + 'dkim n1._domainkey.a.test { key = "r1" }\n')
        wait_until(lambda: "generation=2" in s.server.log() or " 2" in s.server.log() and "reload" in s.server.log(), 20,
                   "the reload")
        s.zone["n1._domainkey.a.test"] = s.zone["r1._domainkey.a.test"]
        t = s.carried(b"From: a@a.test\r\n\r\nx\r\n")
        equal(results(s.judged(t.data)), [("pass", "d=a.test", "s=n1")], "the new key")
        s.server.reload(s.base + 'dkim n1._domainkey.a.test { key = "e1" }\n')
        wait_until(lambda: "secret_refused" in s.server.log(), 20, "the refusal")
        t = s.carried(b"From: a@a.test\r\n\r\nx\r\n", n=2)
        equal(results(s.judged(t.data)), [("pass", "d=a.test", "s=n1")], "the old key")


def renewed():
    """A retry sends the signature that was made first, until half of its time (x=) is over; then it is made anew."""
    octets = b"From: a@a.test\r\nSubject: x\r\n\r\n.dot\r\n\xc3\xbc  \r\n..\r\nend\r\n"
    for offers in (("PIPELINING",), ("8BITMIME",), ("8BITMIME", "CHUNKING", "SIZE 100000")):
        for hold, expire, fresh in ((1.5, "2h", False), (9, "16s", True)):
            sections = (SECTIONS.replace('key = "e1" ', 'key = "e1"  expire = "%s" ' % expire)
                        .replace('{ key = "r1" }', '{ key = "r1"  expire = "%s" }' % expire))
            free, deferred = [0], []

            def rcpt(_, line):
                if time.monotonic() < free[0]:
                    deferred.append(int(time.time()))
                    return "451 4.3.0 later"
            with Signer(sections, offers=offers, script={"RCPT": rcpt}) as s:
                free[0] = time.monotonic() + hold
                t = s.carried(octets)
                check(deferred, "it was tried before")
                equal(results(s.judged(t.data)), [("pass", "d=a.test", "s=e1"), ("pass", "d=a.test", "s=r1")], "verified")
                made = [int(n) for n in re.findall(rb"[ \t]t=(\d+);", t.data)]
                equal(len(made), 2, "signatures in %r" % t.data[:600])
                if fresh or "8BITMIME" in offers:       # what is converted is signed when it goes out, whenever that is
                    check(all((n > deferred[0]) == fresh for n in made), "made at %s, tried at %s, offers %s" % (made, deferred, offers))


def main():
    t = Tally("signing", "-v" in sys.argv)
    for case in (each_key, whose, large, reports, converted, renewed, rotation):
        t.case(case.__name__ + ": " + case.__doc__.split("\n")[0], case)
    t.end()


if __name__ == "__main__":
    main()
