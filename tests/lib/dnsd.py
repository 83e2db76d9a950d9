"""A small DNS server for tests: UDP and TCP on one loopback port, answers from a dict.

A zone maps a name to a dict of record types, or to one word for the whole name:

    {
      "example.test":   {"MX": ["10 mx1.example.test", "20 mx2.example.test"], "TXT": ["v=spf1 -all"]},
      "mx1.example.test": {"A": ["127.0.0.1"], "AAAA": ["::1"], "ttl": 5},
      "null.test":      {"MX": ["0 ."]},
      "alias.test":     {"CNAME": "example.test"},
      "*.wild.test":    {"A": ["127.0.0.2"]},
      "broken.test":    "SERVFAIL",          # also NXDOMAIN, REFUSED, FORMERR, NOTIMP, TIMEOUT (no answer)
      "half.test":      {"MX": "SERVFAIL", "A": ["127.0.0.1"]},
      "slow.test":      {"A": ["127.0.0.1"], "delay": 2.0},
      "most.test":      {"A": ["127.0.0.1"], "*": "TIMEOUT"},        # every other type
      "big.test":       {"TXT": ["..."], "truncate": true}   # UDP answers have TC set and are empty
    }

A name that is missing is NXDOMAIN, or an empty answer when names below it exist. In Python:

    with DnsServer(zone) as dns:      # dns.port, dns.queries = [(name, type, "udp"|"tcp"), ...]
        dns.zone["new.test"] = {"A": ["127.0.0.1"]}

libunbound answers names under "test." itself (an empty zone) unless its user calls, after the forwarder is set,
ub_ctx_zone_add(ctx, "test.", "transparent"); "nodefault" does the same in a configuration file.

As a program: dnsd.py --port 5353 zone.json (SIGHUP reads the file again).
"""
import argparse
import ipaddress
import json
import signal
import socket
import socketserver
import struct
import sys
import threading
import time

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33,
         "DS": 43, "RRSIG": 46, "DNSKEY": 48, "TLSA": 52, "CAA": 257, "ANY": 255}
