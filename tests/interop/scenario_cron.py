"""A crontab of wrapped lines, run by Debian's cron through seven ticks, with a job that fails and recovers."""

import json
import os

from cron_server import Cron
from process import NotReady, wait_until
from report import equal
from world import check_measurements, check_no_bad_line, finished, read_events

# Four failures (the alert opens at the third, the fourth is news to nobody), then three successes (the first closes
# it, the others are none of its business).
FAILING_TICKS = 4
TICKS = 7

# What a job can see of its surroundings; numbers of pipes and names of deleted files differ in each run.
OBSERVE = """
exec >"$1"
env | grep -v '^CRONWARD_' | sort
umask; pwd; ps -o tty= -p $$
grep -E '^(Sig(Blk|Ign)|NoNewPrivs|Seccomp):' /proc/self/status
cat /proc/self/limits
for descriptor in /proc/$$/fd/*; do
    printf '%s -> %s\\n' "${descriptor##*/}" "$(readlink "$descriptor" | sed 's/[0-9][0-9]*/N/g; s/bare\\|wrapped/FILE/')"
done
"""

OUTPUT = "printf 'first line\\nand no end of the second'"

CRONTAB = """CRONWARD_STATE_DIR={state}
* * * * * root : bare; sh {here}/observe {here}/facts.bare; echo tick >>{here}/ticks
* * * * * root : says-bare; {output}
* * * * * root {cronward} -l tick-ok -t env:interop {sinks} -- sh -c 'sh {here}/observe {here}/facts.wrapped; sleep 0.2'
* * * * * root {cronward} -l tick-flaky --alert-after 3 {sinks} --sink 'exec:cat >>{here}/alerts; echo >>{here}/alerts' -- sh -c 'test -e {here}/recovered || exit 3'
* * * * * root {cronward} -l tick-says {sinks} -- {output}
* * * * * root : killed-bare; sh -c 'kill -KILL $$'
* * * * * root {cronward} -l tick-killed {sinks} -- sh -c 'kill -KILL $$'
"""

# The second way to wrap: every line of the table, by its SHELL.
TABLE = """SHELL={cronward}
CRONWARD_STATE_DIR={state}
CRONWARD_SINK="{etsy} {collectd} jsonl:{events}"
* * * * * root CRONWARD_LABEL=tick-table CRONWARD_TAG='env:interop' echo "$SHELL" >>{here}/shells
"""

# The third way: a table that knows nothing of cronward, and goes through `cronward wrap`. cron finds no cronward in its
# own PATH, so the path is written out.
PLAIN = """CRONWARD_STATE_DIR={state}
CRONWARD_SINK=jsonl:{events}
* * * * * root echo 'a\\%b' >>{here}/wrapped-percent
* * * * * root /bin/cat >>{here}/wrapped-input%one%two \\% three
* * * * *\troot   cd {here} && pwd >>wrapped-pwd  # it's a note
* * * * * root sh -c 'echo unheard; exit 3' >/dev/null 2>&1
SHELL=/bin/bash
* * * * * root [[ $BASH_VERSION ]] && echo bash >>{here}/wrapped-bash
"""

# Lines that make cron send a mail at every tick. The shell that cron starts says "Killed" of what dies by KILL.
MAILING = ("says-bare", "tick-says", "killed-bare", "tick-killed")
LABELS = ("tick-ok", "tick-flaky", "tick-says", "tick-killed", "tick-table")


