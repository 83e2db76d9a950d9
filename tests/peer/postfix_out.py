"""postrider hands mail to Postfix, which delivers into a maildir of its own or refuses."""
import os

from common import main
import confs
from harness import Folder, certificate, check, equal, free_port, wait_until
from mailtext import body, message, parsed, stuffed
from postfix import Postfix
from postrider import Postrider
from smtp import Client, FakeServer


class Pair:
    """A relaying postrider before a Postfix that has mailboxes for postfix.test."""

    def __init__(self, settings=None, extra=""):
        self.folder = Folder("postfix-test-")
        boxes = self.folder.file("boxes")
        os.mkdir(boxes)
        os.chmod(boxes, 0o777)
        self.boxes = boxes
        names = self.folder.file("names", "alice@postfix.test alice/\nbob@postfix.test bob/\n")
        self.postfix = Postfix(free_port(), {
            "virtual_mailbox_domains": "postfix.test", "virtual_mailbox_base": boxes,
            "virtual_mailbox_maps": "texthash:" + names, "virtual_minimum_uid": "1", "virtual_uid_maps": "static:65534", "virtual_gid_maps": "static:65534",
            "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
            "smtpd_recipient_restrictions": "reject_unlisted_recipient, permit_mynetworks, reject",
            "myhostname": "mail.postfix.test", **(settings or {})}, folder=self.folder)
        port = free_port()
        self.server = Postrider(confs.relay(port, "smtp://127.0.0.1:%d" % self.postfix.port, extra), [port])
        self.port = port

    def __enter__(self):
        self.postfix.__enter__()
        self.server.__enter__()
        return self

    def __exit__(self, *args):
        self.server.__exit__(*args)
        self.postfix.__exit__(*args)
        self.folder.remove()

    def send(self, rcpts, octets, sender="sender@client.test", params=""):
        with Client(self.port) as c:
            c.hello()
            equal(c.mail(sender, rcpts, stuffed(octets), params)[0], 250, "our answer")

    def box(self, name):
        folder = os.path.join(self.boxes, name, "new")
        names = os.listdir(folder) if os.path.isdir(folder) else []
        return [open(os.path.join(folder, n), "rb").read() for n in sorted(names)]

    def wait_box(self, name, count=1):
        return wait_until(lambda: len(self.box(name)) >= count and self.box(name), 20, "mail for %s at Postfix" % name)


def plain():
    """Awkward lines arrive as they were, for two recipients in one transaction"""
    with Pair() as p:
        sent = message("plain")
        p.send(["alice@postfix.test", "bob@postfix.test"], sent)
        for box in ("alice", "bob"):
            equal(body(p.wait_box(box)[0]), body(sent), "the body for " + box)
        p.server.wait_empty()
        equal(p.postfix.log().count("client=unknown[127.0.0.1]"), 1, "transactions that Postfix saw")


def eight_bit():
    """8-bit text goes out as 8BITMIME"""
    with Pair() as p:
        sent = message("eight", ["gr\u00fc\u00df dich"], extra=("MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8",
                                                          "Content-Transfer-Encoding: 8bit"))
        p.send("alice@postfix.test", sent, params=" BODY=8BITMIME")
        equal(body(p.wait_box("alice")[0]), body(sent), "the body")


def tls():
    """A Postfix that demands STARTTLS is given it"""
    folder = Folder()
    cert, key = certificate(folder)
    with Pair({"smtpd_tls_security_level": "encrypt", "smtpd_tls_cert_file": cert, "smtpd_tls_key_file": key,
               "smtpd_tls_received_header": "yes"}) as p:
        p.send("alice@postfix.test", message("tls"))
        check(b"using TLS" in p.wait_box("alice")[0], "Postfix did not note TLS")
    folder.remove()


def refused():
    """A recipient that Postfix refuses is returned to the sender, the other one is delivered"""
    with FakeServer() as home:
        with Pair(extra='route "client.test" { via = "smtp://127.0.0.1:%d" }\n' % home.port) as p:
            p.send(["nobody@postfix.test", "bob@postfix.test"], message("refused"))
            p.wait_box("bob")
            t = home.wait(1)[0]
            equal((t.sender, t.rcpts), ("", ["sender@client.test"]), "envelope of the report")
            report = parsed(t.data)
            equal(report.get_content_type(), "multipart/report", "the report")
            status = [x for x in report.walk() if x.get_content_type() == "message/delivery-status"]
            equal(len(status), 1, "delivery-status parts")
            check(b"Final-Recipient: rfc822; nobody@postfix.test" in t.data.replace(b"rfc822;n", b"rfc822; n"),
                  "no Final-Recipient: %r" % t.data[-1500:])
            check(b"Action: failed" in t.data and b"Status: 5.1.1" in t.data, "no Action and Status")
            check(b"bob@postfix.test" not in t.data.split(b"Final-Recipient")[1].split(b"Subject: test")[0],
                  "the report speaks of a recipient who got his mail")
            p.server.wait_empty()


def down_and_up():
    """While Postfix is away the message waits, then it is delivered"""
    with Pair() as p:
        p.postfix.stop()
        p.send("alice@postfix.test", message("wait"))
        wait_until(lambda: p.server.queued() == 1, 10, "one message in the queue")
        p.postfix.start()
        p.wait_box("alice")
        p.server.wait_empty()


if __name__ == "__main__":
    main("postrider to postfix", plain, eight_bit, tls, refused, down_and_up)
