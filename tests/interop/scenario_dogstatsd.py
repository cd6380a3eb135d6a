"""What the sink sends beside what Datadog's own client in Python sends for the same metrics, events and service
checks, byte for byte, by every kind of socket; and who finds which container."""

import json
import os
import re
import subprocess
from datetime import datetime

from datagram_receivers import Receiver
from report import equal
from world import read_events

CLIENT = "datadog==0.56.0"

# Runs in the virtual environment: {"connect": {…}, "calls": [[method, arguments], …]} as JSON on stdin.
SEND = """
import json, sys
from datadog.dogstatsd.base import DogStatsd
asked = json.load(sys.stdin)
client = DogStatsd(disable_telemetry=True, disable_buffering=True, disable_aggregation=True, **asked["connect"])
for method, arguments in asked["calls"]:
    getattr(client, method)(**arguments)
client.close_socket()
"""

# The same: prints what the client takes for its container.
FIND = "from datadog.dogstatsd.base import DogStatsd; print(DogStatsd(disable_telemetry=True)._container_id or '')"

ID = "3726184226f5d3147c25fdeab5b60097e378e8a720503a5e19ecfdf29f869860"
SURROUNDINGS = {
    "DATADOG_TAGS": "rack:7,zone:a",
    "DD_ENTITY_ID": "75a2b6d5-3949-4afb-ad0d-92ff0674e759",
    "DD_ENV": "prod",
    "DD_SERVICE": "billing",
    "DD_VERSION": "1.2.3",
    "DD_EXTERNAL_ENV": "it-false,cn-app,pu-75a2b6d5-3949-4afb-ad0d-92ff0674e759",
    "DD_CARDINALITY": "orchestrator",
}

# Inside a pid namespace and a mount namespace: the process is to seem to be in this cgroup, and to have these mounts.
SHOW = """
set -e
mount --bind "$1" "/proc/$$/cgroup"
[ -z "$2" ] || mount --bind "$2" "$3"
shift 3
exec "$@"
"""


