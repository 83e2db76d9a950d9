"""Compares the generator's ledger (what was acknowledged) with the sink's (what arrived).

    python3 ledger.py gen.ledger sink.ledger [--duplicates N]

A delivery is (sequence, attempt, recipient). Acknowledged but never arrived: lost. Arrived (and
answered with 250 by the sink) more than once: duplicated. Text unlike what was sent: corrupted.
Arrived though it was never acknowledged, because the connection broke first, is legal.
"""
import argparse
import json
import sys


def read_sent(path):
    """(deliveries acknowledged, attempts whose fate the client does not know)"""
    acked, unknown = set(), set()
    with open(path, encoding="utf-8", errors="replace") as f:
        for row in f:
            word = row.rstrip("\n").split(" ", 4)
            if word[0] == "A" and len(word) >= 4:
                acked.update((int(word[1]), int(word[2]), r) for r in word[3].split(","))
            elif word[0] == "U":
                unknown.add((int(word[1]), int(word[2])))
    return acked, unknown


def read_arrived(path):
    """(delivery -> list of (time of arrival, time when its connection was opened), lines about texts that were wrong)"""
    arrived, corrupted = {}, []
    with open(path, encoding="utf-8", errors="replace") as f:
        for row in f:
            word = row.rstrip("\n").split(" ")
            if len(word) < 7 or word[3] != "ok":
                corrupted.append(row.strip())
            elif word[0] == "A":
                for r in word[4].split(","):
                    arrived.setdefault((int(word[1]), int(word[2]), r), []).append((float(word[5]), float(word[6])))
    return arrived, corrupted


def compare(gen_path, sink_path):
    """The numbers, and under "twice" the deliveries that came more than once with their times."""
    acked, unknown = read_sent(gen_path)
    arrived, corrupted = read_arrived(sink_path)
    lost = sorted(acked - set(arrived))
    twice = {key: times for key, times in arrived.items() if len(times) > 1}
    return {"acked": len(acked), "arrived": sum(len(t) for t in arrived.values()), "lost": len(lost),
            "duplicated": sum(len(t) - 1 for t in twice.values()), "corrupted": len(corrupted),
            "unacknowledged_arrivals": sum(1 for key in arrived if key not in acked), "unknown": len(unknown),
            "lost_examples": lost[:5], "corrupted_examples": corrupted[:5], "twice": twice}


def main():
    parser = argparse.ArgumentParser(description="compare the ledgers of gen and sink")
    parser.add_argument("gen")
    parser.add_argument("sink")
    parser.add_argument("--duplicates", type=int, default=0, help="how many are allowed")
    args = parser.parse_args()
    result = compare(args.gen, args.sink)
    result["twice"] = sorted(result["twice"].items())[:5]
    print(json.dumps(result))
    sys.exit(1 if result["lost"] or result["corrupted"] or result["duplicated"] > args.duplicates else 0)


if __name__ == "__main__":
    main()
