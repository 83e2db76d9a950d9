"""Runs every script of a folder, some at once, and adds up what they counted."""
import concurrent.futures
import os
import re
import subprocess
import sys


def one(folder, name, flags):
    """Runs a script: (passed, failed, what it printed)."""
    try:
        p = subprocess.run([sys.executable, os.path.join(folder, name + ".py"), *flags], capture_output=True, text=True,
                           timeout=1800, errors="replace")
        said, noise = p.stdout, p.stderr
    except subprocess.TimeoutExpired as e:
        said, noise = "%s\nFAILED  %s did not end within 1800 s" % (e.stdout or "", name), ""
    closing = re.search(r"^(\d+) passed, (\d+) failed\s*\Z", said, re.M)
    if not closing:
        return 0, 1, "%s%s\nFAILED  %s came to no end" % (said, noise, name)
    return int(closing.group(1)), int(closing.group(2)), said[:closing.start()] + noise


def run_scripts(folder):
    flags = [a for a in sys.argv[1:] if a.startswith("-")]
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")]
    names = sorted(n[:-3] for n in os.listdir(folder) if n.endswith(".py") and n != "common.py")
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(4) as pool:        # they mostly wait
        for p, f, text in pool.map(lambda name: one(folder, name, flags), wanted or names):
            passed, failed = passed + p, failed + f
            if text.strip():
                print(text.strip(), flush=True)
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed or not passed else 0)
