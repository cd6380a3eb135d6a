"""The two readers of syslog on a Linux host: rsyslog, for what comes over the network and for its socket, and
journald for the socket that is /dev/log on most hosts."""

import glob
import json
import os
import re
import socket
import subprocess

from process import Server, free_port, wait_until

SENTINEL = "interop-sentinel"


class Record(dict):
    """What a server made of a record; the header's fields by name."""

    @property
    def data(self):
        """The parameters of the element of structured data, without their escapes, or of what stands for it behind
        the message."""
        text = self["sd"] if self.get("sd", "-") != "-" else self["msg"][self["msg"].rindex(" [cronward@32473") + 1 :]
        element = re.fullmatch(r'\[cronward@32473((?: [a-z_]{1,32}="(?:[^"\\\]]|\\["\\\]])*")+)\]', text)
        assert element, f"no element: {text!r}"
        pairs = re.findall(r' ([a-z_]+)="((?:[^"\\\]]|\\.)*)"', element[1])
        assert len(dict(pairs)) == len(pairs), f"a name twice: {text!r}"
        return {name: re.sub(r"\\(.)", r"\1", value) for name, value in pairs}


class Rsyslog(Server):
    """rsyslogd in the foreground, with a configuration of its own: every record as a line of JSON."""

    def __init__(self, tools, directory):
        os.makedirs(os.path.join(directory, "work"))
        self.udp, self.tcp = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
        self.socket = os.path.join(directory, "log.sock")
        self.out = os.path.join(directory, "records.jsonl")
        fields = {
            "version": "protocol-version",
            "pri": "pri",
            "time": "timereported",
            "host": "hostname",
            "app": "app-name",
            "pid": "procid",
            "kind": "msgid",
            "sd": "structured-data",
            "msg": "msg",
            "input": "inputname",
            "raw": "rawmsg",
        }
        listed = "\n".join(
            f'  property(outname="{out}" name="{name}" format="jsonf"'
            + (' dateFormat="rfc3339")' if out == "time" else ")")
            for out, name in fields.items()
        )
        config = os.path.join(directory, "rsyslog.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(
                f"""global(workDirectory="{directory}/work")
module(load="imudp")
module(load="imtcp" MaxSessions="500")
module(load="imuxsock" SysSock.Use="off")
input(type="imudp" port="{self.udp}" address="127.0.0.1")
input(type="imtcp" port="{self.tcp}" address="127.0.0.1")
input(type="imuxsock" Socket="{self.socket}")
template(name="json" type="list" option.jsonf="on") {{
{listed}
}}
action(type="omfile" file="{self.out}" template="json")
"""
            )
        modules = tools.path("/usr/lib/*/rsyslog")
        argv = [tools.path("/usr/sbin/rsyslogd"), "-n", "-f", config, "-i", f"{directory}/pid", "-M", modules]
        super().__init__("rsyslog", argv, directory, env=tools.environment)
        self.wait_ready(self.hears_everything)

    def hears_everything(self):
        """Sends a sentinel by each way, until all have come."""
        try:
            self.send_sentinels("ready")
        except OSError:  # one of them is not there yet
            return False
        return self.count_sentinels("ready") >= 3

    def send_sentinels(self, name):
        record = f"<78>1 - - {SENTINEL} - {name} - -".encode()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.sendto(record, ("127.0.0.1", self.udp))
        with socket.create_connection(("127.0.0.1", self.tcp)) as tcp:
            tcp.sendall(b"%d %s" % (len(record), record))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as local:
            local.sendto(f"<78>Nov 21 07:00:00 {SENTINEL}: {name}".encode(), self.socket)

    def everything(self):
        if not os.path.exists(self.out):
            return []
        with open(self.out, encoding="utf-8") as file:
            # The last line may still be on its way.
            return [Record(json.loads(line)) for line in file.read().split("\n")[:-1]]

    def count_sentinels(self, name):
        """By how many ways a sentinel came."""
        came = [record for record in self.everything() if record["app"] == SENTINEL]
        return len({record["input"] for record in came if name in (record["kind"], record["msg"].strip())})

    def records(self, at_least=0):
        """All that is no sentinel, in the order in which it came; waits until there are so many."""

        def there():
            records = [record for record in self.everything() if record["app"] != SENTINEL]
            return records if len(records) >= at_least else None

        if at_least:
            return wait_until(f"{at_least} records at rsyslog", there, 60, self.process)
        return there()

    def settle(self):
        """Returns when what was sent before by UDP and by the socket has been written."""
        name = f"settle-{len(self.everything())}"
        self.send_sentinels(name)
        wait_until(f"rsyslog wrote '{name}'", lambda: self.count_sentinels(name) >= 3, 30, self.process)

    def complaints(self):
        """What it said of what came."""
        return [line for line in self.read_log().splitlines() if line.startswith("rsyslogd")]


class Journald(Server):
    """systemd-journald in the foreground, in a mount namespace whose /run and /etc are of the harness."""

    def __init__(self, tools, directory):
        self.run = os.path.join(directory, "run")
        etc = os.path.join(directory, "etc")
        machine = "c0ffee00c0ffee00c0ffee00c0ffee00"
        os.makedirs(os.path.join(self.run, "systemd/journal"))
        os.makedirs(os.path.join(self.run, "log/journal", machine))
        os.makedirs(os.path.join(etc, "systemd"))
        for name in ("passwd", "group", "nsswitch.conf", "ld.so.cache"):
            if os.path.exists(f"/etc/{name}"):
                with open(f"/etc/{name}", "rb") as source, open(f"{etc}/{name}", "wb") as copy:
                    copy.write(source.read())
        with open(f"{etc}/machine-id", "w", encoding="ascii") as file:
            file.write(f"{machine}\n")
        with open(f"{etc}/systemd/journald.conf", "w", encoding="ascii") as file:
            file.write("[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nRateLimitIntervalSec=0\n")
        libraries = [os.path.dirname(path) for path in glob.glob(f"{tools.root}/usr/lib/*/systemd/libsystemd-*.so")]
        self.environment = dict(tools.environment)
        self.environment["LD_LIBRARY_PATH"] = ":".join([self.environment["LD_LIBRARY_PATH"], *libraries])
        self.journalctl = tools.path("/bin/journalctl")
        journald = tools.path("/lib/systemd/systemd-journald")
        # The directory may be below what is mounted over.
        script = f"mount --bind '{etc}' /etc && mount --bind '{self.run}' /run && exec '{journald}'"
        argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
        super().__init__("journald", argv, directory, env=self.environment)
        self.socket = os.path.join(self.run, "systemd/journal/dev-log")
        self.wait_ready(lambda: os.path.exists(self.socket))

    def records(self, at_least):
        """The records of cronward, as journalctl shows them, once there are so many."""

        def there():
            words = ("-D", f"{self.run}/log/journal", "-o", "json", "--no-pager", "SYSLOG_IDENTIFIER=cronward")
            said = subprocess.run([self.journalctl, *words], capture_output=True, text=True, env=self.environment)
            entries = [json.loads(line) for line in said.stdout.splitlines()]
            return entries if len(entries) >= at_least else None

        return wait_until(f"{at_least} records at journald", there, 30, self.process)
