"""At a terminal: output that passes through cronward (`--capture`, `--quiet`, `--log-dir`), and the status line of
`--progress`. What a person types and sees is the same but for what these options are for."""

import contextlib
import functools
import os
import re
import signal

from process import wait_until
from report import equal
from terminal import CTRL_C, CTRL_Z, group, has_ended, settled, state
from terminal_jobs import answer, observing, pids_of, say

CTRL_S, CTRL_Q = "\x13", "\x11"

PASSING = ("--capture 1KiB", "--log-dir logs", "--capture 1KiB --log-dir logs")


def run(stage):
    passing(stage)
    quiet(stage)
    halted(stage)
    progress(stage)


def given(wrap, options):
    """The words that wrap, with these options."""
    return wrap.replace(" -- ", f" {options} -- ")


def stopped(*pids):
    return all(state(pid) == "T" for pid in pids)


def questions(stage, name):
    """A FIFO, and what writes to it."""
    fifo = os.path.join(stage.here, name)
    os.mkfifo(fifo)
    return fifo, functools.partial(say, fifo)


def passing(stage):
    fifo, ask = questions(stage, "passing")

    for options in PASSING:

        def keys(terminal, wrap):
            wrap = given(wrap, options)
            facts = []
            terminal.type(f"{wrap}observe - SIGCONT SIGINT\n")
            pids = observing(terminal)
            pids = pids if wrap else pids[:1]
            terminal.type(CTRL_Z)
            facts += [terminal.prompt(), stopped(*pids), terminal.command("jobs")[1].replace(wrap, "")]
            terminal.type("fg\n")
            terminal.expect(rb"caught SIGCONT as number 1\r\n")
            terminal.wait_idle()
            facts += [answer(terminal, "counts"), terminal.foreground() == group(pids[0])]
            terminal.type(CTRL_C)
            terminal.expect(rb"caught SIGINT as number 1\r\n")
            terminal.wait_idle()
            facts.append(answer(terminal, "counts"))
            terminal.type("end 9\n")
            return [*facts, terminal.prompt(), terminal.command("jobs")[1]]

        sentence = f"{options}: Ctrl-Z, `fg` and Ctrl-C reach the job once, and its status comes through"
        stage.compare(sentence, keys, outcome="stopped")

    def in_background(terminal, wrap):
        wrap = given(wrap, PASSING[0])
        terminal.type(f"{wrap}observe {fifo}\n")
        pids = observing(terminal)
        pids = pids if wrap else pids[:1]
        terminal.type(CTRL_Z)
        facts = [terminal.prompt(), stopped(*pids), terminal.command("bg")[1].replace(wrap, "")]
        wait_until("`bg` continues all of it", lambda: not any(map(stopped, pids)), 10)
        ask("counts\n")
        terminal.expect(rb"counted in all\r\n")
        ask("end 6\n")
        return facts + [terminal.command("wait %1")[0]]

    sentence = "--capture: `bg` continues a job in the background, where it writes to the terminal"
    stage.compare(sentence, in_background, outcome="failed")

    def in_order(terminal, wrap):
        lines = "i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo out $i; echo err $i >&2; done"
        return terminal.command(f"{given(wrap, PASSING[2])}sh -c '{lines}'")

    sentence = "--capture: stdout and stderr appear in the order in which they were written"
    stage.compare(sentence, in_order, outcome="ok")

    def prompts(terminal, wrap):
        asks = 'printf "name? "; read name; stty -echo; printf "word? " >&2; read word; stty echo; echo "$name, ${#word}"'
        terminal.type(f"{given(wrap, PASSING[0])}sh -c '{asks}; tty; exit 3'\n")
        # Its first occurrence is the echo of the line.
        terminal.expect(rb"\nname\? ")
        terminal.type("somebody\n")
        terminal.expect(rb"\nword\? ")
        terminal.wait_idle()
        facts = [terminal.echoes()]
        terminal.type("secret\n")
        terminal.expect(rb"somebody, 6\r\n/dev/pts/\d+\r\n")
        return [*facts, terminal.prompt(), "secret" in terminal.screen(), terminal.echoes()]

    sentence = "--capture: a prompt without a newline appears at once, and what is typed is read from the terminal"
    stage.compare(sentence, prompts, [False, 3, False, True], outcome="failed")


