"""Messages to judge the default policy by: those of others (SpamAssassin's samples, the tests of Python's email package,
the files that ClamAV is tested with), and generated ones, good and bad. Nothing of them is kept here: packages bring them."""
import email.generator
import email.message
import email.policy
import email.utils
import glob
import gzip
import io
import os
import random
import re
import tarfile
import time
import zipfile

from harness import Failure

SPAMASSASSIN = "/usr/share/doc/spamassassin/examples"
CLAMAV = "/usr/share/clamav-testfiles"
WORDS = "meeting report budget holiday photo invoice question answer weather train dinner garden music paper Grüße café".split()
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 60
PDF = b"%PDF-1.5\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
PE = b"MZ" + b"\0" * 58 + b"\x40\0\0\0PE\0\0" + b"\0" * 200


def crlf(octets):
    return re.sub(rb"\r?\n|\r", b"\r\n", octets.rstrip(b"\r\n") + b"\n").replace(b"\0", b"")


def read(path):
    """A message of a file, as it would travel; a line of an mbox before it is left out."""
    with open(path, "rb") as f:
        octets = f.read()
    return crlf(octets.split(b"\n", 1)[1] if octets.startswith(b"From ") else octets)


def of_python():
    """Messages with one author only: the others are refused by check.author, whatever they hold."""
    paths = sorted(glob.glob("/usr/lib/python3*/test/test_email/data/msg_*.txt"))
    if len(paths) < 40:
        raise Failure("libpython3.11-testsuite is not installed; ./check installs what is needed")
    for path in paths:
        octets = read(path)
        parsed = email.message_from_bytes(octets)
        authors = [a for _, a in email.utils.getaddresses(parsed.get_all("From", [])) if re.fullmatch(r"[^@\s]+@[\w.-]+\w", a)]
        if len(authors) == 1 and len(parsed.get_all("From")) == 1:
            yield "python " + os.path.basename(path), octets


def of_spamassassin(name):
    path = os.path.join(SPAMASSASSIN, name)
    if not os.path.exists(path):
        raise Failure("spamassassin is not installed; ./check installs what is needed")
    return read(path)


def new(r, i, text="hello"):
    m = email.message.EmailMessage(policy=email.policy.SMTP)
    m["From"] = r.choice(["Anna Example <anna%d@client.test>", "<b%d@client.test>", "\"Example, Carl\" <carl%d@client.test>",
                          "Zoë Müller <zoe%d@client.test>"]) % i
    m["To"] = "alice@example.test"
    m["Date"] = email.utils.formatdate(time.time() - r.randrange(0, 40 * 86400), localtime=bool(i % 2))
    m["Message-ID"] = "<%d.%d@client.test>" % (i, r.randrange(10**9))
    m["Subject"] = " ".join(r.choice(WORDS) for _ in range(r.randrange(1, 9)))
    m.set_content(text)
    return m


def packed(kind, files):
    out = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
            for name, octets in files:
                z.writestr(name, octets)
        return out.getvalue()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, octets in files:
            info = tarfile.TarInfo(name)
            info.size = len(octets)
            t.addfile(info, io.BytesIO(octets))
    return gzip.compress(out.getvalue())


def attachments(r):
    """Files as people send them: name, octets, type."""
    docx = packed("zip", [("[Content_Types].xml", b"<?xml version='1.0'?><Types/>"), ("word/document.xml", b"<?xml?><w/>")])
    return r.choice([
        ("photo %d.png" % r.randrange(99), PNG, "image/png"), ("Übersicht.pdf", PDF, "application/pdf"), ("letter.docx", docx,
         "application/vnd.openxmlformats-officedocument.wordprocessingml.document"), ("table.csv", b"a;b\r\n1;2\r\n", "text/csv"),
        ("sources.tar.gz", packed("tar", [("src/main.c", b"int main(void) { return 0; }\n"), ("src/run.sh", b"#!/bin/sh\n")]),
         "application/gzip"), ("papers.zip", packed("zip", [("a.pdf", PDF), ("b.png", PNG), ("notes.txt", b"notes")]), "application/zip"),
        ("www.example.com.eml.txt", b"Subject: x\r\n\r\ny\r\n", "text/plain"), ("meeting.ics", b"BEGIN:VCALENDAR\r\n", "text/calendar"),
        ("notes.v2.final.txt", b"MZ is how it begins", "text/plain"), ("page.html", b"<html><body>hi</body></html>", "text/html")])


