"""A person at a terminal sees and types the same with cronward and without it: keys that interrupt, stop and end,
jobs in the background, prompts for passwords, pagers, windows that change their size. Each story is told twice, once
with cronward, and what came of it must be equal."""

import contextlib
import functools
import os
import pwd
import shutil
import signal
import subprocess
import time

import terminal_output
from process import wait_until
from report import equal
from terminal import (
    CTRL_BACKSLASH,
    CTRL_C,
    CTRL_D,
    CTRL_Z,
    PROMPT,
    Terminal,
    group,
    has_ended,
    settled,
    state,
)
from terminal_jobs import LINGERING, OBSERVING, answer, lingering, observing, pids_of, say, without_pids, write_jobs
from world import finished

SHELLS = {"bash": ["bash", "--norc", "--noprofile", "--noediting", "-i"], "dash": ["dash", "-i"]}

PASSWORD = "correct horse 7"


class Stage:
    """Where the stories take place: the programs, the binary in the PATH, the events that it wrote."""

    def __init__(self, world):
        self.check = world.report.check
        self.here = world.directory("terminal")
        os.chmod(self.here, 0o755)
        # The place of the original may be closed to other users.
        shutil.copy(world.binary, os.path.join(self.here, "cronward"))
        self.events = os.path.join(self.here, "events.jsonl")
        write_jobs(self.here)
        self.told = 0

    def environment(self, **more):
        return {
            "PATH": f"{self.here}:{os.environ['PATH']}",
            "HOME": self.here,
            "LC_ALL": "C",
            "CRONWARD_STATE_DIR": os.path.join(self.here, "state"),
            "CRONWARD_SINK": f"jsonl:{self.events}",
            "CRONWARD_SUMMARY": "never",
            # An alert that no sink takes is said on stderr.
            "CRONWARD_ALERT_AFTER": "100",
        } | more

    def terminal(self, shell="bash", user=None, **more):
        """A terminal at the first prompt of a shell."""
        terminal = Terminal(SHELLS[shell], self.environment(**more), self.here, user)
        try:
            terminal.prompt()
        except Exception:
            terminal.close()
            raise
        return terminal

    def label(self):
        self.told += 1
        return f"story-{self.told}"

    def run(self, label):
        """The one finished run of a label, once it is on record."""
        return wait_until(f"the run of {label} is on record", lambda: finished(self.events, label), 10)[0]

    def compare(self, sentence, story, expected=None, shells=("bash",), outcome=None):
        """Tells a story without cronward and with it: a function of a terminal and of the words that wrap, which
        returns what came of it. `outcome` is that of the run."""
        for shell in shells:
            with self.check(f"{shell}: {sentence}"):
                with self.terminal(shell) as terminal:
                    bare = story(terminal, "")
                if expected is not None:
                    equal(bare, expected, "without cronward")
                label = self.label()
                with self.terminal(shell) as terminal:
                    try:
                        wrapped = story(terminal, f"cronward -l {label} -- ")
                    except Exception as error:
                        raise AssertionError(f"with cronward: {error}") from error
                equal(wrapped, bare, "with cronward (expected: without it)")
                if outcome is not None:
                    equal(self.run(label)["outcome"], outcome, "outcome")


def run(world):
    stage = Stage(world)
    keys(stage)
    job_control(stage)
    background(stage)
    pipelines(stage)
    surroundings(stage)
    own_group(stage)
    end_of_session(stage)
    programs(stage)
    password(stage)
    terminal_output.run(stage)


