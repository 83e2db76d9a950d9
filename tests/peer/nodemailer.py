"""nodemailer hands mail to postrider. The package is installed into build/, nowhere else."""
import json

from common import main
from clients import Server
from harness import check, need, npm, run
from mailtext import parsed

VERSION = "6.9.16"
SCRIPT = """
const nodemailer = require('nodemailer');
const [port, secure] = [Number(process.argv[2]), process.argv[3] === 'tls'];
const transport = nodemailer.createTransport({host: '127.0.0.1', port, secure, pool: true, maxConnections: 3,
                                              name: 'client.test', tls: {rejectUnauthorized: false}});
const send = i => transport.sendMail({from: 'Sender <sender@client.test>', to: 'alice@example.test, bob@example.test',
  subject: 'node ' + i + ' \\u20ac', text: '.dot\\n..\\ngr\\u00fc\\u00df\\n', html: '<p>' + 'x'.repeat(2000) + '</p>',
  attachments: [{filename: 'a.bin', content: Buffer.alloc(300000, i)}]});
Promise.all([...Array(10).keys()].map(send)).then(all => {
  console.log(JSON.stringify(all.map(r => [r.accepted, r.response])));
  transport.close();
}).catch(e => { console.error(e); process.exit(1); });
"""


def install():
    return npm("nodemailer", VERSION)


def send(port_of, word):
    env = install()
    with Server() as s:
        script = s.folder.file("send.js", SCRIPT)
        p = run(need("node"), script, port_of(s), word, env=env)
        answers = json.loads(p.stdout)
        check(len(answers) == 10 and all(len(a[0]) == 2 and a[1].startswith("250 ") for a in answers), p.stdout)
        for box in ("alice", "bob"):
            got = s.got(box, 10)
            check(sorted(parsed(m)["subject"] for m in got) == ["node %d \u20ac" % i for i in range(10)], "subjects for " + box)
            for m in got:
                sizes = [len(a.get_content()) for a in parsed(m).iter_attachments()]
                check(sizes == [300000], "attachments of %s octets" % sizes)


def starttls():
    """Ten messages with attachments over three pooled connections, by STARTTLS"""
    send(lambda s: s.port, "clear")


def implicit_tls():
    """The same over implicit TLS"""
    send(lambda s: s.tls_port, "tls")


if __name__ == "__main__":
    main("nodemailer", starttls, implicit_tls)
