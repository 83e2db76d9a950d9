"""Records made to cost: each judgement ends in bounded time, with a bounded number of questions and bounded memory."""
import concurrent.futures
import os
import resource
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from dnsd import DnsServer  # noqa: E402
from harness import LOAD, POSTRIDER, Tally, check  # noqa: E402

BIG = "v=spf1 " + "ip4:203.0.113.1 " * 3900
ZONE = {
    # every include asks again: ten at most
    "loop.test": {"TXT": ["v=spf1 include:loop.test -all"]},
    "ping.test": {"TXT": ["v=spf1 include:pong.test include:pong.test -all"]},
    "pong.test": {"TXT": ["v=spf1 include:ping.test include:ping.test -all"]},
    "chain.test": {"TXT": ["v=spf1 redirect=chain.test"]},
    # a tree of includes, and ten lists of ten servers
    "*.tree.test": {"TXT": ["v=spf1 include:a.%{d} include:b.%{d} include:c.%{d} -all"]},
    "mx.test": {"TXT": ["v=spf1 mx:m1.test mx:m2.test mx:m3.test mx:m4.test mx:m5.test mx:m6.test mx:m7.test mx:m8.test "
                        "mx:m9.test mx:m10.test -all"]},
    "*.mx.test": {"A": ["203.0.113.7"]},
    "manymx.test": {"TXT": ["v=spf1 mx -all"], "MX": ["%d h%d.mx.test" % (i, i) for i in range(90)]},
    "1.2.0.192.in-addr.arpa": {"PTR": ["p%d.mx.test" % i for i in range(90)]},
    "ptr.test": {"TXT": ["v=spf1 ptr -all"]},
    # giants
    "big.test": {"TXT": [BIG + "-all"]},
    "bigs.test": {"TXT": [BIG + "include:bigs2.test -all"]},
    "bigs2.test": {"TXT": [BIG + "include:bigs3.test -all"]},
    "bigs3.test": {"TXT": [BIG + "include:bigs2.test -all"]},
    "macros.test": {"TXT": ["v=spf1 exists:" + "%{s}" * 1000 + ".test -all"]},
    "labels.test": {"TXT": ["v=spf1 exists:" + "%{d}." * 4000 + "test -all"]},
    "exp.test": {"TXT": ["v=spf1 exp=exp2.test -all"]}, "exp2.test": {"TXT": ["%{s}" * 15000]},
    "strings.test": {"TXT": [["v=spf1 "] + ["ip4:203.0.113.1 "] * 3000 + ["-all"]]},
    "records.test": {"TXT": ["v=spf1 -all"] + ["verification=%d %s" % (n, "x" * 200) for n in range(250)]},
    "several.test": {"TXT": ["v=spf1 -all"] * 250},
    "void2.test": {"TXT": ["v=spf1 exists:a.nx.test exists:b.nx.test -all"]},
    "void3.test": {"TXT": ["v=spf1 exists:a.nx.test exists:b.nx.test exists:c.nx.test -all"]},
    "ten.test": {"TXT": ["v=spf1" + " a:h.mx.test" * 10 + " -all"]}, "eleven.test": {"TXT": ["v=spf1" + " a:h.mx.test" * 11 + " -all"]},
    "mx10.test": {"TXT": ["v=spf1 mx -all"], "MX": ["%d h%d.mx.test" % (i, i) for i in range(10)]},
    "mx11.test": {"TXT": ["v=spf1 mx -all"], "MX": ["%d h%d.mx.test" % (i, i) for i in range(11)]},
    "alias.test": {"TXT": ["v=spf1 a:c1.test -all"]}, "c1.test": {"CNAME": "c2.test"}, "c2.test": {"CNAME": "c1.test"},
    "aliases.test": {"TXT": ["v=spf1 a:d0.test -all"]},
    "loops.test": {"CNAME": "loops.test"},
    # slow: nobody answers, or each a little late
    "silent.test": "TIMEOUT",
    "mxsilent.test": {"TXT": ["v=spf1 mx -all"], "MX": ["%d s%d.silent.test" % (i, i) for i in range(10)]},
    "*.silent.test": "TIMEOUT",
    "late.test": {"TXT": ["v=spf1 a:1.late.test a:2.late.test a:3.late.test a:4.late.test a:5.late.test a:6.late.test "
                          "a:7.late.test a:8.late.test a:9.late.test a:10.late.test -all"]},
    "later.test": {"TXT": ["v=spf1" + "".join(" a:%d.later.test" % n for n in range(10)) + " -all"]},
    "*.later.test": {"A": ["203.0.113.8"], "delay": 3.0},
    "latest.test": {"TXT": ["v=spf1" + "".join(" mx:%d.latest.test" % n for n in range(10)) + " -all"]},
    "*.latest.test": {"A": ["203.0.113.8"], "MX": ["%d mx%d.latest.test" % (n, n) for n in range(10)], "delay": 1.5},
    "*.late.test": {"A": ["203.0.113.8"], "delay": 0.3},
}
for n in range(1, 11):
    ZONE["m%d.test" % n] = {"MX": ["%d h%d-%d.mx.test" % (i, n, i) for i in range(10)]}

