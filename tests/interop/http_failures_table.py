"""Which kinds of sink speak HTTP, how each is configured, and what a receiver can do to them."""

import contextlib
import dataclasses
import os
import re
from typing import Callable

from http_server import (
    DENIES,
    IS_SILENT,
    KNOWS,
    Answer,
    Babble,
    Endless,
    FullBacklog,
    HangUp,
    HttpServer,
    Refusing,
    Resetting,
    Silence,
    Trickle,
)
from ping_server import Authority, openssl
from world import objects

# What every kind has as its secret, and what must not stand anywhere that cronward writes to.
SECRET = "0123456789abcdefTOPSECRET0123456"

# Words of the errors, in the order in which the manual has them.
REFUSED, RESET, NO_CONNECTION = "connection refused", "connection reset by peer", "no connection"
CLOSED, TIMED_OUT, BUSY = "connection closed without an answer", "timed out", "still busy with the start of the run"
NO_NAME = "name does not resolve: 'receiver.example'"
UNTRUSTED = "certificate not trusted: "
ISSUER = f"{UNTRUSTED}nobody known has issued it; name a file with its issuer's certificate in SSL_CERT_FILE"


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of sink."""

    name: str
    # The target of a receiver at this origin.
    target: Callable = lambda origin: f"{origin}/{SECRET}"
    # Variables that go with it.
    environment: tuple = ()
    # Whether it confirms that an alert was taken.
    confirms: bool = True
    # Whether it says something of every end of a run, and not of alerts alone; and of every start.
    tells_ends: bool = False
    tells_starts: bool = False
    # What it takes for a success.
    taken: Answer = Answer()
    # What it makes of an answer that has no end; None: it was taken.
    of_endless: str = None
    # What stands before the words of an error, as the names of what could not be delivered.
    front: str = ""
    # What a request says of an alert: the kinds of its events, each with the key that it goes by.
    alerts: Callable = lambda request: []

    def words(self, error):
        """The words of an error of `sink_errors`, one for each part that could not be delivered."""
        # The address of a sink has a colon too, and no blank.
        words = re.sub(r"^\w+:\S*: ", "", error)
        parts = re.split(f"(?:^|; )(?:{self.front}): ", words) if self.front else [words]
        return parts[1:] or parts


def alerts_of_slack(request):
    header, *_, context = request.json()["blocks"]
    [key] = [element["text"] for element in context["elements"] if element["text"].startswith("alert ")]
    words = header["text"]["text"]
    return [("alert.opened" if " is failing on " in words else "alert.closed" if "RECOVERED" in words else words, key)]


def alerts_of_webhook(request):
    event = request.json()["data"]
    return [(event["kind"], event["alert"]["key"])]


def alerts_of_pagerduty(request):
    event = request.json()
    kinds = {"trigger": "alert.opened", "resolve": "alert.closed"}
    return [(kinds[event["event_action"]], event["dedup_key"])]


def alerts_of_otlp(request):
    """Those among the log records."""
    records = [inner for inner in objects(request.json()) if "eventName" in inner]
    of_alerts = [record for record in records if record["eventName"].startswith("cronward.alert.")]
    keys = [{pair["key"]: pair["value"] for pair in record["attributes"]} for record in of_alerts]
    return [
        (record["eventName"].removeprefix("cronward."), key["cronward.alert.id"]["stringValue"])
        for record, key in zip(of_alerts, keys, strict=True)
    ]


# Every kind of sink that speaks HTTP.
KINDS = (
    Kind("ping", confirms=False, tells_ends=True, tells_starts=True),
    Kind(
        "slack",
        of_endless="HTTP 200: the answer is not 'ok'; is it the URL of a webhook for Slack's messages?",
        alerts=alerts_of_slack,
    ),
    Kind("webhook", alerts=alerts_of_webhook),
    Kind(
        "pagerduty",
        lambda origin: f"{SECRET}?url={origin}/v2/enqueue",
        taken=Answer(202, b'{"status":"success","message":"Event processed","dedup_key":"k"}', kind="application/json"),
        alerts=alerts_of_pagerduty,
    ),
    Kind("pushgateway", confirms=False, tells_ends=True, taken=Answer(200, b"")),
    Kind(
        "otlp",
        lambda origin: origin,
        environment=(("OTEL_EXPORTER_OTLP_HEADERS", f"api-key={SECRET}"),),
        tells_ends=True,
        tells_starts=True,
        taken=Answer(200, b"{}", kind="application/json"),
        front="(?:logs|metrics|traces)(?:, (?:logs|metrics|traces))*",
        alerts=alerts_of_otlp,
    ),
)

# The kinds that do not, so that one which is in neither list is noticed.
OTHER_KINDS = {"dogstatsd", "statsd", "jsonl", "exec", "textfile", "syslog"}


class Grounds:
    """What cases share: certificates, made once."""

    def __init__(self, here):
        self.known = Authority(os.path.join(here, "authority"))
        self.trust = {"SSL_CERT_FILE": self.known.certificate}
        loopback = "IP:127.0.0.1"
        self.good = self.known.issue("good", loopback)
        self.misnamed = self.known.issue("misnamed", "DNS:other.example")
        self.expired = self.known.issue("expired", loopback, until="20200101000000Z")
        self.self_signed = self._self_signed(os.path.join(here, "self"), loopback, "CA:FALSE")
        self.own_authority = self._self_signed(os.path.join(here, "own"), loopback, "CA:TRUE")

    @staticmethod
    def _self_signed(path, name, constraints):
        certificate, key = f"{path}.pem", f"{path}.key"
        names = ["-subj", "/CN=self", "-addext", f"subjectAltName={name}"]
        names += ["-addext", f"basicConstraints=critical,{constraints}"]
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, *names)
        return certificate, key


@dataclasses.dataclass
class Setting:
    """What a run meets: the receiver, who must see nothing of it, and what is in force."""

    receiver: object
    bystander: HttpServer = None
    environment: dict = dataclasses.field(default_factory=dict)
    host: str = "127.0.0.1"
    # What is spoken, if not what the receiver speaks.
    scheme: str = None
    # Who is asked for names, if not whom the machine asks.
    resolver: str = None
    # Longest time for all sinks, in seconds.
    deadline: float = 1

    def origin(self):
        scheme, _, rest = self.receiver.url(host=self.host).partition("://")
        return f"{self.scheme or scheme}://{rest}"

    @contextlib.contextmanager
    def standing(self):
        with self.receiver, self.bystander or contextlib.nullcontext():
            yield

    def mended(self, kind, grounds):
        """The same once all is well: somebody takes what comes, at the same place."""
        self.receiver.stop()
        is_https = self.origin().startswith("https:")
        server = HttpServer(kind.taken, certificate=grounds.good if is_https else None, port=self.receiver.port)
        resolver = self.resolver and KNOWS
        return dataclasses.replace(self, receiver=server, bystander=None, resolver=resolver, deadline=5)


@dataclasses.dataclass(frozen=True)
class Case:
    """Something that a receiver does."""

    name: str
    # A setting of its own for each run, of the kind and the grounds.
    setting: Callable
    # The words of the error, any of these; none: it is taken.
    says: tuple = ()
    # Those of one kind, by its name.
    says_of: Callable = lambda kind: None
    # What must be true of the setting after the run, and says why it is not.
    after: Callable = lambda setting: None


def served(*answers, **options):
    """A server that gives these answers and then what the kind takes for a success."""
    return lambda kind, grounds: Setting(HttpServer(*answers, kind.taken), **options)


def always(answer):
    return lambda kind, grounds: Setting(HttpServer(answer))


def with_certificate(name):
    return lambda kind, grounds: Setting(
        HttpServer(kind.taken, certificate=getattr(grounds, name)), environment=grounds.trust
    )


def redirecting(kind, grounds):
    # Another host by its name; the address is the same, so that it would be reached.
    other = HttpServer(kind.taken)
    location = ("Location", other.url(f"/{SECRET}", "localhost"))
    return Setting(HttpServer(Answer(307, b"", (location,))), bystander=other)


def asked_for_a_pause(setting):
    first, second = (request.at for request in setting.receiver.requests[:2])
    # The clock of the client began a little later.
    return None if second - first > 0.9 else f"the second attempt came {second - first:.2f} s after the first"


def tried(times):
    """The same request came so often."""

    def check(setting):
        requests = setting.receiver.requests
        bodies = {request.body for request in requests[:times]}
        is_same = len(requests) >= times and len(bodies) == 1
        return None if is_same else f"{len(requests)} requests, {len(bodies)} bodies"

    return check


def not_met(setting):
    other = setting.bystander
    return f"the other host had {other.connections} connections" if other.connections else None


def not_trusted(setting):
    return "a request went to whom it does not trust" if setting.receiver.requests else None


CASES = (
    Case("answers as it should", served()),
    Case("refuses connections", lambda kind, grounds: Setting(Refusing()), (REFUSED,)),
    Case("is a black hole", lambda kind, grounds: Setting(FullBacklog()), (TIMED_OUT, NO_CONNECTION)),
    Case("never answers", always(Silence()), (TIMED_OUT,)),
    # Which of them depends on how far the request has come.
    Case("resets every connection", lambda kind, grounds: Setting(Resetting()), (RESET, CLOSED, "broken pipe")),
    Case("hangs up on every request", always(HangUp()), (CLOSED,), after=tried(2)),
    Case("speaks another protocol", always(Babble()), ("the answer is no HTTP; is the port right?",)),
    Case(
        "speaks no TLS",
        lambda kind, grounds: Setting(HttpServer(kind.taken), scheme="https", environment=grounds.trust),
        ("the receiver does not speak TLS; is the port right, or is it 'http://'?",),
        after=not_trusted,
    ),
    Case("answers one byte a second", always(Trickle()), (TIMED_OUT,)),
    Case(
        "sends a body without an end",
        lambda kind, grounds: Setting(HttpServer(Endless(kind.taken.status))),
        says_of=lambda kind: kind.of_endless,
    ),
    Case("answers 429 and wants a minute", always(Answer(429, b"", (("Retry-After", "60"),))), ("HTTP 429",)),
    Case(
        "answers 429, wants a second, and takes it then",
        served(Answer(429, b"", (("Retry-After", "1"),)), deadline=4),
        after=asked_for_a_pause,
    ),
    Case("answers 503 and takes it then", served(Answer(503, b"")), after=tried(2)),
    Case("answers 503 all the time", always(Answer(503, b"")), ("HTTP 503",), after=tried(2)),
    Case(
        "redirects to another host",
        redirecting,
        ("HTTP 307: redirected to 'http://localhost:PORT', which is not followed; name that",),
        after=not_met,
    ),
    Case("has signed its certificate itself", with_certificate("self_signed"), (ISSUER,), after=not_trusted),
    Case(
        "has signed its certificate itself, as an authority's",
        with_certificate("own_authority"),
        (f"{UNTRUSTED}it is an authority's own (CA:TRUE); have it issue one for the server",),
        after=not_trusted,
    ),
    Case(
        "has a certificate for another name",
        with_certificate("misnamed"),
        (f"{UNTRUSTED}it is not for '127.0.0.1'",),
        after=not_trusted,
    ),
    Case(
        "has a certificate that has expired",
        with_certificate("expired"),
        (f"{UNTRUSTED}it has expired",),
        after=not_trusted,
    ),
    Case("has a certificate of an authority in SSL_CERT_FILE", with_certificate("good")),
    Case(
        "has a name that there is not",
        lambda kind, grounds: Setting(Refusing(), host="receiver.example", resolver=DENIES),
        (NO_NAME,),
    ),
    Case(
        "has a name that no resolver answers for",
        lambda kind, grounds: Setting(Refusing(), host="receiver.example", resolver=IS_SILENT),
        (TIMED_OUT,),
    ),
)
