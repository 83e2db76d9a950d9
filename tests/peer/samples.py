"""The default policy, untouched, on messages that were not made for it, brought by a stranger: good ones are let in, and
the share of bad ones that are refused or marked is printed."""
from collections import Counter

from common import main
from harness import check
from judged import judge
import samples

GENERATED = 1000


def good():
    """no good message is refused or marked: samples of SpamAssassin and Python, and a thousand generated ones"""
    named = [("spamassassin", samples.of_spamassassin("sample-nonspam.txt"))] + list(samples.of_python()) + list(samples.good(GENERATED))
    wrong = []
    for (name, _), (code, words, junk) in zip(named, judge([m for _, m in named])):
        if code >= 500 or (junk and name.startswith("generated")):
            wrong.append("%s: %d %s%s" % (name, code, words, ", marked" if junk else ""))
    check(not wrong, "%d of %d good messages:\n%s" % (len(wrong), len(named), "\n".join(wrong[:30])))
    check(len(named) > GENERATED + 35, "only %d messages" % len(named))


def bad():
    """programs are refused whatever they are called and packed in; the share of the others is printed"""
    rows = list(samples.bad())
    total, caught, missed = Counter(), Counter(), []
    for (kind, name, _), (code, words, junk) in zip(rows, judge([m for _, _, m in rows])):
        total[kind] += 1
        caught[kind] += code >= 400 or junk
        if code < 400 and not junk:
            missed.append("%s: %s" % (kind, name))
    for kind in total:
        print("%-40s %3d of %3d" % (kind, caught[kind], total[kind]))
    print("%-40s %3d of %3d" % ("all", sum(caught.values()), sum(total.values())))
    for kind in ("spam sample", "program", "program by another name", "program in an archive", "dangerous name", "dangerous name, hidden"):
        check(caught[kind] == total[kind] > 0, "%s: %d of %d\n%s" % (kind, caught[kind], total[kind], "\n".join(missed)))


if __name__ == "__main__":
    main("samples", good, bad)
