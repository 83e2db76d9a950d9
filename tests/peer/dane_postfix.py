"""DANE with Postfix as the server: its key published by the TLSA records that `postrider dns` prints, in a zone that nsd signs and
unbound serves; the next key of a change published before it is used; a key that nobody published."""
from common import main
import confs
from harness import POSTRIDER, Folder, certificate, check, equal, free_port, run, wait_until
from mailtext import message, stuffed
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
            with Client(self.port) as c:
                c.hello()
                equal(c.mail("sender@client.test", [rcpt], stuffed(message(box)))[0], 250, "our answer")

            def told():
                found = self.server.json("why", rcpt)["messages"]
                events = found[0]["events"] if found else []
                return events[-1] if events and events[-1]["event"] in ("delivered", "deferred") else None
            return wait_until(told, 30, "what became of the message to " + rcpt)


def keys():
    """Postfix with the present key and with the next one is delivered to by DANE; with another key, or without TLS, it is not"""
    with World() as w:
        for pair, box, wanted, words in ((w.now, "now", "delivered", "DANE"), (w.next, "next", "delivered", "DANE"),
                                         (w.other, "other", "deferred", "certificate"), (None, "plain", "deferred", "TLSA")):
            event = w.send(pair, box)
            equal(event["event"], wanted, "%s: %s" % (box, event))
            check(words in event["tls" if wanted == "delivered" else "reply"], "%s: expected %r in %s" % (box, words, event))


main("dane_postfix", keys)
