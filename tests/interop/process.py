"""Processes that the scenarios start: each is stopped by its own pid, and waits are for a sign, not for a time."""

import ctypes
import os
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class NotReady(Exception):
    """A server, or something that it should have written, did not come."""


def wait_until(what, sign, seconds, process=None):
    """Returns the first true value of `sign()`. `seconds` is an upper bound, not an expectation."""
    deadline = time.monotonic() + seconds
    while True:
        if value := sign():
            return value
        if process is not None and (status := process.poll()) is not None:
            raise NotReady(f"{what}: process ended with status {status}")
        if time.monotonic() > deadline:
            raise NotReady(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def free_port(kind):
    """A loopback port that nobody has at this moment; never 8125, which a real agent may own."""
    while True:
        with socket.socket(socket.AF_INET, kind) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port != 8125:
            return port


def _prepare_server():
    # Whoever starts this harness in the background of a script has INT and QUIT ignored, and cron would pass that on
    # to its jobs.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    # If the runner is killed outright, its servers must not stay behind. The order, this after the change
    # of user, is Python's own; the kernel clears the setting when the user changes.
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Server:
    """A process in the foreground with its output in a file."""

    def __init__(self, name, argv, directory, stop_signal=signal.SIGTERM, **options):
        self.name = name
        self.directory = directory
        self.log = os.path.join(directory, "log")
        self.stop_signal = stop_signal
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_prepare_server, **options
            )

    def read_log(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_ready(self, sign, seconds=60):
        """Waits until `sign()` is true; on failure shows what the server said."""
        try:
            wait_until(f"{self.name} is not ready", sign, seconds, self.process)
        except NotReady as error:
            self.stop()
            raise NotReady(f"{error}\n{self.read_log()[-4000:]}") from None

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
