"""People and programs with accounts submit through 587 and 465: each client with every mechanism that it has."""
import json
import os
import smtplib
import ssl
import threading
import time
import urllib.parse

from common import main
from harness import Failure, Folder, certificate, check, free_port, need, run, wait_until
from nodemailer import install
from postrider import Postrider
from smtp import FakeServer

USER, PASSWORD = "alice@example.test", "wonderland, \"quoted\" & more"
CONF = """hostname = "mail.example.test"
data-dir = "data"
listener submission {{ address = "127.0.0.1:{0}" submission = true }}
listener smtps {{ address = "127.0.0.1:{1}" submission = true tls = "implicit" }}
tls {{ certificate = "cert.pem" key = "cert-key.pem" }}
relay-from = {{}}
queue {{ delays = {{"1s"}} }}
domain example.test {{ deliver = "maildir" }}
{2}
"""


class Server:
    def __init__(self, extra=""):
        self.folder = Folder()
        self.cert, self.key = certificate(self.folder)
        self.port, self.tls_port = free_port(), free_port()
        self.server = Postrider(CONF.format(self.port, self.tls_port, extra), [self.port, self.tls_port], folder=self.folder)
        for name, password in ((USER, PASSWORD), ("bob@example.test", "builder")):
            self.server.cli("user", "add", name, "--password-stdin", stdin=password + "\n")

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *args):
        self.server.__exit__(*args)
        self.folder.remove()

    def got(self, count, box="bob"):
        found = self.server.wait_mail("example.test", box, count)
        for octets in found:
            check(b"ESMTPSA" in octets, "Received does not say ESMTPSA: %r" % octets[:300])
        return found

    def used(self, mech, times=1):
        """How often the log says that this mechanism was used."""
        n = self.server.log().count("mechanism=%s\n" % mech)
        check(n == times, "%s was used %d times instead of %d" % (mech, n, times))


def context():
    c = ssl.create_default_context()
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    return c


def python():
    """Python's smtplib: PLAIN and LOGIN, by STARTTLS and implicit TLS"""
    with Server() as s:
        for implicit in (False, True):
            for mech in ("PLAIN", "LOGIN"):
                c = smtplib.SMTP_SSL("127.0.0.1", s.tls_port, context=context()) if implicit else smtplib.SMTP("127.0.0.1", s.port)
                if not implicit:
                    c.starttls(context=context())
                c.ehlo("client.test")
                c.user, c.password = USER, PASSWORD
                c.auth(mech, getattr(c, "auth_" + mech.lower()))
                c.sendmail(USER, ["bob@example.test"], "From: %s\nSubject: x\n\nhello\n" % USER)
                c.quit()
        s.got(4)
        s.used("PLAIN", 2)
        s.used("LOGIN", 2)


def swaks():
    """swaks: PLAIN and LOGIN, by STARTTLS and implicit TLS"""
    with Server() as s:
        for port, tls in ((s.port, "--tls"), (s.tls_port, "--tls-on-connect")):
            for mech in ("PLAIN", "LOGIN"):
                run(need("swaks"), "--server", "127.0.0.1:%d" % port, tls, "--auth", mech, "--auth-user", USER,
                    "--auth-password", PASSWORD, "--from", USER, "--to", "bob@example.test")
        s.got(4)
        p = run(need("swaks"), "--server", "127.0.0.1:%d" % s.port, "--tls", "--auth", "PLAIN", "--auth-user", USER,
                "--auth-password", "wrong", "--from", USER, "--to", "bob@example.test", ok=None)
        check("535 5.7.8" in p.stdout and p.returncode == 28, "a wrong password: %s" % p.stdout[-500:])