def good(count):
    """What people and programs send, in many shapes."""
    for i in range(count):
        r = random.Random(i)
        text = "".join(" ".join(r.choice(WORDS) for _ in range(r.randrange(1, 12))) + "\n" for _ in range(r.randrange(1, 15)))
        m = new(r, i, text)
        if i % 3 == 0:
            m.add_alternative("<html><body><p>%s</p></body></html>" % text.replace("\n", "<br>"), subtype="html")
        for _ in range(r.choice([0, 0, 0, 1, 1, 3])):
            name, octets, kind = attachments(r)
            m.add_attachment(octets, *kind.split("/"), filename=name)
        if i % 11 == 0:
            m["List-Id"], m["Sender"], m["Reply-To"] = "<l.client.test>", "l-bounces@client.test", "l@client.test"
        if i % 13 == 0:
            m["Received"] = "from a.client.test by b.client.test; " + email.utils.formatdate()
        if i % 17 == 0:
            del m["Message-ID"]               # old devices send none
        if i % 19 == 0:
            del m["To"]
            m["Cc"] = "alice@example.test"
        if i % 23 == 0:
            outer = new(r, i, "see below")
            outer.add_attachment(m)
            m = outer
        yield "generated good %d" % i, crlf(m.as_bytes())


def with_file(i, name, octets, kind="application/octet-stream"):
    m = new(random.Random(i), i)
    m.add_attachment(octets, *kind.split("/"), filename=name)
    return crlf(m.as_bytes())


def bad():
    """What nobody wants: (kind, name, octets). ClamAV's files are harmless, and programs all the same."""
    yield "spam sample", "spamassassin", of_spamassassin("sample-spam.txt")
    paths = sorted(glob.glob(CLAMAV + "/*"))
    if not paths:
        raise Failure("clamav-testfiles is not installed; ./check installs what is needed")
    for i, path in enumerate(paths):
        name = os.path.basename(path)
        with open(path, "rb") as f:
            octets = f.read()
        kind = "program" if name.endswith(".exe") else "archive or document with a program"
        yield kind, name, with_file(i, name, octets)
        if name.endswith(".exe"):
            yield "program by another name", name + " as pdf", with_file(i, "invoice.pdf", octets, "application/pdf")
            yield "program in an archive", name + " in zip", with_file(i, "scan.zip", packed("zip", [("scan.pdf", octets)]))
            yield "program in an archive", name + " in tar.gz", with_file(i, "scan.tar.gz", packed("tar", [("x/scan.pdf", octets)]))
    for i, name in enumerate(["invoice.pdf.exe", "a.scr", "photo.jpg      .exe", "x.js", "x.vbs", "doc.lnk", "run.bat.", "a.exe ", "p.hta",
                              "\u202efdp.exe", "A.EXE", "setup.msi", "x.ps1", "x.iso", "x.jar", "a.exe.bz2", "a.scr.xz"]):
        yield "dangerous name", name, with_file(i, name, b"echo hello\r\n")
    for i, head in enumerate(["filename*=utf-8''a%2Eexe", "filename*0=\"a.e\"; filename*1=\"xe\"", "filename=\"=?utf-8?B?YS5leGU=?=\"",
                              "filename=\"a.txt\"; filename=\"b.exe\"", "filename=a.exe (comment)", "filename=\"a\\.exe\""]):
        m = with_file(i, "NAME", b"hello\r\n")
        m = re.sub(rb'filename="NAME"', head.encode(), m)
        yield "dangerous name, hidden", head, m
    for i in range(60):
        r = random.Random(i)
        lines = crlf(new(r, i).as_bytes()).split(b"\r\n\r\n", 1)
        head = lines[0].split(b"\r\n")
        wrongs = [lambda h: [x for x in h if not x.startswith((b"Date", b"Message-ID"))], lambda h: h + [b"Subject: again", b"Subject: again"],
                  lambda h: [b"Date: tomorrow" if x.startswith(b"Date") else x for x in h], lambda h: h + [b"X-Mail: \xe9\xfc\xff"],
                  lambda h: [b"Date: Mon, 01 Jan 2035 00:00:00 +0000" if x.startswith(b"Date") else x for x in h],
                  lambda h: [b'From: "service@bank.example" <x@client.test>' if x.startswith(b"From") else x for x in h],
                  lambda h: h + [b"Received: from x by y", b"To: a@x.test", b"To: b@x.test"]]
        for w in r.sample(wrongs, 3):
            head = w(head)
        yield "odd header", "odd %d" % i, b"\r\n".join(head) + b"\r\n\r\n" + lines[1]
