"""Limits of DKIM, at the limit and one beyond it, with signatures that are good: what is refused is refused for its size alone."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from checks import Checker, new_key  # noqa: E402
from harness import Folder, Tally, check  # noqa: E402

TEXT = b"From: a@a.test\r\nSubject: x\r\n\r\nhello\r\n"
RECORD, SIGNATURES = 4096, 50


class World:
    def __init__(self):
        self.folder, self.keys, self.zone = Folder(), {}, {}
        for bits in (1024, 2048, 4096):
            self.keys[bits] = self.folder.file("%d.pem" % bits)
            self.zone.update(new_key(self.keys[bits], "a.test", "b%d" % bits, bits=bits))

    def add(self, selector, bits, pad):
        """The key's record, made so many octets long by a note."""
        text = self.zone["b%d._domainkey.a.test" % bits]["TXT"][0]
        text += "; n=" + "x" * (pad - len(text) - 4)
        assert len(text) == pad
        self.zone[selector + "._domainkey.a.test"] = {"TXT": [text]}


def sign(c, w, bits, selector, text=TEXT):
    return c.octets("dkim", "sign", "--domain", "a.test", "--selector", selector, "--key", w.keys[bits], "--algorithm", "rsa-sha256", message=text)


def expect(c, text, begin, word=""):
    lines = c("dkim", "verify", message=text)
    check(lines[0].startswith(begin) and word in lines[0], "expected %s %s, found %r" % (begin, word, lines[:2]))
    return lines


def key_sizes(c, w):
    for bits in (1024, 2048, 4096):
        expect(c, sign(c, w, bits, "b%d" % bits), "pass")


def record_sizes(c, w):
    w.add("fits", 2048, RECORD)
    w.add("more", 2048, RECORD + 1)
    c.dns.zone.update(w.zone)
    expect(c, sign(c, w, 2048, "fits"), "pass")
    expect(c, sign(c, w, 2048, "more"), "permerror", "too long")


def signatures(c, w):
    """The fiftieth signature is looked at, the one behind it is not."""
    bad = b"DKIM-Signature: v=1; a=rsa-sha256; d=a.test; s=none; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=YQ==\r\n"
    good = sign(c, w, 2048, "b2048")
    lines = c("dkim", "verify", message=bad * (SIGNATURES - 1) + good)
    check(lines[SIGNATURES - 1].startswith("pass"), "the last of %d: %r" % (SIGNATURES, lines[-2:]))
    lines = c("dkim", "verify", message=bad * SIGNATURES + good)
    check(not any(line.startswith("pass") for line in lines), "one more than %d: %r" % (SIGNATURES, lines[-2:]))


def times(c, w):
    """A signature holds until the second of x=; one from the future is believed for five minutes."""
    signed = c.octets("dkim", "sign", "--domain", "a.test", "--selector", "b2048", "--key", w.keys[2048], "--algorithm", "rsa-sha256", "--time",
                      "1800000000", message=TEXT)
    check(b"t=1800000000" in signed.replace(b"\r\n\t", b""), "%r" % signed[:400])
    for at, begin in (("1799999699", "fail"), ("1799999700", "pass"), ("1800000000", "pass")):
        lines = c("dkim", "verify", "--time", at, message=signed)
        check(lines[0].startswith(begin), "at %s: expected %s, found %r" % (at, begin, lines))


def main():
    t = Tally("limits", "-v" in sys.argv)
    w = World()
    with Checker(w.zone) as c:
        for case in (key_sizes, record_sizes, signatures, times):
            t.case(case.__name__, case, c, w)
    w.folder.remove()
    t.end()


if __name__ == "__main__":
    main()
