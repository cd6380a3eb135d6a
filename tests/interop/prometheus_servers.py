"""Prometheus, and what it asks: node_exporter's textfile collector and the Pushgateway. All of Debian, unpacked."""

import json
import os
import socket
import urllib.error
import urllib.parse
import urllib.request

from process import Server, free_port
from unpacked import Unpacked

PACKAGES = ("prometheus", "prometheus-node-exporter", "prometheus-pushgateway")

CONFIG = """
global: {{scrape_interval: 250ms, evaluation_interval: 250ms}}
rule_files: ['{rules}']
scrape_configs:
- job_name: node
  static_configs: [{{targets: ['127.0.0.1:{node}']}}]
- job_name: push
  honor_labels: true
  static_configs: [{{targets: ['127.0.0.1:{push}']}}]
"""


def unpack(world):
    return Unpacked(world.directory("prometheus/tools"), PACKAGES)


class WebServer(Server):
    """A server that answers GET on a port of loopback."""

    def __init__(self, name, work, command, **options):
        directory = os.path.join(work, name)
        os.makedirs(directory)
        # Servers run as other users.
        os.chmod(directory, 0o755)
        self.port = free_port(socket.SOCK_STREAM)
        super().__init__(name, command(directory, self.port), directory, **options)
        self.wait_ready(self.answers)

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return answer.read().decode()

    def answers(self):
        try:
            return self.get(self.sign)
        except OSError:
            return False

    def complaints(self):
        """What it logged that is worse than information."""
        return [line for line in self.read_log().splitlines() if "level=info" not in line]


class NodeExporter(WebServer):
    """With the textfile collector alone, as a user who owns nothing that it reads."""

    sign = "/metrics"

    def __init__(self, tools, work, textfiles):
        def command(_, port):
            flags = ("--collector.disable-defaults", "--collector.textfile")
            place = f"--collector.textfile.directory={textfiles}"
            program = tools.path("/usr/bin/prometheus-node-exporter")
            return [program, f"--web.listen-address=127.0.0.1:{port}", *flags, place]

        super().__init__("node_exporter", work, command, user="nobody", group="nogroup", extra_groups=[])


class Pushgateway(WebServer):
    """Keeps what is pushed."""

    sign = "/-/ready"

    def __init__(self, tools, work):
        def command(directory, port):
            # Debian's own writes to the system's directory unless it is told otherwise.
            kept = f"--persistence.file={directory}/data"
            return [tools.path("/usr/bin/prometheus-pushgateway"), f"--web.listen-address=127.0.0.1:{port}", kept]

        super().__init__("pushgateway", work, command)

    def groups(self):
        """Each group as (its labels, its families by name), as the API says."""
        groups = json.loads(self.get("/api/v1/metrics"))["data"]

        def families(group):
            return {name: value for name, value in group.items() if name != "labels" and isinstance(value, dict)}

        return [(group["labels"], families(group)) for group in groups]


class Prometheus(WebServer):
    """Asks both of them, and holds what it is told against the rules."""

    sign = "/-/ready"

    def __init__(self, tools, work, rules, node, push):
        def command(directory, port):
            path = os.path.join(directory, "rules.yml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(rules)
            config = os.path.join(directory, "prometheus.yml")
            with open(config, "w", encoding="utf-8") as file:
                file.write(CONFIG.format(rules=path, node=node.port, push=push.port))
            data = f"--storage.tsdb.path={directory}/data"
            program = tools.path("/usr/bin/prometheus")
            return [program, f"--config.file={config}", data, f"--web.listen-address=127.0.0.1:{port}"]

        super().__init__("prometheus", work, command)

    def api(self, path, **parameters):
        try:
            answer = json.loads(self.get(f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path} {parameters}: {error.read().decode()}") from None
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression):
        """The series of an instant vector as (labels, value)."""
        found = self.api("query", query=expression)["result"]
        return [(series["metric"], float(series["value"][1])) for series in found]

    def value(self, expression):
        """The value of the one series; None if there is none."""
        found = self.query(expression)
        assert len(found) < 2, found
        return found[0][1] if found else None

    def firing(self):
        """Names of the alerts that fire, each with the job that it is about, if it is about one."""
        alerts = [alert for alert in self.api("alerts")["alerts"] if alert["state"] == "firing"]
        return {(alert["labels"]["alertname"], alert["labels"].get("task")) for alert in alerts}
