"""How postrider behaves towards the next server, whatever that does: a scripted server stands there."""
import base64
import random
import re
import threading
import time

from common import main
import confs
from harness import Folder, certificate, check, equal, free_port, patience, wait_until
from mailtext import body, message, parsed, stuffed
from postrider import Postrider
from smtp import Client, FakeServer

FULL = ("PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME", "DSN", "ENHANCEDSTATUSCODES")
UTF8_HEAD = ("MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit")


class Relay:
    """A relaying postrider; mail for client.test (reports) goes to `home`, the rest to `fake`."""

    def __init__(self, extra="", route="", **fake):
        self.home = FakeServer(FULL)
        self.fake = FakeServer(**fake)
        self.port = free_port()
        text = confs.HEAD.format(host="relay.example.test") + (
            'listener mx { address = "127.0.0.1:%d" }\nrelay-from = {"127.0.0.0/8"}\nqueue { delays = {"1s"} }\n'
            'route "client.test" { via = "smtp://127.0.0.1:%d" }\nroute "*" { via = "%s" %s }\n%s' %
            (self.port, self.home.port, "smtp://127.0.0.1:%d" % self.fake.port, route, extra))
        self.server = Postrider(text, [self.port])

    def __enter__(self):
        self.home.start()
        self.fake.start()
        self.server.__enter__()
        return self

    def __exit__(self, *args):
        self.server.__exit__(*args)
        self.home.stop()
        self.fake.stop()

    def send(self, octets, rcpts="someone@elsewhere.test", sender="sender@client.test", params=""):
        with Client(self.port) as c:
            c.hello()
            equal(c.mail(sender, rcpts, stuffed(octets), params)[0], 250, "our answer")

    def send_chunk(self, octets, params, rcpts=("someone@elsewhere.test",), rcpt_params=""):
        with Client(self.port) as c:
            c.hello()
            c.command("MAIL FROM:<sender@client.test>" + params, 250)
            for r in rcpts:
                c.command("RCPT TO:<%s>%s" % (r, rcpt_params), 250)
            c.send(b"BDAT %d LAST\r\n" % len(octets) + octets)
            equal(c.reply()[0], 250, "our answer to BDAT")

    def report(self):
        """The report that came home, when the queue is empty."""
        t = self.home.wait(1)[0]
        equal(t.sender, "", "sender of the report")
        equal(t.rcpts, ["sender@client.test"], "recipient of the report")
        equal(parsed(t.data).get_content_type(), "multipart/report", "type of the report")
        self.server.wait_empty()
        return t.data


def awkward_lines():
    """Awkward lines are stuffed and arrive exactly"""
    with Relay() as r:
        sent = message("awkward")
        r.send(sent)
        equal(body(r.fake.wait()[0].data), body(sent), "the body")


def session_order():
    """EHLO with our name, the transaction, QUIT in the end"""
    with Relay() as r:
        r.send(message("order"))
        r.fake.wait()
        equal(r.fake.commands[0], "EHLO relay.example.test", "first command")
        check(re.match(r"MAIL FROM:<sender@client\.test>( |$)", r.fake.commands[1]), r.fake.commands[1])
        equal(r.fake.commands[2].split(" NOTIFY")[0], "RCPT TO:<someone@elsewhere.test>", "third command")
        wait_until(lambda: r.fake.commands[-1] == "QUIT", 15, "QUIT; commands: %s" % r.fake.commands)


def one_transaction():
    """Recipients at one destination share a transaction"""
    with Relay() as r:
        r.send(message("shared"), ["a@elsewhere.test", "b@elsewhere.test", "c@elsewhere.test"])
        r.server.wait_empty()
        equal(len(r.fake.transactions), 1, "transactions")
        equal(sorted(r.fake.transactions[0].rcpts), ["a@elsewhere.test", "b@elsewhere.test", "c@elsewhere.test"], "recipients")


def connection_reuse():
    """Messages at hand share a connection"""
    all_there = threading.Event()
    with Relay(script={"GREETING": lambda s, line: all_there.wait(patience()) and None}) as r:
        for i in range(10):
            r.send(message("reuse%d" % i))
        all_there.set()
        r.server.wait_empty()
        equal(len(r.fake.transactions), 10, "transactions")
        check(len(r.fake.sessions) < 10, "10 messages took %d connections" % len(r.fake.sessions))


