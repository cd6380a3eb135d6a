"""cronward as process 1 of a pid namespace, as in a container: what it starts, what it is sent, and whom it reaps."""

import functools
import json
import os
import select
import signal
import subprocess
import time

from process import wait_until
from report import equal
from terminal import has_ended, parent, processes, settled, state, status_field
from terminal_jobs import say, write_jobs
from world import finished

# A new namespace for each run. If the outer process is killed, so is all of it.
UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--"]


class Container:
    """A run under way as process 1, its output coming line by line."""

    def __init__(self, stage, *arguments, label):
        self.unread = b""
        self.process = subprocess.Popen(
            [*UNSHARE, stage.world.binary, "-l", label, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=stage.environment,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # By --kill-child, process 1 and so the whole namespace dies with it.
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def line(self):
        """The next line of output."""
        deadline = time.monotonic() + 10
        while b"\n" not in self.unread:
            assert select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))[0], "no line came"
            came = os.read(self.process.stdout.fileno(), 65536)
            assert came, f"the output ends with {self.unread}"
            self.unread += came
        line, _, self.unread = self.unread.partition(b"\n")
        return line.decode()

    @functools.cached_property
    def init(self):
        """Process 1, by its pid outside."""
        children = [pid for pid in processes() if parent(pid) == self.process.pid]
        inits = [pid for pid in children if (status_field(pid, "NSpid") or [""])[-1] == "1"]
        equal(len(inits), 1, f"processes 1 among {children}")
        return inits[0]

    def members(self):
        """Everything else in the namespace, by pids outside."""
        return [pid for pid in processes() if pid != self.init and _namespace(pid) == _namespace(self.init)]

    def ends(self):
        """The exit status, which `unshare` has from process 1."""
        return self.process.wait(20)


def _namespace(pid):
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None


class Stage:
    def __init__(self, world):
        self.world = world
        self.check = world.report.check
        self.here = world.directory("init")
        self.events = os.path.join(self.here, "events.jsonl")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": self.here,
            "LC_ALL": "C",
            "CRONWARD_STATE_DIR": os.path.join(self.here, "state"),
            "CRONWARD_SINK": f"jsonl:{self.events}",
            # An alert that no sink takes is said on stderr.
            "CRONWARD_ALERT_AFTER": "100",
        }
        self.expected = {}
        self.fifo = os.path.join(self.here, "fifo")
        os.mkfifo(self.fifo)
        write_jobs(self.here)

    def container(self, *arguments, label):
        return Container(self, *arguments, label=label)

    def outcome(self, label, outcome, **fields):
        """The one run of a label has that outcome and those fields."""
        self.expected[label] = outcome
        runs = finished(self.events, label)
        equal(len(runs), 1, f"runs of {label}")
        equal(runs[0]["outcome"], outcome, "outcome")
        equal({name: runs[0].get(name) for name in fields}, fields, "fields of the event")


def run(world):
    stage = Stage(world)
    statuses(stage)
    forwarded(stage)
    orphans(stage)
    time_limit(stage)
    without_proc(stage)
    on_record(stage)


def statuses(stage):
    for code in (0, 1, 42, 255):
        with stage.check(f"the exit code {code} comes through"):
            label = f"code-{code}"
            with stage.container("--", "sh", "-c", f"echo as $$ below $PPID; exit {code}", label=label) as container:
                equal(container.line(), "as 2 below 1", "pids")
                equal(container.ends(), code, "status")
            stage.outcome(label, "ok" if code == 0 else "failed", exit_code=code)
    for name in ("TERM", "KILL", "SEGV", "INT", "PIPE"):
        number = getattr(signal, f"SIG{name}")
        with stage.check(f"a job that dies of {name} ends process 1 with {128 + number}"):
            label = f"dies-{name}"
            with stage.container("--", "sh", "-c", f"ulimit -c 0; kill -{name} $$", label=label) as container:
                equal(container.ends(), 128 + number, "status")
            stage.outcome(label, "signaled", signal=f"SIG{name}")
    with stage.check("a command that is not there ends process 1 with 127"):
        with stage.container("--", "no-such-command-at-all", label="missing") as container:
            assert "no-such-command-at-all" in container.line()
            equal(container.ends(), 127, "status")
        stage.outcome("missing", "not_started")


