"""Alerts to PagerDuty, against what it has published of its events and a server that keeps incidents as it does; and
webhooks, read by the CloudEvents SDK and verified by the reference implementation of Standard Webhooks."""

import base64
import json
import os
import secrets
import subprocess

from alert_server import AlertServer, PagerDutyServer
from report import equal
from scenario_events_schema import SCHEMA, VALIDATE
from world import read_events

HERE = os.path.dirname(os.path.abspath(__file__))
PAGERDUTY_SCHEMA = os.path.join(HERE, "pagerduty-event.schema.json")

# Payloads that are larger are refused.
EVENT_MAX = 512 * 1024

# What the schema must refuse if it is to mean something.
FORGERIES = (
    ("no routing key", lambda event: event.pop("routing_key")),
    ("a short routing key", lambda event: event.update(routing_key="x")),
    ("another action", lambda event: event.update(event_action="close")),
    ("no payload", lambda event: event.pop("payload")),
    ("a long key", lambda event: event.update(dedup_key="x" * 256)),
    ("a long summary", lambda event: event["payload"].update(summary="x" * 1025)),
    ("no source", lambda event: event["payload"].update(source="")),
    ("another severity", lambda event: event["payload"].update(severity="fatal")),
    ("a time in words", lambda event: event["payload"].update(timestamp="now")),
    ("a field of our own", lambda event: event["payload"].update(run_id="x")),
    ("details in words", lambda event: event["payload"].update(custom_details="x")),
    ("a link to nowhere", lambda event: event.update(links=[{"href": "the wiki"}])),
)

# Run in the virtual environment. The first reads requests on stdin, one a line, and answers each by what the SDK has
# read; the second by "verified" or by why not.
READ_CLOUDEVENTS = """
import json, sys
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
for line in sys.stdin:
    request = json.loads(line)
    event = from_http_event(HTTPMessage(headers=request["headers"], body=request["body"].encode()))
    attributes = {name: str(value) for name, value in event.get_attributes().items()}
    print(json.dumps({"attributes": attributes, "data": event.get_data()}))
"""
VERIFY = """
import json, sys
from standardwebhooks import Webhook, WebhookVerificationError
for line in sys.stdin:
    request = json.loads(line)
    try:
        Webhook(request["secret"]).verify(request["body"], request["headers"])
        print("verified")
    except WebhookVerificationError as error:
        print(error)
"""


def run(world):
    packages = ("jsonschema[format-nongpl]", "cloudevents==2.2.0", "standardwebhooks==1.1.0")
    options = ("--quiet", "--no-cache-dir", "--disable-pip-version-check", "--root-user-action=ignore")
    subprocess.run([world.python, "-m", "pip", "install", *options, *packages], check=True)
    here = world.directory("alerts")
    pages_are_events_as_published(world, here)
    one_incident_from_the_first_failure_to_the_recovery(world, here)
    pages_are_repeated_or_given_up(world, here)
    webhooks_are_cloudevents(world, here)
    webhooks_are_signed(world, here)


def ask(world, program, arguments, requests):
    """What a program of the virtual environment answers to each line."""
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    command = [world.python, "-c", program, *arguments]
    answers = subprocess.run(command, input=lines, text=True, capture_output=True)
    assert answers.returncode == 0, answers.stderr
    found = answers.stdout.splitlines()
    equal(len(found), len(requests), "number of answers")
    return found


class Pager:
    """Runs of jobs with one sink, against one server."""

    def __init__(self, world, here, name, server, sink):
        self.world = world
        self.server = world.started(server)
        self.sink = sink
        self.state = os.path.join(here, f"{name}-state")
        self.log = os.path.join(here, f"{name}.jsonl")

    def run(self, *arguments, status, **options):
        sinks = ["--sink", self.sink, "--sink", f"jsonl:{self.log}"]
        run = self.world.cronward(*sinks, *arguments, state=self.state, **options)
        equal(run.returncode, status, f"exit status ({run.stderr})")
        return run


def pager(world, here, name, *script):
    server = PagerDutyServer(*script)
    key = os.path.join(here, f"{name}.key")
    with open(key, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(16) + "\n")
    return Pager(world, here, name, server, f"pagerduty:file:{key}?url={server.url('/v2/enqueue')}")


def fail(label, *options, code=1):
    return ["-l", label, *options, "--", "sh", "-c", f"exit {code}"]