def keys(stage):
    for key, name, status in ((CTRL_C, "SIGINT", 130), (CTRL_BACKSLASH, "SIGQUIT", 131)):
        shown = {CTRL_C: "Ctrl-C", CTRL_BACKSLASH: "Ctrl-\\"}[key]

        def counted(terminal, wrap):
            terminal.type(f"{wrap}observe - {name}\n")
            pids = observing(terminal)
            terminal.type(key)
            terminal.expect(rb"caught %b as number 1\r\n" % name.encode())
            terminal.wait_idle()
            counts = answer(terminal, "counts")
            terminal.type("end 7\n")
            return counts, terminal.prompt()

        sentence = f"{shown} reaches a job that catches it exactly once, and the job's own status comes through"
        stage.compare(sentence, counted, (f"{name}=1", 7), shells=SHELLS, outcome="stopped")

        def deadly(terminal, wrap):
            terminal.type(f"{wrap}linger\n")
            pid, above = lingering(terminal)
            terminal.type(key)
            # The pid of the shell is in what dash says of a death.
            return terminal.prompt(), without_pids(terminal.before), has_ended(pid)

        sentence = f"{shown} ends a job: the status is {status}, and the shell says of it what it always says"
        stage.compare(sentence, deadly, shells=SHELLS, outcome="stopped")

    def loop(terminal, wrap):
        terminal.type(f"for i in 1 2 3; do {wrap}linger; done; echo went on\n")
        lingering(terminal)
        terminal.type(CTRL_C)
        return terminal.prompt(), without_pids(terminal.before)

    sentence = "the first Ctrl-C ends a loop of jobs"
    stage.compare(sentence, loop, (130, "^C\n"), outcome="stopped")

    with stage.check("Ctrl-C that comes while cronward has yet to start the job ends it, and no job is started"):
        label = stage.label()
        with stage.terminal() as terminal:
            # As the terminal does, strace lets the kernel send it, when cronward opens the first file.
            inject = "strace -o /dev/null -e trace=openat -e inject=openat:signal=INT:when=1"
            equal(terminal.command(f"{inject} cronward -l {label} -- linger"), (130, "\n"), "status, and what is shown")
        equal(stage.run(label)["outcome"], "stopped", "outcome")

    def survived(terminal, wrap):
        terminal.type(f"for i in 1 2; do {wrap}observe - SIGINT; done\n")
        for status in (0, 3):
            pids = observing(terminal)
            terminal.type(CTRL_C)
            terminal.expect(rb"caught SIGINT as number 1\r\n")
            terminal.wait_idle()
            terminal.type(f"end {status}\n")
        return terminal.prompt()

    sentence = "Ctrl-C does not end a loop of jobs that catch it and end by themselves"
    stage.compare(sentence, survived, 3, outcome="ok")


def stopped(*pids):
    return all(state(pid) == "T" for pid in pids)


def running(*pids):
    return all(state(pid) in ("R", "S") for pid in pids)


def above(pids, wrap):
    """The processes of a job: what was started, and cronward if it is there."""
    return pids if wrap else pids[:1]


def shell_says(terminal, wrap, line):
    """What the shell prints, without the words that wrap."""
    return [terminal.command(line)[1].replace(wrap, "")]


