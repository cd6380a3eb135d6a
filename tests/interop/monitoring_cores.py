"""Nagios Core and Icinga 2, each with an example's configuration: what they make of the output of a plugin."""

import os
import re
import signal
import subprocess
from typing import NamedTuple

from process import Server, wait_until

# What the examples run, and cannot run here: there is no sudo, and the binary is elsewhere.
NAGIOS_COMMAND = "/usr/bin/sudo -n /usr/local/bin/cronward check"
ICINGA_COMMAND = '"/usr/bin/sudo", "-n", "/usr/local/bin/cronward", "check"'


class Service(NamedTuple):
    """A service after its first check."""

    state: int
    text: str
    data: str


def put_in_place(text, *places):
    """The text with each place, that must be there, replaced."""
    for old, new in places:
        assert old in text, f"'{old}' is not in\n{text}"
        text = text.replace(old, new)
    return text


class Nagios:
    """Its configuration; `check` looks at it, `run` runs it until every service has been checked."""

    def __init__(self, tools, directory, example):
        self.tools, self.directory = tools, directory
        os.makedirs(directory, exist_ok=True)
        self.services = os.path.join(directory, "services.cfg")
        self.config = os.path.join(directory, "nagios.cfg")
        self.example = example
        objects = [tools.path(f"/etc/nagios4/objects/{name}.cfg") for name in self.OBJECTS]
        files = {
            "log_file": "nagios.log",
            "object_cache_file": "objects.cache",
            "status_file": "status.dat",
            "lock_file": "lock",
            "temp_file": "temp",
            "temp_path": ".",
            "check_result_path": ".",
            "state_retention_file": "retention.dat",
            "query_socket": "query",
        }
        with open(self.config, "w", encoding="utf-8") as file:
            for path in (*objects, self.services):
                file.write(f"cfg_file={path}\n")
            for name, value in files.items():
                file.write(f"{name}={os.path.join(directory, value)}\n")
            # It writes for itself at once, and hands nothing to anybody else.
            file.write(
                "nagios_user=root\nnagios_group=root\nuse_syslog=0\ncheck_external_commands=0\nenable_notifications=0\n"
                "status_update_interval=1\nservice_inter_check_delay_method=n\ncheck_workers=2\n"
                "illegal_macro_output_chars=`~$&|'\"<>\n"
            )

    # Debian's own, which have the templates that the example uses.
    OBJECTS = ("commands", "contacts", "templates", "timeperiods")

    # The host of the example, which nobody asks whether it is up.
    HOST = """
define host {
    use                     generic-host
    host_name               localhost
    contact_groups          admins
    max_check_attempts      1
    active_checks_enabled   0
}
"""

    def write(self, text):
        with open(self.services, "w", encoding="utf-8") as file:
            file.write(text + self.HOST)

    def check(self):
        """What it complains of in the example as it stands."""
        self.write(self.example)
        command = [self.tools.path("/usr/sbin/nagios4"), "-v", self.config]
        said = subprocess.run(command, capture_output=True, text=True, env=self.tools.environment)
        wrong = [line for line in said.stdout.splitlines() if line.startswith(("Error", "Warning"))]
        return wrong or ([] if said.returncode == 0 else [said.stdout + said.stderr])

    def run(self, world, plugin, replays):
        """Runs the example with `plugin` for its command, and beside it what was printed before; by service."""
        text = put_in_place(self.example, (NAGIOS_COMMAND, f"{plugin} check"))
        for name, script in replays.items():
            text += f"define command {{\n command_name {name}\n command_line {script}\n}}\n"
            text += (
                f"define service {{\n use generic-service\n host_name localhost\n service_description {name}\n"
                f" check_command {name}\n max_check_attempts 1\n}}\n"
            )
        self.write(text)
        command = [self.tools.path("/usr/sbin/nagios4"), self.config]
        server = world.started(Server("nagios", command, self.directory, env=self.tools.environment))
        expected = text.count("define service")

        def checked():
            found = self.read()
            return found if len(found) == expected else None

        services = wait_until("nagios has checked every service", checked, 30, server.process)
        server.stop()
        return services

    def read(self):
        """The services that have been checked, from the file that its pages are made of."""
        path = os.path.join(self.directory, "status.dat")
        if not os.path.exists(path):
            return {}
        with open(path, encoding="utf-8") as file:
            blocks = re.findall(r"^servicestatus \{\n(.*?)^\t\}", file.read(), re.S | re.M)
        services = {}
        for block in blocks:
            fields = dict(line.strip().split("=", 1) for line in block.splitlines())
            if fields["has_been_checked"] == "1":
                long_text = fields["long_plugin_output"].replace("\\n", "\n")
                text = "\n".join(filter(None, (fields["plugin_output"], long_text)))
                name = fields["service_description"]
                services[name] = Service(int(fields["current_state"]), text, fields["performance_data"])
        return services


