"""TLS reports (RFC 8460): what one postrider saw of servers is counted, mailed and posted; another one keeps and shows it. DMARC
aggregate reports go the same round, and Python's own libraries read both. Web servers and MX listen on loopback addresses of
their own, so this needs root."""
import email
import gzip
import http.server
import json
import os
import ssl
import threading

from common import main
from checks import Checker, new_key
import confs
from dnsd import DnsServer
from harness import Authority, Folder, certificate, check, equal, free_port, port_open, pypi, run, wait_until
from mailtext import message, stuffed
from postrider import Postrider
from smtp import Client, FakeServer

WEB, COLLECTOR, RECEIVER = "127.0.28.200", "127.0.28.201", "127.0.28.202"


class Web:
    """Policies by GET, reports by POST; `refuse` of them first with 503."""

    def __init__(self, address, port, pair, policies=None, refuse=0):
        self.posted, self.refuse = [], refuse
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, code, body=b""):
                self.send_response(code)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                text = (policies or {}).get(self.headers["Host"][len("mta-sts."):])
                self.answer(200 if text else 404, (text or "no").encode())

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if web.refuse:
                    web.refuse -= 1
                    return self.answer(503)
                web.posted.append((self.path, self.headers["Content-Type"], body))
                self.answer(201)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def policy(mode, mx):
    return "version: STSv1\r\nmode: %s\r\nmx: %s\r\nmax_age: 86400\r\n" % (mode, mx)


RUA = "v=TLSRPTv1; rua=mailto:tls@receiver.test,https://collector.test:%d/v1/reports"
# name: (policy or None, pair of its server or None, policy-type, result or "" for success)
DOMAINS = {
    "good": (policy("enforce", "mx.good.test"), "good", "sts", ""),
    "opportune": (None, "self", "no-policy-found", ""),
    "plain": (None, None, "no-policy-found", "starttls-not-supported"),
    "untrusted": (policy("enforce", "mx.untrusted.test"), "self", "sts", "certificate-not-trusted"),
    "named": (policy("enforce", "mx.named.test"), "other", "sts", "certificate-host-mismatch"),
    "tested": (policy("testing", "mx.tested.test"), "self", "sts", "certificate-not-trusted"),
    "elsewhere": (policy("testing", "mx.not.test"), "good", "sts", "validation-failure"),
    "stripped": (policy("enforce", "mx.stripped.test"), None, "sts", "starttls-not-supported"),
    "broken": ("version: STSv1\n", "self", "sts", "sts-policy-invalid"),
    "gone": ("", "self", "sts", "sts-policy-fetch-error"),
    "silent": (None, "self", None, ""),           # asks for no reports
}
SENDER = """listener mx { address = "127.0.0.1:%d" }
relay-from = {"127.0.0.0/8"}
queue { delays = {"1h"}  idle-time = "100ms" }
send { mx-port = %d  ca-file = "%s" }
dns { servers = {"127.0.0.1:%d"}  timeout = "30s" }
dkim s._domainkey.example.test { key = "dkim.pem"  algorithm = "ed25519-sha256" }
report { interval = "%s"  spread = "1s" }
"""
KEEPER = """listener mx { address = "%s:%d" }
listener here { address = "127.0.0.1:%d"  proxy-protocol-from = {"127.0.0.0/8"} }
limit-exempt = {"192.0.2.99/32"}
domain receiver.test { deliver = "maildir"  mailboxes = {"postmaster"} }
dns { servers = {"127.0.0.1:%d"}  timeout = "30s" }
report { received = {"tls@receiver.test", "dmarc@receiver.test"}  interval = "1h" }
"""


def outside(port, address, sender, author, to):
    """Mail of a client whose address is what a PROXY header says; our answer's code."""
    with Client(port) as c:
        c.send(b"PROXY TCP4 %s 127.0.0.1 40000 25\r\n" % address.encode())
        c.hello()
        return c.mail(sender, [to], b"From: %s\r\nSubject: x\r\n\r\nwho are you?\r\n.\r\n" % author.encode())[0]


