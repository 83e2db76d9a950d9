"""The configurations that must work as they stand (tests/contract), with free ports in place of theirs."""
import os
import re
import smtplib
import socket
import ssl

from common import main
from dnsd import DnsServer
from harness import POSTRIDER, ROOT, check, equal, free_port, run
from mailtext import body, message, stuffed
from postrider import Postrider
from smtp import Client, FakeServer


def stands(name, **ports):
    """The text of a file with some ports replaced: stands("relay", p2525=...)."""
    with open(os.path.join(ROOT, "tests", "contract", name + ".conf"), encoding="utf-8") as f:
        text = f.read()
    for old, new in ports.items():
        check(":" + old[1:] in text, "%s.conf has no port %s" % (name, old[1:]))
        text = re.sub(":%s\\b" % old[1:], ":%d" % new, text)
    return text


def relay():
    """relay.conf takes mail from loopback and hands it on"""
    port = free_port()
    with FakeServer() as there, Postrider(stands("relay", p2525=port, p2599=there.port), [port]) as server:
        server.cli("config", "check")
        with Client(port) as c:
            c.hello()
            equal(c.mail("sender@client.test", "someone@elsewhere.test", stuffed(message("relay")))[0], 250, "our answer")
        equal(body(there.wait()[0].data), body(message("relay")), "the body")


def mx():
    """mx.conf delivers to Maildir and LMTP, follows aliases, refuses strangers, and relays for nobody"""
    port = free_port()
    with FakeServer(lmtp=True) as store, Postrider(stands("mx", p2525=port, p2424=store.port), [port]) as server:
        server.cli("config", "check")
        with Client(port) as c:
            c.hello()
            equal(c.mail("sender@client.test", ["info@example.test", "abuse@example.test", "any@lists.test"],
                         stuffed(message("mx")))[0], 250, "our answer")
            c.command("MAIL FROM:<sender@client.test>", 250)
            c.command("RCPT TO:<nobody@example.test>", 550)
            c.command("RCPT TO:<someone@elsewhere.test>", 550)
        for box in ("alice", "bob", "postmaster"):
            equal(body(server.wait_mail("example.test", box)[0]), body(message("mx")), "the body for " + box)
        equal(store.wait()[0].rcpts, ["any@lists.test"], "recipients by LMTP")


def proxy():
    """proxy.conf stands before a server, whose answers its clients get, and warns of what that may mean"""
    port = free_port()
    with FakeServer() as there, Postrider(stands("proxy", p2530=port, p2531=there.port), [port]) as server:
        check("open relay" in server.cli("config", "check").stderr, "no warning")
        with Client(port) as c:
            c.hello()
            equal(c.mail("sender@client.test", "someone@inner.test", stuffed(message("proxy"))), (250, "2.0.0 taken"), "the answer")
        equal(body(there.wait()[0].data), body(message("proxy")), "the body")


def submission():
    """submission.conf: people of the domain log in on both ports, strangers do not, and nothing is relayed without a log-in"""
    port, smtps = free_port(), free_port()
    with DnsServer({}) as dns, Postrider(stands("submission", p2587=port, p2465=smtps, p5353=dns.port), [port, smtps]) as server:
        run(POSTRIDER, "user", "add", "alice@example.test", "--password-stdin", "-c", server.conf, stdin="a long secret\n")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for tls in (False, True):
            c = smtplib.SMTP_SSL("127.0.0.1", smtps, context=context) if tls else smtplib.SMTP("127.0.0.1", port)
            if not tls:
                c.starttls(context=context)
            c.ehlo()
            equal(c.docmd("MAIL FROM:<alice@example.test>")[0], 530, "MAIL without a log-in")
            try:
                c.login("alice@example.test", "wrong")
                check(False, "a wrong password was taken")
            except smtplib.SMTPAuthenticationError as e:
                equal(e.smtp_code, 535, "the answer to a wrong password")
            c.login("alice@example.test", "a long secret")
            equal(c.sendmail("alice@example.test", ["alice@example.test"], "Subject: x\r\n\r\nhello\r\n"), {}, "refused")
            c.quit()
        equal(len(server.wait_mail("example.test", "alice", 2)), 2, "messages")


def checked():
    """checked.conf: who sends is known by the PROXY header; what was found stands at the top, a rejected author is refused"""
    port = free_port()
    zone = {"good.test": {"TXT": ["v=spf1 ip4:192.0.2.7 -all"]}, "bad.test": {"TXT": ["v=spf1 -all"]},
            "_dmarc.bad.test": {"TXT": ["v=DMARC1; p=reject"]}}
    with DnsServer(zone) as dns, Postrider(stands("checked", p2525=port, p5353=dns.port), [port]) as server:
        for domain, code in (("good.test", 250), ("bad.test", 550)):
            with socket.create_connection(("127.0.0.1", port), 20) as s:
                f = s.makefile("rwb")

                def say(line, wanted):
                    if line:
                        f.write(line + b"\r\n")
                        f.flush()
                    answer = f.readline()
                    while answer[3:4] == b"-":
                        answer = f.readline()
                    check(wanted is None or answer.startswith(b"%d" % wanted), "%r was answered by %r" % (line, answer))
                f.write(b"PROXY TCP4 192.0.2.7 127.0.0.1 5000 25\r\n")
                f.flush()
                sender = ("a@" + domain).encode()
                for line, wanted in ((None, 220), (b"EHLO mail." + domain.encode(), 250), (b"MAIL FROM:<" + sender + b">", 250),
                                     (b"RCPT TO:<alice@example.test>", 250), (b"DATA", 354),
                                     (b"From: " + sender + b"\r\nSubject: x\r\n\r\nhello\r\n.", code)):
                    say(line, wanted)
        mail = server.wait_mail("example.test", "alice")[0]
        check(b"Authentication-Results: mx.example.test" in mail and b"spf=pass" in mail, "results in %r" % mail[:600])


if __name__ == "__main__":
    main("contract", relay, mx, proxy, submission, checked)
