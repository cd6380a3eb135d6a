"""Sockets that take what a client of statsd sends, each in the way that the Datadog agent does."""

import os
import socket
import struct
import threading

from process import wait_until


class Receiver:
    """Takes messages on a thread of its own: datagrams, or over connections each behind its length."""

    def __init__(self, kind, directory):
        self.messages = []
        self.path = os.path.join(directory, f"{kind}.sock")
        if kind == "udp":
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind(("127.0.0.1", 0))
            self.port = self.socket.getsockname()[1]
            self.sink = f"127.0.0.1:{self.port}"
        else:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if kind == "unixstream" else socket.SOCK_DGRAM)
            self.socket.bind(self.path)
            self.sink = f"{kind}:{self.path}"
        if kind == "unixstream":
            self.socket.listen(16)
        self.url = f"{kind}://{self.path}"
        work = self.serve if kind == "unixstream" else self.collect
        threading.Thread(target=work, daemon=True).start()

    def collect(self):
        while True:
            try:
                self.messages.append(self.socket.recv(65536))
            except OSError:
                return

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.read_frames, args=(connection,), daemon=True).start()

    def read_frames(self, connection):
        with connection, connection.makefile("rb") as stream:
            while header := stream.read(4):
                (length,) = struct.unpack("<I", header)
                message = stream.read(length)
                assert len(message) == length, f"{length} bytes were announced, {len(message)} came"
                self.messages.append(message)

    def take(self, lines):
        """The lines that have come, once there are so many of them, and nothing is left."""

        def there():
            # A newline at the end of a message is the sender's choice.
            came = [line for message in self.messages for line in message.decode().removesuffix("\n").split("\n")]
            return came if len(came) >= lines else None

        came = wait_until(f"{lines} lines at {self.sink}", there, 30)
        self.messages.clear()
        return came

    def stop(self):
        self.socket.close()