class World:
    """A sends to all of DOMAINS; B keeps the reports."""

    def __init__(self, interval="8s", refuse=0):
        self.folder, ours = Folder(), Folder()
        ca = Authority(self.folder)
        pairs = {"good": ca.issue(*["mx.%s.test" % n for n in DOMAINS]), "self": certificate(self.folder),
                 "other": ca.issue("mx.someone.test"), None: None}
        self.mx, self.port, self.here, web = free_port(), free_port(), free_port(), free_port()
        policies = {n + ".test": p for n, (p, *_) in DOMAINS.items() if p}
        policies["receiver.test"] = policy("enforce", "mx.not.test")
        self.web = Web(WEB, 443, ca.issue("mta-sts.receiver.test", *["mta-sts.%s.test" % n for n in DOMAINS]), policies)
        self.collector = Web(COLLECTOR, web, pairs["self"], refuse=refuse)     # nobody vouches for it (RFC 8460 3)
        self.zone, self.servers = {}, {}
        for i, (name, (text, pair, *_)) in enumerate(DOMAINS.items()):
            address = "127.0.28.%d" % (i + 1)
            self.servers[name] = FakeServer(address=address, port=self.mx, certificate=pairs[pair],
                                            offers=FakeServer.USUAL + (("STARTTLS",) if pair else ()))
            self.zone["%s.test" % name] = {"MX": ["10 mx.%s.test" % name]}
            self.zone["mx.%s.test" % name] = {"A": [address]}
            self.zone["mta-sts.%s.test" % name] = {"A": [WEB]}
            if text is not None:
                self.zone["_mta-sts.%s.test" % name] = {"TXT": ["v=STSv1; id=1;"]}
            if name != "silent":
                self.zone["_smtp._tls.%s.test" % name] = {"TXT": [RUA % web]}
        # the receiver's own policy fits nothing: reports come all the same (5.3)
        self.zone["receiver.test"] = {"MX": ["10 mx.receiver.test"]}
        self.zone["mx.receiver.test"] = {"A": [RECEIVER]}
        self.zone["_mta-sts.receiver.test"] = {"TXT": ["v=STSv1; id=1;"]}
        self.zone["mta-sts.receiver.test"] = {"A": [WEB]}
        self.zone["collector.test"] = {"A": [COLLECTOR]}
        self.zone["example.test"] = {"TXT": ["v=spf1 ip4:127.0.0.0/8 -all"]}
        self.zone.update(new_key(os.path.join(ours.path, "dkim.pem"), "example.test", "s", "ed25519-sha256"))
        self.dns = DnsServer(self.zone)
        self.a = Postrider(confs.HEAD.format(host="relay.example.test") +
                           SENDER % (self.port, self.mx, ca.certificate, self.dns.port, interval), [self.port], folder=ours)
        self.b = Postrider(confs.HEAD.format(host="mx.receiver.test") + KEEPER % (RECEIVER, self.mx, self.here, self.dns.port),
                           [self.here])

    def __enter__(self):
        self.dns.start()
        for s in self.servers.values():
            s.start()
        self.b.__enter__()
        self.a.__enter__()
        return self

    def __exit__(self, *what):
        self.a.__exit__(*what)
        self.b.__exit__(*what)
        for s in self.servers.values():
            s.stop()
        self.dns.stop()
        self.web.stop()
        self.collector.stop()
        self.folder.remove()

    def send(self, name):
        with Client(self.port) as c:
            c.hello()
            equal(c.mail("sender@client.test", ["someone@%s.test" % name], stuffed(message(name)))[0], 250, "our answer")

    def kept(self, kind, count, seconds=60):
        return wait_until(lambda: (lambda v: v if len(v) >= count else None)(
            self.b.json("reports", "list", "--kind", kind)["reports"]), seconds, "%d reports of kind %s" % (count, kind))


