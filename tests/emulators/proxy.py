"""A recording proxy in front of an AWS emulator, and the control server that steers it.

A backend is a function from Request to Answer. The proxy knows which operation a request asks
for in each of the protocols the SDKs speak, so it can log it, delay it or fail it.
"""

import http.client
import json
import re
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import cbor2

JSON = "application/x-amz-json-1.1"
CBOR = "application/cbor"
# These describe one connection, not the message that crosses it.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
SERVICES_BY_SIGNING_NAME = {"monitoring": "cloudwatch"}


@dataclass
class Request:
    method: str
    path: str
    headers: object
    body: bytes

    @property
    def content_type(self):
        return self.headers.get("Content-Type", "").split(";")[0].strip().lower()

    @property
    def service(self):
        signature = self.headers.get("Authorization", "")
        scope = re.search(r"Credential=[^,\s]*?/\d+/[^/]*/([^/]+)/", signature)
        name = scope.group(1) if scope else None
        return SERVICES_BY_SIGNING_NAME.get(name, name)

    @property
    def operation(self):
        target = self.headers.get("X-Amz-Target")
        if target:
            return target.rsplit(".", 1)[-1]
        named = re.search(r"/service/[^/]+/operation/([^/?]+)", self.path)
        if named:
            return named.group(1)
        form = parse_qs(urlsplit(self.path).query + "&" + self.body.decode("latin-1"))
        return form.get("Action", [None])[0]

    @property
    def decoded(self):
        """The body as JSON values where it is JSON or CBOR, else None."""
        try:
            if self.content_type == CBOR:
                return cbor2.loads(self.body)
            if "json" in self.content_type:
                return json.loads(self.body or b"{}")
        except ValueError:
            # A compressed body, for one: it is forwarded all the same.
            pass
        return None


@dataclass
class Answer:
    status: int
    headers: list
    body: bytes


def error_answer(request, status, error):
    """The error in the protocol that the request speaks."""
    if request.content_type == CBOR:
        headers = [("Content-Type", CBOR), ("smithy-protocol", "rpc-v2-cbor")]
        return Answer(status, headers, cbor2.dumps(error))
    if request.content_type == "application/x-www-form-urlencoded":
        code = f"<Code>{escape(error.get('__type', ''))}</Code>"
        message = f"<Message>{escape(error.get('message', ''))}</Message>"
        body = f"<ErrorResponse><Error>{code}{message}</Error></ErrorResponse>"
        return Answer(status, [("Content-Type", "text/xml")], body.encode())
    return Answer(status, [("Content-Type", JSON)], json.dumps(error).encode())


def forward_to(host, port, timeout=60):
    """A backend that is another HTTP server."""

    def backend(request):
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
        try:
            connection.putrequest(
                request.method, request.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in request.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(request.body)))
            connection.endheaders(request.body)
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    return backend


class Desk:
    """What all proxies share: the log of requests, the faults to inject and the delay."""

    def __init__(self):
        self.lock = threading.Lock()
        self.log = []
        self.faults = {}
        self.delay = 0.0

    def arrive(self, request):
        entry = {
            "service": request.service,
            "operation": request.operation,
            "start": time.monotonic(),
            "end": None,
            "status": None,
            "body": request.decoded,
        }
        with self.lock:
            self.log.append(entry)
        return entry

    def finish(self, entry, answer):
        with self.lock:
            entry.update(end=time.monotonic(), status=answer.status)

    def finished(self):
        with self.lock:
            return [dict(entry) for entry in self.log if entry["end"] is not None]

    def forget(self):
        with self.lock:
            self.log.clear()

    def fail(self, operation, status, times, error):
        with self.lock:
            self.faults[operation] = {"status": status, "times": times, "error": error}

    def fault_for(self, request):
        """The injected answer if one is due; it counts as used."""
        with self.lock:
            fault = self.faults.get(request.operation)
            if fault is None or fault["times"] < 1:
                return None
            fault["times"] -= 1
        return error_answer(request, fault["status"], fault["error"])


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # The stdlib's 5 makes parallel clients wait for a retransmitted SYN.
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Keep-alive HTTP/1.1, each answer in one write."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, answer):
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()

    def log_message(self, *_):
        pass


def proxy(desk, backend, gate):
    """A server on a free loopback port that records, refuses and forwards; start it with serve()."""

    class ProxyHandler(Handler):
        def forward(self):
            request = Request(self.command, self.path, self.headers, self.body())
            entry = desk.arrive(request)
            time.sleep(desk.delay)
            answer = desk.fault_for(request) or refused(gate, request) or forwarded(backend, request)
            # Logged before it is sent: who has the answer finds the request in the log.
            desk.finish(entry, answer)
            self.answer(answer)

        do_GET = do_POST = do_PUT = do_DELETE = forward

    return Server(("127.0.0.1", 0), ProxyHandler)


def refused(gate, request):
    refusal = gate.refusal(request)
    if refusal is None:
        return None
    status, error = refusal
    return error_answer(request, status, error)


def forwarded(backend, request):
    try:
        return backend(request)
    except Exception as error:
        # moto raises where it has no code for an operation; the client must still be answered.
        print(f"{request.operation} failed in the emulator:", file=sys.stderr)
        traceback.print_exc()
        return error_answer(request, 500, {"__type": "InternalFailure", "message": repr(error)})


def control(desk, steering):
    """The server by which a test reads the log and arranges the next fault.

    steering holds further routes: functions by method and path.
    """

    def requests():
        return desk.finished()

    def forget():
        desk.forget()

    def fail(operation, status=503, times=1, body=None):
        desk.fail(
            operation,
            status,
            times,
            body or {"__type": "ServiceUnavailable", "message": "injected fault"},
        )

    def delay(seconds):
        desk.delay = float(seconds)

    routes = {
        ("GET", "/requests"): requests,
        ("DELETE", "/requests"): forget,
        ("POST", "/fail"): fail,
        ("POST", "/delay"): delay,
        **steering,
    }

    class ControlHandler(Handler):
        def route(self):
            status, result = self.result(json.loads(self.body() or b"{}"))
            body = json.dumps({} if result is None else result, default=str).encode()
            self.answer(Answer(status, [("Content-Type", "application/json")], body))

        def result(self, arguments):
            action = routes.get((self.command, self.path))
            if action is None:
                return 404, {"error": f"no {self.command} {self.path}"}
            try:
                return 200, action(**arguments)
            except LookupError as error:
                return 404, {"error": str(error)}
            except (TypeError, ValueError) as error:
                return 400, {"error": str(error)}

        do_GET = do_POST = do_DELETE = route

    return Server(("127.0.0.1", 0), ControlHandler)


def serve(server):
    """Serves in the background; returns the server's URL."""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"