def pages_are_events_as_published(world, here):
    check = world.report.check
    published = pager(world, here, "published")
    hostile = b'hostile \xff \x1b[31m \r\n "},{label\x00'.rstrip(b"\0")
    long = "x\u00e9\"\\" * 8_000
    everything = [
        *("--owner", "db team", "--runbook", "https://wiki.example/backup#restore", "-t", "env:prod"),
        *("-t", "service:app", "--send-args", "--capture", "64KiB", "--log-dir", os.path.join(here, "logs")),
    ]
    by = ("--owner", long, "--runbook", f"https://{long}")
    much = ("--send-args", "--capture", "1MiB")
    runs = (
        (fail("exit"), 1),
        (["-l", "everything", *everything, "--", "sh", "-c", "seq 1 20000; exit 3", "--password=x"], 3),
        (["-l", "signal", "--severity", "critical", "--", "sh", "-c", "kill -KILL $$"], -9),
        (["-l", "timeout", "--severity", "warning", "--timeout", "50ms", "--", "sleep", "60"], 124),
        (["-l", "missing", "--severity", "info", "--", "no-such-command-at-all"], 127),
        (["-l", "sensitive", "--sensitive", "--capture", "1KiB", "--", "sh", "-c", "echo spoken; exit 1"], 1),
        # Its alert is opened while it runs, and closed by a success.
        (["-l", "late", "--expect", "..50ms", "--", "sleep", "0.3"], 0),
        (["-l", "late", "--", "true"], 0),
        (["-l", "retried", "--retries", "2", "--retry-delay", "1ms", "--", "false"], 1),
        ([b"-l", hostile, b"-t", hostile, b"--owner", hostile, b"--", b"false", b"\xff"], 1),
        # As much as a command line takes of everything that goes into an event.
        (fail(long, "-t", f"a:{long}", "--alert-key", "{host}" + long, *by), 1),
        (["-l", "much", *much, "--", "sh", "-c", "yes '\"' | head -c 2000000; exit 1", long], 1),
    )
    for arguments, status in runs:
        words = " ".join(word if isinstance(word, str) else ascii(word) for word in arguments)
        with check(f"PagerDuty: {words[:100]} ends with {status}"):
            run = published.run(*arguments, status=status)
            assert b"is failing" not in run.stderr, f"nobody else was told: {run.stderr}"

    stale = ["-l", "stale", "--max-age", "1ms", "--", "true"]
    with check("PagerDuty: a check sends the alert of a job whose success is too old, through the job's own sink"):
        published.run(*stale, status=0)
        # Until a millisecond has passed all is well.
        checks = (world.cronward("check", "stale", state=published.state).returncode for _ in range(100))
        assert 2 in checks, "no check found it"

    requests = published.server.taken()
    events = [request.json for request in requests]
    with check(f"PagerDuty: all {len(events)} bodies have the published fields and no others"):
        # Each run but `late` and `stale` is one trigger; of `late` the second run resolves.
        equal(len(events), len(runs) + 1, "number of events")
        for event, answer in zip(events, ask(world, VALIDATE, [PAGERDUTY_SCHEMA], events), strict=True):
            assert answer == "", f"{answer}\n  in {json.dumps(event)[:2000]}"
    with check("PagerDuty: no body is larger than it takes, and each says that it is JSON"):
        equal([len(request.body) for request in requests if len(request.body) > EVENT_MAX], [], "bodies too large")
        equal({request.headers["content-type"] for request in requests}, {"application/json"}, "content types")
    with check("PagerDuty: a page says what a person wants to know, and nothing that is to stay on the host"):
        of_label = {event["payload"]["component"]: event["payload"] for event in events if "payload" in event}
        payload = of_label["everything"]
        details = payload["custom_details"]
        equal((payload["group"], payload["class"]), ("app", "failed"), "group and class")
        equal(details["exit_code"], 3, "exit code")
        equal(details["tags"], {"env": "prod", "service": "app"}, "tags")
        assert details["output"].endswith("\n19999\n20000"), details["output"][-100:]
        assert details["command"].endswith(" '--password=***'"), details["command"]
        equal(of_label["signal"]["custom_details"]["signal"], "SIGKILL", "signal")
        equal(of_label["timeout"]["class"], "timed_out", "class")
        equal(of_label["late"]["class"], "overdue", "class")
        assert "class" not in of_label["stale"], of_label["stale"]
        assert "spoken" not in json.dumps(of_label["sensitive"]), of_label["sensitive"]
        equal([name for name in of_label["sensitive"]["custom_details"] if name in ("reason", "command", "output")], [])
        severities = {label: of_label[label]["severity"] for label in ("exit", "signal", "timeout", "missing")}
        expected = {"exit": "error", "signal": "critical", "timeout": "warning", "missing": "info"}
        equal(severities, expected, "severities")
    with check("PagerDuty: a hostile label, tag or owner is text, and obeyed by no terminal"):
        hostile_ones = [event for event in events if "hostile" in json.dumps(event)]
        equal(len(hostile_ones), 1, "events of the hostile job")
        shown = hostile_ones[0]["payload"]
        texts = [shown["summary"], shown["component"], shown["custom_details"]["owner"]]
        equal([text for text in texts if any(ord(c) < 32 or ord(c) == 127 for c in text)], [], "control characters")
    with check("PagerDuty: the schema refuses events that are not as published"):
        forgeries = []
        for _, forge in FORGERIES:
            forgeries.append(json.loads(json.dumps(events[0])))
            forge(forgeries[-1])
        answers = ask(world, VALIDATE, [PAGERDUTY_SCHEMA], forgeries)
        accepted = [name for (name, _), answer in zip(FORGERIES, answers, strict=True) if answer == ""]
        equal(accepted, [], "forgeries that it accepts")


