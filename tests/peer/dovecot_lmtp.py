"""postrider delivers to Dovecot by LMTP, and Dovecot serves the mail by IMAP."""
from common import main
import confs
from dovecot import Dovecot
from harness import check, equal, free_port, wait_until
from mailtext import body, message, stuffed, with_mark
from postrider import Postrider
from smtp import Client


def conf(port, dovecot):
    return (confs.HEAD.format(host="mx.example.test") + 'listener mx { address = "127.0.0.1:%d" }\n' % port +
            'relay-from = {}\ndomain example.test { deliver = "lmtp://127.0.0.1:%d" }\n' % dovecot.lmtp_port)


def read_by_imap():
    """Two recipients in one transaction; IMAP serves what was sent"""
    port = free_port()
    with Dovecot() as d, Postrider(conf(port, d), [port]) as server:
        sent = message("imap")
        with Client(port) as c:
            c.hello()
            equal(c.mail("sender@client.test", ["alice@example.test", "bob@example.test"], stuffed(sent))[0], 250, "answer")
        for user in ("alice", "bob"):
            got = wait_until(lambda u=user: with_mark(d.messages(u), "imap"), 20, "mail for " + user)
            equal(len(got), 1, "messages for " + user)
            equal(body(got[0]), body(sent), "the body for " + user)
            check(b"Return-Path: <sender@client.test>" in got[0], "no Return-Path")
        server.wait_empty()


def refused_by_store():
    """A user whom Dovecot does not know is returned to the sender, the other is served"""
    port = free_port()
    with Dovecot() as d, Postrider(conf(port, d), [port]) as server:
        with Client(port) as c:
            c.hello()
            code, _ = c.mail("alice@example.test", ["bob@example.test", "nobody@example.test"], stuffed(message("half")))
            equal(code, 250, "answer")
        wait_until(lambda: with_mark(d.messages("bob"), "half"), 20, "mail for bob")
        report = wait_until(lambda: d.messages("alice"), 20, "a report for alice")[0]
        check(b"nobody@example.test" in report and b"multipart/report" in report, "no report: %r" % report[:500])
        server.wait_empty()


def store_down():
    """While Dovecot is away the mail waits"""
    port = free_port()
    d = Dovecot()
    with Postrider(conf(port, d) + 'queue { delays = {"1s"} }\n', [port]) as server:
        with Client(port) as c:
            c.hello()
            equal(c.mail("sender@client.test", "alice@example.test", stuffed(message("later")))[0], 250, "answer")
        wait_until(lambda: server.queued() == 1, 10, "one recipient in the queue")
        with d:
            wait_until(lambda: with_mark(d.messages("alice"), "later"), 30, "mail for alice")
            server.wait_empty()


if __name__ == "__main__":
    main("dovecot", read_by_imap, refused_by_store, store_down)
