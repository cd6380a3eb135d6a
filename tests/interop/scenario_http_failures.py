"""Every kind of sink that speaks HTTP against everything that a receiver can do to it: the job starts when it would
start, ends as it ends, and is held up no longer than the flush deadline; an alert that nobody took is one line on
stderr; the error is one that the manual has, and gives nothing away; and once all is well, the job's next run delivers
what is owed, once."""

import concurrent.futures
import contextlib
import dataclasses
import itertools
import os
import re
import subprocess
import time

from http_failures_table import BUSY, CASES, KINDS, OTHER_KINDS, SECRET, Grounds
from http_server import DENIES, IS_SILENT, KNOWS, Resolver
from report import equal
from world import finished

HERE = os.path.dirname(os.path.abspath(__file__))
MANUAL = os.path.normpath(os.path.join(HERE, "../../man/cronward.1"))
SECTION = "WHAT GOES WRONG OVER HTTP"

# The jobs, by their exit status: each leaves a mark as the first thing that it does.
STATUSES = (3, 0)
# In seconds, for a busy machine: how much later than by itself a job may leave its mark, and how much longer than the
# flush deadline the whole may take. What is late once may have met a busy moment; what is always late is late.
START_MARGIN, END_MARGIN = 0.3, 0.3
TRIES = 3
# Runs wait more than they work.
WORKERS = 6
# Nobody else's addresses, as port 53 is the only one that a resolver is asked at.
RESOLVERS = {KNOWS: "127.66.0.1", DENIES: "127.66.0.2", IS_SILENT: "127.66.0.3"}
NAMESPACE = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


def run(world):
    check = world.report.check
    here = world.directory("http_failures")
    kinds = chosen_kinds()
    with check("the table has every kind of sink that speaks HTTP, and no other"):
        known = kinds_of_binary(world)
        equal(set(known) - OTHER_KINDS, {kind.name for kind in kinds}, "kinds")
    resolvers = [world.started(Resolver(address, manner)) for manner, address in RESOLVERS.items()]
    for address in RESOLVERS.values():
        with open(os.path.join(here, address), "w", encoding="utf-8") as file:
            file.write(f"nameserver {address}\n")
    matrix = Matrix(world, here, Grounds(here))
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as workers:
        jobs = list(itertools.product(kinds, CASES, STATUSES))
        outcomes = list(workers.map(lambda job: matrix.outcome(*job), jobs))
    late, longer = max(outcome.late for outcome in outcomes), max(outcome.longer for outcome in outcomes)
    print(f"        {len(outcomes)} runs; latest start {late:+.2f} s, latest end {longer:+.2f} s from the deadline")
    for kind, case in itertools.product(kinds, CASES):
        with check(f"{kind.name}, a receiver that {case.name}"):
            complaints = [
                f"exit {outcome.status}: {complaint}"
                for outcome in outcomes
                if (outcome.kind, outcome.case) == (kind, case)
                for complaint in outcome.complaints
            ]
            assert not complaints, "\n".join(complaints)
    with check("every resolver was asked"):
        equal([resolver.address for resolver in resolvers if not resolver.asked], [], "resolvers that nobody asked")


def chosen_kinds():
    """All of the table; while some are being built, those that INTEROP_HTTP_KINDS names."""
    names = os.environ.get("INTEROP_HTTP_KINDS", "").split()
    return [kind for kind in KINDS if not names or kind.name in names]


def kinds_of_binary(world):
    said = world.cronward("--sink", "none-such:", "--", "true", state=world.work).stderr.decode()
    return re.search(r"\(kinds are ([a-z, ]+)\)", said)[1].split(", ")


def manual_errors():
    """The words of the manual's list, as patterns: what stands in quotes, or is a number, is an example."""
    with open(MANUAL, encoding="utf-8") as file:
        section = file.read().partition(f".Sh {SECTION}\n")[2].partition("\n.Sh ")[0]
    heads = re.findall(r"^\.It Ql (.+)$", section, re.MULTILINE)
    assert len(heads) > 5, f"the manual has no list of errors in {SECTION}"
    return [re.compile(re.sub(r"\d+", r"\\d+", re.sub(r"'[^']*'", "'[^']*'", re.escape(head)))) for head in heads]