def no_ehlo():
    """A server without EHLO is greeted by HELO and given no parameters"""
    with Relay(script={"EHLO": lambda s, line: "500 what?"}) as r:
        sent = message("helo")
        r.send(sent)
        t = r.fake.wait()[0]
        equal(t.mail, "MAIL FROM:<sender@client.test>", "MAIL")
        equal(body(t.data), body(sent), "the body")


def no_pipelining():
    """Without PIPELINING each command waits for its reply"""
    early = []

    def look(session, line):
        time.sleep(0.05)
        session.sock.settimeout(0.05)
        try:
            early.append(session.sock.recv(100))
        except OSError:
            pass
        session.sock.settimeout(None)

    with Relay(offers=("SIZE",), script={"MAIL": look, "RCPT": look, "DATA": look}) as r:
        r.send(message("slow"), ["a@elsewhere.test", "b@elsewhere.test"])
        r.fake.wait()
        equal(early, [], "octets that came before the reply")


def to_8bitmime():
    """8-bit text goes out under BODY=8BITMIME"""
    with Relay() as r:
        sent = message("eight", ["gr\u00fc\u00df dich"], extra=UTF8_HEAD)
        r.send(sent, params=" BODY=8BITMIME")
        t = r.fake.wait()[0]
        check("BODY=8BITMIME" in t.mail, t.mail)
        equal(body(t.data), body(sent), "the body")


def to_7bit():
    """Where 8BITMIME is not offered the text goes out re-encoded, or comes back; no octet above 127 is sent"""
    for offers in (("PIPELINING",), ()):
        with Relay(offers=offers) as r:
            r.send(message("seven", ["gr\u00fc\u00df dich", "."], extra=UTF8_HEAD), params=" BODY=8BITMIME")
            r.server.wait_empty()
            check(all(octet < 128 for s in r.fake.sessions for octet in s), "octets above 127 were sent")
            if r.fake.transactions:
                m = parsed(r.fake.transactions[0].data)
                equal(m.get_content().replace("\r\n", "\n"), "gr\u00fc\u00df dich\n.\n", "the text, decoded")
                check("BODY" not in r.fake.transactions[0].mail, r.fake.transactions[0].mail)
            else:
                check(b"5.6.3" in r.report(), "the report does not say 5.6.3")


def to_7bit_undeclared():
    """The same for 8-bit text that nobody declared"""
    with Relay(offers=("PIPELINING",)) as r:
        r.send(message("undeclared", [b"caf\xe9"]))
        r.server.wait_empty()
        check(all(octet < 128 for s in r.fake.sessions for octet in s), "octets above 127 were sent")
        check(r.fake.transactions or r.home.transactions, "the message is nowhere")


def smtputf8():
    """SMTPUTF8 goes out as such"""
    with Relay(offers=FULL) as r:
        r.send(message("utf8", ["\u20ac"], extra=UTF8_HEAD), "j\u00f6rg@elsewhere.test", params=" SMTPUTF8 BODY=8BITMIME")
        t = r.fake.wait()[0]
        check("SMTPUTF8" in t.mail.split(), t.mail)
        equal(t.rcpts, ["j\u00f6rg@elsewhere.test"], "recipients")


def smtputf8_impossible():
    """An address that needs SMTPUTF8 comes back where it is not offered (RFC 6531 3.5: 5.6.7)"""
    with Relay() as r:
        r.send(message("utf8", ["x"]), "j\u00f6rg@elsewhere.test", params=" SMTPUTF8")
        check(b"5.6.7" in r.report(), "the report does not say 5.6.7")
        equal(r.fake.transactions, [], "transactions")
        check(all(octet < 128 for s in r.fake.sessions for octet in s), "octets above 127 were sent")


def smtputf8_header():
    """A header in UTF-8 is not sent where SMTPUTF8 is not offered"""
    with Relay() as r:
        r.send(message("header", ["x"], extra=("X-Name: J\u00f6rg",)), params=" SMTPUTF8")
        r.server.wait_empty()
        check(all(octet < 128 for s in r.fake.sessions for octet in s), "octets above 127 were sent")
        check(r.fake.transactions or r.home.transactions, "the message is nowhere")


