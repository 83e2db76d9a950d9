"""The public ARC validation suite (../shared/vectors from the project's root), each case through `postrider arc verify`;
what `postrider arc seal` adds, and that it verifies."""
import concurrent.futures
import glob
import os
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from checks import Checker, new_key  # noqa: E402
from harness import ROOT, Failure, Tally, check  # noqa: E402
from yamls import yaml  # noqa: E402

VECTORS = os.path.join(ROOT, "..", "shared", "vectors")
PARALLEL = 4


def suite(t):
    files = sorted(glob.glob(os.path.join(VECTORS, "arc-validation*.yml")))
    if not files:
        t.bad("the suite", "there is no arc-validation*.yml in %s" % VECTORS)
    for path in files:
        with open(path, encoding="utf-8") as f:
            scenarios = list(yaml.safe_load_all(f))
        for s in scenarios:
            zone = {name: {"TXT": [text]} for name, text in (s.get("txt-records") or {}).items()}
            with Checker(zone) as c, concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
                def one(item):
                    name, case = item
                    got = c("arc", "verify", message=(case["message"] or "").encode())[0].split()[0]
                    # the suite has no word for a chain that says itself that it failed
                    want = (case["cv"] or "").strip().lower() or "fail"
                    return name, None if got == want else "expected %s, found %s" % (want, got)
                for name, wrong in pool.map(one, s["tests"].items()):
                    title = "%s: %s" % (s["description"].strip(), name)
                    t.bad(title, wrong) if wrong else t.good(title)


MESSAGE = (b"Authentication-Results: mx.test; spf=pass\n smtp.mailfrom=a@b.test (x;y)\n"
           b"Authentication-Results: other.test; spf=fail\n"
           b"Authentication-Results: mx.test; dkim=pass; none\n"
           b"From: a@b.test\nTo: c@d.test\nSubject: s\nDate: d\nMIME-Version: 1.0\n\nHey gang,\nThis is a test.\n")


def fields(octets):
    head = octets.replace(b"\r\n", b"\n").split(b"\n\n")[0]
    return [tuple(f.split(b":", 1)) for f in re.sub(rb"\n[ \t]+", b" ", head).split(b"\n")]


def tags(value):
    return {k.strip(): v.strip() for k, v in (p.split(b"=", 1) for p in value.split(b";") if p.strip())}


class Sealing:
    def __init__(self):
        self.dir = tempfile.TemporaryDirectory()
        self.zone, self.keys = {}, {}
        for name, algorithm in (("rsa", "rsa-sha256"), ("ed", "ed25519-sha256")):
            self.keys[name] = os.path.join(self.dir.name, name)
            self.zone.update(new_key(self.keys[name], "seal.test", name, algorithm))

    def seal(self, c, message, *more, selector="rsa"):
        return c.octets("arc", "seal", "--domain", "seal.test", "--selector", selector, "--key", self.keys[selector],
                        "--authserv", "mx.test", "--time", "1700000000", *more, message=message)

    def form(self):
        """Three fields on top, results merged, h= as asked, line ends as they were."""
        with Checker(self.zone) as c:
            for message in (MESSAGE, MESSAGE.replace(b"\n", b"\r\n")):
                out = self.seal(c, message, "--headers", "mime-version:date:from:to:subject")
                check(out.endswith(message), "the message itself was changed")
                check((b"\r" in out) == (b"\r" in message), "line ends are mixed")
                top = fields(out)[:3]
                check([n for n, _ in top] == [b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"],
                      "fields are %r" % [n for n, _ in top])
                seal, ams = tags(top[0][1]), tags(top[1][1])
                check(ams[b"h"].replace(b" ", b"") == b"mime-version:date:from:to:subject", "h= is %r" % ams[b"h"])
                check(seal[b"cv"] == b"none" and seal[b"i"] == b"1" and b"h" not in seal, "seal is %r" % seal)
                check(seal[b"t"] == ams[b"t"] == b"1700000000", "t= is %r" % seal[b"t"])
                check(top[2][1].strip() == b"i=1; mx.test; spf=pass smtp.mailfrom=a@b.test (x;y); dkim=pass",
                      "results are %r" % top[2][1])
                got = c("arc", "verify", message=out)[0]
                check(got.startswith("pass i=1 "), got)

    def grows(self):
        """Sets on sets, of both algorithms, each verified; arc= of our own results decides."""
        with Checker(self.zone) as c:
            message = MESSAGE
            for i in range(1, 6):
                message = self.seal(c, message, selector="ed" if i % 2 else "rsa")
                got = c("arc", "verify", message=message)[0]
                check(got.startswith("pass i=%d " % i), "i=%d: %s" % (i, got))
            failed = self.seal(c, b"Authentication-Results: mx.test; arc=fail\n" + message)
            check(tags(fields(failed)[0][1])[b"cv"] == b"fail", "arc=fail of our own was not carried over")
            check(self.seal(c, failed) == failed, "a failed chain grew")
            broken = message + b"more\n"
            check(tags(fields(self.seal(c, broken))[0][1])[b"cv"] == b"fail", "a broken body was sealed as good")
            kept = self.seal(c, b"Authentication-Results: mx.test; arc=pass\n" + broken)
            check(c("arc", "verify", message=kept)[0].startswith("pass i=6 "), "a body changed here, arc=pass on arrival")

    def limit(self):
        """Fifty sets and no more."""
        with Checker(self.zone) as c:
            message = MESSAGE
            for _ in range(50):
                message = self.seal(c, message, selector="ed")
            check(c("arc", "verify", message=message)[0].startswith("pass i=50 "), "fifty sets do not verify")
            check(self.seal(c, message, selector="ed") == message, "a 51st set was added")


def main():
    t = Tally("arc_vectors", "-v" in sys.argv)
    suite(t)
    s = Sealing()
    for case in (s.form, s.grows, s.limit):
        t.case("sealing: " + case.__doc__.split("\n")[0], case)
    t.end()


if __name__ == "__main__":
    main()
