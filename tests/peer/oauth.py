"""Log-in by tokens (OAUTHBEARER, XOAUTH2) of an authority that is not ours: each mail program that can, each kind of signature, each
reason to refuse one."""
import base64
import json
import os
import smtplib
import time

from common import main
from harness import Folder, certificate, check, equal, need, run, wait_until
from nodemailer import install
from submission import USER, Server, context
from tokens import Issuer, Key, secret_file

OAUTH = """oauth company {{
    issuer = "{name}"  jwks = "{name}/jwks"  audience = {{"mail"}}  scope = "smtp"
    introspection = "{name}/introspect"  introspection-age = 2s  client = "mail server"  secret-file = "{secret}"
    openid-configuration = "{name}/.well-known/openid-configuration"
    ca-file = "ca.pem"  keys-again = "5s"
}}
{more}
"""


class World:
    """An authority with one key of each kind, and a server that believes it."""

    def __init__(self, tls=False, more="", kinds=("ES256",)):
        self.folder = Folder()
        pair = certificate(self.folder, stem="idp") if tls else None
        self.issuer = Issuer(self.folder, pair)
        self.keys = {alg: Key(self.folder, "k%d" % i, alg) for i, alg in enumerate(kinds)}
        self.issuer.keys = list(self.keys.values())
        conf = OAUTH.format(name=self.issuer.name, secret=secret_file(self.folder, self.issuer), more=more)
        self.s = Server(conf if tls else conf.replace('ca-file = "ca.pem"', ""))
        if tls:
            with open(pair[0]) as f:
                self.s.folder.file("ca.pem", f.read())

    def __enter__(self):
        self.s.__enter__()
        return self

    def __exit__(self, *args):
        self.s.__exit__(*args)
        self.issuer.stop()
        self.folder.remove()

    def token(self, alg="ES256", **claims):
        return self.keys[alg].token(self.issuer.claims(**claims))

    def try_it(self, token, mech="OAUTHBEARER", user=USER, message=None, answer=None):
        """(code of the end, JSON of the challenge or None) of one exchange."""
        c = smtplib.SMTP_SSL("127.0.0.1", self.s.tls_port, context=context())
        c.ehlo("client.test")
        if message is None:
            head = "user=%s\1" % user if mech == "XOAUTH2" else "n,%s,\1" % ("a=" + user if user else "")
            message = head + "auth=Bearer %s\1\1" % token
        code, text = c.docmd("AUTH", mech + " " + base64.b64encode(message.encode()).decode())
        said = None
        if code == 334:
            said = json.loads(base64.b64decode(text))
            code, text = c.docmd(answer or ("AQ==" if mech == "OAUTHBEARER" else ""))
        c.close()
        return code, said


def message(user=USER):
    return "From: %s\nSubject: x\n\nhello\n" % user


