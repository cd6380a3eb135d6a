"""What every scenario shares: the binary, a directory, the two receivers and the events that were written."""

import functools
import json
import math
import os
import subprocess
import sys

from report import close, equal
from statsd_servers import Collectd, Etsy


class World:
    """Starts servers on first use and stops them, latest first, on `close`."""

    def __init__(self, binary, work, report):
        self.binary = binary
        self.work = work
        self.report = report
        self.servers = []

    def started(self, server):
        self.servers.append(server)
        return server

    def close(self):
        while self.servers:
            self.servers.pop().stop()

    def directory(self, name):
        path = os.path.join(self.work, name)
        os.makedirs(path, exist_ok=True)
        return path

    @functools.cached_property
    def etsy(self):
        return self.started(Etsy(self.work))

    @functools.cached_property
    def collectd(self):
        return self.started(Collectd(self.work))

    @functools.cached_property
    def python(self):
        """The interpreter of a virtual environment, for what comes from PyPI."""
        environment = os.path.join(self.work, "venv")
        subprocess.run([sys.executable, "-m", "venv", environment], check=True, stdout=subprocess.DEVNULL)
        return os.path.join(environment, "bin/python")

    def settle(self):
        self.etsy.settle()
        self.collectd.settle()

    def cronward(self, *arguments, state, **options):
        """Runs the binary to its end in an environment as bare as cron's, and returns it with its output."""
        environment = {"PATH": os.environ["PATH"], "HOME": self.work, "LC_ALL": "C", "CRONWARD_STATE_DIR": state}
        options = {"stdin": subprocess.DEVNULL, "timeout": 120, "env": environment} | options
        return subprocess.run([self.binary, *arguments], capture_output=True, **options)


def read_events(path):
    """The events of a file of JSON lines; each must be whole. A file that never came holds none."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        # Not at the separators of lines that Unicode has: JSON may hold them as they are.
        return [json.loads(line) for line in file.read().split("\n") if line]


def objects(value):
    """Every object of a JSON document, at any depth."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(inner)


def finished(path, label):
    """The finished runs of a label, in the order of their end."""
    return [event for event in read_events(path) if event["kind"] == "run.finished" and event["label"] == label]


def check_measurements(world, label, runs):
    """Both receivers got of each run what the events say of it: count, exit code or signal, and duration."""
    check, etsy, collectd = world.report.check, world.etsy, world.collectd
    prefix = f"cronward.{label}.run"

    with check(f"{label}: both servers counted every run under its outcome"):
        outcomes = {run["outcome"] for run in runs}
        for outcome in outcomes:
            name, expected = f"{prefix}.count.{outcome}", sum(run["outcome"] == outcome for run in runs)
            equal(etsy.counter(name), expected, f"'{name}' at Etsy's server")
            equal(collectd.counter(name), expected, f"'{name}' at collectd")
        came = {name for name in etsy.names() if name.startswith(f"{prefix}.count")}
        equal(came, {f"{prefix}.count.{outcome}" for outcome in outcomes}, "names of counters")

    with check(f"{label}: both servers got the duration of every run"):
        name, durations = f"{prefix}.duration", [run["duration_ms"] for run in runs if "duration_ms" in run]
        equal([float(value) for value in etsy.values(name, "ms")], durations, "milliseconds at Etsy's server")
        # collectd reads a timer as a double, keeps whole milliseconds of it and drops those that are none.
        whole = [math.floor(duration) for duration in durations if duration >= 1]
        count, total = collectd.timer(name)
        equal(count, len(whole), "number of timings of a millisecond or more at collectd")
        close(total, sum(whole) / 1000, 1e-5, "seconds at collectd")

    for field, metric in (("exit_code", "exit_code"), ("signal_number", "signal")):
        values = [run[field] for run in runs if field in run]
        with check(
            f"{label}: both servers got {f'the {metric} of every run that has one' if values else f'no {metric}'}"
        ):
            name = f"{prefix}.{metric}"
            equal([float(value) for value in etsy.values(name, "g")], values, "values sent to Etsy's server")
            # Of values within one flush interval, the server keeps the last.
            flushed = etsy.gauges(name)
            equal(flushed[-1:], [float(value) for value in values[-1:]], "last value that Etsy's server flushed")
            assert set(flushed) <= set(values), f"Etsy's server flushed {flushed}, sent were {values}"
            equal(collectd.gauges(name)[-1:], [float(value) for value in values[-1:]], "last value at collectd")


def check_no_bad_line(world):
    """Neither receiver met a line that it could not read."""
    with world.report.check("no bad line at Etsy's server, no unparsable one at collectd"):
        equal(world.etsy.complaints(), [], "complaints of Etsy's server")
        equal(world.collectd.complaints(), [], "complaints of collectd")
        assert world.etsy.counter("statsd.metrics_received") > 0, "Etsy's server received nothing"
