"""Tags of ARC-Message-Signature and ARC-Seal (RFC 8617 4.1.2, 4.1.3, RFC 6376 3.2, 3.5), each written in its own way and signed rightly, so
that nothing but the tag decides."""
import base64
import hashlib
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from checks import Checker, new_key  # noqa: E402
from harness import Folder, Tally, check  # noqa: E402

FIELDS = [("From", "A <a@a.test>"), ("To", "b@b.test"), ("Subject", "x  y"), ("Date", "Mon, 1 Jan 2024 00:00:00 +0000")]
BODY = b"hello  world \r\n\r\n"
AMS = ["i=1", "a=rsa-sha256", "c=relaxed/relaxed", "d=a.test", "s=s", "t=12345", "h=from:to:subject:date", "bh={bh}", "b={b}"]
AS = ["i=1", "a=rsa-sha256", "t=12345", "cv=none", "d=a.test", "s=s", "b={b}"]


def relaxed(name, value):
    return name.lower().encode() + b":" + re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip()


class World:
    def __init__(self):
        self.folder = Folder()
        self.key = self.folder.file("key")
        self.zone = new_key(self.key, "a.test", "s")

    def sign(self, octets):
        return base64.b64encode(subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=octets, capture_output=True, check=True).stdout).decode()

    def message(self, ams, seal, aar="i=1; a.test; spf=pass", before=b"", joint="; "):
        bh = base64.b64encode(hashlib.sha256(b"hello world\r\n").digest()).decode()
        value = joint.join(ams).replace("{bh}", bh)
        names = re.search(r"(?:^|;)\s*h\s*=([^;]*)", value)
        covered, left = b"", list(FIELDS)
        for name in (names.group(1).split(":") if names else []):
            for i in range(len(left) - 1, -1, -1):
                if left[i][0].lower() == name.strip().lower():
                    covered += relaxed(left[i][0], left[i][1].encode()) + b"\r\n"
                    del left[i]
                    break
        ams_value = value.replace("{b}", self.sign(covered + relaxed("ARC-Message-Signature", value.replace("{b}", "").encode())))
        value = joint.join(seal)
        scope = relaxed("ARC-Authentication-Results", aar.encode()) + b"\r\n" + relaxed("ARC-Message-Signature", ams_value.encode()) + b"\r\n"
        seal_value = value.replace("{b}", self.sign(scope + relaxed("ARC-Seal", value.replace("{b}", "").encode())))
        head = [("ARC-Seal", seal_value), ("ARC-Message-Signature", ams_value), ("ARC-Authentication-Results", aar)] + FIELDS
        return before + b"".join(("%s: %s\r\n" % row).encode() for row in head) + b"\r\n" + BODY


def changed(tags, name, to):
    """The list with one tag replaced, or without it (None)."""
    return [t if t.split("=")[0] != name else to for t in tags if t.split("=")[0] != name or to is not None]


def cases():
    """(title, AMS, AS, joint, result)"""
    yield "as it should be", AMS, AS, "; ", "pass"
    for joint, result in ((";", "pass"), (" ; ", "pass"), (";\r\n\t", "pass"), (";;", "fail"), (" ", "fail")):
        yield "joint %r" % joint, AMS, AS, joint, result
    for which, base in (("AMS", AMS), ("AS", AS)):
        def pair(tags, result, title):
            return ("%s %s" % (which, title), tags if which == "AMS" else AMS, tags if which == "AS" else AS, "; ", result)
        yield pair(base + [""], "pass", "with a semicolon at its end")
        yield pair(base + ["unknown=tag"], "pass", "with an unknown tag")
        yield pair(base + ["unknown="], "pass", "with an empty unknown tag")
        yield pair(["  " + t.replace("=", " = ", 1) + "  " for t in base], "pass", "with blanks around")
        yield pair(base + ["x y=z"], "fail", "with a blank in a tag's name")
        yield pair(base + ["1x=z"], "fail", "with a digit before a tag's name")
        yield pair(base + ["xyz"], "fail", "with a word that is no tag")
        yield pair(base[::-1], "pass", "in another order")
        for name in [t.split("=")[0] for t in base]:
            yield pair(base + [next(t for t in base if t.startswith(name + "="))], "fail", "with %s twice" % name)
            if name not in ("t", "c"):
                yield pair(changed(base, name, None), "fail", "without " + name)
                yield pair(changed(base, name, name.upper() + next(t for t in base if t.startswith(name + "="))[len(name):]), "fail", "with %s in upper case" % name)
            if name != "b":
                yield pair(changed(base, name, name + "="), "fail", "with an empty " + name)
        yield pair(changed(base, "t", None), "pass", "without t")
        yield pair(changed(base, "t", "t=never"), "fail", "with a t that is no number")
        for a in ("rsa-sha1", "rsa", "sha256", "none", "rsa-sha512", "rsa-sha256 x"):
            yield pair(changed(base, "a", "a=" + a), "fail", "with a=" + a)
        for i in ("0", "2", "51", "-1", "1x", "01x"):
            yield pair(changed(base, "i", "i=" + i), "fail", "with i=" + i)
        for d in ("b.test", "a..test", "-", "a.test x", "a_b"):
            yield pair(changed(base, "d", "d=" + d), "fail", "with d=" + d)
        yield pair(changed(base, "d", "d=A.Test"), "pass", "with d in another case")
        for s in ("other", "s s", "s..s"):
            yield pair(changed(base, "s", "s=" + s), "fail", "with s=" + s)
    for c, result in (("relaxed/relaxed", "pass"), ("bad/relaxed", "fail"), ("relaxed/bad", "fail"), ("relaxed", "fail"), ("Relaxed/relaxed", "fail"), ("/", "fail"), ("relaxed/relaxed/x", "fail")):
        yield "AMS with c=" + c, changed(AMS, "c", "c=" + c), AS, "; ", result
    for h, result in (("From:To:Subject:Date", "pass"), ("from : to :subject", "pass"), ("from:\r\n\tto", "pass"), ("from:from:from", "pass"), ("from:not-there", "pass"),
                      ("from:arc-seal", "fail"), ("ARC-Seal:from", "fail"), ("from::to", "fail"), ("from;", "fail"), ("fr om", "fail")):
        yield "AMS with h=%r" % h, changed(AMS, "h", "h=" + h), AS, "; ", result
    yield "AMS with a bh that is folded", changed(AMS, "bh", "bh={bh}".replace("{bh}", "{bh}\r\n\t")), AS, "; ", "pass"
    yield "AMS with a bh of something else", changed(AMS, "bh", "bh=" + "A" * 43 + "="), AS, "; ", "fail"
    yield "AMS with a bh that is not base64", changed(AMS, "bh", "bh=!"), AS, "; ", "fail"
    yield "AMS with a b that is not base64", changed(AMS, "b", "b=!{b}"), AS, "; ", "fail"
    for cv in ("fail", "pass", "None", "nope", "none none"):
        yield "AS with cv=" + cv, AMS, changed(AS, "cv", "cv=" + cv), "; ", "fail"
    yield "AS with h", AMS, AS + ["h=from"], "; ", "fail"


def one(w, c, ams, seal, joint, result):
    got = c("arc", "verify", message=w.message(ams, seal, joint=joint))[0]
    check(got.split()[0] == result, "expected %s, found %s" % (result, got))


def main():
    t = Tally("arc_fields", "-v" in sys.argv)
    w = World()
    with Checker(w.zone) as c:
        for title, ams, seal, joint, result in cases():
            t.case(title, one, w, c, ams, seal, joint, result)
    w.folder.remove()
    t.end()


main()
