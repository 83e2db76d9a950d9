"""Reports made to cost: bombs of XML, gzip, ZIP, JSON and MIME, read in bounded time and memory, and said to be what they are."""
import base64
import gzip
import io
import os
import resource
import subprocess
import sys
import zipfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from harness import POSTRIDER, Tally, check, equal  # noqa: E402

ASAN = "asan" in POSTRIDER
SECONDS, MEMORY = 6.0, 700 << 20
MAIL = 'From: a@b.test\r\nSubject: Report\r\nMIME-Version: 1.0\r\nContent-Type: %s; name="x"\r\nContent-Transfer-Encoding: base64\r\n\r\n%s'


def gzip_of(piece, times):
    """One block that stands for itself, over and over: the sum at the end is wrong, but nobody gets there."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    return bytes.fromhex("1f8b0800000000000003") + block * times + b"\3\0" + b"\0" * 8


def zip_of(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, text in members:
            z.writestr(name, text)
    return out.getvalue()


def mail(kind, octets):
    return (MAIL % (kind, base64.encodebytes(octets).decode())).encode()


def laughs():
    levels = "".join('<!ENTITY l%d "%s">' % (n + 1, "&l%d;" % n * 10) for n in range(12))
    return ('<?xml version="1.0"?><!DOCTYPE f [<!ENTITY l0 "ha">%s]><feedback><report_metadata><org_name>&l12;</org_name>'
            '</report_metadata></feedback>' % levels).encode()


def record(n):
    return ("<record><row><source_ip>203.0.113.5</source_ip><count>%d</count></row><identifiers><header_from>a.test"
            "</header_from></identifiers></record>" % n)


XML = ('<?xml version="1.0"?><feedback><report_metadata><org_name>%s</org_name><report_id>1</report_id><date_range><begin>1'
       '</begin><end>2</end></date_range></report_metadata><policy_published><domain>a.test</domain></policy_published>%s</feedback>')
JSON = b'{"organization-name":"x","report-id":"1","date-range":{"start-datetime":"2026-01-01T00:00:00Z","end-datetime":' \
       b'"2026-01-02T00:00:00Z"},"policies":%s}'


def mime(depth):
    text = b"Content-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(gzip.compress(XML.encode()))
    for n in range(depth):
        text = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n%s\r\n--b%d--\r\n" % (n, n, text, n)
    return b"From: a@b.test\r\nMIME-Version: 1.0\r\n" + text


# what comes in, exit status (65: it is said to be none), a word
CASES = {
    "a billion laughs": (laughs, 65, "report"),
    "an entity from a file": (lambda: b'<!DOCTYPE f [<!ENTITY x SYSTEM "file:///etc/passwd">]><feedback><report_metadata><org_name>&x;'
                              b'</org_name></report_metadata></feedback>', 65, "report"),
    "gzip of 1 GB": (lambda: gzip_of(b"\0" * (1 << 20), 1024), 65, "report"),
    "gzip of 1 GB in a message": (lambda: mail("application/gzip", gzip_of(b"<a>" * (1 << 18), 1365)), 65, "report"),
    "gzip in gzip in gzip": (lambda: gzip.compress(gzip.compress(gzip.compress(XML.encode()))), 65, "report"),
    "a ZIP of 20,000 members": (lambda: zip_of(("f%d.txt" % n, "x") for n in range(20000)), 65, "report"),
    "a ZIP with one member of 90 MB": (lambda: zip_of([("a.xml", "<a>" * (30 << 20))]), 65, "report"),
    "XML 100,000 deep": (lambda: b"<feedback>" + b"<a>" * 100000 + b"</a>" * 100000 + b"</feedback>", 65, "report"),
    "XML with 100,000 attributes": (lambda: b"<feedback " + b" ".join(b'a%d="x"' % n for n in range(100000)) + b"></feedback>", 65, "report"),
    "an attribute of 20 MB": (lambda: b'<feedback a="' + b"x" * (20 << 20) + b'"></feedback>', 65, "report"),
    "a name of 1 MB": (lambda: (XML % ("n" * (1 << 20), record(1))).encode(), 0, "a.test"),
    "50,000 rows": (lambda: (XML % ("x", "".join(record(n) for n in range(50000)))).encode(), None, ""),
    "JSON 100,000 deep": (lambda: JSON % (b"[" * 100000 + b"]" * 100000), 65, "report"),
    "JSON of 100,000 policies": (lambda: JSON % (b"[" + b",".join([b"{}"] * 100000) + b"]"), 65, "report"),
    "JSON with a string of 20 MB": (lambda: JSON % (b'"' + b"\\u0041" * (20 << 20 >> 3) + b'"'), 65, "report"),
    "1,000 parts in each other": (lambda: mime(1000), 65, "report"),
    "parts without an end": (lambda: b"From: a@b.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
                             b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" * 100000, 65, "report"),
    "a boundary of 1 MB": (lambda: b"From: a@b.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=" + b"b" * (1 << 20) +
                           b"\r\n\r\n--" + b"b" * (1 << 20) + b"\r\n\r\nx\r\n", 65, "report"),
    "a feedback report of 100,000 fields": (lambda: b"From: a@b.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\n"
                                            b"Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n" +
                                            b"Original-Rcpt-To: a@a.test\r\n" * 100000 + b"\r\n--b--\r\n", 65, "report"),
}


def one(make, status, word):
    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (40, 40))
        if not ASAN:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    text = make()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    p = subprocess.run([POSTRIDER, "reports", "read"], input=text, capture_output=True, timeout=120, preexec_fn=limit)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if status is not None:
        equal(p.returncode, status, "the exit status: %s" % p.stderr[-300:])
    check(p.returncode in (0, 65) and word in (p.stdout + p.stderr).decode(), "%r" % (p.stdout[:300] + p.stderr[:300]))
    check(b"root:" not in p.stdout, "the entity was read")
    check(used < SECONDS * (5 if ASAN else 1), "%.1f s of processor time" % used)


def main():
    t = Tally("report_hostile", "-v" in sys.argv)
    for name, (make, status, word) in CASES.items():
        t.case(name, one, make, status, word)
    t.end()


if __name__ == "__main__":
    main()
