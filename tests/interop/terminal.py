"""A person at a terminal: a shell that leads a session on a pseudo-terminal of its own, keys that are typed, output
that is waited for. And what the kernel says of the processes that run there.

    with Terminal(["bash", "--norc", "--noediting", "-i"], environment) as terminal:
        status, output = terminal.command("true")      # types a line and waits for the next prompt
        terminal.type("sleep 60\\n")                   # types and does not wait
        terminal.expect(rb"pattern")                   # waits for output; the match is behind us then
        terminal.type(CTRL_C)
        status = terminal.prompt()                     # waits for the next prompt

Every wait has a deadline and fails with what the terminal showed. The prompt tells the exit status of the command
before it, so it must be the shell's PS1; `Terminal` sees to that."""

import fcntl
import os
import pty
import re
import resource
import select
import signal
import struct
import termios
import time

from process import NotReady, wait_until

CTRL_C, CTRL_D, CTRL_Z, CTRL_BACKSLASH = "\x03", "\x04", "\x1a", "\x1c"

# Nothing that a command prints, nor the echo of what is typed, looks like it: an echo has no digits there.
PROMPT = re.compile(rb"<status (\d+)>> ")
PS1 = "<status $?>> "

# An upper bound, not an expectation.
PATIENCE = 10


class Terminal:
    """A pseudo-terminal with a program that leads its session, ended with its session on `close`."""

    def __init__(self, argv, environment, directory="/", user=None, size=(24, 80)):
        """`user` is an entry of the password file whose rights the program gets."""
        self.seen = b""
        # What the last wait passed over.
        self.before = ""
        self._behind = 0
        self._open = True
        self.leader, self.master = pty.fork()
        if self.leader == 0:
            try:
                _become(user, directory, size)
                os.execvpe(argv[0], argv, {"TERM": "vt100", "PS1": PS1} | environment)
            finally:
                os._exit(127)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def type(self, keys):
        os.write(self.master, keys.encode())

    def _receive(self, seconds):
        """Takes what came within that time; false if nothing did or nobody is left to write."""
        if not select.select([self.master], [], [], max(0, seconds))[0]:
            return False
        try:
            came = os.read(self.master, 65536)
        except OSError:  # EIO: nobody has the terminal open any more (pty(7))
            came = b""
        self.seen += came
        return came != b""

    def expect(self, pattern, seconds=PATIENCE):
        """Waits for a regular expression (bytes) in the output that is not behind us, and returns its match."""
        deadline = time.monotonic() + seconds
        while not (match := re.compile(pattern).search(self.seen, self._behind)):
            left = deadline - time.monotonic()
            if left <= 0 or not self._receive(left):
                raise NotReady(f"{pattern} was not shown within {seconds} s; the terminal shows\n{self.screen()}")
        self.before = _plain(self.seen[self._behind : match.start()])
        self._behind = match.end()
        return match

    def expect_all(self, *patterns):
        """Waits for several that may come in any order, and returns their matches; all of it is behind us then."""
        begin, found = self._behind, []
        for pattern in patterns:
            self._behind = begin
            found.append(self.expect(pattern))
        self._behind = max(match.end() for match in found)
        return found

    def prompt(self, seconds=PATIENCE):
        """Waits for the next prompt and returns the exit status in it; what came before it is in `before`."""
        return int(self.expect(PROMPT, seconds)[1])

    def command(self, line, seconds=PATIENCE):
        """Types a line; the exit status and what was shown up to the next prompt, without the echo."""
        self.type(f"{line}\n")
        status = self.prompt(seconds)
        return status, self.before.removeprefix(f"{line}\n")

    def screen(self):
        return "\n".join(f"  | {line}" for line in _plain(self.seen).splitlines()[-30:])

    def foreground(self):
        """The process group in the foreground."""
        return os.tcgetpgrp(self.master)

    def wait_idle(self):
        """Waits until every process in the foreground sleeps and has dealt with the signals that it was sent."""
        members = lambda: [pid for pid in processes() if group(pid) == self.foreground()]
        idle = lambda: all(settled(pid) or has_ended(pid) for pid in members())
        wait_until("the foreground does not become idle", idle, PATIENCE)

    def echoes(self):
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def hang_up(self):
        """Closes the terminal, as when its window is closed, and waits for the leader of the session to end."""
        if self._open:
            self._open = False
            os.close(self.master)
            ended = lambda: os.waitpid(self.leader, os.WNOHANG)[0] != 0
            try:
                wait_until("the session's leader does not end after a hang-up", ended, PATIENCE)
            except NotReady:
                os.kill(self.leader, signal.SIGKILL)
                os.waitpid(self.leader, 0)
                raise

    def close(self):
        """Ends the session and whatever is left of it."""
        try:
            self.hang_up()
        finally:
            for pid in [pid for pid in processes() if session(pid) == self.leader]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass


def _become(user, directory, size):
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    # What Python ignores, and what somebody who started us in the background of a script does, is not a person's.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if user is not None:
        os.fchown(0, user.pw_uid, -1)
        os.initgroups(user.pw_name, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    os.chdir(directory)


def _plain(output):
    return output.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")


# What /proc says of a process; everything is None of one that has gone.


def processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _stat(pid):
    """The words of /proc/PID/stat from the state on (proc(5)): the name before it may hold anything."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return [None] * 6


def state(pid):
    """R, S, D, T (stopped), Z."""
    return _stat(pid)[0]


def parent(pid):
    return int(_stat(pid)[1] or 0) or None


def group(pid):
    return int(_stat(pid)[2] or 0) or None


def session(pid):
    return int(_stat(pid)[3] or 0) or None


def status_field(pid, name):
    """A line of /proc/PID/status."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            return next((line.partition(":")[2].split() for line in file if line.startswith(f"{name}:")), None)
    except (FileNotFoundError, ProcessLookupError):
        return None


def has_ended(pid):
    return state(pid) in (None, "Z")


def settled(pid):
    """Asleep with no signal to look at: whatever it was sent, it has dealt with."""
    pending = [status_field(pid, name) for name in ("SigPnd", "ShdPnd")]
    return state(pid) == "S" and all(field is not None and int(field[0], 16) == 0 for field in pending)
