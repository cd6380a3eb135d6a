"""The textfile and pushgateway sinks at Prometheus itself: by node_exporter's collector and by the Pushgateway, with
the shipped rules. What is read back is what was meant, and counters are counters, whatever happens to a cronward."""

import os
import random
import re
import socket
import subprocess
import threading
import time

from dashboard import check_dashboard
from process import wait_until
from prometheus_servers import NodeExporter, Prometheus, Pushgateway, unpack
from report import equal
from scenario_examples import example
from world import finished

# Longest time for a scrape and a rule, which come four times a second.
SOON = 60

OUTCOMES = "ok warning failed signaled timed_out suspect not_started interrupted stopped skipped".split()

LABELS = (
    'nightly "dump"',
    "a/b",
    "back\\slash\\n",
    "new\nline",
    "tab\tcr\r\x01\x7f\x1b[31m",
    "é漢🦀",
    '{x="1"} 5',
    "# HELP x",
    "..",
    ".",
    " ",
    "%2F%41?#&",
    "$(id)",
    "check",
    "l" * 300,
)

TAGS = {
    'env:prod "x"\\': ("env", 'prod "x"\\'),
    "job:mine": ("tag_job", "mine"),
    "instance:mine": ("tag_instance", "mine"),
    "task:mine": ("tag_task", "mine"),
    "outcome:mine": ("tag_outcome", "mine"),
    "__name__:mine": ("tag___name__", "mine"),
    "le:1": ("tag_le", "1"),
    "a-b:1": ("a_b", "1"),
    "a.b:2": ("a_b_2", "2"),
    "canary": ("canary", "true"),
    "empty:": None,
    "url:http://x/?a=b,c": ("url", "http://x/?a=b,c"),
    "clé:ü\n": ("cl_", "ü\n"),
}


def short(rules):
    """The shipped rules with short times: what takes hours takes seconds."""
    for pattern, replacement in ((r"\b3 \* 3600", "4"), (r"\b30 \* 60", "6"), (r"for: \d+[mh]", "for: 1s")):
        rules, count = re.subn(pattern, replacement, rules)
        assert count, f"no '{pattern}' in the rules"
    return rules


class Jobs:
    """Runs of jobs with sinks, and what is found of them."""

    def __init__(self, world, tools, node, prometheus, push, textfiles):
        self.world, self.tools, self.textfiles = world, tools, textfiles
        self.node, self.prometheus, self.push = node, prometheus, push
        self.state = world.directory("prometheus/state")
        self.events = os.path.join(world.work, "prometheus/events.jsonl")

    def arguments(self, label, options, line, sink=None):
        sinks = ["--sink", sink or f"textfile:{self.textfiles}", "--sink", f"jsonl:{self.events}"]
        return ["-l", label, *sinks, *options, "-c", line]

    def run(self, label, line, *options, sink=None, **more):
        """Runs a line; the sinks must have nothing to complain of."""
        more = {"state": self.state, "umask": 0o077} | more
        ran = self.world.cronward(*self.arguments(label, options, line, sink), **more)
        errors = finished(self.events, label)[-1].get("sink_errors", [])
        equal(errors, [], f"errors of sinks for {label!r}")
        return ran.returncode

    def check(self):
        sinks = {"CRONWARD_SINK": f"textfile:{self.textfiles}", "PATH": os.environ["PATH"]}
        return self.world.cronward("check", "--state-dir", self.state, state=self.state, env=sinks, umask=0o077).returncode

    def until(self, what, expression, expected):
        """Waits until Prometheus says so of an expression with one series at most."""
        last = []

        def said():
            last[:] = [self.prometheus.value(expression)]
            return last == [expected]

        try:
            wait_until(what, said, SOON)
        except Exception as error:
            raise AssertionError(f"{error}: {expression} is {last}, expected {expected}") from None

    def until_alerts(self, wanted, gone=()):
        """Waits until these fire and those do not."""
        last = set()

        def said():
            last.clear()
            last.update(self.prometheus.firing())
            return set(wanted) <= last and not set(gone) & last

        try:
            wait_until("alerts", said, SOON)
        except Exception as error:
            raise AssertionError(f"{error}: {last}, wanted {wanted}, gone {gone}") from None

    def files(self):
        return sorted(os.listdir(self.textfiles))

    def lint(self):
        """Nothing that Prometheus' own linter or the exporter has to say of any file."""
        for name in self.files():
            with open(os.path.join(self.textfiles, name), "rb") as file:
                said = subprocess.run(
                    [self.tools.path("/usr/bin/promtool"), "check", "metrics"], stdin=file, capture_output=True, text=True
                )
            equal((said.returncode, said.stdout + said.stderr), (0, ""), f"promtool on '{name}'")
        equal(self.node.complaints(), [], "complaints of node_exporter")
        scraped = self.node.get("/metrics")
        assert "\nnode_textfile_scrape_error 0\n" in scraped, "node_textfile_scrape_error"
        assert '\npromhttp_metric_handler_errors_total{cause="gathering"} 0\n' in scraped, "errors in gathering"


