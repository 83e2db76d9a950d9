"""Compares the generator's ledger (what was acknowledged) with the sink's (what arrived).

    python3 ledger.py gen.ledger sink.ledger [--duplicates N]

A delivery is (sequence, attempt, recipient). Acknowledged but never arrived: lost. Arrived (and
answered with 250 by the sink) more than once: duplicated. Text unlike what was sent: corrupted.
Arrived though it was never acknowledged, because the connection broke first, is legal.
"""
import argparse
import collections
import json
import sys


def read_sent(path):
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
    arrived, corrupted = collections.Counter(), []
    with open(path, encoding="utf-8", errors="replace") as f:
        for row in f:
            word = row.rstrip("\n").split(" ")
            if len(word) < 5 or word[3] != "ok":
                corrupted.append(row.strip())
            elif word[0] == "A":
                arrived.update((int(word[1]), int(word[2]), r) for r in word[4].split(","))
    return arrived, corrupted


def compare(gen_path, sink_path):
    acked, unknown = read_sent(gen_path)
    arrived, corrupted = read_arrived(sink_path)
    lost = sorted(acked - set(arrived))
    duplicated = sorted(key for key, n in arrived.items() if n > 1)
    extra = [key for key in arrived if key not in acked]
    return {"acked": len(acked), "arrived": sum(arrived.values()), "lost": len(lost),
            "duplicated": sum(n - 1 for n in arrived.values()), "corrupted": len(corrupted),
            "unacknowledged_arrivals": len(extra), "unknown": len(unknown),
            "lost_examples": lost[:5], "duplicated_examples": duplicated[:5], "corrupted_examples": corrupted[:5]}


def main():
    parser = argparse.ArgumentParser(description="compare the ledgers of gen and sink")
    parser.add_argument("gen")
    parser.add_argument("sink")
    parser.add_argument("--duplicates", type=int, default=0, help="how many are allowed")
    args = parser.parse_args()
    result = compare(args.gen, args.sink)
    print(json.dumps(result))
    sys.exit(1 if result["lost"] or result["corrupted"] or result["duplicated"] > args.duplicates else 0)


if __name__ == "__main__":
    main()
