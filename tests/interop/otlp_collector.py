"""A collector of OpenTelemetry's between two servers of this harness. In front of it one that keeps every body as it
came, passes it on, and hands back the collector's answer; behind it one to which the collector sends what it has
understood, in the other encoding of the protocol. What is compared is what comes out there."""

import base64
import glob
import gzip
import http.client
import importlib
import json
import os
import re
import signal
import site
import socket
import subprocess
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from process import Server, free_port, wait_until

COLLECTOR, PROTOCOL = "rotel==0.0.1a15", "opentelemetry-proto==1.45.2"
SERVICES = {"logs": ("logs", "Logs"), "metrics": ("metrics", "Metrics"), "traces": ("trace", "Trace")}
IDS = {"traceId": 16, "spanId": 8, "parentSpanId": 8}
ENUMS = ("kind", "code", "severityNumber", "aggregationTemporality")


class Collector:
    """`url` is where cronward sends to; `took(signal)` what the collector has made of it since the last call."""

    def __init__(self, world):
        directory = world.directory("collector")
        subprocess.run([world.python, "-m", "pip", "install", "-qq", PROTOCOL], check=True)
        site.addsitedir(glob.glob(os.path.join(world.work, "venv/lib/python3*/site-packages"))[0])
        self.requests, self.understood = [], {signal: [] for signal in SERVICES}
        self.lock = threading.Lock()
        outer = self

        class Behind(Handler):
            def do_POST(self):
                message = outer.message(self.signal())
                message.ParseFromString(self.body())
                with outer.lock:
                    outer.understood[self.signal()].append(message)
                self.answer(200, "application/x-protobuf", b"")

        class Front(Handler):
            def do_POST(self):
                body = self.body()
                with outer.lock:
                    outer.requests.append((self.signal(), dict(self.headers.items()), json.loads(body)))
                connection = http.client.HTTPConnection("127.0.0.1", outer.port, timeout=30)
                connection.request("POST", self.path, body, {"Content-Type": self.headers["Content-Type"]})
                came = connection.getresponse()
                self.answer(came.status, came.headers["Content-Type"], came.read())
                connection.close()

        self.behind, self.front = serve(Behind), serve(Front)
        self.port = free_port(socket.SOCK_STREAM)
        self.process = Server("rotel", self._command(world, directory), directory, stop_signal=signal.SIGINT)
        self.process.wait_ready(self._listens)
        self.url = f"http://127.0.0.1:{self.front.server_address[1]}"

    def _command(self, world, directory):
        # The program is a library's by its packaging, for one version of Python only; it is none of that.
        pip = [
            world.python,
            "-m",
            "pip",
            "download",
            "-qq",
            "--no-deps",
            "--only-binary=:all:",
            "--python-version",
            "3.11",
        ]
        subprocess.run([*pip, "--dest", directory, COLLECTOR], check=True)
        with zipfile.ZipFile(glob.glob(f"{directory}/rotel-*.whl")[0]) as wheel:
            program = wheel.extract("rotel/rotel-agent", directory)
        os.chmod(program, 0o755)
        grpc, far = free_port(socket.SOCK_STREAM), f"http://127.0.0.1:{self.behind.server_address[1]}"
        return [
            *(program, "start", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}"),
            *(
                "--otlp-http-endpoint",
                f"127.0.0.1:{self.port}",
                "--exporter",
                "otlp",
                "--otlp-exporter-protocol",
                "http",
            ),
            *("--otlp-exporter-endpoint", far, "--disable-batching"),
            *("--pid-file", f"{directory}/pid", "--log-file", f"{directory}/agent.log"),
        ]

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def message(self, signal):
        module, name = SERVICES[signal]
        imported = importlib.import_module(f"opentelemetry.proto.collector.{module}.v1.{module}_service_pb2")
        return getattr(imported, f"Export{name}ServiceRequest")()

    def settle(self):
        """Waits until everything that came in has come out."""

        def count():
            with self.lock:
                came = {name: sum(name == signal for signal, _, _ in self.requests) for name in SERVICES}
                return came == {name: len(messages) for name, messages in self.understood.items()}

        wait_until("the collector has passed on what it was sent", count, 30)

    def took(self):
        """What came out since the last call, as (signal, message), and the bodies that went in."""
        self.settle()
        with self.lock:
            understood = [(name, message) for name in SERVICES for message in self.understood[name]]
            requests, self.requests = self.requests, []
            self.understood = {signal: [] for signal in SERVICES}
        return understood, requests

    def strict(self, signal, body):
        """Parses a body by the definition of the protocol. A misspelt name or a wrong type, which receivers pass over,
        is an error here."""
        from google.protobuf import json_format

        return json_format.ParseDict(by_protobuf(body), self.message(signal), ignore_unknown_fields=False)

    def stop(self):
        self.process.stop()
        for server in (self.front, self.behind):
            server.shutdown()
            server.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def signal(self):
        return self.path.rsplit("/", 1)[-1]

    def body(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        return gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind or "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def by_protobuf(value):
    """The same in JSON as protobuf alone would have it: ids in base64. Checks what only this protocol asks for."""
    if isinstance(value, list):
        return [by_protobuf(item) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {}
    for name, inner in value.items():
        if name in IDS:
            assert re.fullmatch(f"[0-9a-f]{{{2 * IDS[name]}}}", inner), f"{name} is {inner!r}"
            changed[name] = base64.b64encode(bytes.fromhex(inner)).decode()
        elif name.endswith("UnixNano") or name == "intValue":
            assert isinstance(inner, str) and re.fullmatch("-?[0-9]+", inner), f"{name} is {inner!r}"
            changed[name] = inner
        elif name in ENUMS:
            assert type(inner) is int, f"{name} is {inner!r}"
            changed[name] = inner
        else:
            assert name != "asInt", "a whole number is lost by some collectors"
            changed[name] = by_protobuf(inner)
    return changed


def plain(value):
    """An AnyValue as Python has it."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    return getattr(value, kind)


def attributes(of):
    """Attributes by key; a key that is there twice is an error."""
    pairs = [(item.key, plain(item.value)) for item in of]
    assert len(dict(pairs)) == len(pairs), f"a key twice in {[key for key, _ in pairs]}"
    return dict(pairs)
