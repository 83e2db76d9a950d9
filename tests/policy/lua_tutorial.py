"""Every example of docs/LUA.md: its files are written, its commands run, and what they print compared."""
import os
import re
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from dnsd import DnsServer  # noqa: E402
from harness import POSTRIDER, ROOT, Folder, Tally, check, equal, run  # noqa: E402

ZONE = {"has-mx.test": {"MX": ["10 mx.has-mx.test"]}}


def blocks(text):
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)


def commands(block):
    """(command, what it prints) of each `$` line."""
    found = []
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, _, out = part.partition("\n")
        found.append((command, out))
    return found


def one(command, out, folder, dns):
    text = command.replace("@dns@", "127.0.0.1:%d" % dns.port)
    env = dict(os.environ, PATH=os.path.join(folder.path, "bin") + ":" + os.environ["PATH"])
    r = run("sh", "-c", text, cwd=folder.path, env=env)
    equal(r.stdout.replace("\r\n", "\n").strip(), out.strip(), command)


def main():
    t = Tally("tutorial", "-v" in sys.argv)
    with open(os.path.join(ROOT, "docs", "LUA.md"), encoding="utf-8") as f:
        parts = blocks(f.read())
    with Folder() as folder:
        dns = DnsServer(ZONE).start()
        os.makedirs(os.path.join(folder.path, "bin"))
        shutil.copy(POSTRIDER, os.path.join(folder.path, "bin", "postrider"))
        for kind, text in parts:
            if kind == "lua":
                name = re.match(r"-- (\S+)\n", text)
                check(name, "an example begins with the name of its file")
                path = os.path.join(folder.path, name.group(1))
                os.makedirs(os.path.dirname(path), exist_ok=True)
                folder.file(name.group(1), text)
            elif kind == "console":
                for command, out in commands(text):
                    t.case(command, one, command, out, folder, dns)
        dns.stop()
    t.end()


if __name__ == "__main__":
    main()
