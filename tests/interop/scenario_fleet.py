"""The examples for CI, systemd, Kubernetes, Grafana, Ansible and Chef, by the programs, schemas and models that there are
for them. Ansible really sets up a host, in a mount namespace in which nothing of this one is changed. Chef itself is not
there: its recipe is evaluated by Ruby with chef_stand_in.rb, and has to make what Ansible made."""

import glob
import json
import os
import re
import shutil
import subprocess

from namespace import in_namespace
from report import equal
from scenario_examples import EXAMPLES, HERE, example
from unpacked import Unpacked

PACKAGES = ("ruby", "systemd")
WHEELS = ("check-jsonschema", "kubernetes-validate", "ansible-core", "grafana-foundation-sdk")
SECRET = "https://hooks.example.org/services/of-nobody"

# Reads a dashboard by the model of Grafana's own SDK, and says what of it the model does not give back.
LOST = """
import json, sys
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
register_default_plugins()
def lost(given, back, place):
    if isinstance(given, dict) and isinstance(back, dict):
        for name, value in given.items():
            yield from lost(value, back[name], f"{place}/{name}") if name in back else (f"{place}/{name}",)
    elif isinstance(given, list) and isinstance(back, list) and len(given) == len(back):
        for index, pair in enumerate(zip(given, back)):
            yield from lost(*pair, f"{place}/{index}")
    elif given != back:
        yield place
given = json.load(sys.stdin)
print(*lost(given, json.loads(JSONEncoder().encode(Dashboard.from_json(given))), ""), sep="\\n")
"""

# Where Ansible writes, and where the package has the binary.
PLACES = "/etc", "/usr/bin", "/usr/local/bin"