def run(world):
    check = world.report.check
    here = world.directory("cron")
    events = os.path.join(here, "events.jsonl")
    words = {
        "here": here,
        "cronward": world.binary,
        "state": os.path.join(here, "state"),
        "events": events,
        "etsy": world.etsy.sink,
        "collectd": world.collectd.sink,
        "sinks": f"--sink {world.etsy.sink} --sink {world.collectd.sink} --sink jsonl:{events}",
        "output": OUTPUT,
    }
    with open(os.path.join(here, "observe"), "w", encoding="utf-8") as file:
        file.write(OBSERVE)
    for line in CRONTAB.format(**words).splitlines() + TABLE.format(**words).splitlines():
        assert len(line) < 1000, f"longer than the 999 characters that cron allows: {line}"

    plain = PLAIN.format(**words)
    wrapping = world.cronward("wrap", "--system", "-", state=words["state"], stdin=None, input=plain.encode())
    with check("wrap takes a table of /etc/cron.d through stdin and has nothing to say of it"):
        equal((wrapping.returncode, wrapping.stderr), (0, b""), "how it ends")
    wrapped = wrapping.stdout.decode()
    labels = [line.split(" -l ")[1].split(" ")[0] for line in wrapped.splitlines() if " -l " in line]

    real_clock = os.environ.get("INTEROP_CLOCK") == "real"
    cron = world.started(Cron(here, CRONTAB.format(**words), TABLE.format(**words), wrapped, real_clock))

    def traces():
        """How often each line left what it leaves at every tick."""
        mails = {f"mails of {line}": len(cron.mails(line)) for line in MAILING}
        return {label: len(finished(events, label)) for label in LABELS} | {"ticks": lines(here, "ticks")} | mails

    def wait_ticks(count, minutes):
        try:
            wait_until(f"{count} ticks", lambda: min(traces().values()) >= count, minutes * cron.minute, cron.process)
        except NotReady as error:
            raise NotReady(f"{error}; came: {traces()}; {cron.read_log()}") from None

    with check(f"{TICKS} ticks of cron, one every {cron.minute} s, set off every line"):
        wait_ticks(FAILING_TICKS, FAILING_TICKS + 2)
        open(os.path.join(here, "recovered"), "w", encoding="utf-8").close()
        wait_ticks(TICKS, TICKS - FAILING_TICKS + 1)
    cron.stop()
    world.settle()

    runs = {label: finished(events, label) for label in LABELS}
    ticks = lines(here, "ticks")

    with check(f"cron ticked {TICKS} times and each wrapped line ran at each of them"):
        equal(ticks, TICKS, "ticks that a line without cronward counted")
        equal({label: len(runs[label]) for label in LABELS}, dict.fromkeys(LABELS, ticks), "finished runs")

    for label, outcome, facts in (
        ("tick-ok", "ok", {"exit_code": 0}),
        ("tick-says", "ok", {"exit_code": 0}),
        ("tick-table", "ok", {"exit_code": 0}),
        ("tick-killed", "signaled", {"signal": "SIGKILL", "signal_number": 9}),
    ):
        with check(f"{label}: every run ended '{outcome}' with {facts}"):
            for finish in runs[label]:
                found = {name: finish.get(name) for name in ("exit_code", "signal", "signal_number") if name in finish}
                equal((finish["outcome"], found), (outcome, facts), "outcome and how it ended")

    with check("tick-flaky: four runs ended 'failed' with 3, then three 'ok' with 0"):
        found = [(finish["outcome"], finish["exit_code"]) for finish in runs["tick-flaky"]]
        equal(found, [("failed", 3)] * FAILING_TICKS + [("ok", 0)] * (TICKS - FAILING_TICKS), "outcomes")

    with check("tick-ok: the duration is that of the job, which sleeps for 200 ms"):
        for finish in runs["tick-ok"]:
            assert 200 <= finish["duration_ms"] < 5000, f"took {finish['duration_ms']} ms"

    with check("tick-ok: the job saw what it sees without cronward: environment, umask, limits, signals, descriptors"):
        bare, wrapped = (open(f"{here}/facts.{kind}", encoding="utf-8").read() for kind in ("bare", "wrapped"))
        assert "LOGNAME=root" in bare and "SigIgn:\t0000000000000000" in bare, f"not cron's surroundings:\n{bare}"
        equal(wrapped.splitlines(), bare.splitlines(), "surroundings")

    for label in LABELS:
        check_measurements(world, label, runs[label])
    check_no_bad_line(world)

    alerts = read_events(os.path.join(here, "alerts"))
    with check("tick-flaky: one alert was opened, at the third failure, and closed once, at the first success"):
        equal([alert["kind"] for alert in alerts], ["alert.opened", "alert.closed"], "what the exec sink wrote down")
        opened, closed = alerts
        equal(opened["alert"]["failures"], 3, "failures of the alert")
        equal(opened["run"]["run_id"], runs["tick-flaky"][2]["run_id"], "run that opened it")
        equal(closed["alert"]["id"], opened["alert"]["id"], "identity of the alert")
        equal(closed["run"]["run_id"], runs["tick-flaky"][FAILING_TICKS]["run_id"], "run that closed it")
        equal({alert["label"] for alert in alerts}, {"tick-flaky"}, "label of the alerts")

    with check("tick-flaky: both servers saw its alert open and close"):
        expected = [0, 0, 1, 1, 0, 0, 0]
        name = "cronward.tick-flaky.job.alert_open"
        equal([float(value) for value in world.etsy.values(name, "g")], expected, "at Etsy's server")
        equal(set(world.collectd.gauges(name)), {0, 1}, "at collectd")
        name = "cronward.tick-flaky.job.consecutive_failures"
        equal([float(value) for value in world.etsy.values(name, "g")], [1, 2, 3, 4, 0, 0, 0], "failures in a row")

    with check("tick-flaky: cron had nothing to mail, since the exec sink confirmed"):
        equal(cron.mails("tick-flaky"), [], "mails")

    with check("tick-says: cron mailed the job's output, byte for byte what it mails without cronward"):
        bare = cron.mails("says-bare")
        equal(len(bare), ticks, "mails of the line without cronward")
        assert bare[0].startswith(b"first line\nand no end of the second"), f"not the job's output: {bare[0]}"
        equal(cron.mails("tick-says"), bare, "bodies")

    with check(
        "tick-killed: cron mailed what it mails without cronward, and its alert is one line in one of the mails"
    ):
        bare, bodies = cron.mails("killed-bare"), cron.mails("tick-killed")
        equal(set(bare), {b"Killed\n"}, "what the shell says of a killed job")
        own, others = split_lines(b"".join(bodies), b"cronward: ")
        equal(others, split_lines(b"".join(bare), b"cronward: ")[1], "lines without those of cronward")
        equal(len(own), 1, f"lines of cronward ({own})")
        assert b"tick-killed" in own[0], f"does not name the job: {own[0]}"

    with check("tick-table: cronward as SHELL ran the line with options taken off it, and the job saw SHELL=/bin/sh"):
        with open(os.path.join(here, "shells"), encoding="utf-8") as file:
            equal(file.read(), "/bin/sh\n" * ticks, "SHELL as the job saw it")
        for finish in runs["tick-table"]:
            equal(finish.get("tags"), {"env": "interop"}, "tags")

    with check("wrapped by `cronward wrap`: each line ran at every tick under its label, and ended as it should"):
        equal(len(set(labels)), 5, f"labels ({labels})")
        counts = {label: len(finished(events, label)) for label in labels}
        equal(counts, dict.fromkeys(labels, ticks), "finished runs")
        outcomes = [{run["outcome"] for run in finished(events, label)} for label in labels]
        equal(outcomes, [{"ok"}, {"ok"}, {"ok"}, {"failed"}, {"ok"}], f"outcomes of {labels}")

    with check("wrapped by `cronward wrap`: percent signs, input and directory are what they were"):
        for name, text in (("percent", "a%b\n"), ("input", "one\ntwo % three\n"), ("pwd", f"{here}\n"), ("bash", "bash\n")):
            with open(os.path.join(here, f"wrapped-{name}"), encoding="utf-8") as file:
                equal(file.read(), text * ticks, name)

    with check("wrapped by `cronward wrap`: status knows the jobs"):
        status = json.loads(world.cronward("status", "--json", *labels, state=words["state"]).stdout)
        equal(sorted(job["label"] for job in status), sorted(labels), "labels")
        equal([job["consecutive_failures"] for job in status if job["label"] == labels[3]], [ticks], "failures in a row")

    with check("wrapped by `cronward wrap`: the alert of a line that throws its stderr away is in a mail, once"):
        bodies = cron.mails("unheard")
        equal(len(bodies), 1, f"mails ({bodies})")
        assert bodies[0].startswith(b"cronward: ") and labels[3].encode() in bodies[0], bodies[0]

    with check("no other line of the tables made cron send a mail"):
        mailing = (*MAILING, "unheard")
        equal([subject for subject in cron.subjects() if not any(line in subject for line in mailing)], [], "mails")


def split_lines(text, start):
    """The lines that begin so, and the others."""
    every = text.splitlines(keepends=True)
    return [line for line in every if line.startswith(start)], [line for line in every if not line.startswith(start)]


def lines(here, name):
    """Number of lines of a file that jobs append to."""
    path = os.path.join(here, name)
    return open(path, encoding="utf-8").read().count("\n") if os.path.exists(path) else 0
