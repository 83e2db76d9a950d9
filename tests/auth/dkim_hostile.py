"""Messages made to cost: thousands of signatures, bombs of tags, names and fields, giant keys and records, long chains.
Each is judged in bounded time and memory, and nothing passes."""
import base64
import os
import resource
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from checks import Checker, new_key  # noqa: E402
from harness import POSTRIDER, Tally, check  # noqa: E402

SECONDS, MEMORY = 5.0, 400 << 20
BH = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
SIG = "DKIM-Signature: v=1; a=rsa-sha256; c=%s; d=%s; s=%s; h=%s; bh=" + BH + "; b=" + "A" * 344 + "\r\n"
FROM = "From: a@a.test\r\n"


def der(tag, octets):
    n = len(octets)
    size = bytes([n]) if n < 128 else bytes([0x80 + (n.bit_length() + 7) // 8]) + n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag]) + size + octets


def rsa(modulus_octets, exponent=b"\x01\x00\x01"):
    numbers = der(0x30, der(2, b"\0" + b"\xff" * (modulus_octets - 1) + b"\xfd") + der(2, exponent))
    algorithm = der(0x30, der(6, bytes.fromhex("2a864886f70d010101")) + b"\5\0")
    return "v=DKIM1; p=" + base64.b64encode(der(0x30, algorithm + der(3, b"\0" + numbers))).decode()


ZONE = {
    "big._domainkey.a.test": {"TXT": [rsa(2048)]}, "over._domainkey.a.test": {"TXT": [rsa(513)]},
    "small._domainkey.a.test": {"TXT": [rsa(127)]}, "e._domainkey.a.test": {"TXT": [rsa(256, b"\x7f" * 200)]},
    "ok._domainkey.a.test": {"TXT": [rsa(256)]}, "tiny._domainkey.a.test": {"TXT": [rsa(64)]},
    "ed31._domainkey.a.test": {"TXT": ["v=DKIM1; k=ed25519; p=" + base64.b64encode(b"x" * 31).decode()]},
    "ed33._domainkey.a.test": {"TXT": ["v=DKIM1; k=ed25519; p=" + base64.b64encode(b"x" * 33).decode()]},
    "strings._domainkey.a.test": {"TXT": [["v=DKIM1; p="] + [c for c in rsa(256)[11:]]]},
    "records._domainkey.a.test": {"TXT": ["v=DKIM1; n=%d; p=YQ==" % i for i in range(400)]},
    "loop._domainkey.a.test": {"CNAME": "loop._domainkey.a.test"}, "slow._domainkey.a.test": "TIMEOUT",
    "long._domainkey.a.test": {"TXT": ["v=DKIM1; n=" + "x" * 30000 + "; p=YQ=="]},
    "tags._domainkey.a.test": {"TXT": ["v=DKIM1; " + "".join("t%d=x;" % i for i in range(5000)) + "p=YQ=="]},
    "many._domainkey.a.test": {"TXT": [rsa(256).replace("v=DKIM1", "v=DKIM1; n=%d" % i) for i in range(40)]},
}


def judge(c, group, text):
    """The lines, under limits of processor time and memory."""
    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
        if "asan" not in POSTRIDER:
            resource.setrlimit(resource.RLIMIT_AS, (4 * MEMORY, 4 * MEMORY))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    p = subprocess.run([POSTRIDER, group, "verify", "--resolver", "127.0.0.1:%d" % c.dns.port], input=text.encode("latin-1"),
                       capture_output=True, timeout=120, preexec_fn=limit)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    check(p.returncode == 0, "exit %d: %s" % (p.returncode, p.stderr[-300:]))
    check(used < SECONDS * (4 if "asan" in POSTRIDER else 1), "%.1f s of processor time" % used)
    return p.stdout.decode().splitlines()


def none_passes(lines, word=None):
    check(lines and not any(l.startswith("pass") for l in lines), "%r" % lines[:3])
    check(not word or any(word in l for l in lines), "expected %r, found %r" % (word, lines[:3]))


CASES = {
    "5,000 signatures": ("dkim", SIG % ("relaxed/relaxed", "a.test", "ok", "from") * 5000 + FROM + "\r\n", "only the first 50"),
    "50 signatures of 50 domains": ("dkim", "".join(SIG % ("relaxed/simple", "d%d.test" % i, "ok", "from")
                                                    for i in range(50)) + FROM + "\r\n\r\n", None),
    "a signature of 5,000 tags": ("dkim", "DKIM-Signature: " + "".join("t%d=x;\r\n " % i for i in range(5000)) + "b=YQ==\r\n" +
                                  FROM + "\r\n", "too many tags"),
    "h= of 20,000 names": ("dkim", SIG % ("simple/simple", "a.test", "ok", ":\r\n ".join(["from"] * 20000)) + FROM + "\r\n",
                           "too many names"),
    "50 times 1,000 names over 5,000 fields": ("dkim", (SIG % ("relaxed/relaxed", "a.test", "ok", ":".join(["from"] +
                                               ["x"] * 999))) * 50 + FROM + "x: y\r\n" * 5000 + "\r\n", None),
    "20,000 fields": ("dkim", SIG % ("relaxed/relaxed", "a.test", "ok", "from") + FROM + "x: y\r\n" * 20000 + "\r\n", None),
    "a field of 2 MB, signed 50 times": ("dkim", SIG % ("relaxed/relaxed", "a.test", "ok", "from:x") * 50 + FROM +
                                         "x: " + "a b\t" * 500000 + "\r\n\r\n", "the header is too large"),
    "a b= of 1 MB": ("dkim", SIG.replace("A" * 344, "A" * 1000000) % ("simple/simple", "a.test", "ok", "from") + FROM +
                     "\r\n", "too long"),
    "50 different l= over 20 MB": ("dkim", "".join(SIG.replace("v=1;", "v=1; l=%d;" % i) % ("relaxed/relaxed", "a.test", "ok",
                                                                                             "from")
                                   for i in range(50)) + FROM + "\r\n" + "a  b \r\n" * 3000000, "unsigned"),
    "10 MB of blanks and line ends": ("dkim", SIG % ("relaxed/relaxed", "a.test", "ok", "from") + FROM + "\r\n" +
                                      " \t\r\n" * 2500000 + "x", "body hash"),
    "a key of 16,384 bits": ("dkim", SIG % ("relaxed/relaxed", "a.test", "big", "from") + FROM + "\r\n", "too long"),
    "a key of 4,104 bits": ("dkim", SIG % ("relaxed/relaxed", "a.test", "over", "from") + FROM + "\r\n", "too long"),
    "a key of 1,016 bits": ("dkim", SIG % ("relaxed/relaxed", "a.test", "small", "from") + FROM + "\r\n", "too short"),
    "a key with a giant exponent": ("dkim", SIG % ("relaxed/relaxed", "a.test", "e", "from") + FROM + "\r\n", "too long"),
    "a record of 30 KB": ("dkim", SIG % ("relaxed/relaxed", "a.test", "long", "from") + FROM + "\r\n", "too long"),
    "a record of 5,000 tags": ("dkim", SIG % ("relaxed/relaxed", "a.test", "tags", "from") + FROM + "\r\n", None),
    "40 records": ("dkim", SIG % ("relaxed/relaxed", "a.test", "many", "from") + FROM + "\r\n", None),
    "a key of 512 bits": ("dkim", SIG % ("relaxed/relaxed", "a.test", "tiny", "from") + FROM + "\r\n", "too short"),
    "an Ed25519 key of 31 octets": ("dkim", SIG.replace("rsa-", "ed25519-") % ("relaxed/relaxed", "a.test", "ed31", "from") + FROM + "\r\n",
                                    "not a key"),
    "an Ed25519 key of 33 octets": ("dkim", SIG.replace("rsa-", "ed25519-") % ("relaxed/relaxed", "a.test", "ed33", "from") + FROM + "\r\n",
                                    "not a key"),
    "a record in 400 strings": ("dkim", SIG % ("simple/simple", "a.test", "strings", "from") + FROM + "\r\n", None),
    "400 records": ("dkim", SIG % ("simple/simple", "a.test", "records", "from") + FROM + "\r\n", None),
    "a key that is an alias of itself": ("dkim", SIG % ("simple/simple", "a.test", "loop", "from") + FROM + "\r\n", None),
    "50 keys that never come": ("dkim", "".join(SIG % ("simple/simple", "a.test", "x%d.slow" % i, "from") for i in range(50)) + FROM + "\r\n", None),
    "a tag twice": ("dkim", SIG.replace("c=", "d=a.test; c=") % ("simple/simple", "a.test", "ok", "from") + FROM + "\r\n", "not a list of tags"),
    "48 tags": ("dkim", SIG.replace("v=1;", "v=1; " + "".join("z%d=x; " % i for i in range(40))) % ("simple/simple", "a.test", "ok", "from") + FROM +
                "\r\n", "body hash"),
    "49 tags": ("dkim", SIG.replace("v=1;", "v=1; " + "".join("z%d=x; " % i for i in range(41))) % ("simple/simple", "a.test", "ok", "from") + FROM +
                "\r\n", "too many tags"),
    "a tag list of 1 MB": ("dkim", SIG.replace("v=1;", "v=1; z=" + "x" * (1 << 20) + ";") % ("simple/simple", "a.test", "ok", "from") + FROM + "\r\n",
                           None),
    "x= of 40 digits, which is never": ("dkim", SIG.replace("v=1;", "v=1; x=" + "9" * 40 + ";") % ("simple/simple", "a.test", "ok", "from") + FROM +
                                        "\r\n", "body hash"),
    "x= below zero": ("dkim", SIG.replace("v=1;", "v=1; x=-1;") % ("simple/simple", "a.test", "ok", "from") + FROM + "\r\n", "x= is not"),
    "t= a year ahead": ("dkim", SIG.replace("v=1;", "v=1; t=%d;" % (int(time.time()) + 31536000)) % ("simple/simple", "a.test", "ok", "from") + FROM +
                        "\r\n", "future"),
    "l= of 76 digits": ("dkim", SIG.replace("v=1;", "v=1; l=" + "9" * 76 + ";") % ("simple/simple", "a.test", "ok", "from") + FROM + "\r\n", "longer"),
    "l= of 77 digits": ("dkim", SIG.replace("v=1;", "v=1; l=" + "9" * 77 + ";") % ("simple/simple", "a.test", "ok", "from") + FROM + "\r\n", "l= is not"),
    "a b= of 2 MB of blanks": ("dkim", SIG.replace("A" * 344, "A" * 172 + " \t" * (1 << 20) + "A" * 172) % ("simple/simple", "a.test", "ok", "from") + FROM +
                               "\r\n", "too long"),
    "a field of 30 MB": ("dkim", SIG % ("relaxed/relaxed", "a.test", "ok", "from:x") + FROM + "x: " + "a b\r\n " * (5 << 20) + "\r\n\r\n", None),
    "a set of instance 51": ("arc", "ARC-Seal: i=51; a=rsa-sha256; cv=pass; d=a.test; s=ok; b=YQ==\r\n" + FROM + "\r\n", "instance"),
    "5,000 seals": ("arc", "ARC-Seal: i=1; a=rsa-sha256; cv=none; d=a.test; s=ok; b=YQ==\r\n" * 5000 + FROM + "\r\n",
                    "more than 50"),
    "50 sets that are no good": ("arc", "".join(
        "ARC-Seal: i=%d; a=rsa-sha256; cv=%s; d=a.test; s=s%d; b=YQ==\r\n"
        "ARC-Message-Signature: i=%d; a=rsa-sha256; d=a.test; s=ok; h=from; bh=%s; b=YQ==\r\n"
        "ARC-Authentication-Results: i=%d; x\r\n" % (i, "pass" if i > 1 else "none", i, i, BH, i) for i in range(1, 51)) +
        FROM + "\r\n", "ARC-Message-Signature"),
    "comments within comments": ("arc", "ARC-Authentication-Results: " + "(" * 60000 + "i=1;\r\n" + FROM + "\r\n", "instance"),
}


def main():
    t = Tally("dkim_hostile", "-v" in sys.argv)
    with Checker(ZONE) as c:
        for name, (group, text, word) in CASES.items():
            t.case(name, lambda: none_passes(judge(c, group, text), word))
    t.end()


if __name__ == "__main__":
    main()
