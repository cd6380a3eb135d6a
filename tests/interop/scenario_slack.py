"""What a webhook of Slack's is sent, against the published limits of its messages and Slack's own models of them, and
what is made of its answers. There is no Slack here: a server answers as the reference says that it does."""

import json
import os
import re
import subprocess

from http_server import Answer, HttpServer
from report import equal
from world import finished, read_events

HERE = os.path.dirname(os.path.abspath(__file__))
SCHEMA = os.path.join(HERE, "slack_messages.schema.json")

# Slack calls its words HTML.
OK = Answer(kind="text/html")

# What would be a mention, a link, an emoji, or marks, if it were read as that. `evil` is in all of it.
EVIL = (
    "evil <!channel> <@U0EVIL> <#C0EVIL|evil> <https://evil.example|evil> *evil* _evil_ ~evil~ `evil` :evil: @evil "
    "&lt;!here&gt;"
)
HOSTILE = f"{EVIL}\n> {EVIL}\n```{EVIL}\x1b[31m\r\n{EVIL}"
LONG = EVIL * 90
RUNBOOK = "https://wiki.example/pg?a=1&b=2#top"

# Options and command; an alert is opened, repeated or closed by each.
RUNS = {
    "a first failure": (["-l", "plain", "--owner", "dba", "--runbook", RUNBOOK], "echo one; echo two; exit 3"),
    "a repetition": (["-l", "plain", "--realert", "1ms"], "exit 3"),
    "a recovery": (["-l", "plain"], "exit 0"),
    "a signal": (["-l", "signal", "--severity", "critical"], "kill -KILL $$"),
    "a limit": (["-l", "limit", "--severity", "warning", "--timeout", "100ms"], "sleep 60"),
    "retries": (["-l", "retries", "--severity", "info", "--retries", "1", "--retry-delay", "1ms"], "exit 3"),
    "longer than expected": (["-l", "late", "--expect", "..50ms"], "sleep 0.5"),
    "a sensitive job": (["-l", "sensitive", "--sensitive"], "echo evil; exit 3"),
    "hostile words": (
        ["-l", HOSTILE, "-t", f"{HOSTILE}:{HOSTILE}", "--owner", HOSTILE, "--runbook", HOSTILE, "--send-args"],
        "cat hostile; exit 3",
    ),
    "10 kB of each": (
        ["-l", LONG, "-t", f"long:{LONG}", "--owner", LONG, "--runbook", f"https://wiki.example/{LONG}"],
        "cat long; exit 3",
    ),
    "one long line of what is escaped": (["-l", "escaped"], "head -c 9000 /dev/zero | tr '\\0' '<'; exit 3"),
    "nothing but backticks": (["-l", "ticks"], "head -c 9000 /dev/zero | tr '\\0' '`'; exit 3"),
    "characters of four bytes": (["-l", "🦀" * 200, "--owner", "🦀" * 3000], "cat crabs; exit 3"),
    "bytes that are no text": ([b"-l", b"\xff\xfe", b"--owner", b"\xc3"], "printf '\\377\\0'; exit 3"),
    "a runbook that is no link": (["-l", "no-link", "--runbook", "https://wiki.example/|evil>"], "exit 3"),
}

# What a schema must refuse if it is to mean something.
FORGERIES = (
    ("no text", lambda sent: sent.pop("text")),
    ("an unknown field", lambda sent: sent.update(colour="red")),
    ("51 blocks", lambda sent: sent.update(blocks=[sent["blocks"][0]] * 51)),
    ("a header of 151 characters", lambda sent: sent["blocks"][0]["text"].update(text="x" * 151)),
    ("a header with marks", lambda sent: sent["blocks"][0]["text"].update(type="mrkdwn")),
    ("an empty text", lambda sent: sent["blocks"][1]["text"].update(text="")),
    ("a section of 3001 characters", lambda sent: sent["blocks"][1]["text"].update(text="x" * 3001)),
    ("eleven fields", lambda sent: sent["blocks"][2].update(fields=[sent["blocks"][2]["fields"][0]] * 11)),
    ("a field of 2001 characters", lambda sent: sent["blocks"][2]["fields"][0].update(text="x" * 2001)),
    ("marks in plain text", lambda sent: sent["blocks"][0]["text"].update(verbatim=True)),
    ("an unknown block", lambda sent: sent["blocks"][0].update(type="heading")),
    ("a section of nothing", lambda sent: sent["blocks"][2].pop("fields")),
    ("eleven elements", lambda sent: sent["blocks"][-1].update(elements=[sent["blocks"][-1]["elements"][0]] * 11)),
)

