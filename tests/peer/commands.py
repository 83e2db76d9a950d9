"""An operator's commands against a running server: status, queue, why, config check, reload, stop; and
sendmail and mailq as every Unix has them."""
import os
import signal
import time

from common import main
import confs
from harness import POSTRIDER, check, equal, free_port, run, wait_until
from mailtext import body, message, parsed, stuffed
from postrider import Postrider
from smtp import Client, FakeServer


class Held:
    """A relay whose next server is not there yet: everything waits. `extra` is more configuration."""

    def __init__(self, extra=""):
        self.port, self.next_port = free_port(), free_port()
        self.server = Postrider(confs.relay(self.port, "smtp://127.0.0.1:%d" % self.next_port, extra).replace('"1s"', '"1h"'),
                                [self.port])

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *args):
        self.server.__exit__(*args)

    def send(self, rcpt, sender="sender@client.test", mark="x"):
        """Sends one message; its id, from our answer."""
        with Client(self.port) as c:
            c.hello()
            code, words = c.mail(sender, rcpt, stuffed(message(mark, ["the text"])))
            equal(code, 250, "our answer")
        ids = {row["id"] for row in self.list()}
        return next(word for word in words.replace("<", " ").replace(">", " ").split() if word in ids)

    def list(self, *filters):
        return self.server.json("queue", "list", *filters)

    def next_server(self):
        return FakeServer(port=self.next_port)


def status():
    """status counts what waits and tells which destination is down"""
    with Held() as h:
        equal(h.server.queued(), 0, "queued at first")
        h.send(["a@one.test", "b@one.test"])
        wait_until(lambda: h.server.status()["sites_blocked"] == 1, 10, "a blocked destination")
        equal(h.server.queued(), 2, "queued")
        check("queue" in h.server.cli("status").stdout.lower(), "the text for people lacks the word queue")


def list_and_show():
    """queue list with filters, queue show with header and message"""
    with Held() as h:
        first = h.send("a@one.test", mark="first")
        h.send("b@two.test", sender="other@client.test", mark="second")
        equal(sorted(r["recipient"] for r in h.list()), ["a@one.test", "b@two.test"], "recipients")
        equal([r["recipient"] for r in h.list("--sender", "other@client.test")], ["b@two.test"], "by sender")
        equal([r["recipient"] for r in h.list("--recipient", "a@one.test")], ["a@one.test"], "by recipient")
        equal(h.list("--older", "1h"), [], "older than an hour")
        shown = h.server.json("queue", "show", first)
        equal((shown["id"], shown["sender"]), (first, "sender@client.test"), "id and sender")
        check("Subject: test first" in h.server.cli("queue", "show", first, "--head").stdout, "no header")
        check("the text" in h.server.cli("queue", "show", first, "--message").stdout, "no text")
        check("a@one.test" in h.server.cli("queue", "list").stdout, "no recipient in the text for people")


def hold_and_release():
    """What is held is not tried by a flush; after a release it is"""
    with Held() as h:
        held = h.send("a@one.test", mark="held")
        h.send("b@one.test", mark="free")
        equal(h.server.json("queue", "hold", held)["recipients"], 1, "recipients held")
        with h.next_server() as there:
            h.server.cli("queue", "flush", "--all")
            wait_until(lambda: there.transactions, 20, "the free one")
            time.sleep(0.5)
            equal([t.rcpts for t in there.transactions], [["b@one.test"]], "delivered while one is held")
            h.server.cli("queue", "release", held)
            h.server.cli("queue", "flush", "--all", ok=None)     # it may have left already
            h.server.wait_empty()
            equal(len(there.transactions), 2, "delivered after the release")


