"""The backup scripts of the examples with the real restic, borg, rsync and pg_dump, run as their heads say: a good
night, the warning that each has a code of its own for, a failure, which is one alert, and the recovery by the next good
night. What a warning left out is all that is missing from the copy."""

import fcntl
import glob
import os
import re
import shutil
import signal
import subprocess

from process import wait_until
from report import equal
from scenario_examples import EXAMPLES, example
from scenario_pg_dump import Postgres
from unpacked import Unpacked
from world import finished, read_events

PACKAGES = ("restic", "borgbackup", "rsync")
# The jobs' user, who cannot read everything.
NOBODY = {"user": "nobody", "group": "nogroup", "extra_groups": []}
IDS = 65534, 65534


class Nights:
    """A script, its source, and where it writes; all belongs to nobody."""

    def __init__(self, world, name, environment):
        self.world, self.name = world, name
        self.here = world.directory(f"backup_tools/{name}")
        self.source, self.target = os.path.join(self.here, "source"), os.path.join(self.here, "target")
        for path in (self.here, self.source, self.target):
            os.makedirs(path, exist_ok=True)
            os.chown(path, *IDS)
        for file, text in (("kept", "what is kept"), ("zz", "what comes last")):
            self.write(file, text)
        self.events = os.path.join(self.here, "events.jsonl")
        self.environment = environment | {
            "HOME": self.here,
            "CRONWARD_STATE_DIR": os.path.join(self.here, "state"),
            "CRONWARD_SINK": f"'exec:cat >>{self.here}/alerts' jsonl:{self.events}",
        }

    def write(self, file, text, mode=0o644):
        path = os.path.join(self.source, file)
        with open(path, "w", encoding="utf-8") as written:
            written.write(text)
        os.chown(path, *((0, 0) if mode == 0o600 else IDS))
        os.chmod(path, mode)
        return path

    def tool(self, *words):
        """The program itself, as the user of the job."""
        ran = subprocess.run(words, capture_output=True, text=True, env=self.environment, **NOBODY)
        equal(ran.returncode, 0, f"status of {words}: {ran.stderr}")
        return ran.stdout

    def line(self, **changes):
        """The line in the head of the script, for the shell, with its directories replaced."""
        [line] = re.findall(r"^#\s+(?:To be run as: )?cronward (.*)$", example(f"{self.name}-backup.sh"), re.M)
        options, words = line.split(" -- ")
        return f"cronward {options} -- {words.split()[0]} {changes.get('words', self.words)}"

    def start(self, **changes):
        command = ["/bin/sh", "-c", f"exec {self.line(**changes)}"]
        environment = self.environment | changes.get("environment", {})
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env=environment, cwd=self.here, text=True, **pipes, **NOBODY)

    def night(self, status, outcome, **changes):
        """One run; returns what it said on stderr."""
        with self.start(**changes) as job:
            return self.ended(job, status, outcome)

    def ended(self, job, status, outcome):
        _, said = job.communicate(timeout=120)
        equal(job.returncode, status, f"status ({said})")
        run = finished(self.events, self.label)[-1]
        equal((run["outcome"], run.get("exit_code")), (outcome, status), f"outcome ({said})")
        return said

    def told(self):
        """Kinds of alerts so far."""
        return [event["kind"] for event in read_events(os.path.join(self.here, "alerts"))]

    @property
    def label(self):
        return re.search(r" -l (\S+)", self.line())[1]


def run(world):
    check = world.report.check
    # Where nobody can come, whoever may see the source.
    os.chmod(world.directory("backup_tools"), 0o755)
    programs = world.directory("backup_tools/bin")
    for path in (world.binary, *glob.glob(f"{EXAMPLES}/*-backup.sh")):
        shutil.copy(path, programs)
    tools = Unpacked(world.directory("backup_tools/tools"), PACKAGES)
    python = ":".join(glob.glob(f"{tools.root}/usr/lib/python3/dist-packages"))
    path = f"{programs}:{tools.root}/usr/bin:{os.environ['PATH']}"
    environment = {**tools.environment, "PATH": path, "PYTHONPATH": python}
    check_restic(check, Nights(world, "restic", environment))
    check_borg(check, Nights(world, "borg", environment))
    check_rsync(check, Nights(world, "rsync", environment))
    check_pg_dump(world, Nights(world, "pg", environment))


