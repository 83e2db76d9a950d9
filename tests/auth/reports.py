"""DMARC aggregate reports: what the server counted arrives where it was asked for, once, and nowhere else."""
import base64
import email
import gzip
import os
import re
import sqlite3
import sys
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from dnsd import DnsServer  # noqa: E402
from harness import POSTRIDER, Tally, check, equal, free_port, run, wait_until  # noqa: E402
from postrider import Postrider  # noqa: E402
from server import Outside  # noqa: E402
from smtp import FakeServer  # noqa: E402

NS = {"d": "urn:ietf:params:xml:ns:dmarc-2.0"}
SPF = {"TXT": ["v=spf1 ip4:192.0.2.1 -all"], "A": ["192.0.2.1"]}
ZONE = {
    "good.test": SPF,
    "_dmarc.good.test": {"TXT": ["v=DMARC1; p=reject; sp=none; aspf=s; rua=mailto:own@reports.good.test,mailto:ext@allowed.test,"
                                 "mailto:ext@denied.test,https://x.test/,mailto:third@allowed.test"]},
    "good.test._report._dmarc.allowed.test": {"TXT": ["v=DMARC1"]},
    "_dmarc.quiet.test": {"TXT": ["v=DMARC1; p=none"]},
}
FAILURE_ZONE = {
    "bad.test": SPF, "mild.test": SPF, "quiet.test": SPF,
    "_dmarc.bad.test": {"TXT": ["v=DMARC1; p=reject; ruf=mailto:own@bad.test,mailto:ext@allowed.test,mailto:ext@denied.test,"
                                "mailto:old@moved.test"]},
    "bad.test._report._dmarc.allowed.test": {"TXT": ["v=DMARC1"]},
    "bad.test._report._dmarc.moved.test": {"TXT": ["v=DMARC1; ruf=mailto:new@moved.test,mailto:x@elsewhere.test"]},
    "_dmarc.mild.test": {"TXT": ["v=DMARC1; p=none; fo=1; ruf=mailto:own@mild.test"]},
    "_dmarc.quiet.test": {"TXT": ["v=DMARC1; p=none; ruf=mailto:own@quiet.test"]},
}
CONF = """hostname = "mx.example.test"
data-dir = "data"
listener mx { address = "127.0.0.1:%d"  proxy-protocol-from = {"127.0.0.0/8"} }
domain example.test { deliver = "maildir"  mailboxes = {"alice"} }
dns { servers = {"127.0.0.1:%d"}  timeout = 30s }
route "*" { via = "smtp://127.0.0.1:%d" }
report { interval = "%s" max-lines = %d }
"""


def rows(xml):
    out = []
    for r in ElementTree.fromstring(xml).findall("d:record", NS):
        def get(path):
            found = r.find("/".join("d:" + p for p in path.split("/")), NS)
            return found.text if found is not None else None
        out.append((get("row/source_ip"), int(get("row/count")), get("row/policy_evaluated/disposition"),
                    get("row/policy_evaluated/dkim"), get("row/policy_evaluated/spf"), get("identifiers/header_from"),
                    get("auth_results/spf/result")))
    return sorted(out)


def packed_in(t):
    """The report in a message, as it was packed."""
    m = email.message_from_bytes(t.data if isinstance(t.data, bytes) else t.data.encode())
    return m.get_payload()[1].get_payload(decode=True)


def counted(there):
    """What all reports say together: (recipient, address, disposition, ...) -> messages. A period may end between two messages:
    then there is more than one report."""
    total = {}
    for t in list(there.transactions):
        for ip, count, *rest in rows(gzip.decompress(packed_in(t))):
            key = (t.rcpts[0], ip, *rest)
            total[key] = total.get(key, 0) + count
    return total


