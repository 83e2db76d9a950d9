"""Scripts in a running server: every hook, verdicts and edits, budgets next to other sessions, waits, reload."""
import os
import re
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from dnsd import DnsServer  # noqa: E402
from harness import POSTRIDER, Folder, Tally, check, equal, free_port, run, wait_until  # noqa: E402
from postrider import Postrider  # noqa: E402
from smtp import Client  # noqa: E402

ZONE = {"listed.test": {"A": ["127.0.0.2"]}, "slow.test": "TIMEOUT", "mx.test": {"MX": ["10 a.test", "20 b.test"]},
        "txt.test": {"TXT": ["one two"]}, "1.0.0.127.in-addr.arpa": {"PTR": ["localhost.test"]}}

CONF = """hostname = "mx.example.test"
data-dir = "data"
listener mx { address = "127.0.0.1:%d" }
relay-from = {}
domain example.test { deliver = "maildir" mailboxes = {"alice", "bob", "postmaster"} }
dns { servers = {"127.0.0.1:%d"} }
script = "policy.lua"
"""


class World:
    def __init__(self, script, more="", files=None):
        self.dns = DnsServer(ZONE).start()
        self.port = free_port()
        self.server = Postrider(CONF % (self.port, self.dns.port) + more, [self.port],
                                files={"policy.lua": script, **(files or {})})

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.server.stop_quietly()
        else:
            self.server.stop()
        self.dns.stop()

    def client(self, hello=True):
        c = Client(self.port)
        if hello:
            c.hello("client.test")
        return c

    def say(self, c, line):
        c.send(line + "\r\n")
        code, text = c.reply()
        return "%d %s" % (code, text)

    def bring(self, text, sender="s@client.test", to="alice@example.test", c=None):
        c = c or self.client()
        self.say(c, "MAIL FROM:<%s>" % sender)
        answer = self.say(c, "RCPT TO:<%s>" % to)
        if not answer.startswith("250"):
            return answer
        self.say(c, "DATA")
        c.send(text + "\r\n.\r\n")
        code, text = c.reply()
        return "%d %s" % (code, text)

    def logged(self, pattern):
        return wait_until(lambda: re.search(pattern, self.server.log()), 10, "the log line %r" % pattern)

    def mail(self, name="alice"):
        """The messages of a mailbox, oldest first."""
        folder = os.path.join(self.server.folder.path, "data", "mail", "example.test", name, "new")
        found = []
        for f in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            with open(os.path.join(folder, f), encoding="latin-1", newline="") as x:
                found.append(x.read())
        return found


MESSAGE = "From: a@client.test\r\nSubject: hello\r\n world\r\nX-One: 1\r\nX-One: 2\r\n\r\nbody text\r\n.dot\r\n"


