"""The RFC 7208 suite (../shared/vectors from the project's root), each case through `postrider spf`."""
import concurrent.futures
import glob
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from dnsd import DnsServer  # noqa: E402
from harness import POSTRIDER, ROOT, Failure, Tally, check, run  # noqa: E402
from yamls import yaml  # noqa: E402

VECTORS = os.path.join(ROOT, "..", "shared", "vectors")
PARALLEL = 8


def text(value):
    """Characters of the suite's strings are octets."""
    return value.encode("latin-1") if isinstance(value, str) else value


def records(entries):
    """The suite's list of records as an entry of dnsd: SPF records stand for TXT where a name has none."""
    entry, types = {}, [next(iter(e)) for e in entries if isinstance(e, dict)]
    for e in entries:
        if e == "TIMEOUT":
            entry["*"] = "TIMEOUT"
            continue
        (kind, value), = e.items()
        if kind == "SPF" and "TXT" in types or value == "NONE":
            continue
        if value == "TIMEOUT":
            entry["TXT" if kind == "SPF" else kind] = "TIMEOUT"
            continue
        if kind in ("SPF", "TXT"):
            value = [text(v) for v in value] if isinstance(value, list) else text(value)
            entry.setdefault("TXT", []).append(value)
        elif kind == "MX":
            entry.setdefault("MX", []).append("%d %s" % (value[0], value[1] or "."))
        else:
            entry.setdefault(kind, []).append(value)
    return entry


def judge(dns, case):
    p = run(POSTRIDER, "spf", "--ip", case["host"], "--helo", case["helo"], "--from", case["mailfrom"],
            "--hostname", "receiver.example", "--explanation", "--resolver", "127.0.0.1:%d" % dns.port, seconds=30)
    lines = p.stdout.splitlines()
    wanted = case["result"] if isinstance(case["result"], list) else [case["result"]]
    check(lines and lines[0] in wanted, "expected %s, found %r" % (" or ".join(wanted), p.stdout))
    check((lines[0] == "fail") == (len(lines) == 2), "an explanation for fail, and only then: %r" % p.stdout)
    if lines[0] == "fail" and case.get("explanation", "DEFAULT") != "DEFAULT":
        check(lines[1] == "explanation: " + case["explanation"],
              "expected the explanation %r, found %r" % (case["explanation"], lines[1]))


def main():
    t = Tally("spf_vectors", "-v" in sys.argv)
    files = sorted(glob.glob(os.path.join(VECTORS, "spf-*.yml")))
    if not files:
        t.bad("the suite", "there is no spf-*.yml in %s" % VECTORS)
    for path in files:
        with open(path, encoding="utf-8") as f:
            scenarios = list(yaml.safe_load_all(f))
        for scenario in scenarios:
            zone = {name.lower(): records(entries) for name, entries in scenario["zonedata"].items()}
            with DnsServer(zone) as dns, concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
                names = list(scenario["tests"])

                def one(name):
                    try:
                        judge(dns, scenario["tests"][name])
                    except Failure as e:
                        return e
                for name, failure in zip(names, pool.map(one, names)):
                    title = "%s: %s" % (scenario["description"], name)
                    t.bad(title, str(failure)) if failure else t.good(title)
    t.end()


if __name__ == "__main__":
    main()
