"""Delivery by MX through a DNS server of the tests. The servers found listen on port 25 of loopback
addresses of their own (127.0.N.N), so this needs root."""
from common import main
import confs
from dnsd import DnsServer
from harness import check, equal, free_port, wait_until
from mailtext import message, parsed, stuffed
from postrider import Postrider
from smtp import Client, FakeServer


def At25(address, **more):
    """A scripted server on port 25 of one loopback address."""
    return FakeServer(address=address, port=25, **more)


class World:
    """postrider, DNS and servers at 127.0.25.1 to .N."""

    def __init__(self, zone, servers=2, script=None, extra=""):
        self.dns = DnsServer({"client.test": {"MX": ["10 home.client.test"]}, "home.client.test": {"A": ["127.0.25.99"]}, **zone})
        self.home = At25("127.0.25.99")
        self.servers = [At25("127.0.25.%d" % (i + 1), script=(script or {}).get(i)) for i in range(servers)]
        self.port = free_port()
        self.server = Postrider(confs.HEAD.format(host="relay.example.test") + (
            'listener mx { address = "127.0.0.1:%d" }\nrelay-from = {"127.0.0.0/8"}\nqueue { delays = {"1s"} }\n'
            'dns { servers = {"127.0.0.1:%d"} timeout = "2s" }\n' % (self.port, self.dns.port)) + extra, [self.port])

    def __enter__(self):
        self.dns.start()
        for s in [self.home, *self.servers]:
            s.start()
        self.server.__enter__()
        return self

    def __exit__(self, *args):
        self.server.__exit__(*args)
        for s in [self.home, *self.servers]:
            s.stop()
        self.dns.stop()

    def send(self, rcpts, mark="x"):
        with Client(self.port) as c:
            c.hello()
            equal(c.mail("sender@client.test", rcpts, stuffed(message(mark)))[0], 250, "our answer")

    def counts(self):
        return [len(s.transactions) for s in self.servers]

    def report(self):
        data = self.home.wait(1)[0].data
        equal(parsed(data).get_content_type(), "multipart/report", "the report")
        self.server.wait_empty()
        return data


TWO = {"dest.test": {"MX": ["20 mx2.dest.test", "10 mx1.dest.test"]}, "mx1.dest.test": {"A": ["127.0.25.1"]},
       "mx2.dest.test": {"A": ["127.0.25.2"]}}


def preference():
    """The best preference is used (RFC 5321 5.1)"""
    with World(TWO) as w:
        for _ in range(5):
            w.send("a@dest.test")
        w.server.wait_empty()
        equal(w.counts(), [5, 0], "messages at the two servers")


def fallback():
    """The next one when the best does not listen, or says 421"""
    with World({**TWO, "mx1.dest.test": {"A": ["127.0.25.77"]}}) as w:
        w.send("a@dest.test")
        w.server.wait_empty()
        equal(w.counts(), [0, 1], "messages at the two servers")
    with World(TWO, script={0: {"GREETING": lambda s, line: "421 4.3.2 not me"}}) as w:
        w.send("a@dest.test")
        w.server.wait_empty()
        equal(w.counts(), [0, 1], "messages at the two servers")


def equals():
    """Equal preferences share the mail"""
    zone = {"dest%d.test" % i: {"MX": ["10 mx1.dest.test", "10 mx2.dest.test"]} for i in range(40)}
    with World({**TWO, **zone}) as w:
        for i in range(40):
            w.send("a@dest%d.test" % i)
        w.server.wait_empty()
        check(all(n > 3 for n in w.counts()) and sum(w.counts()) == 40, "messages at the two servers: %s" % w.counts())


def implicit_mx():
    """A domain without MX is its own server (RFC 5321 5.1)"""
    with World({"dest.test": {"A": ["127.0.25.2"]}}) as w:
        w.send("a@dest.test")
        w.server.wait_empty()
        equal(w.counts(), [0, 1], "messages at the two servers")


def cname():
    """A domain that is an alias"""
    with World({**TWO, "alias.test": {"CNAME": "dest.test"}}) as w:
        w.send("a@alias.test")
        w.server.wait_empty()
        equal(w.counts(), [1, 0], "messages at the two servers")
        equal(w.servers[0].transactions[0].rcpts, ["a@alias.test"], "recipient")


