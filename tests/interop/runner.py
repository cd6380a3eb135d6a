"""Runs the scenarios one after the other and ends with `N passed, M failed`. Started by `run`."""

import importlib
import os
import shutil
import signal
import sys
import time

from report import Report
from world import World

# The last one reads what the others wrote.
SCENARIOS = (
    "cron",
    "pg_dump",
    "backup",
    "backup_tools",
    "ping",
    "syslog",
    "doctor",
    "dogstatsd",
    "statsd_tags",
    "prometheus",
    "alerts",
    "otlp",
    "slack",
    "http_failures",
    "examples",
    "fleet",
    "package",
    "completions",
    "terminal",
    "init",
    "faults",
    "soak",
    "events_schema",
)


def main(binary, work, *names):
    # Ends the runner in the ordinary way, so that `finally` stops the servers.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    report = Report()
    world = World(binary, work, report)
    try:
        if unknown := [name for name in names if name not in SCENARIOS]:
            sys.exit(f"interop: no scenario '{unknown[0]}'; there are: {', '.join(SCENARIOS)}")
        for name in [name for name in SCENARIOS if not names or name in names]:
            started = time.monotonic()
            print(f"scenario {name}", flush=True)
            try:
                importlib.import_module(f"scenario_{name}").run(world)
            except Exception as error:
                with report.check(f"scenario {name} runs to its end"):
                    raise error
            print(f"        {time.monotonic() - started:.1f} s", flush=True)
    finally:
        world.close()
        if os.environ.get("INTEROP_KEEP"):
            print(f"interop: kept {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
