"""A signed DNS for tests: nsd serves a root zone of ours, signed by ldns-signzone, and unsigned zones below it; unbound answers
for the world, validating nothing itself, so that who asks must; or with `system`, for peers that ask the resolver of the system
and believe it, validating, at port 53 of an address of loopback.

    with SignedDns(ZONE_LINES, unsigned={"open.test": LINES}) as dns:
        dns.port, dns.anchor            # where to ask; a file with the root's DS record
        dns.resolv_conf                 # with `system`: a file in place of /etc/resolv.conf (Postfix(resolv_conf=...))
"""
import glob
import os
import socket

from harness import Folder, Process, free_port, need, run, wait_until

NSD = """server:
  ip-address: 127.0.0.1@{nsd}
  zonesdir: "{folder}"
  database: ""
  pidfile: "{folder}/nsd.pid"
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  username: ""
  chroot: ""
  hide-version: yes
remote-control:
  control-enable: no
{zones}"""
UNBOUND = """server:
  directory: "{folder}"
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  interface: {address}@{port}
  do-ip6: no
  do-not-query-localhost: no
  module-config: "{modules}"
  local-zone: "test." nodefault
  unblock-lan-zones: yes
{extra}
stub-zone:
  name: "."
  stub-addr: 127.0.0.1@{nsd}
  stub-prime: no
{stubs}"""
ROOT = """$ORIGIN .
$TTL 300
. IN SOA ns.test. hostmaster.test. 1 3600 600 86400 300
. IN NS ns.test.
ns.test. IN A 127.0.0.1
{lines}
"""


class SignedDns:
    """`spoil`: words in the signed zone that are replaced after signing, so that their signatures are wrong. `extra`: lines for
    unbound's server section."""

    def __init__(self, lines, unsigned=None, spoil=None, extra="", system=None):
        self.folder = Folder("postrider-dns-")
        self.address, self.port, self.nsd_port = system or "127.0.0.1", 53 if system else free_port(), free_port()
        self.resolv_conf = self.folder.file("resolv.conf", "nameserver %s\noptions edns0 trust-ad\n" % self.address)
        where = self.folder.path
        zone = self.folder.file("root.zone", ROOT.format(lines="\n".join(
            list(lines) + ["%s. IN NS ns.test." % name for name in unsigned or {}])))
        key = run(need("ldns-keygen"), "-a", "ECDSAP256SHA256", "-k", ".", cwd=where).stdout.strip()
        run(need("ldns-signzone"), "-n", zone, os.path.join(where, key), cwd=where)
        with open(zone + ".signed") as f:
            text = f.read()
        for old, new in (spoil or {}).items():
            assert old in text, old
            text = text.replace(old, new)
        self.folder.file("root.zone.signed", text)
        self.anchor = self.folder.file("anchor", open(glob.glob(where + "/" + key + ".ds")[0]).read())
        zones = 'zone:\n  name: "."\n  zonefile: "root.zone.signed"\n'
        for name, own in (unsigned or {}).items():
            self.folder.file(name + ".zone", "$ORIGIN %s.\n$TTL 300\n@ IN SOA ns.test. h.test. 1 3600 600 86400 300\n@ IN NS ns.test.\n%s\n"
                             % (name, "\n".join(own)))
            zones += 'zone:\n  name: "%s."\n  zonefile: "%s.zone"\n' % (name, name)
        stubs = "".join('stub-zone:\n  name: "%s."\n  stub-addr: 127.0.0.1@%d\n' % (name, self.nsd_port) for name in unsigned or {})
        names = {"nsd": self.nsd_port, "port": self.port, "folder": where, "zones": zones, "stubs": stubs, "address": self.address,
                 "modules": "validator iterator" if system else "iterator",
                 "extra": extra + ('  trust-anchor-file: "%s"' % self.anchor if system else "")}
        nsd, unbound = self.folder.file("nsd.conf", NSD.format(**names)), self.folder.file("unbound.conf", UNBOUND.format(**names))
        self.processes = [Process([need("nsd"), "-d", "-c", nsd], self.folder.file("nsd.log"), cwd=where),
                          Process([need("unbound"), "-d", "-c", unbound], self.folder.file("unbound.log"), cwd=where)]

    def __enter__(self):
        for p in self.processes:
            p.start()
        wait_until(self.answers, 20, "an answer of the signed DNS")
        return self

    def answers(self):

        question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x02ns\x04test\x00\x00\x01\x00\x01"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            try:
                s.sendto(question, (self.address, self.port))
                return b"\x7f\x00\x00\x01" in s.recv(600)
            except OSError:
                return False

    def __exit__(self, *_):
        for p in reversed(self.processes):
            p.stop()
        self.folder.remove()
