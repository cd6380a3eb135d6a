"""The two receivers of statsd lines. Both log a line that they cannot read, and neither answers."""

import csv
import glob
import os
import re
import socket

from process import Server, free_port, wait_until

# Where the sentinels of this harness live, beside everything that cronward sends.
SENTINEL = "interop.sentinel"


class Receiver(Server):
    """A server on a UDP port of loopback."""

    sentinels = 0

    def send(self, line):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(line.encode(), ("127.0.0.1", self.port))

    def wait_bound(self):
        """The port is bound as soon as a line that was sent to it shows up in what the server writes."""

        def heard():
            self.send(f"{SENTINEL}.ready:1|c")
            return self.has_counted(f"{SENTINEL}.ready")

        self.wait_ready(heard)

    def settle(self):
        """Returns when all that was sent before is written: a socket's queue on loopback keeps its order."""
        self.sentinels += 1
        name = f"{SENTINEL}.{self.sentinels}"
        self.send(f"{name}:1|c")
        wait_until(f"{self.name} wrote '{name}'", lambda: self.has_counted(name), 30, self.process)

    @property
    def sink(self):
        return f"statsd:127.0.0.1:{self.port}"


class Etsy(Receiver):
    """npm's statsd 0.9.0, whose console backend prints every flush and, with dumpMessages, every line."""

    def __init__(self, work, name="etsy", keeps_gauges=False):
        directory = os.path.join(work, name)
        os.mkdir(directory)
        self.port = free_port(socket.SOCK_DGRAM)
        self.admin = free_port(socket.SOCK_STREAM)
        deletes = "false" if keeps_gauges else "true"
        config = os.path.join(directory, "config.js")
        with open(config, "w", encoding="utf-8") as file:
            file.write(
                f"{{ port: {self.port}, address: '127.0.0.1',"
                f" mgmt_port: {self.admin}, mgmt_address: '127.0.0.1', flushInterval: 500, dumpMessages: true,"
                f" deleteCounters: true, deleteTimers: true, deleteGauges: {deletes}, deleteSets: true,"
                " console: { prettyprint: false }, backends: ['./backends/console'] }\n"
            )
        program = os.path.join(work, "npm/node_modules/statsd/stats.js")
        super().__init__("etsy statsd", ["node", program, config], directory)
        self.wait_bound()

    def flushes(self, section):
        """Each flush's `counters` or `gauges`, as the server's inspector printed them."""
        # A flush ends with its pctThreshold; the last one in the file may still be on its way.
        for flush in re.findall(r"^Flushing stats at .*?^  pctThreshold:", self.read_log(), re.S | re.M):
            body = re.search(rf"^  {section}: \{{(.*?)\}},?$", flush, re.S | re.M)
            pairs = re.findall(r"'([^']+)': (-?[0-9.e+-]+)", body[1])
            # A name that is a JavaScript identifier is printed without quotes; none of ours is.
            yield {name: float(value) for name, value in pairs}

    def counter(self, name):
        """Sum of a counter over all flushes."""
        return sum(flush.get(name, 0) for flush in self.flushes("counters"))

    def gauges(self, name):
        """The values of a gauge, flush by flush."""
        return [flush[name] for flush in self.flushes("gauges") if name in flush]

    def gauges_now(self):
        """All gauges as the server holds them, by its admin port."""
        with socket.create_connection(("127.0.0.1", self.admin)) as admin:
            admin.sendall(b"gauges\n")
            said = b""
            while not said.endswith(b"END\n\n"):
                piece = admin.recv(65536)
                assert piece, f"the admin port hung up after {said!r}"
                said += piece
        return {name: float(value) for name, value in re.findall(r"'([^']+)': (-?[0-9.e+-]+)", said.decode())}

    def has_counted(self, name):
        return self.counter(name) > 0

    def lines(self):
        """Every line that came, in order, as (name, value, type)."""
        dumped = re.findall(r" - DEBUG: (.*)$", self.read_log(), re.M)
        return [match.groups() for line in dumped if (match := re.fullmatch(r"(.+):([^:|]*)\|(\S+)", line))]

    def values(self, name, kind):
        """The values that came for one metric of one type, in order, as the text that was sent."""
        return [value for found, value, type_ in self.lines() if found == name and type_ == kind]

    def names(self):
        """All that came under names of cronward."""
        return {name for name, _, _ in self.lines() if not name.startswith(SENTINEL)}

    def complaints(self):
        """What it could not read."""
        complaints = [line for line in self.read_log().splitlines() if "bad line" in line.lower()]
        if bad := self.counter("statsd.bad_lines_seen"):
            complaints.append(f"statsd.bad_lines_seen = {bad:g}")
        return complaints


class Collectd(Receiver):
    """collectd's statsd plugin, stricter than Etsy's; its csv plugin writes a file for every value."""

    def __init__(self, work):
        directory = os.path.join(work, "collectd")
        os.mkdir(directory)
        self.port = free_port(socket.SOCK_DGRAM)
        plugins = glob.glob("/usr/lib/collectd") + glob.glob("/usr/lib/*/collectd")
        config = os.path.join(directory, "collectd.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(
                f"""Hostname "interop"
FQDNLookup false
Interval 0.5
BaseDir "{directory}"
PluginDir "{plugins[0]}"
TypesDB "/usr/share/collectd/types.db"
LoadPlugin logfile
<Plugin logfile>
  LogLevel info
  File STDOUT
</Plugin>
LoadPlugin csv
<Plugin csv>
  DataDir "{directory}/csv"
</Plugin>
LoadPlugin statsd
<Plugin statsd>
  Host "127.0.0.1"
  Port "{self.port}"
  DeleteCounters false
  DeleteTimers true
  DeleteGauges false
  TimerSum true
  TimerCount true
</Plugin>
"""
            )
        super().__init__("collectd", ["collectd", "-f", "-C", config], directory)
        self.wait_bound()

    def series(self, kind, name):
        """All values of one series, oldest first; a new file begins at midnight."""
        pattern = os.path.join(self.directory, "csv", "interop", "statsd", f"{kind}-{glob.escape(name)}-????-??-??")
        values = []
        for path in sorted(glob.glob(pattern)):
            with open(path, encoding="ascii", newline="") as file:
                values += [float(row["value"]) for row in csv.DictReader(file) if row["value"]]
        return values

    def counter(self, name):
        """A counter's last value; it only grows, since DeleteCounters is off."""
        return (self.series("derive", name) or [0])[-1]

    def gauges(self, name):
        """The values of a gauge, interval by interval."""
        return self.series("gauge", name)

    def timer(self, name):
        """How many values of a timer came, and their sum in seconds."""
        return sum(self.series("gauge", f"{name}-count")), sum(self.series("latency", f"{name}-sum"))

    def has_counted(self, name):
        return self.counter(name) > 0

    def complaints(self):
        """What it could not read."""
        words = ("unable to parse", "[error]", "[warning]", "failed")
        return [line for line in self.read_log().splitlines() if any(word in line.lower() for word in words)]
