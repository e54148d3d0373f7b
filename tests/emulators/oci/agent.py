"""Stands in for the Fn agent: starts a function as OCI Functions does, and calls it on its socket.

As a library, Agent is one function in its container. As a command it serves OCI Functions' invoke:
    agent.py --listen 127.0.0.1:PORT [--env-file FILE] [--timeout SECONDS] -- COMMAND...
prints `ready URL`, answers POST URL, and ends with standard input.
"""

import argparse
import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

# What the agent gives a function, in seconds.
START = 5
FREEZE_AFTER = 0.05
# The agent drops its connection when nothing was called on it for so long.
IDLE_CONNECTION = 1
# How long a stopped function may take before it is killed.
STOP = 10
PAUSE = 0.005

SOCKET = "lsnr.sock"
FRAME = "fn-frame"
FRAME_HEADER = "Opc-Request-Id"
HOP_BY_HOP = {
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}

# What OCI Functions answers for a function that does not, or not well.
STATUS = {
    "FunctionInvokeContainerInitFail": 502,
    "FunctionInvokeContainerInitTimeout": 504,
    "FunctionInvokeExecutionFailed": 502,
    "FunctionInvokeExecutionTimeout": 504,
    "FunctionInvokeInvalidResponse": 502,
}


def eventually(condition, what, seconds=START):
    """Waits until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(PAUSE)


class InvokeError(Exception):
    """What OCI Functions answers instead of the function."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Answer(NamedTuple):
    """What a function answered, as it came over the socket."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)


def environment(config, path):
    """What a function finds in its environment: its configuration, and what the agent adds."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "FN_APP_ID": "ocid1.fnapp.oc1.iad.exampleuniqueid",
        "FN_APP_NAME": "stepladder",
        "FN_FN_ID": "ocid1.fnfunc.oc1.iad.exampleuniqueid",
        "FN_FN_NAME": "stepladder",
        "FN_MEMORY": "128",
        "FN_CPUS": "100m",
        "FN_TYPE": "sync",
        "FN_LOGFRAME_NAME": FRAME,
        "FN_LOGFRAME_HDR": FRAME_HEADER,
        "OCI_RESOURCE_PRINCIPAL_VERSION": "2.2",
        "OCI_RESOURCE_PRINCIPAL_RPST": "/.oci-credentials/rpst",
        "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM": "/.oci-credentials/private.pem",
        "OCI_RESOURCE_PRINCIPAL_REGION": "us-ashburn-1",
        **config,
        "FN_FORMAT": "http-stream",
        "FN_LISTENER": f"unix:{path}",
    }


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Agent:
    """One function in its container, which is frozen whenever no call is under way."""

    def __init__(self, command, config=None, directory=None):
        self.command = command
        self.config = config or {}
        self.own_directory = None if directory else tempfile.TemporaryDirectory(prefix="iofs-")
        self.directory = Path(directory or self.own_directory.name)
        self.process = None
        self.connection = None
        self.connections = 0
        self.answered = 0.0
        self.freezer = None
        self.output = {"stdout": "", "stderr": ""}
        self.readers = []

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def socket(self):
        return self.directory / SOCKET

    def start(self):
        """Starts the function and waits for its socket, as long as the agent does."""
        # What an earlier container left there must be replaced, so it does not count.
        before = self._identity()
        deadline = time.monotonic() + START
        self.process = subprocess.Popen(
            self.command,
            env=environment(self.config, self.socket),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for name in self.output:
            reader = threading.Thread(target=self._read, args=(name,), daemon=True)
            reader.start()
            self.readers.append(reader)
        while self._identity() in (None, before):
            if self.process.poll() is not None:
                reason = f"ended with {self.process.returncode} before it listened"
                raise InvokeError("FunctionInvokeContainerInitFail", f"{reason}: {self.log()}")
            if time.monotonic() > deadline:
                reason = f"no {SOCKET} after {START} s: {self.log()}"
                raise InvokeError("FunctionInvokeContainerInitTimeout", reason)
            time.sleep(PAUSE)
        self._check_socket()
        self._freeze_later()

    def _identity(self):
        try:
            found = self.socket.lstat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_ctime_ns

    def _check_socket(self):
        """What the agent requires of the socket, at the moment at which it appears."""
        try:
            within = not self.socket.is_symlink() or not os.path.dirname(os.readlink(self.socket))
            mode = self.socket.stat().st_mode
        except OSError as error:
            raise InvokeError("FunctionInvokeContainerInitFail", str(error)) from None
        # The agent is another user, and sees the directory under another path.
        rows = [
            (within, "a link within its own directory"),
            (stat.S_ISSOCK(mode), "a socket"),
            (mode & 0o666 == 0o666, "a socket that all may write to"),
        ]
        for holds, expected in rows:
            if not holds:
                reason = f"expected {expected}, found mode {mode:o}"
                raise InvokeError("FunctionInvokeContainerInitFail", reason)

    def call(self, body=b"", headers=None, seconds=30, deadline=None, chunked=True):
        """Calls the function and returns what it answers; any other answer than the agent knows
        ends it. A body may be a list of chunks. A given deadline is sent, but not kept."""
        self._thaw()
        timeout = max(seconds, 0.001)
        ends = deadline or datetime.now(UTC) + timedelta(seconds=seconds)
        sent = {
            "Content-Type": "application/json",
            **(headers or {}),
            "Fn-Call-Id": uuid.uuid4().hex,
            "Fn-Deadline": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        sent.setdefault(FRAME_HEADER, uuid.uuid4().hex)
        try:
            answer = self._exchange(body, sent, timeout, chunked)
        except TimeoutError:
            self.kill()
            raise InvokeError("FunctionInvokeExecutionTimeout", "no answer in time") from None
        except (OSError, http.client.HTTPException) as error:
            self.kill()
            raise InvokeError("FunctionInvokeExecutionFailed", repr(error)) from None
        if answer.status not in (200, 502, 504):
            self.kill()
            raise InvokeError("FunctionInvokeInvalidResponse", f"status {answer.status}")
        self._freeze_later()
        return answer

    def _exchange(self, body, headers, timeout, chunked):
        connection = self._connected(timeout)
        # The agent does not know how long a body is, so it sends it in chunks.
        chunks = body if isinstance(body, list) else [body] if body else []
        payload = iter(chunks) if chunked else body
        sent = {**headers, "Transfer-Encoding": "chunked"} if chunked else headers
        connection.request("POST", "/call", body=payload, headers=sent, encode_chunked=chunked)
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        self.answered = time.monotonic()
        return answer

    def _connected(self, timeout):
        idle = time.monotonic() - self.answered
        if self.connection and (self.connection.sock is None or idle > IDLE_CONNECTION):
            self._hang_up()
        if self.connection is None:
            self.connection = UnixConnection(self.socket, timeout)
            self.connection.connect()
            self.connections += 1
        self.connection.sock.settimeout(timeout)
        return self.connection

    def _hang_up(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def _freeze_later(self):
        self.freezer = threading.Timer(FREEZE_AFTER, self._signal, [signal.SIGSTOP])
        self.freezer.daemon = True
        self.freezer.start()

    def _thaw(self):
        if self.freezer:
            self.freezer.cancel()
            self.freezer.join()
            self.freezer = None
        self._signal(signal.SIGCONT)

    def _signal(self, number):
        if self.alive():
            self.process.send_signal(number)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def frozen(self):
        """Whether the process is stopped now."""
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return words[0] == "T"

    def _read(self, name):
        for line in getattr(self.process, name):
            self.output[name] += line.decode(errors="replace")

    def log(self):
        """Everything that the function has printed so far."""
        return self.output["stdout"] + self.output["stderr"]

    def stop(self):
        """Ends the function as its container is ended, and returns its exit code."""
        if not self.process:
            return None
        self._thaw()
        self._hang_up()
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(STOP)
        except subprocess.TimeoutExpired:
            self.kill()
        for reader in self.readers:
            reader.join()
        return self.process.returncode

    def kill(self):
        self._hang_up()
        if self.alive():
            self.process.kill()
            self.process.wait()

    def close(self):
        self.stop()
        self.kill()
        if self.process:
            self.process.stdout.close()
            self.process.stderr.close()
        if self.own_directory:
            self.own_directory.cleanup()


class Functions:
    """OCI Functions with one function: a container when one is needed, one call at a time."""

    def __init__(self, command, config, timeout):
        self.command = command
        self.config = config
        self.timeout = timeout
        self.agent = None
        self.turn = threading.Lock()

    def invoke(self, body, headers):
        with self.turn:
            if self.agent and not self.agent.alive():
                self.close()
            if not self.agent:
                self.agent = Agent(self.command, self.config).__enter__()
            answer = self.agent.call(body, headers, seconds=self.timeout)
        if answer.status == 502:
            raise InvokeError("FunctionInvokeExecutionFailed", "function failed")
        if answer.status == 504:
            raise InvokeError("FunctionInvokeExecutionTimeout", "function timed out")
        return answer

    def close(self):
        if self.agent:
            self.agent.close()
            sys.stderr.write(self.agent.log())
            self.agent = None


def handler(functions):
    """Answers OCI Functions' invoke, at any address that ends like the real one."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if not self.path.endswith("/invoke"):
                return self.reply(404, {"code": "NotFound", "message": self.path})
            passed = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
            try:
                answer = functions.invoke(body, passed)
            except InvokeError as error:
                fields = {"code": error.code, "message": error.message}
                return self.reply(STATUS[error.code], fields)
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP}
            return self.send(200, kept, answer.body)

        def reply(self, status, body):
            self.send(status, {"Content-Type": "application/json"}, json.dumps(body).encode())

        def send(self, status, headers, body):
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


def read_environment(path):
    """NAME=VALUE lines; blank lines and comments are left out."""
    lines = [line.strip() for line in Path(path).read_text().splitlines()]
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", default="127.0.0.1:0", help="HOST:PORT, port 0 for any")
    parser.add_argument("--env-file", help="the function's configuration, as NAME=VALUE lines")
    parser.add_argument("--timeout", type=float, default=60, help="seconds that a call may take")
    parser.add_argument("command", nargs="+", help="what runs in the container")
    arguments = parser.parse_args()
    # However it ends, no frozen function is left behind.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: sys.exit(0))
    config = read_environment(arguments.env_file) if arguments.env_file else {}
    functions = Functions(arguments.command, config, arguments.timeout)
    host, port = arguments.listen.rsplit(":", 1)
    server = ThreadingHTTPServer((host, int(port)), handler(functions))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"ready http://{host}:{server.server_port}/invoke", flush=True)
    try:
        sys.stdin.buffer.read()
    finally:
        server.shutdown()
        functions.close()


if __name__ == "__main__":
    main()