# Runs in the virtual environment: messages on stdin, one a line; answers each with what the schema and what Slack's
# models say against it, in a line of JSON.
JUDGE = """
import json, logging, sys
import jsonschema
from slack_sdk.models.blocks import Block
class Raise(logging.Handler):
    def emit(self, record):
        raise ValueError(record.getMessage())
logging.getLogger().addHandler(Raise())
schema = json.load(open(sys.argv[1], encoding="utf-8"))
kind = jsonschema.validators.validator_for(schema)
kind.check_schema(schema)
validator = kind(schema)
def models(sent):
    try:
        again = [Block.parse(block).to_dict() for block in sent["blocks"]]
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "" if again == sent["blocks"] else f"read as {again}"
for line in sys.stdin:
    sent = json.loads(line)
    error = jsonschema.exceptions.best_match(validator.iter_errors(sent))
    print(json.dumps(["" if error is None else f"{error.json_path}: {error.message}"[:300], models(sent)]))
"""

# Status, Slack's word for it, and what cronward says of it, in the order of the reference.
REFUSALS = (
    (400, "invalid_payload", "is it the URL of a webhook for Slack's messages?"),
    (400, "user_not_found", "is it the URL of a webhook for Slack's messages?"),
    (403, "action_prohibited", "is the app still installed, and allowed to post there?"),
    (404, "channel_not_found", "is the webhook still there? make a new one, and name its URL"),
    (404, "no_service", "is the webhook still there? make a new one, and name its URL"),
    (410, "channel_is_archived", "the channel is archived or gone: name the URL of another one's webhook"),
)


