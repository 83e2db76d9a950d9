"""The checks in the running server: checked.conf as it stands, results in headers, log and verdicts."""
import base64
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from dnsd import DnsServer  # noqa: E402
from harness import LOAD, POSTRIDER, ROOT, Folder, Tally, check, equal, free_port, run, wait_until  # noqa: E402
from postrider import Postrider  # noqa: E402
from smtp import Client  # noqa: E402

GOOD, BAD = "192.0.2.1", "198.51.100.9"
SPF = {"TXT": ["v=spf1 ip4:192.0.2.1 -all exp=why.test"], "A": ["192.0.2.1"], "MX": ["10 mx.good.test"]}
ZONE = {
    "1.2.0.192.in-addr.arpa": {"PTR": ["mx.good.test"]}, "mx.good.test": {"A": [GOOD]},
    "why.test": {"TXT": ["%{i} is not one of ours"]},
    "good.test": SPF, "reject.test": SPF, "junk.test": SPF, "testing.test": SPF, "plain.test": {"A": ["192.0.2.1"]},
    "_dmarc.good.test": {"TXT": ["v=DMARC1; p=reject"]},
    "_dmarc.reject.test": {"TXT": ["v=DMARC1; p=reject"]},
    "_dmarc.junk.test": {"TXT": ["v=DMARC1; p=quarantine"]},
    "_dmarc.testing.test": {"TXT": ["v=DMARC1; p=reject; t=y"]},
    "_dmarc.none.test": {"TXT": ["v=DMARC1; p=none"]},
    "_dmarc.silent.test": "TIMEOUT", "silent.test": "TIMEOUT",
    "_dmarc.half.test": {"TXT": ["v=DMARC1; p=reject"]}, "half.test": {"TXT": "SERVFAIL"},
}


class Outside(Client):
    """A client whose address is what a PROXY header says."""

    def __init__(self, port, address, name="mx.good.test"):
        super().__init__(port)
        self.send("PROXY TCP4 %s 127.0.0.1 40000 25\r\n" % address)
        self.hello(name)

    def bring(self, sender, field, extra="", body="hello\r\n"):
        return self.mail(sender, "alice@example.test",
                         "%sFrom: %s\r\nSubject: x\r\n\r\n%s.\r\n" % (extra, field, body))


def conf(port, dns, more=""):
    with open(os.path.join(ROOT, "tests", "contract", "checked.conf"), encoding="utf-8") as f:
        text = f.read()
    check(":2525" in text and ":5353" in text, "checked.conf has other ports")
    return text.replace(":2525", ":%d" % port).replace(":5353", ":%d" % dns.port) + more


class World:
    def __init__(self, more=""):
        self.dns = DnsServer(ZONE).start()
        self.port = free_port()
        self.server = Postrider(conf(self.port, self.dns, more), [self.port])

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop()
        self.dns.stop()

    def outside(self, address, name="mx.good.test"):
        return Outside(self.port, address, name)

    def last(self, count, folder=""):
        """The newest of so many messages of alice, and its results by method."""
        def all_mail():
            return self.server.mail("example.test", "alice/" + folder if folder else "alice")
        wait_until(lambda: len(all_mail()) >= count, 20, "message %d" % count)
        message = all_mail()[-1].decode()
        field = re.match(r"Return-Path:.*\nDelivered-To:.*\nAuthentication-Results: mx\.example\.test;((?:.*\n)(?:[ \t].*\n)*)",
                         message)
        check(field, "no Authentication-Results field at the top:\n" + message)
        return message, re.sub(r"\s+", " ", field.group(1))