def sent():
    """the period over, a report goes to those who asked and may have it"""
    port = free_port()
    with FakeServer() as there, DnsServer(ZONE) as dns:
        with Postrider(CONF % (port, dns.port, there.port, "6s", 100), [port]) as server:
            with Outside(port, "192.0.2.1") as c:
                for _ in range(3):
                    equal(c.bring("a@good.test", "a@good.test")[0], 250, "good mail")
                equal(c.bring("a@quiet.test", "a@quiet.test")[0], 250, "mail of those who ask for nothing")
            with Outside(port, "198.51.100.9") as c:
                equal(c.bring("x@other.test", "a@good.test")[0], 550, "bad mail")
            wait_until(lambda: sum(counted(there).values()) >= 3 * 4, 60, "reports that tell of each message")
            server.wait_empty()
            total, seen = counted(there), {}
            for t in there.transactions:
                equal(t.sender, "", "the envelope's sender")
                m = email.message_from_bytes(t.data if isinstance(t.data, bytes) else t.data.encode())
                check(re.match(r"Report Domain: good\.test\s+Submitter: mx\.example\.test\s+Report-ID:\s+<", m["Subject"]), m["Subject"])
                part = m.get_payload()[1]
                equal(part.get_content_type(), "application/gzip", "the attachment")
                check(re.fullmatch(r"mx\.example\.test!good\.test!\d+!\d+\.xml\.gz", part.get_filename()), part.get_filename())
                packed = packed_in(t)
                xml = gzip.decompress(packed)
                for words in (b"<p>reject</p>", b"<sp>none</sp>", b"<aspf>s</aspf>", b"<domain>good.test</domain>"):
                    check(words in xml, "no %s in %s" % (words, xml))
                seen.setdefault(t.rcpts[0], []).append(packed)
            equal(sorted(seen), ["ext@allowed.test", "own@reports.good.test", "third@allowed.test"], "who got reports")
            for to in seen:
                equal(total.get((to, "192.0.2.1", "pass", "fail", "pass", "good.test", "pass")), 3, "good mail in it")
                equal(total.get((to, "198.51.100.9", "reject", "fail", "fail", "good.test", "none")), 1, "bad mail in it")
            path = server.folder.file("report.gz", next(iter(seen.values()))[0])
            text = run(POSTRIDER, "reports", "read", path).stdout
            check("good.test" in text and "192.0.2.1" in text and "mx.example.test" in text, text)
            os.makedirs(server.folder.file("box/new"))
            for n, t in enumerate(there.transactions):
                server.folder.file("box/new/%d" % n, t.data if isinstance(t.data, bytes) else t.data.encode())
            server.folder.file("box/new/other", "Subject: no report\n\nhello\n")
            text = run(POSTRIDER, "reports", "read", server.folder.file("box")).stdout
            equal(text.count("reported by mx.example.test"), len(there.transactions), "reports in a folder")
            raw = there.transactions[0].data
            text = run(POSTRIDER, "reports", "read", stdin=raw.decode() if isinstance(raw, bytes) else raw).stdout
            check("good.test" in text and "policy reject" in text, text)


def end_periods(server):
    """Moves all that was counted so far into the past, as if its period were over."""
    with sqlite3.connect(server.folder.file("data/reports.db")) as db:
        db.execute("UPDATE line SET begin = begin - 172800")
        db.execute("UPDATE policy SET begin = begin - 172800, due = due - 172800")
    db.close()


def bounded():
    """lines beyond the limit are not kept; a server that was ended sends what it had stored"""
    port = free_port()
    with FakeServer() as there, DnsServer(ZONE) as dns:
        with Postrider(CONF % (port, dns.port, there.port, "24h", 10), [port]) as server:
            for n in range(13):
                with Outside(port, "198.51.100.%d" % (n + 1)) as c:
                    equal(c.bring("x@other.test", "a@good.test")[0], 550, "bad mail")
            server.stop()
            end_periods(server)
            server.start()
            own = "own@reports.good.test"
            lines = wait_until(lambda: [key for key in counted(there) if key[0] == own], 60, "a report")
            server.wait_empty()
            equal(len(lines), 10, "lines of it")


def read_others():
    """reports of others: XML as it is, packed, in a message; what is none is said to be none"""
    xml = ('<?xml version="1.0"?><feedback><report_metadata><org_name>Big &amp; Co</org_name><email>a@b.test</email>'
           '<report_id>r1</report_id><date_range><begin>1700000000</begin><end>1700086399</end></date_range></report_metadata>'
           '<policy_published><domain>mine.test</domain><p>quarantine</p></policy_published>'
           '<record><row><source_ip>203.0.113.5</source_ip><count>7</count><policy_evaluated><disposition>quarantine'
           '</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>mine.test'
           '</header_from></identifiers><auth_results><spf><domain>x.test</domain><result>fail</result></spf></auth_results>'
           '</record></feedback>')
    message = ('From: a@b.test\nSubject: Report\nMIME-Version: 1.0\nContent-Type: %s; name="x"\n'
               'Content-Transfer-Encoding: base64\n\n%s')
    import io
    import zipfile
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("report.xml", xml)
    texts = [xml, message % ("application/gzip", base64.encodebytes(gzip.compress(xml.encode())).decode()),
             message % ("application/zip", base64.encodebytes(packed.getvalue()).decode())]
    for text in texts:
        out = run(POSTRIDER, "reports", "read", stdin=text).stdout
        check("Big & Co" in out and "mine.test" in out and "203.0.113.5" in out and "7" in out, out)
    bomb = message % ("application/gzip", base64.encodebytes(gzip.compress(b"<a>" * (50 << 20))).decode())
    for text in ("hello\n", "", bomb, message % ("application/gzip", "////"), xml[:200]):
        p = run(POSTRIDER, "reports", "read", stdin=text, ok=(65,))
        check("report" in p.stderr, p.stderr)


