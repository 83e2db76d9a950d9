"""Rules about single recipients on a proxy listener: discarded and redirected ones, in order, in each mode."""
import subprocess

from common import main
import confs
from harness import POSTRIDER, Folder, check, equal, wait_until
from mailtext import message, stuffed
from proxy import FULL, POOR, Proxied, for_clients

RULES = """
rule away { if = "recipient begins with gone" then = "discard" }
rule to   { if = "recipient begins with old" then = "redirect new@inner.test" }
rule utf8 { if = "recipient begins with wide" then = "redirect bücher@inner.test" }
"""


def send(p, c, rcpts, pipelined, by="DATA", sender="a@client.test"):
    """One transaction; the answers of RCPT, that of its end, and the transaction there (None: none came)."""
    text = message("x", ["hello"])
    before = len(p.fake.wait(0))
    lines = ["MAIL FROM:<%s>" % sender] + ["RCPT TO:<%s@inner.test>" % r for r in rcpts]
    if pipelined:
        c.send("".join(line + "\r\n" for line in lines + (["DATA"] if by == "DATA" else [])))
        said = [c.reply()[0] for _ in lines]
        last = c.reply()[0] if by == "DATA" else 354
    else:
        said = [c.command(line)[0] for line in lines]
        last = c.command("DATA")[0] if by == "DATA" else 354
    if last == 354:
        c.send(stuffed(text) if by == "DATA" else b"BDAT %d LAST\r\n" % len(text) + text)
        last = c.reply()[0]
    arrived = p.fake.wait(before + 1, 1)[before:] if last == 250 and "gone" not in "".join(rcpts) else p.fake.wait(0)[before:]
    return said[1:], last, arrived[-1] if arrived else None


def every_way(work):
    for mail in (FULL, POOR):
        with Proxied(extra=RULES, offers=mail) as p, p.talk() as c:
            for pipelined in (False, True):
                for by in ("DATA", "BDAT"):
                    work(p, c, pipelined, by)


def discards_and_redirects():
    """A recipient that a rule discards never reaches the server, one that it redirects is another one there"""
    def one(p, c, pipelined, by):
        said, last, t = send(p, c, ["b", "gone", "c"], pipelined, by)
        equal((said, last), ([250, 250, 250], 250), "answers")
        wait_until(lambda: p.fake.wait(0)[-1].rcpts == ["b@inner.test", "c@inner.test"], 5, "the message without one")
        said, last, t = send(p, c, ["b", "old1"], pipelined, by)
        equal((said, last, t.rcpts), ([250, 250], 250, ["b@inner.test", "new@inner.test"]), "a redirected one")
    every_way(one)


def keeps_what_was_asked():
    """A redirected recipient is said to the server with the NOTIFY and ORCPT that its client gave"""
    with Proxied(extra=RULES, offers=tuple(FULL) + ("DSN",)) as p, p.talk() as c:
        c.command("MAIL FROM:<a@client.test> ENVID=q1", 250)
        c.command("RCPT TO:<old1@inner.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;first@far.test", 250)
        c.command("DATA", 354)
        c.send(stuffed(message("x", ["hello"])))
        equal(c.reply()[0], 250, "the end")
        equal(p.fake.wait(1)[0].rcpt_lines, ["RCPT TO:<new@inner.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;first@far.test"], "RCPT")


def nobody_left():
    """All are discarded: the client hears 250 and nothing comes to the server; the next message does"""
    def one(p, c, pipelined, by):
        before = len(p.fake.wait(0))
        said, last, _ = send(p, c, ["gone", "gone2"], pipelined, by)
        equal((said, last), ([250, 250], 250), "answers")
        said, last, t = send(p, c, ["b"], pipelined, by)
        equal((said, last, t.rcpts), ([250], 250, ["b@inner.test"]), "the next one")
        equal(len(p.fake.wait(0)), before + 1, "messages that arrived")
        log = p.server.log()
        check("gone2@inner.test" in log, "the log does not name the one that was discarded")
    every_way(one)


def the_server_says_no():
    """A refused MAIL refuses the discarded recipient too, when it was said in one group; others' refusals stand"""
    script = {"MAIL": lambda s, line: "550 5.7.1 not from you" if "bad@" in line else None,
              "RCPT": for_clients("550 5.1.1 nobody")}
    with Proxied(extra=RULES, script=script, offers=FULL) as p, p.talk() as c:
        said, last, _ = send(p, c, ["gone", "b"], True, sender="bad@client.test")
        check(all(code >= 500 for code in said) and last >= 500, "answers behind a refused MAIL: %s %s" % (said, last))
        said, last, t = send(p, c, ["gone", "b"], True)
        equal((said, last, t), ([250, 550], 250, None), "the discarded one alone is left")
        said, last, t = send(p, c, ["b"], True)
        equal((said, last), ([550], 554 if last == 554 else 550), "the next one")


def utf8_needs_its_parameter():
    """A redirect to an address that needs SMTPUTF8 is refused where the client has not asked for that"""
    with Proxied(extra=RULES, offers=FULL) as p, p.talk() as c:
        said, last, _ = send(p, c, ["wide"], False)
        equal(said, [451], "without SMTPUTF8")
        c.command("RSET", 250)
        c.command("MAIL FROM:<a@client.test> SMTPUTF8", 250)
        c.command("RCPT TO:<wide@inner.test>", 250)
        c.command("DATA", 354)
        c.send(stuffed(message("x")))
        equal(c.reply()[0], 250, "with it")
        equal(p.fake.wait(1)[-1].rcpts, ["bücher@inner.test"], "recipient")


def in_pass():
    """In pass nothing can be changed: the configuration is refused where a rule of that listener would"""
    with Folder("pass-rules-") as folder:
        def checked(rule):
            path = folder.file("c.conf", confs.HEAD.format(host="edge.example.test") +
                               'listener edge { address = "127.0.0.1:2525" proxy = "127.0.0.1:2526" proxy-mode = "pass" }\n' + rule)
            p = subprocess.run([POSTRIDER, "config", "check", "-c", path], capture_output=True, text=True, timeout=30)
            return p.returncode, p.stdout + p.stderr
        code, said = checked('rule x { on = {"edge"} if = "recipient is a@b.test" then = "redirect c@b.test" }\n')
        check(code != 0 and "redirect" in said and "pass" in said, "refused: %s %s" % (code, said))
        code, said = checked('rule x { if = "recipient is a@b.test" then = "redirect c@b.test" }\n')
        check(code == 0 and "redirect" in said and "pass" in said, "a warning: %s %s" % (code, said))
        code, said = checked('rule x { on = {"edge"} if = "recipient is a@b.test" then = "refuse" }\n')
        check(code == 0 and "rule x" not in said, "a refusal works there: %s %s" % (code, said))


if __name__ == "__main__":
    main("proxy_rcpt", discards_and_redirects, keeps_what_was_asked, nobody_left, the_server_says_no, utf8_needs_its_parameter, in_pass)