def whole_round():
    """Every kind of policy and failure: counted by one server, mailed, kept and shown by the other, posted as well"""
    with World() as w:
        for name in DOMAINS:
            w.send(name)
        wanted = {n + ".test" for n in DOMAINS if n != "silent"}
        wait_until(lambda: {r["domain"] for r in w.b.json("reports", "list", "--kind", "tls")["reports"]} >= wanted, 60,
                   "a report about each domain")
        found = w.b.json("reports", "list", "--kind", "tls")["reports"]
        equal({r["domain"] for r in found}, wanted, "domains that are reported about")
        check(all(r["organization"] == "relay.example.test" and r["signed"] for r in found), "%r" % found)
        sums = w.b.json("reports", "summary", "--kind", "tls")["sources"]
        for name, (_, _, kind, result) in DOMAINS.items():
            if name == "silent":
                continue
            mine = {(s["source"], s["what"]): (s["total"], s["failed"]) for s in sums if s["domain"] == name + ".test"}
            total, failed = mine[(name + ".test", kind)]
            check(total >= 1 and failed == (total if result else 0), "%s: %r" % (name, mine))
            if result:
                check(any(k[1] == result for k in mine), "%s: no %s in %r" % (name, result, mine))
        one = [r for r in found if r["domain"] == "tested.test"][0]
        full = w.b.json("reports", "show", str(one["id"]))
        line = full["policies"][0]
        equal(line["hosts"], ["mx.tested.test"], "mx-host")
        check("mode: testing" in line["lines"], "%r" % line)
        failure = line["failures"][0]
        equal((failure["host"], failure["host_ip"]), ("mx.tested.test", "127.0.28.6"), "whose server")
        text = w.b.cli("reports", "show", str(one["id"])).stdout
        check("certificate-not-trusted" in text and "mx.tested.test" in text, text)
        text = w.b.cli("reports").stdout
        check("tested.test" in text and "relay.example.test" in text, text)
        text = w.b.cli("reports", "summary", "--domain", "tested.test").stdout
        check("tested.test  TLS" in text and "plain.test" not in text, text)
        equal(w.b.cli("reports", "list", "--domain", "nobody.test").stdout, "no reports\n", "a filter that fits nothing")
        equal(w.b.json("reports", "list", "--until", "2020-01-01"), {"reports": []}, "a filter by time")
        check(len(w.b.json("reports", "list", "--since", "1d")["reports"]) >= len(wanted), "another")
        # by HTTPS, too
        listed, whole = w.b.cli("reports", "list", "--kind", "tls").stdout, w.b.json("reports", "show", str(one["id"]))
        w.b.stop()                                          # reports.db is read by the command itself
        equal(w.b.cli("reports", "list", "--kind", "tls").stdout, listed, "the list without a server")
        equal(w.b.json("reports", "show", str(one["id"])), whole, "one of them without a server")
        check("tested.test" in w.b.cli("reports", "summary").stdout, "the sums without a server")
        check("there is no report 99999" in w.b.cli("reports", "show", "99999", ok=(1,)).stderr, "one that is not there")
        w.b.start()
        wait_until(lambda: len(w.collector.posted) >= len(wanted), 60, "posted reports")
        for path, kind, body in w.collector.posted:
            equal((path, kind), ("/v1/reports", "application/tlsrpt+gzip"), "the request")
            report = json.loads(gzip.decompress(body))
            check(report["policies"][0]["policy"]["policy-type"] in ("sts", "no-policy-found"), "%r" % report)


def as_mail():
    """The message has the fields and parts of RFC 8460 5.3, and its signature verifies; what is refused by HTTPS comes again"""
    with World(refuse=1) as w:
        w.b.stop()
        with FakeServer(address=RECEIVER, port=w.mx) as fake:
            w.send("good")
            t = fake.wait(1, 40)[0]
        m = email.message_from_bytes(t.data)
        equal((m["TLS-Report-Domain"], m["TLS-Report-Submitter"]), ("good.test", "relay.example.test"), "fields")
        equal((m.get_content_type(), m.get_param("report-type")), ("multipart/report", "tlsrpt"), "the type")
        part = m.get_payload()[1]
        equal(part.get_content_type(), "application/tlsrpt+gzip", "the part")
        name = part.get_filename().split("!")
        equal((name[0], name[1], name[3].split(".", 1)[1]), ("relay.example.test", "good.test", "json.gz"), "the file's name")
        report = json.loads(gzip.decompress(part.get_payload(decode=True)))
        equal(report["policies"][0]["summary"]["total-failure-session-count"], 0, "failures")
        check("Report-ID: <%s>" % report["report-id"] in " ".join(m["Subject"].split()), m["Subject"])
        check(report["date-range"]["start-datetime"].endswith("Z") and "mailto" not in report["contact-info"], "%r" % report)
        with Checker(w.zone) as c:
            lines = c("dkim", "verify", message=t.data)
        check(lines[0].startswith("pass d=example.test"), "%r" % lines)
        equal(w.collector.posted, [], "refused at first")
        wait_until(lambda: w.collector.posted, 90, "the second attempt")


PARSER = """
import json, sys, parsedmarc
got = parsedmarc.parse_report_email(sys.stdin.buffer.read(), offline=True)
print(json.dumps(got, default=str))
"""


def parsed_by(python, message):
    return json.loads(run(python, "-c", PARSER, stdin=message.decode(), seconds=120).stdout.splitlines()[-1])


