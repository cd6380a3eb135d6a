"""Records of runs at a real rsyslog, over UDP, TCP and a socket, and at journald: every field read back."""

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

from report import equal
from syslog_servers import Journald, Record, Rsyslog
from unpacked import Unpacked
from world import finished, read_events

PACKAGES = ("rsyslog", "systemd")

# What a label, an owner or a tag may be made of.
HOSTILE = (
    'quote " back \\ bracket ] [forged@1 x="y"]',
    "two\nlines\r\n<0>1 - forged - - - - -",
    "17 <0>1 - forged - - - - -",
    "é漢🦀 \u2028\u202ereversed",
    "\x1b[31mred\x07\x7f",
    "x" * 5000,
)

FACILITIES = {"cron": 9, "daemon": 3, "local0": 16, "local7": 23}
CONCURRENT = 200


def run(world):
    check = world.report.check
    here = world.directory("syslog")
    state, events = os.path.join(here, "state"), os.path.join(here, "events.jsonl")
    tools = Unpacked(os.path.join(here, "tools"), PACKAGES)
    rsyslog = world.started(Rsyslog(tools, os.path.join(here, "rsyslog")))
    ways = {
        "udp": f"syslog:127.0.0.1:{rsyslog.udp}",
        "tcp": f"syslog:tcp:127.0.0.1:{rsyslog.tcp}",
        "socket": f"syslog:{rsyslog.socket}",
    }

    def told(label, sink, command, *options):
        """Runs a command; the records that came of it, and the events."""
        before, seen = len(rsyslog.records()), len(read_events(events))
        words = ("-l", label, "--sink", sink, "--sink", f"jsonl:{events}", *options, "--", *command)
        world.cronward(*words, state=state)
        happened = [event for event in read_events(events)[seen:] if event["kind"] != "run.started"]
        return rsyslog.records(before + len(happened))[before:], happened

    for way, sink in ways.items():
        label = f"log-{way}"
        with check(f"{way}: a failure, the alert that it opens and the recovery are read back in every field"):
            options = ("-t", "env:prod", "--severity", "critical", "--owner", "db team")
            for command in (("sh", "-c", "exit 3"), ("sh", "-c", "kill -KILL $$"), ("true",)):
                records, happened = told(label, sink, command, *options)
                equal(len(records), len(happened), "number of records")
                for record, event in zip(records, happened, strict=True):
                    check_record(record, event, way, FACILITIES["cron"])
                    equal(record.data["tags"], "env:prod", "tags")
        with check(f"{way}: a facility, a warning and an overdue run are told by the priority"):
            for facility, number in FACILITIES.items():
                command = ("sh", "-c", "sleep 0.1; exit 4")
                options = ("--warn-codes", "4", "--warn-after", "60ms")
                records, happened = told(label, f"{sink}?facility={facility}", command, *options)
                assert {"run.overdue", "run.finished"} <= {event["kind"] for event in happened}, happened
                for record, event in zip(records, happened, strict=True):
                    check_record(record, event, way, number)
        for number, text in enumerate(HOSTILE):
            with check(f"{way}: hostile text {number} forges no record, no field and no host"):
                options = ("-t", f"k:{text}", "--owner", text, "--runbook", text, "--alert-key", f"{number}{way}{text}")
                # The reason quotes what is not found.
                records, happened = told(f"{number}{way} {text}", sink, (f"no-such-{text}",), *options)
                rsyslog.settle()
                equal([event["kind"] for event in happened], ["run.finished", "alert.opened"], "events")
                equal(len(records), 2, "number of records")
                for record, event in zip(records, happened, strict=True):
                    check_record(record, event, way, FACILITIES["cron"])
                    assert not re.search(r"[\x00-\x1f\x7f-\x9f]|#0[0-9]{2}", record["raw"]), repr(record["raw"])

    with check("a message longer than a datagram, and one longer than what a receiver should take, come cut and whole"):
        for way, most in (("udp", 1432), ("tcp", 2048), ("socket", 8096)):
            # Blanks, or it would look like a secret.
            records, _ = told(f"long-{way}", ways[way], ("x " * 40000,), "-t", "k:v")
            for record in records:
                size = len(record["raw"].encode())
                assert most - 64 <= size <= most, f"{way}: {size} bytes"
                assert "…" in record["msg"], record["msg"]
                equal(record.data["tags"], "k:v", "tags")

    with check("rsyslog had nothing to complain of, and no record was another's rest"):
        equal(rsyslog.complaints(), [], "complaints")
        strangers = [record for record in rsyslog.records() if record["app"] != "cronward"]
        equal(strangers, [], "records of nobody")

    with check(f"{CONCURRENT} runs at once arrive whole over TCP"):
        before = len(rsyslog.records())
        with ThreadPoolExecutor(50) as pool:
            runs = [pool.submit(run_once, world, state, ways["tcp"], number) for number in range(CONCURRENT)]
            equal({each.result() for each in runs}, {(3, b"")}, "statuses and words")
        records = rsyslog.records(before + CONCURRENT)[before:]
        equal(len(records), CONCURRENT, "number of records")
        labels = sorted(record.data["label"] for record in records)
        equal(labels, sorted(f"many-{number}" for number in range(CONCURRENT)), "labels")
        equal({(record["app"], record["kind"], record["pri"]) for record in records}, {("cronward", "run.finished", "75")})
        equal(rsyslog.complaints(), [], "complaints")

    with check("a server that is restarted costs its records, and the next are taken"):
        rsyslog.stop()
        for way, sink in ways.items():
            status = world.cronward("-l", "away", "--sink", sink, "--alert-after", "9", "--", "sh", "-c", "exit 3", state=state)
            equal((status.returncode, status.stderr), (3, b""), f"status and words, {way}")
        again = world.started(Rsyslog(tools, os.path.join(here, "again")))
        world.cronward("-l", "back", "--sink", f"syslog:127.0.0.1:{again.udp}", "--", "true", state=state)
        equal([record.data["label"] for record in again.records(1)], ["back"], "labels")

    check_journald(world, here, tools, events)


