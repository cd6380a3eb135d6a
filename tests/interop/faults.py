"""One run of cronward under strace(1) with one of its system calls failing, and what must be true of it all the same.

strace counts the calls of each thread and process for itself, so "the third openat" is the third of the main thread, or
with `-f` the third of everybody. Everybody is the main thread, the child until it executes the command and helper
threads, but never the command: strace lets go of a process when it executes something (`--detach-on=execve`)."""

import collections
import contextlib
import dataclasses
import fcntl
import os
import re
import shutil
import signal
import struct
import subprocess
import threading
import time

from process import wait_until

# `--flush-deadline` of every run, in seconds; what asking again for a process takes at most; what a busy machine adds.
FLUSH_DEADLINE, PATIENCE, SLACK = 2, 1, 3
# Nothing takes so long, in seconds: then the run is given up.
HUNG = 12

# What cronward itself may end with when the command was not run, and says so.
NOT_RUN = (125, 126, 127)
# And because of its lock, in silence.
SKIPPED = 75

# A call that begins on a line of strace's; with `-f` the thread stands first.
CALL = re.compile(r"(?:(\d+) +)?(\w+)\((.*)")

# The byte of the lock file that stands for the overlap lock, and a struct flock of 64-bit Linux for it (fcntl(2)).
OVERLAP = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 1, 1, 0)


@dataclasses.dataclass(frozen=True)
class Fault:
    """A call that fails: the `when`-th of the main thread, or of all if `followed`; `1+`: all from the first on."""

    call: str
    errno: str
    when: str
    followed: bool = False

    def __str__(self):
        return f"{self.call} #{self.when} {self.errno}{' (also in children and threads)' if self.followed else ''}"

    @property
    def options(self):
        follow = ["-f"] if self.followed else []
        # Failing it is the one reason to go on after it.
        follow += ["--detach-on=execve"] if self.followed and self.call != "execve" else []
        inject = f"inject={self.call}:error={self.errno}:when={self.when}"
        return [*follow, "-e", f"trace={self.call}", "-e", inject]


@dataclasses.dataclass
class Ran:
    """What came of a run."""

    status: int
    stdout: bytes
    stderr: bytes
    took: float
    times: int
    log: str

    @property
    def own_words(self):
        return [line for line in self.stderr.splitlines(keepends=True) if line.startswith(b"cronward: ")]

    @property
    def job_stderr(self):
        return b"".join(line for line in self.stderr.splitlines(keepends=True) if not line.startswith(b"cronward: "))

    @property
    def outcome(self):
        """All that the job and its caller see."""
        return self.status, self.times, self.stdout, self.job_stderr

    def __str__(self):
        times = "not run" if not self.times else f"run {self.times} times" if self.times > 1 else "run once"
        streams = f"stdout {shown(self.stdout)}, stderr {shown(self.stderr)}"
        return f"status {self.status}, {times}, {self.took:.2f} s, {streams}"


def shown(output):
    """What a stream held; of a lot of one byte, how much."""
    pressed = re.sub(rb"(.)\1{99,}", lambda match: b"%b*%d " % (match[1], len(match[0])), output, flags=re.DOTALL)
    return repr(pressed)


class Ground:
    """A directory of its own for one run, with a copy of the state that the runs of its feature begin with."""

    def __init__(self, path, template=None):
        self.path = path
        self.state = os.path.join(path, "state")
        os.makedirs(path)
        if template is not None and os.path.exists(template.state):
            shutil.copytree(template.state, self.state)

    def path_of(self, name):
        return os.path.join(self.path, name)

    def execute(self, argv, environment, tracing=None, streams="files"):
        """Runs to the end, under strace with these options if there are any. `streams`: what stdout and stderr are;
        "files", of which each is one; "pipe", a pipe in place of the first; "one", one open file."""
        traced = [] if tracing is None else ["strace", "-qq", "-o", self.path_of("trace"), *tracing]
        before, began = self.times(), time.monotonic()
        with self.opened(streams) as (stdout, stderr):
            process = subprocess.Popen(
                [*traced, *argv],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=self.path,
                env=environment,
                start_new_session=True,
            )
            try:
                status = process.wait(HUNG)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                status = process.wait()
        took = time.monotonic() - began
        log = self.read("trace").decode(errors="replace") if traced else ""
        stdout, stderr = self.read("stdout"), self.read("stderr")
        if streams == "one":
            words = re.compile(rb"^cronward: [^\n]*\n", re.MULTILINE)
            stdout, stderr = words.sub(b"", stdout), b"".join(words.findall(stdout))
        return Ran(status, stdout, stderr, took, self.times() - before, log)

    @contextlib.contextmanager
    def opened(self, streams):
        """What a run has as its stdout and stderr; behind the block, what came is in files of these names."""
        with open(self.path_of("stdout"), "wb") as stdout, open(self.path_of("stderr"), "wb") as stderr:
            if streams == "files":
                yield stdout, stderr
            elif streams == "one":
                yield stdout, stdout
            else:
                theirs = os.pipe()
                reader = threading.Thread(target=copy, args=(theirs[0], stdout), daemon=True)
                reader.start()
                try:
                    yield theirs[1], stderr
                finally:
                    os.close(theirs[1])
                    # A process that was left behind may hold it for longer; then that is what came.
                    reader.join(PATIENCE)

    def read(self, name):
        if not os.path.exists(self.path_of(name)):
            return b""
        with open(self.path_of(name), "rb") as file:
            return file.read()

    def times(self):
        """How often the command has run here."""
        return self.read("ran").count(b"\n")

    def forget_runs(self):
        """The command has not run here."""
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.path_of("ran"))

    def hold_lock(self, label):
        """Takes the overlap lock as another run would; the descriptor that holds it."""
        lock = os.open(os.path.join(self.state, "jobs", label, "lock"), os.O_RDWR | os.O_CLOEXEC)

        def taken():
            try:
                fcntl.fcntl(lock, fcntl.F_OFD_SETLK, OVERLAP)
            except BlockingIOError:
                return False
            return True

        # A process that another thread has just forked has a copy of its last descriptor until it executes.
        wait_until("the lock is not given back", taken, SLACK)
        return lock

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