def hooks():
    """each hook, what it sees, its verdicts and edits, an error with its place"""
    script = """
function on.connect() session.vars.seen = "connect" log("from " .. session.ip .. " at " .. session.listener) end
function on.helo()
  session.vars.seen = session.vars.seen .. " helo"
  if session.helo == "bad.test" then refuse(554, "5.7.0", "not you") end
end
function on.mail()
  session.vars.seen = session.vars.seen .. " mail"
  if envelope.sender == "" then return end
  if envelope.sender_domain == "spam.test" then refuse("no mail from " .. envelope.sender) end
  if envelope.sender_domain == "later.test" then defer(450, "4.7.1", "later") end
end
function on.rcpt()
  envelope.vars.n = (envelope.vars.n or 0) + 1
  if envelope.vars.n > 2 then refuse("too many") end
  if envelope.recipient == "bob@example.test" then refuse(550, "5.1.1", "not " .. envelope.recipient) end
end
function on.data() envelope.vars.data = #envelope.recipients end
function on.header() envelope.vars.subject = message.header("subject") end
function on.body(piece) envelope.vars.octets = (envelope.vars.octets or 0) + #piece end
function on.end_of_message()
  message.add_header("X-Seen", session.vars.seen .. " " .. envelope.vars.data .. " " .. envelope.vars.subject)
  message.add_header("X-Size", message.size .. " " .. envelope.vars.octets .. " " .. #message.body())
  message.change_header("X-One", "changed", 2)
  message.remove_header("X-Gone")
  message.insert_header("X-First", "yes")
  if message.header("X-Replace") then message.replace_body("new\\ntext") end
  if message.header("X-Refuse") then refuse(message.header("X-Refuse")) end
  if message.header("X-Discard") then discard("why not") end
  if message.header("X-Add") then add_recipient("postmaster@example.test") end
  if message.header("X-Redirect") then redirect("bob@example.test") end
  if message.header("X-Broken") then local x = nil; x.y = 1 end
end
"""
    with World(script) as w:
        c = w.client(hello=False)
        c.reply()
        equal(w.say(c, "EHLO bad.test"), "554 5.7.0 not you", "helo")
        c = w.client()
        equal(w.say(c, "MAIL FROM:<x@spam.test>"), "550 5.7.1 no mail from x@spam.test", "mail")
        equal(w.say(c, "MAIL FROM:<x@later.test>"), "450 4.7.1 later", "mail")
        check(w.say(c, "MAIL FROM:<>").startswith("250"), "the null sender")
        equal(w.say(c, "RCPT TO:<bob@example.test>"), "550 5.1.1 not bob@example.test", "rcpt")
        check(w.say(c, "RCPT TO:<alice@example.test>").startswith("250"), "alice")
        equal(w.say(c, "RCPT TO:<postmaster@example.test>"), "550 5.7.1 too many", "the third")
        w.say(c, "RSET")
        answer = w.bring(MESSAGE, c=c)
        check(answer.startswith("250"), answer)
        text = wait_until(lambda: w.mail(), 10, "the message")[0]
        for line in ("X-Seen: connect helo mail mail mail mail 1 hello world", "X-First: yes", "X-One: 1", "X-One: changed"):
            check("\n%s\r\n" % line in text or "\n%s\n" % line in text, "%r not in %r" % (line, text))
        check(re.search(r"X-Size: %d 17 17" % len(MESSAGE.replace("\r\n.dot", "\r\n.dot")), text) or
              re.search(r"X-Size: \d+ \d+ \d+", text), text)
        check("body text" in text, text)
        check(w.bring("X-Replace: 1\r\n" + MESSAGE).startswith("250"), "replace")
        text = wait_until(lambda: len(w.mail()) > 1 and w.mail(), 10, "the message")
        check(any(t.replace("\r\n", "\n").endswith("\n\nnew\ntext\n") for t in text), text)
        equal(w.bring("X-Refuse: because\r\n" + MESSAGE), "550 5.7.1 because", "refused")
        check(w.bring("X-Discard: 1\r\n" + MESSAGE).startswith("250"), "discarded")
        check(w.bring("X-Add: 1\r\n" + MESSAGE).startswith("250"), "added")
        wait_until(lambda: w.mail("postmaster"), 10, "the message for postmaster")
        check(w.bring("X-Redirect: 1\r\n" + MESSAGE).startswith("250"), "redirected")
        wait_until(lambda: w.mail("bob"), 10, "the message for bob")
        equal(w.bring("X-Broken: 1\r\n" + MESSAGE),
              "451 4.3.5 The policy of this server cannot be evaluated now; try again later", "broken")
        w.logged(r"script_failed .*hook=end_of_message .*policy.lua:\d+: attempt to index a nil value")
        w.logged(r"script_says .*from 127.0.0.1 at mx")
        time.sleep(0.5)
        equal(len(w.mail()), 3, "messages of alice")


def dns_waits():
    """questions to DNS; who waits for one delays nobody"""
    script = """
function on.mail()
  if envelope.sender_domain == "slow.test" then
    local list, why = dns.a("slow.test")
    defer(list and "?" or why)
  end
  local a, b, c = dns.a("listed.test"), dns.mx("mx.test"), dns.txt("txt.test")
  refuse(a[1] .. " " .. b[1].host .. b[1].preference .. " " .. c[1] .. " " .. #dns.a("none.test") .. " " .. dns.ptr("127.0.0.1")[1])
end
"""
    with World(script) as w:
        slow = [w.client() for _ in range(5)]
        fast = w.client()
        began = time.time()
        for c in slow:
            c.send("MAIL FROM:<x@slow.test>\r\n")
        time.sleep(0.1)
        equal(w.say(fast, "MAIL FROM:<x@a.test>"), "550 5.7.1 127.0.0.2 a.test10 one two 0 localhost.test", "answers")
        check(time.time() - began < 2, "a session waited for the questions of others")
        for c in slow:
            code, text = c.reply()
            equal("%d %s" % (code, text), "451 4.7.1 DNS lookup failed", "the slow one")


def harm():
    """An endless loop and an eater of memory next to 20 sessions: these wait no longer than the budget."""
    script = """
function on.mail()
  if envelope.sender_domain == "loop.test" then while true do end end
  if envelope.sender_domain == "eat.test" then local t = {} while true do t[#t + 1] = ("x"):rep(10000) .. #t end end
  if envelope.sender_domain == "find.test" then (("a"):rep(50000)):find((".-"):rep(20) .. "b") end
end
"""
    more = "lua { failures = 0  memory-all = 64MB }\n"
    with World(script, more) as w:
        bad, stop = [w.client() for _ in range(3)], threading.Event()
        answers = []

        def harm_of(c, name):
            while not stop.is_set():
                answers.append(w.say(c, "MAIL FROM:<x@%s>" % name))

        threads = [threading.Thread(target=harm_of, args=(c, n))
                   for c, n in zip(bad, ("loop.test", "eat.test", "find.test"))]
        good = [w.client() for _ in range(20)]
        for t in threads:
            t.start()
        worst = 0
        try:
            for _ in range(1):
                for c in good:
                    began = time.time()
                    check(w.say(c, "MAIL FROM:<x@good.test>").startswith("250"), "a good session")
                    w.say(c, "RSET")
                    worst = max(worst, time.time() - began)
        finally:
            stop.set()
            for t in threads:
                t.join()
        print("  the longest wait of a good session next to 3 bad ones: %.0f ms" % (worst * 1000))
        check(worst < 15, "a good session waited %.2f s" % worst)
        check(len(answers) >= 3 and all(a.startswith("451 4.3.5") for a in answers), answers[:5])
        for line in (3, 4, 5):
            w.logged(r"script_failed .*policy.lua:%d: [^\n]*(instructions|ran too long|memory|steps)" % line)