def smtputf8_ascii():
    """SMTPUTF8 was asked for but nothing needs it: it is delivered all the same (RFC 6531 3.4)"""
    with Relay() as r:
        r.send(message("ascii", ["x"]), params=" SMTPUTF8")
        r.server.wait_empty()
        equal(len(r.fake.transactions), 1, "transactions")
        check("SMTPUTF8" not in r.fake.transactions[0].mail, r.fake.transactions[0].mail)


BINARY = (b"Subject: bin\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
          b"Content-Transfer-Encoding: binary\r\n\r\nbare \r and \n and \0 and \xff\r\n.\r\nend")


def binarymime():
    """BINARYMIME goes out by BDAT, octet by octet, where it is offered"""
    with Relay(offers=FULL) as r:
        r.send_chunk(BINARY, " BODY=BINARYMIME")
        t = r.fake.wait()[0]
        equal(t.by, "BDAT", "the way")
        check("BODY=BINARYMIME" in t.mail, t.mail)
        equal(t.data.split(b"\r\n\r\n", 1)[1], BINARY.split(b"\r\n\r\n", 1)[1], "the body")


def binarymime_impossible():
    """Elsewhere it goes out in base64, or comes back with 5.6.3 (RFC 3030 3); bare CR and LF are never sent"""
    for offers in (FakeServer.USUAL, ("CHUNKING", "8BITMIME", "PIPELINING"), ()):
        with Relay(offers=offers) as r:
            r.send_chunk(BINARY, " BODY=BINARYMIME")
            r.server.wait_empty()
            for s in r.fake.sessions:
                check(not re.search(rb"[^\r]\n|\r[^\n]", bytes(s)), "a bare CR or LF was sent")
                check(b"\0" not in s, "NUL was sent")
            if r.fake.transactions:
                equal(parsed(r.fake.transactions[0].data).get_content(), BINARY.split(b"\r\n\r\n", 1)[1], "content, decoded")
            else:
                check(b"5.6.3" in r.report(), "the report does not say 5.6.3")


def dsn_handed_on():
    """NOTIFY, ORCPT, RET and ENVID are handed on where DSN is offered (RFC 3461 5.2.1)"""
    with Relay(offers=FULL) as r:
        r.send_chunk(message("dsn"), " RET=HDRS ENVID=abc+2B1", rcpt_params=" NOTIFY=FAILURE,DELAY ORCPT=rfc822;x+2By@z.test")
        t = r.fake.wait()[0]
        check("RET=HDRS" in t.mail and "ENVID=abc+2B1" in t.mail, t.mail)
        check("NOTIFY=FAILURE,DELAY" in t.rcpt_lines[0] and "ORCPT=rfc822;x+2By@z.test" in t.rcpt_lines[0], t.rcpt_lines[0])


def dsn_relayed():
    """NOTIFY=SUCCESS and no DSN at the next server: a report says relayed (RFC 3461 5.2.2)"""
    with Relay() as r:
        r.send_chunk(message("relayed"), "", rcpt_params=" NOTIFY=SUCCESS")
        r.fake.wait()
        check("NOTIFY" not in r.fake.transactions[0].rcpt_lines[0], r.fake.transactions[0].rcpt_lines[0])
        check(b"Action: relayed" in r.report(), "the report does not say relayed")


def dsn_never():
    """NOTIFY=NEVER: a failure is not reported"""
    with Relay(script={"RCPT": lambda s, line: "550 5.1.1 no"}) as r:
        r.send_chunk(message("never"), "", rcpt_params=" NOTIFY=NEVER")
        r.server.wait_empty()
        time.sleep(0.5)
        equal(r.home.transactions, [], "reports")


def size_handed_on():
    """SIZE is told, and a message beyond the server's limit comes back unsent (RFC 1870 6.1)"""
    with Relay(offers=("SIZE 2000", "PIPELINING")) as r:
        r.send(message("small", ["x"]))
        t = r.fake.wait()[0]
        check(re.search(r" SIZE=\d+", t.mail), t.mail)
        r.send(message("big", ["y" * 70] * 100))
        report = r.report()
        check(b"5.3.4" in report, "the report does not say 5.3.4")
        equal(len(r.fake.transactions), 1, "transactions")


