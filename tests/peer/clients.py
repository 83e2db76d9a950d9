"""Clients of others hand mail to postrider: swaks, msmtp, Python's smtplib, OpenSSL's s_client."""
import os
import smtplib
import ssl
import subprocess

from common import main
import confs
from harness import Failure, Folder, certificate, check, equal, free_port, need, run
from mailtext import body, message
from postrider import Postrider


class Server:
    """A receiving postrider with STARTTLS, implicit TLS and LMTP."""

    def __init__(self):
        self.folder = Folder()
        self.cert, self.key = certificate(self.folder)
        self.port, self.tls_port, self.lmtp_port = free_port(), free_port(), free_port()
        self.server = Postrider(confs.mx(self.port, tls_port=self.tls_port, lmtp_port=self.lmtp_port),
                                [self.port, self.tls_port, self.lmtp_port], folder=self.folder)

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *args):
        self.server.__exit__(*args)
        self.folder.remove()

    def got(self, box="alice", count=1):
        return self.server.wait_mail("example.test", box, count)


def swaks(*args):
    return run(need("swaks"), "--from", "sender@client.test", "--ehlo", "client.test", *args)


def swaks_clear():
    """swaks in clear"""
    with Server() as s:
        swaks("--server", "127.0.0.1:%d" % s.port, "--to", "alice@example.test", "--header", "Subject: one")
        check(b"Subject: one" in s.got()[0], "the subject is missing")


def swaks_pipeline():
    """swaks with PIPELINING and two recipients, one unknown"""
    with Server() as s:
        swaks("--server", "127.0.0.1:%d" % s.port, "--pipeline", "--to", "alice@example.test,nobody@example.test")
        s.got()


def swaks_tls():
    """swaks with STARTTLS and with implicit TLS"""
    with Server() as s:
        swaks("--server", "127.0.0.1:%d" % s.port, "--tls", "--to", "alice@example.test")
        swaks("--server", "127.0.0.1:%d" % s.tls_port, "--tls-on-connect", "--to", "alice@example.test")
        for octets in s.got(count=2):
            check(b"ESMTPS" in octets, "Received does not say ESMTPS")


def swaks_lmtp():
    """swaks by LMTP"""
    with Server() as s:
        swaks("--protocol", "LMTP", "--server", "127.0.0.1:%d" % s.lmtp_port, "--to", "alice@example.test,bob@example.test")
        s.got("alice")
        s.got("bob")


def swaks_refused():
    """swaks is told that we do not relay"""
    with Server() as s:
        p = run(need("swaks"), "--server", "127.0.0.1:%d" % s.port, "--to", "someone@elsewhere.test", ok=(24,))
        check("5.7.1" in p.stdout, "no 5.7.1 in %s" % p.stdout)


def msmtp_config(s, port, tls):
    return s.folder.file("msmtprc", "account default\nhost 127.0.0.1\nport %d\nfrom sender@client.test\nauth off\n" % port +
                         ("tls on\ntls_starttls %s\ntls_certcheck off\n" % tls if tls else "tls off\n"), 0o600)


def msmtp_send():
    """msmtp in clear, by STARTTLS, and with implicit TLS"""
    with Server() as s:
        text = "Subject: from msmtp\n\n.dot\n..\n.\nend\n"
        for port, tls in ((s.port, ""), (s.port, "on"), (s.tls_port, "off")):
            run(need("msmtp"), "-C", msmtp_config(s, port, tls), "alice@example.test", stdin=text)
        for octets in s.got(count=3):
            equal(body(octets), b".dot\r\n..\r\n.\r\nend\r\n", "the body")


def msmtp_refused():
    """msmtp ends with an error for an unknown recipient"""
    with Server() as s:
        p = run(need("msmtp"), "-C", msmtp_config(s, s.port, ""), "nobody@example.test", stdin="Subject: x\n\nx\n", ok=None)
        check(p.returncode != 0 and "5.1.1" in p.stderr + p.stdout, "status %d: %s" % (p.returncode, p.stderr))