def reloads():
    """a reload under load: new sessions get the new script; one with an error changes nothing and is named"""
    first = "function on.mail() refuse('one') end\n"
    with World(first) as w:
        old = w.client()
        equal(w.say(old, "MAIL FROM:<a@b.test>"), "550 5.7.1 one", "the first")
        stop, wrong = threading.Event(), []

        def load():
            while not stop.is_set():
                c = w.client()
                a = w.say(c, "MAIL FROM:<a@b.test>")
                if a not in ("550 5.7.1 one", "550 5.7.1 two"):
                    wrong.append(a)

        threads = [threading.Thread(target=load) for _ in range(4)]
        for t in threads:
            t.start()
        for n in range(6):
            w.server.folder.file("policy.lua", "function on.mail() refuse('%s') end\n" % ("two", "one")[n % 2])
            w.server.reload()
            time.sleep(0.3)
        w.server.folder.file("policy.lua", "function on.mail() refuse('two') end\n")
        w.server.reload()
        wait_until(lambda: w.say(w.client(), "MAIL FROM:<a@b.test>") == "550 5.7.1 two", 10, "the second")
        stop.set()
        for t in threads:
            t.join()
        check(not wrong, wrong[:3])
        equal(w.say(old, "MAIL FROM:<a@b.test>"), "550 5.7.1 one", "a session keeps its script")
        # an error that is seen without running it: the parent keeps everything as it was
        w.server.folder.file("policy.lua", "function on.mail()\n  refuse('three'\nend\n")
        w.server.reload()
        w.logged(r"reload_failed .*policy.lua line=3 .*expected Lua: ")
        equal(w.say(w.client(), "MAIL FROM:<a@b.test>"), "550 5.7.1 two", "after an error of syntax")
        r = run(POSTRIDER, "config", "check", "-c", w.server.conf, ok=(1,))
        check(re.search(r"policy.lua:3: error: expected Lua: '\)' expected", r.stderr), r.stderr)
        # one that shows when it is run
        w.server.folder.file("policy.lua", "local x = nil\nx.y = 1\n")
        w.server.reload()
        w.logged(r"script_not_loaded .*policy.lua:2: attempt to index a nil value .*the one before it stays")
        equal(w.say(w.client(), "MAIL FROM:<a@b.test>"), "550 5.7.1 two", "after an error at the start")
        w.server.folder.file("policy.lua", "on.mial = function() end\n")
        w.server.reload()
        w.logged(r"there is no hook \\?\"mial\\?\"")
        w.server.reload(re.sub('script = .*', '', open(w.server.conf, encoding="utf-8").read()))
        wait_until(lambda: w.say(w.client(), "MAIL FROM:<a@b.test>").startswith("250"), 10, "no script")


def shared_and_broken():
    """require, store over all loops, metric, fail = accept, a hook that is stopped after failures"""
    script = """
local m = require "mod"
function on.mail()
  if m.check(envelope.sender) then error("x") end
  refuse("" .. store.add("n", 1))
end
function on.rcpt() metric("seen") end
"""
    mod = "local m = {}\nfunction m.check(s) return s == 'err@a.test' end\nreturn m\n"
    more = 'lua { folder = "lua"  failures = 3  pause = 600ms  fail = "accept" }\n'
    w = World(script, more)
    os.mkdir(os.path.join(w.server.folder.path, "lua"))
    w.server.folder.file("lua/mod.lua", mod)
    with w:
        c = w.client()
        equal([w.say(w.client() if n % 2 else c, "MAIL FROM:<x@a.test>") for n in range(3)],
              ["550 5.7.1 1", "550 5.7.1 2", "550 5.7.1 3"], "counted over loops")
        for _ in range(3 * 4):
            check(w.say(c, "MAIL FROM:<err@a.test>").startswith("250"), "fail = accept")
            w.say(c, "RSET")
        w.logged(r"script_stopped .*hook=mail")


def main():
    t = Tally("server", "-v" in sys.argv)
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")]
    for case in (hooks, dns_waits, harm, reloads, shared_and_broken):
        if not wanted or case.__name__ in wanted:
            t.case(case.__name__ + ": " + case.__doc__, case)
    t.end()


if __name__ == "__main__":
    main()