def run(world):
    check = world.report.check
    tools = unpack(world)
    here = os.path.join(world.work, "prometheus")
    os.chmod(here, 0o755)
    textfiles = os.path.join(here, "textfiles")
    os.mkdir(textfiles)
    # Jobs of several users write there.
    os.chmod(textfiles, 0o1777)
    node = world.started(NodeExporter(tools, here, textfiles))
    push = world.started(Pushgateway(tools, here))
    rules = short(example("prometheus-textfile-rules.yml"))
    prometheus = world.started(Prometheus(tools, here, rules, node, push))
    jobs = Jobs(world, tools, node, prometheus, push, textfiles)

    check_rules(check, jobs)
    check_names(check, jobs)
    check_counters(check, jobs)
    check_users(check, jobs)
    check_dashboard(check, jobs)
    check_pushes(check, jobs)
    with check("Prometheus complains of nothing that it was told, and no target was ever down"):
        equal(prometheus.complaints(), [], "complaints")
        equal(prometheus.value("min(min_over_time(up[1h]))"), 1.0, "up")


def check_rules(check, jobs):
    """Every shipped rule fires when it is to, and ends when it is to."""
    with check("a Prometheus that has heard of no check says so"):
        jobs.until_alerts([("CronwardNoDataAnywhere", None)])

    with check("an alert fires at its threshold, and not before, and ends with the next success"):
        equal(jobs.run("pg-backup", "exit 0", "--alert-after", "2"), 0, "status")
        equal(jobs.run("pg-backup", "exit 3", "--alert-after", "2"), 3, "status")
        jobs.until("the first failure", 'cronward_consecutive_failures{task="pg-backup"}', 1.0)
        # Rules have seen it by then.
        time.sleep(1)
        assert ("CronwardAlertOpen", "pg-backup") not in jobs.prometheus.firing()
        equal(jobs.run("pg-backup", "exit 3", "--alert-after", "2"), 3, "status")
        jobs.until_alerts([("CronwardAlertOpen", "pg-backup")])
        equal(jobs.run("pg-backup", "exit 0", "--alert-after", "2"), 0, "status")
        jobs.until_alerts([], gone=[("CronwardAlertOpen", "pg-backup")])

    with check("failures in a row fire by a limit of Prometheus' own, while cronward's alert is closed"):
        for _ in range(6):
            equal(jobs.run("ntp-stats", "exit 1", "--alert-after", "100"), 1, "status")
        jobs.until_alerts([("CronwardFailing", "ntp-stats")], gone=[("CronwardAlertOpen", "ntp-stats")])
        equal(jobs.run("ntp-stats", "exit 0", "--alert-after", "100"), 0, "status")
        jobs.until_alerts([], gone=[("CronwardFailing", "ntp-stats")])

    with check("a host without a check is missed until there is one, and again when it stops"):
        jobs.until_alerts([("CronwardNeverChecked", None)])
        equal(jobs.check(), 0, "status of the check")
        never = [("CronwardNeverChecked", None), ("CronwardNoDataAnywhere", None)]
        jobs.until_alerts([], gone=[*never, ("CronwardNotChecked", None)])
        jobs.until_alerts([("CronwardNotChecked", None)])
        equal(jobs.check(), 0, "status of the check")
        jobs.until_alerts([], gone=[("CronwardNotChecked", None)])

    with check("a success that is too old fires, and ends with the next"):
        equal(jobs.run("offsite", "exit 0"), 0, "status")
        jobs.until("the success", 'cronward_last_run_exit_code{task="offsite"}', 0.0)
        jobs.until_alerts([("CronwardSuccessTooOld", "offsite")])
        equal(jobs.run("offsite", "exit 0"), 0, "status")
        jobs.until_alerts([], gone=[("CronwardSuccessTooOld", "offsite")])

    with check("a job that is late by its own rule is an alert as soon as a check has found it"):
        equal(jobs.run("late", "exit 0", "--max-age", "1s"), 0, "status")
        time.sleep(1.1)
        equal(jobs.check(), 2, "status of the check")
        jobs.until_alerts([("CronwardAlertOpen", "late")])
        equal(jobs.run("late", "exit 0"), 0, "status")
        jobs.until_alerts([], gone=[("CronwardAlertOpen", "late")])

    with check("a history that cannot be read is an alert, takes no counter back, and ends when it can be read"):
        file = os.path.join(jobs.world.work, "prometheus/no-state")
        with open(file, "w", encoding="utf-8"):
            pass
        equal(jobs.run("pg-backup", "exit 3", state=file), 3, "status")
        jobs.until_alerts([("CronwardHistoryUnreadable", "pg-backup")])
        equal(jobs.prometheus.value('cronward_runs_total{task="pg-backup",outcome="failed"}'), 2.0, "failures")
        equal(jobs.run("pg-backup", "exit 0"), 0, "status")
        jobs.until_alerts([], gone=[("CronwardHistoryUnreadable", "pg-backup")])
        equal(jobs.prometheus.value('cronward_runs_total{task="pg-backup",outcome="ok"}'), 3.0, "successes")

    with check("neither the linter, the exporter nor Prometheus has anything to say of the files"):
        jobs.lint()


