"""Somebody at the other end of every sink, on loopback: takes everything and keeps nothing."""

import contextlib
import http.server
import os
import socket
import threading

from process import free_port


class Quiet(http.server.BaseHTTPRequestHandler):
    """Says yes to everything."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_PUT = do_HEAD = do_POST

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    """A client that breaks off is what this is about."""

    daemon_threads = True

    def handle_error(self, *_):
        pass


class Receivers:
    """The receivers; `places` are what the targets of sinks are filled in with."""

    def __init__(self, here):
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.unix = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = os.path.join(here, "socket")
        self.unix.bind(path)
        self.stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream_path = os.path.join(here, "stream")
        self.stream.bind(stream_path)
        self.tcp = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.stream.listen(64)
        self.http = Server(("127.0.0.1", 0), Quiet)
        self.places = {
            "name": loopback_name(),
            "udp": self.udp.getsockname()[1],
            "socket": path,
            "stream": stream_path,
            "tcp": self.tcp.getsockname()[1],
            "http": self.http.server_address[1],
            "closed": free_port(socket.SOCK_STREAM),
        }

    def __enter__(self):
        drains = [lambda: drain(self.udp), lambda: drain(self.unix), lambda: accept(self.stream), lambda: accept(self.tcp)]
        for work in (*drains, self.http.serve_forever):
            threading.Thread(target=work, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()


def drain(receiver):
    """A socket that nobody reads is full after a few runs."""
    while True:
        receiver.recv(65536)


def accept(listener):
    """Reads every connection to its end, one after the other; the backlog holds those that wait."""
    while True:
        with listener.accept()[0] as connection, contextlib.suppress(OSError):
            while connection.recv(65536):
                pass


def loopback_name():
    """A name of this host that has to be looked up, and is found without asking the network: `localhost` is known."""
    with open("/etc/hosts", encoding="utf-8", errors="replace") as file:
        lines = [line.partition("#")[0].split() for line in file]
    names = [name for line in lines if line and line[0].startswith("127.") for name in line[1:]]
    return next((name for name in names if name != "localhost"), "localhost")