def secret_in_file(nights, name, text):
    path = os.path.join(nights.here, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chown(path, *IDS)
    os.chmod(path, 0o400)
    return path


def check_restic(check, nights):
    nights.words = nights.source
    repository = os.path.join(nights.target, "repository")
    nights.environment["RESTIC_REPOSITORY_FILE"] = secret_in_file(nights, "restic.repository", repository)
    nights.environment["RESTIC_PASSWORD_FILE"] = secret_in_file(nights, "restic.password", "correct horse")
    nights.tool("restic", "init", "--quiet")
    kept = f"{nights.source}/kept"
    with check("restic: a good night is ok and silent, and what it has kept is what was there"):
        equal(nights.night(0, "ok"), "", "stderr")
        equal(nights.tool("restic", "dump", "latest", kept), "what is kept", "restored")
    with check("restic: a file that it cannot read is its 3, a warning, and the snapshot has the others"):
        hidden = nights.write("hidden", "secret", 0o600)
        nights.write("kept", "changed")
        assert "hidden" in nights.night(3, "warning"), "it says which"
        equal(nights.tool("restic", "dump", "latest", kept), "changed", "restored")
        equal(nights.told(), [], "alerts")
        os.remove(hidden)
    with check("restic: a wrong password is a failure, and one alert"):
        wrong = {"RESTIC_PASSWORD_FILE": secret_in_file(nights, "wrong", "incorrect horse")}
        with nights.start(environment=wrong) as job:
            job.communicate(timeout=120)
        run = finished(nights.events, nights.label)[-1]
        # 12 since restic 0.17.
        assert (job.returncode, run["outcome"]) in ((1, "failed"), (12, "failed")), run
        equal(nights.told(), ["alert.opened"], "alerts")
    with check("restic: the next good night ends the alert, and the old snapshot of the same day is gone"):
        nights.night(0, "ok")
        equal(nights.told(), ["alert.opened", "alert.closed"], "alerts")
        equal(nights.tool("restic", "snapshots", "--json").count('"short_id"'), 1, "snapshots")


def check_borg(check, nights):
    nights.words = nights.source
    nights.environment["BORG_REPO"] = os.path.join(nights.target, "repository")
    nights.environment["BORG_PASSCOMMAND"] = f"cat {secret_in_file(nights, 'borg.passphrase', 'correct horse')}"
    nights.tool("borg", "init", "--encryption", "repokey")

    def restored(file):
        archive = nights.tool("borg", "list", "--last", "1", "--format", "{archive}")
        return nights.tool("borg", "extract", "--stdout", f"::{archive}", f"{nights.source}/{file}".lstrip("/"))

    with check("borg: a good night is ok and silent, and what it has kept is what was there"):
        equal(nights.night(0, "ok"), "", "stderr")
        equal(restored("kept"), "what is kept", "restored")
    with check("borg: a file that it cannot read is its 1, a warning, and the archive has the others"):
        hidden = nights.write("hidden", "secret", 0o600)
        nights.write("kept", "changed")
        assert "hidden" in nights.night(1, "warning"), "it says which"
        equal(restored("kept"), "changed", "restored")
        equal(nights.told(), [], "alerts")
        os.remove(hidden)
    with check("borg: a repository that is not there is a failure, and one alert"):
        nights.night(2, "failed", environment={"BORG_REPO": os.path.join(nights.target, "missing")})
        equal(nights.told(), ["alert.opened"], "alerts")
    with check("borg: the next good night ends the alert, and of three of one day the one between is gone"):
        before = nights.tool("borg", "list", "--short").split()
        nights.night(0, "ok")
        equal(nights.told(), ["alert.opened", "alert.closed"], "alerts")
        # It keeps the very first one until there are as many as it may keep.
        after = nights.tool("borg", "list", "--short").split()
        equal((len(before), len(after), before[0] in after, before[1] in after), (2, 2, True, False), "archives")


def check_rsync(check, nights):
    nights.words = f"{nights.source} {nights.target}"
    latest = os.path.join(nights.target, "latest")

    def copied():
        names = sorted(os.listdir(f"{latest}/"))
        return {name: open(os.path.join(latest, name), encoding="utf-8").read() for name in names}

    with check("rsync: a good night is ok and silent, and the copy is what was there"):
        equal(nights.night(0, "ok"), "", "stderr")
        equal(copied(), {"kept": "what is kept", "zz": "what comes last"}, "copy")
    with check("rsync: a file that vanishes under its hands is its 24, ok, and the others are copied"):
        first = nights.write("first", "a file that is held")
        nights.write("zz", "what has changed, and is to be copied")
        with lease(first) as asked_for, nights.start() as job:
            # It has the list of files by now, and waits to open the first of them that is new.
            wait_until("rsync opens the file", asked_for, 60, job)
            os.remove(os.path.join(nights.source, "zz"))
            asked_for.release()
            assert "zz" in nights.ended(job, 24, "ok"), "it says which"
        assert copied()["first"] == "a file that is held", copied()
    with check("rsync: a file that it cannot read is its 23, a warning, and the others are copied"):
        hidden = nights.write("hidden", "secret", 0o600)
        nights.write("kept", "changed again")
        assert "hidden" in nights.night(23, "warning"), "it says which"
        equal(copied(), {"first": "a file that is held", "kept": "changed again"}, "copy")
        equal(nights.told(), [], "alerts")
        os.remove(hidden)
    with check("rsync: a place that it cannot write to is a failure and one alert, and the last copy stays"):
        os.chmod(nights.target, 0o500)
        nights.night(11, "failed")
        os.chmod(nights.target, 0o700)
        equal(nights.told(), ["alert.opened"], "alerts")
        assert copied()["kept"] == "changed again", copied()
    with check("rsync: the next good night ends the alert, and what has not changed is a link"):
        nights.write("kept", "and again")
        before = os.stat(os.path.join(latest, "first")).st_ino
        nights.night(0, "ok")
        equal(nights.told(), ["alert.opened", "alert.closed"], "alerts")
        equal(os.stat(os.path.join(latest, "first")).st_ino, before, "inode")
        equal(copied()["kept"], "and again", "copy")


class lease:
    """Whoever opens the file waits, and the kernel says so: no race with a program that is to be disturbed."""

    def __init__(self, path):
        self.asked = []
        self.before = signal.signal(signal.SIGIO, lambda *_: self.asked.append(True))
        self.descriptor = os.open(path, os.O_RDWR)
        fcntl.fcntl(self.descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)

    def __enter__(self):
        return self

    def __call__(self):
        return bool(self.asked)

    def release(self):
        fcntl.fcntl(self.descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)

    def __exit__(self, *_):
        os.close(self.descriptor)
        signal.signal(signal.SIGIO, self.before)


def check_pg_dump(world, nights):
    check = world.report.check
    postgres = world.started(Postgres(os.path.join(nights.here, "postgres")))
    os.chmod(postgres.socket_directory, 0o755)
    postgres.psql("postgres", "CREATE ROLE nobody LOGIN SUPERUSER")
    postgres.psql("postgres", "CREATE DATABASE app")
    postgres.psql("app", "CREATE TABLE ledger AS SELECT n AS id FROM generate_series(1, 1000) n")
    nights.environment |= {"PGHOST": postgres.socket_directory, "PGUSER": "nobody"}
    nights.environment["PATH"] = f"{postgres.programs}:{nights.environment['PATH']}"
    nights.words = f"app {nights.target}"
    dumps = lambda: [name for name in os.listdir(nights.target) if name.endswith(".dump")]
    with check("pg_dump: a good night is ok and silent, and its dump is whole"):
        equal(nights.night(0, "ok"), "", "stderr")
        [dump] = dumps()
        listed = nights.tool("pg_restore", "--list", os.path.join(nights.target, dump))
        assert "TABLE DATA public ledger" in listed, listed
    with check("pg_dump: a database that is not there is a failure and one alert, and leaves no dump"):
        assert "no-such" in nights.night(1, "failed", words=f"no-such {nights.target}"), "it says which"
        equal((dumps(), nights.told()), ([dump], ["alert.opened"]), "dumps and alerts")
    with check("pg_dump: the next good night ends the alert"):
        nights.night(0, "ok")
        equal(nights.told(), ["alert.opened", "alert.closed"], "alerts")
    postgres.stop()
