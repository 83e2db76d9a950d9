"""The load tools gen and sink as Python objects."""
import json
import os
import re
import signal

from harness import TOOLS, Failure, Process, check, wait_until


class Tool(Process):
    """One of them in the background; `result` is the JSON that it prints at its end."""

    def __init__(self, name, folder, *args):
        path = os.path.join(TOOLS, name)
        check(os.access(path, os.X_OK), "%s is not built" % path)
        count = getattr(folder, "tools", 0)
        folder.tools = count + 1
        super().__init__([path, *args], folder.file("%s-%d.log" % (name, count)))

    @property
    def result(self):
        found = re.findall(r"^\{.*\}$", self.output(1 << 20), re.M)
        if not found:
            raise Failure("%s printed no result: %s" % (self.args[0], self.output(500)))
        return json.loads(found[-1])

    def wait(self, seconds=600):
        """Waits for its own end; the result."""
        wait_until(lambda: self.poll() is not None, seconds, "the end of " + " ".join(self.args))
        return self.result

    def finish(self, how=signal.SIGTERM):
        """Ends it; the result."""
        self.stop(how)
        return self.result


def gen(folder, port, *args):
    return Tool("gen", folder, "--to", "127.0.0.1:%d" % port, *args).start()


def sink(folder, port, *args):
    tool = Tool("sink", folder, "--listen", "127.0.0.1:%d" % port, *args).start()
    wait_until(lambda: "ready" in tool.output() or tool.poll() is not None, 10, "the sink")
    check(tool.poll() is None, "the sink did not start: " + tool.output(300))
    return tool
