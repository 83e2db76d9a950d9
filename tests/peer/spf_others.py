"""SPF by others: some hundred generated policies judged by pyspf (python3-spf) and by postrider, on the same zone."""
import concurrent.futures
import random
import subprocess
import sys

from common import main
from dnsd import DnsServer
from harness import POSTRIDER, check, run

CASES = 250
SEED = 20261122

JUDGE = r"""
import json, sys
import spf
zone, cases = json.load(sys.stdin)
def lookup(name, kind, tcpfallback=True, timeout=30):
    name = name.lower().rstrip(".")
    for value in zone.get(name, {}).get(kind, []):
        if kind == "TXT":
            value = (value.encode(),)
        elif kind == "MX":
            value = (int(value.split()[0]), value.split()[1])
        elif kind == "A":
            value = value
        elif kind == "AAAA":
            value = spf.ipaddress.IPv6Address(value).packed
        yield ((name, kind), value)
spf.DNSLookup = lookup
out = []
for ip, helo, sender in cases:
    q = spf.query(i=ip, s=sender, h=helo, receiver="us.test", strict=True)
    q.set_default_explanation("DEFAULT")
    result, code, words = q.check()
    out.append((result, words if result == "fail" else ""))
json.dump(out, sys.stdout)
"""


def zone_and_cases(rng):
    """Names that exist, and records of all mechanisms about them and about some that do not."""
    addresses = ["192.0.2.%d" % n for n in range(1, 6)] + ["198.51.100.%d" % n for n in range(1, 4)]
    sixes = ["2001:db8::%x" % n for n in range(1, 5)]
    zone = {"why.test": {"TXT": ["%{i} %{d} %{s} %{l1r+-} %{v} %{h}"]}}
    for n in range(6):
        zone["h%d.test" % n] = {"A": rng.sample(addresses, 2), "AAAA": rng.sample(sixes, 1)}
        zone["m%d.test" % n] = {"MX": ["%d h%d.test" % (k, rng.randrange(6)) for k in range(rng.randrange(1, 4))]}
        zone["e%d._x.test" % n] = {"A": ["127.0.0.2"]}

    def mechanism():
        host, mx = "h%d.test" % rng.randrange(7), "m%d.test" % rng.randrange(7)
        return rng.choice([
            "ip4:" + rng.choice(addresses), "ip4:192.0.2.0/%d" % rng.choice([8, 24, 29, 31, 32]),
            "ip6:%s/%d" % (rng.choice(sixes), rng.choice([32, 64, 126, 128])), "a:" + host, "A:%s/30" % host, "a", "mx",
            "a:%s/29//127" % host, "a:%s//64" % host, "mx:" + mx, "mx:%s/30" % mx, "include:p%d.test" % rng.randrange(40),
            "exists:%{l}._x.test", "exists:e%d._x.test" % rng.randrange(8), "exists:%{ir}.%{v}.%{d2}", "a:h%{d1r-}.test",
            "x-y=%{d}", "exists:%{l1r+}._x.test", "all", "ip4:1.2.3", "a:nodots", "ptr", "unknown:x", "a/33", "moo", "exp",
            "include", "mx//129"] if rng.random() < 0.4 else ["ip4:" + rng.choice(addresses), "a:" + host, "mx:" + mx,
                                                              "include:p%d.test" % rng.randrange(40)])
    for n in range(40):
        terms = [rng.choice(["", "+", "-", "~", "?"]) + mechanism() for _ in range(rng.randrange(0, 6))]
        terms = [t if "=" not in t and not t.lstrip("+-~?").startswith("x-y") else t.lstrip("+-~?") for t in terms]
        terms = [t for t in terms if not t.endswith("include:p%d.test" % n)]     # pyspf refuses such a record at once
        terms += rng.choice([["-all"], ["~all"], ["?all"], [], ["redirect=p%d.test" % rng.randrange(45)],
                             ["-all", "exp=why.test"], ["exp=nowhere.test", "-all"]])
        zone["p%d.test" % n] = {"TXT": ["v=spf1 " + " ".join(terms)], "A": rng.sample(addresses, 1)}
    cases = [(rng.choice(addresses + sixes), "h1.test", "%s@p%d.test" % (rng.choice(["e1", "e2+x", "joe-bob"]), rng.randrange(42)))
             for _ in range(CASES)]
    return zone, cases


def pyspf():
    """pyspf comes to the same result, and to the same explanation"""
    import json
    rng = random.Random(SEED)
    zone, cases = zone_and_cases(rng)
    theirs = json.loads(run("/usr/bin/python3", "-c", JUDGE, stdin=json.dumps([zone, cases])).stdout)
    differ = []
    with DnsServer(zone) as dns:
        def one(case):
            ip, helo, sender = case
            return subprocess.run([POSTRIDER, "spf", "--ip", ip, "--helo", helo, "--from", sender, "--explanation",
                                   "--hostname", "us.test", "--resolver", "127.0.0.1:%d" % dns.port],
                                  capture_output=True, text=True, timeout=100).stdout.splitlines()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for case, (result, words), ours in zip(cases, theirs, pool.map(one, cases)):
                words = words if words != "DEFAULT" else None
                if ours[:1] != [result] or (result == "fail" and words and ours[1:] != ["explanation: " + words]):
                    record = zone.get(case[2].split("@")[1], {}).get("TXT")
                    differ.append("%s %s: pyspf %s %r, postrider %r: %s" % (case[0], case[2], result, words, ours, record))
    check(not differ, "%d of %d differ:\n%s" % (len(differ), len(cases), "\n".join(differ[:10])))
    check(len({r for r, _ in theirs}) >= 5, "the policies are too much alike: %s" % {r for r, _ in theirs})


if __name__ == "__main__":
    main("spf_others", pyspf)
    sys.exit(0)
