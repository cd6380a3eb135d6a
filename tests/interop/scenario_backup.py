"""The story of a nightly backup with a real pg_dump: five good nights; a disk that fills while the script exits 0; a
crontab line that is lost; a host that is cut off in the middle. Each is told once, with a reason that a person can act
on, and is over once it is mended.

A night passes by ageing what is on record: every time in the state directory is moved back by as much."""

import contextlib
import glob
import json
import os
import re
import signal
import subprocess
import time

from process import wait_until
from report import equal
from scenario_pg_dump import Postgres, hold_table, waiting_dumps
from world import read_events

ROWS = 5_000
LABEL = "nightly-backup"
# Room for three dumps and a half.
DISK = 2 * 1024 * 1024

# The usual backup script: whatever becomes of the dump, the script itself ends well.
SCRIPT = """#!/bin/sh
{pg_dump} app > {disk}/app-$(date +%s%N).dump 2>{here}/pg_dump.log
ls -t {disk}/app-*.dump | tail -n +3 | xargs -r rm -f
exit 0
"""


def schedule_and_night():
    """A schedule on which a run was due a while ago, and how long a night is on it, in seconds. After the start of a
    host a run is waited for as long as it may be late, so on one that was just started the nights are shorter."""
    with open("/proc/uptime", encoding="ascii") as file:
        uptime = float(file.read().split()[0])
    if uptime > 16 * 60:
        due = time.localtime(time.time() - 2 * 3600)
        return f"{due.tm_min} {due.tm_hour} * * *", 24 * 3600
    if uptime > 8 * 60:
        return f"{time.localtime(time.time() - 20 * 60).tm_min} * * * *", 2 * 3600
    return "* * * * *", 10 * 60


class Backup:
    """The job, its disk, and those who are told."""

    def __init__(self, world, postgres, disk):
        self.world = world
        self.here = world.directory("backup")
        self.disk = disk
        self.state = os.path.join(self.here, "state")
        self.alerts = os.path.join(self.here, "alerts.jsonl")
        self.events = os.path.join(self.here, "events.jsonl")
        self.schedule, self.night = schedule_and_night()
        self.script = os.path.join(self.here, "nightly.sh")
        with open(self.script, "w", encoding="utf-8") as file:
            file.write(SCRIPT.format(pg_dump=" ".join(postgres.client("pg_dump")), disk=disk, here=self.here))
        os.chmod(self.script, 0o755)

    @property
    def line(self):
        """What stands in the crontab."""
        return [
            *("-l", LABEL, "--lock", "--schedule", self.schedule, "--expect", "..1h"),
            *("--produces", f"{self.disk}/app-*.dump:50%..300%"),
            *("--sink", f"exec:cat >> {self.alerts}", "--sink", f"jsonl:{self.events}", "--", self.script),
        ]

    def run(self):
        return self.world.cronward(*self.line, state=self.state)

    def check(self):
        return self.world.cronward("check", state=self.state)

    def pass_night(self):
        """Moves every time on record, in milliseconds since 1970, back by a night."""
        earlier = lambda match: str(int(match[0]) - self.night * 1000)
        for path in glob.glob(f"{self.state}/**/*.json*", recursive=True):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            # In place: the journal is known by its file, and its file by its owner and mode.
            with open(path, "r+", encoding="utf-8") as file:
                file.write(re.sub(r"\b1[5-9]\d{11}\b", earlier, text))
        for path in glob.glob(f"{self.disk}/app-*.dump"):
            written = os.stat(path).st_mtime - self.night
            os.utime(path, (written, written))

    def told(self):
        """Alerts that were told since the last question, as kind and event."""
        events = [(event["kind"], event) for event in read_events(self.alerts)]
        if os.path.exists(self.alerts):
            os.remove(self.alerts)
        return events

    def outcome(self):
        finished = [event for event in read_events(self.events) if event["kind"] == "run.finished"]
        return finished[-1]["outcome"], finished[-1].get("reason", "")


