"""SPF cases of our own for the families of RFC 7208 that the vectors at hand leave out: modifiers and explanations (5, 6), macros (7),
processing limits (4.6.4), and names that are none."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from dnsd import DnsServer  # noqa: E402
from harness import POSTRIDER, Tally, check, run  # noqa: E402


def spf(text, **more):
    return {"TXT": [text], **more}


IP6 = "2001:db8::babe:1"
NIBBLES = "1.0.0.0.e.b.a.b.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
ZONE = {
    "mail.test": {"A": ["192.0.2.7"], "AAAA": [IP6]},
    "7.2.0.192.in-addr.arpa": {"PTR": ["other.name.test", "mail.sub.ptr.test"]},
    NIBBLES + ".ip6.arpa": {"PTR": ["mail.sub.ptr.test"]},
    "other.name.test": {"A": ["192.0.2.7"]}, "mail.sub.ptr.test": {"A": ["192.0.2.7"], "AAAA": [IP6]},
    "msg.test": {"TXT": ["Refused: %{i} for %{s} (%{h}) by %{r} on %{v}"]},
    "time.test": {"TXT": ["at %{t} %{c} %%%_%-x"]}, "up.test": {"TXT": ["http://why.test/?%{S}&%{L}&%{I}"]},
    "bad.test": {"TXT": ["broken %{x}"]}, "bad2.test": {"TXT": ["100% sure"]}, "eight.test": {"TXT": [b"\xc3\xbc"]},
    "two.test": {"TXT": ["one", "two"]}, "slow.test": "TIMEOUT", "dot.test": {"TXT": ["ends in a dot."]}, "p.test": {"TXT": ["from %{p}"]},
    "rev.test": {"TXT": ["%{ir} %{l2r-} %{d1} %{dr} %{l1r+-} %{o0} x"]}, "rev2.test": {"TXT": ["%{ir}.%{v}|%{l2r-}|%{d1}|%{dr}|%{l1r+-}"]},
    "many.test": {"MX": ["10 m%d.test" % i for i in range(11)]}, "ten.test": {"MX": ["10 m%d.test" % i for i in range(9)] + ["10 mail.test"]},
    "wide.test": {"A": ["198.51.100.%d" % i for i in range(1, 30)] + ["192.0.2.7"]},
    "a.b-c.d.user.e.test": {"A": ["127.0.0.2"]}, "b.x.user.e.test": {"A": ["127.0.0.2"]},
    "7.2.0.192.in-addr.list.test": {"A": ["127.0.0.2"]}, NIBBLES + ".ip6.list.test": {"A": ["127.0.0.2"]},
    "%%20 x.test": {"A": ["127.0.0.2"]}, "six.test": {"AAAA": ["::1"]},
    "loop-i.test": spf("v=spf1 include:loop-i.test -all"), "loop-r.test": spf("v=spf1 redirect=loop-r.test"),
    "soft.test": spf("v=spf1 ~all exp=msg.test"), "none.test": {"A": ["192.0.2.1"]}, "inner.test": spf("v=spf1 -all exp=msg.test"),
    "chain0.test": spf("v=spf1 ip4:192.0.2.7 -all"), **{"chain%d.test" % i: spf("v=spf1 include:chain%d.test -all" % (i - 1)) for i in range(1, 13)},
    "e.test": {"A": ["192.0.2.99"]}, "x.e.test": {"A": ["192.0.2.7"]},
    ".".join(["b" * 59] * 4) + ".e.test": {"A": ["192.0.2.7"]},
}
# (record of c.test, result, explanation or None, changes: ip, from, helo)
CASES = [
    # modifiers
    ("v=spf1 exp=msg.test exp=msg.test -all", "permerror", None, {}),
    ("v=spf1 redirect=inner.test redirect=inner.test", "permerror", None, {}),
    ("v=spf1 exp=dot.test redirect=inner.test", "fail", "Refused: 192.0.2.7 for a@c.test (h.test) by us.test on in-addr", {}),
    ("v=spf1 exp=msg.test redirect=chain0.test", "pass", None, {}),
    ("v=spf1 redirect=none.test", "permerror", None, {}),
    ("v=spf1 redirect=missing.test", "permerror", None, {}),
    ("v=spf1 redirect=", "permerror", None, {}),
    ("v=spf1 redirect", "permerror", None, {}),
    ("v=spf1 redirect=slow.test", "temperror", None, {}),
    ("v=spf1 redirect=none.test ip4:192.0.2.7", "pass", None, {}),
    ("v=spf1 redirect=inner.test ?all", "neutral", None, {}),
    ("v=spf1 include:inner.test -all exp=dot.test", "fail", "ends in a dot.", {}),
    ("v=spf1 include:soft.test", "neutral", None, {}),
    ("v=spf1 exp= -all", "permerror", None, {}),
    ("v=spf1 exp=%{x}.test -all", "permerror", None, {}),
    ("v=spf1 exp=msg.test?all", "permerror", None, {}),
    ("v=spf1 default=deny", "neutral", None, {}),
    ("v=spf1 moo=%{s} -all", "fail", None, {}),
    ("v=spf1 moo=%{z} -all", "permerror", None, {}),
    ("v=spf1 moo=%abc -all", "permerror", None, {}),
    ("v=spf1 =all -all", "permerror", None, {}),
    ("v=spf1 1x=y -all", "permerror", None, {}),
    ("v=spf1 a_-.1= -all", "fail", None, {}),
    # explanations that cannot be had
    *[("v=spf1 -all exp=" + name, "fail", None, {}) for name in ("missing.test", "bad.test", "bad2.test", "eight.test", "two.test", "slow.test", "none.test")],
    ("v=spf1 -all exp=DOT.test.", "fail", "ends in a dot.", {}),
    # macros
    ("v=spf1 -all exp=time.test", "fail", "at 1700000000 2001:db8::babe:1 % %20x", {"ip": IP6}),
    ("v=spf1 -all exp=msg.test", "fail", "Refused: 2.0.0.1.0.D.B.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.B.A.B.E.0.0.0.1 for postmaster@h.test (h.test) by us.test on ip6",
     {"ip": IP6, "from": "", "helo": "h.test", "domain": "h.test"}),
    ("v=spf1 -all exp=up.test", "fail", "http://why.test/?a%26b%3Dc%2Bd%40c.test&a%26b%3Dc%2Bd&192.0.2.7", {"from": "a&b=c+d@c.test"}),
    ("v=spf1 -all exp=rev2.test", "fail", "7.2.0.192.in-addr|b.a|test|test.c|a", {"from": "a-b-x@c.test", "l": 1}),
    ("v=spf1 -all exp=rev.test", "fail", None, {}),
    ("v=spf1 exists:%{ir}.%{v}.list.test -all", "pass", None, {}),
    ("v=spf1 exists:%{ir}.%{v}.list.test -all", "pass", None, {"ip": IP6}),
    ("v=spf1 exists:%{l2r-}.user.e.test -all", "pass", None, {"from": "x-b-d@c.test", "l": 2}),
    ("v=spf1 exists:%%%-%_x.test -all", "pass", None, {}),
    ("v=spf1 a:%{h} -all", "pass", None, {"helo": "mail.test"}),
    ("v=spf1 a:%{H} -all", "fail", None, {"helo": "JUMPIN' JUPITER"}),
    ("v=spf1 a:%{H} -all", "fail", None, {"helo": "[192.0.2.7]"}),
    ("v=spf1 a:%{c}.test -all", "permerror", None, {}),
    ("v=spf1 a:%{r}.test -all", "permerror", None, {}),
    ("v=spf1 a:%{t}.test -all", "permerror", None, {}),
    ("v=spf1 exists:%(ir).test -all", "permerror", None, {}),
    ("v=spf1 exists:host%.test -all", "permerror", None, {}),
    ("v=spf1 exists:a.test% -all", "permerror", None, {}),
    ("v=spf1 exists:%{i0}.test -all", "permerror", None, {}),
    ("v=spf1 exists:%{i.test -all", "permerror", None, {}),
    ("v=spf1 a:%{d}.%{d}.test. -all", "fail", None, {}),
    ("v=spf1 redirect=chain0.test.", "pass", None, {}),
    ("v=spf1 -all exp=p.test", "fail", "from unknown", {"ip": "192.0.2.8"}),
    ("v=spf1 a:%{l}." + ".".join(["b" * 59] * 4) + ".e.test -all", "pass", None, {"from": "%s@c.test" % ("y" * 40)}),
    # limits
    ("v=spf1 include:loop-i.test -all", "permerror", None, {}),
    ("v=spf1 redirect=loop-r.test", "permerror", None, {}),
    ("v=spf1 include:chain9.test -all", "pass", None, {}),
    ("v=spf1 include:chain10.test -all", "permerror", None, {}),
    ("v=spf1 mx:many.test -all", "permerror", None, {}),
    ("v=spf1 mx:ten.test -all", "permerror", None, {"either": "pass"}),
    ("v=spf1 a:wide.test -all", "pass", None, {}),
    ("v=spf1 " + "a:e.test " * 9 + "a:mail.test -all", "pass", None, {}),
    ("v=spf1 " + "a:e.test " * 10 + "a:mail.test -all", "permerror", None, {}),
    ("v=spf1 a:v1.test a:v2.test ?all", "neutral", None, {}),
    ("v=spf1 a:v1.test a:v2.test a:v3.test ?all", "permerror", None, {}),
    ("v=spf1 exists:six.test exists:v2.test mx:v3.test ip4:192.0.2.7", "permerror", None, {}),
    ("v=spf1 a:v1.test include:none.test", "permerror", None, {}),
    ("v=spf1 ip4:192.0.2.7 " + "a:e.test " * 20 + "-all", "pass", None, {}),
    # the client's names
    ("v=spf1 ptr:ptr.test -all", "pass", None, {}),
    ("v=spf1 ptr:ptr.test -all", "pass", None, {"ip": IP6}),
    ("v=spf1 ptr:MAIL.sub.PTR.test -all", "pass", None, {}),
    ("v=spf1 ptr:b.ptr.test -all", "fail", None, {}),
    ("v=spf1 ptr:tr.test -all", "fail", None, {}),
    ("v=spf1 ptr -all", "fail", None, {}),
    ("v=spf1 ptr: -all", "permerror", None, {}),
    ("v=spf1 ptr/0 -all", "permerror", None, {}),
    # words
    ("V=SPF1 IP4:192.0.2.7 -ALL", "pass", None, {}),
    ("v=spf1", "neutral", None, {}),
    ("v=spf10 -all", "none", None, {}),
    ("v=spf1 ip4:192.0.2.0/33 -all", "permerror", None, {}),
    ("v=spf1 ip4:192.0.2.0/024 -all", "permerror", None, {}),
    ("v=spf1 ip4:192.0.2 -all", "permerror", None, {}),
    ("v=spf1 ip6:2001:db8::/129 -all", "permerror", None, {}),
    ("v=spf1 ip6:2001:DB8::/32 -all", "pass", None, {"ip": IP6}),
    ("v=spf1 ip6:::ffff:192.0.2.7/128 -all", "fail", None, {}),
    ("v=spf1 ip4:192.0.2.7 -all", "pass", None, {"ip": "::ffff:192.0.2.7"}),
    ("v=spf1 a:mail.test//64 -all", "pass", None, {"ip": "2001:db8::1"}),
    ("v=spf1 a:mail.test/24//0 -all", "pass", None, {"ip": "2002::1"}),
    ("v=spf1 a:mail.test//129 -all", "permerror", None, {}),
    ("v=spf1 a:mail.test/24/64 -all", "permerror", None, {}),
    ("v=spf1 a:test -all", "permerror", None, {}),
    ("v=spf1 a:1.2.3.4 -all", "permerror", None, {}),
    ("v=spf1 a:mail.test:25 -all", "permerror", None, {}),
    ("v=spf1 all. -all", "permerror", None, {}),
    ("v=spf1 +-all", "permerror", None, {}),
    ("v=spf1 include -all", "permerror", None, {}),
    ("v=spf1 -all\t", "permerror", None, {}),
]
NAMES = [("a@" + "x" * 64 + ".test", "none"), ("a@a..test", "none"), ("a@test", "none"), ("a@[192.0.2.7]", "none"), ("a@.test", "none")]


def one(dns, sender, helo, ip):
    p = run(POSTRIDER, "spf", "--ip", ip, "--helo", helo, "--from", sender, "--explanation", "--hostname", "us.test", "--time", "1700000000",
            "--resolver", "127.0.0.1:%d" % dns.port, seconds=60)
    return p.stdout.splitlines()


def case(dns, record, result, explanation, change):
    dns.zone[change.get("domain", "c.test")] = {"TXT": [record]}
    lines = one(dns, change.get("from", "a@c.test"), change.get("helo", "h.test"), change.get("ip", "192.0.2.7"))
    check(lines[0] in (result, change.get("either")), "expected %s, found %r" % (result, lines))
    if explanation:
        check(lines[1] == "explanation: " + explanation, "expected %r, found %r" % (explanation, lines[1]))


def main():
    t = Tally("spf_families", "-v" in sys.argv)
    with DnsServer(dict(ZONE)) as dns:
        for record, result, explanation, change in CASES:
            t.case("%s %s" % (record[:100], {k: v for k, v in change.items() if k != "l"} or ""), case, dns, record, result, explanation, change)
        for sender, result in NAMES:
            t.case(sender[:40], lambda: check(one(dns, sender, "h.test", "192.0.2.7")[0] == result, sender))
    t.end()


main()