def refused_for_good():
    """5yz at MAIL, RCPT, DATA and after the dot bring a report with that text"""
    for verb in ("MAIL", "RCPT", "DATA", "TEXT"):
        with Relay(script={verb: lambda s, line: "554 5.7.9 the %s of it" % verb}) as r:
            r.send(message("refused"))
            report = r.report()
            check(b"Status: 5.7.9" in report and b"the %s of it" % verb.encode() in report.replace(b"\r\n ", b" "),
                  "the report on %s lacks the reply: %r" % (verb, report[-1200:]))


def refused_for_now():
    """4yz at MAIL, RCPT, DATA and after the dot: tried again, delivered once"""
    for verb in ("MAIL", "RCPT", "DATA", "TEXT"):
        with Relay(script={verb: ["451 4.3.0 later", "451 4.3.0 later"]}) as r:
            r.send(message("later"))
            r.server.wait_empty()
            equal(len(r.fake.transactions), 1, "transactions after 4yz at " + verb)
            equal(r.home.transactions, [], "reports")


def mixed_recipients():
    """One recipient taken, one refused for now, one for good: each meets his own end"""
    answers = {"b": ["450 4.2.1 busy"], "c": ["550 5.1.1 unknown"] * 9}

    def rcpt(session, line):
        left = answers.get(line[line.find("<") + 1], [])
        return left.pop(0) if left else None

    with Relay(script={"RCPT": rcpt}) as r:
        r.send(message("mixed"), ["a@elsewhere.test", "b@elsewhere.test", "c@elsewhere.test"])
        report = r.report()
        equal([t.rcpts for t in r.fake.transactions], [["a@elsewhere.test"], ["b@elsewhere.test"]], "recipients")
        check(b"c@elsewhere.test" in report and b"b@elsewhere.test" not in report.split(b"Final-Recipient")[1], "the report")


def all_refused_no_data():
    """When every recipient is refused, no text is sent"""
    with Relay(script={"RCPT": lambda s, line: "550 5.1.1 unknown", "DATA": lambda s, line: "354 go on, nobody is there"}) as r:
        r.send(message("nobody", ["the secret text"]), ["a@elsewhere.test", "b@elsewhere.test"])
        r.report()
        check(not any(b"the secret text" in s for s in r.fake.sessions), "the text was sent")


def drops():
    """A connection lost at the greeting, at MAIL, at DATA or after the dot: tried again, delivered"""
    for verb in ("GREETING", "EHLO", "MAIL", "DATA", "TEXT"):
        with Relay(script={verb: ["close"]}) as r:
            r.send(message("drop"))
            r.server.wait_empty()
            equal(len(r.fake.transactions), 1, "transactions after a loss at " + verb)
            equal(r.home.transactions, [], "reports")


def says_421():
    """421 at the greeting or within: later, and the connection is not used on"""
    for verb in ("GREETING", "EHLO", "MAIL", "RCPT", "TEXT"):
        with Relay(script={verb: ["421 4.3.2 going down"]}) as r:
            r.send(message("shut"))
            r.server.wait_empty()
            equal(len(r.fake.transactions), 1, "transactions after 421 at " + verb)


def greeting_554():
    """554 at the greeting is an answer: reported or tried again later, never lost"""
    with Relay(script={"GREETING": ["554 5.7.1 no service for you"] * 2}) as r:
        r.send(message("greeting"))
        r.server.wait_empty()
        equal(len(r.fake.transactions) + len(r.home.transactions), 1, "deliveries and reports")


def strange_replies():
    """Replies of many lines, of no text, endless ones and nonsense do no harm"""
    many = "\r\n".join("250-line %d" % i for i in range(90)) + "\r\n250 end"
    with Relay(script={"MAIL": [many], "RCPT": ["250"], "TEXT": ["250"]}) as r:
        r.send(message("many"))
        r.server.wait_empty()
        equal(len(r.fake.transactions), 1, "transactions")
    for reply in ("2", "hello", "250-" + "x" * 100000, "\0\1\2", "999 what", "250\tok", "25O ok"):
        left = [reply]

        def nonsense(session, line):
            if left:
                session.sock.sendall(left.pop().encode() + b"\r\n")
                raise EOFError

        with Relay(script={"MAIL": nonsense}) as r:
            r.send(message("nonsense"))
            r.server.wait_empty()
            equal(len(r.fake.transactions), 1, "deliveries after %r" % reply[:20])