def run(world):
    check = world.report.check
    here = world.directory("dogstatsd")
    pip = [world.python, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check"]
    subprocess.run([*pip, CLIENT], check=True)
    events = os.path.join(here, "events.jsonl")
    state = os.path.join(here, "state")

    def environment(variables):
        return {"PATH": os.environ["PATH"], "HOME": here, "LC_ALL": "C.UTF-8", "CRONWARD_STATE_DIR": state} | variables

    def told(receiver, label, line, variables, *options):
        """Runs a line; what came of it, and its events."""
        seen = len(read_events(events))
        words = ("-l", label, "--sink", f"dogstatsd:{receiver.sink}", "--sink", f"jsonl:{events}", *options)
        world.cronward(*words, "-c", line, state=state, env=environment(variables))
        happened = [event for event in read_events(events)[seen:] if event["kind"] != "run.started"]
        return receiver.take(how_many(happened)), happened

    def by_client(receiver, calls, variables, **connect):
        connect |= {"host": "127.0.0.1", "port": receiver.port} if hasattr(receiver, "port") else {"socket_path": receiver.url}
        asked = json.dumps({"connect": connect, "calls": calls})
        subprocess.run([world.python, "-c", SEND], input=asked, text=True, check=True, env=environment(variables))
        return receiver.take(len(calls))

    tags = ["env2:prod", "größe:klein", "url:http/x:1", "canary"]
    options = [word for tag in tags for word in ("-t", tag)]
    report = "echo rows=1000 >>$CRONWARD_RUN_REPORT; echo drift=-2.5 >>$CRONWARD_RUN_REPORT; "
    off = {"DD_ORIGIN_DETECTION_ENABLED": "false"}
    for kind in ("udp", "unixgram", "unixstream"):
        receiver = world.started(Receiver(kind, here))
        with check(f"{kind}: a failure, the alert and the recovery are what the client writes, byte for byte"):
            for line in (f"{report}exit 3", "exit 0"):
                lines, happened = told(receiver, f"pg-{kind}", line, off, *options)
                calls = calls_for(happened, tags, lines)
                equal(lines, by_client(receiver, calls, off), "lines")
        with check(f"{kind}: tags and fields that the environment adds are where the client has them"):
            lines, happened = told(receiver, f"in-cluster-{kind}", "exit 3", SURROUNDINGS, *options)
            calls = calls_for(happened, tags, lines)
            # The client has its cardinality from whoever makes it, and container ids are looked at below.
            connect = {"cardinality": "orchestrator", "origin_detection_enabled": False}
            expected = by_client(receiver, calls, SURROUNDINGS, **connect)
            equal([without_external(line) for line in lines], [without_external(line) for line in expected], "lines")
            for line, of_client in zip(lines, expected, strict=True):
                # The client in Python has external data in metrics alone, that in Go everywhere.
                if not line.startswith("_"):
                    equal(line, of_client, "metric")
                assert line.endswith(f"|e:{SURROUNDINGS['DD_EXTERNAL_ENV']}|card:orchestrator"), line
        with check(f"{kind}: the id of a container is where the client has it"):
            lines, happened = told_inside(world, here, state, events, receiver, f"0::/docker/{ID}\n")
            expected = by_client(receiver, calls_for(happened, [], lines), off, container_id=f"ci-{ID}")
            equal(lines, expected, "lines")

    check_containers(world, here, state, events)


def without_external(line):
    return re.sub(r"\|e:[^|]*", "", line)


def seconds(event):
    return int(datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp())


def plain(number):
    """As the client would be given it: a whole number without a fraction."""
    return int(number) if float(number).is_integer() else number


def how_many(happened):
    """Lines that come of these events: eight metrics of a run that has failed, and of a success the time of it."""
    ended = next(event for event in happened if event["kind"] == "run.finished")
    return 8 + (ended["outcome"] == "ok") + len(ended.get("custom", {})) + len(happened)


def calls_for(happened, tags, lines):
    """What the client is to be asked for, by the events of a run. Only the texts for people are taken from the lines."""
    calls = []
    ended = next(event for event in happened if event["kind"] == "run.finished")
    task = [f"task:{ended['label']}"]
    of_run = [*task, f"outcome:{ended['outcome']}"]

    def call(method, name, value, tags):
        calls.append([method, {"metric": f"cronward.{name}", "value": plain(value), "tags": tags}])

    call("distribution", "run.duration", ended["duration_ms"], of_run + tags)
    call("gauge", "run.exit_code", ended["exit_code"], of_run + tags)
    call("increment", "run.count", 1, [*of_run, f"exit_code:{ended['exit_code']}", *tags])
    usage = ended["usage"]
    call("distribution", "run.cpu_user", usage["user_ms"], of_run + tags)
    call("distribution", "run.cpu_system", usage["system_ms"], of_run + tags)
    call("gauge", "run.max_rss", usage["max_rss_bytes"], of_run + tags)
    call("gauge", "job.consecutive_failures", ended["consecutive_failures"], task + tags)
    if ended["outcome"] == "ok":
        call("gauge", "job.last_success", seconds({"time": ended["ended_at"]}), task + tags)
    call("gauge", "job.alert_open", int("alert" in ended), task + tags)
    for name, value in ended.get("custom", {}).items():
        call("gauge", f"run.custom.{name}", value, of_run + tags)
    for event in happened:
        said = {"hostname": event["host"], "tags": task + tags}
        if event["kind"] == "run.finished":
            text = next(line for line in lines if line.startswith("_sc|")).split("|m:", 1)[1]
            message = re.sub(r"\|(c|e|card):.*", "", text).replace("m\\:", "m:").replace("\\n", "\n")
            status = 2 if "alert" in event else 0
            said |= {"check_name": "cronward.job", "status": status, "timestamp": seconds(event), "message": message}
            calls.append(["service_check", said])
        else:
            title, text = texts(next(line for line in lines if line.startswith("_e{")))
            good = event["kind"] == "alert.closed"
            said |= {"title": title, "message": text, "date_happened": seconds(event), "priority": "normal"}
            said |= {"aggregation_key": event["alert"]["key"], "source_type_name": "cronward"}
            calls.append(["event", said | {"alert_type": "success" if good else "error"}])
    return calls


def texts(event):
    """Title and text of an event, by their lengths."""
    title, text, rest = re.fullmatch(r"_e\{(\d+),(\d+)\}:(.*)", event, re.S).groups()
    rest = rest.encode()
    end = int(title) + 1 + int(text)
    whole = rest[: int(title)], rest[int(title) + 1 : end]
    return tuple(part.decode().replace("\\n", "\n") for part in whole)


def inside(words, cgroup, mount=("", ""), cgroups=False):
    """A command in a pid namespace, where it is shown to be in a cgroup."""
    namespaces = ["--pid", "--mount", "--fork", "--mount-proc", *(["--cgroup"] if cgroups else [])]
    return ["unshare", *namespaces, "sh", "-c", SHOW, "sh", cgroup, *mount, *words]


def told_inside(world, here, state, events, receiver, cgroup, mount=("", ""), cgroups=False):
    """Runs a failing command in what looks like a container; what came of it, and its events."""
    path = os.path.join(here, "cgroup")
    with open(path, "w", encoding="ascii") as file:
        file.write(cgroup)
    seen = len(read_events(events))
    label = f"inside-{len(receiver.messages)}-{seen}"
    words = [world.binary, "-l", label, "--sink", f"dogstatsd:{receiver.sink}", "--sink", f"jsonl:{events}"]
    command = inside([*words, "--", "sh", "-c", "exit 3"], path, mount, cgroups)
    plain_environment = {"PATH": os.environ["PATH"], "HOME": here, "CRONWARD_STATE_DIR": state}
    ran = subprocess.run(command, capture_output=True, env=plain_environment, stdin=subprocess.DEVNULL, timeout=60)
    assert ran.returncode == 3, ran
    happened = [event for event in read_events(events)[seen:] if event["kind"] != "run.started"]
    return receiver.take(how_many(happened)), happened


def check_containers(world, here, state, events):
    """Containers as they are told by the cgroup, by the mounts and by the inode; and a host, which is none."""
    check = world.report.check
    receiver = world.started(Receiver("udp", here))

    def found(cgroup, mount=("", ""), cgroups=False):
        lines, _ = told_inside(world, here, state, events, receiver, cgroup, mount, cgroups)
        ids = {re.search(r"\|c:([^|]*)", line)[1] if "|c:" in line else None for line in lines}
        assert len(ids) == 1, f"not in every line, or not the same: {lines}"
        return ids.pop()

    def by_client(mount=("", ""), cgroups=False):
        command = inside([world.python, "-c", FIND], os.path.join(here, "cgroup"), mount, cgroups)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() or None

    on_host = os.readlink("/proc/self/ns/cgroup") == "cgroup:[4026531835]"
    for line, expected in (
        (f"12:memory:/docker/{ID}\n0::/\n", f"ci-{ID}"),
        (f"0::/kubepods.slice/cri-containerd-{ID}.scope\n", f"ci-{ID}"),
        (f"1:name=systemd:/ecs/x/{ID[:32]}-123456\n", f"ci-{ID[:32]}-123456"),
        ("0::/system.slice/cron.service\n", None),
    ):
        with check(f"a process in the cgroup '{line.strip()[:40]}…' is found to be in {str(expected)[:12]}, as by the client"):
            id_found = found(line)
            # In cgroups that are hidden, the client goes by the inode alone, and so does cronward without an id.
            if on_host or expected:
                equal(id_found, expected, "container")
            if on_host:
                equal(by_client(), expected, "container of the client")

    with check("where cgroups are hidden, the mounts of the runtime tell the container"):
        place = os.path.join(here, "containers", ID)
        os.makedirs(place)
        with open(f"{place}/hostname", "w", encoding="ascii") as file:
            file.write("db1\n")
        equal(found("0::/\n", (f"{place}/hostname", "/etc/hostname"), cgroups=True), f"ci-{ID}", "container")

    with check("where nothing tells its id, the inode of its cgroup stands for the container, as by the client"):
        cgroups = os.path.join(here, "cgroups")
        os.makedirs(f"{cgroups}/memory")
        mount = (cgroups, "/sys/fs/cgroup")
        for line, directory in (("0::/\n", cgroups), ("5:memory:/\n0::/\n", f"{cgroups}/memory")):
            expected = f"in-{os.stat(directory).st_ino}"
            equal(found(line, mount, cgroups=True), expected, "container")
            equal(by_client(mount, cgroups=True), expected, "container of the client")

    with check("on a host no container is looked for: the one call is for the namespace of process ids"):
        if os.readlink("/proc/self/ns/pid") == "pid:[4026531836]":
            log = os.path.join(here, "strace")
            words = [world.binary, "-l", "traced", "--sink", f"dogstatsd:{receiver.sink}", "--", "true"]
            subprocess.run(["strace", "-f", "-o", log, *words], check=True, env={"CRONWARD_STATE_DIR": state, "PATH": os.environ["PATH"]})
            with open(log, encoding="utf-8", errors="replace") as file:
                calls = [line for line in file if "/proc/self/" in line]
            equal([re.search(r"(readlink\w*)\(", call)[1][:8] for call in calls if "/ns/" in call], ["readlink"], "calls")
            assert not [call for call in calls if "cgroup" in call or "mountinfo" in call], calls
        else:
            # The harness is in a container itself, which is then found from where it is.
            world.cronward("-l", "here", "--sink", f"dogstatsd:{receiver.sink}", "--", "true", state=state)
            assert receiver.take(9)
