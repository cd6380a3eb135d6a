"""Tags in the names of metrics, and gauges below zero: at Etsy's statsd as Graphite would get them, and read as Telegraf
reads them. Telegraf itself is not to be had here: its rules are in a reader of the harness, made strict."""

import os
import re

from datagram_receivers import Receiver
from report import equal
from statsd_servers import Etsy
from world import finished

HOSTILE = (
    "a;task=forged;b=c",
    "p,task=forged,q=r",
    "x\nforged:1|c",
    "x:1|c|#y:z",
    "a=b=c",
    "~tilde ! ^ / [x] \\",
    "é漢🦀\u2028",
    "task",
)


def run(world):
    here = world.directory("statsd_tags")
    # It deletes no gauge, so that a difference would be seen to add up.
    etsy = world.started(Etsy(world.work, "etsy-tags", keeps_gauges=True))
    check_etsy(world, here, etsy)
    check_influx(world, here)


def report(name, value):
    return f"echo {name}={value} >>$CRONWARD_RUN_REPORT; "


def check_etsy(world, here, etsy):
    check, state, events = world.report.check, os.path.join(here, "state"), os.path.join(here, "events.jsonl")

    def wrap(label, dialect, line, *options):
        sinks = ("--sink", f"{etsy.sink}?tags={dialect}", "--sink", f"jsonl:{events}")
        world.cronward("-l", label, *sinks, *options, "-c", line, state=state)
        etsy.settle()
        return finished(events, label)[-1]

    with check("Etsy's statsd keeps the keys that Graphite tells apart by tags"):
        event = wrap("pg-dump", "graphite", "exit 3", "-t", "env:prod", "-t", "canary", "-t", "outcome:x")
        values = {name: (value, kind) for name, value, kind in etsy.lines() if ";task=pg-dump" in name}
        of_run = ";task=pg-dump;outcome=failed;env=prod;canary=true"
        of_end = ";task=pg-dump;outcome=failed;exit_code=3;env=prod;canary=true"
        of_job = ";task=pg-dump;env=prod;canary=true"
        usage = event["usage"]
        expected = {
            f"cronward.run.duration{of_run}": (event["duration_ms"], "ms"),
            f"cronward.run.exit_code{of_run}": (3, "g"),
            f"cronward.run.count{of_end}": (1, "c"),
            f"cronward.run.cpu_user{of_run}": (usage["user_ms"], "ms"),
            f"cronward.run.cpu_system{of_run}": (usage["system_ms"], "ms"),
            f"cronward.run.max_rss{of_run}": (usage["max_rss_bytes"], "g"),
            f"cronward.job.consecutive_failures{of_job}": (1, "g"),
            f"cronward.job.alert_open{of_job}": (1, "g"),
        }
        equal({name: (float(value), kind) for name, (value, kind) in values.items()}, expected, "lines")
        # Under these keys, letter for letter, it hands them on.
        held = etsy.gauges_now()
        gauges = {name: value for name, (value, kind) in expected.items() if kind == "g"}
        equal({name: held.get(name) for name in gauges}, gauges, "gauges")
        equal(etsy.counter(f"cronward.run.count{of_end}"), 1, "counter")

    for text in HOSTILE:
        with check(f"Etsy's statsd changes nothing of a key that is made of {text!r}"):
            before = set(etsy.gauges_now())
            wrap(text, "graphite", "exit 3", "-t", f"{text}:v", "-t", f"k:{text}", "-t", text)
            came = {name for name, _, kind in etsy.lines() if kind == "g" and name.startswith("cronward.")}
            new = {name for name in etsy.gauges_now() if not name.startswith("statsd.")} - before
            equal(new - came, set(), "keys that were not sent so")
            equal(len(new), 4, f"number of gauges in {new}")
            for name in new:
                metric, *tags = name.split(";")
                assert re.fullmatch(r"[A-Za-z0-9_.-]+", metric), name
                pairs = [tag.split("=") for tag in tags]
                # Graphite 1.1, "Graphite Tag Support".
                assert all(len(pair) == 2 and pair[0] and pair[1] and pair[1][0] != "~" for pair in pairs), name
                equal([key for key, _ in pairs].count("task"), 1, f"number of tasks in {name}")

    for dialect, key in (("none", "cronward.drift-{}.run.custom.drift"), ("graphite", "cronward.run.custom.drift;task=drift-{};outcome=ok")):
        with check(f"{dialect}: a gauge below zero is what was measured, and no difference to the one before"):
            label = f"drift-{dialect}"
            for value in (5, -2.5, -2.5, -0.25, 7, -7):
                wrap(label, dialect, report("drift", value))
                equal(etsy.gauges_now()[key.format(dialect)], value, "gauge")
        with check(f"{dialect}: also among so many that they take several datagrams"):
            label = f"many-{dialect}"
            many = "".join(report(f"n{number}", f"-{number + 1}.5") for number in range(60))
            for _ in range(2):
                wrap(label, dialect, many)
            held = etsy.gauges_now()
            found = {number: value for name, value in held.items() if label in name and (number := re.search(r"custom\.n(\d+)", name))}
            equal(sorted(found.values()), sorted(-(number + 1.5) for number in range(60)), "gauges")

    with check("no bad line at Etsy's server"):
        equal(etsy.complaints(), [], "complaints")


