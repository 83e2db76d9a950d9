"""A raw SMTP client that sends exactly what it is told, and a scripted SMTP or LMTP server that
records exactly what it is sent."""
import socket
import ssl
import threading
import time

from harness import Failure, patience


class Client:
    """Lines and bytes in and out; nothing is corrected, checked or split. `most`: seconds for an answer where one may be
    left out."""

    def __init__(self, port, host="127.0.0.1", tls=False, most=None, source=None):
        self.seconds = most or patience()
        self.sock = socket.create_connection((host, port), self.seconds, source)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""
        if tls:
            self.start_tls()

    def start_tls(self, name="mx.example.test", context=None):
        if context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock, server_hostname=name)

    def send(self, data):
        if isinstance(data, str):
            data = data.encode("utf-8")
        self.sock.settimeout(self.seconds)
        self.sock.sendall(data)

    def line(self):
        """One line without its CRLF; None at the end of the connection."""
        self.sock.settimeout(self.seconds)
        while b"\n" not in self.data:
            try:
                more = self.sock.recv(65536)
            except (ConnectionError, ssl.SSLError, BrokenPipeError) as e:
                if isinstance(e, ssl.SSLError) and "timed out" in str(e):
                    raise Failure("no answer within %g s" % self.seconds) from None
                more = b""
            except (socket.timeout, TimeoutError):
                raise Failure("no answer within %g s" % self.seconds) from None
            if not more:
                return None
            self.data += more
        line, self.data = self.data.split(b"\n", 1)
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def reply(self):
        """A whole reply: (code, text with lines joined by newlines); (0, "closed") at the end."""
        lines = []
        while True:
            line = self.line()
            if line is None:
                return 0, "closed"
            lines.append(line[4:])
            if len(line) < 4 or line[3] != "-":
                return (int(line[:3]) if line[:3].isdigit() else -1), "\n".join(lines)

    def command(self, text, want=None):
        self.send(text + "\r\n" if isinstance(text, str) else text + b"\r\n")
        code, words = self.reply()
        if want is not None and code != want:
            raise Failure("%r: expected %s, found %s %s" % (text, want, code, words))
        return code, words

    def hello(self, name="client.test", verb="EHLO"):
        """Greeting and EHLO; the keywords offered."""
        said = self.reply()
        if said[0] != 220:
            raise Failure("no 220 greeting but %d %s" % said)
        return self.ehlo(name, verb)

    def ehlo(self, name="client.test", verb="EHLO"):
        return self.command("%s %s" % (verb, name), 250)[1].split("\n")[1:]

    def mail(self, sender, rcpts, text, params=""):
        """One transaction by DATA with the text as it is (it has to end in CRLF.CRLF); the last reply."""
        self.command("MAIL FROM:<%s>%s" % (sender, params), 250)
        for r in rcpts if isinstance(rcpts, (list, tuple)) else [rcpts]:
            self.command("RCPT TO:<%s>" % r, 250)
        self.command("DATA", 354)
        self.send(text)
        return self.reply()

    def closed(self):
        """True when the server ends the connection and says nothing more."""
        self.sock.settimeout(patience())
        try:
            return not self.data and self.sock.recv(1) == b""
        except (ConnectionError, ssl.SSLError):
            return True
        except (socket.timeout, TimeoutError):
            return False

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Transaction:
    def __init__(self, session):
        self.session = session
        self.sender = None
        self.mail = ""            # the whole MAIL command
        self.rcpts = []           # addresses taken
        self.rcpt_lines = []
        self.raw = b""            # the octets of the text as they came, final dot left out
        self.data = b""           # the same without dot-stuffing
        self.by = ""              # "DATA" or "BDAT"
        self.tls = False


