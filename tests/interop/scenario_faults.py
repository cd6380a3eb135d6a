"""Every system call that one run makes, failing in turn: the job's output and exit status never change, it never runs
twice, and where it could not be started that is said; nothing hangs beyond the flush deadline; and the next run finds
nothing in its way. At the end the same is done to coreutils' timeout(1), to show that this can find something."""

import concurrent.futures
import contextlib
import fnmatch
import json
import os
import re
import threading
import time

import faults
from fault_receivers import Receivers
from faults import FLUSH_DEADLINE, PATIENCE, SLACK, Ground
from faults_table import COMMON, ERRNOS, EXEMPTIONS, FEATURES, LINE
from report import equal

# More than there are processors: a run waits for disks, for its command and for its limits.
WORKERS = 2 * (os.cpu_count() or 1) + 1
# So many findings of one feature are printed.
SHOWN = 12


def run(world):
    here = world.directory("faults")
    with contextlib.ExitStack() as stack:
        receivers = stack.enter_context(Receivers(here))
        workers = stack.enter_context(concurrent.futures.ThreadPoolExecutor(WORKERS))
        suite = Suite(world, here, receivers, workers)
        for number, feature in enumerate(FEATURES):
            suite.disturb(Subject(suite, feature, os.path.join(here, str(number))))
        suite.conclude()
        compare(world, here, workers)


class Suite:
    """What all features share."""

    def __init__(self, world, here, receivers, workers):
        self.check = world.report.check
        self.binary = world.binary
        self.environment = {"PATH": os.environ["PATH"], "HOME": here, "LC_ALL": "C"}
        self.receivers = receivers
        self.workers = workers
        self.made = 0
        self.used = set()

    def disturb(self, subject):
        began = time.monotonic()
        found, unknown = [], set()
        with self.check(f"{subject.feature.name}: undisturbed it ends as expected"):
            most, common = subject.feature.most, COMMON if subject.feature.brief else None
            planned = faults.faults(*subject.record(), lambda *call: errnos_of(*call, unknown), most, common)
            equal(sorted(unknown), [], "calls that are not in the table of errors; add them")
        with self.check(f"{subject.feature.name}: whichever call fails, nothing changes for the job"):
            made = 0
            for fault, injected, complaint in self.workers.map(subject.disturbed, planned):
                made += injected
                if complaint and not self.excused(subject.feature, fault, complaint):
                    found.append(f"{fault}: {complaint}")
            self.made += made
            print(f"        {made} calls made to fail, {time.monotonic() - began:.1f} s", flush=True)
            more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
            assert not found, "\n".join(found[:SHOWN] + more)
            assert made, "no call was made to fail"
        subject.remove()

    def excused(self, feature, fault, complaint):
        for exemption in EXEMPTIONS:
            if (
                fault.call in exemption.calls
                and fault.errno in exemption.errnos
                and fnmatch.fnmatchcase(feature.name, exemption.features)
                and re.match(exemption.says, complaint)
            ):
                self.used.add(exemption)
                return True
        return False

    def conclude(self):
        print(f"        {self.made} calls made to fail in all", flush=True)
        with self.check("no exemption is listed in vain"):
            unused = [exemption for exemption in EXEMPTIONS if exemption.is_certain and exemption not in self.used]
            equal([exemption.reason for exemption in unused], [], "exemptions")


def errnos_of(name, arguments, unknown):
    """The errors of a call, by its command if it is many in one; a name that the table does not have goes to
    `unknown`."""
    if "O_TMPFILE" in arguments:
        return ERRNOS["open O_TMPFILE"]
    words = [word.partition(")")[0].strip("{} ").removeprefix("l_type=") for word in arguments.split(",")[1:3]]
    for key in (" ".join([name, *words]), " ".join([name, *words[:1]]), name):
        if key in ERRNOS:
            return ERRNOS[key]
    unknown.add(name)
    return ()


