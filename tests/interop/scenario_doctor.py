"""`cronward doctor` looks at real receivers: it finds nothing while they are up and each of them once it is gone, and
none of them is told anything or has anything to complain of."""

import json
import os

from prometheus_servers import PACKAGES as PROMETHEUS
from prometheus_servers import Pushgateway
from report import equal
from statsd_servers import Collectd, Etsy
from syslog_servers import Rsyslog
from unpacked import Unpacked

JOB = "watched"


def run(world):
    check = world.report.check
    here = world.directory("doctor")
    state = os.path.join(here, "state")
    syslog = Unpacked(os.path.join(here, "syslog-tools"), ("rsyslog",))
    gateway_tools = Unpacked(os.path.join(here, "prometheus-tools"), PROMETHEUS)
    etsy = world.started(Etsy(world.work, name="etsy-doctor"))
    os.makedirs(os.path.join(here, "collectd-work"))
    collectd = world.started(Collectd(os.path.join(here, "collectd-work")))
    rsyslog = world.started(Rsyslog(syslog, os.path.join(here, "rsyslog")))
    gateway = world.started(Pushgateway(gateway_tools, here))
    # Written out it is a secret, of which the run leaves nothing on record.
    url = os.path.join(here, "gateway-url")
    with open(url, "w", encoding="utf-8") as file:
        file.write(f"http://127.0.0.1:{gateway.port}")
    os.chmod(url, 0o600)
    receivers = {
        etsy: [etsy.sink],
        collectd: [collectd.sink],
        rsyslog: [
            f"syslog:127.0.0.1:{rsyslog.udp}",
            f"syslog:tcp:127.0.0.1:{rsyslog.tcp}",
            f"syslog:{rsyslog.socket}",
        ],
        gateway: [f"pushgateway:file:{url}"],
    }
    options = [word for sinks in receivers.values() for sink in sinks for word in ("--sink", sink)]
    world.cronward("-l", JOB, *options, "--", "true", state=state)

    def looked():
        """The names of the sinks that were looked at, with what was found of each."""
        environment = {"PATH": "/usr/bin:/bin", "HOME": world.work, "CRONWARD_STATE_DIR": state, "CRONWARD_SINK": "none"}
        ran = world.cronward("doctor", "--json", "--no-config", state=state, env=environment)
        findings = json.loads(ran.stdout)
        of_sinks = [finding for finding in findings if finding["area"] == "sinks"]
        worst = {"ok": 0, "note": 0, "warning": 1, "fault": 2}
        equal(ran.returncode, max(worst[finding["severity"]] for finding in findings), "exit status")
        return {finding["what"].split("'")[1]: (finding["severity"], finding["what"]) for finding in of_sinks}

    with check("every receiver that is up is found to be so"):
        found = looked()
        equal(set(found), {sink for sinks in receivers.values() for sink in sinks}, "sinks")
        equal([what for severity, what in found.values() if severity != "ok"], [], "findings")

    def heard():
        """What each of them has been told so far."""
        for server in (etsy, collectd, rsyslog):
            server.settle()
        runs = f"cronward.{JOB}.run.count.ok"
        return len(rsyslog.records()), len(gateway.groups()), etsy.names(), etsy.counter(runs), collectd.counter(runs)

    with check("no receiver was told anything, and none has anything to complain of"):
        before = heard()
        equal(before[3:], (1, 1), "runs that were counted")
        looked()
        equal(heard(), before, "records, groups, names of metrics, and runs that were counted")
        equal((etsy.complaints(), collectd.complaints(), rsyslog.complaints()), ([], [], []), "complaints")

    gone = set()
    for server, sinks in receivers.items():
        with check(f"{server.name}: that it is gone is found, and of no other"):
            server.stop()
            gone.update(sinks)
            found = looked()
            equal({sink for sink, (severity, _) in found.items() if severity == "fault"}, gone, "faults")