def insecure():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def smtplib_send():
    """smtplib in clear, by STARTTLS and over implicit TLS"""
    sent = message("smtplib")
    with Server() as s:
        with smtplib.SMTP("127.0.0.1", s.port, "client.test") as c:
            equal(c.sendmail("sender@client.test", ["alice@example.test", "nobody@example.test"], sent).keys(),
                  {"nobody@example.test"}, "refused recipients")
            c.starttls(context=insecure())
            c.sendmail("sender@client.test", "alice@example.test", sent)
            equal(c.noop()[0], 250, "NOOP")
            equal(c.verify("alice@example.test")[0], 252, "VRFY")
        with smtplib.SMTP_SSL("127.0.0.1", s.tls_port, "client.test", context=insecure()) as c:
            c.sendmail("sender@client.test", "alice@example.test", sent)
        for octets in s.got(count=3):
            equal(body(octets), body(sent), "the body")


def smtplib_verified():
    """smtplib checks our certificate against its names"""
    with Server() as s:
        context = ssl.create_default_context(cafile=s.cert)
        with smtplib.SMTP_SSL("localhost", s.tls_port, "client.test", context=context) as c:
            check(c.sock.version() in ("TLSv1.2", "TLSv1.3"), c.sock.version())


def smtplib_utf8():
    """smtplib with SMTPUTF8"""
    with Server() as s:
        with smtplib.SMTP("127.0.0.1", s.port, "client.test") as c:
            c.ehlo()
            c.sendmail("gr\u00fc\u00dfe@b\u00fccher.test", "alice@example.test", message("utf8", ["\u20ac"]),
                       mail_options=["SMTPUTF8", "BODY=8BITMIME"])
        got = s.got()[0]
        check(b"UTF8SMTP" in got, "Received does not say UTF8SMTP")
        check("gr\u00fc\u00dfe@".encode() in got.split(b"\n")[0], "Return-Path is %r" % got.split(b"\n")[0])


def smtplib_lmtp():
    """smtplib's LMTP"""
    with Server() as s:
        with smtplib.LMTP("127.0.0.1", s.lmtp_port, "client.test") as c:
            c.sendmail("sender@client.test", ["alice@example.test"], message("lmtp"))
        s.got()


def s_client(s, *args, stdin="QUIT\n", ok=(0,)):
    return run(need("openssl"), "s_client", "-connect", "127.0.0.1:%d" % s.tls_port, "-crlf", "-ign_eof", *args, stdin=stdin,
               ok=ok)


def openssl_versions():
    """TLS 1.2 and 1.3 are spoken, older ones are not"""
    with Server() as s:
        for version, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            p = s_client(s, version)
            check(name in p.stdout and "220 mx.example.test" in p.stdout, "%s: %s" % (version, p.stdout[-600:]))
        for version in ("-tls1", "-tls1_1"):
            p = s_client(s, version, "-cipher", "ALL:@SECLEVEL=0", ok=None)
            check("220 mx" not in p.stdout, version + " was accepted")


def openssl_starttls():
    """s_client -starttls smtp"""
    with Server() as s:
        p = run(need("openssl"), "s_client", "-connect", "127.0.0.1:%d" % s.port, "-starttls", "smtp", "-crlf", "-ign_eof",
                "-CAfile", s.cert, "-verify_return_error", stdin="EHLO x\nQUIT\n")
        check("Verification: OK" in p.stdout and "250-PIPELINING" in p.stdout, p.stdout[-800:])
        check("250-STARTTLS" not in p.stdout.split("Verification: OK")[1], "STARTTLS is offered inside TLS")


def openssl_resumption():
    """A TLS session is taken up again"""
    with Server() as s:
        ticket = s.folder.file("session")
        s_client(s, "-sess_out", ticket, stdin="NOOP\nNOOP\nQUIT\n")
        check(os.path.exists(ticket), "no session was given")
        p = s_client(s, "-sess_in", ticket)
        check("Reused, " in p.stdout, "the session was not reused: %s" % p.stdout[-600:])


def openssl_renegotiation():
    """A client that asks for renegotiation (R) makes no trouble for others"""
    with Server() as s:
        try:
            run(need("openssl"), "s_client", "-connect", "127.0.0.1:%d" % s.tls_port, "-tls1_2", "-crlf", stdin="R\nQUIT\n",
                ok=None, seconds=20)
        except (Failure, subprocess.TimeoutExpired):
            pass
        swaks("--server", "127.0.0.1:%d" % s.tls_port, "--tls-on-connect", "--to", "alice@example.test")


if __name__ == "__main__":
    main("clients", swaks_clear, swaks_pipeline, swaks_tls, swaks_lmtp, swaks_refused, msmtp_send, msmtp_refused,
         smtplib_send, smtplib_verified, smtplib_utf8, smtplib_lmtp, openssl_versions, openssl_starttls, openssl_resumption,
         openssl_renegotiation)
