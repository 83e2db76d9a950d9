"""Runs postrider's checking commands against a zone of the test's own."""
import re
import subprocess

from dnsd import DnsServer
from harness import POSTRIDER, Failure


def new_key(path, domain, selector, algorithm="rsa-sha256", bits=None):
    """`postrider dkim key`: the key lies in `path`; the record that it printed, as a zone."""
    more = ["--bits", str(bits)] if bits else []
    done = subprocess.run([POSTRIDER, "dkim", "key", "--domain", domain, "--selector", selector, "--key", path,
                           "--algorithm", algorithm, *more], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise Failure("postrider dkim key: " + done.stderr)
    name = done.stdout.split()[0].rstrip(".")
    return {name: {"TXT": ["".join(re.findall(r'"([^"]*)"', done.stdout))]}}


class Checker:
    """`with Checker(zone) as c: c("dkim", "verify", message=octets)`: the lines that it printed."""

    def __init__(self, zone=None):
        self.dns = DnsServer(zone)

    def __enter__(self):
        self.dns.start()
        return self

    def __exit__(self, *_):
        self.dns.stop()

    def run(self, *words, message=b"", timeout=60):
        return subprocess.run([POSTRIDER, *words, "--resolver", "127.0.0.1:%d" % self.dns.port], input=message,
                              capture_output=True, timeout=timeout)

    def octets(self, *words, message=b"", **more):
        done = self.run(*words, message=message, **more)
        if done.returncode:
            raise Failure("postrider %s: exit %d: %s" % (" ".join(words), done.returncode, done.stderr.decode()))
        return done.stdout

    def __call__(self, *words, message=b"", **more):
        return self.octets(*words, message=message, **more).decode("utf-8", "replace").splitlines()