def run(world):
    check = world.report.check
    here = world.directory("slack")
    for name, text in (("hostile", HOSTILE), ("long", LONG), ("crabs", "🦀" * 3000)):
        with open(os.path.join(here, name), "w", encoding="utf-8", newline="") as file:
            file.write(text)
    server = world.started(HttpServer(OK))
    events = os.path.join(here, "events.jsonl")

    def ran(url, options, line, **environment):
        """Runs a line whose alerts go to `url`, and returns it."""
        sinks = ["--sink", f"slack:{url}", "--sink", f"jsonl:{events}", "--capture", "64KiB"]
        plain = {"PATH": os.environ["PATH"], "HOME": here, "LC_ALL": "C", "CRONWARD_STATE_DIR": os.path.join(here, "s")}
        arguments = [*sinks, *options, "--", "sh", "-c", line]
        return world.cronward(*arguments, state=here, cwd=here, env=plain | environment)

    sent = {}
    for name, (options, line) in RUNS.items():
        with check(f"{name}: one message, and not a word on stderr"):
            before = len(server.requests)
            complaint = ran(server.url("/services/T0/B0/x"), options, line).stderr
            equal([line for line in complaint.splitlines() if line.startswith(b"cronward:")], [], "stderr")
            [request] = server.requests[before:]
            kind = "application/json; charset=utf-8"
            equal((request.method, request.target), ("POST", "/services/T0/B0/x"), "request")
            equal(request.headers["content-type"], kind, "kind of body")
            sent[name] = request.json()

    install(world)
    messages = list(sent.values())
    with check(f"all {len(messages)} messages are as the reference and Slack's own models want them"):
        equal(len(messages), len(RUNS), "number of messages")
        for name, (schema, models) in zip(sent, judged(world, messages), strict=True):
            assert (schema, models) == ("", ""), f"{name}: {schema} {models}\n  in {json.dumps(sent[name])[:4000]}"
    with check("the schema refuses messages that Slack would"):
        forgeries = [json.loads(json.dumps(sent["a first failure"])) for _ in FORGERIES]
        for (_, forge), forgery in zip(FORGERIES, forgeries, strict=True):
            forge(forgery)
        accepted = [
            name for (name, _), (said, _) in zip(FORGERIES, judged(world, forgeries), strict=True) if said == ""
        ]
        equal(accepted, [], "forgeries that it accepts")
    with check("no text of anybody else's is read as a mention, a link, an emoji or marks"):
        for name, message in sent.items():
            assert_tame(name, message)
    with check("what was written is what is read"):
        owner = row(sent["hostile words"], "Owner")
        shown = re.sub(r"\x1b\[31m|\x1b", "", HOSTILE).replace("\r\n", "\n").replace("\n", " ")
        # A carriage return is no end of a line by itself, and no more of an owner is shown.
        assert len(read(owner)) > 150 and shown.startswith(read(owner).removesuffix("…")[:150]), owner
        equal(row(sent["a first failure"], "Owner"), "dba", "owner")
        equal(row(sent["a first failure"], "Runbook"), "<https://wiki.example/pg?a=1&amp;b=2#top>", "runbook")
        equal(code(sent["a first failure"]), ["one\ntwo"], "output")
        equal(row(sent["a runbook that is no link"], "Runbook"), "https://wiki.example/|evil&gt;", "runbook")
    with check("a message says what happened, how, how often and how bad it is"):
        for name, words in (
            ("a first failure", ("❌ ERROR: plain is failing on ", "exited with 3", "failed, exit code 3")),
            ("a repetition", ("❌ ERROR: plain is still failing on ", "2 in a row")),
            ("a recovery", ("✅ RECOVERED: plain on ", "2 failures, since ")),
            ("a signal", ("🚨 CRITICAL: signal is failing on ", "signaled, SIGKILL")),
            ("a limit", ("⚠️ WARNING: limit is failing on ", "timed_out, SIGTERM", "still running after 100ms")),
            ("retries", ("ℹ️ INFO: retries is failing on ", "after 2 attempts")),
            ("longer than expected", ("❌ ERROR: late is in trouble on ", "*Running since*")),
        ):
            texts = "\n".join(text["text"] for text in text_objects(sent[name]))
            for word in words:
                assert word in texts, f"{name}: no '{word}' in\n{texts}"
    with check("of a sensitive job nothing is told that it has said"):
        assert "evil" not in json.dumps(sent["a sensitive job"]), sent["a sensitive job"]
    with check("an alert and its recovery carry the same id"):
        ids = [
            next(text["text"] for text in text_objects(sent[name]) if text["text"].startswith("alert "))
            for name in ("a first failure", "a repetition", "a recovery")
        ]
        equal(len(set(ids)), 1, f"distinct ids of {ids}")
        opened = [event for event in read_events(events) if event["kind"] == "alert.opened"]
        equal(ids[0], f"alert {opened[0]['alert']['id']}", "id of the event")

    for status, word, advice in REFUSALS:
        with check(f"{status} {word} is said in one line, with what to do, and the alert goes to stderr"):
            refusing = world.started(HttpServer(Answer(status, f"{word}\n".encode(), kind="text/html")))
            label = f"refused-{word}"
            done = ran(refusing.url("/services/SECRET"), ["-l", label], "exit 3")
            equal((done.returncode, done.stderr.count(b"\n")), (3, 1), f"status, lines of {done.stderr}")
            said = f"slack:{refusing.url('/…')}: HTTP {status}: {word}; {advice}"
            equal(finished(events, label)[-1].get("sink_errors"), [said], "errors")
            equal(len(refusing.requests), 2 if status == 400 else 1, "number of requests")
    with check("a receiver that refuses blocks gets the headline, and has taken the alert"):
        picky = world.started(HttpServer(Answer(400, b"invalid_blocks"), OK))
        done = ran(picky.url("/x"), ["-l", "picky"], "exit 3")
        equal((done.returncode, done.stderr), (3, b""), "status and stderr")
        first, second = (request.json() for request in picky.requests)
        equal(("blocks" in first, "blocks" in second), (True, False), "blocks")
        equal(second["text"], first["text"], "text")
    for name, answer, taken in (
        ("Mattermost's", Answer(200, b"ok", kind="text/plain"), True),
        ("Rocket.Chat's", Answer(200, b'{"success":true}', kind="application/json"), True),
        ("Discord's", Answer(204, b""), True),
        ("that of Slack's Web API, which is no webhook", Answer(200, b'{"ok":false,"error":"not_authed"}'), False),
        ("a page to log in", Answer(200, b"<!DOCTYPE html><title>Sign in</title>", kind="text/html"), False),
    ):
        with check(f"an answer such as {name} has {'' if taken else 'not '}taken the alert"):
            other = world.started(HttpServer(answer))
            label = f"answer-{len(world.servers)}"
            done = ran(other.url("/x"), ["-l", label], "exit 3")
            equal((done.returncode, done.stderr.count(b"\n")), (3, 0 if taken else 1), "status and lines on stderr")
            equal(len(finished(events, label)[-1].get("sink_errors", [])), 0 if taken else 1, "number of errors")
    with check("the URL may stand in a file or a variable"):
        path = os.path.join(here, "url")
        with open(path, "w", encoding="utf-8") as file:
            file.write(server.url("/from-file\n"))
        ran(f"file:{path}", ["-l", "by-file"], "exit 3")
        ran("env:SLACK_URL", ["-l", "by-variable"], "exit 3", SLACK_URL=server.url("/from-variable"))
        equal([request.target for request in server.requests[-2:]], ["/from-file", "/from-variable"], "targets")


