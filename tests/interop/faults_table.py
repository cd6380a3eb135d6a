"""Which system call can fail with what, which features are run, and what is excused."""

import dataclasses

# The errors that each call can plausibly give to cronward, as in its page of section 2 of the manual. EINTR is a
# debugger, a stop and continue, or a signal that a C library keeps for itself; ENOSYS an old kernel or a container's
# filter. fcntl(2) and others that are many calls in one are listed by their command where that makes a difference.
ERRNOS = {
    # Processes.
    "clone": ("EAGAIN", "ENOMEM"),
    "clone3": ("EAGAIN", "ENOMEM", "ENOSYS"),
    "fork": ("EAGAIN", "ENOMEM"),
    "vfork": ("EAGAIN", "ENOMEM"),
    "execve": ("E2BIG", "EACCES", "EAGAIN", "EIO", "EMFILE", "ENFILE", "ENOENT", "ENOMEM", "EPERM", "ETXTBSY"),
    "wait4": ("EINTR",),
    "waitid": ("EINTR",),
    "pidfd_open": ("EMFILE", "ENFILE", "ENOMEM", "ENODEV", "ENOSYS"),
    "kill": ("EPERM", "ESRCH"),
    "prctl": ("EINVAL",),
    # Signals and time.
    "rt_sigtimedwait": ("EAGAIN", "EINTR"),
    "nanosleep": ("EINTR",),
    "clock_nanosleep": ("EINTR",),
    "poll": ("EINTR", "ENOMEM"),
    "ppoll": ("EINTR", "ENOMEM"),
    # Memory.
    "brk": ("ENOMEM",),
    "madvise": ("EAGAIN", "ENOMEM"),
    "mmap": ("EAGAIN", "ENFILE", "ENOMEM"),
    "mprotect": ("ENOMEM",),
    "mremap": ("ENOMEM",),
    # Files.
    "access": ("EACCES", "EIO", "ENOMEM"),
    "dup2": ("EBUSY", "EINTR"),
    "dup3": ("EBUSY", "EINTR"),
    "fchmod": ("EIO", "EPERM", "EROFS"),
    "fchmodat2": ("EIO", "ENOSYS", "EPERM"),
    "fcntl": ("EIO",),
    "fcntl F_DUPFD_CLOEXEC": ("EMFILE",),
    "fcntl F_GETPIPE_SZ": ("EBADF",),
    "fcntl F_OFD_GETLK": ("EIO", "ENOLCK"),
    "fcntl F_OFD_SETLK": ("EAGAIN", "EINTR", "EIO", "ENOLCK"),
    "fcntl F_OFD_SETLKW": ("EDEADLK", "EINTR", "EIO", "ENOLCK"),
    "fcntl F_SETPIPE_SZ": ("EBUSY", "ENOMEM", "EPERM"),
    "fdatasync": ("EINTR", "EIO", "ENOSPC"),
    "flock": ("EAGAIN", "EINTR", "ENOLCK"),
    "fstat": ("EIO", "ENOMEM"),
    "fstatfs": ("EIO", "ENOSYS"),
    "fsync": ("EINTR", "EIO", "ENOSPC"),
    "getcwd": ("EACCES", "ENOENT", "ENOMEM"),
    "getdents64": ("EIO", "ENOENT"),
    "ioctl": ("EIO", "ENOTTY"),
    "kcmp": ("ENOSYS", "EPERM"),
    "lseek": ("EIO",),
    "lstat": ("EACCES", "EIO", "ENOMEM"),
    "mkdirat": ("EACCES", "EIO", "ENOMEM", "ENOSPC", "EROFS"),
    "newfstatat": ("EACCES", "EIO", "ENOMEM"),
    "open": ("EACCES", "EINTR", "EIO", "EMFILE", "ENFILE", "ENOMEM"),
    "open O_TMPFILE": ("EACCES", "EINTR", "EIO", "EISDIR", "EMFILE", "ENFILE", "ENOMEM", "ENOSPC", "EOPNOTSUPP"),
    "openat": ("EACCES", "EINTR", "EIO", "EMFILE", "ENFILE", "ENOMEM", "ENOSPC", "EROFS"),
    "pipe2": ("EMFILE", "ENFILE"),
    "pread64": ("EINTR", "EIO"),
    "pwrite64": ("EINTR", "EIO", "ENOSPC"),
    "read": ("EAGAIN", "EINTR", "EIO"),
    "readlink": ("EACCES", "EIO", "ENOMEM"),
    "readv": ("EAGAIN", "EINTR", "EIO"),
    "renameat": ("EACCES", "EIO", "ENOMEM", "ENOSPC", "EROFS"),
    "signalfd4": ("EMFILE", "ENFILE", "ENODEV", "ENOMEM", "ENOSYS"),
    "stat": ("EACCES", "EIO", "ENOMEM"),
    "statx": ("EACCES", "EIO", "ENOMEM", "ENOSYS"),
    "tee": ("EAGAIN", "EINTR", "EINVAL", "ENOMEM", "EPIPE"),
    "unlink": ("EACCES", "EIO", "EROFS"),
    "unlinkat": ("EACCES", "EIO", "EROFS"),
    "write": ("EAGAIN", "EINTR", "EIO", "ENOSPC", "EPIPE"),
    "writev": ("EAGAIN", "EINTR", "EIO", "ENOSPC", "EPIPE"),
    # The network.
    "bind": ("EADDRINUSE", "ENOMEM"),
    "connect": ("EAGAIN", "ECONNREFUSED", "EINTR", "ENETUNREACH", "ETIMEDOUT"),
    "getpeername": ("ENOBUFS", "ENOTCONN"),
    "getsockname": ("ENOBUFS",),
    "getsockopt": ("ENOBUFS", "ENOMEM"),
    "recvfrom": ("EAGAIN", "ECONNREFUSED", "ECONNRESET", "EINTR", "ENOMEM"),
    "recvmsg": ("EAGAIN", "ECONNREFUSED", "ECONNRESET", "EINTR", "ENOMEM"),
    "sendmsg": ("EAGAIN", "ECONNREFUSED", "EINTR", "ENOBUFS", "ENOMEM", "EPIPE"),
    "sendto": ("EAGAIN", "ECONNREFUSED", "EINTR", "ENOBUFS", "ENOMEM", "EPIPE"),
    "setsockopt": ("ENOBUFS", "ENOMEM"),
    "shutdown": ("ENOTCONN",),
    "socket": ("EACCES", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"),
    # The host.
    "getrandom": ("EAGAIN", "EINTR", "ENOSYS"),
    # Given what they are given here, these cannot fail, or nobody could do anything about it.
    **dict.fromkeys(
        (
            *("arch_prctl", "clock_gettime", "close", "exit", "exit_group", "fcntl F_GETFD", "fcntl F_GETFL"),
            # A wake cannot fail, and whether a wait comes before it hangs on the scheduler.
            "futex",
            *("fcntl F_SETFD", "fcntl F_SETFL", "fcntl F_OFD_SETLK F_UNLCK", "getegid", "geteuid", "getgid", "getpid"),
            *("getppid", "gettid", "getuid", "munmap", "prlimit64", "rseq", "rt_sigaction", "rt_sigprocmask"),
            *("rt_sigreturn", "sched_yield", "set_robust_list", "set_tid_address", "setitimer", "setpgid", "setrlimit"),
            *("sigaltstack", "tgkill", "tkill", "timer_create", "timer_settime", "uname"),
            # fchmodat2, to a strace that does not know it and so cannot make it fail.
            "syscall_0x1c4",
        ),
        (),
    ),
}

# What is most likely of them, or has most consequences.
COMMON = ("EAGAIN", "EINTR", "EIO", "EINVAL", "EMFILE", "ENOLCK", "ENOSPC", "EPIPE", "ECONNREFUSED")

# The command: says that it has run, writes to both streams, and fails, so that there is an alert to tell.
OUT, ERR, FAILED = b"first\nsecond, and no end", b"a word\nand another\n", 7
JOB = "echo ran >>ran; printf 'first\\nsecond, and no end'; printf 'a word\\nand another\\n' >&2; "
LINE = f"{JOB}exit {FAILED}"
# The same, with a word before it, so that the order can be seen; that ends well when it is run again; and much of it.
CROSSED = f"printf 'a word\\nand another\\n' >&2; {LINE}"
LAST = "{ read a && read b; } <ran || exit %d" % FAILED
AGAIN = f"{JOB}{LAST}"
RETRIES = ("--retries", "3", "--retry-delay", "3ms")
# More than stands in one page, and as much as fits into a pipe at once.
PLENTY = bytes(60_000)
DATA = f"dd if=/dev/zero bs={len(PLENTY)} count=1 2>/dev/null; "
# More than is held in memory.
MANY = bytes(1_200_000)
MUCH = f"dd if=/dev/zero bs={len(MANY)} count=1 >&2 2>/dev/null; "
REPORT = '[ -z "$CRONWARD_RUN_REPORT" ] || printf "rows=3\\ntag:a=b\\nbad\\n" >"$CRONWARD_RUN_REPORT"; '


@dataclasses.dataclass(frozen=True)
class Feature:
    """What is given to cronward before the label's runs, and how they end undisturbed."""

    name: str
    options: tuple = ()
    line: str = LINE
    status: int = FAILED
    # How many runs there were before the one that is disturbed.
    earlier: int = 1
    # Until when somebody else holds the overlap lock: "always", or for so many seconds from the start on.
    held: object = None
    # So many bytes of arguments more, and earlier runs until the journal is about to be compacted.
    padding: int = 0
    # Whether the line is handed over by `-c`.
    shell: bool = False
    # Of the calls of one name only so many are made to fail, and the last.
    most: int = 20
    # Longest time in seconds that it may take beside the flush deadline.
    longer: float = 0
    # Only the errors in `COMMON`, of each call but the first of its name.
    brief: bool = False
    # What the command's stdout and stderr are; see `Ground.execute`.
    streams: str = "files"
    # How often the command is run, and what all of that comes to.
    attempts: int = 1
    out: bytes = OUT
    err: bytes = ERR
    # What one attempt would come to if it were not held back.
    shown: tuple = None


# Where a run takes long by what it is about (limits, a lock that is waited for, a closed port, much output), of each call
# only the first ones and the last are made to fail, and from the second on only with what is in `COMMON`. What passes
# output on has more calls and is run in many ways: there too the rarer errors are tried on the first of each name only.
FEATURES = (
    Feature("a first run", earlier=0),
    Feature("a later run"),
    Feature("-c LINE", shell=True),
    Feature("--own-group", ("--own-group",)),
    Feature("a limit that is not reached", ("--timeout", "1h")),
    Feature(
        "a limit that is reached",
        ("--timeout", "80ms", "--kill-after", "100ms"),
        f"{JOB}exec sleep 7",
        124,
        longer=0.2,
        most=1,
        brief=True,
    ),
    Feature(
        "a limit that needs KILL",
        ("--timeout", "80ms", "--kill-after", "20ms"),
        f"trap '' TERM; {JOB}exec sleep 7",
        124,
        longer=0.2,
        most=1,
        brief=True,
    ),
    Feature("a lock that is free", ("--lock",)),
    Feature("a lock that is free for the first time", ("--lock",), earlier=0),
    Feature("a lock that is held", ("--lock", "--max-age", "1h"), status=75, held="always"),
    Feature("a lock that is waited for", ("--lock", "--lock-wait", "1h"), held=0.05, longer=1, most=2, brief=True),
    Feature("an alert and exec", ("--sink", "exec:cat >alert"), earlier=0),
    Feature("jsonl", ("--sink", "jsonl:events"), earlier=0),
    # In the directory that the run is started in.
    Feature("a first textfile", ("--sink", "textfile:/proc/self/cwd"), earlier=0),
    Feature("textfile", ("--sink", "textfile:/proc/self/cwd")),
    Feature("pushgateway", ("--sink", "pushgateway:http://127.0.0.1:{http}")),
    Feature("statsd by address", ("--sink", "statsd:127.0.0.1:{udp}")),
    Feature("dogstatsd by address", ("--sink", "dogstatsd:127.0.0.1:{udp}?events=all", "-t", "env:interop")),
    Feature("dogstatsd by socket", ("--sink", "dogstatsd:{socket}")),
    Feature("dogstatsd by socket that is gone", ("--sink", "dogstatsd:{socket}.gone")),
    Feature("dogstatsd over a stream", ("--sink", "dogstatsd:unixstream:{stream}?events=all")),
    Feature("dogstatsd by a socket that turns out to be a stream", ("--sink", "dogstatsd:{stream}"), most=4, brief=True),
    Feature("syslog by socket", ("--sink", "syslog:{socket}"), most=4, brief=True),
    Feature("syslog over TCP", ("--sink", "syslog:tcp:127.0.0.1:{tcp}")),
    Feature("statsd by host name", ("--sink", "statsd:{name}:{udp}")),
    Feature("ping", ("--sink", "ping:http://127.0.0.1:{http}/x")),
    # It is tried until the deadline.
    Feature(
        "ping at a closed port",
        ("--sink", "ping:http://127.0.0.1:{closed}/x", "--flush-deadline", "40ms"),
        most=1,
        brief=True,
    ),
    Feature("--config FILE", ("--config", "config.toml")),
    Feature(
        "--expect and --produces",
        ("--expect", "1ms..1h", "--produces", "*.out:1B..50%"),
        f"{JOB}echo x >new.out",
        0,
    ),
    # Without a directory of its own there is no place for a report.
    Feature("a report", line=f"{JOB}{REPORT}exit {FAILED}"),
    Feature(
        "--warn-after",
        ("--warn-after", "20ms", "--sink", "jsonl:events"),
        f"{JOB}sleep 0.05; exit {FAILED}",
        most=2,
        brief=True,
    ),
    Feature(
        "longer than expected",
        ("--expect", "..20ms", "--sink", "exec:cat >>alert"),
        f"{JOB}sleep 0.05; exit {FAILED}",
        earlier=0,
        most=1,
        brief=True,
    ),
    Feature("--summary", ("--summary", "always")),
    Feature("a journal that is compacted", padding=100_000),
    Feature("--retries", (*RETRIES,), AGAIN, 0, attempts=2, out=OUT * 2, err=ERR * 2, brief=True),
    Feature("--jitter", ("--jitter", "5ms"), most=2),
    Feature("--capture to files", ("--capture", "16B"), most=8, brief=True),
    Feature("--capture to a pipe", ("--capture", "16B"), streams="pipe", most=8, brief=True),
    # So much that it is handed on by tee(2).
    Feature(
        "--capture of much to a pipe",
        ("--capture", "16B"),
        f"{DATA}{LINE}",
        out=PLENTY + OUT,
        streams="pipe",
        most=4,
        brief=True,
    ),
    Feature(
        "--capture to one file",
        ("--capture", "16B"),
        CROSSED,
        streams="one",
        out=ERR + OUT + ERR,
        err=b"",
        brief=True,
    ),
    Feature("--capture of a success", ("--capture", "16B"), f"{JOB}exit 0", 0, most=4, brief=True),
    Feature("--quiet of a failure", ("--quiet",), most=8, brief=True),
    Feature("--quiet of a success", ("--quiet",), f"{JOB}exit 0", 0, err=b"", shown=(OUT, ERR), most=8, brief=True),
    Feature("--quiet=alert", ("--quiet=alert", "--alert-after", "9"), err=b"", shown=(OUT, ERR), most=4, brief=True),
    # Large enough for memory of its own, and for the file that it is held back in.
    Feature("--quiet of much", ("--quiet", "--capture", "4MiB"), f"{MUCH}{LINE}", err=MANY + ERR, most=2, brief=True),
    Feature(
        "--quiet of much and a success",
        ("--quiet",),
        f"{MUCH}{JOB}exit 0",
        0,
        err=b"",
        shown=(OUT, MANY + ERR),
        most=2,
        brief=True,
    ),
    # In the directory that each run has a copy of.
    Feature("a first --log-dir", ("--log-dir", "state/logs/here"), earlier=0, most=8, brief=True),
    Feature("--log-keep", ("--log-dir", "state/logs", "--log-keep", "1,1d,1MiB"), earlier=2, most=8, brief=True),
    Feature(
        "all of these and --retries",
        (*RETRIES, "--quiet", "--capture", "16B", "--log-dir", "state/logs", "--log-when", "failed"),
        f"{CROSSED.rpartition(';')[0]}; {LAST}",
        0,
        earlier=0,
        streams="one",
        attempts=2,
        out=b"",
        err=b"",
        shown=(ERR + OUT + ERR, b""),
        most=4,
        brief=True,
    ),
)


@dataclasses.dataclass(frozen=True)
class Exemption:
    """A failure that does change something, and why that is as it should be. `says` is a regular expression for what is
    found."""

    calls: tuple
    errnos: tuple
    features: str
    says: str
    reason: str
    # Whether it comes to it each time: some calls are made or not as the scheduler has it.
    is_certain: bool = True


# What is found where output could not be written on, and what is said of it where stderr takes that.
CUT = r"changed: status (7|125|-13), run once, "
# That nobody reads what was written is no loss, as where the pipe had been the command's own.
CUT_BY_PIPE = r"changed: status (0|7|-13), run once, "
CUT_AND_SAID = rf"{CUT}.*(its output was lost|stderr b'')"

EXEMPTIONS = (
    Exemption(
        ("mmap",),
        ("EAGAIN", "ENFILE", "ENOMEM"),
        "*",
        r"changed: status -11, not run",
        "The C library's first words: it has no memory for its main thread and ends the process before any of our own"
        " code runs. Nothing has been started, and the caller sees a death that no command can be blamed for.",
    ),
    *(
        Exemption(
            ("clone", "mmap", "mprotect"),
            ("EAGAIN", "ENFILE", "ENOMEM"),
            features,
            r"panicked: status 7, run once",
            "The HTTP library's resolver has a thread of its own and panics if there is none to be had. The panic is"
            " caught and the job not affected; it costs what was to be sent, and one line more on stderr.",
        )
        for features in ("ping*", "pushgateway")
    ),
    *(
        Exemption(
            calls,
            errnos,
            features,
            says,
            "The caller's stdout or stderr cannot be written to. The command would have had that error itself; so its"
            " pipe is closed, and it dies of SIGPIPE, or if it had ended well by then the status is 125.",
        )
        for features in ("--capture to *", "--capture of *", "--quiet of a failure", "--quiet of much", "*--log-*")
        for calls, errnos, says in ((("write",), ("EIO", "ENOSPC"), CUT_AND_SAID), (("write",), ("EPIPE",), CUT_BY_PIPE))
    ),
    Exemption(
        ("pread64",),
        ("EIO",),
        "--quiet of much",
        r"changed: status 7, run once, .*a part of the output that was held back is lost",
        "A disk never gives back what was put there. What is not there is shown, and the loss is said.",
    ),
    Exemption(
        ("tee",),
        ("EPIPE",),
        "--capture*to a pipe",
        CUT_BY_PIPE,
        "The same of a pipe that nobody reads any more.",
        # It is made where enough is waiting at once.
        is_certain=False,
    ),
    Exemption(
        ("read",),
        ("EIO",),
        "*",
        CUT_AND_SAID.replace("run once", r"run (once|\d times)"),
        "What read(2) will never take out of a pipe nobody can have. It has no such error for a pipe, but there must be"
        " an end to it; such a run is suspect, and tried again.",
    ),
)
