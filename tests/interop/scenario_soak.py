"""Ten thousand runs of one label, several at a time, with signals at random instants, KILL to cronward included:
afterwards each is accounted for exactly once, and nothing is left behind but the state."""

import collections
import json
import os
import random
import signal
import subprocess
import threading
import time

from process import wait_until
from report import equal

RUNS, WORKERS = 10_000, 8
LABEL = "soak"
# No more runs are begun after so many seconds; what has begun by then is what is looked at.
LONGEST = 75
# A run in which nothing happens takes a few milliseconds; signals are sent within these, in seconds.
INSTANTS = 0.012
# Names this harness' processes, among all of the host.
MARKER = "CRONWARD_INTEROP_SOAK"

# Says that it ran, and reports if it ends with 7; one in three stays for a while, in which it can be stopped and
# killed. What it writes ends it by SIGPIPE where that passes through a cronward that has been killed.
JOB = (
    '[ $2 != 7 ] || echo n=1 >"$CRONWARD_RUN_REPORT"; echo "$CRONWARD_RUN_ID $CRONWARD_RUN_ATTEMPT" >>{here}/ran; '
    'echo $$ >{here}/pid.$0; echo out; echo err >&2; [ "$3" = 0 ] || head -c "$3" /dev/zero; '
    '[ "$1" = 0 ] || sleep "$1"; exit "$2"'
)
LOG_FILES = 20
# More than is held in memory.
MUCH = str(1_200_000)
OPTIONS_OF_LOGS = ("--log-dir", "logs", "--log-keep", str(LOG_FILES))
OPTIONS_OF_RETRIES = ("--retries", "1", "--retry-delay", "1ms")
OPTIONS = (
    ((), 10),
    (("--lock",), 3),
    (("--lock", "--lock-wait", "20ms"), 1),
    (("--timeout", "5ms", "--kill-after", "5ms"), 2),
    (("--own-group",), 1),
    (("--capture", "1KiB"), 2),
    (("--quiet",), 2),
    (OPTIONS_OF_LOGS, 2),
    (OPTIONS_OF_RETRIES, 2),
    ((*OPTIONS_OF_RETRIES, *OPTIONS_OF_LOGS, "--quiet", "--capture", "8B"), 1),
)
# What comes: to cronward, to the job, or nothing.
SIGNALS = (
    (None, 12),
    ((signal.SIGTERM, "cronward"), 2),
    ((signal.SIGINT, "cronward"), 1),
    ((signal.SIGHUP, "cronward"), 1),
    ((signal.SIGUSR1, "cronward"), 1),
    ((signal.SIGSTOP, "cronward"), 1),
    ((signal.SIGKILL, "cronward"), 4),
    ((signal.SIGKILL, "job"), 1),
    ((signal.SIGTERM, "job"), 1),
)
# All that may be in the job's directory in the end.
FILES = {"lock", "plan.json", "runs.jsonl"}


def run(world):
    seed = int(os.environ.get("INTEROP_SEED") or time.time_ns())
    print(f"        INTEROP_SEED={seed}", flush=True)
    soak = Soak(world, seed)
    with Generations(soak.directory) as generations:
        soak.go()
        with world.report.check("a last run records all that died"):
            soak.close_accounts()
        with world.report.check("reports that came too late go, a day later, with the next run that is found dead"):
            soak.find_reports_a_day_later()
        look(world, soak, list(generations.lines()), len(generations.files))


