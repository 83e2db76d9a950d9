"""A Dovecot of the test's own: LMTP in, IMAP out, everything in a temporary folder."""
import imaplib
import os
import pwd

from harness import Failure, Folder, Process, check, free_port, need, wait_port

CONF = """
protocols = lmtp imap
listen = 127.0.0.1
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/dovecot.log
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{dir}/mail/%n
mail_uid = {user}
mail_gid = {user}
first_valid_uid = 1
default_internal_user = dovecot
default_login_user = dovenull
auth_mechanisms = plain
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%n {dir}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%n {dir}/users
  default_fields = uid={user} gid={user} home={dir}/home/%n
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service anvil {{
  chroot =
}}
protocol lmtp {{
  auth_username_format = %n
}}
"""


class Dovecot:
    """Mailboxes for `users` (password: secret)."""

    def __init__(self, users=("alice", "bob")):
        check(os.geteuid() == 0, "Dovecot has to be started by root")
        self.program = need("dovecot")
        self.folder = Folder("dovecot-test-")
        self.imap_port, self.lmtp_port = free_port(), free_port()
        for sub in ("run", "state", "mail", "home"):
            os.mkdir(self.folder.file(sub))
        owner = pwd.getpwnam("mail")
        for sub in ("mail", "home"):
            os.chown(self.folder.file(sub), owner.pw_uid, owner.pw_gid)
        self.folder.file("users", "".join("%s:{PLAIN}secret::::::\n" % u for u in users))
        self.conf = self.folder.file("dovecot.conf", CONF.format(dir=self.folder.path, user="mail", imap=self.imap_port,
                                                                 lmtp=self.lmtp_port))

        self.process = Process([self.program, "-F", "-c", self.conf], self.folder.file("output"))

    def start(self):
        try:
            self.process.start()
            wait_port(self.lmtp_port, process=self.process)
            wait_port(self.imap_port)
        except Failure as e:
            self.stop()
            raise Failure("%s\n%s" % (e, self.log())) from None
        return self

    def log(self):
        try:
            with open(self.folder.file("dovecot.log"), encoding="utf-8", errors="replace") as f:
                return f.read()[-2000:]
        except OSError:
            return ""

    def stop(self):
        self.process.stop()

    def messages(self, user):
        """All messages of a mailbox as IMAP serves them."""
        with imaplib.IMAP4("127.0.0.1", self.imap_port) as imap:
            imap.login(user, "secret")
            imap.select("INBOX", readonly=True)
            numbers = imap.search(None, "ALL")[1][0].split()
            return [imap.fetch(n, "(RFC822)")[1][0][1] for n in numbers]

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        self.folder.remove()