def forwarded(stage):
    for name in ("TERM", "INT", "HUP", "USR1"):
        number = getattr(signal, f"SIG{name}")
        with stage.check(f"{name} that is sent from outside to process 1 reaches the job, once"):
            label = f"caught-{name}"
            command = [os.path.join(stage.here, "observe"), stage.fifo, f"SIG{name}"]
            with stage.container("--", *command, label=label) as container:
                equal(container.line(), "observing as 2 below 1", "first line")
                os.kill(container.init, number)
                equal(container.line(), f"caught SIG{name} as number 1", "line")
                wait_until("process 1 is asleep again", lambda: settled(container.init), 10)
                say(stage.fifo, "counts\n")
                equal(container.line(), f"counted SIG{name}=1 in all", "line")
                say(stage.fifo, "end 41\n")
                equal(container.ends(), 41, "status")
            asked = name in ("TERM", "INT", "HUP")
            outcome = "stopped" if asked else "failed"
            stage.outcome(label, outcome, forwarded_signal=f"SIG{name}", exit_code=41)
    with stage.check("a job that dies of a TERM from outside was stopped, with the status 143"):
        with stage.container("--", "sh", "-c", "echo ready; exec sleep 60", label="terminated") as container:
            equal(container.line(), "ready", "first line")
            os.kill(container.init, signal.SIGTERM)
            equal(container.ends(), 128 + signal.SIGTERM, "status")
        stage.outcome("terminated", "stopped", signal="SIGTERM", forwarded_signal="SIGTERM")
    with stage.check("STOP and CONT of process 1 leave the job alone, and its end is not missed meanwhile"):
        script = f"echo ready; read word <{stage.fifo}; exit 6"
        with stage.container("--", "sh", "-c", script, label="frozen") as container:
            equal(container.line(), "ready", "first line")
            (job,) = container.members()
            init = container.init
            os.kill(init, signal.SIGSTOP)
            wait_until("process 1 is stopped", lambda: state(init) == "T", 10)
            say(stage.fifo, "go\n")
            wait_until("the job ends", lambda: has_ended(job), 10)
            os.kill(init, signal.SIGCONT)
            equal(container.ends(), 6, "status")
        stage.outcome("frozen", "failed", exit_code=6)


# Thirty orphans that end when they like.
ORPHANS = """
for number in 1 2 3 4 5 6 7 8 9 10; do
    sh -c '(exec true) & (exec true) & (exec true) &'
done
echo orphaned
read word <{fifo}
echo "processes: $(ps -e -o stat=,comm= | tr -s ' \\n' ' :')"
"""


def orphans(stage):
    with stage.check("orphans that end before the job are reaped while it runs: none is left as a zombie"):
        with stage.container("--", "sh", "-c", ORPHANS.format(fifo=stage.fifo), label="orphans") as container:
            equal(container.line(), "orphaned", "first line")
            wait_until("only the job is left", lambda: len(container.members()) == 1, 10)
            say(stage.fifo, "look\n")
            shown = container.line().removeprefix("processes: ").strip(":").split(":")
            equal([line.split()[0][0] for line in shown if line.split()[0][0] == "Z"], [], f"zombies among {shown}")
            # Process 1, the job, the shell in it for the pipe, ps and tr.
            assert 2 <= len(shown) <= 5, shown
            equal(container.ends(), 0, "status")
        stage.outcome("orphans", "ok")
    with stage.check("a daemon that the job leaves behind does not hold cronward, and ends with the namespace"):
        script = "setsid sleep 60 >/dev/null 2>&1 & echo $!; exit 4"
        with stage.container("--", "sh", "-c", script, label="daemon") as container:
            container.line()
            # `sleep` ends the container by itself only after a minute.
            equal(container.process.wait(10), 4, "status")
        left = [pid for pid in processes() if _is_orphan_of(pid, stage)]
        equal(left, [], "processes that are left")
        stage.outcome("daemon", "failed", exit_code=4)


