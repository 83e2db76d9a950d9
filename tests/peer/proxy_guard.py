"""What a proxy listener must never do: relay for strangers, take a reply for an answer to something else, show secrets."""
import base64
import signal

from common import main
import confs
from harness import POSTRIDER, Process, check, equal, free_port, wait_until
from postrider import Postrider
from proxy import FULL, Proxied, modes
from smtp import Client, FakeServer


def relays_for_nobody():
    """What is stored before other servers is for their domains: a stranger's mail for others is refused, a friend's is not"""
    for mode, split in (("store", "defer"), ("inspect", "store")):
        for friends in ((), ("127.0.0.0/8",)):
            one, two, port = FakeServer().start(), FakeServer().start(), free_port()
            text = confs.HEAD.format(host="edge.example.test") + (
                'listener edge { address = "127.0.0.1:%d"  proxy = {"one", "two"}  proxy-mode = "%s"  split = "%s" }\n'
                'upstream one { via = "127.0.0.1:%d"  domains = {"one.test", ".one.test"} }\n'
                'upstream two { via = "127.0.0.1:%d"  domains = {"two.test", "bücher.test"} }\n'
                'route "*" { via = "smtp://127.0.0.1:%d" }\nrelay-from = {%s}\n' %
                (port, mode, split, one.port, two.port, two.port, ", ".join('"%s"' % f for f in friends)))
            with Postrider(text, [port]), Client(port) as c:
                c.hello()
                c.command("MAIL FROM:<a@client.test>", 250)
                for rcpt in ("x@one.test", "x@two.test", "x@sub.one.test", "x@xn--bcher-kva.test"):
                    c.command("RCPT TO:<%s>" % rcpt, 250)
                for rcpt in ("x@three.test", "x@sub.two.test", "x@[192.0.2.1]"):
                    code = c.command("RCPT TO:<%s>" % rcpt)[0]
                    equal(code, 250 if friends else 550, "%s in %s for %s" % (rcpt, mode, friends or "strangers"))
            one.stop()
            two.stop()


def replies_in_step():
    """A reply that no command asked for is never taken for the answer to a later one: nothing is acknowledged by it"""
    early = {"MAIL": "250 ok\r\n250 unasked\r\n354 unasked\r\n250 unasked",
             "RCPT": "250 ok\r\n354 unasked\r\n250 unasked",
             "DATA": "354 go on\r\n250 unasked"}

    def one(mode):
        for verb, said in early.items():
            script = {"TEXT": "552 5.3.4 not taken"}
            with Proxied(mode, script=script, offers=FULL, upstream='idle-time = "0"') as p, p.talk() as c:
                script = p.fake.script
                script[verb] = lambda session, line, said=said: said if "<>" not in line else None
                replies = [c.command("MAIL FROM:<a@client.test>")]
                replies.append(c.command("RCPT TO:<b@inner.test>"))
                replies.append(c.command("DATA"))
                if replies[-1][0] == 354:
                    c.send(".\r\n")
                    replies.append(c.reply())
                check(len(replies) < 4 or replies[-1][0] >= 400, "%s, %s: %s" % (mode, verb, replies))
                check(not any("unasked" in words for code, words in replies if code < 400),
                      "%s, %s: a reply to nothing came through: %s" % (mode, verb, replies))
    modes(one)


def secrets_stay():
    """Of a log-in that was refused or misspelt neither log, watch nor capture show the rest, though it is no command"""
    secrets = [base64.b64encode(b"\0user\0geheim%d" % i).decode() for i in range(6)]

    def one(mode):
        with Proxied(mode, offers=FULL + ("AUTH PLAIN LOGIN",),
                     script={"AUTH": "504 5.5.4 not this one"}, extra='log { level = "debug" }\n') as p:
            seen = [Process([POSTRIDER, word, "-c", p.server.conf], p.server.folder.file("seen-" + word)).start()
                    for word in ("watch", "capture")]
            wait_until(lambda: p.server.log().count("control uid=") >= len(seen), 10, "two who watch")
            with p.talk() as c:
                c.send("AUTH LOGIN\r\n%s\r\n%s\r\nNOOP\r\n" % tuple(secrets[:2]))
                equal([c.reply()[0] // 100 for _ in range(4)], [5, 5, 5, 2], "answers")
                for line in ("AUTH\tPLAIN\t" + secrets[2], " AUTH PLAIN " + secrets[3], "XAUTH PLAIN " + secrets[4],
                             "AUTH " + secrets[5]):
                    equal(c.command(line)[0] // 100, 5, line)
                c.command("RCPT TO:<author@inner.test>", 503)
                c.command("QUIT", 221)

            def shown():
                return [x.output(1 << 20) for x in seen] + [p.server.log()]

            wait_until(lambda: all("author@inner.test" in text for text in shown()), 10, "an ordinary command, shown by all three")
            texts = shown()
            for x in seen:
                x.stop(signal.SIGTERM)
            for text in texts:
                for secret in secrets:
                    check(secret not in text, "%s: %s is shown: %s" % (mode, secret, text))
    modes(one)


if __name__ == "__main__":
    main("proxy_guard", relays_for_nobody, replies_in_step, secrets_stay)