class Icinga:
    """The same of Icinga 2."""

    def __init__(self, tools, directory, example):
        self.tools, self.directory, self.example = tools, directory, example
        os.makedirs(directory, exist_ok=True)
        self.config = os.path.join(directory, "icinga2.conf")
        self.spool = os.path.join(directory, "services")
        constants = ("DataDir", "CacheDir", "LogDir", "SpoolDir", "InitRunDir")
        self.command = [
            *(tools.path("/usr/lib/*/icinga2/sbin/icinga2"), "daemon", "--config", self.config),
            *("--include", tools.path("/usr/share/icinga2/include")),
            *(word for name in constants for word in ("--define", f"{name}={directory}")),
            *("--define", "RunAsUser=root", "--define", "RunAsGroup=root"),
        ]

    def write(self, example, more=""):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(
                f"""include <itl>
const NodeName = "db1"
const ZoneName = NodeName
include "{self.tools.path("/etc/icinga2/conf.d/templates.conf")}"
object Host NodeName {{
  check_command = "dummy"
  enable_active_checks = false
  vars.cronward_jobs = [ "pg-backup" ]
}}
{example}
{more}
"""
            )

    def check(self):
        """What it complains of in the example as it stands."""
        self.write(self.example)
        said = subprocess.run(
            [*self.command, "--validate"], capture_output=True, text=True, env=self.tools.environment
        )
        wrong = [line for line in said.stdout.splitlines() if " information/" not in line]
        return wrong or ([] if said.returncode == 0 else [said.stdout + said.stderr])

    def run(self, world, plugin, replays):
        """Runs the example with `plugin` for its command, and beside it what was printed before; by service."""
        words = ", ".join(f'"{word}"' for word in (*plugin.split(), "check"))
        # The first check comes within the interval.
        example = put_in_place(self.example, (ICINGA_COMMAND, words), ("check_interval = 10m", "check_interval = 1s"))
        more = "".join(
            f"""object CheckCommand "{name}" {{
  command = [ "{script}" ]
}}
apply Service "{name}" {{
  check_command = "{name}"
  check_interval = 1s
  max_check_attempts = 1
  assign where true
}}
"""
            for name, script in replays.items()
        )
        more += f"""object CheckerComponent "checker" {{ }}
object PerfdataWriter "perfdata" {{
  service_perfdata_path = "{self.spool}"
  service_temp_path = "{self.spool}.part"
  host_perfdata_path = "{self.spool}.host"
  host_temp_path = "{self.spool}.host.part"
  service_format_template = "<<$service.name$##$service.state_id$##$service.output$##$service.perfdata$>>"
  rotation_interval = 1s
}}
"""
        self.write(example, more)
        server = world.started(Daemon("icinga2", self.command, self.directory, env=self.tools.environment))
        expected = {"cron jobs", "pg-backup", *replays}

        def checked():
            found = self.read()
            return found if found.keys() == expected else None

        services = wait_until("icinga2 has checked every service", checked, 30, server.process)
        server.stop()
        return services

    def read(self):
        """The services that have been checked, from the files that a grapher reads."""
        services = {}
        for name in sorted(os.listdir(self.directory)):
            if re.fullmatch(r"services\.\d+", name):
                with open(os.path.join(self.directory, name), encoding="utf-8") as file:
                    for service, state, text, data in re.findall("<<(.*?)##(.*?)##(.*?)##(.*?)>>", file.read(), re.S):
                        services[service] = Service(int(state), text.strip(), data)
        return services


class Daemon(Server):
    """A server of several processes, which has nothing to lose: when told to end it may take its time."""

    def __init__(self, name, argv, directory, **options):
        super().__init__(name, argv, directory, start_new_session=True, **options)

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