def run(world):
    check = world.report.check
    here = world.directory("fleet")
    tools = Unpacked(world.directory("fleet/tools"), PACKAGES)
    pip = [world.python, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check"]
    subprocess.run([*pip, *WHEELS], check=True)
    check_schemas(check, world, here)
    check_units(check, world, tools, here)
    check_dashboard_model(check, world)
    made = check_ansible(check, world, here)
    check_chef(check, tools, here, made)


def said(command, **options):
    """Status and words of a program."""
    ran = subprocess.run(command, capture_output=True, text=True, **options)
    return ran.returncode, (ran.stdout + ran.stderr).strip()


def forged(here, name, old, new):
    """A copy of an example with something else in it."""
    text = example(name)
    assert old in text, f"no '{old}' in {name}"
    path = os.path.join(here, f"forged-{name}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))
    return path


def check_schemas(check, world, here):
    """Published schemas take the examples, and refuse what is wrong."""
    programs = os.path.dirname(world.python)
    schema = lambda name: [f"{programs}/check-jsonschema", "--builtin-schema", f"vendor.{name}"]
    kubernetes = [f"{programs}/kubernetes-validate", "--strict"]
    for system, name, command, forgeries in (
        ("GitHub", "github-actions.yml", schema("github-workflows"), (("runs-on:", "run-on:"), ("if: always()", "if: [1]"))),
        ("GitLab", "gitlab-ci.yml", schema("gitlab-ci"), (("when: always", "when: sometimes"), ("script:", "scripts:"))),
        (
            "Kubernetes",
            "kubernetes-cronjob.yml",
            kubernetes,
            (("concurrencyPolicy", "concurencyPolicy"), ("backoffLimit: 0", "backoffLimit: none"), ("schedule:", "when:")),
        ),
    ):
        with check(f"the schema of {system} takes {name}"):
            status, words = said([*command, os.path.join(EXAMPLES, name)])
            equal(status, 0, f"status ({words})")
        with check(f"the schema of {system} refuses what is no such file"):
            taken = [new for old, new in forgeries if said([*command, forged(here, name, old, new)])[0] == 0]
            equal(taken, [], "forgeries that it takes")


def check_units(check, world, tools, here):
    analyze = tools.path("/usr/bin/systemd-analyze")
    libraries = [tools.environment["LD_LIBRARY_PATH"], *glob.glob(f"{tools.root}/usr/lib/*/systemd")]
    environment = tools.environment | {"LD_LIBRARY_PATH": ":".join(filter(None, libraries))}
    # With the binary where the package has it: systemd looks whether it is there.
    script = 'cp "$1" /usr/bin/cronward; shift; "$@"'
    words = world.binary, analyze, "verify", "--man=no"
    verify = lambda *paths: in_namespace(f"{here}/units", PLACES, script, *words, *paths, env=environment)
    with check("systemd takes the units without a word"):
        units = sorted(glob.glob(f"{EXAMPLES}/*.service") + glob.glob(f"{EXAMPLES}/*.timer"))
        equal(len(units), 4, "units")
        equal(verify(*units), (0, ""), "status and words")
    with check("systemd has a word for what is wrong with a unit"):
        for name, old, new in (
            ("pg-backup.service", "Type=oneshot", "Type=onetime"),
            ("pg-backup.service", "SuccessExitStatus=75", "SuccessExitStatus=900"),
            ("pg-backup.service", "/usr/bin/cronward", "/usr/bin/cronwarden"),
            ("pg-backup.timer", "02:30:00", "25:30:00"),
        ):
            status, words = verify(forged(here, name, old, new))
            assert words, f"'{new}' is taken: {status}"


def check_dashboard_model(check, world):
    def lost(dashboard):
        status, words = said([world.python, "-c", LOST], input=json.dumps(dashboard))
        equal(status, 0, f"status ({words})")
        return words.split()

    with check("Grafana's own model of a dashboard knows every field of it"):
        dashboard = json.loads(example("grafana-dashboard.json"))
        equal(lost(dashboard), [], "fields that it does not know")
    with check("Grafana's model loses what is no field"):
        dashboard["panels"][0]["gridPosition"] = dashboard["panels"][0].pop("gridPos")
        dashboard["panels"][1]["targets"][0]["expression"] = "1"
        dashboard["templating"]["list"][0]["caption"] = "x"
        lost_now = lost(dashboard)
        names = [place.rsplit("/", 1)[1] for place in lost_now]
        equal(sorted(names), ["caption", "expression", "gridPosition"], "fields that are lost")


# Plays the book twice, copies what came of it, and has cronward read it.
PLAY = """
play() { "$@" ansible-playbook.yml; }
play "$@"
echo SECOND
play "$@"
echo MADE
mkdir "$directory/made"
cp -a /etc/cronward "$directory/made/secrets"
cp -a /etc/cron.d/cronward "$directory/made/table"
cp -a /etc/cronward.toml /usr/local/bin/cronward "$directory/made"
cd /
export HOME=/root PATH=/usr/local/bin:/usr/bin:/bin
cronward --dry-run -l pg-backup --state-dir "$directory/state" true
"""


def check_ansible(check, world, here):
    """Returns the directory with what was made."""
    book = os.path.join(here, "ansible")
    os.makedirs(f"{book}/files")
    shutil.copy(world.binary, f"{book}/files/cronward")
    shutil.copy(os.path.join(EXAMPLES, "ansible-playbook.yml"), book)
    program = f"{os.path.dirname(world.python)}/ansible-playbook"
    variables = ("-e", "ansible_python_interpreter=/usr/bin/python3", "-e", f"slack_url={SECRET}")
    words = [program, "--inventory", "localhost,", "--connection", "local", "-v", "--diff", *variables]
    environment = {"PATH": os.environ["PATH"], "HOME": book, "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"}
    with check("Ansible takes the playbook"):
        status, output = said([*words, "--syntax-check", "ansible-playbook.yml"], cwd=book, env=environment)
        equal(status, 0, f"status ({output})")
    made = os.path.join(here, "host/made")
    status, output = in_namespace(f"{here}/host", PLACES, PLAY, *words, cwd=book, env=environment)
    with check("Ansible sets a host up, changes nothing when it is asked again, and does not say the secret"):
        equal(status, 0, f"status ({output})")
        first, second = output.split("\nMADE\n")[0].split("\nSECOND\n")
        assert re.search(r"changed=[1-9].* failed=0", first) and re.search(r"changed=0 .* failed=0", second), output
        assert SECRET not in output, output
    with check("the host that Ansible has set up has the files with their modes, and its configuration is in force"):
        expected = {"cronward": "755", "cronward.toml": "644", "secrets": "700", "secrets/slack.url": "600"}
        equal({name: f"{os.stat(os.path.join(made, name)).st_mode & 0o7777:o}" for name in expected}, expected, "modes")
        plan = output.split("\nMADE\n")[1]
        assert re.search(r"^ +timeout +4h +.*/etc/cronward\.toml", plan, re.M), plan
    return made


def check_chef(check, tools, here, made):
    """What a recipe says, against what Ansible made of its playbook."""
    libraries = f"{tools.root}/usr/lib/ruby/3.1.0", *glob.glob(f"{tools.root}/usr/lib/*-linux-*/ruby/3.1.0")
    environment = tools.environment | {"RUBYLIB": ":".join(libraries)}
    ruby = tools.path("/usr/bin/ruby")
    with check("Ruby takes the recipe of Chef"):
        equal(said([ruby, "-wc", f"{EXAMPLES}/chef-recipe.rb"], env=environment), (0, "Syntax OK"), "status and words")
    evaluate = lambda path: said([ruby, "-w", f"{HERE}/chef_stand_in.rb", path, SECRET], env=environment)
    with check("the recipe of Chef has the files, modes and lines of a crontab that Ansible has made"):
        status, words = evaluate(f"{EXAMPLES}/chef-recipe.rb")
        equal(status, 0, f"status ({words})")
        resources = {resource["name"]: resource for resource in json.loads(words)}
        for place, copy in (("/etc/cronward.toml", "cronward.toml"), ("/etc/cronward/slack.url", "secrets/slack.url")):
            with open(os.path.join(made, copy), encoding="utf-8") as file:
                equal(resources[place]["content"], file.read(), place)
        for place, copy in (
            ("/usr/local/bin/cronward", "cronward"),
            ("/etc/cronward", "secrets"),
            ("/etc/cronward.toml", "cronward.toml"),
            ("/etc/cronward/slack.url", "secrets/slack.url"),
        ):
            mode = os.stat(os.path.join(made, copy)).st_mode & 0o7777
            found = (resources[place]["owner"], resources[place]["group"], int(resources[place]["mode"], 8))
            equal(found, ("root", "root", mode), f"owner, group and mode of {place}")
        assert resources["/etc/cronward/slack.url"]["sensitive"] is True, "the secret would be in Chef's log"
        with open(os.path.join(made, "table"), encoding="utf-8") as file:
            variable, *table = [line for line in file.read().splitlines() if not line.startswith("#")]
        jobs = [resource for resource in resources.values() if resource["kind"] == "cron_d"]
        for job in jobs:
            equal(f'PATH="{job["path"]}"', variable, "PATH")
        equal([cron_line(job) for job in jobs], table, "lines of the crontab")
    with check("the stand-in for Chef refuses what is no recipe"):
        forgeries = (("cron_d", "cron_e"), ("minute", "minutes"), ("source 'cronward'", "source"))
        taken = [new for old, new in forgeries if evaluate(forged(here, "chef-recipe.rb", old, new))[0] == 0]
        equal(taken, [], "forgeries that it takes")


def cron_line(job):
    """A line of /etc/cron.d, as Chef's documentation says that cron_d writes it."""
    fields = " ".join(job.get(name, "*") for name in ("minute", "hour", "day", "month", "weekday"))
    return f"{fields} {job.get('user', 'root')} {job['command']}"