def one_incident_from_the_first_failure_to_the_recovery(world, here):
    check = world.report.check
    incidents = pager(world, here, "incidents")

    def play(label, codes, *options):
        for code in codes:
            incidents.run(*fail(label, *options, code=code), status=code)

    def actions():
        return [(event.json["event_action"], event.json["dedup_key"]) for event in incidents.server.taken()]

    with check("PagerDuty: three failures, one incident; two successes, resolved once"):
        play("job", [1, 1, 1, 0, 0], "--alert-after", "2", "--alert-key", "{host}-a")
        (first, key), second = actions()
        equal((first, second), ("trigger", ("resolve", key)), "events")
        equal(incidents.server.of_key(key), [(1, False)], "incidents")
    with check("PagerDuty: an alert that is repeated stays the incident that it was, whatever the key is now"):
        play("again", [1], "--alert-key", "{host}-b", "--realert", "1ns")
        play("again", [1, 1, 0], "--alert-key", "{host}-c", "--realert", "1ns")
        keys = {key for _, key in actions()}
        equal(len(keys), 1, f"number of keys ({keys})")
        equal(incidents.server.of_key(keys.pop()), [(3, False)], "incidents")
    with check("PagerDuty: after a recovery the next failure is the next incident"):
        play("next", [1, 0, 1], "--alert-key", "{host}-d")
        (_, key), *_ = actions()
        equal(incidents.server.of_key(key), [(1, False), (1, True)], "incidents")
    with check("PagerDuty: a key that hosts share is triggered by each and resolved by none"):
        play("fleet-1", [1, 0], "--alert-key", "fleet")
        play("fleet-2", [1, 0], "--alert-key", "fleet")
        equal(actions(), [("trigger", "fleet")] * 2, "events")
        equal(incidents.server.of_key("fleet"), [(2, True)], "incidents")
    with check("PagerDuty: keys that differ behind their 255th character are two incidents, and both are resolved"):
        keys = ["{host}" + "\u00e9" * 300 + end for end in ("1", "2")]
        for label, key in zip(("long-1", "long-2"), keys, strict=True):
            play(label, [1], "--alert-key", key)
        opened = actions()
        for label, key in zip(("long-1", "long-2"), keys, strict=True):
            play(label, [0], "--alert-key", key)
        equal([("resolve", key) for _, key in opened], actions(), "events")
        equal([incidents.server.of_key(key) for _, key in opened], [[(1, False)]] * 2, "incidents")
        equal([len(key) for _, key in opened], [255] * 2, "lengths of keys")


def pages_are_repeated_or_given_up(world, here):
    check = world.report.check
    with check("PagerDuty: a page that meets 429 and 500 is sent again, and is one incident"):
        busy = pager(world, here, "busy", 429, 500, 202)
        run = busy.run(*fail("job"), status=1)
        equal((run.stderr, len(busy.server.taken())), (b"", 3), "stderr, number of requests")
        equal([incident["triggers"] for incident in busy.server.incidents], [1], "triggers")
    with check("PagerDuty: a key that it does not take is said in its own words, once, and the alert on stderr"):
        server = world.started(PagerDutyServer())
        sink = f"pagerduty:tooshort?url={server.url('/v2/enqueue')}"
        refused = Pager(world, here, "refused", server, sink)
        run = refused.run(*fail("job"), status=1)
        equal((run.stderr.count(b"\n"), len(server.taken())), (1, 1), f"lines on stderr ({run.stderr}), requests")
        (finished,) = [event for event in read_events(refused.log) if event["kind"] == "run.finished"]
        said = "Event object is invalid: Length of 'routing_key' is incorrect (should be 32 characters)"
        equal(finished["sink_errors"], [f"pagerduty:\u2026: HTTP 400: {said}"], "errors")


def plain(request):
    return {"headers": request.headers, "body": request.body.decode()}