def quiet(stage):
    fifo, ask = questions(stage, "quiet")

    for status, sentence in (
        (0, "shows nothing of a job that ends well"),
        (3, "shows all of a job that fails, at its end"),
    ):
        with stage.check(f"--quiet {sentence}"), stage.terminal() as terminal:
            label = stage.label()
            job = f"echo out; echo err >&2; read line <{fifo}; echo last; exit {status}"
            terminal.type(f"cronward -l {label} --quiet -- sh -c '{job}'\n")
            # It has written its first words before it reads.
            ask("go\n")
            equal(terminal.prompt(), status, "status")
            shown = terminal.before.partition("\n")[2]
            equal(shown, "out\nerr\nlast\n" if status else "", "what is shown")

    with stage.check("--quiet: nothing is shown while the job runs, keys reach it once, shown when it has failed"):
        with stage.terminal() as terminal:
            label = stage.label()
            terminal.type(f"cronward -l {label} --quiet -- observe {fifo} SIGINT SIGCONT\n")
            ask("counts\n")
            terminal.wait_idle()
            terminal.type(CTRL_C)
            terminal.wait_idle()
            terminal.type(CTRL_Z)
            equal(terminal.prompt(), 128 + signal.SIGTSTP, "status after Ctrl-Z")
            assert "observing" not in terminal.before, terminal.before
            terminal.type("fg\n")
            wait_until("`fg` continues it", lambda: terminal.foreground() != terminal.leader, 10)
            terminal.wait_idle()
            ask("counts\n")
            # Two questions that come together are read as one.
            terminal.wait_idle()
            ask("end 5\n")
            equal(terminal.prompt(), 5, "status")
            lines = [line for line in terminal.before.splitlines() if line.startswith(("caught", "counted"))]
            expected = ["counted in all", "caught SIGINT as number 1", "caught SIGCONT as number 1"]
            equal(lines, [*expected, "counted SIGCONT=1 SIGINT=1 in all"], "what the job wrote")


def halted(stage):
    fifo, ask = questions(stage, "halted")
    job = f"sh -c 'echo as $$ below $PPID; read line <{fifo}; echo more; exec sleep 60'"

    @contextlib.contextmanager
    def at_halted_terminal(options):
        """A job that has written to a terminal that takes nothing: the terminal, the job and cronward."""
        label = stage.label()
        with stage.terminal() as terminal:
            terminal.type(f"cronward -l {label} --capture 1KiB {options} -- {job}\n")
            pids = pids_of(terminal.expect(rb"\nas (\d+) below (\d+)\r\n"))
            terminal.type(CTRL_S)
            ask("go\n")
            wait_until("the job has written", lambda: name_of(pids[0]) == "sleep" and settled(pids[1]), 10)
            yield label, terminal, *pids

    with stage.check("--capture: Ctrl-S holds the output, not the job; Ctrl-Q lets it go on"):
        with at_halted_terminal("") as (_, terminal, job_pid, _):
            assert b"more" not in terminal.seen.rpartition(b"below")[2], "the terminal is halted"
            terminal.type(CTRL_Q)
            terminal.expect(rb"more\r\n")
            terminal.type(CTRL_C)
            equal(terminal.prompt(), 130, "status")
            assert has_ended(job_pid)

    with stage.check("--capture: a halted terminal does not keep a TERM from the job, nor the next one from cronward"):
        with at_halted_terminal("") as (label, terminal, job_pid, cronward):
            os.kill(cronward, signal.SIGTERM)
            wait_until("TERM ends the job", lambda: has_ended(job_pid), 10)
            wait_until("it waits for the terminal", lambda: settled(cronward) or has_ended(cronward), 10)
            if not has_ended(cronward):
                os.kill(cronward, signal.SIGTERM)
            wait_until("TERM ends cronward", lambda: has_ended(cronward), 10)
            terminal.type(CTRL_Q)
            equal(terminal.prompt(), 143, "status")
            equal(stage.run(label)["outcome"], "stopped", "outcome")

    with stage.check("--capture: a halted terminal keeps no time limit from ending job and cronward"):
        with at_halted_terminal("--timeout 300ms") as (label, terminal, job_pid, cronward):
            wait_until("the time limit ends both", lambda: has_ended(job_pid) and has_ended(cronward), 10)
            terminal.type(CTRL_Q)
            equal(terminal.prompt(), 124, "status")
            equal(stage.run(label)["outcome"], "timed_out", "outcome")


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None


