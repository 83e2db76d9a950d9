"""DKIM keys that the server makes and changes by schedule: made, watched for in DNS, used when seen, retired, deleted; over restarts,
kills at any moment, and by an operator's word."""
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import confs  # noqa: E402
from checks import Checker  # noqa: E402
from dnsd import DnsServer  # noqa: E402
from harness import Tally, check, equal, free_port, run, wait_until, POSTRIDER  # noqa: E402
from mailtext import stuffed  # noqa: E402
from postrider import Postrider  # noqa: E402
from smtp import Client, FakeServer  # noqa: E402

MESSAGE = b"From: A <a@a.test>\r\nTo: b@b.test\r\nSubject: x\r\n\r\nbody\r\n"


class World:
    def __init__(self, keys='rotate = "90d"'):
        self.fake, self.port, self.dns = FakeServer(), free_port(), DnsServer({"b.test": {"A": ["127.0.0.1"]}})
        self.text = confs.HEAD.format(host="relay.example.test") + (
            'listener mx { address = "127.0.0.1:%d" }\nrelay-from = {"127.0.0.1"}\nqueue { delays = {"1s"} }\n'
            'route "*" { via = "smtp://127.0.0.1:%d" }\ndns { servers = {"127.0.0.1:%d"}  timeout = "30s" }\n'
            'dkim a.test { look = "200ms"  %s }\n' % (self.port, self.fake.port, self.dns.port, keys))
        self.server, self.sent = Postrider(self.text, [self.port]), 0

    def __enter__(self):
        self.dns.start()
        self.fake.start()
        self.server.__enter__()
        return self

    def __exit__(self, *what):
        self.server.__exit__(*what)
        self.fake.stop()
        self.dns.stop()

    def keys(self, state=None):
        found = self.server.json("dkim", "status")["keys"]
        return [k for k in found if state in (None, k["state"])]

    def wait(self, state, count=1, seconds=20):
        def enough():
            found = self.keys(state)
            return found if len(found) == count else None
        return wait_until(enough, seconds, "%d keys that are %s among %s" % (count, state, self.keys()))

    def publish(self, *keys):
        for k in keys:
            self.dns.zone[k["name"]] = {"TXT": [k["record"]], "ttl": 0}

    def judged(self):
        """(result, selector) of each signature on a message that is sent now."""
        with Client(self.port) as c:
            c.hello()
            equal(c.mail("s@a.test", "r@elsewhere.test", stuffed(MESSAGE))[0], 250, "our answer")
        self.sent += 1
        t = self.fake.wait(self.sent)[self.sent - 1]
        with Checker(self.dns.zone) as c:
            lines = [line.split() for line in c("dkim", "verify", message=t.data)]
        return sorted((l[0], l[2][2:]) for l in lines if l[0] != "none")

    def secrets(self):
        return [n for n in os.listdir(os.path.join(self.server.folder.path, "data", "secrets")) if n.startswith("dkim.")]


def life():
    """Made, printed, seen, used; the next by schedule; the old one retired, deleted, forgotten"""
    with World('rotate = "3s"  retire = "3s"') as w:
        first, = w.wait("waiting")
        equal(w.judged(), [], "nothing signs before it is published")
        printed = w.server.cli("dns", "a.test").stdout
        flat = printed.replace('" "', "")
        check("%s. TXT \"%s\"" % (first["name"], first["record"]) in flat, "dns prints it: %s" % printed)
        w.server.wait_log("dkim_publish")
        w.publish(first)
        w.wait("used")
        equal(w.judged(), [("pass", first["selector"])], "the first key signs")
        second, = w.wait("waiting")
        check(second["selector"] != first["selector"], "another selector")
        time.sleep(1)
        equal(w.judged(), [("pass", first["selector"])], "until the second is published")
        w.publish(second)
        wait_until(lambda: [k["name"] for k in w.keys("used")] == [second["name"]], 10, "the second key in use")
        equal(w.judged(), [("pass", second["selector"])], "the second key signs")
        check(any(k["state"] in ("retired", "gone") and k["name"] == first["name"] for k in w.keys()), "the first is retired")
        gone, = w.wait("gone")
        equal(gone["name"], first["name"], "the first is deleted")
        check(not any(first["selector"] + "." in n for n in w.secrets()), "its private half is gone: %s" % w.secrets())
        check("used no more: remove it" in w.server.cli("dns", "a.test").stdout, "dns says so")
        check("may be removed" in w.server.cli("dkim", "status").stdout, "status says so")
        del w.dns.zone[first["name"]]
        wait_until(lambda: first["name"] not in [k["name"] for k in w.keys()], 20, "the first to be forgotten")