class Soak:
    """The runs and those who send signals to them."""

    def __init__(self, world, seed):
        self.world = world
        self.seed = seed
        self.here = world.directory("soak")
        self.state = os.path.join(self.here, "state")
        self.directory = os.path.join(self.state, "jobs", LABEL)
        self.temporary = os.path.join(self.here, "tmp")
        os.makedirs(self.temporary)
        self.strangers = nameless()
        self.environment = {
            **{"PATH": os.environ["PATH"], "HOME": self.here, "LC_ALL": "C", "TMPDIR": self.temporary},
            **{"CRONWARD_STATE_DIR": self.state, MARKER: str(os.getpid())},
        }
        self.begun = 0
        self.ends = collections.Counter()
        self.lock = threading.Lock()

    def argv(self, options, number, stay="0", status="0", much="0"):
        command = ["/bin/sh", "-c", JOB.format(here=self.here), str(number), stay, status, much]
        return [self.world.binary, "-l", LABEL, "--alert-after", "100", "--sink", "none", *options, "--", *command]

    def start(self, *arguments):
        return subprocess.Popen(
            self.argv(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self.environment,
            cwd=self.here,
        )

    def go(self):
        began = time.monotonic()
        workers = [threading.Thread(target=self.work, args=(number, began)) for number in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        took = time.monotonic() - began
        print(f"        {self.begun} runs in {took:.1f} s, ended {dict(sorted(self.ends.items()))}", flush=True)

    def work(self, number, began):
        """One run after the other. Each worker's draws are its own, so that they do not hang on who is first."""
        draws = random.Random(f"{self.seed} {number}")
        for _ in range(RUNS // WORKERS):
            if time.monotonic() - began > LONGEST:
                return
            options = pick(draws, OPTIONS)
            stay = draws.choice(("0", "0", "0.005"))
            status = str(draws.choice((0, 0, 0, 1, 7, 124)))
            what, instant = pick(draws, SIGNALS), draws.uniform(0, INSTANTS)
            much = draws.choice(("0", "0", MUCH)) if "--quiet" in options else "0"
            process = self.start(options, number, stay, status, much)
            if what is not None:
                time.sleep(instant)
                self.send(process, number, *what)
            status = process.wait(60)
            with self.lock:
                self.begun += 1
                self.ends[status] += 1

    def send(self, process, number, which, to):
        """Sends a signal to a run of this worker, or to its job if that has begun."""
        if to == "cronward":
            process.send_signal(which)
            if which == signal.SIGSTOP:
                time.sleep(0.002)
                process.send_signal(signal.SIGCONT)
            return
        try:
            with open(os.path.join(self.here, f"pid.{number}"), encoding="ascii") as file:
                pid = int(file.read())
            # It may be that of the run before: only a process of this harness is sent anything.
            if self.is_ours(pid) and parent(pid) == process.pid:
                os.kill(pid, which)
        except (OSError, ValueError):
            pass

    def is_ours(self, pid):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                return f"{MARKER}={os.getpid()}".encode() in file.read().split(b"\0")
        except OSError:
            return False

    def left(self):
        """Processes of this harness that live."""
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and self.is_ours(int(name))]

    def close_accounts(self):
        """Orphans end by themselves; then runs find all that have died. One run asks after a few of them at most."""
        wait_until("no process is left", lambda: not self.left(), 30)

        def closed():
            equal(self.start((), WORKERS).wait(60), 0, "status")
            self.begun += 1
            return not last_fold(os.path.join(self.directory, "runs.jsonl")).get("under_way")

        wait_until("all accounts are closed", closed, 60)

    def reports(self):
        return [name for name in os.listdir(self.directory) if name.startswith("report-")]

    def find_reports_a_day_later(self):
        """Reports of jobs whose cronward was killed, and which were found dead before they wrote them."""
        late = self.reports()
        print(f"        {len(late)} reports came too late", flush=True)
        for name in late:
            long_ago = time.time() - 2 * 24 * 60 * 60
            os.utime(os.path.join(self.directory, name), (long_ago, long_ago))
        pid_file = os.path.join(self.here, f"pid.{WORKERS}")
        os.remove(pid_file)
        process = self.start((), WORKERS, "0.05")
        wait_until("the job runs", lambda: os.path.exists(pid_file), 30)
        process.kill()
        process.wait()
        self.begun += 1
        self.close_accounts()
        equal(self.reports(), [], "reports")


def nameless():
    """Files that cronward makes where it cannot make one without a name."""
    return {
        os.path.join(place, name)
        for place in ("/tmp", "/var/tmp")
        for name in os.listdir(place)
        if name.startswith(".cronward-")
    }


def once(log):
    """Whether that is the output of a job, or the beginning of it; of both attempts, if there were two."""
    whole = [b"out\nerr\n" + bytes(int(much)) for much in ("0", MUCH)]
    return any((first + second).startswith(log) for first in whole for second in whole)


def pick(draws, weighted):
    return draws.choices([value for value, _ in weighted], [weight for _, weight in weighted])[0]


def parent(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def records(text):
    """The lines of a journal that can be read: one that was cut short by a death is passed over."""
    for line in text.split("\n"):
        try:
            yield json.loads(line)
        except ValueError:
            pass


def last_fold(path):
    with open(path, encoding="utf-8", errors="replace") as journal:
        return [record["fold"] for record in records(journal.read()) if "fold" in record][-1]


class Generations:
    """Every file that was the journal for a while, kept open: a compaction puts a new one in its place."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "runs.jsonl")
        self.files = {}
        self.over = threading.Event()
        self.sampler = threading.Thread(target=self.sample)

    def __enter__(self):
        self.sampler.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.over.set()
        if self.sampler.is_alive():
            self.sampler.join()

    def sample(self):
        # A generation lasts for hundreds of runs.
        while not self.over.wait(0.01):
            self.take()

    def take(self):
        try:
            file = open(self.path, "rb")
        except FileNotFoundError:
            return
        found = os.fstat(file.fileno())
        # None of them is closed, so no number of an inode comes twice.
        if self.files.setdefault(found.st_ino, file) is not file:
            file.close()

    def lines(self):
        self.stop()
        self.take()
        for file in self.files.values():
            file.seek(0)
            yield from records(file.read().decode(errors="replace"))


def look(world, soak, lines, generations):
    check = world.report.check
    started, ended, forms = set(), {}, collections.defaultdict(set)
    for record in lines:
        if start := record.get("start"):
            started.add(start["run"])
        # `lost` are runs that were found dead by the one that `end` is of.
        for end in [*record.get("lost", []), *([record["end"]] if "end" in record else [])]:
            ended[end["run"]] = end["outcome"]
            forms[end["run"]].add((end["outcome"], end.get("ended_at")))
    outcomes = collections.Counter(ended.values())
    print(f"        {len(started)} starts, {len(ended)} ends: {dict(outcomes)}", flush=True)

    with check("the journal was compacted meanwhile"):
        assert generations > 1, "one journal was enough"
    with check("every run that was started has one end on record, and no run has two"):
        equal(sorted(started - ended.keys()), [], "started and never ended")
        equal([run for run, found in forms.items() if len(found) > 1], [], "ended twice")
    with check("every job that ran is on record, once, and none ran twice"):
        with open(os.path.join(soak.here, "ran"), encoding="ascii") as file:
            attempts = collections.Counter(file.read().splitlines())
        equal([attempt for attempt, times in attempts.items() if times > 1], [], "ran twice")
        equal(sorted({attempt.split()[0] for attempt in attempts} - started), [], "ran and were not on record")
        assert any(attempt.endswith(" 2") for attempt in attempts), "none was run again"
    with check("the totals count every run once, and `status` can be read"):
        totals = last_fold(os.path.join(soak.directory, "runs.jsonl"))["totals"]
        equal(totals, dict(outcomes), "totals")
        equal(sum(totals.values()), len(ended), "runs")
        answer = json.loads(world.cronward("status", "--json", LABEL, state=soak.state).stdout)
        assert LABEL in json.dumps(answer), f"status: {answer}"
    with check("the soak reached what it is for: many runs, deaths in the middle, skips, limits and a compaction"):
        assert soak.begun > RUNS / 4, f"only {soak.begun} runs"
        for outcome in ("ok", "failed", "interrupted", "skipped", "stopped", "timed_out", "signaled"):
            assert outcomes[outcome] > 0, f"no run was {outcome}: {dict(outcomes)}"
    with check("no process, no lock and no file is left but the state"):
        equal(soak.left(), [], "processes")
        equal(soak.start(("--lock", "--lock-exit", "99"), WORKERS).wait(60), 0, "status of a run with --lock")
        equal(set(os.listdir(soak.directory)), FILES, "files")
        equal(os.listdir(soak.temporary), [], "files in TMPDIR")
        equal(sorted(nameless() - soak.strangers), [], "files in /tmp, /var/tmp")
    with check("of the logs so many are left as are to be kept, each the beginning of an output"):
        logs = os.path.join(soak.here, "logs", LABEL)
        assert len(os.listdir(logs)) >= LOG_FILES, f"too few for this to show anything: {os.listdir(logs)}"
        equal(soak.start(OPTIONS_OF_LOGS, WORKERS).wait(60), 0, "status of a run with --log-dir")
        equal(len(os.listdir(logs)), LOG_FILES, "files")
        for name in os.listdir(logs):
            with open(os.path.join(logs, name), "rb") as file:
                assert once(file.read()), f"'{name}' does not hold what one or two attempts wrote, or the beginning of it"
