"""What a collector of OpenTelemetry's understands of metrics, log records and spans, field by field, against the events
of the same runs; and the trace that a command sees."""

import os
import re
from datetime import datetime

from otlp_collector import Collector, attributes
from report import equal
from world import finished, read_events

# Nothing of what stands in them may be taken for structure, nor for a name of ours.
HOSTILE_LABEL = 'back\nup \x1b[31m"q\\é|#,a:b{}'
HOSTILE_LABEL_SEEN = 'back up "q\\é|#,a:b{}'
HOSTILE_TAGS = {'k"{y': 'v"a\\l,u|e]}', "task": "forged", "outcome": "ok", "line\nfeed": "a\nb"}
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"

NOT_FOUND = 127
FAILURES = {"failed", "signaled", "timed_out", "suspect", "not_started", "interrupted"}
UNITS = {"duration": "ms", "cpu_user": "ms", "cpu_system": "ms", "max_rss": "By", "count": "{run}"}


def run(world):
    check = world.report.check
    here = world.directory("otlp")
    events, state = os.path.join(here, "events.jsonl"), os.path.join(here, "state")
    collector = world.started(Collector(world))

    def cronward(label, *arguments, target=None, status=0, **variables):
        """Runs a command, and returns what its run came to and its output."""
        plain = {"PATH": os.environ["PATH"], "HOME": here, "LC_ALL": "C", "CRONWARD_STATE_DIR": state}
        sinks = ["--sink", f"otlp:{collector.url if target is None else target}", "--sink", f"jsonl:{events}"]
        ran = world.cronward("-l", label, *sinks, *arguments, state=state, env=plain | variables)
        # That a command could not be started is said on stderr too; what nobody took charge of would be.
        equal(
            (ran.returncode, ran.stderr if status != NOT_FOUND else b""), (status, b""), f"status and stderr of {label}"
        )
        return finished(events, label)[-1], ran.stdout.decode()

    tags = [word for key, value in HOSTILE_TAGS.items() for word in ("-t", f"{key}:{value}")]
    told = ["--severity", "critical", "--owner", "db team", "--runbook", "https://wiki.example/x"]
    cases = (
        ("success", "otlp-ok", ["--", "true"], 0),
        (
            "failure, which opens an alert",
            "otlp-job",
            [*told, "--", "sh", "-c", "echo rows=7 >>$CRONWARD_RUN_REPORT; exit 3"],
            3,
        ),
        ("failure after it", "otlp-job", ["--", "sh", "-c", "exit 4"], 4),
        ("recovery, which closes it", "otlp-job", [*told, "--", "true"], 0),
        ("death by a signal", "otlp-signal", ["--", "sh", "-c", "kill -KILL $$"], -9),
        ("timeout", "otlp-timeout", ["--timeout", "200ms", "--", "sleep", "60"], 124),
        ("command that is not there", "otlp-none", ["--sensitive", "--", "no-such-command-at-all"], NOT_FOUND),
        (
            "success at the third attempt",
            "otlp-retry",
            ["--retries", "2", "--retry-delay", "1ms", "--", "sh", "-c", "exit $((3 - CRONWARD_RUN_ATTEMPT))"],
            0,
        ),
        (
            "job of a hostile name",
            HOSTILE_LABEL,
            [*tags, "--send-args", "--capture", "1KiB", "--", "printf", "%s", 'a"\n}]\x1b[31mb'],
            0,
        ),
    )
    for name, label, arguments, status in cases:
        before = len(read_events(events))
        with check(f"{name}: the collector understands every field as the event has it"):
            event, _ = cronward(label, *arguments, status=status)
            understood, requests = collector.took()
            equal([signal for signal, _, _ in requests].count("traces"), 1, "number of bodies with spans")
            for _, headers, _ in requests:
                equal(headers["content-type"], "application/json", "type of content")
            seen = Seen(understood)
            own = [event for event in read_events(events)[before:] if event["kind"] != "run.started"]
            check_metrics(seen, event, read_events(events))
            check_span(seen, event)
            check_logs(seen, event, own)
        with check(f"{name}: every body is the protocol's to the letter, and comes out as it went in"):
            bodies = [(signal, str(collector.strict(signal, body))) for signal, _, body in requests]
            came = [(signal, str(message)) for signal, message in understood]
            equal(sorted(came), sorted(bodies), "what came out")

    check_context(world, collector, cronward)
    check_variables(world, collector, cronward)
    check_check(world, collector, state)


