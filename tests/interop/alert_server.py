"""HTTP servers that alerts are sent to: one that answers as it is told and remembers what it was sent, and one that
keeps incidents as PagerDuty does."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# By status: what PagerDuty says with it.
INVALID = {
    "status": "invalid event",
    "message": "Event object is invalid",
    "errors": ["Length of 'routing_key' is incorrect (should be 32 characters)"],
}
PROCESSED = {"status": "success", "message": "Event processed"}


class Request:
    """A POST as it came in; names of headers in small letters, the body in bytes."""

    def __init__(self, path, headers, body):
        self.path = path
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


class AlertServer:
    """Answers the first requests by the statuses of `script`, and all others by `usual`."""

    def __init__(self, *script, usual=204):
        self.script = list(script)
        self.usual = usual
        self.requests = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = Request(self.path, self.headers, body)
                outer.requests.append(request)
                status, answer = outer.answer(request)
                self.send_response(status)
                if status == 429:
                    self.send_header("Retry-After", "0")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_address[1]}{path}"

    def answer(self, request):
        """Status and body of the answer."""
        return self.script.pop(0) if self.script else self.usual, b""

    def taken(self):
        """What came since the last call."""
        requests, self.requests = self.requests, []
        return requests

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class PagerDutyServer(AlertServer):
    """Keeps incidents by routing key and deduplication key: a trigger opens one or is put on the record of the one that
    is open, a resolve closes it or is dropped. `incidents` is a list of (key, triggers, is open)."""

    def __init__(self, *script):
        self.incidents = []
        super().__init__(*script)

    def answer(self, request):
        if self.script and (status := self.script.pop(0)) != 202:
            return status, b""
        event = request.json
        if request.path != "/v2/enqueue":
            return 404, b""
        if len(event["routing_key"]) != 32:
            return 400, json.dumps(INVALID).encode()
        identity = (event["routing_key"], event["dedup_key"])
        open_ones = [incident for incident in self.incidents if incident["identity"] == identity and incident["open"]]
        if event["event_action"] == "resolve":
            for incident in open_ones:
                incident["open"] = False
        elif open_ones:
            open_ones[0]["triggers"] += 1
        else:
            self.incidents.append({"identity": identity, "triggers": 1, "open": True})
        return 202, json.dumps(PROCESSED | {"dedup_key": event["dedup_key"]}).encode()

    def of_key(self, key):
        """Triggers of each incident of this key, and whether it is open, oldest first."""
        found = [incident for incident in self.incidents if incident["identity"][1] == key]
        return [(incident["triggers"], incident["open"]) for incident in found]
