"""Shows messages to a server as a stranger would bring them, and tells what became of each."""
import re

from dnsd import DnsServer
from harness import free_port
from mailtext import stuffed
from postrider import Postrider
from smtp import Client

CONF = """
hostname = "mx.example.test"
data-dir = "data"
listener mx {{ address = "127.0.0.1:{port}" }}
relay-from = {{}}
limit-exempt = {{}}
limits {{ connection-rate = 100000 errors = 100000 messages = 100000 }}
domain example.test {{ deliver = "maildir" mailboxes = {{"alice"}} }}
dns {{ servers = {{"127.0.0.1:{dns}"}} }}
policy {{ greet-wait = "0s" }}
"""
ZONE = {"1.0.0.127.in-addr.arpa": {"PTR": ["mail.client.test"]}, "mail.client.test": {"A": ["127.0.0.1"]},
        "client.test": {"MX": ["10 mail.client.test"], "A": ["127.0.0.1"]}}


def judge(messages, extra=""):
    """A list of (code, words, marked as junk) for octets, in their order."""
    port = free_port()
    answers = []
    with DnsServer(ZONE) as dns, Postrider(CONF.format(port=port, dns=dns.port) + extra, ports=[port]) as s:
        with Client(port) as c:
            c.hello("mail.client.test")
            for i, octets in enumerate(messages):
                answers.append(c.mail("sender%d@client.test" % i, "alice@example.test", stuffed(b"X-Number: %d\r\n" % i + octets)))
        s.wait_empty(120)
        junk = set()
        for m in s.mail("example.test", "alice"):
            head = re.split(rb"\r?\n\r?\n", m, 1)[0]
            if b"X-Spam-Flag: YES" in head:
                junk.add(int(re.search(rb"X-Number: (\d+)", head).group(1)))
    return [(code, words, i in junk) for i, (code, words) in enumerate(answers)]