NAMES = {number: name for name, number in TYPES.items()}
CODES = {"FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5}


def pack_name(name):
    out = b""
    for label in name.rstrip(".").split("."):
        if label:
            raw = label.encode("latin-1" if max(label) < "\u0100" else "utf-8").replace(b"\\046", b".")
            out += bytes([len(raw)]) + raw
    return out + b"\0"


def unpack_name(data, at):
    labels = []
    while True:
        n = data[at]
        if n == 0:
            return ".".join(labels), at + 1
        if n > 63:
            raise ValueError("compressed question")
        labels.append(data[at + 1:at + 1 + n].decode("latin-1"))
        at += 1 + n


def pack_txt(text):
    raw = text if isinstance(text, bytes) else text.encode("utf-8")
    parts = [raw[i:i + 255] for i in range(0, len(raw), 255)] or [b""]
    return b"".join(bytes([len(p)]) + p for p in parts)


def pack_data(kind, value):
    """The RDATA of one record from its usual text (TXT: one string, or a list of strings)."""
    if kind == "A":
        return ipaddress.IPv4Address(value).packed
    if kind == "AAAA":
        return ipaddress.IPv6Address(value).packed
    if kind in ("NS", "CNAME", "PTR"):
        return pack_name(value)
    if kind == "MX":
        preference, host = value.split()
        return struct.pack("!H", int(preference)) + pack_name(host)
    if kind == "TXT":
        if isinstance(value, (list, tuple)):
            return b"".join(pack_txt(part) for part in value)
        return pack_txt(value)
    if kind == "SRV":
        a, b, c, host = value.split()
        return struct.pack("!HHH", int(a), int(b), int(c)) + pack_name(host)
    if kind == "TLSA":
        a, b, c, data = value.split()
        return bytes([int(a), int(b), int(c)]) + bytes.fromhex(data)
    if kind == "CAA":
        flags, tag, text = value.split(None, 2)
        return bytes([int(flags), len(tag)]) + tag.encode() + text.strip('"').encode()
    if kind == "SOA":
        m, r, *numbers = value.split()
        return pack_name(m) + pack_name(r) + struct.pack("!5I", *map(int, numbers))
    raise ValueError("record type %s is not known here" % kind)


class DnsServer:
    def __init__(self, zone=None, port=0, host="127.0.0.1"):
        self.zone = dict(zone or {})
        self.queries = []
        self.host = host
        self.lock = threading.Lock()
        for _ in range(50):
            self.udp = socketserver.ThreadingUDPServer((host, port), self._handler("udp"), False)
            self.tcp = socketserver.ThreadingTCPServer((host, port), self._handler("tcp"), False)
            self.udp.daemon_threads = self.tcp.daemon_threads = True
            self.udp.max_packet_size = 65535
            self.tcp.allow_reuse_address = True
            try:
                self.udp.server_bind()
                self.port = self.udp.server_address[1]
                self.tcp.server_address = (host, self.port)
                self.tcp.server_bind()
                self.tcp.server_activate()
                break
            except OSError:
                self.udp.server_close()
                self.tcp.server_close()
                if port:
                    raise
        else:
            raise OSError("no free port for DNS")

    def start(self):
        for server in (self.udp, self.tcp):
            threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def stop(self):
        for server in (self.udp, self.tcp):
            server.shutdown()
            server.server_close()

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    def _handler(outer, proto):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                try:
                    if proto == "udp":
                        data, sock = self.request
                        reply = outer.answer(data, "udp")
                        if reply:
                            sock.sendto(reply, self.client_address)
                        return
                    self.request.settimeout(20)
                    while True:
                        head = self._exactly(2)
                        if not head:
                            return
                        reply = outer.answer(self._exactly(struct.unpack("!H", head)[0]), "tcp")
                        if reply:
                            self.request.sendall(struct.pack("!H", len(reply)) + reply)
                except (OSError, ValueError, IndexError):
                    pass

            def _exactly(self, n):
                data = b""
                while len(data) < n:
                    more = self.request.recv(n - len(data))
                    if not more:
                        return b""
                    data += more
                return data
        return Handler

    def _entry(self, name):
        """What the zone says about a name: its dict, a word, or None for NXDOMAIN."""
        name = name.lower().rstrip(".")
        zone = {k.lower().rstrip("."): v for k, v in list(self.zone.items())}
        if name in zone:
            return zone[name]
        if any(k.endswith("." + name) for k in zone):
            return {}
        parts = name.split(".")
        for i in range(1, len(parts)):
            wild = "*." + ".".join(parts[i:])
            if wild in zone:
                return zone[wild]
        return None

    def answer(self, query, proto):
        ident, flags, questions = struct.unpack("!HHH", query[:6])
        if questions != 1 or flags & 0x8000:
            return None
        name, at = unpack_name(query, 12)
        kind_number = struct.unpack("!H", query[at:at + 2])[0]
        question = query[12:at + 4]
        kind = NAMES.get(kind_number, "TYPE%d" % kind_number)
        extra = struct.unpack("!H", query[10:12])[0]
        limit = 512
        if extra and query[at + 4:at + 7] == b"\0\0\x29":
            limit = max(512, struct.unpack("!H", query[at + 7:at + 9])[0])
        with self.lock:
            self.queries.append((name.lower(), kind, proto))
        code, records, truncate, delay = self._find(name, kind)
        if delay:
            time.sleep(delay)
        if code is None:
            return None
        body = b"".join(pack_name(owner) + struct.pack("!HHIH", TYPES[t], 1, ttl, len(data)) + data
                        for owner, t, ttl, data in records)
        authority = b""
        if not records and code in (0, 3):
            zone = ".".join(name.rstrip(".").split(".")[-1:]) or "."
            soa = pack_data("SOA", "ns.%s host.%s 1 3600 600 86400 1" % (zone, zone))
            authority = pack_name(zone) + struct.pack("!HHIH", 6, 1, 1, len(soa)) + soa
        opt = b"\0" + struct.pack("!HHIH", 41, 4096, 0, 0) if extra else b""
        size = 12 + len(question) + len(body) + len(authority) + len(opt)
        tc = proto == "udp" and (truncate or size > limit)
        if tc:
            body, authority, records = b"", b"", []
        head = struct.pack("!HHHHHH", ident, 0x8480 | (flags & 0x0100) | (0x0200 if tc else 0) | code, 1,
                           len(records), 1 if authority else 0, 1 if opt else 0)
        return head + question + body + authority + opt

    def _find(self, name, kind):
        """(code or None for silence, records, truncate, delay); follows aliases."""
        records, delay, truncate, owner = [], 0, False, name
        for _ in range(10):
            entry = self._entry(owner)
            if entry is None:
                return CODES["NXDOMAIN"], records, truncate, delay
            if isinstance(entry, str):
                return (None if entry == "TIMEOUT" else CODES[entry]), records, truncate, delay
            delay = max(delay, entry.get("delay", 0))
            truncate = truncate or entry.get("truncate", False)
            ttl = int(entry.get("ttl", 60))
            if "CNAME" in entry and kind not in ("CNAME", "ANY"):
                target = entry["CNAME"] if isinstance(entry["CNAME"], str) else entry["CNAME"][0]
                records.append((owner, "CNAME", ttl, pack_data("CNAME", target)))
                owner = target
                continue
            values = entry.get(kind, entry.get("*", []))
            if isinstance(values, str) and (values in CODES or values == "TIMEOUT"):
                return (None if values == "TIMEOUT" else CODES[values]), records, truncate, delay
            for value in [values] if isinstance(values, str) else values:
                records.append((owner, kind, ttl, pack_data(kind, value)))
            return 0, records, truncate, delay
        return CODES["SERVFAIL"], [], truncate, delay


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=5353)
    parser.add_argument("zone", help="JSON file")
    args = parser.parse_args()

    def load(*_):
        with open(args.zone, encoding="utf-8") as f:
            server.zone = json.load(f)

    server = DnsServer(port=args.port)
    load()
    server.start()
    signal.signal(signal.SIGHUP, load)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("ready on port %d" % server.port, flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
