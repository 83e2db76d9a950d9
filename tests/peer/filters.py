"""rspamd by HTTP and clamd by stream: what they say of a message becomes its fate; stopped, stalled and gone in mid-run
they harm nobody."""
import os
import signal
import time

from common import main
from harness import Failure, Folder, Process, check, equal, free_port, need, wait_port, wait_until
from mailtext import message, stuffed
from postrider import Postrider
from smtp import Client

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
EICAR = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"

CONF = """
hostname = "mx.example.test"
data-dir = "data"
listener mx {{ address = "127.0.0.1:{port}" }}
relay-from = {{"127.0.0.0/8"}}
domain example.test {{ deliver = "maildir" mailboxes = {{"alice", "bob"}} }}
dns {{ servers = {{"127.0.0.1:1"}} }}
check {{ spf = "off" dkim = false dmarc = "off" iprev = false }}
{extra}
"""


class Rspamd:
    """With the symbols that a test wants, and none of those that ask the network."""

    RULES = """
rspamd_config:register_symbol({ name = 'TEST_MARK', score = 7.0, callback = function(task)
  return task:get_header('X-Mark') ~= nil, task:get_header('X-Mark') end })
rspamd_config:register_symbol({ name = 'TEST_FROM', score = 0.1, callback = function(task)
  local from, ip = task:get_from('smtp'), task:get_from_ip()
  return true, from and from[1] and from[1].addr or '<>', tostring(ip), task:get_helo() or '', tostring(#task:get_recipients('smtp')) end })
rspamd_config:register_symbol({ name = 'TEST_HEADERS', type = 'idempotent', callback = function(task)
  task:set_milter_reply({ add_headers = { ['X-Rspamd-Test'] = { value = 'seen', order = 0 } }, remove_headers = { ['X-Secret'] = 0 } }) end })
"""

    def __init__(self):
        self.folder = Folder()
        os.chmod(self.folder.path, 0o777)
        self.port, self.control = free_port(), free_port()
        lua = self.folder.file("rules.lua", self.RULES)
        self.conf = self.folder.file("rspamd.conf", """
lua = "{lua}";
options {{ pidfile = "{d}/pid"; filters = ""; tempdir = "{d}"; disable_hyperscan = true; gtube_patterns = "all";
  dns {{ nameserver = ["127.0.0.1:1"]; timeout = 0.1s; retransmits = 1; }} }}
logging {{ type = "file"; filename = "{d}/rspamd.log"; level = "info"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
actions {{ reject = 15; add_header = 6; greylist = 4; }}
""".format(d=self.folder.path, port=self.port, lua=lua))
        self.process = Process([need("rspamd"), "-f", "-i", "-c", self.conf], self.folder.file("out"))

    def __enter__(self):
        self.process.start()
        try:
            wait_port(self.port, 120, self.process)
        except Failure:
            print(self.process.output())
            raise
        return self

    def log(self):
        with open(os.path.join(self.folder.path, "rspamd.log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def __exit__(self, *_):
        self.process.stop()
        self.folder.remove()


class Clamd:
    """With a database of one signature, so that it starts at once."""

    def __init__(self):
        self.folder = Folder()
        os.chmod(self.folder.path, 0o777)
        self.socket = os.path.join(self.folder.path, "clamd.ctl")
        os.mkdir(os.path.join(self.folder.path, "db"))
        self.folder.file("db/test.ndb", "Test.Eicar:0:*:%s\n" % EICAR.encode().hex())
        self.conf = self.folder.file("clamd.conf", """
Foreground yes
LocalSocket {d}/clamd.ctl
LocalSocketMode 666
FixStaleSocket yes
DatabaseDirectory {d}/db
TemporaryDirectory {d}
LogFile {d}/clamd.log
StreamMaxLength 1M
ReadTimeout 5
MaxThreads 4
""".format(d=self.folder.path))
        self.process = Process([need("clamd"), "-c", self.conf], self.folder.file("out"))

    def __enter__(self):
        self.process.start()
        wait_until(lambda: os.path.exists(self.socket) or self.process.poll() is not None, 60, "the socket of clamd")
        check(self.process.poll() is None, "clamd ended: " + self.process.output())
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.p.send_signal(signal.SIGCONT)
            self.process.stop()
        self.folder.remove()


def server(extra):
    port = free_port()
    return Postrider(CONF.format(port=port, extra=extra), ports=[port])


def send(s, text, rcpt="alice@example.test"):
    with Client(s.ports[0]) as c:
        c.hello()
        return c.mail("sender@client.test", rcpt, stuffed(text))


def mail(mark, lines=("Hello,", "this is an ordinary message."), extra=()):
    return message(mark, list(lines), to="alice@example.test", extra=extra)


def rspamd():
    """rspamd refuses, marks, adds and removes fields, and is told who sends"""
    with Rspamd() as r, server('rspamd = "127.0.0.1:%d"' % r.port) as s:
        equal(send(s, mail("plain", extra=["X-Secret: one", "X-Secret: two"]))[0], 250, "an ordinary message")
        got = s.wait_mail("example.test", "alice")[0]
        check(b"\r\nX-Rspamd-Test: seen" in got or b"\nX-Rspamd-Test: seen" in got, "no field added: %r" % got[:800])
        check(b"X-Secret" not in got and b"X-Spam-Flag" not in got, "fields not taken away: %r" % got[:800])
        wait_until(lambda: "TEST_FROM(0.10){sender@client.test;127.0.0.1;client.test;1;}" in r.log(), 60, "rspamd's word about who sends")
        code, words = send(s, mail("gtube", [GTUBE]))
        check(code == 554 and "5.7.1" in words, "GTUBE was answered %d %s" % (code, words))
        equal(send(s, mail("marked", extra=["X-Mark: yes"]))[0], 250, "a suspicious message")
        got = s.wait_mail("example.test", "alice", 2)[1]
        check(b"X-Spam-Flag: YES" in got, "not marked: %r" % got[:800])
        wait_until(lambda: "by=rspamd" in s.log() and "TEST_MARK" in s.log(), 60, "the log to say why")


def kept():
    """a hundred messages of ten sessions are asked about over few connections"""
    with Rspamd() as r, server('rspamd = "127.0.0.1:%d"' % r.port) as s:
        for _ in range(10):
            with Client(s.ports[0]) as c:
                c.hello()
                for i in range(10):
                    equal(c.mail("sender@client.test", "bob@example.test", stuffed(mail("k%d" % i)))[0], 250, "message")
        s.wait_mail("example.test", "bob", 100)


def rspamd_down():
    """rspamd gone: mail goes through, or waits, as rspamd.fail says; the breaker spares the waiting, and it comes back"""
    port = free_port()
    conf = 'rspamd = "127.0.0.1:%d"\nrspamd { fail = "%s" time = "2s" failures = 2 pause = "2s" }'
    for fail, code in (("accept", 250), ("defer", 451), ("refuse", 554)):
        with server(conf % (port, fail)) as s:
            for i in range(4):
                equal(send(s, mail("down%d" % i))[0], code, "fail = %s" % fail)
            s.wait_log("verdict=unavailable")
    r = Rspamd()
    conf = conf % (r.port, "defer")
    with server(conf) as s:
        for i in range(3):
            equal(send(s, mail("before%d" % i))[0], 451, "before rspamd is there")
        with r:
            wait_until(lambda: send(s, mail("after"))[0] == 250, 20, "mail once rspamd is there")
            os.kill(r.process.p.pid, signal.SIGSTOP)          # the parent alone: its worker still answers
            workers = [int(p) for p in os.popen("ps -o pid= --ppid %d" % r.process.p.pid).read().split()]
            for pid in workers:
                os.kill(pid, signal.SIGSTOP)
            began = time.monotonic()
            equal(send(s, mail("stalled"))[0], 451, "rspamd stalled")
            check(1.5 < time.monotonic() - began, "its time is not kept")
            for pid in workers + [r.process.p.pid]:
                os.kill(pid, signal.SIGCONT)
            wait_until(lambda: send(s, mail("again"))[0] == 250, 20, "mail once rspamd goes on")


def clamd():
    """clamd finds EICAR in a body, in an attachment and beyond 64 KiB; each of clamd.found"""
    with Clamd() as c:
        with server('clamd = "%s"' % c.socket) as s:
            equal(send(s, mail("clean"))[0], 250, "an ordinary message")
            for name, lines in (("body", [EICAR]), ("deep", ["x" * 70] * 3000 + [EICAR])):
                code, words = send(s, mail(name, lines))
                check(code == 554 and "Test.Eicar" in words, "EICAR in the %s: %d %s" % (name, code, words))
        for found, code in (("quarantine", 250), ("discard", 250), ("mark", 250)):
            with server('clamd = "unix:%s"\nclamd { found = "%s" }' % (c.socket, found)) as s:
                equal(send(s, mail(found, [EICAR]))[0], code, found)
                equal(send(s, mail("clean " + found), "bob@example.test")[0], 250, found)
                s.wait_mail("example.test", "bob")
                got = s.mail("example.test", "alice")
                if found == "mark":
                    got = s.wait_mail("example.test", "alice")
                    check(b"X-Virus: Test.Eicar" in got[0], "not marked: %r" % got[0][:500])
                else:
                    equal(got, [], "%s: it was delivered" % found)


def clamd_limits():
    """a message above clamd.size: its beginning is looked at; above clamd's own limit it counts as one that could not be"""
    big = mail("big", ["x" * 70] * 20000)
    with Clamd() as c:
        with server('clamd = "%s"\nclamd { size = "512KB" }' % c.socket) as s:
            equal(send(s, big)[0], 250, "a large message")
            s.wait_log("verdict=cut")
        with server('clamd = "%s"\nclamd { size = "8MB" }' % c.socket) as s:
            code, words = send(s, big)
            check(code == 451, "larger than StreamMaxLength: %d %s" % (code, words))


def clamd_down():
    """clamd gone or stalled: mail waits by default, or goes through"""
    with Clamd() as c:
        with server('clamd = "%s"\nclamd { time = "2s" failures = 0 }' % c.socket) as s:
            equal(send(s, mail("one"))[0], 250, "while it runs")
            c.process.p.send_signal(signal.SIGSTOP)
            began = time.monotonic()
            equal(send(s, mail("two"))[0], 451, "while it is stalled")
            check(1.5 < time.monotonic() - began, "its time is not kept")
            c.process.p.send_signal(signal.SIGCONT)
            wait_until(lambda: send(s, mail("three"))[0] == 250, 20, "mail once clamd goes on")
            c.process.p.kill()
            c.process.p.wait()
            equal(send(s, mail("four"))[0], 451, "once it is gone")
        with server('clamd = "%s"\nclamd { fail = "accept" }' % c.socket) as s:
            equal(send(s, mail("five"))[0], 250, "gone, and fail = accept")


if __name__ == "__main__":
    main("filters", rspamd, kept, rspamd_down, clamd, clamd_limits, clamd_down)