def job_control(stage):
    def stop_and_go(terminal, wrap):
        facts = []
        terminal.type(f"{wrap}observe - SIGCONT SIGINT\n")
        pids = above(observing(terminal), wrap)
        terminal.type(CTRL_Z)
        facts.append(terminal.prompt())
        facts.append(stopped(*pids))
        facts += shell_says(terminal, wrap, "jobs")
        terminal.type("fg\n")
        terminal.expect(rb"caught SIGCONT as number 1\r\n")
        terminal.wait_idle()
        facts.append(answer(terminal, "counts"))
        facts.append(terminal.foreground() == group(pids[0]))
        terminal.type(CTRL_Z)
        facts.append(terminal.prompt())
        terminal.type("fg\n")
        terminal.expect(rb"caught SIGCONT as number 2\r\n")
        terminal.type(CTRL_C)
        terminal.expect(rb"caught SIGINT as number 1\r\n")
        terminal.wait_idle()
        facts.append(answer(terminal, "counts"))
        terminal.type("end 9\n")
        return facts + [terminal.prompt()] + shell_says(terminal, wrap, "jobs")

    sentence = "Ctrl-Z stops a job and cronward, `fg` continues both, twice, and the job ends with its own status"
    stage.compare(sentence, stop_and_go, shells=SHELLS, outcome="stopped")

    with stage.check("Ctrl-Z also gets the terminal back from a job that has stopped itself by SIGSTOP"):
        label = stage.label()
        with stage.terminal() as terminal:
            terminal.type(f"cronward -l {label} -- sh -c 'echo as $$ below $PPID; kill -STOP $$; exit 3'\n")
            job, cronward = pids_of(terminal.expect(rb"as (\d+) below (\d+)\r\n"))
            wait_until("it stops itself", lambda: stopped(job) and settled(cronward), 10)
            terminal.type(CTRL_Z)
            equal(terminal.prompt(), 128 + signal.SIGTSTP, "status")
            equal(terminal.command("fg")[0], 3, "status")
        equal(stage.run(label)["outcome"], "failed", "outcome")

    fifo = os.path.join(stage.here, "questions")
    os.mkfifo(fifo)

    ask = functools.partial(say, fifo)

    def in_background(terminal, wrap):
        facts = []
        terminal.type(f"{wrap}observe {fifo}\n")
        pids = above(observing(terminal), wrap)
        terminal.type(CTRL_Z)
        facts += [terminal.prompt(), stopped(*pids)]
        facts += shell_says(terminal, wrap, "bg")
        wait_until("`bg` continues all of it", lambda: running(*pids), 10)
        facts += shell_says(terminal, wrap, "jobs")
        ask("end 6\n")
        return facts + [terminal.command("wait %1")[0]]

    sentence = "`bg` continues a stopped job and cronward in the background, where it ends with its own status"
    stage.compare(sentence, in_background, shells=SHELLS, outcome="failed")

    with stage.check("the job's clock and its time limit go on while it is stopped"):
        label = stage.label()
        with stage.terminal() as terminal:
            began = time.monotonic()
            terminal.type(f"cronward -l {label} --timeout 700ms -- linger\n")
            pids = lingering(terminal)
            terminal.type(CTRL_Z)
            equal(terminal.prompt(), 128 + signal.SIGTSTP, "status")
            assert stopped(*pids)
            wait_until("the time limit is over", lambda: time.monotonic() - began > 0.8, 10)
            assert stopped(*pids), "it does not wake up by itself"
            continued = time.monotonic() - began
            equal(terminal.command("fg")[0], 124, "status")
            event = stage.run(label)
            equal(event["outcome"], "timed_out", "outcome")
            assert event["duration_ms"] >= continued * 1000 - 300, f"{event['duration_ms']} ms of {continued} s"
            equal(event["forwarded_signal"] if "forwarded_signal" in event else None, None, "forwarded signal")

    with stage.check("while cronward waits for the lock, Ctrl-Z, `fg` and Ctrl-C do what they do to any command"):
        label = stage.label()
        with stage.terminal() as first, stage.terminal() as second:
            first.type(f"cronward -l {label} --lock -- linger\n")
            holder, _ = lingering(first)
            second.type(f"cronward -l {label} --lock --lock-wait 1m -- linger\n")
            wait_until("cronward is in the foreground", lambda: second.foreground() != second.leader, 10)
            waiting = second.foreground()
            wait_until("it waits", lambda: settled(waiting), 10)
            second.type(CTRL_Z)
            equal(second.prompt(), 128 + signal.SIGTSTP, "status after Ctrl-Z")
            assert stopped(waiting), state(waiting)
            second.type("fg\n")
            wait_until("`fg` continues it", lambda: settled(waiting), 10)
            second.type(CTRL_C)
            equal(second.prompt(), 130, "status after Ctrl-C")
            assert not has_ended(holder), "the holder of the lock was none of its business"
            equal(stage.run(label)["outcome"], "stopped", "outcome")