def remove_and_bounce():
    """remove deletes without a word, bounce returns; --dry-run does neither"""
    with FakeServer() as home:
        with Held('route "client.test" { via = "smtp://127.0.0.1:%d" }\n' % home.port) as h:
            first, second = h.send("a@one.test"), h.send("b@one.test")
            h.server.cli("queue", "remove", "--all", "--dry-run")
            equal(h.server.queued(), 2, "queued after a dry run")
            h.server.cli("queue", "remove", first)
            equal(h.server.queued(), 1, "queued after a removal")
            h.server.cli("queue", "bounce", second)
            equal(home.wait(1)[0].rcpts, ["sender@client.test"], "recipient of the report")
            h.server.wait_empty()
            equal(len(home.transactions), 1, "reports")


def unknown_words():
    """Wrong use is told with what to do; a message that is not there is told too"""
    with Held() as h:
        for words in (("queue", "show", "nonsense"), ("queue", "remove"), ("queue", "jump")):
            p = h.server.cli(*words, ok=None)
            check(p.returncode != 0 and len(p.stderr) > 10, "%s: status %d, %r" % (words, p.returncode, p.stderr))
        h.server.stop()
        p = h.server.cli("status", ok=None)
        h.server.start()
    check(p.returncode != 0 and "server" in p.stderr, "without a server: status %d, %r" % (p.returncode, p.stderr))


def why():
    """why tells the story by id and by address, during and after the delivery"""
    with Held() as h:
        ident = h.send("a@one.test")
        story = wait_until(lambda: "refused" in h.server.cli("why", ident).stdout and h.server.cli("why", ident).stdout, 10,
                           "the refused connection in the story")
        check("accepted" in story and "a@one.test" in story, story)
        with h.next_server() as there:
            h.server.cli("queue", "flush", ident)
            there.wait(1)
            h.server.wait_empty()
        for word in (ident, "a@one.test", "sender@client.test"):
            wait_until(lambda w=word: "delivered" in h.server.cli("why", w).stdout, 10, "the delivery in the story of " + word)
        events = h.server.json("why", ident)["messages"][0]["events"]
        equal((events[0]["event"], events[-1]["event"]), ("accepted", "delivered"), "first and last event")


def export_import():
    """The queue moves from one server to another by files"""
    with Held() as old, Held() as new:
        for i in range(5):
            old.send("a%d@one.test" % i, mark="move%d" % i)
        folder = old.server.folder.file("moved")
        os.mkdir(folder)
        old.server.cli("queue", "export", folder, "--remove")
        equal(old.server.queued(), 0, "left behind")
        new.server.cli("queue", "import", folder)
        equal(new.server.queued(), 5, "arrived")
        with new.next_server() as there:
            new.server.cli("queue", "flush", "--all")
            new.server.wait_empty()
            equal(sorted(t.rcpts[0] for t in there.transactions), ["a%d@one.test" % i for i in range(5)], "recipients")
            equal(body(there.transactions[0].data), b"the text\r\n", "the body")


def config_check():
    """config check tells every mistake with file, line and what was expected"""
    with Held() as h:
        check(h.server.cli("config", "check").returncode == 0, "a good file")
        bad = h.server.folder.file("bad.conf", 'hostname = "x.test"\ndata-dir = 5\nlistener mx { adress = "127.0.0.1:1" }\n'
                                   'hostname = "twice.test"\nroute "*" { via = \n')
        p = run(POSTRIDER, "config", "check", "-c", bad, ok=(1,))
        text = p.stderr + p.stdout
        for line in (2, 3, 4):
            check("bad.conf:%d" % line in text, "line %d is not named: %s" % (line, text))
        check("adress" in text and "address" in text, "the misspelt key and the right one are not both named: %s" % text)
        p = run(POSTRIDER, "serve", "-c", bad, ok=None, seconds=10)
        check(p.returncode != 0, "serve ran with a bad file")
        wide = h.server.folder.file("wide.conf", 'hostname = "x.test"\nlistener mx { address = "127.0.0.1:1" }\n'
                                    'relay-from = {"0.0.0.0/0"}\n')
        p = run(POSTRIDER, "config", "check", "-c", wide, ok=(1,))
        check("open-relay" in p.stderr + p.stdout, "an open relay passed: " + p.stderr)


