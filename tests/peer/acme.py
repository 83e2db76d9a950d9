"""A certificate obtained from Pebble, by both kinds of proof, and renewed under load without a cut session."""
import json
import os
import ssl
import socket
import threading
import time
import urllib.request

from common import main
import confs
from dnsd import DnsServer
from harness import Folder, Process, certificate, check, equal, free_port, need, patience, run, wait_port, wait_until
from postrider import Postrider

NAMES = ["mx.example.test", "mail.example.test"]
ZONE = {name: {"A": ["127.0.0.1"]} for name in NAMES}


class Pebble:
    """The authority; it refuses a part of its own nonces, as the tests of ACME clients should expect."""

    def __init__(self, life, proof_port, zone=None, reject=20, eab=None):
        self.folder, self.port, self.management = Folder(), free_port(), free_port()
        self.dns = DnsServer(dict(ZONE) if zone is None else zone)
        cert, key = certificate(self.folder, ["localhost"], "pebble")
        self.ca = cert
        self.folder.file("pebble.json", json.dumps({"pebble": {
            "listenAddress": "127.0.0.1:%d" % self.port, "managementListenAddress": "127.0.0.1:%d" % self.management,
            "certificate": cert, "privateKey": key, "httpPort": proof_port, "tlsPort": proof_port,
            "ocspResponderURL": "", "externalAccountBindingRequired": eab is not None, "externalAccountMACKeys": eab or {}, "certificateValidityPeriod": life}}))
        env = dict(os.environ, PEBBLE_VA_NOSLEEP="1", PEBBLE_WFE_NONCEREJECT=str(reject), PEBBLE_AUTHZREUSE="0")
        self.process = Process([need("pebble"), "-config", self.folder.file("pebble.json"), "-strict", "-dnsserver",
                                "127.0.0.1:%d" % self.dns.port], self.folder.file("log"), env=env)

    def __enter__(self):
        self.dns.start()
        self.process.start()
        wait_port(self.port, 15, self.process)
        return self

    def root(self):
        """The certificate that all of its own end in, PEM."""
        context = ssl.create_default_context(cafile=self.ca)
        with urllib.request.urlopen("https://localhost:%d/roots/0" % self.management, timeout=patience(), context=context) as f:
            return f.read().decode()

    def __exit__(self, *_):
        self.process.stop()
        self.dns.stop()
        self.folder.remove()