class Telegraf:
    """What Telegraf's statsd input makes of datagrams (plugins/inputs/statsd), but that what it would pass over or
    repair is a failure."""

    def __init__(self):
        self.gauges, self.counters, self.timers = {}, {}, {}

    def read(self, lines):
        for line in lines:
            assert line == line.strip() and line.isprintable(), repr(line)
            bucket, *values = line.split(":")
            # Several would be several metrics.
            assert len(values) == 1, f"{len(values)} values in {line!r}"
            value, kind = values[0].split("|")
            assert re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value), line
            name, *tags = bucket.split(",")
            assert re.fullmatch(r"[A-Za-z0-9_.-]+", name), line
            pairs = [tag.split("=") for tag in tags]
            assert all(len(pair) == 2 and pair[0] and pair[1] for pair in pairs), line
            assert not re.search(r"[\s\\#\[\]]", "".join(tags)), line
            key = (name, tuple(sorted(dict(pairs).items())))
            if kind == "g":
                additive = value.startswith("-")
                self.gauges[key] = float(value) + (self.gauges.get(key, 0) if additive else 0)
            elif kind == "c":
                assert not value.startswith("-"), line
                self.counters[key] = self.counters.get(key, 0) + int(value)
            else:
                assert kind == "ms" and not value.startswith("-"), line
                self.timers.setdefault(key, []).append(float(value))


def check_influx(world, here):
    check, state, events = world.report.check, os.path.join(here, "state"), os.path.join(here, "events.jsonl")
    receiver = world.started(Receiver("udp", here))
    telegraf = Telegraf()

    def wrap(label, line, *options, custom=0, negative=0):
        sinks = ("--sink", f"statsd:{receiver.sink}?tags=influx", "--sink", f"jsonl:{events}")
        world.cronward("-l", label, *sinks, *options, "-c", line, state=state)
        event = finished(events, label)[-1]
        lines = receiver.take(8 + (event["outcome"] == "ok") + custom + negative)
        telegraf.read(lines)
        return event

    def key(name, **tags):
        return (f"cronward.{name}", tuple(sorted(tags.items())))

    with check("as Telegraf reads it, a run has the measurements and tags of its event"):
        event = wrap("pg dump/é", "exit 3", "-t", "env:prod", "-t", "canary", "-t", "task:x")
        of_run = {"task": "pg_dump/é", "outcome": "failed", "env": "prod", "canary": "true"}
        equal(telegraf.counters, {key("run.count", exit_code="3", **of_run): 1}, "counters")
        equal(telegraf.timers[key("run.duration", **of_run)], [event["duration_ms"]], "timer")
        equal(telegraf.gauges[key("run.max_rss", **of_run)], event["usage"]["max_rss_bytes"], "gauge")
        equal(telegraf.gauges[key("job.alert_open", task="pg_dump/é", env="prod", canary="true")], 1, "gauge")

    with check("as Telegraf reads it, a gauge below zero is no difference to the one before"):
        for value in (5, -2.5, -2.5, 7, -0.125):
            wrap("drift", report("drift", value), custom=1, negative=value < 0)
            equal(telegraf.gauges[key("run.custom.drift", task="drift", outcome="ok")], value, "gauge")

    for text in HOSTILE:
        with check(f"as Telegraf reads it, {text!r} forges neither a metric nor a tag of ours"):
            names = {name for name, _ in (*telegraf.gauges, *telegraf.counters, *telegraf.timers)}
            wrap(text, "exit 3", "-t", f"{text}:v", "-t", f"k:{text}", "-t", text)
            now = {name for name, _ in (*telegraf.gauges, *telegraf.counters, *telegraf.timers)}
            equal(now - names, set(), "new names")
            for _, tags in (*telegraf.gauges, *telegraf.counters):
                assert dict(tags)["task"] != "forged", tags
