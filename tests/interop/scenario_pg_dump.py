"""pg_dump of a real PostgreSQL database, wrapped: same bytes, same status, measured; when it fails or hangs; and
when its output passes through."""

import contextlib
import glob
import gzip
import json
import os
import re
import signal
import subprocess

from process import Server, wait_until
from report import equal
from world import check_measurements, check_no_bad_line, finished, objects, read_events

ROWS = 10_000
# Of 32 bytes each, how many are in a row of the dump that is large.
WIDTH = 40


class Postgres(Server):
    """A cluster of its own, reachable by nothing but a socket in its directory."""

    def __init__(self, directory):
        self.socket_directory = os.path.join(directory, "socket")
        for path in (directory, self.socket_directory):
            os.makedirs(path, exist_ok=True)
            subprocess.run(["chown", "postgres:postgres", path], check=True)
        # Debian keeps the server's programs out of PATH, one directory for each major version.
        self.programs = max(
            glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(re.search(r"/(\d+)/bin$", path)[1])
        )
        data = os.path.join(directory, "data")
        account = {"user": "postgres", "group": "postgres", "extra_groups": [], "cwd": directory}
        subprocess.run(
            [
                f"{self.programs}/initdb",
                "--no-sync",
                "-A",
                "trust",
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--locale=C",
                "-D",
                data,
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            **account,
        )
        super().__init__(
            "postgres",
            [
                f"{self.programs}/postgres",
                "-D",
                data,
                "-k",
                self.socket_directory,
                "-c",
                "listen_addresses=",
                "-c",
                "fsync=off",
            ],
            directory,
            # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for clients to leave.
            stop_signal=signal.SIGINT,
            **account,
        )
        self.wait_ready(lambda: self.psql_status("postgres", "SELECT 1") == 0)

    def client(self, program):
        return [f"{self.programs}/{program}", "-h", self.socket_directory, "-U", "postgres"]

    def psql(self, database, statement):
        """Runs a statement and returns what it prints, bare."""
        argv = [*self.client("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, database]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    def psql_status(self, database, statement):
        argv = [*self.client("psql"), "-X", "-c", statement, database]
        return subprocess.run(argv, capture_output=True).returncode


def run(world):
    check = world.report.check
    here = world.directory("pg_dump")
    events = os.path.join(here, "events.jsonl")
    state = os.path.join(here, "state")
    sinks = ["--sink", world.etsy.sink, "--sink", world.collectd.sink, "--sink", f"jsonl:{events}"]
    postgres = world.started(Postgres(os.path.join(here, "postgres")))
    postgres.psql("postgres", "CREATE DATABASE app")
    postgres.psql(
        "app", f"CREATE TABLE ledger AS SELECT n AS id, md5(n::text) AS entry FROM generate_series(1, {ROWS}) n"
    )
    dump = [*postgres.client("pg_dump"), "app"]

    bare = subprocess.run(dump, capture_output=True)
    backup = ["-l", "pg-backup", "--lock", "--timeout", "4h", *sinks, "--"]
    wrapped = world.cronward(*backup, *dump, state=state)
    with check("pg-backup: a wrapped pg_dump writes the same bytes and ends with 0"):
        assert bare.returncode == 0 and bare.stdout.count(b"\n") > ROWS, f"pg_dump itself failed: {bare.stderr}"
        equal((wrapped.returncode, wrapped.stderr), (0, b""), "status and stderr")
        assert without_token(wrapped.stdout) == without_token(bare.stdout), "the dumps differ"

    # The lock, the timeout and the dead server's words, each as a backup meets them.
    with hold_table(postgres):
        with subprocess.Popen(
            [world.binary, *backup, *dump],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": here, "CRONWARD_STATE_DIR": state},
        ) as first:
            try:
                wait_until("pg_dump waits for the table", lambda: waiting_dumps(postgres) == "1", 30, first)
                second = world.cronward(*backup, *dump, state=state)
                hung = world.cronward(
                    "-l", "pg-hung", "--timeout", "1s", "--warn-after", "400ms", *sinks, "--", *dump, state=state
                )
                wait_until("the second pg_dump is gone", lambda: waiting_dumps(postgres) == "1", 30)
                postgres.psql(
                    "postgres",
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'",
                )
                output, errors = first.communicate(timeout=60)
            finally:
                first.kill()
    with check("pg-backup: while it runs, a second one is skipped, silently, with 75"):
        equal((second.returncode, second.stdout, second.stderr), (75, b"", b""), "status, stdout and stderr")
    with check("pg-backup: the first, which had to wait for a table, then completes"):
        equal((first.returncode, errors), (0, b""), "status and stderr")
        assert without_token(output) == without_token(bare.stdout), "the dumps differ"
    with check("pg-hung: a pg_dump that hangs is ended by the timeout with 124, and its alert is a line on stderr"):
        equal(hung.returncode, 124, "status")
        equal(own_lines(hung.stderr), 1, f"lines of cronward in {hung.stderr}")

    missing = [*postgres.client("pg_dump"), "no_such_database"]
    bare_missing = subprocess.run(missing, capture_output=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C"})
    wrapped_missing = world.cronward("-l", "pg-missing", *sinks, "--", *missing, state=state)
    with check("pg-missing: a database that is not there: pg_dump's own 1 and words, then one line of cronward"):
        assert b"no_such_database" in bare_missing.stderr, f"not pg_dump's words: {bare_missing.stderr}"
        equal((bare_missing.returncode, wrapped_missing.returncode), (1, 1), "statuses without and with cronward")
        equal(wrapped_missing.stdout, bare_missing.stdout, "stdout")
        words, alert = (
            wrapped_missing.stderr[: len(bare_missing.stderr)],
            wrapped_missing.stderr[len(bare_missing.stderr) :],
        )
        equal(words, bare_missing.stderr, "pg_dump's words")
        assert re.fullmatch(rb"cronward: [^\n]*pg-missing[^\n]*\n", alert), f"not one line that names the job: {alert}"

    with check("status --json lists the jobs and how they ended"):
        status = world.cronward("status", "--json", state=state)
        equal(status.returncode, 0, f"exit status of `cronward status` ({status.stderr})")
        jobs = {job["label"]: json.dumps(job) for job in objects(json.loads(status.stdout)) if "label" in job}
        for label, outcome in (("pg-backup", '"ok"'), ("pg-hung", '"timed_out"'), ("pg-missing", '"failed"')):
            assert outcome in jobs.get(label, ""), f"no {outcome} for '{label}' in {status.stdout.decode()}"

    world.settle()
    for label, expected in (
        ("pg-backup", [("ok", 0), ("skipped", None), ("ok", 0)]),
        # pg_dump catches the TERM of the timeout and ends by itself with 1.
        ("pg-hung", [("timed_out", 1)]),
        ("pg-missing", [("failed", 1)]),
    ):
        runs = finished(events, label)
        with check(f"{label}: the events say {', '.join(outcome for outcome, _ in expected)}"):
            equal([(run["outcome"], run.get("exit_code")) for run in runs], expected, "outcomes")
        check_measurements(world, label, runs)
    check_no_bad_line(world)

    with check("pg-hung: the events say twice that it is overdue, and then how it ended"):
        hung_events = [event for event in read_events(events) if event["label"] == "pg-hung"]
        equal(
            [(event["kind"], event.get("duration_ms")) for event in hung_events][:3],
            [("run.started", None), ("run.overdue", 400.0), ("run.overdue", 800.0)],
            "kinds and milliseconds",
        )
    with check("each of the two failures opened one alert"):
        opened = [event["label"] for event in read_events(events) if event["kind"].startswith("alert.")]
        equal(sorted(opened), ["pg-hung", "pg-missing"], "labels of alerts")

    check_outputs(world, postgres, here, state)


def check_outputs(world, postgres, here, state):
    """A dump of some megabytes whose output passes through cronward, to a file and through gzip."""
    check = world.report.check
    postgres.psql("postgres", "CREATE DATABASE big")
    columns = f"n AS id, repeat(md5(n::text), {WIDTH}) AS entry"
    postgres.psql("big", f"CREATE TABLE ledger AS SELECT {columns} FROM generate_series(1, {ROWS}) n")
    # pg_dump's own -v would put times into the dump.
    dump = ["/bin/sh", "-c", 'echo dumping >&2; "$@"; echo dumped >&2', "sh", *postgres.client("pg_dump"), "big"]
    bare = subprocess.run(dump, capture_output=True)
    expected = without_token(bare.stdout)
    with check("pg_dump by itself: some megabytes, and words on stderr"):
        equal(bare.returncode, 0, f"status ({bare.stderr})")
        assert len(expected) > ROWS * WIDTH * 32 and bare.stderr == b"dumping\ndumped\n", "not the dump that was meant"

    sinks = ["--sink", "none"]
    logs = os.path.join(here, "logs")
    for name, options, is_silent in (
        ("--quiet", ["--quiet"], True),
        ("--capture", ["--capture", "64KiB"], False),
        ("--quiet --capture --log-dir", ["--quiet", "--capture", "64KiB", "--log-dir", logs], True),
    ):
        wrapped = [world.binary, "-l", "pg-big", *options, *sinks, "--", *dump]
        for way, redirection, reading in (
            ("to a file", "", lambda path: open(path, "rb")),
            ("through gzip", "| gzip", lambda path: gzip.open(path, "rb")),
        ):
            path = os.path.join(here, "big.sql")
            line = f'set -o pipefail; "$@" {redirection} >{path}'
            environment = {"PATH": os.environ["PATH"], "HOME": here, "LC_ALL": "C", "CRONWARD_STATE_DIR": state}
            done = subprocess.run(
                ["bash", "-c", line, "bash", *wrapped],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environment,
                timeout=120,
            )
            with check(f"pg_dump under {name} {way}: the same dump, which restores to the same database"):
                equal(done.returncode, 0, f"status ({done.stderr})")
                equal(own_lines(done.stderr), 0, f"lines of cronward in {done.stderr}")
                assert is_silent == (done.stderr == b""), f"on stderr: {done.stderr}"
                with reading(path) as file:
                    arrived = file.read()
                assert without_token(arrived) == expected, f"{len(arrived)} bytes differ from {len(bare.stdout)}"
                assert restored(postgres, here, arrived) == expected, "the restored database differs"
    with check("pg_dump under --log-dir: the files have the dump and the words, and the last run's is complete"):
        files = sorted(glob.glob(os.path.join(logs, "pg-big", "*.log")))
        equal([os.path.getsize(path) for path in files], [len(bare.stdout) + len(bare.stderr)] * 2, "sizes")

    path = os.path.join(here, "missing.sql")
    missing = [*postgres.client("pg_dump"), "no_such_database"]
    with open(path, "wb") as file:
        failed = subprocess.run(
            [world.binary, "-l", "pg-none", "--quiet", *sinks, "--", *missing],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": here, "LC_ALL": "C", "CRONWARD_STATE_DIR": state},
            timeout=120,
        )
    with check("pg_dump under --quiet that fails: its status, its words on stderr, then one line of cronward"):
        equal((failed.returncode, os.path.getsize(path)), (1, 0), "status and size of the dump")
        assert re.fullmatch(rb"pg_dump: [^\n]*no_such_database[^\n]*\ncronward: [^\n]*pg-none[^\n]*\n", failed.stderr), (
            f"on stderr: {failed.stderr}"
        )


def restored(postgres, here, dump):
    """The dump of a new database that a dump was restored into."""
    path = os.path.join(here, "restore.sql")
    with open(path, "wb") as file:
        file.write(dump)
    postgres.psql("postgres", "CREATE DATABASE second")
    try:
        argv = [*postgres.client("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", path, "second"]
        subprocess.run(argv, check=True, capture_output=True)
        again = subprocess.run([*postgres.client("pg_dump"), "second"], check=True, capture_output=True)
        return without_token(again.stdout)
    finally:
        postgres.psql("postgres", "DROP DATABASE second")


def without_token(dump):
    r"""The dump without the token of `\restrict`, which pg_dump draws anew for each."""
    return re.sub(rb"(?m)^\\(un)?restrict \w+$", rb"\\\1restrict", dump)


def own_lines(stderr):
    """Lines that cronward itself wrote."""
    return len(re.findall(rb"(?m)^cronward: ", stderr))


@contextlib.contextmanager
def hold_table(postgres):
    """Holds the table in a transaction, so that pg_dump waits, until the backend is told to end."""
    argv = [*postgres.client("psql"), "-X", "-q", "app"]
    quiet = {"stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **quiet) as psql:
        try:
            psql.stdin.write("SET application_name = 'holder'; BEGIN; LOCK TABLE ledger; \\echo held\n")
            psql.stdin.flush()
            equal(psql.stdout.readline(), "held\n", "answer of psql")
            yield
        finally:
            psql.kill()


def waiting_dumps(postgres):
    """How many pg_dumps wait for a lock, as text."""
    return postgres.psql(
        "postgres",
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump' AND wait_event_type = 'Lock'",
    )
