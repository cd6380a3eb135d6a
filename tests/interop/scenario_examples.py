"""The examples for monitoring systems, by those systems' own programs; and what they make of `cronward check`."""

import glob
import json
import os
import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor

from monitoring_cores import Icinga, Nagios
from report import equal
from unpacked import Unpacked

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.normpath(os.path.join(HERE, "../../examples"))
PACKAGES = ("prometheus", "nagios4-core", "icinga2-bin", "libmonitoring-plugin-perl")
# Of Prometheus only promtool is wanted, and the server is large.
LEFT_OUT = ("./usr/bin/prometheus",)

# A label that has what may mean something in the output of a plugin, in a shell or in a configuration.
HOSTILE = "it's \"a=b\" |c; $d 'e'=1;2"

# Runs in the virtual environment, with the wheels of Datadog's client in its path: a JSON array of monitors on stdin;
# answers each with a line, empty if the client's model of the API has nothing against it.
VALIDATE_MONITORS = """
import json, sys
sys.path[:0] = sys.argv[1:]
from datadog_api_client import ApiClient, Configuration
from datadog_api_client.v1.model.monitor import Monitor
client = ApiClient(Configuration())
def complaint(monitor):
    try:
        model = client.deserialize(json.dumps(monitor), (Monitor,), True)
    except Exception as error:
        return str(error)
    options = monitor.get("options", {})
    known = model.openapi_types.keys(), model.options.openapi_types.keys() if options else ()
    unknown = [*(monitor.keys() - known[0]), *(options.keys() - known[1])]
    return f"no such field: {unknown}" if unknown else "a value is none of those that there are" if model._unparsed else ""
for monitor in json.load(sys.stdin):
    print(complaint(monitor).replace("\\n", " "))
"""

# What the client must refuse if it is to mean something.
MONITOR_FORGERIES = (
    ("no query", lambda monitor: monitor.pop("query")),
    ("an unknown type", lambda monitor: monitor.update(type="metrical alert")),
    ("an unknown field", lambda monitor: monitor.update(labels=[])),
    ("an unknown option", lambda monitor: monitor["options"].update(no_data="notify")),
    ("an unknown way with missing data", lambda monitor: monitor["options"].update(on_missing_data="notify")),
    ("a threshold in words", lambda monitor: monitor["options"]["thresholds"].update(critical="one")),
)

# Performance data on stdin, an output a line; for each line a JSON array of [name, value, unit, critical, min].
PARSE_DATA = r"""
use strict; use warnings; use JSON::PP; use Monitoring::Plugin::Performance;
while (my $line = <STDIN>) {
    chomp $line;
    my @all = Monitoring::Plugin::Performance->parse_perfstring($line);
    print encode_json([map { [$_->label, 0 + $_->value, $_->uom // "", $_->critical // "", $_->min // ""] } @all]), "\n";
}
"""


def example(name):
    with open(os.path.join(EXAMPLES, name), encoding="utf-8") as file:
        return file.read()


def run(world):
    with ThreadPoolExecutor() as pool:
        # While the one is unpacked the other is fetched.
        wheels = pool.submit(fetch_client, world)
        tools = Unpacked(world.directory("examples/tools"), PACKAGES, LEFT_OUT)
        check_prometheus(world, tools)
        check_cores(world, tools)
        check_datadog(world, wheels.result())


def check_prometheus(world, tools):
    check = world.report.check
    for rules, silence in (
        ("prometheus-rules", "when data stop, a success is old or an alert is open"),
        ("prometheus-textfile-rules", "when a check stops, a job fails too often or a file cannot be read"),
    ):
        example_path, test = os.path.join(EXAMPLES, f"{rules}.yml"), os.path.join(HERE, f"{rules}.test.yml")
        for sentence, words in (
            (f"Prometheus takes {rules}.yml", ("check", "rules", "--lint-fatal", example_path)),
            (f"{rules}.yml fire {silence}, and are silent when all is well", ("test", "rules", test)),
        ):
            with check(sentence):
                said = subprocess.run([tools.path("/usr/bin/promtool"), *words], capture_output=True, text=True)
                assert said.returncode == 0, said.stdout + said.stderr


def fetch_client(world):
    """The wheels of Datadog's client, which Python reads as they are: unpacked they are ten thousand files."""
    wheels = os.path.join(world.directory("examples"), "wheels")
    command = [world.python, "-m", "pip", "download", "--quiet", "--no-cache-dir", "--disable-pip-version-check"]
    subprocess.run([*command, "--only-binary=:all:", "--dest", wheels, "datadog-api-client"], check=True)
    return glob.glob(f"{wheels}/*.whl")


