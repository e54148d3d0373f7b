"""HTTP/1.1 on a free loopback port: requests, answers, and how OCI spells a refusal."""

import contextlib
import json
import socket
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


class Refusal(Exception):
    """An error that OCI answers."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def answer(self):
        return Answer(self.status, {"code": self.code, "message": self.message})


@dataclass
class Request:
    method: str
    # Path and query as they were sent, which is how they are signed.
    target: str
    headers: object
    body: bytes

    @property
    def path(self):
        return urlsplit(self.target).path

    @property
    def query(self):
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def decoded(self):
        """The body as JSON values, or None where it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def details(self):
        """The body of an operation that needs one."""
        decoded = self.decoded
        if not isinstance(decoded, dict):
            raise Refusal(400, "CannotParseRequest", "expected a JSON object as body")
        return decoded


@dataclass
class Answer:
    status: int = 200
    # JSON values; None is no body at all.
    body: object = None
    headers: dict = field(default_factory=dict)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # The stdlib's 5 makes parallel clients wait for a retransmitted SYN.
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def hang_up(connections):
    """Closes connections, as a server does with those that were idle for long."""
    for connection in list(connections):
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def serve(respond, connections=None):
    """Serves in the background what respond makes of each request; returns the server's URL.

    Where respond returns None, the connection closes without an answer. What is connected is kept
    in connections.
    """
    connected = set() if connections is None else connections

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        # Each answer leaves in one write.
        wbufsize = -1

        def setup(self):
            super().setup()
            connected.add(self.connection)

        def finish(self):
            connected.discard(self.connection)
            super().finish()

        def exchange(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            answer = respond(Request(self.command, self.path, self.headers, body))
            if answer is None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.write(answer)

        def write(self, answer):
            body = b"" if answer.body is None else json.dumps(answer.body).encode()
            self.send_response_only(answer.status)
            if body:
                self.send_header("content-type", "application/json")
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.status != 204:
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *_):
            pass

        do_GET = do_POST = do_PUT = do_DELETE = exchange

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"
