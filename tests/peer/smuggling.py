"""Every pair of wrong line ends around a dot, by DATA and by BDAT: none ends a message at our door, and
whatever we take leaves as one message that no other server can split."""
import re

from common import main
import confs
from harness import check, equal, free_port
from postrider import Postrider
from smtp import Client, FakeServer

ENDS = (b"\r\n", b"\n", b"\r", b"\n\r", b"\r\r\n", b"\r\n\r", b"\n\n", b"\r\r", b"\0\r\n", b"\r\0\n", b"\r\n\0", b"\0\n", b"\n\0",
        b"\x0b", b"\x0c", b"\x85", b"\xc2\x85", b"\xe2\x80\xa8", b" \r\n", b"\r\n ", b"\t\r\n", b"\x1a\r\n", b"\x08\r\n", b"\r\n\x08")
EVIL = b"MAIL FROM:<evil@client.test>\r\nRCPT TO:<victim@elsewhere.test>\r\nDATA\r\nSubject: two\r\n\r\ntwo\r\n"


def variants():
    """(name, octets) of everything that is not the true end."""
    for a in ENDS:
        for dot in (b".", b".."):
            for b in ENDS:
                octets = a + dot + b
                if dot == b"." and b"\r\n.\r\n" in octets or (dot == b".." and (a != b"\r\n" and b != b"\r\n")):
                    continue
                yield repr(octets), octets


def through(send):
    """Sends each variant by `send`, then looks at what arrived at the next server."""
    port = free_port()
    with FakeServer(FakeServer.USUAL) as there, \
            Postrider(confs.relay(port, "smtp://127.0.0.1:%d" % there.port, "limits { errors = 1000000 messages = 1000000 }\n"),
                      [port]) as server:
        taken = refused = 0
        client = None
        for name, octets in variants():
            if client is None:
                client = Client(port)
                client.hello()
            client.command("MAIL FROM:<sender@client.test>", 250)
            client.command("RCPT TO:<someone@elsewhere.test>", 250)
            code, words = send(client, b"Subject: one\r\n\r\none" + octets + EVIL)
            check(code == 250 or code // 100 == 5, "%s: %d %s" % (name, code, words))
            bare = re.search(rb"(?<!\r)\n|\r(?!\n)|\0", octets)
            check(not (bare and code == 250), "%s was taken" % name)
            taken, refused = taken + (code == 250), refused + (code != 250)
            equal(client.command("NOOP")[0], 250, "the reply to NOOP after %s" % name)
        client.close()
        server.wait_empty(60)
        equal(len(there.transactions), taken, "messages at the next server")
        check(refused > 100 and taken > 50, "refused %d, taken %d" % (refused, taken))
        for t in there.transactions:
            equal((t.sender, t.rcpts), ("sender@client.test", ["someone@elsewhere.test"]), "envelope")
            check(not re.search(rb"(?<!\r)\n|\r(?!\n)|\0", t.raw), "a bare CR or LF or NUL went out: %r" % t.raw)


def by_data():
    """By DATA"""
    def send(client, octets):
        client.command("DATA", 354)
        client.send(octets + b".\r\n")
        return client.reply()
    through(send)


def by_bdat():
    """By BDAT in one chunk"""
    def send(client, octets):
        client.send(b"BDAT %d LAST\r\n" % len(octets) + octets)
        return client.reply()
    through(send)


def by_small_chunks():
    """By BDAT in chunks of three octets"""
    def send(client, octets):
        parts = [octets[i:i + 3] for i in range(0, len(octets), 3)]
        client.send(b"".join(b"BDAT %d%s\r\n" % (len(p), b" LAST" if i + 1 == len(parts) else b"") + p
                             for i, p in enumerate(parts)))
        replies = [client.reply() for _ in parts]
        return replies[-1]
    through(send)


if __name__ == "__main__":
    main("smuggling", by_data, by_bdat, by_small_chunks)