def _is_orphan_of(pid, stage):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return f"CRONWARD_STATE_DIR={stage.environment['CRONWARD_STATE_DIR']}".encode() in file.read().split(b"\0")
    except OSError:
        return False


# Descendants of every sort, each of which says that it is there: in the group, in another session, orphaned.
EVERYWHERE = """
trap '{trap}' TERM
sh -c 'trap "{trap}" TERM; echo child; while :; do sleep 60; done' &
setsid sh -c 'trap "{trap}" TERM; echo session; while :; do sleep 60; done' &
sh -c 'setsid sh -c "trap \\"{trap}\\" TERM; echo orphan; while :; do sleep 60; done" &'
while :; do sleep 60; done
"""


def time_limit(stage):
    for trap, sentence in (
        ("exit 0", "--timeout reaches everything that the job has started, the status is 124"),
        ("", "what ignores TERM gets KILL after --kill-after, the status is 124"),
    ):
        with stage.check(sentence):
            label = "ignores" if trap == "" else "limit"
            options = ["--timeout", "1500ms", "--kill-after", "300ms" if trap == "" else "30s"]
            with stage.container(*options, "--", "sh", "-c", EVERYWHERE.format(trap=trap), label=label) as container:
                equal({container.line() for _ in range(3)}, {"child", "session", "orphan"}, "what was started")
                # With what they sleep by, and the job itself.
                members = wait_until("all sleep", lambda: len(container.members()) == 8 and container.members(), 10)
                equal(container.ends(), 124, "status")
                equal([pid for pid in members if not has_ended(pid)], [], "processes that are left")
            stage.outcome(label, "timed_out", timed_out=True)
            duration = finished(stage.events, label)[0]["duration_ms"]
            assert 1500 <= duration < 10_000, f"{duration} ms"


# cronward is process 2 of the namespace and the others have the numbers that follow, as on the host have kthreadd and
# its children.
BESIDE = """
"$@" & run=$!
sleep 61 & other=$!
wait $run
[ $? -eq 124 ] && kill $other && exit 9
"""


def without_proc(stage):
    """As in a chroot, and in a namespace that sees the /proc of another one."""
    script = 'umount --lazy /proc; exec "$@"'
    for sentence, prefix in (
        ("--timeout reaches the job where there is no /proc", ["unshare", "--mount", "sh", "-c", script, "sh"]),
        ("--timeout reaches the job of process 1 where /proc is that of the host", ["unshare", "--pid", "--fork", "--kill-child"]),
        (
            "--timeout reaches the job, and nobody else, where /proc is that of the host",
            ["unshare", "--pid", "--fork", "--kill-child", "sh", "-c", BESIDE, "sh"],
        ),
    ):
        with stage.check(sentence):
            label = f"proc-{len(stage.expected)}"
            words = ["-l", label, "--timeout", "300ms", "--kill-after", "300ms", "--", "sleep", "60"]
            ran = subprocess.run(
                [*prefix, stage.world.binary, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=stage.environment,
                timeout=20,
            )
            equal(ran.returncode, 9 if BESIDE in prefix else 124, f"status ({ran.stderr})")
            stage.outcome(label, "timed_out")


def on_record(stage):
    with stage.check("the journal has every run with its outcome, and none that is still under way"):
        ran = stage.world.cronward("status", "--json", state=stage.environment["CRONWARD_STATE_DIR"])
        equal((ran.returncode, ran.stderr), (0, b""), "status and stderr")
        jobs = json.loads(ran.stdout)
        equal({job["label"]: job["outcome"] for job in jobs}, stage.expected, "outcomes")
        equal([job["label"] for job in jobs if job.get("running")], [], "jobs that run")