def install(world):
    pip = [world.python, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check"]
    subprocess.run([*pip, "--root-user-action=ignore", "jsonschema[format-nongpl]", "slack_sdk"], check=True)


def judged(world, messages):
    lines = "".join(json.dumps(message) + "\n" for message in messages)
    answers = subprocess.run([world.python, "-c", JUDGE, SCHEMA], input=lines, text=True, capture_output=True)
    assert answers.returncode == 0, answers.stderr
    return [json.loads(line) for line in answers.stdout.splitlines()]


def text_objects(value):
    """Every text object of a message, in the order in which they are shown."""
    if isinstance(value, dict):
        if value.get("type") in ("plain_text", "mrkdwn"):
            yield value
        else:
            for inner in value.values():
                yield from text_objects(inner)
    if isinstance(value, list):
        for inner in value:
            yield from text_objects(inner)


def read(text):
    """A text as it is read."""
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text.replace("\u2060", "")


def row(message, name):
    """The text of the field beside the one of this name."""
    fields = [field["text"] for block in message["blocks"] for field in block.get("fields", [])]
    return fields[fields.index(f"*{name}*") + 1]


def code(message):
    """What stands in blocks of code."""
    found = [re.fullmatch("```\n(.*)\n```", text["text"], re.DOTALL) for text in text_objects(message)]
    return [match[1] for match in found if match]


# Our own words with marks: a name, a number and what stands beside one, a moment, a link to the runbook.
MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
DATE = rf"{MOMENT}\n<!date\^\d+\^{{date_short_pretty}} {{time_secs}} your time\|{MOMENT}>"
MARKED = re.compile(
    rf"\*[A-Z][a-z ]+\*|{DATE}|<https?://[^<>|\s]+>|none on record|[0-9a-zA-Z .,_]+"
    rf"|It had been failing for \*[0-9a-z. ]+\*, \d+ failures?, since {DATE}"
)


def assert_tame(name, message):
    """Fails if anything in a message may be read as more than text."""
    for text in [{"type": "plain_text", "text": message["text"], "emoji": False}, *text_objects(message)]:
        words = text["text"]
        bare = re.sub("&(amp|lt|gt);", "", words)
        if text["type"] == "plain_text":
            assert text["emoji"] is False and not set(bare) & set("<>&"), f"{name}: {words}"
            assert not re.search(r"(?<![^\W_])@(?!\u2060)", words), f"{name}: {words}"
        elif words.startswith("```"):
            assert code({"blocks": [text]}) and words.count("```") == 2, f"{name}: {words}"
            assert text["verbatim"] is True and not set(bare) & set("<>&"), f"{name}: {words}"
        else:
            assert text["verbatim"] is True and MARKED.fullmatch(words), f"{name}: {words}"
            assert "evil" not in words, f"{name}: {words}"
        assert "\x1b" not in words and "\r" not in words, f"{name}: {words}"
    assert message["mrkdwn"] is False and message["unfurl_links"] is False, name