def msmtp():
    """msmtp: PLAIN, LOGIN and SCRAM-SHA-256, by STARTTLS and implicit TLS"""
    with Server() as s:
        for port, starttls in ((s.port, "on"), (s.tls_port, "off")):
            for mech in ("plain", "login", "scram-sha-256"):
                rc = s.folder.file("msmtprc", "account default\nhost 127.0.0.1\nport %d\nfrom %s\nauth %s\nuser %s\n"
                                   "password %s\ntls on\ntls_starttls %s\ntls_certcheck off\n" %
                                   (port, USER, mech, USER, PASSWORD, starttls))
                os.chmod(rc, 0o600)
                run(need("msmtp"), "-C", rc, "bob@example.test", stdin="From: %s\nSubject: x\n\nhello\n" % USER)
        s.got(6)
        s.used("SCRAM-SHA-256", 2)


def gsasl():
    """GNU SASL's gsasl: SCRAM-SHA-256 with and without channel binding, PLAIN, LOGIN; a wrong password fails"""
    with Server() as s:
        def go(mech, password, *more, ok=(0,)):
            return run(need("gsasl"), "--smtp", "--connect=127.0.0.1:%d" % s.port, "--mechanism=" + mech, "--quiet",
                       "--x509-ca-file=", "--authentication-id=" + USER, "--password=" + password, *more, stdin="", ok=ok)
        go("SCRAM-SHA-256-PLUS", PASSWORD)
        go("SCRAM-SHA-256", PASSWORD, "--no-cb")
        go("PLAIN", PASSWORD, "--authorization-id=" + USER)
        go("LOGIN", PASSWORD)
        for mech in ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"):
            s.used(mech)
        go("SCRAM-SHA-256-PLUS", "wrong", ok=(1,))
        go("SCRAM-SHA-256", "wrong", "--no-cb", ok=(1,))


def curl():
    """curl: PLAIN and LOGIN, by STARTTLS and implicit TLS"""
    with Server() as s:
        text = s.folder.file("message", "From: %s\r\nSubject: x\r\n\r\nhello\r\n" % USER)
        for url in ("smtp://127.0.0.1:%d/client.test" % s.port, "smtps://127.0.0.1:%d/client.test" % s.tls_port):
            for mech in ("PLAIN", "LOGIN"):
                run(need("curl"), "-sS", "--ssl-reqd", "--insecure", "--url", url, "--user", "%s:%s" % (USER, PASSWORD),
                    "--login-options", "AUTH=" + mech, "--mail-from", USER, "--mail-rcpt", "bob@example.test", "-T", text)
        s.got(4)


PERL = r"""
use Net::SMTP; use Authen::SASL;
my ($port, $implicit, $mech, $user, $password) = @ARGV;
my %ssl = (SSL_verify_mode => 0);
my $c = Net::SMTP->new('127.0.0.1', Port => $port, Hello => 'client.test', SSL => $implicit, %ssl) or die "connect: $@";
$implicit or $c->starttls(%ssl) or die 'starttls: ' . $c->message;
$c->auth(Authen::SASL->new(mechanism => $mech, callback => {user => $user, authname => $user, pass => $password}))
    or die 'auth: ' . $c->message;
$c->mail($user) && $c->to('bob@example.test') && $c->data("From: $user\nSubject: x\n\nhello\n") or die $c->message;
$c->quit;
"""


def perl():
    """Perl's Net::SMTP with Authen::SASL: PLAIN and LOGIN, by STARTTLS and implicit TLS"""
    with Server() as s:
        script = s.folder.file("send.pl", PERL)
        for port, implicit in ((s.port, 0), (s.tls_port, 1)):
            for mech in ("PLAIN", "LOGIN"):
                run("perl", script, port, implicit, mech, USER, PASSWORD)
        s.got(4)


