"""Programs that the scenarios run, at a terminal or not, and what they answer."""

import errno
import os
import re

from process import wait_until

# Counts the signals that it is told to, and answers questions that it reads, from the terminal or, where that would
# stop it, from a FIFO.
OBSERVER = """#!/usr/bin/python3 -ISB
import os, signal, sys
counts = {}
def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
def caught(number, _):
    name = signal.Signals(number).name
    counts[name] = counts.get(name, 0) + 1
    say("caught", name, "as number", counts[name])
source, *names = sys.argv[1:]
for name in names:
    signal.signal(getattr(signal, name), caught)
# Also for writing, so that there is no end of the file.
questions = 0 if source == "-" else os.open(source, os.O_RDWR)
say("observing as", os.getpid(), "below", os.getppid())
while True:
    question, *words = os.read(questions, 1000).decode().split() or ["end", 99]
    if question == "counts":
        say("counted", *(f"{name}={count}" for name, count in sorted(counts.items())), "in all")
    elif question == "size":
        say("window of", *os.get_terminal_size(0), "in all")
    elif question == "place":
        foreground = os.tcgetpgrp(0) == os.getpgrp()
        say("placed", *(os.isatty(number) for number in range(3)), os.ttyname(0), foreground, "in all")
    elif question == "end":
        sys.exit(int(words[0]))
"""

# Says who it is and becomes a program that ends of what it is sent.
LINGERER = """#!/bin/sh
echo "lingering as $$ below $PPID"
exec sleep 60
"""


def write_jobs(directory):
    """Puts the programs there."""
    for name, text in (("observe", OBSERVER), ("linger", LINGERER)):
        path = os.path.join(directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o755)


# How they say who they are, and whose children.
OBSERVING = rb"observing as (\d+) below (\d+)\r\n"
LINGERING = rb"lingering as (\d+) below (\d+)\r\n"


def pids_of(match):
    """A program that has said who it is, and its parent."""
    return int(match[1]), int(match[2])


def observing(terminal):
    return pids_of(terminal.expect(OBSERVING))


def lingering(terminal):
    return pids_of(terminal.expect(LINGERING))


def answer(terminal, question, ask=None):
    """The words that an observer answers. `ask` writes a question to its FIFO, if it has one."""
    (ask or terminal.type)(f"{question}\n")
    return terminal.expect(rb"(?:counted|window of|placed) ?([^\r]*?) ?in all\r\n")[1].decode()


def say(fifo, words):
    """Writes to a FIFO once somebody reads it (ENXIO until then, fifo(7))."""

    def opened():
        try:
            return os.fdopen(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK), "w", encoding="ascii")
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return None

    with wait_until(f"nobody reads {fifo}", opened, 10) as file:
        file.write(words)


def without_pids(text):
    return re.sub(r"\d{2,}", "N", text)
