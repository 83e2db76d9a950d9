"""What every peer script begins with: the library on the path, and its tally."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

from harness import Tally, alone     # noqa: E402

FIXED = ("dane", "dane_postfix", "mx", "sts", "sts_own", "tlsrpt")     # have ports 25 and 443 of addresses of their own


def main(name, *cases):
    """Runs functions as cases; their first line of documentation is the title."""
    if name in FIXED:
        alone(name)
    tally = Tally(name, "-v" in sys.argv)
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")]
    for case in cases:
        if not wanted or case.__name__ in wanted:
            tally.case(case.__name__ + ": " + case.__doc__.strip().split("\n")[0], case)
    tally.end()