def git():
    """git send-email by STARTTLS and implicit TLS"""
    with Server() as s:
        repo = s.folder.file("repo")
        env = dict(os.environ, HOME=s.folder.path, GIT_CONFIG_NOSYSTEM="1")
        run("git", "init", "-q", repo, env=env)
        s.folder.file("repo/file", "text\n")
        run("git", "-C", repo, "add", "file", env=env)
        who = ("-c", "user.name=Alice", "-c", "user.email=" + USER)
        run("git", *who, "-C", repo, "commit", "-q", "-m", "A change", env=env)
        patch = run("git", "-C", repo, "format-patch", "--root", "-o", s.folder.path, env=env).stdout.strip()
        for port, how in ((s.port, "tls"), (s.tls_port, "ssl")):
            run("git", *who, "-C", repo, "-c", "sendemail.smtpserver=127.0.0.1", "-c", "sendemail.smtpserverport=%d" % port,
                "-c", "sendemail.smtpencryption=" + how, "-c", "sendemail.smtpsslcertpath=", "-c", "sendemail.smtpuser=" + USER,
                "-c", "sendemail.smtppass=" + PASSWORD, "-c", "sendemail.from=" + USER, "send-email", "--quiet",
                "--confirm=never", "--suppress-cc=all", "--to", "bob@example.test", patch, env=env)
        s.got(2)


def mutt():
    """mutt: PLAIN, LOGIN and SCRAM-SHA-256, by STARTTLS and implicit TLS

    Left alone it takes SCRAM-SHA-256-PLUS whenever a server has it, and has no channel binding to give."""
    with Server() as s:
        urls = ("smtp://alice%%40example.test@127.0.0.1:%d" % s.port, "smtps://alice%%40example.test@127.0.0.1:%d" % s.tls_port)
        for url, mech in [(u, m) for u in urls for m in ("plain", "login", "scram-sha-256")]:
            rc = s.folder.file("muttrc", 'set smtp_url="%s"\nset smtp_pass=\'%s\'\nset ssl_force_tls=yes\nset ssl_starttls=yes\n'
                               'set from="%s"\nset realname="Alice"\nset copy=no\nset hostname=client.test\n'
                               'set certificate_file="%s"\nset ssl_verify_host=no\nset use_envelope_from=yes\n'
                               'set smtp_authenticators="%s"\n' % (url, PASSWORD, USER, s.cert, mech))
            run(need("mutt"), "-n", "-F", rc, "-s", "x", "--", "bob@example.test", stdin="hello\n",
                env=dict(os.environ, HOME=s.folder.path))
        s.got(6)
        s.used("SCRAM-SHA-256", 2)


def s_nail():
    """s-nail: PLAIN and LOGIN, by STARTTLS and implicit TLS"""
    with Server() as s:
        quoted = urllib.parse.quote(PASSWORD, safe="")
        for scheme, port, more in (("smtp", s.port, ("-S", "smtp-use-starttls")), ("smtps", s.tls_port, ())):
            for mech in ("plain", "login"):
                url = "%s://alice%%40example.test:%s@127.0.0.1:%d" % (scheme, quoted, port)
                run(need("s-nail"), "-:/", "-Sv15-compat", "-S", "mta=" + url, "-S", "smtp-auth=" + mech, "-S", "tls-verify=ignore",
                    "-S", "sendwait", "-r", USER, "-s", "x", *more,
                    "bob@example.test", stdin="hello\n", env=dict(os.environ, HOME=s.folder.path))
        s.got(4)


NODE = """
const nodemailer = require('nodemailer');
const [port, secure, method, user, pass] = [Number(process.argv[2]), process.argv[3] === 'tls', ...process.argv.slice(4)];
const transport = nodemailer.createTransport({host: '127.0.0.1', port, secure, pool: true, maxConnections: 5, name: 'client.test',
  requireTLS: true, authMethod: method, auth: {user, pass}, tls: {rejectUnauthorized: false}});
const send = i => transport.sendMail({from: 'Alice <' + user + '>', to: 'bob@example.test', subject: 'node ' + i, text: 'hello'});
Promise.all([...Array(20).keys()].map(send)).then(all => { console.log(all.length); transport.close(); })
  .catch(e => { console.error(e); process.exit(1); });
"""


def nodemailer():
    """nodemailer's pool: twenty messages over five connections, PLAIN and LOGIN, by STARTTLS and implicit TLS"""
    env = install()
    with Server() as s:
        script = s.folder.file("send.js", NODE)
        for port, word in ((s.port, "clear"), (s.tls_port, "tls")):
            for mech in ("PLAIN", "LOGIN"):
                run(need("node"), script, port, word, mech, USER, PASSWORD, env=env)
        s.got(80)