def stands():
    """checked.conf: what passes is marked, what a policy rejects is refused"""
    with World() as w:
        w.server.cli("config", "check")
        with w.outside(GOOD) as c:
            equal(c.bring("a@good.test", "A <a@good.test>")[0], 250, "our answer to good mail")
            message, results = w.last(1)
            for part in ("spf=pass", "dmarc=pass", "iprev=pass", "dkim=none", "header.from=good.test"):
                check(part in results, "no %s in %s" % (part, results))
            check("X-Spam-Flag" not in message, "good mail is flagged")
        with w.outside(BAD) as c:
            code, words = c.bring("a@reject.test", "a@reject.test")
            check(code == 550 and words.startswith("5.7.26 ") and "reject.test" in words, "refused with %d %s" % (code, words))
            equal(c.bring("a@junk.test", "a@junk.test")[0], 250, "our answer to mail to be quarantined")
            message, results = w.last(2)
            check("dmarc=fail" in results and "spf=fail" in results and "\nX-Spam-Flag: YES\n" in message, message)
            equal(c.bring("a@testing.test", "a@testing.test")[0], 250, "t=y: one level below")
            check("X-Spam-Flag: YES" in w.last(3)[0], "reject with t=y is not quarantined")
            equal(c.bring("a@none.test", "a@none.test")[0], 250, "p=none")
            equal(c.bring("", "a@plain.test")[0], 250, "a null sender without a policy")
            check("spf=none" in w.last(5)[1] or "spf=" in w.last(5)[1], "no SPF for a null sender")
        w.server.wait_log(" checked ")


def from_field():
    """exactly one address in From, or the message is refused"""
    with World() as w, w.outside(GOOD) as c:
        for field in ("a@good.test, b@good.test", "a@good.test\r\nFrom: a@good.test", "nobody", "x:;", "a@[192.0.2.1]"):
            code, words = c.bring("a@good.test", field)
            check(code == 550 and words.startswith("5.7.1 "), "%r: %d %s" % (field, code, words))
        code, words = c.mail("a@good.test", "alice@example.test", "Subject: x\r\n\r\nhello\r\n.\r\n")
        equal(code, 550, "no From at all")
        equal(c.bring("a@good.test", "S: a@good.test;")[0], 250, "a group of one")


def forged():
    """what claims to be our own verdict is taken out, that of others stays"""
    with World() as w, w.outside(GOOD) as c:
        extra = ("Authentication-Results: mx.example.test; spf=pass smtp.mailfrom=evil.test\r\n"
                 "Authentication-results: (x)\r\n MX.Example.TEST 1;\r\n\tdkim=pass header.d=evil.test\r\n"
                 "Authentication-Results: other.test; dkim=pass header.d=kept.test\r\n")
        equal(c.bring("a@good.test", "a@good.test", extra)[0], 250, "our answer")
        message, _ = w.last(1)
        check("evil.test" not in message and "kept.test" in message, message)
        big = "x" * 900 + "\r\n"
        equal(c.bring("a@good.test", "a@good.test", extra, big * 1000)[0], 250, "our answer to a large one")
        message, _ = w.last(2)
        check("evil.test" not in message and "kept.test" in message and message.count("x" * 900) == 1000, message[:2000])


def no_answer():
    """names that do not answer refuse nothing, and in bounded time"""
    with World() as w, w.outside(BAD) as c:
        begun = time.monotonic()
        equal(c.bring("a@silent.test", "a@silent.test")[0], 250, "our answer")
        _, results = w.last(1)
        check("spf=temperror" in results and "dmarc=temperror" in results, results)
        equal(c.bring("a@half.test", "a@half.test")[0], 250, "SPF without an answer, p=reject")
        _, results = w.last(2)
        check("spf=temperror" in results and "dmarc=temperror" in results, results)
        check(time.monotonic() - begun < 40 * LOAD, "took %.0f s" % (time.monotonic() - begun))


