"""DANE with Postfix. As the server: its key published by the TLSA records that `postrider dns` prints, in a zone that nsd signs and
unbound serves; the next key of a change published before it is used; a key that nobody published. And as the client of a
postrider: what it printed is believed, another key is not delivered to."""
from common import main
import confs
from harness import POSTRIDER, Folder, certificate, check, equal, free_port, run, wait_until
from mailtext import message, stuffed
from outgoing import send
from postfix import Postfix
from postrider import Postrider
from signed_dns import SignedDns
from smtp import Client

HOST = "mx.good.test"


class World:
    def __init__(self):
        self.folder, self.port, self.mx = Folder(), free_port(), free_port()
        self.now, self.next, self.other = (certificate(self.folder, (HOST,), stem) for stem in ("now", "next", "other"))
        self.server = self.postfix = None

    def printed(self):
        """The TLSA records of a postrider that has these certificates."""
        path = self.folder.file("dns.conf", confs.HEAD.format(host=HOST) + (
            'listener mx { address = "127.0.0.1:25" }\ndomain good.test { deliver = "maildir" }\n'
            'tls { certificate = "%s"  key = "%s"  next-certificate = "%s" }\n' % (*self.now, self.next[0])))
        lines = run(POSTRIDER, "dns", "good.test", "-c", path).stdout.splitlines()
        return [line.split(" TLSA ")[1] for line in lines if line.startswith("_25._tcp.%s. TLSA " % HOST)]

    def __enter__(self):
        records = self.printed()
        equal(len(records), 2, "records of the present and the next key: %s" % records)
        self.dns = SignedDns(["good.test. IN MX 10 %s." % HOST, "%s. IN A 127.0.0.1" % HOST] +
                             ["_%d._tcp.%s. IN TLSA %s" % (self.mx, HOST, r) for r in records])
        self.dns.__enter__()
        self.server = Postrider(confs.HEAD.format(host="relay.example.test") + (
            'listener mx { address = "127.0.0.1:%d" }\nrelay-from = {"127.0.0.0/8"}\nqueue { delays = {"1h"}  idle-time = "10ms" }\n'
            'private-targets = "true"\nsend { mx-port = %d }\ndns { servers = {"127.0.0.1:%d"}  validate = "true"  trust-anchor = "%s" }\n'
            % (self.port, self.mx, self.dns.port, self.dns.anchor)), [self.port])
        self.server.__enter__()
        return self

    def __exit__(self, *what):
        self.server.__exit__(*what)
        self.dns.__exit__(*what)
        self.folder.remove()

    def send(self, pair, box):
        settings = {"smtpd_tls_security_level": "may" if pair else "none", "default_transport": "discard:", "myhostname": HOST}
        if pair:
            settings.update({"smtpd_tls_cert_file": pair[0], "smtpd_tls_key_file": pair[1]})
        rcpt = "%s@good.test" % box
        with Postfix(self.mx, settings):
            return send(self.server, self.port, rcpt, box)


def keys():
    """Postfix with the present key and with the next one is delivered to by DANE; with another key, or without TLS, it is not"""
    with World() as w:
        for pair, box, wanted, words in ((w.now, "now", "delivered", "DANE"), (w.next, "next", "delivered", "DANE"),
                                         (w.other, "other", "deferred", "certificate"), (None, "plain", "deferred", "TLSA")):
            event = w.send(pair, box)
            equal(event["event"], wanted, "%s: %s" % (box, event))
            check(words in event["tls" if wanted == "delivered" else "reply"], "%s: expected %r in %s" % (box, words, event))


class Receiving:
    """A Postfix that sends by DANE only, and believes a resolver at port 53; a postrider with one of the certificates."""

    def __init__(self, given):
        self.folder, self.mx, self.port = Folder(), free_port(), free_port()
        pairs = {name: certificate(self.folder, (HOST,), name) for name in ("now", "next", "other")}
        self.text = (confs.HEAD.format(host=HOST) + 'listener mx { address = "127.0.0.1:%d" }\nrelay-from = {}\n'
                     'domain good.test { deliver = "maildir"  mailboxes = {"alice"} }\n' % self.mx)
        tls = 'tls { certificate = "%s"  key = "%s" }\n'
        path = self.folder.file("dns.conf", self.text + (tls % pairs["now"]).replace(" }", '  next-certificate = "%s" }' % pairs["next"][0]))
        records = [r.split(" TLSA ")[1] for r in run(POSTRIDER, "dns", "good.test", "-c", path).stdout.splitlines() if r.startswith("_25._tcp.%s. TLSA " % HOST)]
        equal(len(records), 2, "TLSA records that are printed")
        self.dns = SignedDns(["good.test. IN MX 10 %s." % HOST, "%s. IN A 127.0.0.1" % HOST] +
                             ["_%d._tcp.%s. IN TLSA %s" % (self.mx, HOST, r) for r in records],
                             spoil={records[0].split()[3][:56]: "ab" * 28} if given == "bogus" else None, system="127.0.28.53")
        self.server = Postrider(self.text + (tls % pairs[given] if given in pairs else tls % pairs["now"]), [self.mx])
        self.postfix = Postfix(self.port, {"relayhost": "good.test:%d" % self.mx, "smtp_tls_security_level": "dane-only", "smtp_tls_loglevel": "1"},
                               resolv_conf=self.dns.resolv_conf)

    def __enter__(self):
        for part in (self.dns, self.server, self.postfix):
            part.__enter__()
        return self

    def __exit__(self, *what):
        for part in (self.postfix, self.server, self.dns):
            part.__exit__(*what)
        self.folder.remove()


def sending():
    """Postfix that sends by DANE only reaches a postrider with the present or the next key; one with another key, or by records that were changed, it defers"""
    for given, wanted, words in (("now", "sent", "Verified TLS connection established"), ("next", "sent", "Verified TLS connection established"),
                                 ("other", "deferred", "not verified"), ("bogus", "deferred", "")):
        with Receiving(given) as w:
            with Client(w.port) as c:
                c.hello()
                equal(c.mail("sender@client.test", ["alice@good.test"], stuffed(message(given)))[0], 250, "Postfix's answer")
            wait_until(lambda: "status=" in w.postfix.log(), 60, "what became of it: %s" % given)
            log = w.postfix.log()
            check("status=" + wanted in log and words in log, "%s: expected %s and %r in %s" % (given, wanted, words, log[-1500:]))
            if wanted == "sent":
                w.server.wait_mail("good.test", "alice")
            else:
                equal(w.server.mail("good.test", "alice"), [], "messages that came: %s" % given)


main("dane_postfix", keys, sending)
