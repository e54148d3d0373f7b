"""What the services share: the log of requests, and the faults, delays and denials to come."""

import threading
import time
from dataclasses import dataclass

CODES = {
    400: "InvalidParameter",
    401: "NotAuthenticated",
    404: "NotAuthorizedOrNotFound",
    409: "IncorrectState",
    412: "NoEtagMatch",
    429: "TooManyRequests",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}


@dataclass
class Fault:
    """What happens to the next calls of an operation."""

    status: int | None
    body: dict
    times: int
    skip: int
    hang: float
    close: bool
    after: bool


class Desk:
    def __init__(self):
        self.lock = threading.Lock()
        self.reset()

    def reset(self):
        with self.lock:
            self.log, self.faults, self.denied = [], {}, set()
            self.delay, self.delays = 0.0, {}

    def arrive(self, service, operation, request):
        entry = {
            "service": service,
            "operation": operation,
            "method": request.method,
            "path": request.target,
            "start": time.monotonic(),
            "end": None,
            "status": None,
            "code": None,
            "sdk_equal": None,
            "refused": None,
            "opc-retry-token": request.headers.get("opc-retry-token"),
            "opc-request-id": request.headers.get("opc-request-id"),
            "if-match": request.headers.get("if-match"),
            "body": request.decoded,
        }
        with self.lock:
            self.log.append(entry)
        return entry

    def finish(self, entry, answer):
        """Notes the answer; no answer is a status of 0."""
        code = answer.body.get("code") if answer and isinstance(answer.body, dict) else None
        with self.lock:
            entry.update(end=time.monotonic(), status=answer.status if answer else 0)
            entry["code"] = code if entry["status"] >= 400 else None

    def finished(self):
        with self.lock:
            return [dict(entry) for entry in self.log if entry["end"] is not None]

    def forget(self):
        with self.lock:
            self.log.clear()

    def fail(
        self,
        operation,
        status=None,
        times=1,
        code=None,
        message="injected fault",
        skip=0,
        hang=0,
        close=False,
        after=False,
    ):
        """Adds a fault for an operation; times 0 removes all that it has."""
        if status is None and not close and not hang:
            status = 503
        body = {"code": code or CODES.get(status, "InternalServerError"), "message": message}
        fault = Fault(status, body, times, skip, float(hang), close, after)
        with self.lock:
            if times == 0:
                self.faults.pop(operation, None)
            else:
                self.faults.setdefault(operation, []).append(fault)

    def fault_for(self, operation):
        """The fault that is due, if any; it counts as used."""
        with self.lock:
            faults = self.faults.get(operation)
            if not faults:
                return None
            fault = faults[0]
            if fault.skip > 0:
                fault.skip -= 1
                return None
            fault.times -= 1
            if fault.times == 0:
                faults.pop(0)
            return fault

    def slow_down(self, seconds, operation=None):
        with self.lock:
            if operation is None:
                self.delay, self.delays = float(seconds), {}
            else:
                self.delays[operation] = float(seconds)

    def seconds_for(self, operation):
        with self.lock:
            return self.delays.get(operation, self.delay)

    def deny(self, operation, denied=True):
        with self.lock:
            (self.denied.add if denied else self.denied.discard)(operation)

    def denies(self, operation):
        with self.lock:
            return operation in self.denied