def background(stage):
    def reads(terminal, wrap):
        facts = []
        terminal.type(f"{wrap}observe - SIGINT &\n")
        pids = above(pids_of(terminal.expect_all(OBSERVING, PROMPT)[0]), wrap)
        wait_until("a background job that reads the terminal is stopped", lambda: stopped(*pids), 10)
        facts += shell_says(terminal, wrap, "jobs")
        terminal.type("fg\n")
        wait_until("`fg` continues all of it", lambda: running(*pids), 10)
        facts.append(terminal.foreground() == group(pids[0]))
        terminal.type(CTRL_C)
        terminal.expect(rb"caught SIGINT as number 1\r\n")
        terminal.wait_idle()
        facts.append(answer(terminal, "counts"))
        terminal.type("end 4\n")
        return facts + [terminal.prompt()]

    sentence = "a background job that reads the terminal is stopped, and reads on after `fg`"
    stage.compare(sentence, reads, shells=SHELLS, outcome="stopped")

    def brought_back(terminal, wrap):
        terminal.type(f"{wrap}linger &\n")
        pid, _ = pids_of(terminal.expect_all(LINGERING, PROMPT)[0])
        facts = [group(pid) != terminal.foreground()]
        terminal.type(CTRL_C)
        terminal.prompt()
        facts.append(has_ended(pid))
        terminal.type("fg\n")
        wait_until("`fg` puts it into the foreground", lambda: terminal.foreground() == group(pid), 10)
        terminal.type(CTRL_C)
        return facts + [terminal.prompt(), has_ended(pid)]

    sentence = "Ctrl-C does not reach a job in the background, and does once `fg` has brought it back"
    stage.compare(sentence, brought_back, [True, False, 130, True], shells=SHELLS, outcome="stopped")

    def writes(terminal, wrap):
        terminal.command("stty tostop")
        terminal.type(f"{wrap}observe - SIGINT &\n")
        terminal.expect(rb"\[1\] (\d+)\r\n")
        leader = int(terminal.seen.rpartition(b"[1] ")[2].split()[0])
        wait_until("a background job that writes to the terminal is stopped", lambda: stopped(leader), 10)
        terminal.type("fg\n")
        observing(terminal)
        terminal.type("end 2\n")
        terminal.expect(rb"<status 2>> ")
        return "fine"

    sentence = "under `stty tostop` a background job that writes is stopped, and goes on after `fg`"
    stage.compare(sentence, writes, "fine", outcome="failed")


def pipelines(stage):
    def closed(terminal, wrap):
        first = terminal.command(f"{wrap}yes | head -1")
        return first, terminal.command(f"{wrap}yes | head -1; echo ${{PIPESTATUS[*]}}")

    sentence = "`yes | head -1` ends by SIGPIPE, quietly"
    stage.compare(sentence, closed, ((0, "y\n"), (0, "y\n141 0\n")), outcome="signaled")

    def cats(key):
        def story(terminal, wrap):
            terminal.type(f"{wrap}cat | {wrap.replace('-l ', '-l second-')}cat\n")
            wait_until("the pipeline is in the foreground", lambda: terminal.foreground() != terminal.leader, 10)
            terminal.type("over\n")
            # Once as the echo, once as the output.
            terminal.expect(rb"over\r\nover\r\n")
            if key == CTRL_Z:
                terminal.type(CTRL_Z)
                status = terminal.prompt()
                terminal.type("fg\n")
                wait_until("the pipeline is back", lambda: terminal.foreground() != terminal.leader, 10)
                terminal.type("again\n")
                terminal.expect(rb"again\r\nagain\r\n")
                terminal.type(CTRL_D)
                return status, terminal.prompt()
            terminal.type(key)
            status = terminal.prompt()
            return status, terminal.command("true; echo ${PIPESTATUS[*]}")

        return story

    for key, sentence in (
        (CTRL_D, "a pipeline of two jobs passes on what is typed, and Ctrl-D ends it"),
        (CTRL_C, "Ctrl-C ends a pipeline of two jobs"),
        (CTRL_Z, "Ctrl-Z stops a pipeline of two jobs, and `fg` continues it"),
    ):
        stage.compare(sentence, cats(key), outcome="stopped" if key == CTRL_C else "ok")


