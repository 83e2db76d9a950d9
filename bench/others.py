"""A generator and a sink that are not ours: Postfix's smtp-source (one command at a time) and smtp-sink (keeps nothing)."""
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "lib"))

from harness import Failure, free_port, wait_port   # noqa: E402


class SmtpSink:
    def __init__(self, port=None):
        self.port = port or free_port()

    def __enter__(self):
        self.process = subprocess.Popen(["smtp-sink", "-u", "nobody", "127.0.0.1:%d" % self.port, "1000"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_port(self.port, 10)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def missing():
    """What is not installed, or nothing."""
    return "smtp-source and smtp-sink are not installed" if not (shutil.which("smtp-source") and shutil.which("smtp-sink")) else ""


def smtp_source(port, messages, connections, size, keep=True, wait=lambda: None):
    """Messages a second from the first connection until all were answered and `wait` returned. `keep`: connections are."""
    begun = time.monotonic()
    p = subprocess.run(["smtp-source", *(["-d"] if keep else []), "-s", str(connections), "-l", str(size), "-m", str(messages),
                        "-f", "a@from.example", "-t", "b@dest.example", "127.0.0.1:%d" % port],
                       capture_output=True, text=True, timeout=600)
    if p.returncode:
        raise Failure("smtp-source: " + p.stderr[-300:])
    wait()
    return messages / (time.monotonic() - begun)
