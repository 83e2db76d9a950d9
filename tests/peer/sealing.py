"""ARC sets that the server adds to mail from outside that goes on (RFC 8617 5.1), verified by dkimpy, mailauth and ourselves."""
import json
import os
import re
import sys

from common import main
import confs
from checks import Checker, new_key
from dnsd import DnsServer
from harness import Folder, check, equal, free_port, need, npm, run
from mailtext import stuffed
from postrider import Postrider
from smtp import Client, FakeServer

MAILAUTH = "4.13.3"
MESSAGE = b"From: A <a@a.test>\r\nTo: list@lists.test\r\nSubject: x\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1@a.test>\r\n\r\nbody \t\r\n\r\n\xc3\xbc\r\n\r\n"
SCRIPT = r"""
const {authenticate} = require('mailauth');
const fs = require('fs');
const job = JSON.parse(fs.readFileSync(process.argv[2]));
const resolver = async (name, rr) => {
    const v = job.zone[name.toLowerCase()];
    if (rr === 'TXT' && v) return [[v]];
    const e = new Error('none'); e.code = 'ENOTFOUND'; throw e;
};
(async () => {
    const r = await authenticate(fs.readFileSync(job.file), {resolver, disableDmarc: true, disableBimi: true, ip: '192.0.2.1', helo: 'x', sender: 'a@a.test'});
    console.log(JSON.stringify({result: r.arc.status.result, i: r.arc.i}));
})();
"""


class World:
    def __init__(self, algorithm="rsa-sha256", seal="s._domainkey.us.test", more=""):
        self.fake, self.port, self.folder = FakeServer(), free_port(), Folder()
        self.zone = {"a.test": {"TXT": ["v=spf1 -all"]}, "mx.far.test": {"A": ["127.0.0.1"]}}
        self.zone.update(new_key(self.folder.file("key"), "us.test", "s", algorithm))
        self.zone.update(new_key(self.folder.file("other"), "other.test", "o"))
        self.dns = DnsServer(self.zone)
        self.server = Postrider(confs.HEAD.format(host="mx.us.test") + (
            'listener mx { address = "127.0.0.1:%d" }\nrelay-from = {}\nlimit-exempt = {}\n'
            'domain lists.test { deliver = "smtp://127.0.0.1:%d" }\ndomain box.test { deliver = "maildir"  mailboxes = {"bob"} }\n'
            'alias away@box.test { to = {"someone@lists.test", "bob@box.test"} }\n'
            'dns { servers = {"127.0.0.1:%d"}  timeout = "30s" }\ncheck { seal = "%s"  dmarc = "mark" }\n'
            'dkim s._domainkey.us.test { key = "%s"  algorithm = "%s" %s }\n'
            % (self.port, self.fake.port, self.dns.port, seal, self.folder.file("key"), algorithm, more)), [self.port])

    def __enter__(self):
        self.dns.start()
        self.fake.start()
        self.server.__enter__()
        return self

    def __exit__(self, *what):
        self.server.__exit__(*what)
        self.fake.stop()
        self.dns.stop()
        self.folder.remove()

    def carried(self, octets=MESSAGE, to="someone@lists.test", n=1, bdat=False):
        with Client(self.port) as c:
            c.hello()
            equal(c.mail("a@a.test", [to], stuffed(octets))[0], 250, "our answer")
        return self.fake.wait(n)[n - 1].data

    def verified(self, octets):
        with Checker(self.zone) as c:
            return c("arc", "verify", message=octets)[0]

    def sealed_elsewhere(self, octets, selector="o", domain="other.test"):
        with Checker(self.zone) as c:
            return c.octets("arc", "seal", "--domain", domain, "--selector", selector, "--key", self.folder.file("other"),
                            "--authserv", "mx.other.test", message=octets)