def surroundings(stage):
    def place(terminal, wrap):
        terminal.type(f"{wrap}observe -\n")
        observing(terminal)
        found = answer(terminal, "place").split()
        same = found.pop(3).startswith("/dev/pts/")
        terminal.type("end 0\n")
        return found, same, terminal.prompt()

    expected = (["True"] * 4, True, 0)
    sentence = "the job's input, output and errors are the terminal, with the job in its foreground"
    stage.compare(sentence, place, expected, shells=SHELLS, outcome="ok")

    def window(terminal, wrap):
        status, before = terminal.command(f"{wrap}stty size")
        terminal.type(f"{wrap.replace('-l ', '-l second-')}observe - SIGWINCH\n")
        pids = above(observing(terminal), wrap)
        terminal.resize(40, 132)
        terminal.expect(rb"caught SIGWINCH as number 1\r\n")
        terminal.wait_idle()
        facts = [before, answer(terminal, "size"), answer(terminal, "counts")]
        terminal.type("end 0\n")
        return facts + [terminal.prompt()]

    sentence = "the job knows the size of the window, and is told of a change exactly once"
    stage.compare(sentence, window, ["24 80\n", "132 40", "SIGWINCH=1", 0], outcome="ok")

    with stage.check("the closing line appears on a terminal, and only there"):
        with stage.terminal(CRONWARD_SUMMARY="auto") as terminal:
            status, shown = terminal.command("cronward -l summary -- sh -c 'exit 3'")
            equal(status, 3, "status")
            assert shown.startswith("cronward: summary: failed in "), shown
            equal(shown.count("\n"), 1, f"lines of {shown!r}")
            equal(terminal.command("cronward -l summary -- true 2>errors; cat errors"), (0, ""), "with stderr in a file")
            shown = terminal.command("cronward -l summary -- true >output; cat output")[1]
            assert shown.startswith("cronward: summary: ok in ") and shown.count("\n") == 1, shown
            equal(terminal.command("cronward -l summary --summary never -- true"), (0, ""), "with `--summary never`")
            shown = terminal.command("cronward -l summary --summary always -- true 2>errors; cat errors")[1]
            assert shown.startswith("cronward: summary: ok in "), shown
            # Neither is it what `stty tostop` stops.
            terminal.command("stty tostop")
            terminal.type("cronward -l summary -- true &\n")
            terminal.expect(rb"cronward: summary: ok in ")


def own_group(stage):
    fifo = os.path.join(stage.here, "own-group")
    os.mkfifo(fifo)

    ask = functools.partial(say, fifo)

    with stage.check("--own-group: keys reach cronward, which hands them on to the job, once"):
        label = stage.label()
        with stage.terminal() as terminal:
            terminal.type(f"cronward -l {label} --own-group -- observe {fifo} SIGINT SIGCONT\n")
            job, cronward = observing(terminal)
            equal((group(job), group(cronward)), (job, terminal.foreground()), "groups of the job and of cronward")
            terminal.type(CTRL_C)
            terminal.expect(rb"caught SIGINT as number 1\r\n")
            terminal.wait_idle()
            equal(answer(terminal, "counts", ask), "SIGINT=1", "signals")
            terminal.type(CTRL_Z)
            equal(terminal.prompt(), 128 + signal.SIGTSTP, "status after Ctrl-Z")
            assert stopped(job, cronward)
            terminal.type("fg\n")
            terminal.expect(rb"caught SIGCONT as number 1\r\n")
            terminal.wait_idle()
            equal(answer(terminal, "counts", ask), "SIGCONT=1 SIGINT=1", "signals")
            ask("end 5\n")
            equal(terminal.prompt(), 5, "status")
        event = stage.run(label)
        equal((event["outcome"], event["forwarded_signal"]), ("stopped", "SIGINT"), "outcome and forwarded signal")

    with stage.check("--own-group: a job that reads the terminal is stopped, also after `fg`, and the shell sees it"):
        label = stage.label()
        with stage.terminal() as terminal:
            terminal.type(f"cronward -l {label} --own-group -- observe - SIGINT\n")
            job, cronward = observing(terminal)
            for _ in range(2):
                equal(terminal.prompt(), 128 + signal.SIGTTIN, "status")
                assert stopped(job, cronward)
                terminal.type("fg\n")
            equal(terminal.prompt(), 128 + signal.SIGTTIN, "status")
            terminal.type("kill %1\n")
            wait_until("TERM and CONT end both", lambda: has_ended(job) and has_ended(cronward), 10)
        equal(stage.run(label)["outcome"], "stopped", "outcome")


