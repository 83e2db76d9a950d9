"""The proxy listener before scripted servers that misbehave at every step, before Postfix, and before several."""
import base64
import contextlib
import json
import signal
import socket
import time

from common import main
import confs
from dnsd import DnsServer
from harness import POSTRIDER, Folder, Process, certificate, check, equal, free_port, patience, wait_until
from ledger import compare
from mailtext import AWKWARD, body, message, stuffed
from postfix import Postfix
from postrider import Postrider
from smtp import Client, FakeServer
import tools

FULL = ("PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME", "DSN", "ENHANCEDSTATUSCODES")
POOR = ("SIZE 1000000",)
TIMES = 'send { command-time = "%(s)ds"  end-time = "%(s)ds"  data-time = "%(s)ds" }\n'
LEAST = 3                                # seconds: of a server that does not answer, in tests of nothing else


def for_clients(reply):
    """A scripted reply that leaves the server's first look at the next one (MAIL FROM:<>) alone."""
    return lambda session, line: reply if session.tx.sender != "" and "<>" not in line else None


def stall(session, line):
    session.sock.settimeout(patience())
    while session.sock.recv(65536):      # until the proxy has enough
        pass
    return "close"


def drop(session, line):
    return "close"


class Proxied:
    """A proxy listener in front of fake servers."""

    def __init__(self, mode="inspect", listener="", extra="", fakes=None, upstream=None, files=None, times=60, **fake):
        self.fakes = fakes or [FakeServer(**fake)]
        self.fake = self.fakes[0]
        self.port = free_port()
        to = "{%s}" % ", ".join('"127.0.0.1:%d"' % f.port for f in self.fakes)
        if upstream is not None:
            extra += "\nupstream inner { via = %s %s }\n" % (to, upstream)
            to = '"inner"'
        self.server = Postrider(
            confs.HEAD.format(host="edge.example.test") + TIMES % {"s": times} +
            'listener edge { address = "127.0.0.1:%d"  proxy = %s  proxy-mode = "%s" %s }\n%s' %
            (self.port, to, mode, listener, extra), [self.port], files=files)

    def __enter__(self):
        for f in self.fakes:
            if not f.stopping:
                f.start()
        self.server.__enter__()
        return self

    def __exit__(self, *args):
        self.server.__exit__(*args)
        for f in self.fakes:
            f.stop()

    def talk(self):
        c = Client(self.port)
        c.hello()
        return c


def modes(work):
    for mode in ("inspect", "pass"):
        work(mode)


def passes_everything():
    """A message arrives as it was sent, by DATA and BDAT, to servers rich and poor"""
    def one(mode):
        for offers in (FULL, POOR):
            with Proxied(mode, offers=offers) as p, p.talk() as c:
                octets = message("one", AWKWARD)
                equal(c.mail("a@client.test", ["b@inner.test", "c@inner.test"], stuffed(octets)),
                      (250, "2.0.0 taken"), "the server's own answer")
                c.command("MAIL FROM:<a@client.test>", 250)
                c.command("RCPT TO:<b@inner.test>", 250)
                for i in range(0, len(octets), 100):
                    part = octets[i:i + 100]
                    last = b" LAST" if i + 100 >= len(octets) else b""
                    c.send(b"BDAT %d%s\r\n" % (len(part), last) + part)
                    equal(c.reply()[0], 250, "answer to a chunk")
                one_, two = p.fake.wait(2)
                equal(one_.rcpts, ["b@inner.test", "c@inner.test"], "recipients")
                for t in (one_, two):
                    check(t.data.endswith(octets), "the text is another one: %r" % t.data[-200:])
                    extra = t.data[:-len(octets)]
                    equal(extra.startswith(b"Received: from client.test"), mode == "inspect", "a Received field")
                    equal(t.by, "DATA", "the way it came")
    modes(one)


def answers_in_order():
    """MAIL and RCPT in one packet with nothing behind them are answered in their order, whatever the answers are"""
    def one(mode):
        with Proxied(mode, offers=FULL, script={"RCPT": "450 4.3.0 not now"}) as p, Client(p.port) as c:
            c.hello()
            for line, n in (("RCPT TO:<b@inner.test>", 1), ("RCPT TO:<b@inner.test>\r\nRCPT TO:<c@inner.test>", 2)):
                c.send("MAIL FROM:<a@client.test>\r\n%s\r\n" % line)
                equal([c.reply()[0] for _ in range(n + 1)], [250] + [450] * n, "answers")
                c.command("RSET", 250)
    modes(one)