def live_changes():
    """The next AUTH and RCPT see what an operator changed"""
    with Server() as s:
        def may(user, password, keep=False):
            c = smtplib.SMTP_SSL("127.0.0.1", s.tls_port, context=context())
            try:
                c.login(user, password)
                if keep:
                    return c
                c.quit()
                return True
            except smtplib.SMTPAuthenticationError:
                c.close()
        c = may(USER, PASSWORD, True)
        c.mail(USER)
        check(c.rcpt("new@example.test")[0] == 550, "a mailbox that is not there yet")
        s.server.cli("user", "add", "new@example.test", "--password-stdin", stdin="secret\n")
        check(c.rcpt("new@example.test")[0] == 250, "a mailbox that has come")
        s.server.cli("alias", "add", "all@example.test", "new", "bob@example.test")
        check(c.rcpt("all@example.test")[0] == 250, "an alias that has come")
        s.server.cli("alias", "delete", "all@example.test")
        check(c.rcpt("all@example.test")[0] == 550, "an alias that has gone")
        c.quit()
        s.server.cli("user", "change", USER, "--password-stdin", stdin="another\n")
        check(not may(USER, PASSWORD), "the old password is still good")
        check(may(USER, "another"), "the new password is not good")
        password = s.server.cli("credential", "add", USER, "printer").stdout.strip()
        check(may(USER, password) and may(USER + "/printer", password), "the credential is not good")
        s.server.cli("credential", "delete", USER, "printer")
        check(not may(USER, password), "the credential is still good")
        s.server.cli("user", "disable", "new@example.test")
        check(not may("new@example.test", "secret"), "a user who is switched off logs in")
        s.server.process.stop()
        s.server.start()
        check(may(USER, "another"), "the new password is not good after a new start")


def log_in_time(s, address, user, password):
    """Seconds from AUTH to its answer, on a connection of its own."""
    c = smtplib.SMTP_SSL("127.0.0.1", s.tls_port, context=context(), source_address=(address, 0))
    c.ehlo("client.test")
    start = time.monotonic()
    c.login(user, password)
    taken = time.monotonic() - start
    c.close()
    return taken


def flooded():
    """Seconds of a log-in alone and under wrong passwords, and how many of these there were."""
    with Server('auth { attempts = 1000 }') as s:
        for i in range(30):
            s.server.cli("user", "add", "u%d@example.test" % i, "--password-stdin", stdin="secret %d\n" % i)
        usual = sorted(log_in_time(s, "127.0.0.1", "u%d@example.test" % i, "secret %d" % i) for i in range(12))[6]
        stop, tried = threading.Event(), [0]

        def attack():
            while not stop.is_set():
                try:
                    c = smtplib.SMTP_SSL("127.0.0.1", s.tls_port, context=context(), source_address=("127.0.0.66", 0))
                    c.ehlo("client.test")
                    for n in range(200):
                        if stop.is_set():
                            break
                        c.docmd("AUTH", "PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB3cm9uZw==")
                        tried[0] += 1
                except (OSError, smtplib.SMTPException):
                    pass
        threads = [threading.Thread(target=attack, daemon=True) for _ in range(16)]
        for t in threads:
            t.start()
        wait_until(lambda: tried[0] > 16, 60, "the attack to begin")
        time.sleep(3)
        during = 1000
        for first in (12, 18, 24):        # other work of this machine may spoil a round
            during = min(during, sorted(log_in_time(s, "127.0.0.1", "u%d@example.test" % i, "secret %d" % i)
                                        for i in range(first, first + 6))[3])
        stop.set()
        for t in threads:
            t.join(30)
    print("log-in: %.0f ms usually, %.0f ms under %d wrong passwords" % (usual * 1e3, during * 1e3, tried[0]))
    return usual, during