def end_of_session(stage):
    def hang_up(options=""):
        def story(terminal, wrap):
            wrap = wrap.replace(" -- ", f" {options} -- ")
            terminal.type(f"{wrap}linger\n")
            pids = above(lingering(terminal), wrap)
            terminal.hang_up()
            wait_until("a hang-up ends all of it", lambda: all(map(has_ended, pids)), 10)
            return "over"

        return story

    for options in ("", "--own-group"):
        sentence = f"closing the terminal ends the job{' under ' + options if options else ''}"
        stage.compare(sentence, hang_up(options), "over", shells=SHELLS, outcome="stopped")

    with stage.check("a run under nohup outlives the terminal"):
        label, output = stage.label(), os.path.join(stage.here, "nohup.out")
        with stage.terminal() as terminal:
            terminal.command(f"nohup cronward -l {label} -- linger >{output} 2>&1 </dev/null &")

            def words():
                if not os.path.exists(output):
                    return []
                with open(output, encoding="ascii") as file:
                    return [word for word in file.read().split() if word.isdigit()]

            job, cronward = map(int, wait_until("the job runs", lambda: len(words()) == 2 and words(), 10))
            terminal.hang_up()
            assert running(job, cronward), (state(job), state(cronward))
            os.kill(cronward, signal.SIGTERM)
            wait_until("TERM ends both", lambda: has_ended(job) and has_ended(cronward), 10)
        event = stage.run(label)
        equal((event["outcome"], event["forwarded_signal"]), ("stopped", "SIGTERM"), "outcome and signal")


def programs(stage):
    def pager(terminal, wrap):
        with open(os.path.join(stage.here, "pages"), "w", encoding="ascii") as file:
            file.writelines(f"line number {number}\n" for number in range(1, 201))
        facts = []
        modes = terminal.command("stty -g")
        terminal.type(f"{wrap}less pages\n")
        terminal.expect(rb"line number 23(?!\d)")
        facts.append("line number 24" not in terminal.screen())
        facts.append(terminal.echoes())
        terminal.type("G")
        terminal.expect(rb"line number 200")
        terminal.type(CTRL_Z)
        facts.append(terminal.prompt())
        facts.append(terminal.command("stty -g") == modes)
        terminal.type("fg\n")
        terminal.expect(rb"line number 200")
        terminal.type("g")
        terminal.expect(rb"line number 1(?!\d)")
        terminal.type("q")
        facts.append(terminal.prompt())
        facts.append(terminal.command("stty -g") == modes)
        return facts

    expected = [True, False, 128 + signal.SIGTSTP, True, 0, True]
    sentence = "`less` pages, is stopped and goes on, and leaves the modes of the terminal as they were"
    stage.compare(sentence, pager, expected, outcome="ok")

    def shell_within(terminal, wrap):
        terminal.type(f"{wrap}{' '.join(SHELLS['bash'])}\n")
        facts = [terminal.prompt(), terminal.foreground() != terminal.leader]
        terminal.type("linger\n")
        lingering(terminal)
        terminal.type(CTRL_C)
        facts.append(terminal.prompt())
        terminal.type("linger\n")
        pid, _ = lingering(terminal)
        terminal.type(CTRL_Z)
        facts.append(terminal.prompt())
        terminal.type("fg\n")
        wait_until("`fg` puts it into the foreground", lambda: terminal.foreground() == pid, 10)
        terminal.type(CTRL_C)
        facts.append(terminal.prompt())
        facts.append(terminal.command("exit 8")[0])
        return facts + [terminal.foreground() == terminal.leader]

    expected = [0, True, 130, 148, 130, 8, True]
    stage.compare("a shell as the job has its own jobs, and gives the terminal back", shell_within, expected)

    with stage.check("util-linux's `script` runs its command by SHELL, on a terminal of its own"):
        with stage.terminal(SHELL=os.path.join(stage.here, "cronward"), CRONWARD_LABEL="scripted") as terminal:
            own = terminal.command("tty")[1]
            status, inner = terminal.command("script -qec tty /dev/null")
            equal(status, 0, "status")
            assert inner.startswith("/dev/pts/") and inner != own, (own, inner)
            equal(terminal.command("script -qec 'echo $SHELL; exit 5' /dev/null"), (5, "/bin/sh\n"), "status and SHELL")
            terminal.type("script -qec linger /dev/null\n")
            lingering(terminal)
            terminal.type(CTRL_C)
            equal(terminal.prompt(), 130, "status after Ctrl-C")
            wait_until("three runs", lambda: len(finished(stage.events, "scripted")) == 3, 10)
        outcomes = [event["outcome"] for event in finished(stage.events, "scripted")]
        equal(outcomes, ["ok", "failed", "stopped"], "outcomes")


