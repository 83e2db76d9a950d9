"""What tests of mail on its way out share: servers of other domains on addresses of their own, one message, what became of it."""
from harness import equal, wait_until
from mailtext import message, stuffed
from smtp import Client, FakeServer


def fake_servers(names, network, port, pair_of):
    """{name: FakeServer} at NETWORK.1, NETWORK.2 ... and one port; `pair_of(name)` is its certificate and key, None: no TLS."""
    out = {}
    for i, name in enumerate(names):
        pair = pair_of(name)
        out[name] = FakeServer(address="%s.%d" % (network, i + 1), port=port, certificate=pair,
                               offers=FakeServer.USUAL + (("STARTTLS",) if pair else ()))
    return out


def send(server, port, rcpt, mark="x", seconds=30):
    """Hands a message to the server; the event that says what became of it: delivered, deferred or bounced."""
    with Client(port) as c:
        c.hello()
        equal(c.mail("sender@client.test", [rcpt], stuffed(message(mark)))[0], 250, "our answer")

    def told():
        found = server.json("why", rcpt)["messages"]
        events = found[0]["events"] if found else []
        return events[-1] if events and events[-1]["event"] in ("delivered", "deferred", "bounced") else None
    return wait_until(told, seconds, "what became of the message to " + rcpt)
