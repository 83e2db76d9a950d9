"""A small authority for OAuth: keys and signed tokens by the openssl command, its key set and introspection by HTTP or HTTPS."""
import base64
import http.server
import json
import os
import ssl
import subprocess
import threading
import time
import urllib.parse

from harness import run


def b64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def openssl(*args, data=b""):
    return subprocess.run(["openssl", *args], input=data, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def raw(der):
    """r and s of 32 octets each from ECDSA's DER (RFC 7518 3.4)."""
    def integer(at):
        n = der[at + 1]
        return der[at + 2:at + 2 + n].lstrip(b"\0").rjust(32, b"\0"), at + 2 + n
    r, at = integer(2)
    return r + integer(at)[0]


class Key:
    KINDS = {"RS256": ("rsa", "rsa_keygen_bits:2048"), "PS256": ("rsa", "rsa_keygen_bits:2048"),
             "ES256": ("ec", "ec_paramgen_curve:P-256"), "EdDSA": ("ed25519", None)}

    def __init__(self, folder, kid, alg):
        kind, option = self.KINDS[alg]
        self.kid, self.alg, self.path = kid, alg, folder.file("key-%s.pem" % kid)
        run("openssl", "genpkey", "-quiet", "-algorithm", kind, *(["-pkeyopt", option] if option else []), "-out", self.path)
        public = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")
        self.jwk = {"kid": kid, "use": "sig"}
        if kind == "rsa":
            modulus = openssl("rsa", "-in", self.path, "-noout", "-modulus").decode().strip().split("=")[1]
            self.jwk.update(kty="RSA", n=b64(bytes.fromhex(modulus)), e="AQAB")
        elif kind == "ec":
            self.jwk.update(kty="EC", crv="P-256", x=b64(public[-64:-32]), y=b64(public[-32:]))
        else:
            self.jwk.update(kty="OKP", crv="Ed25519", x=b64(public[-32:]))

    def sign(self, octets):
        if self.alg == "EdDSA":
            path = self.path + ".in"
            with open(path, "wb") as f:
                f.write(octets)
            return openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.path, "-in", path)
        pss = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32") if self.alg == "PS256" else ()
        sig = openssl("dgst", "-sha256", "-sign", self.path, *pss, data=octets)
        return raw(sig) if self.alg == "ES256" else sig

    def token(self, claims, **header):
        head = dict({"alg": self.alg, "typ": "JWT", "kid": self.kid}, **header)
        text = ".".join(b64(json.dumps({k: v for k, v in d.items() if v is not None}).encode()) for d in (head, claims))
        return text + "." + b64(self.sign(text.encode()))


class Issuer:
    """`keys`: those that are published. `active`: opaque tokens and what is said about them. `asked`: paths, in order."""

    def __init__(self, folder, pair=None, port=0):
        self.folder, self.keys, self.active, self.asked = folder, [], {}, []
        self.wrong_client, self.status, self.delay = 0, 200, 0
        self.client, self.secret = "mail server", "s3cr:t %"
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, value):
                time.sleep(issuer.delay)
                body = json.dumps(value).encode()
                self.send_response(issuer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                issuer.asked.append(self.path)
                self.answer({"keys": [k.jwk for k in issuer.keys]})

            def do_POST(self):
                issuer.asked.append(self.path)
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                pair = ":".join(urllib.parse.quote(p, safe="") for p in (issuer.client, issuer.secret))
                if self.headers.get("Authorization") != "Basic " + base64.b64encode(pair.encode()).decode():
                    issuer.wrong_client += 1
                    self.send_error(401)
                    return
                self.answer(issuer.active.get(form["token"][0], {"active": False}))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        if pair:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*pair)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.name = "%s://127.0.0.1:%d" % ("https" if pair else "http", self.port)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def claims(self, **more):
        now = int(time.time())
        return dict({"iss": self.name, "aud": "mail", "iat": now, "exp": now + 600, "scope": "openid smtp", "email": "alice@example.test"},
                    **more)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def secret_file(folder, issuer):
    path = folder.file("client.secret", issuer.secret + "\n")
    os.chmod(path, 0o600)
    return path