def reload():
    """SIGHUP takes a new file into use without dropping a session; a bad file changes nothing"""
    port = free_port()
    with Postrider(confs.mx(port), [port]) as server, Client(port) as c:
        c.hello()
        c.command("MAIL FROM:<sender@client.test>", 250)
        c.command("RCPT TO:<info@example.test>", 550)
        server.reload(confs.mx(port, 'alias "info@example.test" { to = {"alice@example.test"} }\n'))

        def known():
            with Client(port) as d:
                d.hello()
                d.command("MAIL FROM:<sender@client.test>", 250)
                return d.command("RCPT TO:<info@example.test>")[0] == 250

        wait_until(known, 10, "the new alias")
        server.reload("nonsense {")
        server.wait_log("reload_failed")
        check(known(), "a bad file was taken into use")
        c.command("RCPT TO:<alice@example.test>", 250)
        c.command("DATA", 354)
        c.send(stuffed(message("reload")))
        equal(c.reply()[0], 250, "the answer in the old session")
        server.wait_mail("example.test", "alice")


def drain():
    """SIGTERM lets a transaction end, takes no new session, and ends with status 0"""
    port = free_port()
    with Postrider(confs.mx(port), [port]) as server:
        with Client(port) as c:
            c.hello()
            c.command("MAIL FROM:<sender@client.test>", 250)
            c.command("RCPT TO:<alice@example.test>", 250)
            c.command("DATA", 354)
            c.send(b"Subject: x\r\n\r\nhalf\r\n")
            server.process.p.send_signal(signal.SIGTERM)

            def turned_away():
                try:
                    with Client(port) as d:
                        return d.reply()[0] in (0, 421)
                except OSError:
                    return True
            wait_until(turned_away, 60, "new sessions to be turned away")
            c.send(b".\r\n")
            equal(c.reply()[0], 250, "the answer to the text")
            code = c.reply()[0]
            check(code in (0, 421), "the session went on: %d" % code)
        wait_until(lambda: server.process.poll() is not None, 20, "the end")
        equal(server.process.p.returncode, 0, "exit status")
        server.start()
        equal(len(server.wait_mail("example.test", "alice")), 1, "messages")


def drain_time():
    """A session that does not end is cut off when drain-time is over; that, too, is an orderly end"""
    port = free_port()
    with Postrider(confs.mx(port) + 'drain-time = "1s"\n', [port]) as server:
        with Client(port) as c:
            c.hello()
            c.command("MAIL FROM:<sender@client.test>", 250)
            c.command("RCPT TO:<alice@example.test>", 250)
            c.command("DATA", 354)
            server.process.p.send_signal(signal.SIGTERM)
            wait_until(lambda: server.process.poll() is not None, 60, "the end")
        equal(server.process.p.returncode, 0, "exit status")
        check("drain-time was over" in server.log() and "worker_died" not in server.log(), server.log(1500))


def worker_dies():
    """A killed worker is replaced while the ports stay open"""
    port = free_port()
    with Postrider(confs.mx(port), [port]) as server:
        server.kills = True
        killed = []
        for _ in range(3):
            killed.append(server.kill_worker(killed))
            with Client(port) as c:             # waits in the listening socket until the new one takes it
                c.hello()
                equal(c.mail("sender@client.test", "alice@example.test", stuffed(message("x")))[0], 250, "answer")
            check(killed[-1] not in server.workers(), "the worker is the same")
        server.wait_mail("example.test", "alice", 3)


class Local:
    """A server with sendmail and mailq beside it, as links to the program."""

    def __init__(self):
        self.port = free_port()
        self.server = Postrider(confs.mx(self.port, 'origin = "example.test"\n'), [self.port])
        for name in ("sendmail", "mailq"):
            os.symlink(POSTRIDER, self.server.folder.file(name))

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *args):
        self.server.__exit__(*args)

    def run(self, name, *args, stdin="", ok=(0,)):
        env = dict(os.environ, POSTRIDER_CONF=self.server.conf)
        return run(self.server.folder.file(name), *args, stdin=stdin, ok=ok, env=env)


