"""Several proxy listeners of one server that store what they take; how many recipients a proxy takes; who is too busy;
extensions of the server behind that we do not know."""
from common import main
import confs
from harness import check, equal, free_port, wait_until
from mailtext import message, stuffed
from postrider import Postrider
from proxy import FULL, Proxied
from smtp import Client, FakeServer


def each_its_own():
    """What a listener stored goes to the servers of that listener, also when others take every domain, too"""
    fakes = [FakeServer().start() for _ in range(4)]
    ports = [free_port() for _ in range(3)]
    text = confs.HEAD.format(host="edge.example.test")
    for i in range(2):
        text += 'listener e%d { address = "127.0.0.1:%d" proxy = "127.0.0.1:%d" proxy-mode = "store" }\n' % (
            i, ports[i], fakes[i].port)
    text += 'listener in { address = "127.0.0.1:%d" proxy = {"127.0.0.1:%d", "far"} split = "store" }\n' % (
        ports[2], fakes[2].port)
    text += 'upstream far { via = "127.0.0.1:%d" domains = {"far.test"} }\n' % fakes[3].port
    with Postrider(text, ports):
        for i, port in enumerate(ports):
            with Client(port) as c:
                c.hello()
                to = ["b@inner.test", "c@far.test"] if i == 2 else ["b@inner.test"]
                c.command("MAIL FROM:<a@client.test>", 250)
                for rcpt in to:
                    c.command("RCPT TO:<%s>" % rcpt, 250)
                c.command("DATA", 354)
                c.send(stuffed(message("m%d" % i)))
                equal(c.reply()[0], 250, "taken by listener %d" % i)
        for i, to in enumerate(["b@inner.test"] * 3 + ["c@far.test"]):
            came = fakes[i].wait(1, 30)
            equal([t.rcpts for t in came], [[to]], "what came to server %d" % i)
            check(b"m%d" % min(i, 2) in came[0].data, "the message of another listener came to server %d" % i)
    for f in fakes:
        f.stop()


def reports_go_elsewhere():
    """A report about mail that a listener stored is for its sender: it does not go to the servers behind the listener"""
    sink = FakeServer().start()
    with Proxied("store", script={"RCPT": "550 5.1.1 nobody"},
                 extra='route client.test { via = "smtp://127.0.0.1:%d" }\n' % sink.port) as p, p.talk() as c:
        equal(c.mail("a@client.test", "b@inner.test", stuffed(message("x")))[0], 250, "taken")
        equal(sink.wait(1, 30)[0].rcpts, ["a@client.test"], "who got the report")
        c.command("RSET", 250)
        equal(c.mail("a@other.test", "b@inner.test", stuffed(message("y")))[0], 250, "taken")
        wait_until(lambda: "to=a@other.test" in p.server.log(), 30, "the second report")
        check(not any("other.test" in x for x in p.fake.commands if x.startswith("RCPT")), "it went to the server behind")
    sink.stop()


def limit_of_recipients():
    """As many recipients as limits.recipients says, also before other servers, one by one and in one group"""
    for mode in ("inspect", "pass", "store"):
        with Proxied(mode, offers=FULL, extra="limits { recipients = 100 }\n") as p, p.talk() as c:
            for group in (False, True):
                lines = ["MAIL FROM:<a@client.test>"] + ["RCPT TO:<u%d@inner.test>" % i for i in range(101)]
                if group:
                    c.send("".join(x + "\r\n" for x in lines))
                said = [c.reply()[0] if group else c.command(x)[0] for x in lines]
                equal(said, [250] * 101 + [452], "answers in %s" % mode)
                c.command("RSET", 250)


def who_is_busy():
    """A server that says 421 to EHLO is quoted to the client"""
    for mode, want in (("inspect", 451), ("pass", 421)):
        with Proxied(mode, script={"EHLO": "421 4.3.2 not before noon"}) as p:
            with Client(p.port) as c:
                said = c.reply()
                if mode == "inspect":
                    c.command("EHLO client.test", 250)
                    said = c.command("MAIL FROM:<a@client.test>")
                equal((said[0], "not before noon" in said[1]), (want, True), "%s: %s" % (mode, said))


def others_parameters():
    """In pass a parameter that we do not know goes on, where the server offers one; what we cannot carry is not offered"""
    for offers, want in ((FULL + ("RRVS", "PRDR", "PIPECONNECT"), 250), (FULL + ("PRDR",), 555)):
        with Proxied("pass", offers=offers) as p, p.talk() as c:
            said = c.command("EHLO client.test")[1]
            check("PRDR" not in said and "PIPECONNECT" not in said, said)
            c.command("MAIL FROM:<a@client.test>", 250)
            equal(c.command("RCPT TO:<b@inner.test> RRVS=2014-04-03T23:01:00Z")[0], want, "RRVS")
            equal(c.command("RCPT TO:<b@inner.test> -=")[0] // 100, 5, "no parameter at all")
            c.command("RCPT TO:<c@inner.test>", 250)
            c.command("DATA", 354)
            c.send(stuffed(message("x")))
            equal(c.reply()[0], 250, "the end")
            check(("RCPT TO:<b@inner.test> RRVS=2014-04-03T23:01:00Z" in p.fake.commands) == (want == 250), str(p.fake.commands))
    with Proxied(offers=FULL + ("RRVS",)) as p, p.talk() as c:
        c.command("MAIL FROM:<a@client.test> FOO=1", 555)


if __name__ == "__main__":
    main("proxy_store", each_its_own, reports_go_elsewhere, limit_of_recipients, who_is_busy, others_parameters)