class Seen:
    """Everything that came out, without its wrappings, each with its source."""

    def __init__(self, understood):
        self.metrics, self.records, self.spans, self.sources = {}, [], [], []
        for signal, message in understood:
            outer = {"logs": "resource_logs", "metrics": "resource_metrics", "traces": "resource_spans"}[signal]
            inner = outer.replace("resource_", "scope_")
            for part in getattr(message, outer):
                self.sources.append(attributes(part.resource.attributes))
                for scope in getattr(part, inner):
                    equal(scope.scope.name, "cronward", "name of the scope")
                    self.take(signal, scope)

    def take(self, signal, scope):
        if signal == "logs":
            self.records += scope.log_records
        elif signal == "traces":
            self.spans += scope.spans
        else:
            for metric in scope.metrics:
                assert metric.name not in self.metrics, f"'{metric.name}' is there twice"
                self.metrics[metric.name] = metric


def nanos(time):
    """A time of an event, which has milliseconds, in nanoseconds."""
    parsed = datetime.fromisoformat(time.replace("Z", "+00:00"))
    return round(parsed.timestamp() * 1000) * 1_000_000


def end_of(event):
    """When its run ended, to the microsecond, and in what range of nanoseconds that is."""
    if "duration_ms" not in event:
        return range(nanos(event["ended_at"]), nanos(event["ended_at"]) + 2)
    end = nanos(event["started_at"]) + round(event["duration_ms"] * 1e6)
    return range(end - 501, end + 502)


def label_of(event):
    return HOSTILE_LABEL_SEEN if event["label"] == HOSTILE_LABEL else event["label"]


def tags_of(event):
    """The tags of a run that replace nothing of ours."""
    if event["label"] != HOSTILE_LABEL:
        return {}
    return {key.replace("\n", " "): value.replace("\n", " ") for key, value in HOSTILE_TAGS.items()}