@contextlib.contextmanager
def small_disk(path):
    os.makedirs(path, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def run(world):
    here = world.directory("backup")
    postgres = world.started(Postgres(os.path.join(here, "postgres")))
    postgres.psql("postgres", "CREATE DATABASE app")
    postgres.psql("app", f"CREATE TABLE ledger AS SELECT n, md5(n::text) FROM generate_series(1, {ROWS}) n")
    with small_disk(os.path.join(here, "disk")) as disk:
        backup = Backup(world, postgres, disk)
        five_good_nights(world.report.check, backup)
        a_full_disk(world.report.check, backup)
        a_lost_line(world.report.check, backup)
        a_host_that_is_cut_off(world.report.check, backup, postgres)


def five_good_nights(check, backup):
    with check("five nights are good: the dumps are there, check says OK, nobody is told anything"):
        for night in range(5):
            if night:
                backup.pass_night()
            ran = backup.run()
            equal((ran.returncode, ran.stdout, ran.stderr), (0, b"", b""), "status, stdout and stderr")
            equal(backup.outcome(), ("ok", ""), f"outcome of night {night + 1}")
            found = backup.check()
            equal((found.returncode, found.stderr), (0, b""), f"status of check after {found.stdout}")
        equal(backup.told(), [], "alerts")


def mended(check, backup, opened, what):
    with check(f"{what}: mended, the next night closes the same alert, once"):
        backup.pass_night()
        ran = backup.run()
        equal((ran.returncode, ran.stderr), (0, b""), "status and stderr")
        equal(backup.outcome()[0], "ok", "outcome")
        told = backup.told()
        equal([kind for kind, _ in told], ["alert.closed"], "alerts")
        equal(told[0][1]["alert"]["id"], opened, "id of the alert")
        equal((backup.check().returncode, backup.told()), (0, []), "status of check, and alerts")


def opened_once(told):
    equal([kind for kind, _ in told], ["alert.opened"], "alerts")
    event = told[0][1]
    return event["alert"]["id"], event.get("reason") or event["run"]["reason"]


def fill_disk(filler):
    """Leaves room for the beginning of a dump."""
    free = os.statvfs(os.path.dirname(filler))
    with open(filler, "ab") as file:
        file.write(b"x" * max(0, free.f_bavail * free.f_frsize - 24 * 1024))


def a_full_disk(check, backup):
    filler = os.path.join(backup.disk, "filler")
    good = max(os.stat(path).st_size for path in glob.glob(f"{backup.disk}/app-*.dump"))
    alert = None
    with check("the disk fills: the script exits 0, and the dump that is cut short is told, with both sizes"):
        backup.pass_night()
        fill_disk(filler)
        ran = backup.run()
        equal((ran.returncode, ran.stderr), (0, b""), "status and stderr")
        outcome, reason = backup.outcome()
        equal(outcome, "suspect", "outcome")
        alert, told = opened_once(backup.told())
        equal(told, reason, "reason of the alert")
        assert re.search(r"app-\d+\.dump is [\d.]+ k?B, expected at least 50% of the last good [\d.]+ [kM]B", reason), reason
        assert good > 100_000, f"a dump of {good} bytes"
    with check("the disk is still full the next night: nobody is told a second time"):
        backup.pass_night()
        fill_disk(filler)
        equal(backup.run().returncode, 0, "status")
        equal((backup.outcome()[0], backup.told()), ("suspect", []), "outcome and alerts")
        equal(backup.check().returncode, 2, "status of check")
    os.remove(filler)
    mended(check, backup, alert, "the disk")


def a_lost_line(check, backup):
    alert = None
    with check("the crontab line is lost: check finds the night in which no run came, and says which"):
        backup.pass_night()
        found = backup.check()
        equal((found.returncode, found.stderr), (2, b""), f"status and stderr of check ({found.stdout})")
        alert, reason = opened_once(backup.told())
        assert re.match(rf"no run came at [\d-]+ [\d:]+ \('{re.escape(backup.schedule)}'\); the last one ended", reason), reason
        assert f"{LABEL}: {reason}".encode() in found.stdout, f"check printed {found.stdout}"
    with check("further checks, and another night, say it to nobody again"):
        equal((backup.check().returncode, backup.told()), (2, []), "status of check, and alerts")
        backup.pass_night()
        equal((backup.check().returncode, backup.told()), (2, []), "status of check, and alerts")
    mended(check, backup, alert, "the crontab")


def a_host_that_is_cut_off(check, backup, postgres):
    alert = None
    with check("the host is cut off in mid-dump: the next check records the run as interrupted, and tells"):
        backup.pass_night()
        with hold_table(postgres):
            environment = {"PATH": os.environ["PATH"], "HOME": backup.here, "CRONWARD_STATE_DIR": backup.state}
            running = subprocess.Popen(
                [backup.world.binary, *backup.line],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
            try:
                wait_until("pg_dump waits for the table", lambda: waiting_dumps(postgres) == "1", 30, running)
            finally:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()
        equal(backup.told(), [], "alerts before anybody looks")
        found = backup.check()
        equal((found.returncode, found.stderr), (2, b""), f"status and stderr of check ({found.stdout})")
        alert, reason = opened_once(backup.told())
        assert reason.startswith("cronward died during the run (started "), reason
        equal(backup.outcome()[0], "interrupted", "outcome")
    with check("a second check finds the alert open and nothing new"):
        events = len(read_events(backup.events))
        equal((backup.check().returncode, backup.told()), (2, []), "status of check, and alerts")
        equal(len(read_events(backup.events)), events, "number of events")
    mended(check, backup, alert, "the host")
    with check("five incidents' worth of nights are on record, each run once"):
        with open(glob.glob(f"{backup.state}/jobs/*/runs.jsonl")[0], encoding="utf-8") as journal:
            last = [json.loads(line) for line in journal.read().split("\n") if '"fold"' in line][-1]
        equal(last["fold"]["totals"], {"ok": 8, "suspect": 2, "interrupted": 1}, "outcomes")