def first():
    """A message without a chain gets i=1 with cv=none, over our own findings; local mail gets none"""
    with World() as w:
        got = w.carried()
        check(got.startswith(b"ARC-Seal: i=1;"), "on top: %r" % got[:200])
        check(b"cv=none" in got.split(b"ARC-Message")[0], "cv=none")
        aar = re.search(rb"ARC-Authentication-Results: i=1; mx\.us\.test;(.*?)\r\n\S", got, re.S).group(1)
        check(b"spf=fail" in aar and b"iprev=" in aar, "our findings: %r" % aar)
        check(w.verified(got).startswith("pass i=1"), w.verified(got))
        check(b"DKIM-Signature" not in got, "others are not signed for")
        with Client(w.port) as c:
            c.hello()
            c.mail("a@a.test", ["bob@box.test"], stuffed(MESSAGE))
        got = w.server.wait_mail("box.test", "bob")[0]
        check(b"ARC-" not in (got if isinstance(got, bytes) else open(got, "rb").read()), "local mail is not sealed")
        got = w.carried(to="away@box.test", n=2)
        check(w.verified(got).startswith("pass i=1"), "forwarded by an alias")


def chains():
    """A chain that is right grows with cv=pass, one that is broken ends with cv=fail, and one that failed or is full stays as it is"""
    with World() as w:
        one = w.sealed_elsewhere(MESSAGE)
        got = w.carried(one)
        check(b"i=2; " in got[:40] and b"cv=pass" in got.split(b"ARC-Message")[0], "%r" % got[:300])
        check(w.verified(got).startswith("pass i=2"), w.verified(got))
        broken = w.carried(one.replace(b"body", b"BODY"), n=2)
        check(b"i=2; " in broken[:40] and b"cv=fail" in broken.split(b"ARC-Message")[0], "%r" % broken[:300])
        check(w.verified(broken).startswith("fail"), w.verified(broken))
        again = w.carried(broken, n=3)
        equal(again.count(b"ARC-Seal:"), 2, "a failed chain does not grow")
        long = MESSAGE
        for _ in range(49):
            long = w.sealed_elsewhere(long)
        got = w.carried(long, n=4)
        check(w.verified(got).startswith("pass i=50"), w.verified(got))
        got = w.carried(got, n=5)
        equal(got.count(b"ARC-Seal:"), 50, "a full chain does not grow")


def by_dkimpy():
    """dkimpy verifies what was sealed, and we continue a chain of its"""
    sys.path.append("/usr/lib/python3/dist-packages")       # Debian's, whichever python3 comes first here
    import dkim
    with World() as w:
        def answer(name, timeout=5):
            found = w.zone.get(name.decode().rstrip("."))
            return found["TXT"][0].encode() if found and "TXT" in found else None

        def told(octets):
            cv, results, why = dkim.ARC(octets).verify(dnsfunc=answer)
            return cv, why
        got = w.carried()
        equal(told(got)[0], b"pass", "dkimpy on our set: %s" % (told(got),))
        with open(w.folder.file("other"), "rb") as f:
            key = f.read()
        theirs = b"Authentication-Results: mx.other.test; spf=pass smtp.mailfrom=a.test\r\n" + MESSAGE
        sets = dkim.ARC(theirs).sign(b"o", b"other.test", key, b"mx.other.test")
        chain = b"".join(sets) + theirs
        got = w.carried(chain, n=2)
        equal(told(got)[0], b"pass", "dkimpy on the chain of both: %s" % (told(got),))
        check(w.verified(got).startswith("pass i=2"), w.verified(got))
    for more in ('canonicalization = "simple/simple"', 'canonicalization = "relaxed/simple"'):
        with World(more=more) as w:
            got = w.carried()
            equal(dkim.ARC(got).verify(dnsfunc=answer_of(w.zone))[0], b"pass", more)


def answer_of(zone):
    def answer(name, timeout=5):
        found = zone.get(name.decode().rstrip("."))
        return found["TXT"][0].encode() if found and "TXT" in found else None
    return answer


def by_mailauth():
    """mailauth of npm verifies what was sealed"""
    env = npm("mailauth", MAILAUTH)
    with World() as w:
        got = w.carried(w.sealed_elsewhere(MESSAGE))
        job = {"file": w.folder.file("sealed.eml"), "zone": {n: r["TXT"][0] for n, r in w.zone.items() if "TXT" in r}}
        with open(job["file"], "wb") as f:
            f.write(got)
        p = run(need("node"), w.folder.file("verify.js", SCRIPT), w.folder.file("job.json", json.dumps(job)), env=env, seconds=120,
                cwd=os.path.dirname(env["NODE_PATH"]))
        equal(json.loads(p.stdout), {"result": "pass", "i": 2}, "mailauth")


main("sealing", first, chains, by_dkimpy, by_mailauth)
