"""Every event that the scenarios wrote, and one of each kind, against the published JSON Schema."""

import glob
import json
import os
import subprocess

from report import equal
from world import objects, read_events

HERE = os.path.dirname(os.path.abspath(__file__))
SCHEMA = os.path.normpath(os.path.join(HERE, "../../schema/cronward-event.v1.schema.json"))

# One event of each kind and one run of each outcome that a run can have without the help of time or a crash.
RUNS = (
    (["-l", "kinds", "--", "sh", "-c", "exit 1"], 1),
    (["-l", "kinds", "--realert", "1ms", "--", "sh", "-c", "exit 1"], 1),
    (["-l", "kinds", "-t", "env:interop", "-t", "bare", "--", "true"], 0),
    (["-l", "outcomes", "--warn-codes", "7", "--", "sh", "-c", "exit 7"], 7),
    (["-l", "outcomes", "--warn-after", "50ms", "--timeout", "100ms", "--", "sleep", "60"], 124),
    # Its alert is opened while it runs, by a reason and not by an end.
    (["-l", "late", "--expect", "..50ms", "--", "sleep", "0.5"], 0),
    (
        [
            "-l",
            "outcomes",
            "--severity",
            "critical",
            "--owner",
            "dba",
            "--runbook",
            "https://example.org/dba",
            "--",
            "no-such-command-at-all",
        ],
        127,
    ),
    (["-l", "outcomes", "--", "sh", "-c", "kill -KILL $$"], -9),
    ([b"-l", b'hostile \xff \x1b[31m \n "label"', b"-t", b"key\xfe:\xff", b"--", b"printf", b"", b"\xff"], 0),
)

# What a schema must refuse if it is to mean something.
FORGERIES = (
    ("no version", lambda event: event.pop("version")),
    ("another version", lambda event: event.update(version=2)),
    ("an unknown kind", lambda event: event.update(kind="run.ended")),
    ("a made-up exit code", lambda event: event.update(exit_code=-1)),
    ("null for what does not apply", lambda event: event.update(signal=None)),
    ("an unknown outcome", lambda event: event.update(outcome="fine")),
    ("a duration in words", lambda event: event.update(duration_ms="12ms")),
    ("no run", lambda event: event.pop("run_id")),
)

# Runs in the virtual environment: events on stdin, one a line; answers each with a line, empty if it is valid.
VALIDATE = """
import json, sys
import jsonschema
schema = json.load(open(sys.argv[1], encoding="utf-8"))
kind = jsonschema.validators.validator_for(schema)
kind.check_schema(schema)
validator = kind(schema, format_checker=kind.FORMAT_CHECKER)
for line in sys.stdin:
    error = jsonschema.exceptions.best_match(validator.iter_errors(json.loads(line)))
    print("" if error is None else f"{error.json_path}: {error.message}".replace("\\n", " "))
"""


def run(world):
    check = world.report.check
    here = world.directory("events_schema")
    events = os.path.join(here, "events.jsonl")
    for arguments, expected in RUNS:
        run = world.cronward("--sink", f"jsonl:{events}", *arguments, state=os.path.join(here, "state"))
        with check(
            f"{' '.join(word if isinstance(word, str) else ascii(word) for word in arguments)} ends with {expected}"
        ):
            equal(run.returncode, expected, f"exit status ({run.stderr})")

    subprocess.run(
        [
            world.python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-cache-dir",
            "--disable-pip-version-check",
            "--root-user-action=ignore",
            "jsonschema[format-nongpl]",
        ],
        check=True,
    )

    def validate(candidates):
        answers = subprocess.run(
            [world.python, "-c", VALIDATE, SCHEMA],
            input="".join(json.dumps(event) + "\n" for event in candidates),
            text=True,
            capture_output=True,
        )
        assert answers.returncode == 0, answers.stderr
        found = answers.stdout.splitlines()
        equal(len(found), len(candidates), "number of answers")
        return found

    files = sorted(
        glob.glob(os.path.join(world.work, "*/events.jsonl")) + glob.glob(os.path.join(world.work, "*/alerts"))
    )
    written = [event for path in files for event in read_events(path)]
    with check("the runs wrote an event of every kind that the schema knows"):
        with open(SCHEMA, encoding="utf-8") as file:
            known = [inner["kind"] for inner in objects(json.load(file)) if isinstance(inner.get("kind"), dict)]
        kinds = {kind["const"] for kind in known if "const" in kind}
        assert "run.finished" in kinds, f"the schema knows only {kinds}"
        equal({event["kind"] for event in read_events(events)}, kinds, "kinds")
    with check(f"all {len(written)} events of {len(files)} files obey the schema"):
        assert written, "there are no events"
        for event, answer in zip(written, validate(written), strict=True):
            assert answer == "", f"{answer}\n  in {json.dumps(event)}"
    with check("no event has a null or a number that was made up, and each has an id of its own in its file"):
        for path in files:
            ids = [event["id"] for event in read_events(path)]
            equal(len(set(ids)), len(ids), f"distinct ids in {path}")
        for event in written:
            assert None not in (
                value for inner in [event, event.get("run", {}), event.get("alert", {})] for value in inner.values()
            ), event
    with check("the schema refuses events that are not ours"):
        sample = next(event for event in written if event["kind"] == "run.finished" and "exit_code" in event)
        forgeries = []
        for _, forge in FORGERIES:
            forgeries.append(json.loads(json.dumps(sample)))
            forge(forgeries[-1])
        accepted = [name for (name, _), answer in zip(FORGERIES, validate(forgeries), strict=True) if answer == ""]
        equal(accepted, [], "forgeries that it accepts")
