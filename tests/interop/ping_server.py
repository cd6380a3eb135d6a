"""A server that answers check-ins as healthchecks.io's own server does, over TLS; certificates to go with it, and a
proxy in front of it. Its answers are those that healthchecks v4.3 gave, run for that."""

import os
import re
import socket
import socketserver
import ssl
import subprocess
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY_LIMIT = 10_000

OPENSSL_CA = """
[ca]
default_ca = authority
[authority]
database = {here}/index
new_certs_dir = {here}
serial = {here}/serial
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[issuer]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[server]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = {name}
"""


class Authority:
    """A certificate authority of this run's own, with RSA keys as most have them."""

    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory)
        with open(os.path.join(directory, "index"), "w", encoding="utf-8"):
            pass
        with open(os.path.join(directory, "serial"), "w", encoding="utf-8") as file:
            file.write("01\n")
        self.certificate, self.key = self._issue("authority", "issuer", "DNS:unused", "20991231235959Z")

    def issue(self, name, alternative, until="20991231235959Z"):
        """A certificate for `alternative` and its key, as paths."""
        return self._issue(name, "server", alternative, until)

    def _issue(self, name, kind, alternative, until):
        certificate, key, request, config = (
            os.path.join(self.directory, f"{name}.{suffix}") for suffix in ("pem", "key", "csr", "cnf")
        )
        with open(config, "w", encoding="utf-8") as file:
            file.write(OPENSSL_CA.format(here=self.directory, name=alternative))
        new_key = ["-newkey", "rsa:2048" if kind == "server" else "rsa:4096", "-nodes", "-keyout", key]
        openssl("req", *new_key, "-subj", f"/CN={name}", "-out", request)
        by = ["-selfsign", "-keyfile", key] if kind == "issuer" else ["-cert", self.certificate, "-keyfile", self.key]
        dates = ["-startdate", "20000101000000Z", "-enddate", until]
        files = ["-config", config, "-in", request, "-out", certificate]
        openssl("ca", "-batch", "-notext", *files, *by, "-extensions", kind, *dates)
        return certificate, key


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class PingServer:
    """Knows one check, by the path of its URL. `pings` is a list of (segment, rid, body)."""

    def __init__(self, certificate, key, newest=None):
        self.path = f"/{uuid.uuid4()}"
        self.pings = []
        self.protocols = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                outer.protocols.add(self.connection.version())
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, text = outer.take(self.path, body)
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Content-Length", str(len(text)))
                self.send_header("Ping-Body-Limit", str(BODY_LIMIT))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        if newest is not None:
            context.maximum_version = newest
        self.server = QuietServer(("127.0.0.1", 0), Handler)
        # Handshakes are made by the thread of each connection, so that a client that hangs holds nobody up.
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server.server_address[1]

    def url(self, host="127.0.0.1"):
        return f"https://{host}:{self.port}{self.path}"

    def take(self, target, body):
        """Status and text of the answer, as measured at healthchecks' server."""
        parsed = re.fullmatch(r"(/[0-9a-f-]{36})(?:/(start|fail|log|[0-9]{1,3}))?\?rid=(.*)", target)
        if not parsed or parsed[2].isdigit() and int(parsed[2]) > 255:
            return 400, "invalid url format"
        try:
            rid = str(uuid.UUID(parsed[3]))
        except ValueError:
            return 400, "invalid uuid format"
        if parsed[1] != self.path:
            return 404, "not found"
        self.pings.append((parsed[2], rid, body.decode()))
        return 200, "OK"

    def taken(self):
        """What came since the last call."""
        pings, self.pings = self.pings, []
        return pings

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class QuietServer(ThreadingHTTPServer):
    """A client that does not trust the server says so by an alert, which is not worth a traceback."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class Proxy(socketserver.ThreadingTCPServer):
    """Passes on what it is asked to by CONNECT, and remembers where to."""

    allow_reuse_address = daemon_threads = True

    def __init__(self):
        self.asked = []
        super().__init__(("127.0.0.1", 0), Tunnel)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def stop(self):
        self.shutdown()
        self.server_close()


class Tunnel(socketserver.StreamRequestHandler):
    """One connection to the proxy."""

    def handle(self):
        target = re.fullmatch(rb"CONNECT (\S+):(\d+) HTTP/1.1\r\n", self.rfile.readline())
        while self.rfile.readline() not in (b"\r\n", b""):
            pass
        self.server.asked.append(target[1].decode())
        with socket.create_connection(("127.0.0.1", int(target[2]))) as far:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            threading.Thread(target=pour, args=(far, self.connection), daemon=True).start()
            pour(self.connection, far)


def pour(source, drain):
    """Passes bytes on until there are no more."""
    try:
        while data := source.recv(65536):
            drain.sendall(data)
        drain.shutdown(socket.SHUT_WR)
    except OSError:
        pass
