"""Accounts that are kept elsewhere: PostgreSQL, slapd and Dovecot, each stopped in mid-run and started again."""
import os
import pwd
import smtplib
import socket
import ssl
import subprocess
import time

from common import main
from dovecot import Dovecot
from harness import Failure, Folder, Process, certificate, check, free_port, need, run, wait_port, wait_until
from postrider import Postrider

CONF = """hostname = "mail.example.test"
data-dir = "data"
listener mx {{ address = "127.0.0.1:{0}" }}
listener smtps {{ address = "127.0.0.1:{1}" submission = true tls = "implicit" }}
tls {{ certificate = "cert.pem" key = "cert-key.pem"  watch = 300ms }}
relay-from = {{}}
domain example.test {{ deliver = "maildir" }}
{2}
"""


class Server:
    def __init__(self, source, files=None):
        self.folder = Folder()
        certificate(self.folder)
        self.port, self.tls_port = free_port(), free_port()
        self.server = Postrider(CONF.format(self.port, self.tls_port, source), [self.port, self.tls_port],
                                folder=self.folder, files=files)
        self.server.cli("user", "add", "local@example.test", "--password-stdin", stdin="own\n")

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *args):
        self.server.__exit__(*args)
        self.folder.remove()

    def login(self, user, password):
        """The code of the answer to AUTH PLAIN."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with smtplib.SMTP_SSL("127.0.0.1", self.tls_port, context=context) as c:
            c.ehlo("client.test")
            c.user, c.password = user, password
            try:
                return c.auth("PLAIN", c.auth_plain)[0]
            except smtplib.SMTPAuthenticationError as e:
                return e.smtp_code

    def rcpt(self, user, deliver=False):
        with smtplib.SMTP("127.0.0.1", self.port) as c:
            c.ehlo("client.test")
            c.mail("sender@client.test")
            code = c.rcpt(user)[0]
            if deliver:
                check(c.data("Subject: x\n\nhello\n")[0] == 250, "the message was not taken")
            return code

    def story(self, stop, start, knows_recipients=True):
        """The same for every kind of source. alice's password is there; nobody is not."""
        def expect(what, got, want):
            check(got == want, "%s: %s instead of %s\n%s" % (what, got, want, self.server.log(1500)))
        expect("own account", self.login("local@example.test", "own"), 235)
        expect("right password", self.login("alice@example.test", "in wonderland"), 235)
        expect("wrong password", self.login("alice@example.test", "wrong"), 535)
        expect("nobody", self.login("nobody@example.test", "x"), 535)
        if knows_recipients:
            expect("recipient bob", self.rcpt("bob@example.test", True), 250)
            self.server.wait_mail("example.test", "bob", 1)
            expect("recipient nobody", self.rcpt("nobody@example.test"), 550)
        stop()
        expect("source down", self.login("alice@example.test", "in wonderland"), 454)
        expect("source down, own account", self.login("local@example.test", "own"), 235)
        if knows_recipients:
            expect("source down, recipient", self.rcpt("carol@example.test"), 451)
            expect("source down, known recipient", self.rcpt("bob@example.test"), 250)
        start()
        wait_until(lambda: self.login("alice@example.test", "in wonderland") == 235, 20, "a log-in after the recovery")
        if knows_recipients:
            expect("recipient after recovery", self.rcpt("carol@example.test"), 250)


def postgresql():
    """PostgreSQL (libpq): passwords as crypt(3) hashes"""
    programs = sorted(p for p in os.listdir("/usr/lib/postgresql")) if os.path.isdir("/usr/lib/postgresql") else []
    check(programs, "PostgreSQL is not installed")
    base = "/usr/lib/postgresql/%s/bin/" % programs[-1]
    owner = pwd.getpwnam("postgres")
    folder, port = Folder("pg-test-"), free_port()
    os.chown(folder.path, owner.pw_uid, owner.pw_gid)
    env = dict(os.environ, LC_ALL="C")

    def as_owner(*args, **more):
        return subprocess.run(args, user=owner.pw_uid, group=owner.pw_gid, extra_groups=[], check=True, capture_output=True,
                              env=env, cwd=folder.path, timeout=120, **more)
    as_owner(base + "initdb", "-D", folder.path + "/db", "-A", "trust", "-N")
    options = "-c listen_addresses=127.0.0.1 -c port=%d -c unix_socket_directories=%s -c fsync=off" % (port, folder.path)

    def start():
        as_owner(base + "pg_ctl", "-D", folder.path + "/db", "-o", options, "-l", folder.path + "/log", "-w", "start")

    def stop():
        as_owner(base + "pg_ctl", "-D", folder.path + "/db", "-m", "immediate", "-w", "stop")
    start()
    try:
        digest = run(need("openssl"), "passwd", "-6", "in wonderland").stdout.strip()
        rows = "".join("INSERT INTO users VALUES ('%s@example.test', '%s');" % (u, digest) for u in ("alice", "bob", "carol"))
        as_owner(base + "psql", "-h", "127.0.0.1", "-p", str(port), "-d", "postgres", "-c",
                 "CREATE TABLE users (address text PRIMARY KEY, hash text); " + rows)
        with Server('source pg { type = "postgresql" address = "hostaddr=127.0.0.1 port=%d dbname=postgres user=postgres" '
                    'query = "SELECT hash FROM users WHERE address = $1" }' % port) as s:
            s.story(stop, start)
    finally:
        try:
            stop()
        except subprocess.SubprocessError:
            pass
        folder.remove()