for n in range(100):
    ZONE["d%d.test" % n] = {"CNAME": "d%d.test" % (n + 1)}
LONG = "l" * 60000

# sender's domain, results that are right, most questions, most seconds
CASES = [
    ("loop.test", ["permerror"], 3, 5), ("ping.test", ["permerror"], 4, 5), ("chain.test", ["permerror"], 3, 5),
    ("x.tree.test", ["permerror"], 13, 5), ("mx.test", ["fail"], 115, 10), ("manymx.test", ["permerror"], 4, 5),
    ("ptr.test", ["fail"], 13, 5), ("big.test", ["fail"], 4, 5), ("bigs.test", ["permerror"], 8, 8),
    ("macros.test", ["permerror", "temperror", "fail"], 4, 5), ("labels.test", ["permerror", "fail"], 4, 5),
    ("exp.test", ["fail"], 6, 5), ("silent.test", ["temperror"], 12, 6), ("mxsilent.test", ["temperror"], 14, 6),
    ("late.test", ["fail"], 14, 8),
    ("strings.test", ["fail"], 4, 5), ("records.test", ["fail"], 4, 5), ("several.test", ["permerror"], 4, 5),
    ("void2.test", ["fail"], 5, 5), ("void3.test", ["permerror"], 6, 5), ("ten.test", ["fail"], 14, 5), ("eleven.test", ["permerror"], 14, 5),
    ("mx10.test", ["fail"], 14, 5), ("mx11.test", ["permerror"], 4, 5),
    ("alias.test", ["fail", "temperror"], 30, 10), ("aliases.test", ["fail", "temperror"], 120, 10), ("loops.test", ["none", "temperror"], 30, 10),
    ("later.test", ["temperror", "fail"], 25, 32), (LONG + ".test", ["none"], 0, 5), ("macros.test#" + LONG, ["permerror", "temperror", "fail"], 4, 5),
    ("exp.test#" + LONG, ["fail", "permerror"], 6, 5),
]


def limits():
    resource.setrlimit(resource.RLIMIT_DATA, (256 << 20, 256 << 20))


def one(domain, wanted, most, seconds):
    domain, _, local = domain.partition("#")
    with DnsServer(ZONE) as dns:
        begun = time.monotonic()
        p = subprocess.run([POSTRIDER, "spf", "--ip", "192.0.2.1", "--helo", "h.test", "--from", (local or "a") + "@" + domain,
                            "--explanation", "--resolver", "127.0.0.1:%d" % dns.port], capture_output=True, text=True,
                           preexec_fn=None if LOAD > 1 else limits, timeout=100)
        took = time.monotonic() - begun
        asked = len({q[:2] for q in dns.queries})           # a busy machine asks some of them twice
        check(p.stdout.split("\n")[0] in wanted, "expected %s, found %r %r" % (wanted, p.stdout, p.stderr))
        check(len(p.stdout) < 2000, "an answer of %d characters" % len(p.stdout))
        check(asked <= most, "%d questions, expected %d at most" % (asked, most))
        check(took <= (seconds + 10) * LOAD, "took %.1f s, expected %d at most" % (took, seconds + 10))


def main():
    t = Tally("hostile", "-v" in sys.argv)
    # every answer comes late, but in time: the time for all of them together ends it (25 s, RFC 7208 4.6.4)
    slow = concurrent.futures.ThreadPoolExecutor(1).submit(one, "latest.test", ["temperror"], 25, 30)
    for case in CASES:
        t.case(case[0][:40], one, *case)
    t.case("latest.test", slow.result)
    t.end()


if __name__ == "__main__":
    main()