@contextlib.contextmanager
def somebody(directory):
    """A user with a password, who may run `true` as root if the password is given."""
    name = f"cronward-{os.getpid()}"
    home = os.path.join(directory, "home")
    rule = f"/etc/sudoers.d/{name}"
    subprocess.run(["useradd", "--home-dir", home, "--create-home", "--shell", "/bin/bash", name], check=True)
    try:
        subprocess.run(["chpasswd"], input=f"{name}:{PASSWORD}\n", text=True, check=True)
        with open(rule, "x", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o440)) as file:
            file.write(f"{name} ALL=(root) PASSWD: {shutil.which('true')}\n")
        subprocess.run(["visudo", "--check", "--quiet", "--file", rule], check=True)
        yield pwd.getpwnam(name)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(rule)
        subprocess.run(["userdel", "--force", "--remove", name], check=True, stderr=subprocess.DEVNULL)


def password(stage):
    def prompt(terminal, wrap):
        terminal.type(f"{wrap}sudo -k true\n")
        terminal.expect(rb"password for [^:]*: ")
        # A key that comes between the prompt and the read that follows it is seen by sudo only after the next line.
        terminal.wait_idle()
        assert not terminal.echoes(), "what is typed at the prompt is echoed"

    def accepted(terminal, wrap):
        prompt(terminal, wrap)
        terminal.type(f"{PASSWORD}\n")
        status = terminal.prompt()
        return status, PASSWORD in terminal.screen(), terminal.echoes()

    def interrupted(terminal, wrap):
        modes = terminal.command("stty -g")
        prompt(terminal, wrap)
        terminal.type(CTRL_C)
        return terminal.prompt(), terminal.before, terminal.echoes(), terminal.command("stty -g") == modes

    def suspended(terminal, wrap):
        prompt(terminal, wrap)
        terminal.type(CTRL_Z)
        facts = [terminal.prompt(), terminal.echoes()]
        terminal.type("fg\n")
        terminal.expect(rb"password for [^:]*: ")
        terminal.wait_idle()
        assert not terminal.echoes(), "what is typed at the prompt is echoed"
        terminal.type(f"{PASSWORD}\n")
        return facts + [terminal.prompt(), PASSWORD in terminal.screen(), terminal.echoes()]

    with stage.check("a user with a password can be made who may use sudo"), somebody(stage.here) as user:
        events = os.path.join(user.pw_dir, "events.jsonl")
        theirs = {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name}
        theirs |= {"CRONWARD_STATE_DIR": os.path.join(user.pw_dir, "state"), "CRONWARD_SINK": f"jsonl:{events}"}

        def tell(story, wrap):
            with stage.terminal(user=user, **theirs) as terminal:
                return story(terminal, wrap)

        for story, sentence, outcome in (
            (accepted, "sudo asks for the password, which is not shown, and runs its command", "ok"),
            (interrupted, "Ctrl-C at sudo's prompt ends it, and the terminal is as before", None),
            (suspended, "Ctrl-Z at sudo's prompt stops it, and `fg` asks again", "ok"),
        ):
            with stage.check(sentence):
                bare = tell(story, "")
                label = stage.label()
                equal(tell(story, f"cronward -l {label} -- "), bare, "with cronward (expected: without it)")
                if outcome is not None:
                    equal(bare[-3 if story is suspended else 0], 0, "status of sudo")
                    assert True not in bare[-2:-1], "the password was shown"
                    ended = lambda: finished(events, label)
                    equal(wait_until("the run is on record", ended, 10)[0]["outcome"], outcome, "outcome")