def webhooks_are_cloudevents(world, here):
    check = world.report.check
    server = AlertServer()
    hook = Pager(world, here, "hook", server, f"webhook:{server.url('/hook/?token=1')}#events=all")
    hostile = b'hostile \xff/../\x1b[31m \r\n "label"'
    for arguments, status in (
        (["-l", "job", "--", "true"], 0),
        (["-l", "job", "--owner", "db", "--capture", "1KiB", "--", "sh", "-c", "echo out; exit 3"], 3),
        (["-l", "job", "--realert", "1ns", "--", "sh", "-c", "kill -KILL $$"], -9),
        (["-l", "job", "--warn-after", "50ms", "--", "sleep", "0.3"], 0),
        ([b"-l", hostile, b"-t", hostile, b"--", b"true", b"\xff"], 0),
    ):
        with check(f"webhook: {ascii(arguments)} ends with {status} and says nothing"):
            equal(hook.run(*arguments, status=status).stderr, b"", "stderr")
    requests = server.taken()
    with check(f"webhook: all {len(requests)} requests are read by the SDK as what they are"):
        read = [json.loads(line) for line in ask(world, READ_CLOUDEVENTS, [], [plain(request) for request in requests])]
        kinds = {event["attributes"]["type"] for event in read}
        expected = ("run.started", "run.overdue", "run.finished", "alert.opened", "alert.repeated", "alert.closed")
        equal(kinds, {f"dev.cronward.{kind}" for kind in expected}, "types")
        logged = {event["id"]: event for event in read_events(hook.log)}
        for event in read:
            attributes, data = event["attributes"], event["data"]
            equal(attributes["id"], data["id"], "id")
            equal(attributes["type"], f"dev.cronward.{data['kind']}", "type")
            equal((data["kind"], data["label"]), (logged[data["id"]]["kind"], logged[data["id"]]["label"]), "event")
        subjects = {event["attributes"].get("subject") for event in read}
        equal(subjects, {"job", 'hostile \ufffd/../   "label"'}, "subjects")
    with check("webhook: sources are references of their own, one for each job"):
        sources = {event["attributes"]["source"] for event in read}
        host = read[0]["data"]["host"]
        escaped = "hostile%20%EF%BF%BD%2F..%2F%1B%5B31m%20%0D%0A%20%22label%22"
        equal(sources, {f"/cronward/{host}/job", f"/cronward/{host}/{escaped}"}, "sources")
    with check("webhook: the data of each is an event that obeys the schema"):
        data = [event["data"] for event in read]
        for event, answer in zip(data, ask(world, VALIDATE, [SCHEMA], data), strict=True):
            assert answer == "", f"{answer}\n  in {json.dumps(event)}"
    with check("webhook: it is asked by the whole of its URL, and says what it is sent"):
        equal({request.path for request in requests}, {"/hook/?token=1"}, "paths")
        types = {request.headers["content-type"] for request in requests}
        equal(types, {"application/cloudevents+json"}, "content types")
        signed = [name for request in requests for name in request.headers if name.startswith("webhook-")]
        equal(signed, [], "headers of a signature without a secret")


def webhooks_are_signed(world, here):
    check = world.report.check
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    other = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    for name, sink in (
        ("that stands in files", "webhook:file:{url}#secret=file:{key}&events=alerts"),
        ("without its front", "webhook:{server}#secret={bare}"),
    ):
        server = world.started(AlertServer(503))
        url, key = os.path.join(here, "hook.url"), os.path.join(here, "hook.key")
        for path, text in ((url, server.url("/hook")), (key, secret)):
            with open(path, "w", encoding="ascii") as file:
                file.write(text + "\n")
        sink = sink.format(url=url, key=key, server=server.url("/hook"), bare=secret.removeprefix("whsec_"))
        signed = Pager(world, here, f"signed-{name.replace(' ', '-')}", server, sink)
        with check(f"webhook: a secret {name} signs each attempt, which the reference implementation verifies"):
            run = signed.run(*fail("caf\u00e9"), status=1)
            equal((run.stderr, len(server.requests)), (b"", 2), "stderr, number of requests")
            requests = [plain(request) | {"secret": secret} for request in server.taken()]
            equal(requests[0]["body"], requests[1]["body"], "body of the second attempt")
            equal(ask(world, VERIFY, [], requests), ["verified"] * 2, "answers")
            for request in requests:
                equal(request["headers"]["webhook-id"], json.loads(request["body"])["id"], "id")
        with check(f"webhook: a secret {name} verifies nothing else"):
            good = requests[0]
            time = int(good["headers"]["webhook-timestamp"])
            forged = [
                good | {"secret": other},
                good | {"body": good["body"].replace("opened", "closed")},
                *(
                    good | {"headers": good["headers"] | header}
                    for header in ({"webhook-id": "x"}, {"webhook-timestamp": str(time + 1)})
                ),
            ]
            equal(ask(world, VERIFY, [], forged), ["No matching signature found"] * 4, "answers")
            stale = good | {"headers": good["headers"] | {"webhook-timestamp": str(time - 400)}}
            equal(ask(world, VERIFY, [], [stale]), ["Message timestamp too old"], "answer to an old one")
