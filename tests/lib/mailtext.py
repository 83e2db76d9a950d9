"""Messages for tests: awkward ones, and how to look at what arrived."""
import email
import email.policy

AWKWARD = ["", ".", "..", "...", ".leading dot", "..two dots", "From the start", ">From", "trailing  ", "\ttab",
           "QUIT", "\\.", "L" * 998, "." * 998, "a.b.c.", " ", ".", ""]


def message(mark, body_lines=None, sender="sender@client.test", to="someone@elsewhere.test", extra=()):
    """The octets of a plain message with the word `mark` in its subject."""
    head = ["From: <%s>" % sender, "To: <%s>" % to, "Subject: test " + mark, "Date: Fri, 21 Nov 2025 10:00:00 +0000",
            "Message-ID: <%s@client.test>" % mark, *extra]
    lines = head + [""] + list(AWKWARD if body_lines is None else body_lines)
    return b"\r\n".join(x if isinstance(x, bytes) else x.encode("utf-8") for x in lines) + b"\r\n"


def stuffed(octets):
    """The same as it travels behind DATA, with its end."""
    rows = octets.split(b"\r\n")
    return b"\r\n".join(b"." + r if r[:1] == b"." else r for r in rows) + b".\r\n"


def body(octets):
    """What follows the first empty line, with CRLF or LF as line ends turned into CRLF."""
    octets = octets.replace(b"\r\n", b"\n")
    return octets.partition(b"\n\n")[2].replace(b"\n", b"\r\n")


def parsed(octets):
    return email.message_from_bytes(octets, policy=email.policy.default)


def with_mark(many, mark):
    """Those of many messages that have the word in them."""
    return [m for m in many if mark.encode() in m]