def check_names(check, jobs):
    """Labels and tags come back as they went."""
    with check("any label and any tags are read back exactly"):
        words = [word for tag in TAGS for word in ("-t", tag)]
        for label in LABELS:
            equal(jobs.run(label, "exit 3", "--alert-after", "9", *words), 3, f"status of {label!r}")
        jobs.until("the last label", 'count(cronward_last_run_exit_code{canary="true"})', float(len(LABELS)))
        expected = dict(filter(None, TAGS.values()))
        found = {}
        for labels, value in jobs.prometheus.query('cronward_last_run_exit_code{canary="true"}'):
            own = {name: value for name, value in labels.items() if name not in ("__name__", "instance", "job", "task")}
            equal((own, value, labels["job"]), (expected, 3.0, "node"), f"labels and value of {labels['task']!r}")
            found[labels["task"]] = labels
        equal(sorted(found), sorted(LABELS), "tasks")

    with check("what a run reports of itself is read back, and its tags make no new series of anything else"):
        report = 'printf "rows=12.5\\nbig=1e300\\ndb.drift=-0.001\\ntag:version=%s\\n" 1.2 >>$CRONWARD_RUN_REPORT'
        equal(jobs.run("reports", report), 0, "status")
        jobs.until("the report", 'cronward_last_run_custom{task="reports",name="rows"}', 12.5)
        for name, value in (("big", 1e300), ("db.drift", -0.001)):
            equal(jobs.prometheus.value(f'cronward_last_run_custom{{task="reports",name="{name}"}}'), value, name)
        with_tag = jobs.prometheus.query('{task="reports",version="1.2"}')
        equal([labels["__name__"] for labels, _ in with_tag], ["cronward_last_run_info"], "series with the tag")

    with check("two namespaces, and jobs with tags and without, live beside each other"):
        equal(jobs.run("elsewhere", "exit 0", "--namespace", "ops.{host}-x"), 0, "status")
        name = re.sub("[^a-zA-Z0-9_]", "_", f"ops.{socket.gethostname()}-x")
        jobs.until("the other namespace", f"{name}_last_run_exit_code", 0.0)
        jobs.lint()