def moved():
    """another organization that wants aggregate reports at another address of its own gets them there, once"""
    zone = {"good.test": SPF, "_dmarc.good.test": {"TXT": ["v=DMARC1; p=none; rua=mailto:a@big.test,mailto:b@big.test,mailto:c@bad.test"]},
            "good.test._report._dmarc.big.test": {"TXT": ["v=DMARC1; rua=mailto:right@big.test,mailto:victim@victim.test"]},
            "good.test._report._dmarc.bad.test": {"TXT": ["v=DMARC1; rua=mailto:victim@victim.test"]}}
    port = free_port()
    with FakeServer() as there, DnsServer(zone) as dns:
        with Postrider(CONF % (port, dns.port, there.port, "5s", 100), [port]) as server:
            with Outside(port, "192.0.2.1") as c:
                equal(c.bring("a@good.test", "a@good.test")[0], 250, "mail")
            wait_until(lambda: len(there.transactions) >= 2, 40, "two reports")
            server.wait_empty()
            equal(sorted(r for t in there.transactions for r in t.rcpts), ["c@bad.test", "right@big.test"], "who got reports")


def failures():
    """failure reports: off until wanted; to those who asked and may have them; redacted; limited; never about a report"""
    port = free_port()
    with FakeServer() as there, DnsServer(FAILURE_ZONE) as dns:
        text = CONF % (port, dns.port, there.port, "24h", 100)
        with Postrider(text, [port]) as server:
            with Outside(port, "198.51.100.9") as c:
                equal(c.bring("x@other.test", "joe@bad.test")[0], 550, "bad mail")
            server.wait_empty()
        equal(len(there.transactions), 0, "reports of a server that was not told to make any")
        with Postrider(text.replace("max-lines", "failures = true  failure-limit = 2  max-lines"), [port]) as server:
            with Outside(port, "198.51.100.9") as c:
                for n in range(4):
                    equal(c.bring("bob@bad.test", "Joe <joe@bad.test>", "To: alice@example.test\r\nReceived: from a for <alice@example.test>; x\r\n"
                                  "Subject: secret %d\r\n" % n)[0], 550, "bad mail")
                equal(c.bring("bob@mild.test", "joe@mild.test")[0], 250, "mail that fails, under p=none")
                equal(c.bring("", "joe@bad.test")[0], 550, "a bounce")
                equal(c.bring("bob@bad.test", "joe@bad.test", "Auto-Submitted: auto-replied\r\n")[0], 550, "an answer of a machine")
            with Outside(port, "192.0.2.1") as c:
                equal(c.bring("joe@mild.test", "joe@mild.test")[0], 250, "mail that passes by SPF alone, under fo=1")
                equal(c.bring("joe@quiet.test", "joe@quiet.test")[0], 250, "the same under fo=0")
            wait_until(lambda: len(there.transactions) >= 8, 40, "reports")
            server.wait_empty()
            got = {}
            for t in there.transactions:
                got.setdefault(t.rcpts[0], []).append(t)
            equal({to: len(v) for to, v in got.items()},
                  {"own@bad.test": 2, "ext@allowed.test": 2, "new@moved.test": 2, "own@mild.test": 2}, "reports by receiver")
            t = got["own@bad.test"][0]
            equal(t.sender, "", "the envelope's sender")
            raw = t.data if isinstance(t.data, bytes) else t.data.encode()
            m = email.message_from_bytes(raw)
            equal((m.get_content_type(), m.get_param("report-type")), ("multipart/report", "feedback-report"), "the form")
            equal([p.get_content_type() for p in m.get_payload()], ["text/plain", "message/feedback-report", "text/rfc822-headers"], "the parts")
            fields = dict(m.get_payload()[1].get_payload()[0].items())
            wanted = {"Feedback-Type": "auth-failure", "Version": "1", "Auth-Failure": "dmarc", "Identity-Alignment": "none", "Source-IP": "198.51.100.9",
                      "Reported-Domain": "bad.test", "Delivery-Result": "reject", "Incidents": "1"}
            equal({k: fields[k] for k in wanted}, wanted, "the fields")
            check("dmarc=fail" in fields["Authentication-Results"] and "v=spf1" in fields["SPF-DNS"], "%r" % fields)
            for word in (b"alice", b"bob", b"joe@", b"secret"):
                check(word not in raw, "%r in %r" % (word, raw))
            equal(email.message_from_bytes((got["own@mild.test"][1].data)).get_payload()[1].get_payload()[0]["Identity-Alignment"], "spf", "what was aligned")
            text = run(POSTRIDER, "reports", "read", stdin=raw.decode()).stdout
            check("bad.test" in text and "198.51.100.9" in text, text)


def main():
    t = Tally("reports", "-v" in sys.argv)
    for case in (sent, bounded, moved, failures, read_others):
        t.case(case.__name__ + ": " + case.__doc__, case)
    t.end()


if __name__ == "__main__":
    main()
