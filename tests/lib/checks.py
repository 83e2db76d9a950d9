"""Runs postrider's checking commands against a zone of the test's own."""
import os
import subprocess

from dnsd import DnsServer


def binary():
    here = os.path.dirname(os.path.abspath(__file__))
    return os.environ.get("POSTRIDER") or os.path.join(here, "..", "..", "build", "postrider")


class Checker:
    """`with Checker(zone) as c: c("dkim", "verify", message=octets)`: the lines that it printed."""

    def __init__(self, zone=None):
        self.dns = DnsServer(zone)

    def __enter__(self):
        self.dns.start()
        return self

    def __exit__(self, *_):
        self.dns.stop()

    def run(self, *words, message=None, resolver=True, timeout=60):
        extra = ["--resolver", "127.0.0.1:%d" % self.dns.port] if resolver else []
        return subprocess.run([binary(), *words, *extra], input=message or b"", capture_output=True, timeout=timeout)

    def octets(self, *words, message=None, **more):
        done = self.run(*words, message=message, **more)
        if done.returncode:
            raise AssertionError("postrider %s: exit %d: %s" % (" ".join(words), done.returncode, done.stderr.decode()))
        return done.stdout

    def __call__(self, *words, message=None, **more):
        return self.octets(*words, message=message, **more).decode("utf-8", "replace").splitlines()