def offers_what_both_can():
    """EHLO offers what the server behind and the proxy can both do; what is framing is always offered"""
    for offers, has, not_ in ((FULL, ("8BITMIME", "SMTPUTF8", "DSN", "BINARYMIME"), ("STARTTLX",)),
                              (POOR, ("PIPELINING", "CHUNKING"), ("8BITMIME", "SMTPUTF8", "DSN", "BINARYMIME"))):
        for mode in ("inspect", "pass"):
            with Proxied(mode, offers=offers + ("X-STRANGE yes",)) as p, Client(p.port) as c:
                found = c.hello()
                for word in has + ("PIPELINING", "CHUNKING"):
                    check(word in found, "%s is not offered: %s" % (word, found))
                for word in not_:
                    check(word not in found, "%s is offered: %s" % (word, found))
                if offers == POOR:
                    check("SIZE 1000000" in found, "not the smaller size: %s" % found)
                    equal(c.command("MAIL FROM:<a@b.test> BODY=8BITMIME")[0] // 100, 5, "8BITMIME that is not offered")
                equal("X-STRANGE yes" in found, mode == "pass", "an unknown keyword in " + mode)


def binary():
    """A BINARYMIME message crosses by BDAT, octet for octet"""
    octets = message("bin", []) + b"\r\n" + bytes(range(256)) * 300 + b"\n\r.\r\n..\r"
    with Proxied(offers=FULL) as p, p.talk() as c:
        c.command("MAIL FROM:<a@client.test> BODY=BINARYMIME", 250)
        c.command("RCPT TO:<b@inner.test>", 250)
        c.send(b"BDAT %d LAST\r\n" % len(octets) + octets)
        equal(c.reply()[0], 250, "answer")
        t = p.fake.wait(1)[0]
        check(t.data.endswith(octets) and t.by == "BDAT", "other octets arrived")


def refusals_are_its_own():
    """4xx and 5xx of the server at every command and at the dot reach the client as they are"""
    def one(mode):
        for verb in ("MAIL", "RCPT", "DATA", "TEXT"):
            for reply in ("450 4.7.1 later, says the server", "550 5.7.1 never, says the server"):
                for pipelined in (False, True):
                    with Proxied(mode, script={verb: for_clients(reply)}) as p, p.talk() as c:
                        found = converse(c, pipelined)
                        want = int(reply[:3])
                        equal(found.get(verb, (0, ""))[0], want, "%s, %s in %s" % (found, verb, mode))
                        check("says the server" in found[verb][1], "not its words: %r" % (found,))
                        equal(len(p.fake.transactions), 0, "messages taken")
                        c.command("RSET", 250)
                        c.command("NOOP", 250)
    modes(one)


def converse(c, pipelined=False, octets=None):
    """A whole transaction; the answers by verb as far as it got."""
    octets = octets or message("x", ["hello"])
    found = {}
    steps = (("MAIL", "MAIL FROM:<a@client.test>"), ("RCPT", "RCPT TO:<b@inner.test>"), ("DATA", "DATA"))
    if pipelined:
        c.send("".join(line + "\r\n" for _, line in steps))
    for verb, line in steps:
        found[verb] = c.reply() if pipelined else c.command(line)
        if not pipelined and found[verb][0] // 100 not in (2, 3):
            return found
    if found["DATA"][0] == 354:
        c.send(stuffed(octets))
        found["TEXT"] = c.reply()
    return found


def dies_or_stalls():
    """The server dies or stalls at every command and at the dot: an honest 4xx, and the session goes on"""
    for verb in ("MAIL", "RCPT", "DATA", "TEXT"):
        for what in (drop, stall):
            for pipelined in (False, True):
                script = {verb: lambda s, line, what=what: what(s, line) if s.tx.sender != "" and "<>" not in line else None}
                with Proxied(script=script, times=LEAST if what is stall else 60) as p, p.talk() as c:
                    found = converse(c, pipelined)
                    code, text = found[verb]
                    equal(code, 451, "%s at %s: %s" % (what.__name__, verb, found))
                    check("4.4.2" in text, "another reason: %s" % text)
                    equal(len(p.fake.transactions) - (verb == "TEXT" and what is stall), 0 if what is drop else -(verb == "TEXT"), "taken")
                    p.fake.script = {}
                    c.command("RSET", 250)
                    equal(converse(c)["TEXT"][0], 250, "the next message of the session")


def dies_in_pass():
    """In pass the end of the server's session is the end of the client's"""
    for verb in ("MAIL", "RCPT", "DATA", "TEXT"):
        with Proxied("pass", script={verb: for_clients("421 4.3.2 going away")}) as p, p.talk() as c:
            found = converse(c)
            equal(found[verb][0], 421, "at %s: %s" % (verb, found))
            check(c.closed(), "the session goes on after 421")
    for said, want in (("421 4.3.2 going away", 421), ("354 go on", 451)):
        with Proxied("pass", script={"EHLO": lambda s, line, said=said: said if "client.test" in line else None}) as p, \
                Client(p.port) as c:
            equal(c.reply()[0], 220, "greeting")
            equal(c.command("EHLO client.test")[0], want, "EHLO, answered by " + said)
            with Client(p.port) as other:
                equal(other.reply()[0], 220, "greeting of the next one")


def nobody_there():
    """No server at all: 451 to MAIL in inspect, 421 instead of a greeting in pass; it comes back by itself"""
    fake = FakeServer()
    fake.stop()
    with Proxied(fakes=[fake]) as p, p.talk() as c:
        code, text = c.command("MAIL FROM:<a@client.test>")
        equal((code, "4.4.1" in text), (451, True), "answer to MAIL: " + text)
        back = FakeServer(port=fake.port).start()
        equal(converse(c)["TEXT"][0], 250, "with the server back")
        back.stop()
    with Proxied("pass", fakes=[fake]) as p, Client(p.port) as c:
        equal(c.reply()[0], 421, "greeting without a server")


def speaks_before_the_dot():
    """A server that refuses in the middle of the text, or closes: its answer, and no 250"""
    for ending in (b"552 5.3.4 enough\r\n", b""):
        def cut(session, line, ending=ending):
            if session.tx.sender == "":
                return None
            session.say("354 go on")
            while len(session.data) < 100000:
                session.fill()
            session.sock.sendall(ending)
            time.sleep(0.2)
            return "close"
        with Proxied(script={"DATA": cut}) as p, p.talk() as c:
            found = converse(c, octets=message("big", ["x" * 70] * 20000))
            equal(found["TEXT"][0], 552 if ending else 451, "answer: %s" % (found,))


def refused_here_never_arrives():
    """What the proxy refuses never becomes whole at the server: bare line ends, size, hops, a client that goes"""
    with Proxied(extra='limits { message-size = "20KB"  header-size = "16KB" }\n') as p:
        for octets, want in ((b"Subject: x\r\n\r\nbare\nline\r\n.\r\n", 554), (b"Subject: x\r\n\r\n\n.\nMAIL FROM:<>\r\n.\r\n", 554),
                             (b"Subject: x\r\n\r\n" + b"0123456789012345678\r\n" * 2000 + b".\r\n", 552),
                             (b"Received: x\r\n" * 200 + b"\r\nx\r\n.\r\n", 554)):
            with p.talk() as c:
                equal(c.mail("a@client.test", "b@inner.test", octets)[0], want, "answer to %r" % octets[:40])
                equal(converse(c)["TEXT"][0], 250, "the next message")
        with p.talk() as c:
            for line in ("MAIL FROM:<a@client.test>", "RCPT TO:<b@inner.test>", "DATA"):
                c.command(line)
            c.send(b"Subject: x\r\n\r\nhalf a message\r\n")
        time.sleep(0.5)
        equal(len(p.fake.transactions), 4, "messages at the server")


def smuggling():
    """Wrong ends of data in every form stay inside one message or are refused"""
    for end in (b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\r\n\0.\r\n"):
        for mode in ("inspect", "pass"):
            with Proxied(mode) as p, p.talk() as c:
                text = b"Subject: x\r\n\r\none" + end + b"MAIL FROM:<evil@x.test>\r\nRCPT TO:<e@x.test>\r\nDATA\r\n\r\nx\r\n.\r\n"
                code = c.mail("a@client.test", "b@inner.test", text)[0]
                equal(code, 554, "answer to %r in %s" % (end, mode))
                equal([t.sender for t in p.fake.transactions], [], "arrived")
                check(not any("evil" in x for x in p.fake.commands), "a command came out of the text")


def one_connection():
    """Many sessions and transactions use one connection, which is replaced when the server closes it"""
    with Proxied() as p:
        for _ in range(10):
            with p.talk() as c:
                equal(converse(c)["TEXT"][0], 250, "answer")
                equal(converse(c, True)["TEXT"][0], 250, "answer")
                c.command("QUIT", 221)
                check(c.closed(), "the session goes on after QUIT")       # its connection is free before that
        used = sum(1 for s in p.fake.sessions if b"MAIL FROM:<a@" in s)
        check(used <= 2, "%d connections for 20 messages (one for each loop)" % used)
    fresh = lambda s, line: "421 4.4.2 idle for too long" if s.received.count(b"MAIL FROM:<a") == 2 else None   # noqa: E731
    with Proxied(script={"MAIL": fresh}) as p, p.talk() as c:
        for _ in range(4):
            equal(converse(c)["TEXT"][0], 250, "a message on a connection that the server ends")
            equal(converse(c, True)["TEXT"][0], 250, "the same in a group")


def no_recipient_left():
    """All recipients refused in a group with DATA: no text is sent, the session goes on"""
    for data in (None, "354 go on anyway"):
        script = {"RCPT": for_clients("550 5.1.1 unknown")}
        if data:
            script["DATA"] = data
        with Proxied(script=script) as p, p.talk() as c:
            found = converse(c, True)
            equal((found["RCPT"][0], found["DATA"][0] // 100), (550, 5), "answers: %s" % found)
            c.command("RSET", 250)
            p.fake.script = {}
            equal(converse(c)["TEXT"][0], 250, "the next message")


def fails_over():
    """The second server takes over when the first fails, and the first comes back"""
    first, second = FakeServer(), FakeServer()
    with Proxied(fakes=[first, second], upstream='check-time = "200ms"  idle-time = "100ms"') as p:
        with p.talk() as c:
            equal(converse(c)["TEXT"][0], 250, "answer")
        equal((len(first.transactions), len(second.transactions)), (1, 0), "by the first")
        first.stop()
        wait_until(lambda: not first.live, 60, "the idle connection to be closed")
        with p.talk() as c:
            equal(converse(c)["TEXT"][0], 250, "answer")
        equal(len(second.transactions), 1, "by the second")
        again = FakeServer(port=first.port).start()
        p.server.wait_log("upstream_up", 20)
        with p.talk() as c:
            equal(converse(c)["TEXT"][0], 250, "answer")
        equal(len(again.transactions), 1, "by the first again")
        again.stop()


def shares_by_domain():
    """Recipients of another upstream are told to come next (452), or the message is stored and forwarded"""
    for split in ("defer", "store"):
        one, two = FakeServer().start(), FakeServer().start()
        port = free_port()
        text = confs.HEAD.format(host="edge.example.test") + (
            'listener edge { address = "127.0.0.1:%d"  proxy = {"one", "two"}  split = "%s" }\n'
            'upstream one { via = "127.0.0.1:%d"  domains = {"one.test", ".one.test"} }\n'
            'upstream two { via = "127.0.0.1:%d"  domains = {"two.test"} }\n' % (port, split, one.port, two.port))
        with Postrider(text, [port]), Client(port) as c:
            c.hello()
            c.command("MAIL FROM:<a@client.test>", 250)
            equal(c.command("RCPT TO:<x@three.test>")[0], 550, "nobody's domain")
            c.command("RCPT TO:<x@sub.one.test>", 250)
            code, words = c.command("RCPT TO:<y@two.test>")
            equal((code, words[:5]), (452, "4.5.3") if split == "defer" else (250, words[:5]), "the other one")
            c.command("DATA", 354)
            c.send(stuffed(message("split")))
            equal(c.reply()[0], 250, "the end")
            equal(one.wait(1)[0].rcpts, ["x@sub.one.test"], "at one")
            if split == "store":
                equal(two.wait(1)[0].rcpts, ["y@two.test"], "at two")
            c.command("MAIL FROM:<a@client.test>", 250)
            c.command("RCPT TO:<y@two.test>", 250)
            c.command("DATA", 354)
            c.send(stuffed(message("next")))
            equal(c.reply()[0], 250, "the next one")
            two.wait(1 if split == "defer" else 2)
        one.stop()
        two.stop()


def connections_are_limited():
    """As many connections as the key says, and one more is told to come later"""
    with Proxied(upstream="connections = 2  idle-time = \"0\"") as p:
        p.server.wait_log("upstream_relays")
        wait_until(lambda: not p.fake.live, 60, "the end of the first look at the server")

        def taken(c):
            return c.command("MAIL FROM:<a@client.test>")[0] == 250
        with p.talk() as one, p.talk() as two, p.talk() as three:
            wait_until(lambda: taken(one), 60, "the first")
            wait_until(lambda: taken(two), 60, "the second")
            code, words = three.command("MAIL FROM:<a@client.test>")
            equal((code, words[:5]), (451, "4.3.2"), "the third")
            one.command("QUIT", 221)
            wait_until(lambda: taken(three), 60, "the third after the first has gone")


def lmtp_behind():
    """An LMTP server gets one recipient a transaction, and EHLO says so"""
    fake = FakeServer(lmtp=True)
    port = free_port()
    text = confs.HEAD.format(host="edge.example.test") + (
        'listener edge { address = "127.0.0.1:%d"  proxy = "lmtp://127.0.0.1:%d" }\n' % (port, fake.port))
    with fake, Postrider(text, [port]), Client(port) as c:
        check(any("RCPTMAX=1" in x.split() for x in c.hello()), "RCPTMAX=1 is not said")
        c.send("MAIL FROM:<a@client.test>\r\nRCPT TO:<b@inner.test>\r\nRCPT TO:<c@inner.test>\r\nDATA\r\n")
        equal([c.reply()[0] for _ in range(4)], [250, 250, 452, 354], "answers")
        c.send(stuffed(message("l")))
        equal(c.reply()[0], 250, "one answer")
        equal(fake.wait(1)[0].rcpts, ["b@inner.test"], "recipients")


def stores():
    """proxy-mode = "store": taken while the server is away, and forwarded when it is back"""
    fake = FakeServer()
    fake.stop()
    with Proxied("store", fakes=[fake], extra='queue { delays = {"1s"} }\n') as p, p.talk() as c:
        octets = message("kept")
        equal(c.mail("a@client.test", "b@inner.test", stuffed(octets))[0], 250, "taken")
        back = FakeServer(port=fake.port).start()
        check(back.wait(1, 30)[0].data.endswith(octets), "another text")
        back.stop()


def tells_who():
    """XCLIENT, XFORWARD and PROXY headers of both versions say who the client is"""
    with Proxied(upstream="xclient = true", offers=FULL + ("XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT",),
                 script={"XCLIENT": "220 once more"}) as p, p.talk() as c:
        equal(converse(c)["TEXT"][0], 250, "answer")
        line = [x for x in p.fake.commands if x.startswith("XCLIENT")][-1]
        check(" ADDR=127.0.0.1 " in line and " HELO=client.test " in line and "DESTPORT=%d" % p.port in line, line)
        check(not p.fake.wait(1)[0].data.startswith(b"Received"), "a Received field though the server knows")
    with Proxied(upstream="xforward = true", offers=FULL + ("XFORWARD NAME ADDR PROTO HELO SOURCE",),
                 script={"XFORWARD": "250 ok"}) as p, p.talk() as c:
        equal(converse(c)["TEXT"][0], 250, "answer")
        check(any(x.startswith("XFORWARD") and "ADDR=127.0.0.1" in x for x in p.fake.commands), str(p.fake.commands))
    for version, want in (("v1", b"PROXY TCP4 127.0.0.1 127.0.0.1 "), ("v2", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c")):
        inner = free_port()
        text = confs.HEAD.format(host="edge.example.test") + (
            'listener edge { address = "127.0.0.1:%d"  proxy = "in" }\nupstream in { via = "127.0.0.1:%d"  proxy-protocol = "%s" }\n'
            % (free := free_port(), inner, version))
        seen = Listener(inner)
        with seen, Postrider(text, [free]), Client(free) as c:
            c.hello()
            c.send("MAIL FROM:<a@client.test>\r\n")
            wait_until(lambda: any(s.startswith(want) for s in seen.heard), 10, "a header of " + version)


class Listener:
    """Hears the first octets of each connection and greets."""

    def __init__(self, port):
        self.heard = []
        self.sock = socket.create_server(("127.0.0.1", port))

    def run(self):
        import threading

        def one(s):
            with s, contextlib.suppress(ConnectionError):       # of a server that stops
                self.heard.append(s.recv(200))
                s.sendall(b"220 hello\r\n")
                s.recv(200)

        def accept():
            try:
                while True:
                    threading.Thread(target=one, args=(self.sock.accept()[0],), daemon=True).start()
            except OSError:
                pass
        threading.Thread(target=accept, daemon=True).start()

    def __enter__(self):
        self.run()
        return self

    def __exit__(self, *_):
        self.sock.close()


def tls_on_both_sides():
    """TLS with the client, with the server, with both, independently"""
    folder = Folder()
    cert = certificate(folder, "mx.example.test")
    for tls in ("none", "require"):
        with Proxied(upstream='tls = "%s"' % tls, offers=FULL + ("STARTTLS",), certificate=cert) as p:
            for client_tls in (False, True):
                with p.talk() as c:
                    if client_tls:
                        c.command("STARTTLS", 220)
                        c.start_tls()
                        c.ehlo()
                    equal(converse(c)["TEXT"][0], 250, "answer")
                equal(p.fake.transactions[-1].tls, tls == "require", "TLS to the server")
    with Proxied(upstream='tls = "verify"', offers=FULL + ("STARTTLS",), certificate=cert) as p, p.talk() as c:
        equal(c.command("MAIL FROM:<a@client.test>")[0], 451, "a certificate that is not valid")
    folder.remove()


def auth_passes():
    """AUTH is the server's: initial response, challenge, refusal; nothing of it in the log"""
    secret = base64.b64encode(b"\0user\0geheim").decode()

    def auth(session, line):
        words = line.split()
        if len(words) < 3:
            session.say("334 ")
            while b"\r\n" not in session.data:
                session.fill()
            raw, session.data = session.data.split(b"\r\n", 1)
            words.append(raw.decode())
        return "235 2.7.0 welcome" if words[2] == secret else "535 5.7.8 no"
    for mode in ("inspect", "pass"):
        with Proxied(mode, offers=FULL + ("AUTH PLAIN LOGIN SCRAM-SHA-256-PLUS",), script={"AUTH": auth}) as p, \
                Client(p.port) as c:
            check("AUTH PLAIN LOGIN" in c.hello(), "AUTH is not offered")
            equal(c.command("AUTH PLAIN " + base64.b64encode(b"\0user\0falsch").decode())[0], 535, "a wrong password")
            c.command("AUTH PLAIN", 334)
            equal(c.command(secret)[0], 235, "the right one")
            equal(converse(c)["TEXT"][0], 250, "answer")
            check(secret not in p.server.log(), "the password is in the log")


def watched():
    """watch and capture show events and whole sessions as they happen, chosen by words, secrets masked"""
    secret = base64.b64encode(b"\0user\0geheim").decode()
    with Proxied(offers=FULL + ("AUTH PLAIN",), script={"AUTH": "235 2.7.0 welcome"}) as p:
        seen = {name: Process([POSTRIDER, *args, "-c", p.server.conf], p.server.folder.file("seen-" + name)).start()
                for name, args in (("all", ("watch",)), ("one", ("watch", "proxied", "from=a@client.test")),
                                   ("none", ("watch", "from=other@client.test")), ("capture", ("capture", "listener=edge")),
                                   ("json", ("capture", "--json")))}
        wait_until(lambda: p.server.log().count("control uid=") >= len(seen), 10, "five who watch")
        with p.talk() as c:
            c.command("AUTH PLAIN " + secret, 235)
            equal(converse(c, octets=message("x", ["seen by many"]))["TEXT"][0], 250, "answer")
            c.command("QUIT", 221)
        for name, last in (("one", "from=a@client.test"), ("capture", " S 221 "), ("json", '"221 ')):
            wait_until(lambda: last in seen[name].output(), 10, "%s as the end of %s" % (last, name))
        texts = {name: x.output(1 << 20) for name, x in seen.items()}
        for x in seen.values():
            x.stop(signal.SIGTERM)
        equal(texts["one"].count("\n"), 1, "lines of the narrow watch: " + texts["one"])
        equal(texts["none"], "", "lines of the watch for somebody else")
        for part in (" C EHLO client.test", " > MAIL FROM:<a@client.test>", " < 354 go on", " C seen by many", " S 250 2.0.0 taken"):
            check(part in texts["capture"], "%r is not in the transcript: %s" % (part, texts["capture"]))
        check(all(secret not in t for t in texts.values()), "the password is in a transcript")
        rows = [json.loads(row) for row in texts["json"].splitlines()]
        check(any(row.get("who") == "C" and row["text"] == "seen by many" for row in rows), "no such line in JSON")


RULES = """
rule seen  { if = "sender is a@client.test" then = "add header X-Seen: here" }
rule old   { if = "header Subject contains old" then = {"change header Subject: new", "remove header X-Gone"} }
rule mine  { if = "header Subject contains body" then = "replace body ..hidden" }
rule from  { if = "header Subject contains sender" then = {"set sender other@client.test", "add recipient more@inner.test"} }
rule less  { if = "header Subject contains less" then = "remove recipient c@inner.test" }
rule no    { if = "header Subject contains refused and size > 10" at = "end" then = "refuse 554 5.7.9 not this one" }
rule away  { if = "header Subject contains away" at = "end" then = "discard" }
rule jail  { if = "header Subject contains jail" at = "end" then = "quarantine because" }
"""


def held_text(subject, size=100):
    return (b"From: a@client.test\r\nSubject: %s\r\nX-Gone: yes\r\n\r\n" % subject.encode() +
            b"..line of text\r\n" * (size // 16) + b"end\r\n")


def rules_change_mail():
    """Messages that rules may change are held, edited and sent on: header, body, sender, recipients"""
    with Proxied(extra=RULES, offers=FULL) as p, p.talk() as c:
        def send(subject, size=100, by="DATA", text=None):
            octets = text or held_text(subject, size)
            before = len(p.fake.wait(0))
            if by == "DATA":
                got = c.mail("a@client.test", ["b@inner.test", "c@inner.test"], stuffed(octets))
            else:
                c.command("MAIL FROM:<a@client.test>" + (" BODY=BINARYMIME" if by == "BINARYMIME" else ""), 250)
                c.command("RCPT TO:<b@inner.test>", 250)
                for at in range(0, len(octets), 70000):
                    part = octets[at:at + 70000]
                    c.send(b"BDAT %d%s\r\n" % (len(part), b" LAST" if at + 70000 >= len(octets) else b"") + part)
                    got = c.reply()
            equal(got[0], 250, "answer to " + subject)
            return octets, p.fake.wait(before + 1)[before]

        for size in (100, 20000, 1000000):
            for by in ("DATA", "BDAT", "BINARYMIME"):
                octets, t = send("plain", size, by)
                head, rest = t.data.split(b"\r\n\r\n", 1)
                check(b"X-Seen: here" in head and b"Received: from client.test" in head, "the header: %r" % head)
                equal(rest == octets.split(b"\r\n\r\n", 1)[1], True, "the body of %d octets by %s" % (size, by))
                equal(t.by, "BDAT" if by == "BINARYMIME" else "DATA", "the way it came")
        for size in (100, 1000000):
            _, t = send("old", size)
            check(b"Subject: new\r\n" in t.data and b"X-Gone" not in t.data, "the header was not changed: %r" % t.data[:400])
            _, t = send("body", size)
            equal(t.data.split(b"\r\n\r\n", 1)[1], b"..hidden\r\n", "the new body")
        _, t = send("sender")
        equal((t.sender, t.rcpts), ("other@client.test", ["b@inner.test", "c@inner.test", "more@inner.test"]), "the envelope")
        _, t = send("less")
        equal(t.rcpts, ["b@inner.test"], "recipients that are left")


STREAMS = """
rule who  { if = "sender is bad@client.test" then = "refuse" }
rule no   { if = "header Subject contains refused" then = "refuse 554 5.7.9 not this one" }
"""


def streams_what_no_rule_changes():
    """Rules that only refuse hold nothing back: the server behind has the text before the client's last octet"""
    for extra, held in ((STREAMS, False), (STREAMS + 'rule seen { if = "size > 1" then = "add header X-Seen: here" }\n', True)):
        with Proxied(extra=extra, offers=FULL) as p, p.talk() as c:
            c.command("MAIL FROM:<a@client.test>", 250)
            c.command("RCPT TO:<b@inner.test>", 250)
            c.command("DATA", 354)
            c.send(held_text("fine", 200000))
            if not held:
                wait_until(lambda: "DATA" in p.fake.commands, 60, "DATA at the server behind")
            c.send(b"more\r\n")
            equal(held and "DATA" in p.fake.commands, False, "the server behind has heard DATA of what may change")
            c.send(b".\r\n")
            equal(c.reply()[0], 250, "the answer")
            equal((b"X-Seen: here" in p.fake.wait(1)[0].data), held, "the field of the rule")


def rules_stop_mail():
    """A refusal at the end, a discard and a quarantine never complete at the server, and the session goes on"""
    for listener, jailed in (("", 550), ('split = "store"', 250)):
        with Proxied(extra=RULES, listener=listener, offers=FULL) as p, p.talk() as c:
            for subject, want in (("refused", 554), ("away", 250), ("jail", jailed), ("fine", 250)):
                for size in (100, 1000000):
                    got = c.mail("a@client.test", ["b@inner.test"], stuffed(held_text(subject, size)))
                    equal(got[0], want, "%s: %r" % (subject, got))
            equal([b"Subject: fine" in t.data for t in p.fake.wait(2)], [True, True], "what arrived")
            equal(p.server.status()["queued"], 2 if listener else 0, "what is kept here")


def held_and_the_server():
    """What the server says of a held message, or does to it, is the client's answer"""
    for verb in ("DATA", "TEXT"):
        for reply in ("450 4.7.1 later, says the server", "550 5.7.1 never, says the server", drop, stall):
            script = {verb: for_clients(reply) if isinstance(reply, str) else
                      lambda s, line, act=reply: act(s, line) if s.tx.sender != "" and "<>" not in line else None}
            with Proxied(extra=RULES, script=script, times=LEAST if reply is stall else 60) as p, p.talk() as c:
                for size in (100, 600000):
                    got = c.mail("a@client.test", ["b@inner.test"], stuffed(held_text("x", size)))
                    equal(got[0], int(reply[:3]) if isinstance(reply, str) else 451, "%s %s: %r" % (verb, reply, got))
    with Proxied(extra=RULES, script={"RCPT": lambda s, line: "550 5.1.1 no more" if "more@" in line else None}) as p, \
            p.talk() as c:
        equal(c.mail("a@client.test", ["b@inner.test"], stuffed(held_text("sender")))[0], 550, "a recipient that a rule added")
        equal(c.mail("a@client.test", ["b@inner.test"], stuffed(held_text("x")))[0], 250, "the next message")


def strangers_are_checked():
    """SPF, DKIM and DMARC of strangers are judged before the server hears the end, and told in the header"""
    zone = {"good.test": {"TXT": ["v=spf1 ip4:127.0.0.1 -all"]}, "bad.test": {"TXT": ["v=spf1 -all"]},
            "_dmarc.bad.test": {"TXT": ["v=DMARC1; p=reject"]}}
    with DnsServer(zone) as dns:
        extra = 'limit-exempt = {}\ndns { servers = {"127.0.0.1:%d"} }\n' % dns.port
        with Proxied(extra=extra, offers=FULL) as p, p.talk() as c:
            for name, want in (("good", 250), ("bad", 550)):
                text = b"From: a@%s.test\r\nDate: Mon, 02 Jan 2023 10:00:00 +0000\r\nMessage-ID: <1@x.test>\r\n" \
                       b"Subject: x\r\n\r\ntext\r\n" % name.encode()
                got = c.mail("a@%s.test" % name, ["b@inner.test"], stuffed(text))
                equal(got[0], want, "%s: %r" % (name, got))
            arrived = p.fake.wait(1)
            equal(len(arrived), 1, "messages that arrived")
            check(b"Authentication-Results: edge.example.test" in arrived[0].data and b"spf=pass" in arrived[0].data,
                  "what was found is not in the header: %r" % arrived[0].data)


def postfix_behind():
    """Postfix as the server behind: mail arrives, its refusals and its XCLIENT work, relaying turns status red"""
    port, edge, told = free_port(), free_port(), free_port()
    with Postfix(port, {"smtpd_authorized_xclient_hosts": "127.0.0.0/8", "mynetworks": "127.0.0.0/8",
                        "virtual_mailbox_domains": "postfix.test", "virtual_transport": "discard:",
                        "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination"}) as postfix:
        text = confs.HEAD.format(host="edge.example.test") + (
            'listener edge { address = "127.0.0.1:%d"  proxy = "127.0.0.1:%d" }\n'
            'listener told { address = "127.0.0.1:%d"  proxy = "in"  xclient-from = {"127.0.0.1"} }\n'
            'upstream in { via = "127.0.0.1:%d"  xclient = true }\n' % (edge, port, told, port))
        with Postrider(text, [edge, told]) as server:
            with Client(edge) as c:
                c.hello()
                for pipelined in (False, True):
                    found = converse(c, pipelined)
                    equal(found["TEXT"][0], 250, "answers: %s" % found)
            with Client(told) as c:
                c.hello()
                c.command("XCLIENT ADDR=192.0.2.7 NAME=out.example.net", 220)
                c.ehlo("out.example.net")
                c.command("MAIL FROM:<a@client.test>", 250)
                code, words = c.command("RCPT TO:<x@elsewhere.test>")
                equal((code, "Relay access denied" in words), (554, True), "relaying for a stranger: " + words)
                c.command("RCPT TO:<b@postfix.test>", 250)
                c.command("DATA", 354)
                c.send(stuffed(message("x")))
                equal(c.reply()[0], 250, "its own mail")
            wait_until(lambda: server.status()["health"] == "red", 10, "status to turn red")
            rows = {row["upstream"]: row for row in server.status()["upstreams"]}
            equal((rows["edge servers"]["relays"], rows["in"]["relays"]), (True, False), "who relays")
            check("client=out.example.net[192.0.2.7]" in open(postfix.log_path).read(), "Postfix knows the client")


if __name__ == "__main__":
    main("proxy", passes_everything, answers_in_order, offers_what_both_can, binary, refusals_are_its_own, dies_or_stalls, dies_in_pass,
         nobody_there, speaks_before_the_dot, refused_here_never_arrives, smuggling, one_connection, no_recipient_left,
         fails_over, shares_by_domain, connections_are_limited, lmtp_behind, stores, tells_who, tls_on_both_sides, auth_passes, watched,
         rules_change_mail, streams_what_no_rule_changes, rules_stop_mail, held_and_the_server, strangers_are_checked, postfix_behind)