class FakeServer:
    """An SMTP (or LMTP) server for one test. `script` maps a verb (MAIL, RCPT, DATA, TEXT, EHLO, ...)
    to a reply, a list of replies used up one by one, or a function (session, line) -> reply or None;
    None means the usual answer. The reply b"" or "close" drops the connection. TEXT is the answer to
    the final dot or last chunk. `offers` are the EHLO keywords. Everything is kept in `transactions`
    (taken ones) and `sessions` (all octets received, by connection)."""

    USUAL = ("PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES")

    def __init__(self, offers=USUAL, script=None, port=0, lmtp=False, certificate=None, implicit_tls=False, address="127.0.0.1"):
        self.offers, self.script, self.lmtp = list(offers), dict(script or {}), lmtp
        self.transactions, self.sessions, self.commands = [], [], []
        self.certificate, self.implicit_tls, self.address = certificate, implicit_tls, address
        self.lock, self.live = threading.Lock(), 0      # live: connections that are open
        self.sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((address, port))
        self.sock.listen(256)
        self.port = self.sock.getsockname()[1]
        self.stopping = False
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)

    def start(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def stop(self):
        self.stopping = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    def wait(self, count=1, seconds=60):
        """Waits for so many transactions; the list."""
        end = time.monotonic() + patience(seconds)
        while len(self.transactions) < count:
            if time.monotonic() > end:
                raise Failure("waited %g s for %d messages at the next server, %d came; commands there: %s" %
                              (patience(seconds), count, len(self.transactions), self.commands[-12:]))
            time.sleep(0.01)
        return self.transactions

    def _accept(self):
        while not self.stopping:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.live += 1
            threading.Thread(target=self._session, args=(sock,), daemon=True).start()

    def _session(self, sock):
        try:
            Session(self, sock).run()
        except (OSError, ValueError, EOFError):
            pass
        finally:
            sock.close()
            with self.lock:
                self.live -= 1


class Session:
    def __init__(self, server, sock):
        self.server, self.sock = server, sock
        self.data, self.received = b"", bytearray()
        self.tls = False
        self.tx = Transaction(self)
        self.helo = None
        server.sessions.append(self.received)

    def fill(self):
        more = self.sock.recv(65536)
        if not more:
            raise EOFError
        self.data += more
        self.received += more

    def say(self, reply):
        self.sock.sendall((reply + "\r\n").encode("utf-8"))

    def answer(self, verb, line, usual):
        """The scripted reply or the usual one, said; its code."""
        reply = self.choose(verb, line, usual)
        self.say(reply)
        return self.code(reply)

    @staticmethod
    def code(reply):
        return int(reply.split("\n")[-1][:3])

    def choose(self, verb, line, usual):
        entry = self.server.script.get(verb)
        if isinstance(entry, list):
            with self.server.lock:
                entry = entry.pop(0) if entry else None
        if callable(entry):
            entry = entry(self, line)
        reply = usual if entry is None else entry
        if reply in ("", b"", "close"):
            raise EOFError
        return reply

    def run(self):
        if self.server.implicit_tls:
            self.start_tls()
        self.answer("GREETING", "", "220 fake.test ESMTP")
        while True:
            while b"\r\n" not in self.data:
                self.fill()
            raw, self.data = self.data.split(b"\r\n", 1)
            line = raw.decode("utf-8", "replace")
            self.server.commands.append(line)
            verb = line.split(" ")[0].upper()
            if getattr(self, "do_" + verb.lower(), self.unknown)(line) is False:
                return

    def start_tls(self):
        self.sock = self.server.context.wrap_socket(self.sock, server_side=True)
        self.tls, self.data = True, b""

    def unknown(self, line):
        self.answer(line.split(" ")[0].upper(), line, "500 5.5.2 what?")

    def do_ehlo(self, line):
        self.tx, self.helo = Transaction(self), line[5:]
        offers = [o for o in self.server.offers if not (o == "STARTTLS" and self.tls)]
        rows = ["fake.test"] + offers
        self.answer("EHLO", line, "\r\n".join("250%s%s" % ("-" if i + 1 < len(rows) else " ", r)
                                              for i, r in enumerate(rows)))

    do_lhlo = do_ehlo

    def do_helo(self, line):
        self.tx, self.helo = Transaction(self), line[5:]
        self.answer("HELO", line, "250 fake.test")

    def do_starttls(self, line):
        if self.answer("STARTTLS", line, "220 2.0.0 go on") == 220:
            self.start_tls()

    def do_mail(self, line):
        self.tx = Transaction(self)
        if self.answer("MAIL", line, "250 2.1.0 ok") == 250:
            self.tx.mail, self.tx.sender = line, line[line.find("<") + 1:line.rfind(">")]

    def do_rcpt(self, line):
        if self.tx.sender is None:
            return self.say("503 5.5.1 MAIL first")
        if self.answer("RCPT", line, "250 2.1.5 ok") // 100 == 2:
            end = line.find("> ") if "> " in line else line.rfind(">")
            self.tx.rcpts.append(line[line.find("<") + 1:end])
            self.tx.rcpt_lines.append(line)

    def do_data(self, line):
        if not self.tx.rcpts:
            return self.say("554 5.5.1 no valid recipients")
        if self.answer("DATA", line, "354 go on") != 354:
            return None
        text = b"\r\n"
        while True:
            text, self.data = text + self.data, b""
            end = text.find(b"\r\n.\r\n")
            if end >= 0:
                break
            self.fill()
        self.data = text[end + 5:]
        self.tx.raw, self.tx.by = text[2:end + 2], "DATA"
        self.tx.data = b"\r\n".join(row[1:] if row[:1] == b"." else row for row in self.tx.raw.split(b"\r\n"))
        return self.end_of_text(line)

    def do_bdat(self, line):
        words = line.split()
        while len(self.data) < int(words[1]):
            self.fill()
        part, self.data = self.data[:int(words[1])], self.data[int(words[1]):]
        self.tx.raw += part
        self.tx.data, self.tx.by = self.tx.raw, "BDAT"
        if words[-1].upper() == "LAST":
            return self.end_of_text(line)
        return self.answer("BDAT", line, "250 2.0.0 chunk")

    def end_of_text(self, line):
        self.tx.tls, done = self.tls, self.tx
        self.tx = Transaction(self)
        replies = [self.choose("TEXT", line, "250 2.0.0 taken") for _ in (done.rcpts if self.server.lmtp else [0])]
        if any(self.code(reply) // 100 == 2 for reply in replies):
            self.server.transactions.append(done)    # before the answer: who hears it may look
        for reply in replies:
            self.say(reply)

    def do_rset(self, line):
        self.tx = Transaction(self)
        self.answer("RSET", line, "250 2.0.0 ok")

    def do_noop(self, line):
        self.answer("NOOP", line, "250 2.0.0 ok")

    def do_quit(self, line):
        self.answer("QUIT", line, "221 2.0.0 bye")
        return False
