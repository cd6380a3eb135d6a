"""Check-ins over TLS, as Python's ssl module speaks it: whom cronward trusts, and what it says when it does not."""

import os
import socket
import ssl
import time

from ping_server import BODY_LIMIT, Authority, PingServer, Proxy
from report import equal
from world import finished

# What a sink may take after the command, and what a busy machine may add.
FLUSH_DEADLINE, SLACK = 1, 10


def run(world):
    check = world.report.check
    here = world.directory("ping")
    events = os.path.join(here, "events.jsonl")
    known, foreign = Authority(os.path.join(here, "known")), Authority(os.path.join(here, "foreign"))
    trust = {"SSL_CERT_FILE": known.certificate}
    loopback = "IP:127.0.0.1,DNS:hc.example"
    server = world.started(PingServer(*known.issue("server", loopback)))

    def ping(label, target, *arguments, **environment):
        """Runs a command that checks in at `target`; returns its exit status, time taken, and the sink's errors."""
        plain = {"PATH": os.environ["PATH"], "HOME": here, "CRONWARD_STATE_DIR": os.path.join(here, "state")}
        began = time.monotonic()
        run = world.cronward(
            *("-l", label, "--sink", f"ping:{target}", "--sink", f"jsonl:{events}"),
            *arguments,
            state=here,
            env=plain | environment,
        )
        errors = finished(events, label)[-1].get("sink_errors", [])
        return run.returncode, time.monotonic() - began, errors

    with check("a run tells the check of its start and its end, with one id, over TLS 1.3"):
        equal(ping("ping-ok", server.url(), "--", "true", **trust)[::2], (0, []), "status and errors")
        (start, first, _), (end, second, body) = server.taken()
        equal((start, end), ("start", "0"), "segments")
        equal(first, second, "ids")
        equal(first, finished(events, "ping-ok")[-1]["run_id"], "id of the event")
        equal(body.splitlines()[1], "outcome: ok", "second line of the body")
        equal(server.protocols, {"TLSv1.3"}, "protocols")
    for command, status, segment in (("exit 3", 3, "3"), ("kill -KILL $$", -9, "137"), ("exit 255", 255, "255")):
        with check(f"'{command}' is told as {segment}"):
            equal(ping("ping-failed", server.url(), "--", "sh", "-c", command, **trust)[::2], (status, []), "status")
            equal([segment for segment, _, _ in server.taken()], ["start", segment], "segments")
    with check("no more of a body is sent than the server keeps"):
        arguments = ["--send-args", "--", "sh", "-c", "exit 1", "x" * 20_000]
        equal(ping("ping-long", server.url(), *arguments, **trust)[::2], (1, []), "status and errors")
        equal([len(body) for _, _, body in server.taken()], [BODY_LIMIT] * 2, "lengths of bodies")

    with check("a server that speaks TLS 1.2 at most is understood"):
        old = world.started(PingServer(*known.issue("old", loopback), newest=ssl.TLSVersion.TLSv1_2))
        equal(ping("ping-old", old.url(), "--", "true", **trust)[::2], (0, []), "status and errors")
        equal((len(old.taken()), old.protocols), (2, {"TLSv1.2"}), "check-ins and protocols")

    for name, url, environment, words in (
        ("of an issuer that is not in SSL_CERT_FILE", server.url(), {"SSL_CERT_FILE": foreign.certificate}, "issued"),
        ("of an issuer that the system does not know", server.url(), {}, "nobody known has issued it"),
        ("for another name", server.url("localhost"), trust, "it is not for 'localhost'"),
        ("that has expired", None, trust, "it has expired"),
    ):
        with check(f"a certificate {name} is not trusted, and the job ends as it ends"):
            if url is None:
                expired = PingServer(*known.issue("expired", loopback, until="20200101000000Z"))
                url = world.started(expired).url()
            status, _, errors = ping("ping-untrusted", url, "--", "sh", "-c", "exit 3", **environment)
            equal((status, len(errors), server.taken()), (3, 1, []), f"status, number of errors ({errors}), check-ins")
            assert "certificate not trusted: " in errors[0] and words in errors[0], errors[0]
            assert server.path not in errors[0], errors[0]

    with check("a check that the server does not know is said so"):
        _, _, errors = ping("ping-unknown", server.url()[:-1] + "-", "--", "true", **trust)
        equal(len(errors), 1, f"number of errors ({errors})")
        assert errors[0].endswith("HTTP 404: not found; is the check's URL right?"), errors[0]

    with check("a proxy is asked by the name of the server, unless that is in no_proxy"):
        proxy = world.started(Proxy())
        through = trust | {"https_proxy": proxy.url}
        equal(ping("ping-proxy", server.url("hc.example"), "--", "true", **through)[::2], (0, []), "status and errors")
        equal((len(server.taken()), set(proxy.asked)), (2, {"hc.example"}), "check-ins, hosts")
        proxy.asked.clear()
        around = through | {"no_proxy": "localhost,127.0.0.1"}
        equal(ping("ping-direct", server.url(), "--", "true", **around)[::2], (0, []), "status and errors")
        equal((len(server.taken()), proxy.asked), (2, []), "check-ins, hosts")

    with check("a server that accepts and never speaks TLS costs the deadline and nothing else"):
        with socket.create_server(("127.0.0.1", 0)) as hole:
            url = f"https://127.0.0.1:{hole.getsockname()[1]}/x"
            limit = ["--flush-deadline", f"{FLUSH_DEADLINE}s", "--", "sh", "-c", "exit 3"]
            status, took, errors = ping("ping-hole", url, *limit, **trust)
        equal((status, len(errors)), (3, 1), f"status and number of errors ({errors})")
        assert took < FLUSH_DEADLINE + SLACK, f"{took:.1f} s"
