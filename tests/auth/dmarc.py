"""`postrider dmarc` from the outside: RFC 9989 through SPF and a real resolver. (Alignment and records in all their
forms: src/check/dmarc_test.c.)"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from dnsd import DnsServer  # noqa: E402
from harness import POSTRIDER, Tally, check, run  # noqa: E402

SPF = {"TXT": ["v=spf1 ip4:192.0.2.1 -all"], "A": ["192.0.2.1"]}
ZONE = {
    "example.com": SPF, "mail.example.com": SPF, "other.test": SPF, "slow.test": {"TXT": "TIMEOUT"},
    "_dmarc.example.com": {"TXT": ["v=DMARC1; p=reject; rua=mailto:r@example.com"]},
    "_dmarc.slow.test": {"TXT": ["v=DMARC1; p=reject"]},
    "_dmarc.q.test": {"TXT": ["v=DMARC1; p=quarantine; sp=none; np=reject; t=n"]}, "a.q.test": {"A": ["192.0.2.9"]},
    "_dmarc.t.test": {"TXT": ["v=DMARC1; p=reject; t=y"]},
    "_dmarc.two.test": {"TXT": ["v=DMARC1; p=reject", "v=DMARC1; p=reject"]},
    "_dmarc.parts.test": {"TXT": [["v=DMARC1; p=re", "ject"]]},
    "_dmarc.alias.test": {"CNAME": "_dmarc.example.com"},
    "_dmarc.broken.test": "SERVFAIL", "_dmarc.silent.test": "TIMEOUT",
    "_dmarc.xn--bcher-kva.test": {"TXT": ["v=DMARC1; p=reject"]},
    "_dmarc.suffix": {"TXT": ["v=DMARC1; p=none; sp=quarantine; psd=y"]}, "x.suffix": SPF, "y.x.suffix": SPF, "z.suffix": SPF,
    "_dmarc.big.test": {"TXT": [["v=DMARC1; p=reject; x=" + "y" * 200] + ["z" * 250] * 100]},
}
# From field, envelope sender, first word, something in the line
CASES = [
    ("a@example.com", "a@example.com", "pass", "policy=reject disposition=none spf=aligned"),
    ("a@example.com", "a@mail.example.com", "pass", "by=mail.example.com"),
    ("a@sub.example.com", "a@mail.example.com", "pass", "policy-domain=example.com"),
    ("a@example.com", "a@other.test", "fail", "disposition=reject"),
    ("a@example.com", "", "fail", "disposition=reject"),
    ("A <a@EXAMPLE.com>", "a@Example.Com", "pass", "from=example.com"),
    ("a@other.test", "a@other.test", "none", "no DMARC record"),
    ("a@slow.test", "a@slow.test", "temperror", "disposition=none"),
    ("a@broken.test", "a@other.test", "temperror", ""),
    ("a@silent.test", "a@other.test", "temperror", ""),
    ("a@q.test", "a@other.test", "fail", "disposition=quarantine"),
    ("a@a.q.test", "a@other.test", "fail", "disposition=none"),
    ("a@nope.q.test", "a@other.test", "fail", "disposition=reject"),
    ("a@t.test", "a@other.test", "fail", "policy=reject disposition=quarantine"),
    ("a@two.test", "a@other.test", "none", ""),
    ("a@parts.test", "a@other.test", "fail", "disposition=reject"),
    ("a@alias.test", "a@other.test", "fail", "disposition=reject"),
    ("a@b\u00fccher.test", "a@other.test", "fail", "from=xn--bcher-kva.test"),
    ("a@x.suffix", "a@y.x.suffix", "pass", "org-domain=x.suffix"),
    ("a@x.suffix", "a@z.suffix", "fail", "disposition=quarantine"),
    ("a@big.test", "a@other.test", "fail", "disposition=reject"),
    ("a@example.com, b@example.com", "a@example.com", "pass", ""),
    ("a@example.com, b@other.test", "a@other.test", "none", "several"),
    ("a@other.test\nFrom: a@example.com", "a@other.test", "none", "several"),
    ("Staff: a@example.com;", "a@other.test", "fail", "disposition=reject"),
    ("undisclosed:;", "a@other.test", "none", "no From field"),
    ("nobody", "a@other.test", "none", "cannot be read"),
    ("a@[192.0.2.1]", "a@other.test", "none", "cannot be read"),
    ("\"a@other.test\" <a@example.com>", "a@other.test", "fail", "from=example.com"),
]


def one(dns, field, sender, word, more):
    p = run(POSTRIDER, "dmarc", "--ip", "192.0.2.1", "--helo", "mail.example.com" if sender else "mail.other.test",
            "--from", sender, "--resolver", "127.0.0.1:%d" % dns.port, stdin="From: %s\nSubject: x\n\nhello\n" % field)
    check(p.stdout.split()[:1] == [word] and more in p.stdout, "expected %s %s, found %r" % (word, more, p.stdout))


def main():
    t = Tally("dmarc", "-v" in sys.argv)
    with DnsServer(ZONE) as dns:
        for field, sender, word, more in CASES:
            t.case("%s, from %s" % (field, sender), one, dns, field, sender, word, more)
    t.end()


if __name__ == "__main__":
    main()