def sendmail_plain():
    """sendmail with recipients as words; LF input, dots, a bare name completed"""
    with Local() as s:
        s.run("sendmail", "-i", "-f", "bob@example.test", "alice@example.test", "bob", stdin="Subject: s\n\n.dot\n.\n..\nend\n")
        got = s.server.wait_mail("example.test", "alice")[0]
        equal(body(got), b".dot\r\n.\r\n..\r\nend\r\n", "the body")
        check(got.startswith(b"Return-Path: <bob@example.test>"), "Return-Path: %r" % got[:60])
        s.server.wait_mail("example.test", "bob")


def sendmail_dot_ends():
    """Without -i a line of one dot ends the message"""
    with Local() as s:
        s.run("sendmail", "-f", "bob@example.test", "alice@example.test", stdin="Subject: s\n\nfirst\n.\nmore\n")
        equal(body(s.server.wait_mail("example.test", "alice")[0]), b"first\r\n", "the body")


def sendmail_from_header():
    """sendmail -t reads To, Cc and Bcc, and takes Bcc out"""
    with Local() as s:
        s.run("sendmail", "-t", "-i", stdin="From: Bob <bob@example.test>\nTo: Alice <alice@example.test>\n"
              "Bcc: bob@example.test, postmaster@example.test\nSubject: t\n\nx\n")
        for box in ("alice", "bob", "postmaster"):
            got = s.server.wait_mail("example.test", box)[0]
            check(parsed(got)["bcc"] is None, "Bcc is still there")
            check(parsed(got)["date"] and parsed(got)["message-id"], "Date or Message-ID is missing")


def sendmail_bs():
    """sendmail -bs speaks SMTP on its own input and output"""
    with Local() as s:
        p = s.run("sendmail", "-bs", stdin="EHLO local\r\nMAIL FROM:<bob@example.test>\r\nRCPT TO:<alice@example.test>\r\n"
                  "DATA\r\nSubject: bs\r\n\r\nx\r\n.\r\nQUIT\r\n")
        check(p.stdout.startswith("220 ") and "\n354 " in p.stdout and "\n221 " in p.stdout, p.stdout)
        s.server.wait_mail("example.test", "alice")


def sendmail_unknown():
    """An unknown recipient is told by status or comes back"""
    with Local() as s:
        p = s.run("sendmail", "-i", "-f", "bob@example.test", "nobody@example.test", stdin="Subject: u\n\nx\n", ok=None)
        if p.returncode == 0:
            check(b"5.1.1" in s.server.wait_mail("example.test", "bob")[0], "no report")
        else:
            equal(p.returncode, 67, "status (EX_NOUSER)")


def mailq_shows():
    """mailq and sendmail -bp show the queue"""
    with Local() as s:
        for words in (("mailq",), ("sendmail", "-bp")):
            check(len(s.run(*words).stdout) > 0, "%s says nothing of an empty queue" % (words,))


def without_server():
    """sendmail without a server ends with 75 and a clear text"""
    with Local() as s:
        pass
    env = dict(os.environ, POSTRIDER_CONF=s.server.conf)
    try:
        os.makedirs(s.server.folder.path, exist_ok=True)
        s.server.folder.file("postrider.conf", confs.mx(s.port))
        os.symlink(POSTRIDER, s.server.folder.file("sendmail"))
        p = run(s.server.folder.file("sendmail"), "-i", "alice@example.test", stdin="Subject: x\n\nx\n", ok=None, env=env,
                seconds=60)
        equal(p.returncode, 75, "status")
        check("server" in p.stderr, "its words: %r" % p.stderr)
    finally:
        s.server.folder.remove()


if __name__ == "__main__":
    main("commands", status, list_and_show, hold_and_release, remove_and_bounce, unknown_words, why, export_import,
         config_check, reload, drain, drain_time, worker_dies, sendmail_plain, sendmail_dot_ends, sendmail_from_header, sendmail_bs,
         sendmail_unknown, mailq_shows, without_server)