def others_read():
    """parsedmarc reads our reports, TLS and DMARC, and says the same"""
    python = pypi("parsedmarc", "11.1.0")
    with World() as w:
        zone = w.dns.zone
        zone["_mta-sts.receiver.test"] = "NXDOMAIN"
        zone["_dmarc.author.test"] = {"TXT": ["v=DMARC1; p=reject; rua=mailto:dmarc@receiver.test"]}
        zone["author.test._report._dmarc.receiver.test"] = {"TXT": ["v=DMARC1"]}
        zone["author.test"] = {"TXT": ["v=spf1 ip4:192.0.2.1 -all"]}
        w.b.stop()
        inner = free_port()
        w.a.reload(open(w.a.conf).read() +
                   'listener outside { address = "127.0.0.1:%d"  proxy-protocol-from = {"127.0.0.0/8"} }\n'
                   'domain example.test { deliver = "discard" }\n' % inner)
        wait_until(lambda: port_open(inner), 20, "the new listener")
        with FakeServer(address=RECEIVER, port=w.mx) as fake:
            w.send("tested")
            equal(outside(inner, "198.51.100.9", "x@other.test", "x@author.test", "alice@example.test"), 550, "bad mail")
            wait_until(lambda: len(fake.transactions) >= 2, 40, "both reports")
            found = {}
            for t in fake.transactions:
                got = parsed_by(python, t.data)
                found[got["report_type"]] = got["report"]
    one = found["smtp_tls"]
    equal(one["organization_name"], "relay.example.test", "who reports")
    policy_seen = one["policies"][0]
    equal((policy_seen["policy_domain"], policy_seen["policy_type"], policy_seen["failed_session_count"]), ("tested.test", "sts", 1),
          "the policy")
    equal(policy_seen["failure_details"][0]["result_type"], "certificate-not-trusted", "the failure")
    one = found["aggregate"]
    equal((one["policy_published"]["domain"], one["policy_published"]["p"]), ("author.test", "reject"), "the policy")
    record = one["records"][0]
    equal((record["source"]["ip_address"], record["count"], record["policy_evaluated"]["disposition"]), ("198.51.100.9", 1, "reject"),
          "the row")


def dmarc_round():
    """A DMARC aggregate report of one server is kept and shown by the other; what is no report goes to the postmaster"""
    with World() as w:
        zone = w.dns.zone
        zone["_mta-sts.receiver.test"] = "NXDOMAIN"       # only TLS reports pass it over
        zone["_dmarc.author.test"] = {"TXT": ["v=DMARC1; p=reject; rua=mailto:small@receiver.test!1k,mailto:dmarc@receiver.test"]}
        zone["author.test._report._dmarc.receiver.test"] = {"TXT": ["v=DMARC1"]}
        zone["author.test"] = {"TXT": ["v=spf1 ip4:192.0.2.1 -all"]}
        conf = open(w.a.conf).read()
        inner = free_port()
        w.a.ports.append(inner)
        w.a.stop()
        with open(w.a.conf, "w") as f:
            f.write(conf + 'listener outside { address = "127.0.0.1:%d"  proxy-protocol-from = {"127.0.0.0/8"} }\n'
                    'domain example.test { deliver = "discard" }\n' % inner)
        w.a.start()
        equal(outside(inner, "192.0.2.1", "x@author.test", "x@author.test", "alice@example.test"), 250, "good mail")
        equal(outside(inner, "198.51.100.9", "x@other.test", "x@author.test", "alice@example.test"), 550, "bad mail")
        def known():
            sums = {(s["source"], s["what"]): (s["total"], s["failed"]) for s in w.b.json("reports", "summary")["sources"]}
            return sums if sum(total for total, _ in sums.values()) >= 2 else None
        sums = wait_until(known, 60, "a report, or two, of two messages")
        found = w.b.json("reports", "list", "--kind", "dmarc")["reports"]
        equal(sums[("192.0.2.1", "author.test")], (1, 0), "good mail in the summary")
        equal(sums[("198.51.100.9", "author.test")], (1, 1), "bad mail in the summary")
        text = w.b.cli("reports", "show", str(found[0]["id"])).stdout
        check("author.test, policy reject" in text and "198.51.100.9" in text and "-> reject" in text, text)
        # not a report
        equal(outside(w.here, "192.0.2.7", "a@b.test", "a@b.test", "DMARC@receiver.test"), 250, "accepted")
        letters = w.b.wait_mail("receiver.test", "postmaster")
        check(b"who are you?" in letters[0], "%r" % letters)
        equal(w.b.cli("reports", "remove", str(found[0]["id"])).stdout, "report %d is removed\n" % found[0]["id"], "removed")
        check(w.b.cli("reports", "show", str(found[0]["id"]), ok=(1,)).stderr, "a removed one is said to be gone")


if __name__ == "__main__":
    main("tlsrpt", whole_round, as_mail, others_read, dmarc_round)