def null_sender_bounce():
    """A refused report is not reported again: the queue runs empty and no mail circles"""
    with Relay(script={"RCPT": lambda s, line: "550 5.1.1 unknown"}) as r:
        r.send(message("report"), sender="")
        r.server.wait_empty()
        time.sleep(0.5)
        equal(r.home.transactions, [], "reports")


def starttls_used():
    """STARTTLS is used when it is offered"""
    with Folder() as folder:
        with Relay(offers=FULL + ("STARTTLS",), certificate=certificate(folder)) as r:
            r.send(message("tls"))
            check(r.fake.wait()[0].tls, "the transaction was in clear")


def starttls_required():
    """tls = require: nothing goes out in clear"""
    with Relay(route='tls = "require"') as r:
        r.send(message("secret", ["secret text"]))
        r.server.wait_log(" deferred ")
        equal(r.fake.transactions, [], "transactions")
        check(not any(b"MAIL" in s for s in r.fake.sessions), "MAIL was sent in clear")
        equal(r.server.queued(), 1, "messages that wait")


def starttls_refused():
    """tls = may: a server that offers STARTTLS and refuses it still gets the mail"""
    with Relay(offers=FULL + ("STARTTLS",), script={"STARTTLS": lambda s, line: "454 4.7.0 not now"}) as r:
        r.send(message("clear"))
        r.server.wait_empty()
        equal(len(r.fake.transactions), 1, "transactions")


def starttls_injected():
    """Replies that come in clear behind the 220 are not believed"""
    with Folder() as folder:
        cert = certificate(folder)

        def inject(session, line):
            session.sock.sendall(b"220 go on\r\n250-fake\r\n250 SIZE 1\r\n")
            raise EOFError

        with Relay(offers=FULL + ("STARTTLS",), certificate=cert, script={"STARTTLS": inject}, route='tls = "require"') as r:
            r.send(message("injected"))
            r.server.wait_log(" deferred ")
            equal(r.fake.transactions, [], "transactions")
            equal(r.server.queued(), 1, "messages that wait")


def tls_verified():
    """tls = verify: a self-signed certificate is not enough"""
    with Folder() as folder:
        with Relay(offers=FULL + ("STARTTLS",), certificate=certificate(folder), route='tls = "verify"') as r:
            r.send(message("verify"))
            r.server.wait_log(" deferred ")
            equal(r.fake.transactions, [], "transactions")
            equal(r.server.queued(), 1, "messages that wait")


def auth():
    """AUTH PLAIN at a smart host, with a password from a file"""
    seen = []
    with Folder() as folder:
        password = folder.file("password", "s3cret\n", 0o600)

        def do_auth(session, line):
            seen.append(line)
            return "235 2.7.0 welcome"

        with Relay(offers=FULL + ("STARTTLS", "AUTH PLAIN LOGIN"), certificate=certificate(folder), script={"AUTH": do_auth},
                   route='auth-user = "user1" password-file = "%s" tls = "require"' % password) as r:
            r.send(message("auth"))
            r.fake.wait()
            equal(seen[:1], ["AUTH PLAIN " + base64.b64encode(b"\0user1\0s3cret").decode()], "AUTH")


def failover():
    """Several smart hosts: the next one when the first refuses the connection"""
    with FakeServer(FULL) as second:
        port = free_port()
        text = confs.HEAD.format(host="relay.example.test") + (
            'listener mx { address = "127.0.0.1:%d" }\nrelay-from = {"127.0.0.0/8"}\n'
            'route "*" { via = {"smtp://127.0.0.1:%d", "smtp://127.0.0.1:%d"} }\n' % (port, free_port(), second.port))
        with Postrider(text, [port]) as server:
            with Client(port) as c:
                c.hello()
                c.mail("sender@client.test", "someone@elsewhere.test", stuffed(message("second")))
            second.wait(1)
            server.wait_empty()


SMUGGLE = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n", b"\n\r.\n\r", b"\r\n.\r\r\n",
           b"\r\r\n.\r\r\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n.\r\n", b"\r\n..\r\n", b"\n\n.\n\n"]