class Server(Postrider):
    def __init__(self, pebble, proof_port, challenge="http-01", extra=""):
        self.smtp, self.smtps = free_port(), free_port()
        conf = confs.HEAD.format(host="mx.example.test") + """
listener mx { address = "127.0.0.1:%d" }
listener smtps { address = "127.0.0.1:%d"  tls = "implicit" }
relay-from = {}
domain example.test { deliver = "maildir"  mailboxes = {"alice"} }
tls { watch = "200ms" }
acme {
    names = {"mx.example.test", "mail.example.test"}
    agree = true
    directory = "https://localhost:%d/dir"
    ca-file = "%s"
    contact = {"admin@example.test"}
    challenge = "%s"
    address = {"127.0.0.1:%d"}
    retry = "1s"
    %s
}
dns { servers = {"127.0.0.1:%d"} }
""" % (self.smtp, self.smtps, pebble.port, pebble.ca, challenge, proof_port, extra, pebble.dns.port)
        super().__init__(conf, [self.smtp, self.smtps])

    def certificate(self):
        """What a new session gets, decoded."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", self.smtps), patience()) as raw, \
                context.wrap_socket(raw, server_hostname=NAMES[1]) as c:
            c.recv(100)
            return ssl.DER_cert_to_PEM_cert(c.getpeercert(binary_form=True))

    def issuer(self):
        return run(need("openssl"), "x509", "-noout", "-issuer", stdin=self.certificate()).stdout

    def wait_issued(self, seconds=40):
        wait_until(lambda: "Pebble" in self.issuer(), seconds, "a certificate of Pebble; the log ends:\n" + self.log(2000))


def obtains(challenge):
    proof_port = free_port()
    with Pebble(86400, proof_port) as ca, Server(ca, proof_port, challenge) as s:
        s.wait_issued()
        text = run(need("openssl"), "x509", "-noout", "-text", stdin=s.certificate()).stdout
        for name in NAMES:
            check("DNS:" + name in text, "%s is not in the certificate" % name)
        secrets = s.folder.file("data/secrets")
        for name in ("acme.key", "acme-account.key", "acme.crt"):
            equal(os.stat(os.path.join(secrets, name)).st_mode & 0o77, 0, "rights of others to " + name)
        key = run(need("openssl"), "pkey", "-in", os.path.join(secrets, "acme.key"), "-pubout").stdout
        equal(run(need("openssl"), "x509", "-noout", "-pubkey", stdin=s.certificate()).stdout, key, "public key")
        issued = s.log().count("acme_certificate")
        time.sleep(1.5)
        equal(s.log().count("acme_certificate"), issued, "certificates while one is good")
        before = s.certificate()
        s.process.stop()
        s.start()
        equal(s.certificate(), before, "certificate after a new start")


def by_http():
    """http-01: a certificate for two names, kept over a new start, not asked for again while it is good"""
    obtains("http-01")


def by_tls():
    """tls-alpn-01: the same"""
    obtains("tls-alpn-01")


def bound():
    """External account binding: the authority wants it, a wrong key is told in the log, the right one gets a certificate and is not needed again"""
    proof_port, key = free_port(), "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    with Pebble(86400, proof_port, eab={"kid-1": key}) as ca:
        s = Server(ca, proof_port, extra='eab-kid = "kid-1"  eab-key-file = "eab.key"')
        path = s.folder.file("eab.key", "A" + key[1:] + "\n", 0o600)
        with s:
            wait_until(lambda: "acme_failed" in s.log() and "binding" in s.log().lower(), 20, "a refusal; the log ends:\n" + s.log(2000))
            with open(path, "w", encoding="ascii") as f:
                f.write(key + "\n")
            s.reload()
            s.wait_issued()
            check("-----BEGIN" not in s.log(), "a key is in the log")
            with open(path, "w", encoding="ascii") as f:
                f.write("A" + key[1:] + "\n")
            s.process.stop()
            os.unlink(s.folder.file("data/secrets/acme.crt"))
            s.start()
            s.wait_issued()


class Load:
    """Sessions that last, and short ones, all over TLS."""

    def __init__(self, server):
        self.server, self.end, self.done, self.failed = server, False, 0, []
        self.threads = [threading.Thread(target=self.work, args=(n,)) for n in range(4)]
        for t in self.threads:
            t.start()

    def work(self, number):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        while not self.end:
            try:
                with socket.create_connection(("127.0.0.1", self.server.smtps), patience()) as raw, \
                        context.wrap_socket(raw) as c:
                    stream = c.makefile("rwb")
                    check(stream.readline().startswith(b"220"), "no greeting")
                    until = time.monotonic() + (4 if number == 0 else 0)
                    while True:
                        stream.write(b"NOOP\r\n")
                        stream.flush()
                        check(stream.readline().startswith(b"250"), "no answer")
                        if time.monotonic() > until or self.end:
                            break
                        time.sleep(0.05)
                self.done += 1
            except Exception as e:                                            # pylint: disable=broad-except
                self.failed.append(repr(e))

    def stop(self):
        self.end = True
        for t in self.threads:
            t.join()


def renews():
    """Certificates that live 36 s are renewed three times while sessions run: none fails, the key stays"""
    proof_port = free_port()
    with Pebble(36, proof_port) as ca, Server(ca, proof_port) as s:
        s.wait_issued()
        seen, keys = set(), set()
        load = Load(s)
        end = time.monotonic() + patience(300)
        while len(seen) < 4 and time.monotonic() < end:
            pem = s.certificate()
            seen.add(pem)
            keys.add(run(need("openssl"), "x509", "-noout", "-pubkey", stdin=pem).stdout)
            left = run(need("openssl"), "x509", "-noout", "-checkend", "0", stdin=pem, ok=(0, 1))
            equal(left.returncode, 0, "a certificate that has ended is served")
            time.sleep(0.5)
        load.stop()
        check(len(seen) >= 4, "only %d certificates; the log ends:\n%s" % (len(seen), s.log(2000)))
        equal(len(keys), 1, "public keys")
        equal(load.failed[:3], [], "failures in %d sessions" % load.done)
        check(load.done > 50, "only %d sessions" % load.done)


def refused_names():
    """The authority cannot reach a name: its words are in the log, tried again later; when it can, all is well"""
    proof_port = free_port()
    zone = dict(ZONE)
    del zone[NAMES[1]]
    with Pebble(86400, proof_port, zone=zone, reject=0) as ca, Server(ca, proof_port) as s:
        s.wait_log("acme_failed", 40)
        row = [r for r in s.log().splitlines() if "acme_failed" in r][0]
        check("check of mail.example.test" in row and "retry=1" in row, "the log says: " + row)
        check("CN = mx.example.test" in s.issuer() or "Pebble" not in s.issuer(), "a certificate all the same")
        ca.dns.zone[NAMES[1]] = {"A": ["127.0.0.1"]}
        s.wait_issued(60)


def not_there():
    """No authority, then a wrong root: the server runs on with its own certificate"""
    proof_port = free_port()
    with Pebble(86400, proof_port) as ca:
        with open(ca.ca, encoding="ascii") as f:
            root = f.read()
        certificate(ca.folder, ["localhost"], "pebble")                   # the one that is running is another
        s = Server(ca, proof_port)
        with s:
            s.wait_log("acme_failed", 30)
            check("self-signed" in s.log() or "certificate" in s.log(), s.log(1000))
            equal("Pebble" in s.issuer(), False, "a certificate from an authority that nobody vouches for")
            s.folder.file("x")
            with open(ca.ca, "w", encoding="ascii") as f:
                f.write(root)
            s.reload()
            s.wait_issued(60)


def policy_host():
    """A certificate that also proves mta-sts.DOMAIN: the MTA-STS policy is served by HTTPS to somebody who checks the name"""
    proof_port, web = free_port(), free_port()
    zone = {**ZONE, "mta-sts.example.test": {"CNAME": "mx.example.test"}, "example.test": {"MX": ["10 mx.example.test"]}}
    with Pebble(86400, proof_port, zone) as ca, Server(ca, proof_port) as s:
        s.wait_issued()
        text = open(s.conf).read().replace('"mail.example.test"}', '"mail.example.test", "mta-sts.example.test"}')
        s.stop()
        with open(s.conf, "w") as f:
            f.write(text + 'listener web { address = "127.0.0.1:%d"  protocol = "https" }\nsts { mode = "enforce" }\n' % web)
        s.start()
        context = ssl.create_default_context(cadata=ca.root())

        def policy():
            try:
                with socket.create_connection(("127.0.0.1", web), patience()) as raw, \
                        context.wrap_socket(raw, server_hostname="mta-sts.example.test") as c:
                    c.sendall(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.example.test\r\nConnection: close\r\n\r\n")
                    return b"".join(iter(lambda: c.recv(4096), b""))
            except OSError:                                 # the old certificate, that does not name the host, yet
                return b""
        got = wait_until(policy, 60, "a policy under a certificate for its host; the log ends:\n" + s.log(2000))
        check(got.startswith(b"HTTP/1.1 200") and b"mode: enforce\r\nmx: mx.example.test\r\n" in got, "%r" % got)


main("acme", by_http, by_tls, bound, renews, refused_names, not_there, policy_host)
