"""DANE (RFC 7672): names in a zone that nsd serves signed, unbound between, servers with the right key, a wrong one, none."""
import gzip
import hashlib
import json
import ssl

from common import main
import confs
from harness import Authority, Folder, certificate, check, equal, free_port, run, wait_until
from outgoing import fake_servers, send
from postrider import Postrider
from signed_dns import SignedDns
from tlsrpt import Web


def public_key(cert):
    pem = run("openssl", "x509", "-in", cert, "-noout", "-pubkey").stdout
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.replace("PUBLIC KEY", "CERTIFICATE"))).hexdigest()


def whole(cert):
    with open(cert) as f:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(f.read().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")).hexdigest()


WRONG = "00" * 32
DOMAINS = ("good", "wrong", "ta", "tawrong", "unusable", "plain", "bogus", "open", "fail", "alias", "nomx")


COLLECTOR = "127.0.26.200"


class World:
    def __init__(self, report='report { tls = false }'):
        self.folder = Folder()
        pair = certificate(self.folder, names=("other.example",))
        ta = Authority(self.folder)
        chain, key = ta.issue("mx.ta.test")
        right = "3 1 1 " + public_key(pair[0])
        tlsa = {"good": right, "wrong": "3 1 1 " + WRONG, "ta": "2 0 1 " + whole(ta.certificate), "tawrong": "2 0 1 " + whole(ta.certificate), "unusable": "1 1 1 " + WRONG,
                "plain": right, "bogus": "3 1 1 " + "ab" * 32, "nomx": right}
        self.port, self.mx = free_port(), free_port()
        lines = []
        self.servers = fake_servers(DOMAINS, "127.0.26", self.mx, lambda name: None if name == "plain" else (chain, key) if name in ("ta", "tawrong") else pair)
        self.address = {name: s.address for name, s in self.servers.items()}
        for name, address in self.address.items():
            host = name + ".test." if name == "nomx" else "mx.%s.test." % name
            if name == "open":
                continue
            if name != "nomx":
                lines.append("%s.test. IN MX 10 %s" % (name, "web.test." if name == "alias" else host))
            lines.append("%s IN A %s" % (host, address))
            if name in tlsa:
                lines.append("_%d._tcp.%s IN TLSA %s" % (self.mx, host, tlsa[name]))
        web = free_port()
        self.collector = Web(COLLECTOR, web, pair)
        lines += ['_smtp._tls.%s.test. IN TXT "v=TLSRPTv1; rua=https://collector.test:%d/"' % (name, web) for name in DOMAINS if name != "open"]
        lines += ["collector.test. IN A " + COLLECTOR]
        lines += ["web.test. IN CNAME mx.alias.test.", "_%d._tcp.mx.alias.test. IN TLSA %s" % (self.mx, right),
                  "_%d._tcp.web.test. IN TLSA 3 1 1 %s" % (self.mx, WRONG)]
        unsigned = {"open.test": ["@ IN MX 10 mx.open.test.", "mx IN A %s" % self.address["open"], "_%d._tcp.mx IN TLSA 3 1 1 %s" % (self.mx, WRONG)]}
        self.dns = SignedDns(lines, unsigned, spoil={"ab" * 32: "cd" * 32},
                             extra='  local-zone: "_%d._tcp.mx.fail.test." always_refuse' % self.mx)
        self.server = Postrider(confs.HEAD.format(host="relay.example.test") + (
            'listener mx { address = "127.0.0.1:%d" }\nrelay-from = {"127.0.0.0/8"}\nqueue { delays = {"1h"} }\nprivate-targets = "true"\n'
            'send { mx-port = %d }\ndns { servers = {"127.0.0.1:%d"}  validate = "true"  trust-anchor = "%s" }\n%s\n'
            % (self.port, self.mx, self.dns.port, self.dns.anchor, report)), [self.port])

    def __enter__(self):
        self.dns.__enter__()
        for s in self.servers.values():
            s.start()
        self.server.__enter__()
        return self

    def __exit__(self, *what):
        self.server.__exit__(*what)
        for s in self.servers.values():
            s.stop()
        self.collector.stop()
        self.dns.__exit__(*what)
        self.folder.remove()

    def send(self, name):
        """The last event of a message to the domain."""
        event = send(self.server, self.port, "someone@%s.test" % name, name)
        equal(len(self.servers[name].transactions), int(event["event"] == "delivered"), "messages that the server of %s took" % name)
        return event


def all_kinds():
    """The right key is delivered to, a wrong one deferred, nothing is downgraded, what is not signed does not count"""
    rows = (("good", "delivered", "DANE"), ("ta", "delivered", "DANE"), ("nomx", "delivered", "DANE"), ("alias", "delivered", "DANE"),
            ("wrong", "deferred", "certificate"), ("tawrong", "deferred", "certificate"), ("plain", "deferred", "by TLSA records"),
            ("bogus", "deferred", "4.7"), ("fail", "deferred", "DNS"), ("unusable", "delivered", "TLSv1"), ("open", "delivered", "TLSv1"))
    with World() as w:
        for name, wanted, words in rows:
            event = w.send(name)
            equal(event["event"], wanted, "the message to %s: %s" % (name, event))
            text = event.get("tls", "") if wanted == "delivered" else event["reply"]
            check(words in text, "%s: expected %r in %r" % (name, words, event))
            check(wanted != "delivered" or words == "DANE" or "DANE" not in text, "%s: %s" % (name, event))


def reports():
    """TLS reports say under which TLSA records sessions went, and what was wrong (RFC 8460 4.3)"""
    wanted = {"good": "", "ta": "", "wrong": "validation-failure", "tawrong": "certificate-host-mismatch", "unusable": "tlsa-invalid",
              "plain": "starttls-not-supported", "bogus": "dnssec-invalid"}
    with World('report { interval = "10s"  spread = "0s" }') as w:
        for name in wanted:
            w.send(name)

        def seen():
            found = {}
            for _, _, body in w.collector.posted:
                for one in json.loads(gzip.decompress(body))["policies"]:
                    found.setdefault(one["policy"]["policy-domain"].split(".")[-2], []).append(one)
            return found if set(found) >= set(wanted) else None
        for name, reported in wait_until(seen, 60, "a report about each domain").items():
            one = reported[0]
            equal((one["policy"]["policy-type"], one["policy"]["policy-domain"]), ("tlsa", "mx.%s.test" % name), "the policy of " + name)
            if wanted[name]:
                equal([f["result-type"] for f in one["failure-details"]], [wanted[name]], "what was wrong with " + name)
                equal(one["failure-details"][0]["receiving-mx-hostname"], "mx.%s.test" % name, "whose server")
            else:
                equal((one["summary"]["total-successful-session-count"], one["summary"]["total-failure-session-count"]), (1, 0), name)
                check(one["policy"]["policy-string"][0][:5] in ("3 1 1", "2 0 1"), "%r" % one)


main("dane", all_kinds, reports)
