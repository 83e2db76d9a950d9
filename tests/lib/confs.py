"""Configurations that several tests use, as texts."""

HEAD = 'hostname = "{host}"\ndata-dir = "data"\n'


def relay(port, via, extra="", host="relay.example.test"):
    """Takes mail on loopback and hands everything to `via` (smtp://host:port)."""
    return (HEAD.format(host=host) + 'listener mx { address = "127.0.0.1:%d" }\n' % port +
            'relay-from = {"127.0.0.0/8"}\nqueue { delays = {"1s"} }\n'
            'route "*" { via = "%s" }\n' % via + extra)


def mx(port, extra="", tls_port=None, lmtp_port=None, domain='deliver = "maildir" mailboxes = {"alice", "bob", "postmaster"}'):
    """Receives for example.test and relays for nobody; cert.pem and cert-key.pem when TLS is asked for."""
    text = HEAD.format(host="mx.example.test") + 'listener mx { address = "127.0.0.1:%d" }\n' % port
    if tls_port:
        text += 'listener smtps { address = "127.0.0.1:%d" tls = "implicit" }\n' % tls_port
        text += 'tls { certificate = "cert.pem" key = "cert-key.pem" }\n'
    if lmtp_port:
        text += 'listener lmtp { address = "127.0.0.1:%d" protocol = "lmtp" }\n' % lmtp_port
    return text + 'relay-from = {}\ndomain example.test { %s }\n' % domain + extra