# The status line.

REGION = re.compile(rb"\x1b\[(\d*)(?:;(\d+))?r")
REPORT = re.compile(rb"\x1b\]9;4;(\d);(\d+)\x1b\\")
# A drawing, or the row given back; and what is made room by before the first one.
DRAWN = re.compile(rb"\x0b\x1b\[A|\x1b7.*?\x1b8", re.DOTALL)
# What the line says in these stories: no success before, or some that were over at once.
LINE = rb"\x1b\[%d;1H\x1b\[m\x1b\[2K%s  (\d+)s%s\x1b8"


def drawn(label, rows=24, more=b""):
    return LINE % (rows, label.encode(), more)


def given_back(output, rows=24):
    """Fails unless the bottom row is the job's again, empty, and everything was put back that was taken."""
    marks = re.findall(rb"\x1b([78])", output)
    equal(marks, [b"7", b"8"] * (len(marks) // 2), "DECSC and DECRC")
    regions = [match.groups() for match in REGION.finditer(output)]
    assert regions and regions[-1] == (b"", None), f"DECSTBM: {regions}"
    after = output[[match.start() for match in REGION.finditer(output)][-1] :]
    gone = b"\x1b[%d;1H\x1b[m\x1b[2K\x1b8" % rows
    assert after.startswith((b"\x1b[r" + gone, b"\x1b[r\x1b8")), after
    rest = after.partition(b"\x1b8")[2] if after.startswith(b"\x1b[r" + gone) else b""
    assert b"\x1b7" not in rest, f"drawn after that: {rest}"


def flags_of(pid):
    """The flags of the open files that a shell has as its terminal (proc(5))."""
    found = []
    for number in range(3):
        with open(f"/proc/{pid}/fdinfo/{number}", encoding="ascii") as file:
            found += [line for line in file if line.startswith("flags")]
    return found


def progress(stage):
    fifos = fifos_of(stage)

    @contextlib.contextmanager
    def begun(options="", job="echo begun; {wait}; echo last; exit 3", tail="", label=None, **environment):
        """A run with a status line, that waits until it is told to go on."""
        label = label or stage.label()
        fifo, go = next(fifos)
        with stage.terminal(**environment) as terminal:
            line = job.replace("{wait}", f"read line <{fifo}")
            terminal.type(f"cronward -l {label} --progress {options} -- sh -c '{line}'{tail}\n")
            yield terminal, label, lambda: go("go\n")

    # Begun together, so that the second in which nothing is drawn yet is the same for all of them.
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        known = stage.label()
        with stage.terminal() as terminal:
            equal(terminal.command(f"for i in 1 2 3; do cronward -l {known} -- true; done")[0], 0, "status")
        plain = enter(begun())
        estimated = enter(begun(label=known, TERM="xterm-ghostty"))
        suspended = enter(begun(job="{wait}; exit 3"))
        resized = enter(begun())
        interrupted = enter(begun())
        halted_at_end = enter(begun(job="echo begun; {wait}; exit 3"))
        background = enter(begun(tail=" &"))
        no_terminal = enter(begun(tail=" 2>/dev/null"))
        dumb = enter(begun(TERM="dumb"))

        with stage.check("--progress: the bottom row counts seconds, the job's lines are whole, the end clears it"):
            terminal, label, go = plain
            before = flags_of(terminal.leader)
            equal(int(terminal.expect(drawn(label))[1]), 1, "seconds")
            equal(REGION.findall(terminal.seen), [(b"1", b"23")], "DECSTBM")
            equal(int(terminal.expect(drawn(label))[1]), 2, "seconds")
            equal(flags_of(terminal.leader), before, "flags of the shell's own descriptors")
            go()
            equal(terminal.prompt(), 3, "status")
            given_back(terminal.seen)
            shown = DRAWN.sub(b"", terminal.seen)
            assert shown.endswith(b"exit 3'\r\nbegun\r\nlast\r\n<status 3>> "), shown
            equal(flags_of(terminal.leader), before, "flags of the shell's own descriptors, after it")

        with stage.check("--progress: after some successes it says what is usual, to the terminal, too"):
            terminal, label, go = estimated
            terminal.expect(drawn(label, more=b", [12]s longer than usual"))
            go()
            equal(terminal.prompt(), 3, "status")
            given_back(terminal.seen)
            reports = REPORT.findall(terminal.seen)
            # All of what is usual within its second, then nobody knows; and in the end nothing.
            assert set(reports[:-1]) <= {(b"1", b"100"), (b"3", b"0")}, f"OSC 9;4: {reports}"
            equal((reports[0], reports[-1]), ((b"1", b"100"), (b"0", b"0")), "OSC 9;4")
            assert not REPORT.search(plain[0].seen), "OSC 9;4 at a terminal that does not know it"

        with stage.check("--progress: Ctrl-Z takes the line away, `fg` brings it back"):
            terminal, label, go = suspended
            terminal.expect(drawn(label))
            terminal.type(CTRL_Z)
            equal(terminal.prompt(), 128 + signal.SIGTSTP, "status")
            given_back(terminal.seen)
            terminal.type("fg\n")
            terminal.expect(drawn(label))
            go()
            equal(terminal.prompt(), 3, "status")
            given_back(terminal.seen)
            equal([rows for rows, _ in REGION.findall(terminal.seen)], [b"1", b"", b"1", b""], "DECSTBM")

        with stage.check("--progress: the line moves with a window that changes its size"):
            terminal, label, go = resized
            terminal.expect(drawn(label))
            terminal.resize(40, 100)
            terminal.expect(drawn(label, 40))
            assert (b"1", b"39") in REGION.findall(terminal.seen), REGION.findall(terminal.seen)
            go()
            equal(terminal.prompt(), 3, "status")
            given_back(terminal.seen, 40)

        with stage.check("--progress: Ctrl-C ends the job, and the line is gone"):
            terminal, label, go = interrupted
            terminal.expect(drawn(label))
            terminal.type(CTRL_C)
            equal(terminal.prompt(), 130, "status")
            given_back(terminal.seen)

        with stage.check("--progress: a terminal that is halted when the job ends holds nothing up for long"):
            terminal, label, go = halted_at_end
            terminal.expect(drawn(label))
            terminal.type(CTRL_S)
            go()
            wait_until("the run is on record", lambda: stage.run(label), 10)
            wait_until("the shell is back", lambda: terminal.foreground() == terminal.leader, 10)
            terminal.type(CTRL_Q)
            equal(terminal.prompt(), 3, "status")

        for (terminal, label, go), sentence in (
            (background, "in the background"),
            (no_terminal, "where stderr is no terminal"),
            (dumb, "on a terminal that is dumb"),
        ):
            with stage.check(f"--progress: nothing is drawn {sentence}"):
                # The others have been drawn for as long.
                terminal.expect(rb"begun\r\n")
                go()
                terminal.expect(rb"last\r\n")
                wait_until("the run is on record", lambda: stage.run(label), 10)
                terminal.type("\n")
                terminal.prompt()
                assert b"\x1b" not in terminal.seen, terminal.seen


def fifos_of(stage):
    """FIFOs, one after the other."""
    number = 0
    while True:
        number += 1
        yield questions(stage, f"progress-{number}")