LDIF = """dn: dc=example,dc=test
objectClass: dcObject
objectClass: organization
dc: example
o: example

""" + "".join("""dn: uid={0},dc=example,dc=test
objectClass: inetOrgPerson
uid: {0}
cn: {0}
sn: {0}
mail: {0}@example.test
userPassword: in wonderland

""".format(u) for u in ("alice", "bob", "carol"))


def ldap():
    """slapd (libldap): searched for, then bound as"""
    folder, port = Folder("slapd-test-"), free_port()
    os.mkdir(folder.file("db"))
    conf = folder.file("slapd.conf", "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n"
                       "include /etc/ldap/schema/inetorgperson.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n"
                       "pidfile %s/pid\ndatabase mdb\nsuffix dc=example,dc=test\nrootdn cn=admin,dc=example,dc=test\n"
                       "rootpw manager\ndirectory %s/db\naccess to attrs=userPassword by anonymous auth by * none\n"
                       "access to * by dn.exact=cn=admin,dc=example,dc=test read by * none\n" % (folder.path, folder.path))
    run("/usr/sbin/slapadd", "-f", conf, "-l", folder.file("data.ldif", LDIF))
    state = {}

    def start():
        state["p"] = Process(["/usr/sbin/slapd", "-d", "0", "-h", "ldap://127.0.0.1:%d" % port, "-f", conf], folder.file("output"))
        state["p"].start()
        wait_port(port, process=state["p"])

    def stop():
        state["p"].stop()
    start()
    try:
        with Server('source directory { type = "ldap" address = "ldap://127.0.0.1:%d" base = "dc=example,dc=test" '
                    'bind = "cn=admin,dc=example,dc=test" password-file = "ldap-password" }' % port,
                    {"ldap-password": "manager\n"}) as s:
            s.story(stop, start)
    finally:
        stop()
        folder.remove()


def dovecot():
    """Dovecot's auth sockets: log-in by the client socket, recipients by the userdb socket"""
    d = Dovecot()
    d.folder.file("users", "".join("%s:{PLAIN}in wonderland::::::\n" % u for u in ("alice", "bob", "carol")))
    with open(d.conf, "a", encoding="utf-8") as f:
        f.write("service auth {\n  unix_listener auth-client {\n    mode = 0666\n  }\n"
                "  unix_listener auth-userdb {\n    mode = 0777\n  }\n}\n")
    os.chmod(d.folder.file("run"), 0o755)
    d.start()
    try:
        with Server('source imap { type = "dovecot" address = "%s/run/auth-client" users = "%s/run/auth-userdb" }' %
                    (d.folder.path, d.folder.path)) as s:
            s.story(d.stop, d.start)
    finally:
        d.stop()
        d.folder.remove()


def file():
    """A text file of accounts with hashes of others' making: taken into use when it changes, hashes are in no memory of the worker"""
    def hashed(password, scheme="SHA512-CRYPT"):
        return run(need("doveadm"), "pw", "-s", scheme, "-p", password).stdout.strip()
    text = "# people\nalice@example.test:%s:1000:1000::/home/alice::\nbob:%s\nerin@example.test:!\n" % (
        hashed("in wonderland"), hashed("builder", "BLF-CRYPT"))
    with Server('source people { type = "file" file = "people" domains = {"example.test"} }',
                {"people": text}) as s:
        os.chmod(s.folder.file("people"), 0o600)
        check(s.login("local@example.test", "own") == 235, "own account")
        check(s.login("alice@example.test", "in wonderland") == 235, "alice")
        check(s.login("alice@example.test", "wrong") == 535, "a wrong password")
        check(s.login("bob@example.test", "builder") == 235, "a bare name in the file")
        check(s.login("erin@example.test", "!") == 535, "a locked account")
        check(s.login("nobody@example.test", "x") == 535, "nobody")
        check(s.rcpt("bob@example.test", True) == 250 and s.rcpt("erin@example.test") == 250, "recipients")
        check(s.rcpt("nobody@example.test") == 550, "a recipient that is not there")
        worker = s.server.workers()[0]
        with open("/proc/%d/maps" % worker) as maps, open("/proc/%d/mem" % worker, "rb", 0) as mem:
            secret = text.split(":")[1].split("}")[1].encode()
            for row in maps:
                begin, end = (int(x, 16) for x in row.split()[0].split("-"))
                if "rw" in row and end - begin < 1 << 28:
                    mem.seek(begin)
                    try:
                        check(secret not in mem.read(end - begin), "the hash is in the worker's memory: " + row)
                    except OSError:
                        pass
        s.folder.file("people", text.replace("bob:", "robert:") + "carol@example.test:%s\n" % hashed("new"), 0o600)
        wait_until(lambda: s.login("carol@example.test", "new") == 235, 15, "the changed file")
        check(s.login("bob@example.test", "builder") == 535, "an account that has gone logs in")
        check(s.login("robert@example.test", "builder") == 235, "an account that was renamed")
        os.unlink(s.folder.file("people"))
        time.sleep(1.5)
        check(s.login("alice@example.test", "in wonderland") == 235, "with the file gone, what was read stays in use")


if __name__ == "__main__":
    main("sources", postgresql, ldap, dovecot, file)
