"""Milters: programs on libmilter that hear and change everything, OpenDKIM that signs and verifies, rspamd, clamav-milter;
and filters that die, stall or talk nonsense. What arrives at the next server is compared octet by octet."""
import json
import os
import re
import socket
import struct
import threading
import time

from common import main
import confs
from harness import LOAD, Failure, Folder, Process, check, equal, free_port, need, run, wait_port, wait_until
from mailtext import stuffed
from postrider import Postrider
from smtp import Client, FakeServer

PYTHON = "/usr/bin/python3"
PROGRAM = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib", "milter_filter.py")
MESSAGE = b"From: a@client.test\r\nTo: b@elsewhere.test\r\nSubject: one\r\n  folded\r\nX-Twice: 1\r\nX-Twice: 2\r\n\r\nline\r\n.dot\r\n"
BODY = MESSAGE.split(b"\r\n\r\n", 1)[1]


class Filter:
    """A program on libmilter that does what its spec says; inet or unix."""

    def __init__(self, unix=False, **spec):
        self.folder = Folder()
        self.port = 0 if unix else free_port()
        self.address = "unix:" + self.folder.file("socket") if unix else "inet:127.0.0.1:%d" % self.port
        self.log = self.folder.file("log", "", 0o666)
        self.set(**spec)
        self.process = Process([PYTHON, PROGRAM, self.address if unix else "inet:%d@127.0.0.1" % self.port,
                                self.folder.file("spec"), self.log], self.folder.file("out"))

    def set(self, **spec):
        self.folder.file("spec.new", json.dumps(spec))
        os.rename(self.folder.file("spec.new"), self.folder.file("spec"))

    def heard(self, what=None):
        with open(self.log, encoding="utf-8") as f:
            rows = [json.loads(row) for row in f]
        return [r for r in rows if what is None or r["what"] == what]

    def forget(self):
        with open(self.log, "w", encoding="utf-8"):
            pass

    def __enter__(self):
        self.process.start()
        path = self.address[5:]
        wait_until(lambda: os.path.exists(path) if not self.port else self.open(), 20, "the filter to listen")
        return self

    def open(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def __exit__(self, *_):
        self.process.stop(9)
        self.folder.remove()


class World:
    """A relaying server with filters, and the next server."""

    def __init__(self, filters, extra="", sections="", **fake):
        self.next = FakeServer(offers=("PIPELINING", "SIZE 52428800", "8BITMIME", "DSN", "ENHANCEDSTATUSCODES"), **fake)
        self.port = free_port()
        self.filters = [f for f in filters if isinstance(f, Filter)]
        listed = ", ".join('"%s"' % (f if isinstance(f, str) else f.address) for f in filters)
        text = confs.HEAD.format(host="relay.example.test") + (
            'listener mx { address = "127.0.0.1:%d" }\nrelay-from = {"127.0.0.0/8"}\nqueue { delays = {"1s"} }\n'
            'route "*" { via = "smtp://127.0.0.1:%d" }\nmilters = {%s}\n%s%s' %
            (self.port, self.next.port, listed, sections, extra))
        self.server = Postrider(text, [self.port])

    def __enter__(self):
        self.next.start()
        self.server.__enter__()
        for f in self.filters:          # the look whether the port is open was a session, too
            wait_until(lambda: f.heard("close"), 10, "the end of the first session")
            f.forget()
        return self

    def __exit__(self, *args):
        self.server.__exit__(*args)
        self.next.stop()

    def send(self, text=MESSAGE, rcpts=("b@elsewhere.test",), sender="a@client.test", params="", want=250):
        with Client(self.port) as c:
            c.hello()
            answer = c.mail(sender, list(rcpts), stuffed(text), params)
            equal(answer[0], want, "the answer to the message")
            return answer[1]

    def arrived(self, count=1):
        """The last message without the trace on its top: (transaction, octets)."""
        t = self.next.wait(count)[count - 1]
        m = re.match(rb"Received: [^\r]*\r\n(?:[ \t][^\r]*\r\n)*", t.data)
        check(m, "no Received field on top of %r" % t.data[:200])
        return t, t.data[m.end():]


def callbacks():
    """a filter hears every callback, with its macros"""
    with Filter(symbols=["j", "i", "v", "_", "{daemon_name}", "{client_addr}", "{client_name}", "{client_port}", "{mail_addr}",
                         "{rcpt_addr}", "{rcpt_host}", "{mail_host}"]) as f, World([f]) as w:
        with Client(w.port) as c:
            c.hello("me.client.test")
            c.command("XYZZY one", 500)
            c.mail("a@client.test", ["b@elsewhere.test", "c@elsewhere.test"], stuffed(MESSAGE), " SIZE=100")
            c.command("MAIL FROM:<>", 250)
            c.command("RSET", 250)
            c.command("QUIT", 221)
        wait_until(lambda: f.heard("close"), 10, "the end of the session")
        rows = [r for r in f.heard() if r["what"] != "negotiate"]
        equal([r["what"] for r in rows], ["connect", "helo", "unknown", "mail", "rcpt", "rcpt", "data"] + ["header"] * 5 +
              ["eoh", "eom", "mail", "abort", "close"], "callbacks")
        by = {r["what"]: r for r in reversed(rows)}
        equal(by["connect"]["args"][0], "[127.0.0.1]", "name in connect")
        equal(by["helo"]["args"], ["me.client.test"], "helo")
        equal(by["unknown"]["args"], ["XYZZY one"], "unknown command")
        equal(by["mail"]["args"], ["<a@client.test>", "SIZE=100"], "mail")
        equal([r["args"] for r in rows if r["what"] == "header"],
              [["From", "a@client.test"], ["To", "b@elsewhere.test"], ["Subject", "one\n  folded"], ["X-Twice", "1"],
               ["X-Twice", "2"]], "fields")
        equal(by["eom"]["args"], [[len(BODY)]], "pieces of the body")
        m = by["connect"]["macros"]
        equal((m["j"], m["{daemon_name}"], m["{client_addr}"], m["{client_name}"]),
              ("relay.example.test", "mx", "127.0.0.1", "[127.0.0.1]"), "macros of connect")
        check(m["v"].startswith("postrider"), "macro v")
        equal(by["mail"]["macros"]["{mail_addr}"], "a@client.test", "mail_addr")
        equal(by["mail"]["macros"]["{mail_host}"], "client.test", "mail_host")
        equal(rows[5]["macros"]["{rcpt_addr}"], "c@elsewhere.test", "rcpt_addr")
        id_ = by["eom"]["macros"]["i"]
        check(id_ and re.fullmatch(r"[0-9a-z]{13}", id_), "macro i: %r" % id_)
        w.server.wait_log(id_)


def every_change():
    """every change of the protocol, compared octet by octet with what arrives"""
    eom = [["addheader", "X-Added", "one\n two"], ["addheader", "X-Top", "t", 1], ["addheader", "X-Second", "s", 2],
           ["chgheader", "Subject", 1, "two"], ["chgheader", "X-Twice", 1, ""], ["chgheader", "X-Twice", 2, "zwei"],
           ["chgheader", "X-New", 1, "n"], ["chgfrom", "<new@client.test>", "RET=HDRS ENVID=abc"], ["addrcpt", "<d@elsewhere.test>"],
           ["addrcpt", "<e@elsewhere.test>", "NOTIFY=NEVER"], ["delrcpt", "<b@elsewhere.test>"],
           ["replacebody", "new\nbody\r\n"], ["replacebody", ".dot\r\nlast"]]
    for unix in (False, True):
        with Filter(unix, eom=eom, progress=2) as f, World([f], extra="", sections="") as w:
            w.send(rcpts=["b@elsewhere.test", "c@elsewhere.test"])
            t, octets = w.arrived()
            equal(octets, b"X-Top: t\r\nX-Second: s\r\nFrom: a@client.test\r\nTo: b@elsewhere.test\r\nSubject: two\r\nX-Twice: zwei\r\n"
                  b"X-Added: one\r\n two\r\nX-New: n\r\n\r\nnew\r\nbody\r\n.dot\r\nlast\r\n", "what arrived")
            equal(sorted(t.rcpts), ["c@elsewhere.test", "d@elsewhere.test", "e@elsewhere.test"], "recipients")
            equal(t.sender, "new@client.test", "sender")
            check("RET=HDRS" in t.mail and "ENVID=abc" in t.mail, "parameters of the sender: %s" % t.mail)
            check(any("e@elsewhere.test> NOTIFY=NEVER" in line for line in t.rcpt_lines), "NOTIFY: %s" % t.rcpt_lines)


def untouched():
    """a message that no filter changes arrives as it was, whatever its size and content"""
    with Filter() as f, World([f]) as w:
        for n, text in enumerate([MESSAGE, b"Subject:  x\r\n\r\n", b"A:b\r\nC :d\r\n\r\n" + b"x" * 900 + b"\r\n",
                                  b"S: big\r\n\r\n" + b"0123456789abcdef" * 4 * b"\r\n".__len__() + b"\r\n",
                                  b"S: big\r\n\r\n" + (b"y" * 76 + b"\r\n") * 8000]):
            w.send(text)
            equal(w.arrived(n + 1)[1], text, "message %d" % n)
        pieces = f.heard("eom")[-1]["args"][0]
        equal((pieces[:-1], sum(pieces)), ([65535] * (len(pieces) - 1), 78 * 8000), "pieces of a large body")


def two_in_order():
    """the second filter sees the message as the first one made it"""
    one = dict(eom=[["addheader", "X-One", "1"], ["addheader", "X-First", "1", 1], ["replacebody", "from one\r\n"],
                    ["chgheader", "X-Twice", 2, ""]])
    with Filter(**one) as a, Filter(unix=True, eom=[["chgheader", "X-One", 1, "2"], ["chgheader", "X-Twice", 2, "new"]]) as b, \
            World([a, b]) as w:
        w.send()
        equal([r["args"] for r in b.heard("header")],
              [["X-First", "1"], ["From", "a@client.test"], ["To", "b@elsewhere.test"], ["Subject", "one\n  folded"],
               ["X-Twice", "1"], ["X-One", "1"]], "what the second one saw")
        equal(b.heard("eom")[0]["args"], [[10]], "its body")
        equal(w.arrived()[1], b"X-First: 1\r\nFrom: a@client.test\r\nTo: b@elsewhere.test\r\nSubject: one\r\n  folded\r\nX-Twice: 1\r\n"
              b"X-One: 2\r\nX-Twice: new\r\n\r\nfrom one\r\n", "what arrived")


def answers():
    """refused, put off, discarded, quarantined at every stage, with replies of the filter's own"""
    with Filter() as f, World([f]) as w:
        no = ["550", "5.7.1", "No such luck", "second line 100%%"]
        rows = [("mail", no, 550, "MAIL"), ("mail", "TEMPFAIL", 451, "MAIL"), ("rcpt:<b@elsewhere.test>", ["452", "4.2.2", "Full"], 452, "RCPT"),
                ("data", "REJECT", 550, "DATA"), ("header:Subject", no, 550, "TEXT"), ("eoh", "TEMPFAIL", 451, "TEXT"),
                ("body", no, 550, "TEXT"), ("eom", "REJECT", 550, "TEXT"), ("eom", ["421", "4.7.0", "Go"], 421, "TEXT")]
        for stage, told, code, where in rows:
            f.set(answers={stage: told})
            with Client(w.port) as c:
                c.hello()
                steps = [("MAIL", "MAIL FROM:<a@client.test>", 250), ("RCPT", "RCPT TO:<b@elsewhere.test>", 250), ("DATA", "DATA", 354)]
                for verb, line, good in steps:
                    got = c.command(line)
                    if verb == where:
                        break
                    equal(got[0], good, "%s before %s" % (verb, stage))
                else:
                    c.send(stuffed(MESSAGE))
                    got = c.reply()
                equal(got[0], code, "%s: %s: %r" % (stage, told, got))
                if told is no:
                    equal(got[1], "5.7.1 No such luck\n5.7.1 second line 100%", "text at %s" % stage)
                if code == 421:
                    check(c.closed(), "421 ends the session")
        for stage in ("mail", "rcpt", "data", "header:To", "body", "eom"):
            f.set(answers={stage: "DISCARD"})
            check("queued as" in w.send(), "discarded at %s" % stage)
        f.set(answers={"body": "SKIP"})
        w.send(b"S: x\r\n\r\n" + (b"y" * 76 + b"\r\n") * 3000)
        equal(len(w.next.wait(1)), 1, "only the last one arrived")
        equal(f.heard("eom")[-1]["args"], [[65535]], "no more of the body after skip")
        f.set(answers={"mail": "ACCEPT"}, eom=[["addheader", "X-Never", "1"]])
        w.send()
        check(b"X-Never" not in w.arrived(2)[1], "asked again after accept")
        f.set(eom=[["quarantine", "looks odd"]])
        w.send()
        held = w.server.json("queue", "list")
        check("looks odd" in json.dumps(held) or "looks odd" in w.server.log(), "quarantined")
        equal(len(w.next.transactions), 2, "a quarantined message stays")


def refused_recipients():
    """Recipients that the server refuses are told to filters that want to hear of them, with the reason, and to no others"""
    macros = ("{rcpt_mailer}", "{rcpt_host}", "{rcpt_addr}")
    wants = Filter(protocol=["RCPT_REJ"], symbols=macros)
    others = Filter()
    extra = 'domain here.test { deliver = "maildir" mailboxes = {"alice"} }\nrule no { if = "recipient is rule@here.test" then = "refuse 550 5.7.9 not today" }\n'
    with wants, others, World([wants, others], extra=extra) as w:
        with Client(w.port) as c:
            c.hello()
            c.command("MAIL FROM:<a@client.test>", 250)
            c.command("RCPT TO:<nobody@here.test>", 550)
            c.command("RCPT TO:<rule@here.test>", 550)
            c.command("RCPT TO:<alice@here.test>", 250)
            c.command("RCPT TO:<nobody2@here.test>", 550)
            c.command("DATA", 354)
            c.send(stuffed(MESSAGE))
            equal(c.reply()[0], 250, "the message for the one that is left")
        heard = [(r["args"][0], [r["macros"][m] for m in macros]) for r in wants.heard("rcpt")]
        equal([a for a, _ in heard], ["<nobody@here.test>", "<rule@here.test>", "<alice@here.test>", "<nobody2@here.test>"],
              "recipients that were told")
        equal(heard[0][1], ["error", "5.1.1", "No such user here"], "macros of a refused one")
        equal(heard[2][1][0] in ("local", "esmtp"), True, "macros of one that was taken: %r" % (heard[2],))
        equal([r["args"][0] for r in others.heard("rcpt")], ["<alice@here.test>"], "what a filter hears that has not asked")


def session_refused():
    """a filter that refuses in connect or HELO refuses the session"""
    for stage in ("connect", "helo"):
        with Filter(answers={stage: ["554", "5.7.1", "Not you"]}) as f, World([f]) as w:
            with Client(w.port) as c:
                got = c.reply()
                if stage == "helo":
                    equal(got[0], 220, "greeting")
                    got = c.command("EHLO x.test")
                equal(got, (554, "5.7.1 Not you" if stage == "helo" else got[1]), stage)
                check("Not you" in got[1], "its text: %r" % (got,))


def terms():
    """a filter that wants few steps, does not answer, takes leading blanks and names its macros"""
    with Filter(protocol=["NOCONNECT", "NOHELO", "NODATA", "NOUNKNOWN", "NR_HDR", "HDR_LEADSPC", "NOEOH"],
                macros={"mail": "{client_addr} {mail_addr}", "rcpt": "{rcpt_addr}"},
                symbols=["j", "{client_addr}", "{mail_addr}"], eom=[["addheader", "X-Tab", "\tx"], ["addheader", "X-Two", "  y"]]) as f, \
            World([f]) as w:
        w.send(b"Subject:  two\r\nX:none\r\n\r\nbody\r\n")
        equal([r["what"] for r in f.heard() if r["what"] != "negotiate"][:5], ["mail", "rcpt", "header", "header", "eom"], "callbacks")
        equal([r["args"] for r in f.heard("header")], [["Subject", "  two"], ["X", "none"]], "fields with their blanks")
        equal(f.heard("mail")[0]["macros"], {"j": "relay.example.test", "{client_addr}": "127.0.0.1", "{mail_addr}": "a@client.test"}, "macros")
        equal(w.arrived()[1], b"Subject:  two\r\nX:none\r\nX-Tab:\tx\r\nX-Two:  y\r\n\r\nbody\r\n", "what arrived")


def kept_connections():
    """a connection to a filter serves another session where libmilter allows it: after a message that it took"""
    with Filter() as f, World([f], extra="loops = 1\n") as w:
        for n in range(8):
            f.set(answers={"mail": "REJECT"} if n == 1 else {"rcpt": "ACCEPT"} if n == 2 else {"eom": "TEMPFAIL"} if n == 3 else {})
            with Client(w.port) as c:
                c.hello()
                if n == 4:
                    c.command("MAIL FROM:<a@client.test>", 250)
                elif n == 1:
                    c.command("MAIL FROM:<a@client.test>", 550)
                else:
                    equal(c.mail("a@client.test", "b@elsewhere.test", stuffed(MESSAGE))[0], 451 if n == 3 else 250, "message %d" % n)
                c.command("QUIT", 221)
            wait_until(lambda: len(f.heard("close")) == n + 1, 10, "the end of session %d" % n)
        equal(len(f.heard("negotiate")), 5, "connections")
        equal(len(f.heard("connect")), 8, "sessions")
        equal(len(w.next.wait(5)), 5, "messages")


class Liar:
    """A filter by hand: negotiates, then plays a part at a command. parts: {"M": b"octets to send" | "die" | "stall"}."""

    def __init__(self, **parts):
        self.parts, self.sock = parts, socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(64)
        self.address = "inet:127.0.0.1:%d" % self.sock.getsockname()[1]
        self.sessions = 0
        self.stalled = []

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.sock.close()

    def accept(self):
        while True:
            try:
                s, _ = self.sock.accept()
            except OSError:
                return
            self.sessions += 1
            threading.Thread(target=self.session, args=(s,), daemon=True).start()

    def session(self, s):
        try:
            data = b""
            while True:
                while len(data) < 4 or len(data) < 4 + struct.unpack(">I", data[:4])[0]:
                    more = s.recv(65536)
                    if not more:
                        return
                    data += more
                n = struct.unpack(">I", data[:4])[0]
                cmd, data = chr(data[4]), data[4 + n:]
                part = self.parts.get(cmd)
                if part == "die":
                    return
                if part == "stall":
                    self.stalled.append(s)
                    time.sleep(30)
                    return
                if part is not None:
                    s.sendall(part)
                elif cmd == "O":
                    s.sendall(struct.pack(">IBIII", 13, ord("O"), 6, 0x1ff, 0))
                elif cmd not in "DAQK":
                    s.sendall(b"\0\0\0\1c")
        except OSError:
            pass
        finally:
            s.close()


def section(liar, fail, more=""):
    return 'milter bad { address = "%s" fail = "%s" time = "500ms" end-time = "500ms" connect-time = "1s" failures = 0 %s }\n' % \
        (liar if isinstance(liar, str) else liar.address, fail, more)


def failures():
    """killed, stalled, garbage at each stage: the answer follows the key fail, and nothing is lost or kept in secret"""
    where = {"O": "MAIL", "M": "MAIL", "R": "RCPT", "T": "DATA", "L": "TEXT", "N": "TEXT", "B": "TEXT", "E": "TEXT"}
    for how in ("die", "stall", b"\0\0\0\2Z!", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\3hA\0"):
        for fail, code in (("defer", 451), ("refuse", 554), ("accept", 250)):
            taken = 0
            for cmd, verb in where.items():
                with Liar(**{cmd: how}) as liar, World(["bad"], sections=section(liar, fail)) as w:
                    with Client(w.port) as c:
                        c.hello()
                        got = c.command("MAIL FROM:<a@client.test>")
                        stage = "MAIL"
                        if got[0] == 250:
                            got, stage = c.command("RCPT TO:<b@elsewhere.test>"), "RCPT"
                        if got[0] == 250:
                            got, stage = c.command("DATA"), "DATA"
                        if got[0] == 354:
                            c.send(stuffed(MESSAGE))
                            got, stage = c.reply(), "TEXT"
                    equal((got[0], stage), (code, verb if code != 250 else "TEXT"), "%r at %s, %s" % (how, cmd, fail))
                    if code == 250:
                        equal(w.arrived()[1], MESSAGE, "what arrived")
                        taken += 1
                    else:
                        equal(len(w.next.transactions), 0, "messages that were not taken")
                    wait_until(lambda: "milter_failed" in w.server.log(), 5, "the log to say so")
                if how != "die" and fail != "defer":
                    break               # one stage is enough for these
            check(fail != "accept" or taken, "messages taken")


def breaker():
    """a filter that fails is left alone for a while, and asked again when the pause is over"""
    port = free_port()
    extra = section("127.0.0.1:%d" % port, "accept").replace("failures = 0", 'failures = 2 pause = "1500ms"')
    with World(["bad"], sections=extra) as w:
        for n in range(4):
            w.send()
        w.server.wait_log("filter_down")
        log = w.server.log()
        check(log.count("milter_failed") <= 2, "it was asked after that")
        with Filter() as f:
            f.process.stop(9)
            f.process.args[2] = "inet:%d@127.0.0.1" % port
            f.process.p = None
            f.process.start()
            wait_port(port)
            wait_until(lambda: (w.send(), "filter_up" in w.server.log())[1], 15, "the filter to be asked again")
            check(f.heard("mail"), "it hears mail again")


class Daemon:
    """A milter of others: a program in the foreground with a port."""

    def __init__(self, conf, args, port, seconds=60):
        self.folder, self.port, self.seconds = conf, port, seconds
        self.address = "inet:127.0.0.1:%d" % port
        self.process = Process(args, conf.file("out"))

    def __enter__(self):
        os.chmod(self.folder.path, 0o777)
        self.process.start()
        wait_port(self.port, self.seconds, self.process)
        return self

    def __exit__(self, *_):
        self.process.stop()   # not killed: rspamd ends its own children
        self.folder.remove()


def opendkim():
    """OpenDKIM signs as a milter, in both forms of headers, and a second one verifies what arrives"""
    folder = Folder()
    run("openssl", "genrsa", "-out", folder.file("key"), "2048")
    public = run("openssl", "rsa", "-in", folder.file("key"), "-pubout").stdout
    record = "v=DKIM1; k=rsa; p=" + "".join(public.split("\n")[1:-2])
    os.chmod(folder.file("key"), 0o600)
    text = b"From: a@client.test\r\nTo: b@elsewhere.test\r\nSubject:  two  blanks\r\n\tfolded\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700\r\n\r\n" \
           b"line \r\n.dot\r\n\r\n\r\n"
    for form in ("relaxed/relaxed", "simple/simple"):
        sign, verify = Folder(), Folder()
        port, other = free_port(), free_port()
        usual = "Syslog no\nBackground no\nRequireSafeKeys no\nSocket inet:%d@127.0.0.1\nPidFile %s\n"
        conf = sign.file("conf", usual % (port, sign.file("pid")) + "Mode s\nDomain client.test\nSelector s\nKeyFile %s\nInternalHosts %s\n"
                         "Canonicalization %s\n" % (folder.file("key"), sign.file("hosts", "127.0.0.1\n"), form))
        table = verify.file("table", "s._domainkey.client.test %s\n" % record)
        check_conf = verify.file("conf", usual % (other, verify.file("pid")) + "Mode v\nTestDNSData file:%s\nAuthservID other.test\n"
                                 "InternalHosts %s\nAlwaysAddARHeader yes\n" % (table, verify.file("hosts", "192.0.2.1\n")))
        with Daemon(sign, [need("opendkim"), "-f", "-x", conf], port) as one, Daemon(verify, [need("opendkim"), "-f", "-x", check_conf], other) as two, \
                World([one, two]) as w:
            for n in range(3):
                w.send(text)
                octets = w.arrived(n + 1)[1]
                check(octets.endswith(text), "the message itself is as it was: %r" % octets)
                check(b"DKIM-Signature:" in octets, "signed: %r" % octets)
                check(re.search(rb"Authentication-Results: other.test;\s+dkim=pass", octets), "%s: verified: %r" % (form, octets[:900]))
            check("milter_failed" not in w.server.log(), w.server.log())
    folder.remove()


def rspamd():
    """rspamd as a milter (the proxy worker with a scanner in itself): refuses, adds a field, lets pass"""
    folder, port = Folder(), free_port()
    os.chmod(folder.path, 0o777)
    conf = folder.file("rspamd.conf", """
options {{ pidfile = "{d}/pid"; filters = "regexp"; tempdir = "{d}"; disable_hyperscan = true; }}
logging {{ type = "file"; filename = "{d}/rspamd.log"; level = "info"; }}
worker "rspamd_proxy" {{ bind_socket = "127.0.0.1:{port}"; count = 1; milter = yes; timeout = 30s; upstream "local" {{ default = yes; self_scan = yes; }} }}
actions {{ reject = 15; add_header = 6; }}
metric {{ name = "default"; actions {{ reject = 15; add_header = 6; }} symbol {{ name = "BAD"; weight = 20; }} symbol {{ name = "ODD"; weight = 7; }} }}
regexp {{ BAD {{ re = "Subject=/very bad/H"; score = 20; }} ODD {{ re = "Subject=/odd/H"; score = 7; }} }}
""".format(d=folder.path, port=port))
    with Daemon(folder, [need("rspamd"), "-f", "-i", "-c", conf], port, 120) as f, World([f]) as w:
        w.send(b"From: a@client.test\r\nSubject: fine\r\n\r\nx\r\n")
        check(b"Subject: fine" in w.arrived(1)[1], "a good one")
        with Client(w.port) as c:
            c.hello()
            got = c.mail("a@client.test", "b@elsewhere.test", b"From: a@client.test\r\nSubject: very bad\r\n\r\nx\r\n.\r\n")
        check(got[0] in (550, 554), "a bad one: %r, %s" % (got, open(folder.file("rspamd.log")).read()[-1500:]))
        equal(len(w.next.transactions), 1, "what arrived")
        check("milter_failed" not in w.server.log(), "failures")


def clamav():
    """clamav-milter with clamd behind and a signature of our own: EICAR is refused, the rest is told to be clean"""
    eicar = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
    folder, port = Folder(), free_port()
    os.chmod(folder.path, 0o777)
    folder.file("db/eicar.ndb", "Test.Eicar:0:*:" + eicar.hex() + "\n")
    os.chmod(folder.file("db"), 0o755)
    sock = folder.file("clamd.sock")
    clamd = folder.file("clamd.conf", "LocalSocket %s\nLocalSocketMode 666\nDatabaseDirectory %s\nForeground yes\nTemporaryDirectory %s\n" %
                        (sock, folder.file("db"), folder.path))
    conf = folder.file("milter.conf", "MilterSocket inet:%d@127.0.0.1\nClamdSocket unix:%s\nForeground yes\nOnInfected Reject\n"
                       "RejectMsg Virus %%v\nAddHeader Replace\nTemporaryDirectory %s\n" % (port, sock, folder.path))
    with Process([need("clamd"), "-c", clamd], folder.file("clamd.out")) as p:
        wait_until(lambda: os.path.exists(sock) or p.poll() is not None, 60, "clamd")
        with Daemon(folder, [need("clamav-milter"), "-c", conf], port) as f, World([f]) as w:
            w.send()
            octets = w.arrived(1)[1]
            check(b"X-Virus-Status: Clean" in octets and octets.endswith(BODY), "a clean one: %r" % octets)
            with Client(w.port) as c:
                c.hello()
                got = c.mail("a@client.test", "b@elsewhere.test", b"Subject: v\r\n\r\n" + eicar + b"\r\n.\r\n")
            equal(got[0], 550, "EICAR: %r" % (got,))
            check("Virus" in got[1], "the filter's own words: %r" % (got,))


if __name__ == "__main__":
    main("milters", callbacks, every_change, untouched, two_in_order, answers, session_refused, refused_recipients, terms, kept_connections, failures,
         breaker, opendkim, rspamd, clamav)