def flood():
    """Many wrong passwords from one address do not keep another's log-in waiting"""
    for _ in range(3):                    # other work of this machine may come with the attack and go with it
        usual, during = flooded()
        if during < 2 * usual + 0.05:
            return
    raise Failure("a log-in takes %.0f ms instead of %.0f ms" % (during * 1e3, usual * 1e3))


def carried():
    """HOLDFOR waits in the queue, over a new start too; MT-PRIORITY and BY are handed on; REQUIRETLS is kept or comes back"""
    sink = FakeServer(("PIPELINING", "8BITMIME", "MT-PRIORITY", "DELIVERBY")).start()
    with Server('route "*" { via = "smtp://127.0.0.1:%d" }' % sink.port) as s:
        def send(to, *options):
            c = smtplib.SMTP_SSL("127.0.0.1", s.tls_port, context=context())
            c.login(USER, PASSWORD)
            c.sendmail(USER, [to], "From: %s\nSubject: x\n\nhello\n" % USER, mail_options=options)
            c.quit()
        send("a@elsewhere.test", "MT-PRIORITY=4", "BY=500;N")
        sink.wait()
        line = next(c for c in sink.commands if c.upper().startswith(b"MAIL" if isinstance(c, bytes) else "MAIL"))
        line = line.decode() if isinstance(line, bytes) else line
        check("MT-PRIORITY=4" in line and " BY=" in line and ";N" in line, "MAIL was %r" % line)
        send("b@elsewhere.test", "REQUIRETLS")
        check(b"5.7.10" in s.server.wait_mail("example.test", "alice", 1)[0], "REQUIRETLS came back without 5.7.10")
        start = time.time()
        send("bob@example.test", "HOLDFOR=6")
        s.server.process.stop()
        s.server.start()
        check(s.server.queued() == 1, "the message that is held back is not in the queue after a new start")
        s.server.wait_mail("example.test", "bob", 1)
        check(time.time() - start > 5, "it left too early")
    sink.stop()


def submit(s, address="127.0.0.1", to=("bob@example.test",), user=USER, password=PASSWORD, count=1):
    """Codes of MAIL, or of the end of the text, of `count` messages on one connection."""
    c = smtplib.SMTP_SSL("127.0.0.1", s.tls_port, context=context(), source_address=(address, 0))
    c.login(user, password)
    codes = []
    for _ in range(count):
        code, text = c.mail(user)
        if code == 250:
            for one in to:
                c.rcpt(one)
            code, text = c.data("From: %s\nSubject: x\n\nhello\n" % user)
        codes.append((code, text.decode()))
        c.rset()
    c.close()
    return codes


def limit():
    """An account at its limit is told so; all that was taken before arrives; a new start does not forget what was sent"""
    with Server("submission { account-messages = \"20/h\" }") as s:
        codes = submit(s, count=25)
        check([c for c, _ in codes] == [250] * 20 + [450] * 5, "codes: %s" % codes)
        check("4.7.1" in codes[-1][1] and "20 messages an hour" in codes[-1][1] and USER in codes[-1][1], codes[-1][1])
        s.got(20)
        s.server.process.stop()
        s.server.start()
        code, text = submit(s)[0]
        check(code == 450 and "20 messages an hour" in text, "after a new start: %d %s" % (code, text))
        check(submit(s, user="bob@example.test", password="builder", to=[USER])[0][0] == 250, "another account")
        s.server.wait_mail("example.test", "alice", 1)
        check(len(s.got(20)) == 20, "mail was lost or came twice")


def blocks_survive():
    """An address that was blocked is blocked after a new start, too; the account's own address is not"""
    with Server("limit-exempt = {}\nauth { block-after = 3  attempts = 3 }") as s:
        def login(address, password):
            c = smtplib.SMTP_SSL("127.0.0.1", s.tls_port, context=context(), source_address=(address, 0))
            try:
                return c.login(USER, password)[0]
            except smtplib.SMTPAuthenticationError as e:
                return e.smtp_code
            except smtplib.SMTPServerDisconnected:
                return 421
            finally:
                c.close()
        check(login("127.0.0.8", PASSWORD) == 235, "the right password")
        for _ in range(3):
            login("127.0.0.9", "wrong")
        check(login("127.0.0.9", PASSWORD) == 454, "not blocked")
        s.server.process.stop()
        s.server.start()
        check(login("127.0.0.9", PASSWORD) == 454, "not blocked any more after a new start")
        check(login("127.0.0.8", PASSWORD) == 235, "the account's own address after a new start")


