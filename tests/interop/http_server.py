"""Receivers over HTTP that do as they are told, also badly: answers in an order, silence, resets, trickles, bodies
without an end, ports where nobody is, and the resolvers that a receiver's name is asked of."""

import contextlib
import dataclasses
import json
import socket
import ssl
import struct
import threading
import time

# More than any client reads of an answer, and the pace of one that is slower than anybody's patience.
FLOOD = b"x" * 65536
TRICKLE_SECONDS = 1

# The first byte of a client that speaks TLS (RFC 8446 section 5.1).
TLS_HANDSHAKE = b"\x16"


@dataclasses.dataclass(frozen=True)
class Request:
    """A request as it came in, at a time by the monotonic clock. Names of headers are in small letters."""

    method: str
    target: str
    headers: dict
    body: bytes
    at: float

    def json(self):
        return json.loads(self.body)


@dataclasses.dataclass(frozen=True)
class Answer:
    """An ordinary answer."""

    status: int = 200
    body: bytes = b"ok"
    headers: tuple = ()
    kind: str = "text/plain; charset=utf-8"

    def give(self, connection):
        """Whether the connection can be used again."""
        connection.sendall(head(self.status, ("Content-Type", self.kind), *self.headers, length=len(self.body)))
        connection.sendall(self.body)
        return True


@dataclasses.dataclass(frozen=True)
class Endless:
    """An answer at once, and a body that never ends."""

    status: int = 200

    def give(self, connection):
        connection.sendall(head(self.status, ("Content-Type", "text/plain")))
        while True:
            connection.sendall(FLOOD)


@dataclasses.dataclass(frozen=True)
class Trickle:
    """An answer that comes one byte a second."""

    def give(self, connection):
        for byte in head(200, length=2) + b"ok":
            connection.sendall(bytes([byte]))
            time.sleep(TRICKLE_SECONDS)


@dataclasses.dataclass(frozen=True)
class Silence:
    """No answer, while the connection stays open for as long as the other end wants it."""

    def give(self, connection):
        while connection.recv(65536):
            pass


@dataclasses.dataclass(frozen=True)
class HangUp:
    """The end of the connection instead of an answer."""

    def give(self, connection):
        return False


@dataclasses.dataclass(frozen=True)
class Babble:
    """What another protocol says."""

    def give(self, connection):
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


def head(status, *headers, length=None):
    headers = [*headers, *([] if length is None else [("Content-Length", length)])]
    lines = [f"HTTP/1.1 {status} {'OK' if status < 300 else 'No'}", *(f"{name}: {value}" for name, value in headers)]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


class Receiver:
    """A place that a sink is told to deliver to; `requests` are those that came."""

    scheme = "http"
    port = 0
    requests = ()

    def url(self, path="", host="127.0.0.1"):
        return f"{self.scheme}://{host}:{self.port}{path}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        raise NotImplementedError


class HttpServer(Receiver):
    """Gives these answers in their order, and then the last one for ever. With a certificate and its key it speaks
    TLS. `connections` is how many there were."""

    def __init__(self, *answers, certificate=None, port=0):
        self.answers = list(answers) or [Answer()]
        self.requests = []
        self.connections = 0
        self.lock = threading.Lock()
        self.context = None
        if certificate is not None:
            self.scheme = "https"
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        self.listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        # A client that does not trust us, or has waited long enough, is what this is about.
        with contextlib.suppress(OSError), connection:
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            elif connection.recv(1, socket.MSG_PEEK) == TLS_HANDSHAKE:
                Answer(400, b"").give(connection)
                return
            with connection, connection.makefile("rb") as stream:
                while (request := read_request(stream)) is not None:
                    with self.lock:
                        self.requests.append(request)
                        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                    if not answer.give(connection):
                        return

    def stop(self):
        close(self.listener)


def close(listener):
    """Also for the thread that waits in accept(), which close() alone does not wake."""
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def read_request(stream):
    """One request; None at the end of the connection."""
    line = stream.readline().split()
    if len(line) != 3:
        return None
    headers = {}
    while (header := stream.readline().strip()) != b"":
        name, _, value = header.decode().partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    return Request(line[0].decode(), line[1].decode(), headers, body, time.monotonic())


class Refusing(Receiver):
    """A port that is taken and that nobody listens at."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def stop(self):
        self.socket.close()


class Resetting(Receiver):
    """Takes every connection and resets it."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()

    def stop(self):
        close(self.listener)


class FullBacklog(Receiver):
    """A listening socket whose queue is full, so that the kernel answers no further SYN: a black hole."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.port = self.listener.getsockname()[1]
        self.waiting = []
        for _ in range(64):
            filler = socket.socket()
            self.waiting.append(filler)
            filler.settimeout(0.2)
            try:
                filler.connect(("127.0.0.1", self.port))
            except TimeoutError:
                return
        raise AssertionError("64 connections do not fill a queue of none")

    def stop(self):
        for each in [self.listener, *self.waiting]:
            each.close()


# What a resolver does with a question.
KNOWS, DENIES, IS_SILENT = "knows", "denies", "is silent"


class Resolver:
    """A server of DNS at port 53 of a loopback address: it knows every name as 127.0.0.1, or none, or says nothing."""

    def __init__(self, address, manner):
        self.address = address
        self.asked = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        threading.Thread(target=self._serve, args=(manner,), daemon=True).start()

    def _serve(self, manner):
        with contextlib.suppress(OSError):
            while True:
                query, client = self.socket.recvfrom(4096)
                if not query:
                    return
                self.asked += 1
                if manner != IS_SILENT:
                    self.socket.sendto(answer_to(query, manner), client)

    def stop(self):
        close(self.socket)


def answer_to(query, manner):
    """The answer to a question (RFC 1035 section 4.1). Only the question itself is repeated, and not what else came
    with it, as EDNS; of addresses there are none of version 6."""
    end = query.index(0, 12) + 5
    kind = query[end - 4 : end - 2]
    record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([127, 0, 0, 1])
    records = [record] if manner == KNOWS and kind == b"\0\1" else []
    flags = 0x8183 if manner == DENIES else 0x8180
    return query[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + query[12:end] + b"".join(records)