def run_once(world, state, sink, number):
    words = ("-l", f"many-{number}", "--alert-after", "9", "--sink", sink, "--", "sh", "-c", "exit 3")
    ran = world.cronward(*words, state=state)
    return ran.returncode, ran.stderr


SEVERITIES = {"ok": 6, "warning": 4, "stopped": 5, "skipped": 5}
ALERTS = {"info": 6, "warning": 4, "error": 3, "critical": 2}


def severity_of(event):
    if event["kind"] == "run.finished":
        return SEVERITIES.get(event["outcome"], 3)
    if event["kind"] == "run.overdue":
        return 4
    return 5 if event["kind"] == "alert.closed" else ALERTS[event["alert"]["severity"]]


def shown(text, most=200):
    """A text as it stands in a record: on one line, without what a terminal would obey, cut to so many bytes."""
    text = re.sub(r"\x1b\[[0-9;]*m|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "", text.replace("\r\n", "\n"))
    text = re.sub(r"[\n\t]", " ", text)
    if len(text.encode()) <= most:
        return text
    return text.encode()[: most - 3].decode(errors="ignore") + "…"


def check_record(record, event, way, facility):
    """A record against its event."""
    run = event.get("run", event)
    equal(record["pri"], str(facility * 8 + severity_of(event)), f"priority of {event['kind']}")
    equal((record["app"], record["pid"]), ("cronward", str(run["pid"]) if "pid" in run else "-"), "program, process")
    if way == "socket":
        equal((record["version"], record["kind"], record["sd"]), ("0", "-", "-"), "version, kind, data")
    else:
        equal((record["version"], record["kind"], record["host"]), ("1", event["kind"], event["host"]), "header")
        reported = datetime.fromisoformat(record["time"]).astimezone(timezone.utc)
        equal(reported, datetime.fromisoformat(event["time"].replace("Z", "+00:00")), "time")
        mark = "\ufeff" if not record["msg"].isascii() else ""
        assert record["msg"].startswith(mark + shown(event["label"])[:9]), repr(record["msg"][:60])
    expected = {"label": shown(event["label"])}
    for name in ("run_id", "outcome", "exit_code", "signal", "duration_ms", "attempts", "consecutive_failures"):
        if name in run and not (event["kind"] == "run.overdue" and name != "run_id"):
            expected[name] = run[name]
    if event["kind"].startswith("alert."):
        alert = event["alert"]
        expected |= {"alert_id": alert["id"], "alert_key": shown(alert["key"]), "severity": alert["severity"]}
        expected |= {"failures": alert["failures"]}
        expected |= {name: shown(alert[name]) for name in ("owner", "runbook") if name in alert}
    found = record.data
    for name, value in expected.items():
        # Of long texts over the network, the last have no room.
        if name in ("owner", "runbook", "alert_key") and name not in found and way != "socket" and len(value) > 100:
            continue
        as_found = float(found[name]) if isinstance(value, float) else found[name]
        equal(as_found, value if isinstance(value, float) else str(value), f"{name} of {event['kind']}")
    unknown = found.keys() - expected.keys() - {"tags", "elapsed_ms"}
    equal(unknown, set(), "parameters that nobody knows")
    if event["kind"] == "run.overdue":
        assert float(found["elapsed_ms"]) >= 60, found


def check_journald(world, here, tools, events):
    check = world.report.check
    with check("journald: a failure and its alert are read back from the journal"):
        journald = world.started(Journald(tools, os.path.join(here, "journald")))
        label = "é " + HOSTILE[0]
        sinks = ("--sink", f"syslog:{journald.socket}", "--sink", f"jsonl:{events}")
        world.cronward("-l", label, *sinks, "--", "sh", "-c", "exit 3", state=os.path.join(here, "state"))
        entries = journald.records(2)
        equal([entry["PRIORITY"] for entry in entries], ["3", "3"], "priorities")
        event = finished(events, label)[-1]
        for entry in entries:
            equal((entry["SYSLOG_FACILITY"], entry["SYSLOG_PID"]), ("9", str(event["pid"])), "facility and process")
            data = Record(msg=entry["MESSAGE"]).data
            equal((data["label"], data["run_id"]), (label, event["run_id"]), "label and run")
            assert entry["MESSAGE"].startswith(label), entry["MESSAGE"]