def copy(source, to):
    """Copies what comes out of a pipe until nobody has its other end."""
    with open(source, "rb", buffering=0) as pipe:
        while came := pipe.read(65536):
            to.write(came)
            to.flush()


def calls(log):
    """Every call of the main thread, in order, as name and arguments; and those of each other thread and process."""
    main, others = None, collections.defaultdict(list)
    for line in log.splitlines():
        if match := CALL.match(line):
            thread, name, arguments = match.groups()
            main = main or thread
            others[thread].append((name, arguments))
    return others.pop(main, []), list(others.values())


def numbered(sequence, most):
    """Each call with how many of its name came up to it. Of one that is made very often, as for each process in /proc,
    only the first ones, at most so many, and the last."""
    total, count = collections.Counter(name for name, _ in sequence), collections.Counter()
    for name, arguments in sequence:
        count[name] += 1
        if count[name] <= most or count[name] == total[name]:
            yield name, arguments, count[name]


def faults(main, others, errnos_of, most, common=None):
    """All that may fail in a run that made these calls; `most`: see `numbered`. If `common` is given, only these
    errors, or where that leaves none the first, of each call but the first of its name."""

    def errnos(name, arguments, number):
        listed = errnos_of(name, arguments)
        if common is None or number == 1:
            return listed
        return [errno for errno in listed if errno in common] or listed[:1]

    found = {}
    # The first execve is strace's own, which begins the run.
    for name, arguments, number in numbered(main[1:], most):
        for errno in errnos(name, arguments, number):
            found[Fault(name, errno, str(number))] = None
            if number == 1 and errno in LASTING:
                found[Fault(name, errno, "1+")] = None
    for sequence in others:
        for name, arguments, number in numbered(sequence, most):
            for errno in errnos(name, arguments, number):
                found[Fault(name, errno, str(number), followed=True)] = None
    return list(found)


# Conditions that last: a disk that stays full, a table of descriptors that stays full. The others pass.
LASTING = ("ENOSPC", "EIO", "EROFS", "EACCES", "ENOMEM", "EMFILE", "ENOLCK", "ENOBUFS", "ENOSYS")


def complaint(ran, undisturbed, longest, may_skip, shown=None):
    """What is wrong with a disturbed run; `None` if nothing is. `may_skip`: the lock may keep it from running. `shown`:
    the output of one attempt where it is held back undisturbed, and may be shown."""
    if ran.took > longest:
        return f"hung: {ran}"
    if any(b"internal error" in words for words in ran.own_words):
        return f"panicked: {ran}"
    if ran.outcome == undisturbed.outcome:
        return None
    status, times, *streams = undisturbed.outcome
    if shown is not None and (ran.status, ran.times) == (status, times):
        # Each attempt by itself.
        if [ran.stdout, ran.job_stderr] in [[output * count for output in shown] for count in range(1, times + 1)]:
            return None
    if 0 < ran.times < times and ran.status in NOT_RUN and ran.own_words:
        # It could not be started once more: then there is what the attempts before that have written.
        so_far = [output[: len(output) * ran.times // times] for output in streams]
        if [ran.stdout, ran.job_stderr] in (so_far, [output[:0] for output in so_far]):
            return None
    silent = not ran.times and not ran.stdout and not ran.job_stderr
    if silent and (may_skip and ran.status == SKIPPED or ran.status in NOT_RUN and ran.own_words):
        return None
    return f"changed: {ran}"