@dataclasses.dataclass
class Outcome:
    """What became of one run. `home` has its state and its events, also for the runs that may come after it."""

    kind: object
    case: object
    status: int
    setting: object
    home: str
    ended: subprocess.CompletedProcess
    late: float
    longer: float
    complaints: list = dataclasses.field(default_factory=list)

    @property
    def tells(self):
        """Whether this run has anything to say to this kind."""
        return self.status != 0 or self.kind.tells_ends

    @property
    def expected(self):
        """The words of the error, any of these; none if it is taken."""
        words = [self.case.says_of(self.kind)] if self.case.says_of(self.kind) else list(self.case.says)
        # A start that hangs is still being told when the run is over.
        return [*words, BUSY] if words and self.kind.tells_starts else words

    @property
    def events(self):
        return os.path.join(self.home, "events.jsonl")

    @property
    def label(self):
        return self.kind.name

    @property
    def owed(self):
        """Where it is on record that the job owes something."""
        return os.path.join(self.home, "state/owed", self.label)

    @property
    def has_alert(self):
        """Whether there is an alert that this kind takes."""
        return self.status != 0 and self.kind.confirms

    @property
    def is_taken(self):
        """Whether somebody has taken charge of the alert, if there is one."""
        return self.kind.confirms and not self.expected


class Matrix:
    """Runs the jobs, and looks at what became of them."""

    def __init__(self, world, here, grounds):
        self.world = world
        self.here = here
        self.grounds = grounds
        self.errors = manual_errors()
        self.numbers = itertools.count()
        # Each looks at an outcome, and raises if it is not as it should be.
        self.checks = (
            ends_as_the_job,
            starts_in_time,
            ends_in_time,
            says_one_line,
            self.says_why,
            gives_nothing_away,
            after,
            is_owed,
            self.is_delivered_later,
        )

    def outcome(self, kind, case, status):
        for attempt in range(TRIES):
            setting = case.setting(kind, self.grounds)
            with setting.standing():
                outcome = self.ran(kind, case, status, setting)
                if (outcome.late < START_MARGIN and outcome.longer < END_MARGIN) or attempt + 1 == TRIES:
                    for look in self.checks:
                        try:
                            look(outcome)
                        except Exception as error:
                            outcome.complaints.append(f"{type(error).__name__}: {error}; {outcome.ended.stderr}")
                    return outcome

    def ran(self, kind, case, status, setting):
        home = os.path.join(self.here, str(next(self.numbers)))
        os.mkdir(home)
        outcome = Outcome(kind, case, status, setting, home, None, 0, 0)
        bare_start, bare_time, _ = self.timed(outcome, [], setting, status)
        start, whole, outcome.ended = self.timed(outcome, self.wrapper(outcome, setting), setting, status)
        outcome.late = start - bare_start
        outcome.longer = whole - bare_time - setting.deadline
        return outcome

    def wrapper(self, outcome, setting):
        kind = outcome.kind
        sinks = ["--sink", f"{kind.name}:{kind.target(setting.origin())}", "--sink", f"jsonl:{outcome.events}"]
        return [self.world.binary, "-l", outcome.label, *sinks, "--flush-deadline", f"{setting.deadline}s", "--"]

    def timed(self, outcome, wrapper, setting, status):
        """Runs a job in this wrapper: after how long it left its mark and how long all took, in seconds, and how it
        ended."""
        mark = os.path.join(outcome.home, "mark")
        argv = [*wrapper, "sh", "-c", f": >{mark}; exit {status}"]
        if setting.resolver:
            resolver = os.path.join(self.here, RESOLVERS[setting.resolver])
            argv = ["unshare", "--mount", "sh", "-c", NAMESPACE, resolver, *argv]
        environment = {"PATH": os.environ["PATH"], "HOME": outcome.home, "LC_ALL": "C"}
        environment["CRONWARD_STATE_DIR"] = os.path.join(outcome.home, "state")
        environment |= setting.environment | dict(outcome.kind.environment)
        with contextlib.suppress(FileNotFoundError):
            os.remove(mark)
        began, clock = time.time(), time.monotonic()
        ended = subprocess.run(
            argv, capture_output=True, stdin=subprocess.DEVNULL, env=environment, cwd=outcome.home, timeout=120
        )
        return os.stat(mark).st_mtime - began, time.monotonic() - clock, ended

    def says_why(self, outcome):
        errors = finished(outcome.events, outcome.label)[-1].get("sink_errors", [])
        if not outcome.expected or not outcome.tells:
            equal(errors, [], "errors")
            return
        equal([error.partition(":")[0] for error in errors], [outcome.kind.name] * len(errors), "sinks of the errors")
        words = [re.sub(r"(?<=localhost:)\d+", "PORT", word) for error in errors for word in outcome.kind.words(error)]
        assert words, f"no words in {errors}"
        unexpected = [word for word in words if word not in outcome.expected]
        equal(unexpected, [], f"words of {errors} that are none of {outcome.expected}")
        unknown = [word for word in words if not any(error.fullmatch(word) for error in self.errors)]
        # What one kind says of its own answers stands with that kind.
        equal([word for word in unknown if word != outcome.kind.of_endless], [], "words that the manual has not")

    def is_delivered_later(self, outcome):
        """The next run of the job ends well, and has a recovery to tell; the one after that has nothing."""
        if not outcome.has_alert:
            return
        setting = outcome.setting.mended(outcome.kind, self.grounds)
        with setting.standing():
            for _ in range(2):
                *_, ended = self.timed(outcome, self.wrapper(outcome, setting), setting, 0)
                equal((ended.returncode, ended.stderr), (0, b""), "status and stderr of a next run")
            told = [alert for request in setting.receiver.requests for alert in outcome.kind.alerts(request)]
        kinds = ["alert.closed"] if outcome.is_taken else ["alert.opened", "alert.closed"]
        equal([kind for kind, _ in told], kinds, "what was told later")
        equal(len({key for _, key in told}), 1, f"distinct keys of {told}")
        assert not os.path.exists(outcome.owed), "it is still owed"