def check_datadog(world, wheels):
    check = world.report.check

    def complaints(monitors):
        said = subprocess.run(
            [world.python, "-c", VALIDATE_MONITORS, *wheels],
            input=json.dumps(monitors),
            text=True,
            capture_output=True,
        )
        assert said.returncode == 0, said.stderr
        return said.stdout.splitlines()

    with check("Datadog's client takes the monitors"):
        monitors = json.loads(example("datadog-monitors.json"))
        equal(complaints(monitors), [""] * len(monitors), "complaints")
    with check("Datadog's client refuses what is no monitor"):
        forgeries = [json.loads(json.dumps(monitors[0])) for _ in MONITOR_FORGERIES]
        for forgery, (_, forge) in zip(forgeries, MONITOR_FORGERIES, strict=True):
            forge(forgery)
        said = zip(MONITOR_FORGERIES, complaints(forgeries), strict=True)
        equal([name for (name, _), complaint in said if complaint == ""], [], "forgeries that it takes")


def check_cores(world, tools):
    """Both cores take their example as it stands, and read from a check what it says by --json."""
    check = world.report.check
    here = world.directory("examples")
    cores = {
        "Nagios": Nagios(tools, os.path.join(here, "nagios"), example("nagios-command.cfg")),
        "Icinga": Icinga(tools, os.path.join(here, "icinga"), example("icinga2-command.conf")),
    }
    for name, core in cores.items():
        with check(f"{name} takes its example without a word"):
            equal(core.check(), [], "complaints")

    state = os.path.join(here, "state")
    for label, command in (("pg-backup", "true"), (HOSTILE, "true"), ("reports", "false")):
        world.cronward("-l", label, "--max-age", "1d", "--sink", "none", "--", command, state=state)
    asked = {"all": [], "one": ["pg-backup"], "hostile": [HOSTILE], "bad": ["reports"], "unknown": ["no such job"]}
    printed = {name: world.cronward("check", *labels, state=state) for name, labels in asked.items()}
    found = {
        name: json.loads(world.cronward("check", "--json", *labels, state=state).stdout)
        for name, labels in asked.items()
    }
    statuses = {"all": 2, "one": 0, "hostile": 0, "bad": 2, "unknown": 3}
    with check("a check ends with the status of a plugin"):
        equal({name: ran.returncode for name, ran in printed.items()}, statuses, "exit statuses")

    replays = {name: replay(here, name, ran) for name, ran in printed.items()}
    plugin = f"/usr/bin/env CRONWARD_STATE_DIR={state} {world.binary}"
    for core_name, core in cores.items():
        services = None
        with check(f"{core_name} runs its example"):
            services = core.run(world, plugin, replays)
        if services is None:
            continue
        # The two of the example, and the others.
        for name, outcome in (("cron jobs", "all"), ("pg-backup", "one"), *((name, name) for name in asked)):
            with check(f"{core_name} reads the check '{name}': its state, its text and every measurement"):
                equal(services[name].state, statuses[outcome], "state")
                check_text(services[name].text, found[outcome])
                check_data(services[name].data, found[outcome], tools)


def replay(here, name, ran):
    """A plugin that prints what was printed, and ends as that ended."""
    path = os.path.join(here, f"replay-{name}")
    with open(path, "wb") as file:
        file.write(f"#!/bin/sh\ncat <<'END OF OUTPUT'\n".encode() + ran.stdout)
        file.write(f"END OF OUTPUT\nexit {ran.returncode}\n".encode())
    os.chmod(path, 0o755)
    return shlex.quote(path)


def check_text(text, findings):
    """A line for the whole, and for several jobs one for each."""
    first, *others = text.splitlines()
    assert first.startswith("CRONWARD "), text
    words = [finding["status"] for finding in findings]
    expected = words if len(words) > 1 else []
    equal([line.split("]")[0].lstrip("[") for line in others], expected, f"words of the lines in\n{text}\n")


def check_data(data, findings, tools):
    """Every number of the findings is among the measurements, once, and nothing else is."""
    expected = []
    if len(findings) > 1:
        words = [finding["status"].lower() for finding in findings]
        expected += [("jobs", len(words), "")]
        expected += [(word, words.count(word), "") for word in ("ok", "warning", "critical", "unknown")]
    for finding in findings:
        # What stands for the characters that the grammar has not is the plugin's own choice.
        label = re.sub("[|='\"]", "?", finding["label"])
        if "success_age_s" in finding:
            expected.append((f"{label} success_age", finding["success_age_s"], "s"))
        counts = (finding["consecutive_failures"], finding["missed"], finding["running"])
        for what, count in zip(("failures", "missed", "running"), counts, strict=True):
            expected.append((f"{label} {what}", count, ""))
    parsed = subprocess.run(
        ["perl", "-e", PARSE_DATA], input=f"{data}\n", capture_output=True, text=True, env=tools.environment
    )
    assert parsed.returncode == 0, parsed.stderr
    measured = json.loads(parsed.stdout)
    equal(len(measured), len(expected), f"number of measurements in {data!r}")
    for (name, value, unit, _, least), (wanted, number, its_unit) in zip(measured, expected, strict=True):
        pattern = re.escape(wanted).replace(r"\?", ".")
        assert re.fullmatch(pattern, name), f"'{name}' is not '{wanted}' in {data!r}"
        # A second more may have passed between the two.
        slack = 60 if its_unit else 0
        assert number <= value <= number + slack and unit == its_unit, f"'{name}' is {value}{unit}, not {number}"
        if least != "":
            equal(float(least), 0.0, f"least value of '{name}'")
