"""A filter on libmilter (python3-milter) that does what a file says: milter_filter.py SOCKET SPEC LOG.

SPEC is JSON: {"actions": ["ADDHDRS", ...] or absent for all, "protocol": names of P_* wanted, "macros": {"stage": "names"},
"answers": {"rcpt:<no@x.test>": ["550", "5.7.1", "No"], "body": "SKIP", ...}, "eom": [["addheader", "X-A", "b"], ...],
"progress": count}. LOG gets a line of JSON for each callback, with the macros that it was told to look at ("symbols")."""
import json
import os
import sys
import time

sys.path.append("/usr/lib/python3/dist-packages")
import Milter       # noqa: E402

SOCKET, SPEC, LOG = sys.argv[1:4]
STAGES = {"connect": 0, "helo": 1, "mail": 2, "rcpt": 3, "data": 4, "eom": 5, "eoh": 6}


def spec():
    with open(SPEC, encoding="utf-8") as f:
        return json.load(f)


def text(value):
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


class Filter(Milter.Base):
    def say(self, what, *args):
        self.spec = spec()
        row = {"what": what, "args": [text(a) if isinstance(a, (str, bytes)) else a for a in args],
               "macros": {s: self.getsymval(s) for s in self.spec.get("symbols", [])}}
        with open(LOG, "a", encoding="utf-8") as f:
            f.write(json.dumps(row) + "\n")

    def answer(self, what, *args):
        self.say(what, *args)
        answers = self.spec.get("answers", {})
        told = answers.get("%s:%s" % (what, text(args[0])) if args else what, answers.get(what))
        if told is None:
            return Milter.CONTINUE
        if isinstance(told, list):
            self.setreply(*told)
            return Milter.REJECT if told[0][0] == "5" else Milter.TEMPFAIL
        if told.startswith("sleep"):
            time.sleep(float(told[5:]))
            return Milter.CONTINUE
        if told == "die":
            os.kill(os.getpid(), 9)
        return getattr(Milter, told)

    def negotiate(self, opts):
        self.spec = spec()
        for stage, names in self.spec.get("macros", {}).items():
            self._ctx.setsymlist(STAGES[stage], names)
        wanted = 0
        for name in self.spec.get("protocol", []):
            wanted |= 0x800 if name == "RCPT_REJ" else getattr(Milter, "P_" + name)
        opts[1] = wanted & opts[1]
        opts[2] = opts[3] = 0
        self.say("negotiate", opts[0], wanted)
        return Milter.CONTINUE

    def connect(self, name, family, address):
        return self.answer("connect", name, str(family), str(address))

    def hello(self, name):
        return self.answer("helo", name)

    def envfrom(self, f, *params):
        self.body_size, self.pieces = 0, []
        return self.answer("mail", f, *params)

    def envrcpt(self, to, *params):
        return self.answer("rcpt", to, *params)

    def data(self):
        return self.answer("data")

    def header(self, name, value):
        return self.answer("header", name, value)

    def eoh(self):
        return self.answer("eoh")

    def body(self, piece):
        self.pieces.append(len(piece))
        return self.answer("body", len(piece)) if "body" in self.spec.get("answers", {}) else Milter.CONTINUE

    def unknown(self, command):
        return self.answer("unknown", command)

    def eom(self):
        for _ in range(self.spec.get("progress", 0)):
            time.sleep(0.4)
            self.progress()
        for name, *args in self.spec.get("eom", []):
            if name == "replacebody":
                args = [args[0].encode("utf-8")]
            getattr(self, name)(*args)
        return self.answer("eom", self.pieces)

    def abort(self):
        self.say("abort")
        return Milter.CONTINUE

    def close(self):
        self.say("close")
        return Milter.CONTINUE


os.umask(0)
Milter.factory = Filter
Milter.set_flags(sum({getattr(Milter, a) for a in spec().get("actions", [
    "ADDHDRS", "CHGBODY", "ADDRCPT", "ADDRCPT_PAR", "DELRCPT", "CHGHDRS", "QUARANTINE", "CHGFROM", "SETSYMLIST"])}))
Milter.runmilter("all", SOCKET, 60)