def ends_as_the_job(outcome):
    equal((outcome.ended.returncode, outcome.ended.stdout), (outcome.status, b""), "status and stdout")


def starts_in_time(outcome):
    assert outcome.late < START_MARGIN, f"the job began {outcome.late:.2f} s later than by itself"


def ends_in_time(outcome):
    assert outcome.longer < END_MARGIN, f"it took {outcome.longer:.2f} s more than the deadline"


def says_one_line(outcome):
    lines = outcome.ended.stderr.decode().splitlines()
    if outcome.status == 0 or outcome.is_taken:
        equal(lines, [], "lines on stderr")
    else:
        equal(len(lines), 1, "lines on stderr")
        assert re.fullmatch(rf"cronward: {outcome.label} is failing on \S+: 1 failure: exited with 3", lines[0]), lines


def gives_nothing_away(outcome):
    """Neither in what was said nor in what was written."""
    written = {"stderr": outcome.ended.stderr, "stdout": outcome.ended.stdout}
    for directory, _, names in os.walk(outcome.home):
        for path in (os.path.join(directory, name) for name in names):
            with open(path, "rb") as file:
                written[path] = file.read()
    assert any("state" in path for path in written), f"no state among {list(written)}"
    equal([path for path, text in written.items() if SECRET.encode() in text], [], "places with the secret")


def is_owed(outcome):
    equal(os.path.exists(outcome.owed), outcome.has_alert and not outcome.is_taken, "whether an alert is owed")


def after(outcome):
    # A run that says nothing leaves the receiver as it was.
    complaint = outcome.case.after(outcome.setting) if outcome.tells else None
    assert complaint is None, complaint