def check_counters(check, jobs):
    """Nothing is lost or goes back, however many write at once, and however they end."""
    text = os.path.join(jobs.textfiles, "cronward_busy.prom")
    stop, faults, seen = threading.Event(), [], [0]

    def watch():
        before = {}
        while not stop.is_set():
            try:
                with open(text, encoding="utf-8") as file:
                    content = file.read()
            except FileNotFoundError:
                continue
            now = dict(re.findall(r'^cronward_runs_total\{task="busy",outcome="(\w+)"\} (\d+)$', content, re.M))
            if not content.endswith('\ncronward_alert_open{task="busy"} 0\n') or list(now) != OUTCOMES:
                faults.append(f"a part of a file: {content[-200:]!r}")
            back = [name for name, count in before.items() if int(now.get(name, 0)) < int(count)]
            if back:
                faults.append(f"{back} went back from {before} to {now}")
            seen[0] += now != before
            before = now

    lines = {"ok": "exit 0", "failed": "exit 3", "interrupted": "kill -KILL $PPID"}
    runs = ["ok", "failed", "ok", "interrupted"] * 50
    options = ["--alert-after", "64/64"]
    environment = {"PATH": os.environ["PATH"], "CRONWARD_STATE_DIR": jobs.state}
    reader = threading.Thread(target=watch)
    reader.start()
    try:
        with check("200 runs, eight at a time and some of them killed, are counted once each, and no part of a file is seen"):
            for batch in range(0, len(runs), 8):
                started = [
                    subprocess.Popen(
                        [jobs.world.binary, *jobs.arguments("busy", options, lines[outcome])], env=environment
                    )
                    for outcome in runs[batch : batch + 8]
                ]
                for process in started:
                    process.wait(60)
            runs.append("ok")
            equal(jobs.run("busy", "exit 0", *options), 0, "status of the last run")
            for outcome in OUTCOMES:
                expected = float(runs.count(outcome))
                jobs.until(outcome, f'cronward_runs_total{{task="busy",outcome="{outcome}"}}', expected)
        with check("a cronward that is killed at any instant leaves whole files, and what it leaves is replaced"):
            chance = random.Random(1)
            for _ in range(100):
                process = subprocess.Popen(
                    [jobs.world.binary, *jobs.arguments("busy", options, "exit 0")], env=environment
                )
                # Not a wait for anything: the instant is to be any.
                time.sleep(chance.random() * 0.012)
                process.kill()
                process.wait(60)
            equal(jobs.run("busy", "exit 0", *options), 0, "status of the last run")
            equal([name for name in jobs.files() if name.startswith(".")], [], "files left behind")
    finally:
        stop.set()
        reader.join()
    with check("a reader that never pauses saw whole files only, and no counter went back"):
        equal(faults[:3], [], f"faults of {len(faults)}")
        assert seen[0] > 20, f"the reader has seen {seen[0]} changes"
    with check("Prometheus saw no counter go back"):
        total = 'sum(cronward_runs_total{task="busy"})'
        with open(text, encoding="utf-8") as file:
            counts = re.findall(r'^cronward_runs_total\{.*\} (\d+)$', file.read(), re.M)
        jobs.until("the last run", total, float(sum(map(int, counts))))
        equal(jobs.prometheus.value("sum(resets(cronward_runs_total[1h]))"), 0.0, "resets of all counters")
        jobs.lint()


def check_users(check, jobs):
    """A directory that others can write."""
    with check("two users' jobs of one label are not mixed in one file, and the second is told so"):
        label, state = "shared", os.path.join(jobs.world.work, "prometheus/theirs")
        os.mkdir(state)
        os.chown(state, 65534, 65534)
        events = os.path.join(state, "events.jsonl")
        equal(jobs.run(label, "exit 0"), 0, "status")
        sinks = ["--sink", f"textfile:{jobs.textfiles}", "--sink", f"jsonl:{events}"]
        other = {"user": 65534, "group": 65534, "extra_groups": []}
        ran = jobs.world.cronward("-l", label, *sinks, "-c", "exit 3", state=f"{state}/state", **other)
        equal(ran.returncode, 3, f"status\n{ran.stderr}")
        said = f"textfile:{jobs.textfiles}: 'cronward_shared.prom' belongs to user 0; use another label or another directory"
        equal(finished(events, label)[-1]["sink_errors"], [said], "errors")
        # A job of their own, in the same directory.
        ran = jobs.world.cronward("-l", "theirs", *sinks, "-c", "exit 3", state=f"{state}/state", **other)
        equal((ran.returncode, finished(events, "theirs")[-1].get("sink_errors")), (3, None), "status and errors")
        jobs.until("theirs", 'cronward_last_run_exit_code{task="theirs"}', 3.0)
        jobs.until("ours", 'cronward_last_run_exit_code{task="shared"}', 0.0)
        jobs.lint()