class Subject:
    """A feature that is run."""

    def __init__(self, suite, feature, path):
        self.suite = suite
        self.feature = feature
        self.path = path
        self.label = "job"
        self.number = iter(range(1_000_000))
        os.makedirs(path)
        self.template = self.ground()
        self.undisturbed = None

    def ground(self, template=None):
        ground = Ground(os.path.join(self.path, str(next(self.number))), template)
        with open(ground.path_of("config.toml"), "w", encoding="utf-8") as file:
            file.write('[defaults]\nalert-after = "2"\n[job."j*"]\nowner = "dba"\nunknown-key = 1\n')
        return ground

    @property
    def argv(self):
        feature = self.feature
        options = [option.format(**self.suite.receivers.places) for option in feature.options]
        sinks = [] if "--sink" in options else ["--sink", "none"]
        line = f"{feature.line} # {'x' * feature.padding}" if feature.padding else feature.line
        command = ["-c", line] if feature.shell else ["--", "/bin/sh", "-c", line]
        deadline = [] if "--flush-deadline" in options else ["--flush-deadline", f"{FLUSH_DEADLINE}s"]
        return [self.suite.binary, "-l", self.label, *deadline, *sinks, *options, *command]

    @property
    def longest(self):
        return FLUSH_DEADLINE + PATIENCE + SLACK + self.feature.longer

    def execute(self, ground, tracing=None):
        environment = self.suite.environment | {"CRONWARD_STATE_DIR": ground.state}
        with self.held(ground):
            return ground.execute(self.argv, environment, tracing, self.feature.streams)

    @contextlib.contextmanager
    def held(self, ground):
        """Holds the overlap lock for as long as the feature wants it held."""
        if self.feature.held is None or not os.path.exists(ground.state):
            yield
            return
        lock = ground.hold_lock(self.label)
        with contextlib.closing(Release(lock, self.feature.held)):
            yield

    def record(self):
        """Makes the earlier runs, and one that is watched; the calls that this one makes."""
        for _ in range(self.feature.earlier):
            self.execute(self.template)
        journal = os.path.join(self.template.state, "jobs", self.label, "runs.jsonl")
        while self.feature.padding and os.path.getsize(journal) + self.feature.padding <= 1 << 20:
            self.execute(self.template)
        watched = self.ground(self.template)
        self.undisturbed = ran = self.execute(watched, ["-f", "--detach-on=execve"])
        feature = self.feature
        runs = feature.attempts if feature.held != "always" else 0
        equal((ran.status, ran.times), (feature.status, runs), f"status and number of runs ({ran})")
        assert (ran.stdout, ran.job_stderr) == ((feature.out, feature.err) if runs else (b"", b"")), f"output ({ran})"
        equal(self.aftermath(watched, ran), None, "what comes after it")
        watched.remove()
        return faults.calls(ran.log)

    def disturbed(self, fault):
        """One run in which a call fails: the fault, whether it came to it, and what is wrong."""
        ground = self.ground(self.template)
        ran = self.execute(ground, fault.options)
        may_skip = "--lock" in self.feature.options
        complaint = faults.complaint(ran, self.undisturbed, self.longest, may_skip, self.feature.shown)
        complaint = complaint or self.aftermath(ground, ran)
        if not complaint:
            ground.remove()
        return fault, "(INJECTED)" in ran.log, complaint

    def aftermath(self, ground, ran):
        """What is wrong with the next run and with `status`; `None` if nothing is."""
        ground.forget_runs()
        after = self.execute(ground)
        # An alert that was opened because the history could not be read is open still, and shows what is held back.
        if faults.complaint(after, self.undisturbed, faults.HUNG, False, self.feature.shown):
            return f"the next run differs: {after} after {ran}"
        environment = self.suite.environment | {"CRONWARD_STATE_DIR": ground.state}
        status = ground.execute([self.suite.binary, "status", "--json", self.label], environment)
        try:
            jobs = json.loads(status.stdout)
        except ValueError:
            return f"status cannot be read: {status} after {ran}"
        return None if status.status == 0 and not status.stderr and jobs else f"status says: {status} after {ran}"

    def remove(self):
        self.template.remove()


class Release:
    """Gives a lock back after some seconds, or when it is closed."""

    def __init__(self, lock, held):
        self.lock = lock
        self.once = threading.Lock()
        self.timer = threading.Timer(held, self.close) if held != "always" else None
        if self.timer:
            self.timer.start()

    def close(self):
        if self.timer:
            self.timer.cancel()
        if self.once.acquire(blocking=False):
            os.close(self.lock)


def compare(world, here, workers):
    """timeout(1) of coreutils, by the same measure."""
    argv = ["timeout", "60", "/bin/sh", "-c", LINE]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    path = os.path.join(here, "timeout")
    grounds = (Ground(os.path.join(path, str(number))) for number in range(1_000_000))
    undisturbed = next(grounds).execute(argv, environment, ["-f", "--detach-on=execve"])

    def changes(ground, fault):
        ran = ground.execute(argv, environment, fault.options)
        ground.remove()
        return "(INJECTED)" in ran.log and ran.outcome != undisturbed.outcome

    with world.report.check("the same failures do change what becomes of a job under coreutils' timeout"):
        planned = faults.faults(*faults.calls(undisturbed.log), lambda *call: errnos_of(*call, set()), 20)
        changed = sum(workers.map(changes, grounds, planned))
        print(f"        timeout: {changed} of {len(planned)} calls that fail change the outcome", flush=True)
        assert changed > 0, "this suite finds nothing"