def configured():
    """spf = reject, dmarc = quarantine, the folder, Received-SPF, and what is switched off"""
    more = ('check { spf = "reject" dmarc = "quarantine" quarantine = "folder" received-spf = true iprev = false '
            'author = "mark" }\n')
    with World(more) as w:
        with w.outside(BAD) as c:
            c.command("MAIL FROM:<a@good.test>", 250)
            code, words = c.command("RCPT TO:<alice@example.test>")
            check(code == 550 and words.startswith("5.7.23 ") and "198.51.100.9 is not one of ours" in words, words)
            c.command("RSET", 250)
            equal(c.bring("a@plain.test", "a@reject.test")[0], 250, "our answer")
            message, results = w.last(1, ".Junk")
            check("dmarc=fail" in results and "iprev" not in results.replace("policy.iprev", ""), results)
            check("\nReceived-SPF: none " in message and "client-ip=198.51.100.9" in message, message)
            equal(c.bring("a@plain.test", "nobody")[0], 250, "author = mark")
        wait_until(lambda: len(w.server.mail("example.test", "alice")) == 1, 20, "one message outside of Junk")
    with World('check { spf = "off" dkim = false dmarc = "off" arc = false iprev = false author = "mark" }\n') as w:
        with w.outside(BAD) as c:
            equal(c.bring("a@reject.test", "a@reject.test")[0], 250, "our answer")
        wait_until(lambda: w.server.mail("example.test", "alice"), 20, "the message")
        check(b"Authentication-Results" not in w.server.mail("example.test", "alice")[0], "checks that are off")
        check(not [q for q in w.dns.queries if q[1] == "TXT"], "asked all the same")


def trusted():
    """clients in relay-from and limit-exempt are not asked about"""
    for more in ('relay-from = {"198.51.100.0/24"}\n', 'limit-exempt = {"198.51.100.0/24"}\n'):
        with World(more) as w, w.outside(BAD) as c:
            extra = "Authentication-Results: mx.example.test; spf=pass smtp.mailfrom=upstream.test\r\n"
            equal(c.bring("a@reject.test", "a@reject.test", extra)[0], 250, "our answer")
            wait_until(lambda: w.server.mail("example.test", "alice"), 20, "the message")
            message = w.server.mail("example.test", "alice")[0]
            equal(b"upstream.test" in message, "relay-from" in more, "what the client says in our name is kept")
            check(not [q for q in w.dns.queries if q[1] == "TXT"], "asked all the same")


def chunks():
    """BDAT, with a message that has no end of line at its end"""
    with World() as w, w.outside(GOOD) as c:
        text = "From: a@good.test\r\nSubject: x\r\n\r\nhello"
        c.command("MAIL FROM:<a@good.test>", 250)
        c.command("RCPT TO:<alice@example.test>", 250)
        c.send("BDAT %d\r\n%s" % (len(text) - 30, text[:-30]))
        equal(c.reply()[0], 250, "the first chunk")
        c.send("BDAT 30 LAST\r\n" + text[-30:])
        equal(c.reply()[0], 250, "the last chunk")
        check("dmarc=pass" in w.last(1)[1], "no pass")


def signed():
    """a DKIM signature of the author's domain passes DMARC from any client; one octet more and it does not"""
    with Folder() as f, World() as w, w.outside(BAD, "list.test") as c:
        key = f.file("key.pem")
        run("openssl", "genrsa", "-out", key, "2048")
        run("openssl", "rsa", "-in", key, "-pubout", "-outform", "DER", "-out", f.file("pub.der"))
        with open(f.file("pub.der"), "rb") as public:
            record = "v=DKIM1; k=rsa; p=" + base64.b64encode(public.read()).decode()
        w.dns.zone["sel._domainkey.reject.test"] = {"TXT": [record]}
        text = "From: a@reject.test\r\nSubject: x\r\n\r\n" + "".join("line %d\r\n" % i for i in range(60000))
        text = run(POSTRIDER, "dkim", "sign", "--domain", "reject.test", "--selector", "sel", "--key", key, "--algorithm",
                   "rsa-sha256", stdin=text).stdout.replace("\r\n", "\n").replace("\n", "\r\n")
        equal(c.mail("bounce@list.test", "alice@example.test", text + ".\r\n")[0], 250, "signed mail by another server")
        _, results = w.last(1)
        check("dkim=pass" in results and "dmarc=pass" in results and "spf=none" in results, results)
        code, words = c.mail("bounce@list.test", "alice@example.test", text + "more\r\n.\r\n")
        check(code == 550 and words.startswith("5.7.26 "), "changed mail: %d %s" % (code, words))


def main():
    t = Tally("server", "-v" in sys.argv)
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")]
    for case in (stands, from_field, forged, no_answer, configured, trusted, chunks, signed):
        if not wanted or case.__name__ in wanted:
            t.case(case.__name__ + ": " + case.__doc__, case)
    t.end()


if __name__ == "__main__":
    main()