def null_mx():
    """A null MX takes no mail: 5.1.10 (RFC 7505)"""
    with World({"dest.test": {"MX": ["0 ."], "A": ["127.0.25.1"]}}) as w:
        w.send("a@dest.test")
        check(b"5.1.10" in w.report(), "the report does not say 5.1.10")
        equal(w.counts(), [0, 0], "messages at the two servers")


def no_domain():
    """A domain that does not exist: 5.1.2"""
    with World({}) as w:
        w.send("a@nowhere.test")
        check(b"5.1.2" in w.report(), "the report does not say 5.1.2")


def dns_fails():
    """SERVFAIL is a reason to wait, not to return the message"""
    with World({"dest.test": "SERVFAIL", **{k: v for k, v in TWO.items() if k != "dest.test"}}) as w:
        w.send("a@dest.test")
        wait_until(lambda: any(q[0] == "dest.test" for q in w.dns.queries), 10, "a question")
        equal(w.server.queued(), 1, "messages that wait")
        w.dns.zone["dest.test"] = TWO["dest.test"]
        w.server.wait_empty(90)
        equal(w.counts(), [1, 0], "messages at the two servers")


def dns_silent():
    """So is a DNS server that does not answer"""
    with World({"dest.test": "TIMEOUT"}) as w:
        w.send("a@dest.test")
        wait_until(lambda: any(q[0] == "dest.test" for q in w.dns.queries), 10, "a question")
        equal(w.server.queued(), 1, "messages that wait")
        equal(w.home.transactions, [], "reports")


def several_addresses():
    """Every address of a server is tried"""
    with World({"dest.test": {"MX": ["10 mx1.dest.test"]}, "mx1.dest.test": {"A": ["127.0.25.78", "127.0.25.79", "127.0.25.2"]}}) as w:
        w.send("a@dest.test")
        w.server.wait_empty()
        equal(w.counts(), [0, 1], "messages at the two servers")


def large_answer():
    """An answer that does not fit into UDP is asked for again over TCP"""
    zone = {"dest.test": {"MX": ["10 mx1.dest.test"] + ["50 mx%d.%s.dest.test" % (i, "x" * 50) for i in range(40)],
                          "truncate": True}, "mx1.dest.test": {"A": ["127.0.25.1"]}}
    with World(zone) as w:
        w.send("a@dest.test")
        w.server.wait_empty()
        equal(w.counts(), [1, 0], "messages at the two servers")
        check(("dest.test", "MX", "tcp") in w.dns.queries, "TCP was not used")


def temporary_everywhere():
    """A temporary refusal by the best server: later, once; no second copy elsewhere"""
    with World(TWO, script={0: {"TEXT": ["451 4.3.0 later"]}}) as w:
        w.send("a@dest.test")
        w.server.wait_empty()
        equal(sum(w.counts()), 1, "messages at the two servers")


def two_domains():
    """Recipients in several domains each go their way"""
    with World({**TWO, "other.test": {"MX": ["10 mx2.dest.test"]}}) as w:
        w.send(["a@dest.test", "b@other.test", "c@nowhere.test"])
        report = w.report()
        equal([[t.rcpts for t in s.transactions] for s in w.servers], [[["a@dest.test"]], [["b@other.test"]]], "recipients")
        check(b"c@nowhere.test" in report, "the report")


def literal():
    """An address literal names the server itself (RFC 5321 4.1.3)"""
    with World({}) as w:
        w.send("a@[127.0.25.1]")
        w.server.wait_empty()
        equal(w.counts(), [1, 0], "messages at the two servers")


def ourselves():
    """An MX that is one of our own listeners is a loop, not a delivery"""
    with World({"dest.test": {"MX": ["10 us.dest.test"]}, "us.dest.test": {"A": ["127.0.25.50"]}},
               extra='listener b25 { address = "127.0.25.50:25" }\n') as w:
        w.send("a@dest.test")
        check(b"5.4.6" in w.report(), "the report does not say 5.4.6")


if __name__ == "__main__":
    main("mx", preference, fallback, equals, implicit_mx, cname, null_mx, no_domain, dns_fails, dns_silent, several_addresses,
         large_answer, temporary_everywhere, two_domains, literal, ourselves)
