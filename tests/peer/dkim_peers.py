"""DKIM between postrider and others: OpenDKIM, dkimpy, mailauth and rspamd verify what it signs, and it verifies what they
sign, over generated messages: folds, tabs, 8-bit, empty bodies, blank lines at the end, huge headers."""
import json
import os
import random
import re
import subprocess
import sys

sys.path.append("/usr/lib/python3/dist-packages")       # dkimpy of Debian, under another Python, too
from common import main
from checks import Checker, new_key
from harness import Folder, Process, check, free_port, need, npm, run, wait_port
from dnsd import DnsServer

MESSAGES = 240
MAILAUTH = "4.13.3"
CANONS = ("simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed")
KEYS = (("rsa", "rsa-sha256"), ("ed", "ed25519-sha256"))
DOMAIN = "peer.example"


def message(i):
    """A message that is legal, and as awkward as i makes it."""
    r = random.Random(i)
    blank = lambda: r.choice([" ", "\t", "  ", " \t "])                                  # noqa: E731
    fold = lambda: "\r\n" + blank()                                                     # noqa: E731
    head = ["From:%sA <a@%s>" % (r.choice(["", " ", "  ", fold()]), DOMAIN),
            "To: b@x.test,%sc@x.test" % fold(), "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)",
            "Message-ID: <%d@%s>" % (i, DOMAIN),
            "Subject:%s%s" % (blank(), fold().join("word%d%s" % (k, blank()) + "x" for k in range(r.randrange(1, 6))))]
    if i % 5 == 0:
        head += ["MIME-Version: 1.0", "Content-Type: text/plain;%scharset=utf-8" % fold(), "Content-Transfer-Encoding: 8bit"]
    if i % 7 == 0:
        head += ["Reply-To: <r@%s>" % DOMAIN, "List-Id: <l.%s>" % DOMAIN, "List-Unsubscribe: <https://x.test/>"]
    if i % 11 == 0:
        head += ["References: " + fold().join("<%d.%d@%s>" % (i, k, DOMAIN) for k in range(700))]
    if i % 13 == 0:
        head += ["Cc: a@x.test", "X-Empty:", "X-Blank: \t"]
    r.shuffle(head)
    lines = []
    for _ in range(r.randrange(0, 12)):
        words = [r.choice(["word", "a  b", "tab\ttab", "gr\u00fc\u00df" if i % 5 == 0 else "gruss", ".", "..", "From x", "--"])
                 for _ in range(r.randrange(0, 9))]
        lines.append(blank().join(words) + r.choice(["", "", " ", "\t ", "  "]))
    if i % 17 == 0:
        lines = []
    body = "".join(line + "\r\n" for line in lines) + "\r\n" * r.choice([0, 0, 1, 3])
    if i % 19 == 0:
        body = "".join(" " * (i % 3) + "\r\n" for _ in range(4))
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode("utf-8")