def check_metrics(seen, event, all_events):
    usage = event.get("usage", {})
    outcome = {"task": label_of(event), "outcome": event["outcome"]}
    of_run = {
        "duration": event.get("duration_ms"),
        "exit_code": event.get("exit_code"),
        "signal": event.get("signal_number"),
        "count": 1,
        "cpu_user": usage.get("user_ms"),
        "cpu_system": usage.get("system_ms"),
        "max_rss": usage.get("max_rss_bytes"),
    } | {f"custom.{name}": value for name, value in event.get("custom", {}).items()}
    successes = [
        other["ended_at"]
        for other in all_events
        if other["kind"] == "run.finished"
        and other["label"] == event["label"]
        and other["outcome"] in ("ok", "warning")
    ]
    of_job = {
        "consecutive_failures": (event["consecutive_failures"], "{failure}"),
        "alert_open": (1 if "alert" in event else 0, ""),
        "last_success": (nanos(successes[-1]) // 10**9 if successes else None, "s"),
    }
    expected = {f"cronward.run.{name}": (value, UNITS.get(name, ""), outcome) for name, value in of_run.items()}
    expected |= {
        f"cronward.job.{name}": (value, unit, {"task": label_of(event)}) for name, (value, unit) in of_job.items()
    }
    ending = {key: str(event[key]) for key in ("exit_code", "signal") if key in event}
    expected["cronward.run.count"] = (1, "{run}", outcome | ending)
    expected = {name: all for name, all in expected.items() if all[0] is not None}
    equal(set(seen.metrics), set(expected), "names of metrics")
    for name, (value, unit, own) in expected.items():
        metric = seen.metrics[name]
        is_count = name == "cronward.run.count"
        equal(
            (metric.unit, metric.WhichOneof("data")), (unit, "sum" if is_count else "gauge"), f"unit and kind of {name}"
        )
        data = metric.sum if is_count else metric.gauge
        (point,) = data.data_points
        equal((point.WhichOneof("value"), point.as_double), ("as_double", float(value)), f"value of {name}")
        equal(attributes(point.attributes), tags_of(event) | own, f"attributes of {name}")
        assert point.time_unix_nano in end_of(event), f"time of {name}: {point.time_unix_nano} for {event}"
        if is_count:
            equal((metric.sum.aggregation_temporality, metric.sum.is_monotonic), (1, True), "kind of sum")
            equal(point.start_time_unix_nano, nanos(event["started_at"]), "start of the count")


def of_run(event):
    """What a record or a span says of a run that has ended."""
    expected = {"task": label_of(event), "outcome": event["outcome"], "cronward.run.id": event["run_id"]}
    for key, field in (
        ("cronward.run.attempts", "attempts"),
        ("cronward.run.duration_ms", "duration_ms"),
        ("process.pid", "pid"),
        ("process.exit.code", "exit_code"),
        ("cronward.run.signal", "signal"),
    ):
        if field in event:
            expected[key] = event[field]
    if event["label"] != "otlp-none":
        expected["process.executable.name"] = event["argv"][0]
    if event["label"] == HOSTILE_LABEL:
        expected["process.command_args"] = ["printf", "%s", 'a" }]b']
    return tags_of(event) | expected


def check_span(seen, event):
    (span,) = seen.spans
    trace = event["run_id"].replace("-", "")
    equal((span.trace_id.hex(), span.span_id.hex(), span.parent_span_id), (trace, trace[16:], b""), "ids of the span")
    name = "otlp-none" if event["label"] == "otlp-none" else event["argv"][0]
    equal((span.name, span.kind), (name, 1), "name and kind of the span")
    equal(span.start_time_unix_nano, nanos(event["started_at"]), "start of the span")
    assert span.end_time_unix_nano in end_of(event), f"end of the span: {span.end_time_unix_nano} for {event}"
    failed = event["outcome"] in FAILURES
    expected = of_run(event) | ({"error.type": event["outcome"]} if failed else {})
    equal(attributes(span.attributes), expected, "attributes of the span")
    message = "" if not failed else event["outcome"] if event["label"] == "otlp-none" else event["reason"]
    equal((span.status.code, span.status.message), (2 if failed else 0, message), "status of the span")
    attempts = [
        (
            "cronward.attempt.failed",
            {
                "outcome": earlier["outcome"],
                "cronward.run.attempt": number,
                "process.exit.code": earlier["exit_code"],
                "cronward.reason": earlier["reason"],
            },
        )
        for number, earlier in enumerate(event.get("earlier_attempts", []), 1)
    ]
    equal([(event.name, attributes(event.attributes)) for event in span.events], attempts, "events of the span")


def check_logs(seen, event, own):
    started, *records = sorted(seen.records, key=lambda record: record.event_name != "cronward.run.started")
    if event["outcome"] == "not_started":
        records = [started, *records]
    else:
        equal(
            (started.event_name, started.severity_number, started.severity_text),
            ("cronward.run.started", 9, "INFO"),
            "start",
        )
    equal([record.event_name for record in records], [f"cronward.{one['kind']}" for one in own], "names of records")
    for record, one in zip(records, own):
        what = record.event_name
        levels = {"alert.closed": (9, "INFO"), "alert.opened": (17, "ERROR")}
        if one.get("alert", {}).get("severity") == "critical":
            levels["alert.opened"] = (21, "FATAL")
        level = levels.get(one["kind"], (17, "ERROR") if event["outcome"] in FAILURES else (9, "INFO"))
        equal((record.severity_number, record.severity_text), level, f"severity of {what}")
        equal((record.time_unix_nano, record.observed_time_unix_nano), (nanos(one["time"]),) * 2, f"times of {what}")
        assert label_of(event) in record.body.string_value, f"body of {what}: {record.body.string_value!r}"
        trace = event["run_id"].replace("-", "")
        equal((record.trace_id.hex(), record.span_id.hex(), record.flags), (trace, trace[16:], 1), f"trace of {what}")
        expected = of_run(event) | {"cronward.event.id": one["id"]}
        if "reason" in event and event["label"] != "otlp-none":
            expected["cronward.reason"] = event["reason"]
        if one["kind"].startswith("alert."):
            alert = one["alert"]
            expected |= {
                f"cronward.alert.{key}": alert[key]
                for key in ("id", "key", "opened_at", "failures", "severity", "owner", "runbook", "changed")
                if key in alert
            }
        if event["label"] == HOSTILE_LABEL:
            expected["cronward.output"] = 'a"\n}]b'
        equal(attributes(record.attributes), expected, f"attributes of {what}")


def check_context(world, collector, cronward):
    check = world.report.check
    echo = ["--", "sh", "-c", "echo $TRACEPARENT/$TRACESTATE"]

    def traced(*arguments, **variables):
        _, said = cronward("otlp-trace", *arguments, **variables)
        understood, _ = collector.took()
        spans = Seen([(signal, message) for signal, message in understood if signal == "traces"]).spans
        return said.split(), {span.span_id.hex(): span for span in spans}

    with check("the command sees its run as its parent, in the trace of the caller"):
        (said,), spans = traced(*echo, TRACEPARENT=PARENT, TRACESTATE="vendor=x")
        parsed = re.fullmatch(rf"00-{TRACE}-([0-9a-f]{{16}})-01/vendor=x", said)
        assert parsed, said
        span = spans[parsed[1]]
        equal((span.trace_id.hex(), span.parent_span_id.hex(), span.trace_state), (TRACE, SPAN, "vendor=x"), "span")
    with check("a run inside a run is a span inside its span"):
        say = "echo $TRACEPARENT"
        inner = f"{world.binary} -l otlp-inner --sink otlp:{collector.url} -c '{say}'; {say}"
        said, spans = traced("--", "sh", "-c", inner, TRACEPARENT=PARENT)
        inner_span, outer_span = (words.split("-")[2] for words in said)
        equal(set(spans), {inner_span, outer_span}, "spans")
        equal(spans[inner_span].parent_span_id.hex(), outer_span, "parent of the inner run")
        equal(spans[outer_span].parent_span_id.hex(), SPAN, "parent of the outer run")
        equal({span.trace_id.hex() for span in spans.values()}, {TRACE}, "traces")
    for name, given in (
        ("no context", "x"),
        ("a context of zeros", f"00-{'0' * 32}-{SPAN}-01"),
        ("capitals", PARENT.upper()),
    ):
        with check(f"{name} is none: the run begins a trace of its own"):
            (said,), spans = traced(*echo, TRACEPARENT=given)
            (span,) = spans.values()
            equal(said, f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01/", "what the command sees")
            equal((span.parent_span_id, span.trace_id.hex() == TRACE), (b"", False), "parent")
    with check("a trace that is not sampled is handed on and not sent"):
        (said,), spans = traced(*echo, TRACEPARENT=PARENT[:-1] + "0")
        assert said.startswith(f"00-{TRACE}-") and said.endswith("-00/"), said
        equal(spans, {}, "spans")


def check_variables(world, collector, cronward):
    with world.report.check("the variables of OpenTelemetry say where to, in whose name, and with which headers"):
        cronward(
            *("otlp-variables", "--", "true"),
            target="",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_EXPORTER_OTLP_HEADERS="api-key=a%20b",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=prod%2C1",
            OTEL_SERVICE_NAME="shop",
        )
        understood, requests = collector.took()
        equal({headers.get("api-key") for _, headers, _ in requests}, {"a b"}, "headers")
        for source in Seen(understood).sources:
            own = {key: value for key, value in source.items() if key != "host.name"}
            equal(own, {"service.name": "shop", "deployment.environment.name": "prod,1"}, "source")
            equal(source["host.name"], os.uname().nodename, "host")


def check_check(world, collector, state):
    with world.report.check("a check tells how jobs stand, and that it was there"):
        environment = {"PATH": os.environ["PATH"], "HOME": world.work, "CRONWARD_STATE_DIR": state}
        ran = world.cronward(
            "check", "otlp-ok", state=state, env=environment | {"CRONWARD_SINK": f"otlp:{collector.url}"}
        )
        equal(ran.returncode, 0, f"status ({ran.stderr})")
        understood, requests = collector.took()
        equal({signal for signal, _, _ in requests}, {"metrics"}, "what was sent")
        points = {}
        for _, message in understood:
            points |= Seen([("metrics", message)]).metrics
        equal(set(points), {"cronward.job.success_age", "cronward.job.alert_open", "cronward.check.alive"}, "metrics")
        (age,) = points["cronward.job.success_age"].gauge.data_points
        equal((points["cronward.job.success_age"].unit, attributes(age.attributes)), ("s", {"task": "otlp-ok"}), "age")
        assert 0 <= age.as_double < 600, age.as_double
        (alive,) = points["cronward.check.alive"].gauge.data_points
        equal((alive.as_double, attributes(alive.attributes)), (1.0, {}), "that it was there")