def both():
    """A key of each algorithm; a record of another key, or one that is broken, is not ours"""
    with World('algorithm = "both"') as w:
        keys = w.wait("waiting", 2)
        equal(sorted(k["algorithm"] for k in keys), ["ed25519-sha256", "rsa-sha256"], "algorithms")
        w.dns.zone[keys[0]["name"]] = {"TXT": [keys[1]["record"]], "ttl": 0}
        w.dns.zone[keys[1]["name"]] = {"TXT": ["v=DKIM1; p=AAAA", keys[1]["record"][:-8]], "ttl": 0}
        time.sleep(1)
        w.wait("waiting", 2)
        record = keys[0]["record"]
        w.dns.zone[keys[0]["name"]] = {"TXT": ["v=spf1 -all", record[:30] + " " + record[30:]], "ttl": 0}
        w.wait("used", 1)
        w.publish(*keys)
        w.wait("used", 2)
        equal(w.judged(), [("pass", k["selector"]) for k in sorted(keys, key=lambda k: k["selector"])], "both sign")


def operator():
    """rotate makes the next key at once and no second one; use does not wait for DNS; status without a server"""
    with World() as w:
        first, = w.wait("waiting")
        again = json.loads(w.server.cli("dkim", "rotate", "a.test", "--json").stdout)["keys"]
        equal([k["name"] for k in again], [first["name"]], "what waits already is given")
        w.server.cli("dkim", "use", first["name"])
        w.wait("used")
        check(first["record"] not in w.server.cli("dkim", "rotate", "a.test").stdout, "a new key")
        w.wait("waiting")
        for words in (("use", "x._domainkey.a.test"), ("rotate", "other.test"), ("use", first["name"])):
            w.server.cli("dkim", *words, ok=(1,))
        w.server.cli("dkim", "rotate", ok=(64,))
        before = w.keys()
        w.server.stop()
        equal(w.keys(), before, "status from the file")
        check(first["record"].split("p=")[1][:100] in w.server.cli("dns", "a.test").stdout, "dns from the file")
        w.server.cli("dkim", "rotate", "a.test", ok=(69,))
        w.server.start()
        equal(w.keys(), before, "over a restart")
        equal(len(w.judged()), 1, "the key signs")
        w.server.reload(w.text.replace("dkim a.test", "dkim c.test"))
        w.wait("waiting", 2)
        equal(w.judged(), [], "without its section it does not")


def killed():
    """Killed at any moment of its work, the server ends up with one key in use and no file too many"""
    with World('rotate = "1s"  retire = "1s"') as w:
        w.server.kills = True
        end = time.monotonic() + 12
        while time.monotonic() < end:
            w.server.kill(whole=True)
            w.server.start()
            for _ in range(3):
                try:
                    w.publish(*w.keys("waiting"))
                except Exception:
                    pass
                time.sleep(0.3)
        w.publish(*w.keys("waiting"))

        def settled():
            w.publish(*w.keys("waiting"))
            keys = w.keys()
            states = [k["state"] for k in keys]
            names = sorted("dkim.%s.key" % k["name"] for k in keys if k["state"] != "gone")
            return states.count("used") == 1 and states.count("waiting") <= 1 and sorted(w.secrets()) == names and len(keys) > 4
        wait_until(settled, 30, "order after kills")
        got = w.judged()
        check(len(got) == 1 and got[0][0] == "pass", "signed by one key: %s" % got)


def refused():
    """A section of a domain has no key file, and one of a selector needs one"""
    for section, words in (('dkim a.test { key = "x" }', "expected SELECTOR._domainkey.DOMAIN as title"),
                           ("dkim s._domainkey.a.test { }", "expected the key key"),
                           ('dkim a.test { rotate = "0" }', "rotate"), ("dkim [1.2.3.4] { }", "as title")):
        with World() as w:
            path = w.server.folder.file("bad.conf", w.text + section.replace("a.test", "c.test") + "\n")
            out = run(POSTRIDER, "config", "check", "-c", path, ok=(1,))
            check(words in out.stdout + out.stderr, "%r in %r" % (words, out.stdout + out.stderr))


def main():
    tally = Tally("rotation", "-v" in sys.argv)
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")]
    for case in (life, both, operator, killed, refused):
        if not wanted or case.__name__ in wanted:
            tally.case(case.__name__ + ": " + case.__doc__, case)
    tally.end()


main()