EVIL = b"MAIL FROM:<evil@client.test>\r\nRCPT TO:<victim@elsewhere.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n"


def outgoing_smuggling():
    """What comes in by BDAT BINARYMIME never leaves by DATA in a form that another server may split"""
    with Relay() as r:
        for i, variant in enumerate(SMUGGLE):
            head = (b"Subject: out%02d.\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n"
                    b"Content-Transfer-Encoding: binary\r\n\r\nfirst" % i)
            r.send_chunk(head + variant + EVIL + variant + b"end\r\n", " BODY=BINARYMIME")
        r.server.wait_empty()
        for t in r.fake.transactions:
            check(not re.search(rb"(?<!\r)\n|\r(?!\n)|\0", t.raw), "a bare CR, LF or NUL was sent: %r" % t.raw[-400:])
            check(not re.search(rb"\r\n\.\r\n", t.raw), "an end of data was sent inside: %r" % t.raw[-400:])
        for session in r.fake.sessions:
            check(bytes(session).count(b"MAIL FROM:<evil") <= len(SMUGGLE), "commands of the text were read as such")
        check(not any(c.startswith("MAIL FROM:<evil") for c in r.fake.commands), "a smuggled command was understood")
        equal(len(r.fake.transactions) + len(r.home.transactions), len(SMUGGLE), "deliveries and reports")


def outgoing_no_final_crlf():
    """A message without a last CRLF ends properly"""
    with Relay() as r:
        for text in (b"Subject: a\r\n\r\nno end", b"Subject: a\r\n\r\n.", b"Subject: a\r\n\r\nx\r\n.", b"Subject: a"):
            r.send_chunk(text, "")
        r.server.wait_empty()
        equal(len(r.fake.transactions), 4, "transactions")
        equal(sorted(body(t.data) for t in r.fake.transactions)[1:], [b".\r\n", b"no end\r\n", b"x\r\n.\r\n"], "bodies")


def received_added():
    """A Received field is put on top, with our name and the protocol"""
    with Relay() as r:
        r.send(message("trace"))
        data = r.fake.wait()[0].data
        check(re.match(rb"Received: from client\.test .*?by relay\.example\.test .*?with ESMTP.*?;.*?\r\n[^ \t]", data, re.S),
              "no good Received at the top: %r" % data[:400])


def loop_found():
    """A message that has gone through us too often comes back (RFC 5321 6.3)"""
    hops = ["Received: from a.test by relay.example.test; Fri, 21 Nov 2025 10:00:00 +0000"] * 60
    with Relay() as r:
        with Client(r.port) as c:
            c.hello()
            code, words = c.mail("sender@client.test", "someone@elsewhere.test", stuffed(message("loop", extra=hops)))
        check(code == 554 and "5.4.6" in words, "the answer to 60 Received fields is %d %s" % (code, words))


def never_lost():
    """A server that fails in every way at random: each message arrives in the end"""
    rng = random.Random(5)

    def mood(session, line):
        return rng.choice([None] * 22 + ["451 4.3.0 not now", "close", "421 4.3.2 bye"])

    with Relay(script={v: mood for v in ("GREETING", "EHLO", "MAIL", "RCPT", "DATA")}) as r:
        marks = ["mood%03d." % i for i in range(60)]
        for mark in marks:
            r.send(message(mark, ["x"]))
        r.server.wait_empty(90)
        for mark in marks:
            equal(sum(mark.encode() in t.data for t in r.fake.transactions), 1, "arrivals of " + mark)


if __name__ == "__main__":
    main("next hop", awkward_lines, session_order, one_transaction, connection_reuse, no_ehlo, no_pipelining, to_8bitmime,
         to_7bit, to_7bit_undeclared, smtputf8, smtputf8_impossible, smtputf8_header, smtputf8_ascii, binarymime,
         binarymime_impossible, dsn_handed_on, dsn_relayed, dsn_never, size_handed_on, refused_for_good, refused_for_now,
         mixed_recipients, all_refused_no_data, drops, says_421, greeting_554, strange_replies, null_sender_bounce,
         starttls_used, starttls_required, starttls_refused, starttls_injected, tls_verified, auth, failover,
         outgoing_smuggling, outgoing_no_final_crlf, received_added, loop_found, never_lost)