class World:
    """Keys, their zone, messages signed by postrider; made once."""
    made = None

    def __init__(self):
        self.folder, self.zone, self.keys = Folder(), {}, {}
        for name, algorithm in KEYS:
            self.keys[name] = os.path.join(self.folder.path, name + ".pem")
            self.zone.update(new_key(self.keys[name], DOMAIN, name, algorithm))
        self.plain = [message(i) for i in range(MESSAGES)]
        with Checker(self.zone) as c:
            self.signed = [c.octets("dkim", "sign", "--domain", DOMAIN, "--selector", self.key(i)[0], "--key",
                                    self.keys[self.key(i)[0]], "--algorithm", self.key(i)[1], "--canon", CANONS[i % 4],
                                    message=m) for i, m in enumerate(self.plain)]

    @staticmethod
    def key(i):
        return KEYS[i // 4 % 2]

    def file(self, name, octets):
        return self.folder.file(name, octets)

    def record(self, selector):
        return self.zone["%s._domainkey.%s" % (selector, DOMAIN)]["TXT"][0]

    def judged(self, messages, who):
        with Checker(self.zone) as c:
            for i, m in messages:
                got = c("dkim", "verify", message=m)
                check(got[0].startswith("pass "), "message %d signed by %s: %s\n%s" % (i, who, got[0], m[:1500]))


def world():
    World.made = World.made or World()
    return World.made


def ourselves():
    """What postrider signs it verifies itself, in CRLF and in LF"""
    w = world()
    w.judged(enumerate(w.signed), "postrider")
    w.judged(((i, m.replace(b"\r\n", b"\n")) for i, m in list(enumerate(w.signed))[::10]), "postrider (LF)")


def dkimpy():
    """python3-dkim, in both directions"""
    import dkim
    w = world()

    def answer(name, timeout=5):
        entry = w.zone.get((name.decode() if isinstance(name, bytes) else name).rstrip("."))
        return entry["TXT"][0].encode() if entry else None
    for i, m in enumerate(w.signed):
        check(dkim.verify(m, dnsfunc=answer), "dkimpy does not verify message %d:\n%s" % (i, m[:1500]))
    with open(w.keys["rsa"], "rb") as f:
        rsa = f.read()
    done = subprocess.run(["openssl", "rsa", "-traditional"], input=rsa, capture_output=True).stdout
    ed = subprocess.run(["openssl", "pkey", "-in", w.keys["ed"], "-outform", "DER"], capture_output=True).stdout[-32:]
    import base64
    theirs = []
    for i, m in enumerate(w.plain):
        name, algorithm = w.key(i)
        canon = tuple(c.encode() for c in CANONS[i % 4].split("/"))
        field = dkim.sign(m, name.encode(), DOMAIN.encode(), done if name == "rsa" else base64.b64encode(ed),
                          canonicalize=canon, signature_algorithm=algorithm.encode(),
                          include_headers=[b"from", b"to", b"subject", b"date", b"reply-to"])
        theirs.append((i, field + m))
    w.judged(theirs, "dkimpy")


MAILAUTH_SCRIPT = """
const fs = require('fs');
const {authenticate} = require('mailauth');
const {dkimSign} = require('mailauth/lib/dkim/sign');
const job = JSON.parse(fs.readFileSync(process.argv[2]));
const resolver = async (name, type) => {
  const entry = job.zone[name.replace(/\\.$/, '').toLowerCase()];
  if (type === 'TXT' && entry) return entry.TXT.map(t => [t]);
  const e = new Error('none'); e.code = 'ENOTFOUND'; throw e;
};
(async () => {
  const out = {verified: [], signed: []};
  for (const file of job.verify) {
    const r = await authenticate(fs.readFileSync(file), {resolver, disableArc: true, disableDmarc: true, disableBimi: true});
    out.verified.push(r.dkim.results.map(x => x.status.result + (x.status.comment ? ' ' + x.status.comment : '')).join(','));
  }
  for (const s of job.sign) {
    const octets = fs.readFileSync(s.file);
    const r = await dkimSign(octets, {canonicalization: s.canon, algorithm: s.algorithm, signTime: new Date(),
      signatureData: [{signingDomain: job.domain, selector: s.selector, privateKey: fs.readFileSync(s.key, 'utf8')}]});
    if (r.errors && r.errors.length) throw r.errors[0].err || r.errors[0];
    out.signed.push(r.signatures);
  }
  console.log(JSON.stringify(out));
})().catch(e => { console.error(e); process.exit(1); });
"""


def mailauth():
    """mailauth of npm, in both directions"""
    env = npm("mailauth", MAILAUTH)
    w = world()
    job = {"zone": w.zone, "domain": DOMAIN, "verify": [w.file("v%d" % i, m) for i, m in enumerate(w.signed)], "sign": []}
    for i, m in enumerate(w.plain):
        name, algorithm = w.key(i)
        job["sign"].append({"file": w.file("s%d" % i, m), "selector": name, "algorithm": algorithm, "key": w.keys[name],
                            "canon": CANONS[i % 4]})
    p = run(need("node"), w.file("mailauth.js", MAILAUTH_SCRIPT), w.file("job.json", json.dumps(job)),
            env=env, seconds=300)
    check(p.stdout, p.stderr)
    out = json.loads(p.stdout)
    for i, word in enumerate(out["verified"]):
        check(word == "pass", "mailauth on message %d: %s\n%s" % (i, word, w.signed[i][:1500]))
    w.judged([(i, fields.encode() + w.plain[i]) for i, fields in enumerate(out["signed"])], "mailauth")


def opendkim():
    """OpenDKIM, in both directions (RSA)"""
    w = world()
    # It has no Ed25519; its way of reading a file (-t), as that of a milter, loses blanks behind a colon, so that "simple"
    # headers cannot be judged.
    mine = [i for i in range(MESSAGES) if w.key(i)[0] == "rsa" and CANONS[i % 4].startswith("relaxed")]
    table = w.file("table", "rsa._domainkey.%s %s\n" % (DOMAIN, w.record("rsa")))
    conf = w.file("opendkim.conf", "Mode v\nTestDNSData file:%s\nSyslog no\nMaximumHeaders 0\n" % table)
    files = [w.file("o%d" % i, w.signed[i].replace(b"\r\n", b"\n")) for i in mine]
    p = run(need("opendkim"), "-x", conf, "-t", ",".join(files), "-vvv", seconds=120)
    text = p.stdout + p.stderr
    good = text.count("verification (s=rsa, d=%s, 2048-bit key) succeeded" % DOMAIN)
    check(good == len(mine), "%d of %d: %s" % (good, len(mine), [x for x in text.split("\n") if "failed" in x]))
    conf = w.file("sign.conf", "Mode s\nDomain %s\nKeyFile %s\nSelector rsa\nCanonicalization relaxed/relaxed\n"
                  "SignatureAlgorithm rsa-sha256\nRequireSafeKeys no\nSyslog no\n" % (DOMAIN, w.keys["rsa"]))
    theirs = []
    for i in mine[::2]:
        p = run(need("opendkim"), "-x", conf, "-t", w.file("p%d" % i, w.plain[i].replace(b"\r\n", b"\n")), "-vvv")
        field = re.search(r"hname='DKIM-Signature' hvalue='(.*?)'\n", p.stdout + p.stderr, re.S)
        check(field, p.stdout + p.stderr)
        theirs.append((i, b"DKIM-Signature: " + field.group(1).encode().replace(b"\n", b"\r\n") + b"\r\n" + w.plain[i]))
    w.judged(theirs, "OpenDKIM")


def rspamd():
    """rspamd, both algorithms"""
    w = world()
    with DnsServer(w.zone) as dns:
        port, control = free_port(), free_port()
        folder = Folder()
        os.chmod(folder.path, 0o777)
        text = """
options {{ pidfile = "{d}/pid"; filters = "dkim"; tempdir = "{d}"; disable_hyperscan = true;
  dns {{ nameserver = ["127.0.0.1:{dns}"]; timeout = 5s; retransmits = 3; }} }}
logging {{ type = "file"; filename = "{d}/rspamd.log"; level = "info"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
dkim {{ dkim_cache_size = 2k; time_jitter = 6h; trusted_only = false; skip_multi = false; }}
""".format(d=folder.path, dns=dns.port, port=port)
        conf = folder.file("rspamd.conf", text)
        with Process([need("rspamd"), "-f", "-i", "-c", conf], folder.file("out")) as p:
            wait_port(port, 120, p)
            for i, m in enumerate(w.signed):
                if i % 19 == 0 and CANONS[i % 4].endswith("/relaxed"):
                    continue       # lines of blanks alone at the end: it does not take them for empty (RFC 6376 3.4.4)
                q = run(need("rspamc"), "-h", "127.0.0.1:%d" % port, "--json", w.file("r%d" % i, m), seconds=30)
                check("R_DKIM_ALLOW" in q.stdout, "rspamd on message %d: %s" % (i, q.stdout[-800:] + q.stderr[-300:]))


if __name__ == "__main__":
    main("dkim_peers", ourselves, dkimpy, mailauth, opendkim, rspamd)