def held(s, why):
    """The account is held for this reason, its postmaster knows, and an operator lets it go."""
    code, text = submit(s, "127.0.0.1")[0]
    check(code == 450 and "held" in text and why in text, "not held: %d %s" % (code, text))
    report = s.server.wait_mail("example.test", "postmaster", 1)[0].decode()
    check(USER in report and why in report and "postrider user enable" in report, report)
    s.server.wait_log("account_held")
    check("held" in s.server.cli("user", "show", USER).stdout, "user show does not say so")
    check(submit(s, user="bob@example.test", password="builder", to=[USER])[0][0] == 250, "another account is held, too")
    s.server.cli("user", "change", USER, "--password-stdin", stdin="another\n")
    s.server.cli("user", "enable", USER)
    code, text = submit(s, "127.0.0.1", password="another")[0]
    check(code == 250, "still held: %d %s" % (code, text))


def stolen_networks():
    """An account used from many networks within an hour is held and reported, and goes on when an operator says so"""
    with Server("limit-exempt = {}\nsubmission { stolen-networks = 5 }") as s:
        for i in range(4):
            check(submit(s, "127.%d.0.1" % (10 + i))[0][0] == 250, "from network %d" % i)
        submit(s, "127.50.0.1")
        held(s, "networks")


def stolen_unknown():
    """An account that writes to many who do not exist is held and reported"""
    with Server("limit-exempt = {}\nsubmission { stolen-unknown = 12 }") as s:
        check(submit(s, to=["bob@example.test"] + ["no%d@example.test" % i for i in range(11)])[0][0] == 250, "below the limit")
        c = smtplib.SMTP_SSL("127.0.0.1", s.tls_port, context=context())
        c.login(USER, PASSWORD)
        c.mail(USER)
        check(c.rcpt("no12@example.test")[0] == 550, "the twelfth")
        c.close()
        held(s, "do not exist")


def crc32c(octets):
    crc = 0xffffffff
    for b in octets:
        crc ^= b
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def with_a_past(s, hours, usual):
    """Gives every account a past in the file of counts: so many hours with mail, this many messages at most."""
    for name in ("counts.0", "counts.1"):
        path = s.folder.file("data/" + name)
        with open(path, "rb") as f:
            octets = bytearray(f.read())
        at = 48
        while at < len(octets):
            n = int.from_bytes(octets[at + 9:at + 11], "little")
            if octets[at:at + 1] == b"Q":
                numbers = at + 11 + 48
                octets[numbers:numbers + 8] = usual.to_bytes(4, "little") + hours.to_bytes(4, "little")
            at += 11 + n
        if octets:
            octets[40:44] = crc32c(octets[:40] + octets[48:]).to_bytes(4, "little")
            with open(path, "wb") as f:
                f.write(octets)


def stolen_rate():
    """An account that suddenly sends ten times what it ever sent in an hour is held and reported"""
    with Server("limit-exempt = {}\nsubmission { stolen-rate = 30 }") as s:
        check(submit(s)[0][0] == 250, "the first message")
        s.server.process.stop()
        with_a_past(s, 5, 2)
        s.server.start()
        codes = [c for c, _ in submit(s, count=35)]
        check(codes == [250] * 29 + [450] * 6, "codes: %s" % codes)
        held(s, "messages within an hour")
        s.got(31)


if __name__ == "__main__":
    main("submission", python, swaks, msmtp, gsasl, curl, perl, git, mutt, s_nail, nodemailer, live_changes, flood, carried,
         limit, blocks_survive, stolen_networks, stolen_unknown, stolen_rate)
