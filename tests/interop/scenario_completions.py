"""What bash, zsh and fish offer for half a line once they have read `cronward completions`."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import time

from report import equal

# Completes one line with bash as readline would: taken apart at COMP_WORDBREAKS, the cursor at its end.
BASH = r"""
source {bash_completion}
source {script}
COMP_LINE=$1 COMP_POINT=${{#1}}
COMP_WORDS=() COMP_TYPE=9 COMP_KEY=9
rest=$1
while [[ -n $rest ]]; do
    if [[ $rest =~ ^[[:space:]]+ ]]; then rest=${{rest#"$BASH_REMATCH"}}; [[ -z $rest ]] && COMP_WORDS+=("")
    elif [[ $rest =~ ^[:=]+ ]] || [[ $rest =~ ^(\'[^\']*\'?|\\.|[^[:space:]:=\'])+ ]]; then COMP_WORDS+=("$BASH_REMATCH"); rest=${{rest#"$BASH_REMATCH"}}
    fi
done
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
compopt() {{ :; }}
_cronward
printf '%s\n' "${{COMPREPLY[@]}}"
"""

# Completes one line in an interactive zsh and lists what is offered instead of inserting it.
ZSH = r"""
autoload -Uz compinit; compinit -u -D
source {script}
zstyle ':completion:*' menu no
zstyle ':completion:*' verbose no
compadd () {{
    if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
    local -a hits
    builtin compadd -A hits "$@"
    (( $#hits )) && print -rl -- $hits >>{offers}
    builtin compadd "$@"
}}
PS1='ready> '
"""


def of_bash(world, line, script, has_package):
    package = "/usr/share/bash-completion/bash_completion" if has_package else "/dev/null"
    path = os.path.join(world.directory("completions"), "bash.sh")
    with open(path, "w", encoding="utf-8") as file:
        file.write(BASH.format(bash_completion=package, script=script))
    return offered(world, ["bash", path, line])


def of_fish(world, line, script):
    quoted = "'" + line.replace("\\", "\\\\").replace("'", "\\'") + "'"
    lines = offered(world, ["fish", "--no-config", "-c", f"source {script}; complete -C {quoted}"])
    return [text.split("\t")[0] for text in lines]


def environment(world):
    here = world.directory("completions")
    path = f"{here}/bin:/usr/local/bin:/usr/bin:/bin"
    state = os.path.join(here, "state")
    return {"PATH": path, "HOME": here, "LC_ALL": "C.UTF-8", "TERM": "dumb", "CRONWARD_STATE_DIR": state}


def offered(world, argv):
    here = world.directory("completions")
    options = {"stdin": subprocess.DEVNULL, "timeout": 60, "env": environment(world), "cwd": here}
    done = subprocess.run(argv, capture_output=True, **options)
    complaints = [line for line in done.stderr.decode().splitlines() if line]
    equal(complaints, [], f"what {argv[0]} complains of")
    return [line for line in done.stdout.decode().splitlines() if line]


class Zsh:
    """An interactive zsh at a terminal."""

    def __init__(self, world, script):
        here = world.directory("completions")
        self.offers = os.path.join(here, "offers")
        with open(os.path.join(here, ".zshrc"), "w", encoding="utf-8") as file:
            file.write(ZSH.format(script=script, offers=self.offers))
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(here)
            os.execve("/usr/bin/zsh", ["zsh", "-d", "-i"], environment(world))
        self.read_until(b"ready> ")

    def read_until(self, sign):
        seen, deadline = b"", time.monotonic() + 20
        while not re.search(sign, seen, re.DOTALL):
            assert time.monotonic() < deadline, f"zsh does not say {sign}: {seen[-2000:]}"
            if select.select([self.terminal], [], [], 1)[0]:
                seen += os.read(self.terminal, 65536)
        return seen

    def offered(self, line):
        open(self.offers, "w", encoding="utf-8").close()
        # The tab, then the line is thrown away: the next prompt says that it is done.
        os.write(self.terminal, line.encode() + b"\t")
        os.write(self.terminal, b"\x15print -r done-$((6*7))\r")
        self.read_until(b"done-42.*ready> ")
        with open(self.offers, encoding="utf-8") as file:
            return [text for text in file.read().splitlines() if text]

    def close(self):
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


# A line, what is offered among others, and what is not.
LINES = (
    ("cronward sta", {"status"}, {"--label", "history"}),
    ("cronward --al", {"--alert-after", "--alert-key"}, {"--json"}),
    ("cronward status --", {"--json", "--state-dir"}, {"--label"}),
    ("cronward wrap --", {"--diff", "--system"}, {"--json", "--state-dir"}),
    ("cronward wrap cron", {"crontab-of-mine"}, {"nightly"}),
    ("cronward completions ", {"bash", "zsh", "fish"}, {"nightly"}),
    ("cronward drill ni", {"nightly"}, {"weekly"}),
    ("cronward status weekly ni", {"nightly"}, {"weekly"}),
    ("cronward --label ni", {"nightly"}, {"weekly"}),
    ("cronward -l ni", {"nightly"}, {"weekly"}),
    ("cronward --severity ", {"info", "warning", "error", "critical"}, {"nightly"}),
    ("cronward --lock --log-when f", {"failed"}, {"always"}),
    ("cronward -l x --sink dog", {"dogstatsd:"}, {"jsonl:", "status"}),
    ("cronward -l x --log-dir bi", {"bin"}, {"crontab-of-mine"}),
    ("cronward -l x my-pro", {"my-program"}, {"status"}),
    ("cronward -l x -- my-pro", {"my-program"}, {"status"}),
    ("cronward -l x dri", set(), {"drill", "--label"}),
    ("cronward -l x -- my-program cron", {"crontab-of-mine"}, {"nightly", "status"}),
    ("cronward -l x my-program --al", set(), {"--alert-after"}),
)


def run(world):
    check = world.report.check
    here = world.directory("completions")
    os.makedirs(os.path.join(here, "bin"))
    shutil.copy(world.binary, os.path.join(here, "bin/cronward"))
    with open(os.path.join(here, "bin/my-program"), "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n")
    os.chmod(os.path.join(here, "bin/my-program"), 0o755)
    open(os.path.join(here, "crontab-of-mine"), "w", encoding="utf-8").close()
    scripts = {}
    for shell in ("bash", "zsh", "fish"):
        scripts[shell] = os.path.join(here, f"script.{shell}")
        with open(scripts[shell], "wb") as file:
            done = world.cronward("completions", shell, state=os.path.join(here, "state"))
            equal((done.returncode, done.stderr), (0, b""), f"how completions {shell} ends")
            file.write(done.stdout)

    zsh = Zsh(world, scripts["zsh"])
    shells = {
        "bash": lambda line: of_bash(world, line, scripts["bash"], False),
        "bash with bash-completion": lambda line: of_bash(world, line, scripts["bash"], True),
        "zsh": zsh.offered,
        "fish": lambda line: of_fish(world, line, scripts["fish"]),
    }
    try:
        for name, complete in shells.items():
            with check(f"{name}: where there is no state there are no labels, and nothing is said"):
                equal(complete("cronward drill "), [], "offers")
        for label in ("nightly", "weekly", "two words", "db:dump"):
            world.cronward("-l", label, "--sink", "none", "--", "true", state=os.path.join(here, "state"))
        for name, complete in shells.items():
            for line, expected, others in LINES:
                with check(f"{name}: {line!r} is offered {', '.join(sorted(expected)) or 'nothing of cronward'}"):
                    offers = {bare(offer) for offer in complete(line)}
                    assert expected <= offers, f"missing {sorted(expected - offers)} among {sorted(offers)[:40]}"
                    assert not others & offers, f"offered all the same: {sorted(others & offers)}"
            with check(f"{name}: a label with a blank is offered as one word"):
                offers = complete("cronward forget two")
                equal([re.sub(r"\\ ", " ", offer) for offer in offers], ["two words"], "offers")
            with check(f"{name}: of a label with a colon the rest is offered"):
                offers = complete("cronward history db:")
                assert offers in (["dump"], ["db:dump"], ["db\\:dump"]), f"offered {offers}"
            with check(f"{name}: --quiet= is offered its values"):
                offers = {offer.removeprefix("--quiet=") for offer in complete("cronward --quiet=")}
                equal(offers, {"failure", "alert"}, "offers")
            with check(f"{name}: the path of a sink is completed behind its kind"):
                offers = complete("cronward --sink jsonl:cront")
                assert any(offer.endswith("crontab-of-mine") for offer in offers), f"offered {offers}"
        with check("every word that is offered for a severity, a summary or a log is taken"):
            for option in ("--severity", "--summary", "--log-when", "--alert-after", "--log-keep", "--capture", "--schedule"):
                words = shells["fish"](f"cronward {option} ")
                assert words, f"nothing for {option}"
                for word in words:
                    done = world.cronward("--no-config", option, word, "--log-dir", here, "--dry-run", "true", state=here)
                    equal((done.returncode, done.stderr), (0, b""), f"{option} {word}")
        with check("labels are one a line for programs, and those of the state"):
            done = world.cronward("completions", "labels", state=os.path.join(here, "state"))
            equal(sorted(done.stdout.decode().splitlines()), ["db:dump", "nightly", "two words", "weekly"], "labels")
            listed = json.loads(world.cronward("status", "--json", state=os.path.join(here, "state")).stdout)
            equal(len(listed), 4, "jobs of status")
    finally:
        zsh.close()


def bare(offer):
    """Without what a shell puts behind a directory or an option that takes a value."""
    return offer.rstrip("/").removesuffix("=")