def check_pushes(check, jobs):
    """What is pushed is taken, grouped by host and job, and read back by Prometheus."""
    push, host = jobs.push, socket.gethostname()
    sink = f"pushgateway:http://127.0.0.1:{push.port}"
    words = [word for tag in TAGS for word in ("-t", tag)]
    with check("the Pushgateway takes any label and any tags, each job of a host in a group of its own"):
        for label in LABELS:
            equal(jobs.run(label, "exit 3", "--alert-after", "9", *words, sink=sink), 3, f"status of {label!r}")
        groups = {labels["task"]: (labels, families) for labels, families in push.groups()}
        equal(sorted(groups), sorted(LABELS), "tasks")
        expected = dict(filter(None, TAGS.values()))
        for label, (labels, families) in groups.items():
            equal(labels, {"job": "cronward", "instance": host, "task": label}, "labels of the group")
            [metric] = families["cronward_last_run_exit_code"]["metrics"]
            equal((metric["labels"], metric["value"]), (labels | expected, "3"), f"exit code of {label!r}")
            equal(families["push_failure_time_seconds"]["metrics"][0]["value"], "0", f"last failure of {label!r}")
    with check("what is read back from its page is what the file has"):
        equal(jobs.run("a/b", "exit 3", "--alert-after", "9", "--sink", f"textfile:{jobs.textfiles}", sink=sink), 3, "status")
        # Every sample, with the labels of the group, which the page has in an order of its own.
        pushed = samples(push.get("/metrics"), {"task": "a/b", "job": "cronward", "instance": host})
        with open(os.path.join(jobs.textfiles, "cronward_a%2Fb.prom"), encoding="utf-8") as file:
            written = samples(file.read(), {"task": "a/b"}, {"job": "cronward", "instance": host})
        equal(pushed, written, "samples")
        assert len(written) > 25, written
    with check("Prometheus reads what was pushed under the host and the job that pushed it"):
        series = f'{{job="cronward",instance="{host}",task="a/b"}}'
        jobs.until("the push", f"cronward_last_run_exit_code{series}", 3.0)
    with check("each push replaces the one before it, and one without a history takes no counter away"):
        equal(jobs.run("ci", "kill -KILL $$", sink=sink), -9, "status")
        equal(jobs.run("ci", "exit 0", sink=sink), 0, "status")
        file = os.path.join(jobs.world.work, "prometheus/no-state")
        families = dict((labels["task"], families) for labels, families in push.groups())["ci"]
        assert "cronward_last_run_signal" not in families, families
        equal(jobs.run("ci", "exit 5", sink=sink, state=file), 5, "status")
        families = dict((labels["task"], families) for labels, families in push.groups())["ci"]
        counts = {metric["labels"]["outcome"]: metric["value"] for metric in families["cronward_runs_total"]["metrics"]}
        equal((counts["ok"], counts["signaled"]), ("1", "1"), "counts")
        equal(families["cronward_last_run_exit_code"]["metrics"][0]["value"], "5", "exit code")
        equal(families["cronward_history_readable"]["metrics"][0]["value"], "0", "whether the history could be read")
    with check("a check pushes its time, and the Pushgateway complains of nothing"):
        sinks = {"CRONWARD_SINK": sink, "PATH": os.environ["PATH"]}
        empty = jobs.world.directory("prometheus/empty")
        jobs.world.cronward("check", "--state-dir", empty, state=empty, env=sinks)
        [families] = [families for labels, families in push.groups() if "task" not in labels]
        then = float(families["cronward_check_timestamp_seconds"]["metrics"][0]["value"])
        assert 0 <= time.time() - then < 60, then
        equal(push.complaints(), [], "complaints")


def samples(text, wanted, more=None):
    """The samples of a text that have these labels: name, other labels and value; `more` is added to each."""
    found = set()
    for name, labels, value in re.findall(r"^(cronward_\w+)\{(.*)\} (\S+)$", text, re.M):
        pairs = dict(re.findall(r'(\w+)="((?:\\.|[^"\\])*)"', labels))
        if wanted.items() <= pairs.items():
            found.add((name, tuple(sorted((pairs | (more or {})).items())), float(value)))
    return found