def python():
    """Python's smtplib with an authentication object: OAUTHBEARER and XOAUTH2, initial response or not, every kind of key"""
    with World(kinds=("RS256", "PS256", "ES256", "EdDSA")) as w:
        count = 0
        for alg in w.keys:
            for mech in ("OAUTHBEARER", "XOAUTH2"):
                for initial in (True, False):
                    c = smtplib.SMTP("127.0.0.1", w.s.port)
                    c.starttls(context=context())
                    c.ehlo("client.test")
                    head = "user=%s\1" % USER if mech == "XOAUTH2" else "n,a=%s,\1" % USER
                    c.auth(mech, lambda challenge=None, head=head, alg=alg: head + "auth=Bearer %s\1\1" % w.token(alg),
                           initial_response_ok=initial)
                    c.sendmail(USER, ["bob@example.test"], message())
                    c.quit()
                    count += 1
        w.s.got(count)
        w.s.used("OAUTHBEARER", count // 2)
        w.s.used("XOAUTH2", count // 2)
        equal(w.issuer.asked, ["/jwks"], "questions to the authority")


def curl():
    """curl --oauth2-bearer: OAUTHBEARER and XOAUTH2, good and bad tokens; keys by HTTPS"""
    with World(tls=True, kinds=("RS256",)) as w:
        text = w.s.folder.file("message", message().replace("\n", "\r\n"))
        for url in ("smtp://127.0.0.1:%d/client.test" % w.s.port, "smtps://127.0.0.1:%d/client.test" % w.s.tls_port):
            for mech in ("OAUTHBEARER", "XOAUTH2"):
                for initial in ([], ["--sasl-ir"]):
                    run(need("curl"), "-sS", "--ssl-reqd", "--insecure", "--url", url, "--user", USER, "--oauth2-bearer", w.token("RS256"),
                        "--login-options", "AUTH=" + mech, "--mail-from", USER, "--mail-rcpt", "bob@example.test", "-T", text, *initial)
                bad = run(need("curl"), "-sS", "--ssl-reqd", "--insecure", "--url", url, "--user", USER, "--oauth2-bearer", "nonsense",
                          "--login-options", "AUTH=" + mech, "--mail-from", USER, "--mail-rcpt", "bob@example.test", "-T", text, ok=None)
                equal(bad.returncode, 67, "curl's status with a bad token")
        w.s.got(8)


def msmtp():
    """msmtp: oauthbearer and xoauth2, by STARTTLS and implicit TLS"""
    with World() as w:
        for port, starttls in ((w.s.port, "on"), (w.s.tls_port, "off")):
            for mech in ("oauthbearer", "xoauth2"):
                rc = w.s.folder.file("msmtprc", "account default\nhost 127.0.0.1\nport %d\nfrom %s\nauth %s\nuser %s\npassword %s\ntls on\n"
                                     "tls_starttls %s\ntls_certcheck off\n" % (port, USER, mech, USER, w.token(), starttls))
                os.chmod(rc, 0o600)
                run(need("msmtp"), "-C", rc, "bob@example.test", stdin=message())
        w.s.got(4)


def mutt():
    """mutt: oauthbearer and xoauth2 by a command that prints the token"""
    with World() as w:
        token = w.s.folder.file("token", w.token() + "\n")
        for url in ("smtp://alice%%40example.test@127.0.0.1:%d" % w.s.port, "smtps://alice%%40example.test@127.0.0.1:%d" % w.s.tls_port):
            for mech in ("oauthbearer", "xoauth2"):
                rc = w.s.folder.file("muttrc", 'set smtp_url="%s"\nset smtp_oauth_refresh_command="cat %s"\nset ssl_force_tls=yes\n'
                                     'set ssl_starttls=yes\nset from="%s"\nset realname="Alice"\nset copy=no\nset hostname=client.test\n'
                                     'set certificate_file="%s"\nset ssl_verify_host=no\nset use_envelope_from=yes\n'
                                     'set smtp_authenticators="%s"\n' % (url, token, USER, w.s.cert, mech))
                run(need("mutt"), "-n", "-F", rc, "-s", "x", "--", "bob@example.test", stdin="hello\n",
                    env=dict(os.environ, HOME=w.s.folder.path))
        w.s.got(4)
        w.s.used("OAUTHBEARER", 2)
        w.s.used("XOAUTH2", 2)


def s_nail():
    """s-nail: what it calls oauthbearer (XOAUTH2 on the wire), by STARTTLS and implicit TLS"""
    with World() as w:
        for scheme, port, more in (("smtp", w.s.port, ("-S", "smtp-use-starttls")), ("smtps", w.s.tls_port, ())):
            url = "%s://alice%%40example.test:%s@127.0.0.1:%d" % (scheme, w.token(), port)
            run(need("s-nail"), "-:/", "-Sv15-compat", "-S", "mta=" + url, "-S", "smtp-auth=oauthbearer", "-S", "tls-verify=ignore",
                "-S", "sendwait", "-r", USER, "-s", "x", *more, "bob@example.test", stdin="hello\n",
                env=dict(os.environ, HOME=w.s.folder.path))
        w.s.got(2)
        w.s.used("XOAUTH2", 2)


NODE = """
const nodemailer = require('nodemailer');
const [port, secure, user, accessToken] = [Number(process.argv[2]), process.argv[3] === 'tls', ...process.argv.slice(4)];
const transport = nodemailer.createTransport({host: '127.0.0.1', port, secure, pool: true, maxConnections: 3, name: 'client.test',
  requireTLS: true, auth: {type: 'OAuth2', user, accessToken}, tls: {rejectUnauthorized: false}});
const send = i => transport.sendMail({from: 'Alice <' + user + '>', to: 'bob@example.test', subject: 'node ' + i, text: 'hello'});
Promise.all([...Array(5).keys()].map(send)).then(all => { console.log(all.length); transport.close(); })
  .catch(e => { console.error(e.responseCode, e.code, e.message); process.exit(1); });
"""


def nodemailer():
    """nodemailer: XOAUTH2 in a pool; a bad token is told as 535"""
    env = install()
    with World() as w:
        script = w.s.folder.file("send.js", NODE)
        for port, word in ((w.s.port, "clear"), (w.s.tls_port, "tls")):
            run(need("node"), script, port, word, USER, w.token(), env=env)
            bad = run(need("node"), script, port, word, USER, w.token(exp=1000), env=env, ok=(1,))
            check("EAUTH" in bad.stderr, bad.stderr)   # it sees the 535 and would fetch a new token
        w.s.got(10)


def refused():
    """Wrong key, expired, not yet, another audience, issuer, scope, no address, HMAC by the public key, no signature: 535 after the challenge"""
    with World(kinds=("ES256", "RS256"), more="auth { slow-after = 1000 }") as w:
        now = int(time.time())
        stranger = Key(w.folder, "stranger", "ES256")
        with open(w.keys["RS256"].path + ".pub", "wb") as f:
            f.write(run("openssl", "pkey", "-in", w.keys["RS256"].path, "-pubout").stdout.encode())
        good = w.token()
        equal(w.try_it(good)[0], 235, "a good token")
        head, body, sig = good.split(".")
        for what, token in (
                ("another key of the same name", stranger.token(w.issuer.claims(), kid="k0")),
                ("a changed claim", ".".join((head, body[:-2] + ("A" if body[-2] != "A" else "B") + body[-1], sig))),
                ("expired", w.token(exp=now - 60)), ("not yet", w.token(nbf=now + 100)), ("no end", w.token(exp=None)),
                ("another audience", w.token(aud="web")), ("no audience", w.token(aud=None)),
                ("another issuer", w.token(iss="https://other.test")), ("another scope", w.token(scope="openid")),
                ("no account", w.token(email=None)), ("a number as account", w.token(email=5)),
                ("an account that is not there", w.token(email="nobody@example.test")),
                ("a domain that is not there", w.token(email="alice@elsewhere.test")),
                ("an address that is not verified", w.token(email_verified=False)),
                ("alg none", base_token({"alg": "none"}, w.issuer.claims(), b"")),
                ("HS256 by the public key", hmac_token(w.keys["RS256"], w.issuer.claims())),
                ("a method of another kind", w.keys["ES256"].token(w.issuer.claims(), alg="RS256")),
                ("a key that nobody has", w.keys["ES256"].token(w.issuer.claims(), kid="elsewhere")),
                ("extensions", w.keys["ES256"].token(w.issuer.claims(), crit=["b64"], b64=False)),
                ("another use", w.keys["ES256"].token(w.issuer.claims(), typ="secevent+jwt")),
                ("an opaque one that nobody knows", "opaque")):
            for mech in ("OAUTHBEARER", "XOAUTH2"):
                code, said = w.try_it(token, mech, user=None if mech == "OAUTHBEARER" else USER)
                check(code == 535 and said, "%s, %s: %s %s" % (what, mech, code, said))
                check(said["status"] == ("invalid_token" if mech == "OAUTHBEARER" else "401"), "status: %s" % said)
                equal(said["scope"], "smtp", "scope")
                check(said["openid-configuration"].startswith(w.issuer.name), "openid-configuration")
        equal(w.try_it(good, user="bob@example.test")[0], 535, "a token for another account than the client's name")
        equal(w.try_it(good, user=USER.upper())[0], 235, "the name in capitals")
        equal(w.try_it(good, user="alice")[0], 235, "a bare name")
        equal(w.try_it(good, user="")[0], 235, "no name")
        w.s.server.cli("user", "disable", USER)
        equal(w.try_it(good)[0], 535, "an account that is switched off")
        equal(w.issuer.wrong_client, 0, "questions with a wrong client")


def base_token(head, claims, sig):
    from tokens import b64
    return ".".join((b64(json.dumps(head).encode()), b64(json.dumps(claims).encode()), b64(sig)))


def hmac_token(key, claims):
    import hashlib
    import hmac
    from tokens import b64
    with open(key.path + ".pub", "rb") as f:
        public = f.read()
    text = ".".join((b64(json.dumps({"alg": "HS256", "kid": key.kid}).encode()), b64(json.dumps(claims).encode())))
    return text + "." + b64(hmac.new(public, text.encode(), hashlib.sha256).digest())


def introspection():
    """Opaque tokens: the authority is asked once in introspection-age, with the client's name and secret; what it says counts"""
    with World() as w:
        now = int(time.time())
        w.issuer.active = {
            "good": {"active": True, "scope": "smtp", "aud": ["mail"], "username": USER},
            "ended": {"active": True, "scope": "smtp", "aud": "mail", "exp": now - 60, "username": USER},
            "other": {"active": True, "scope": "smtp", "aud": "web", "username": USER},
            "strange": {"active": "yes", "username": USER}}
        for token, want in (("good", 235), ("ended", 535), ("other", 535), ("unknown", 535), ("strange", 454)):
            equal(w.try_it(token)[0], want, token)
        asked = w.issuer.asked.count("/introspect")
        equal(w.try_it("good")[0], 235, "the same again")
        equal(w.issuer.asked.count("/introspect"), asked, "questions about a token that was good a moment ago")
        del w.issuer.active["good"]
        wait_until(lambda: w.try_it("good")[0] == 535, 10, "a token that was revoked, after introspection-age")
        equal(w.issuer.wrong_client, 0, "questions with a wrong client")


def down():
    """The authority is down: 454; it is back: tokens are good again. A new key is fetched once, not for each token"""
    with World() as w:
        good = w.token()
        w.issuer.status = 503
        equal(w.try_it(good)[0], 454, "no keys")
        equal(w.try_it("opaque")[0], 454, "no introspection")
        w.issuer.status = 200
        wait_until(lambda: w.try_it(good)[0] == 235, 10, "the authority")
        equal(w.try_it("opaque")[0], 535, "introspection is back")
        time.sleep(5.1)
        asked = w.issuer.asked.count("/jwks")
        new = Key(w.folder, "new", "ES256")
        for _ in range(5):
            equal(w.try_it(new.token(w.issuer.claims()))[0], 535, "a key that is not published")
        check(w.issuer.asked.count("/jwks") - asked == 1, "the keys were fetched %d times" % (w.issuer.asked.count("/jwks") - asked))
        w.issuer.keys.append(new)
        time.sleep(5.1)
        equal(w.try_it(new.token(w.issuer.claims()))[0], 235, "a new key")
        equal(w.try_it(good)[0], 235, "the old key")
        w.issuer.stop()
        equal(w.try_it(good)[0], 235, "with keys that are kept")
        equal(w.try_it("opaque")[0], 454, "an authority that is gone")


def counted():
    """Refused tokens count as failed log-ins: the session ends, the address is blocked"""
    with World(more='limit-exempt = {} auth { attempts = 2 block-after = 4 }') as w:
        c = smtplib.SMTP_SSL("127.0.0.1", w.s.tls_port, context=context())
        c.ehlo("client.test")
        bad = "OAUTHBEARER " + base64.b64encode(b"n,,\1auth=Bearer nonsense\1\1").decode()
        equal(c.docmd("AUTH", bad)[0], 334, "the first")
        equal(c.docmd("AQ==")[0], 535, "its end")
        equal(c.docmd("AUTH", bad)[0], 421, "the second ends the session")
        for _ in range(2):
            w.try_it("nonsense")
        equal(w.try_it(w.token())[0], 454, "a blocked address")
        w.s.server.wait_log("auth_blocked")


if __name__ == "__main__":
    main("oauth", python, curl, msmtp, mutt, s_nail, nodemailer, refused, introspection, down, counted)
