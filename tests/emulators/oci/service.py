"""One service of OCI: finds the operation, checks the signature, steers, carries out, logs."""

import re
import sys
import time
import traceback
import uuid
from functools import partial
from urllib.parse import unquote

from server import Answer, Refusal

NOT_FOUND = "Authorization failed or requested resource not found."


def not_found():
    return Refusal(404, "NotAuthorizedOrNotFound", NOT_FOUND)


def route(method, pattern, operation, action):
    names = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
    return method, re.compile(names), operation, action


class Service:
    """The routes of a service behind everything that a request passes first."""

    def __init__(self, name, base, routes, desk, referee, permissions, world):
        self.name, self.base, self.routes = name, base, [route(*one) for one in routes]
        self.desk, self.referee, self.permissions, self.world = desk, referee, permissions, world

    def respond(self, request):
        operation, carry_out = self.find(request)
        entry = self.desk.arrive(self.name, operation, request)
        time.sleep(self.desk.seconds_for(operation))
        answer = self.answer(request, operation, carry_out, entry)
        if answer:
            number = request.headers.get("opc-request-id") or uuid.uuid4().hex.upper()
            answer.headers.setdefault("opc-request-id", number)
        # Logged before it is sent: who has the answer finds the request in the log.
        self.desk.finish(entry, answer)
        return answer

    def find(self, request):
        """The operation that is requested, and what carries it out."""
        if request.path.startswith(self.base + "/"):
            path = request.path.removeprefix(self.base)
            for method, pattern, operation, action in self.routes:
                match = pattern.fullmatch(path)
                if match and method == request.method:
                    arguments = {name: unquote(one) for name, one in match.groupdict().items()}
                    return operation, partial(action, request, **arguments)
        return None, self.unknown

    def unknown(self):
        raise not_found()

    def answer(self, request, operation, carry_out, entry):
        try:
            entry["sdk_equal"] = self.referee.check(request)
        except Refusal as refusal:
            entry["refused"] = refusal.message
            return refusal.answer()
        if self.desk.denies(operation) or not self.allows(request, operation, carry_out):
            return not_found().answer()
        fault = self.desk.fault_for(operation)
        if fault is None:
            return self.carried_out(operation, carry_out)
        time.sleep(fault.hang)
        done = None
        if fault.after or not (fault.status or fault.close):
            done = self.carried_out(operation, carry_out)
        if fault.close:
            return None
        return Answer(fault.status, fault.body) if fault.status else done

    def allows(self, request, operation, carry_out):
        with self.world.lock:
            return self.permissions.allow(operation, request, getattr(carry_out, "keywords", {}))

    def carried_out(self, operation, carry_out):
        try:
            with self.world.lock:
                return carry_out()
        except Refusal as refusal:
            return refusal.answer()
        except Exception as error:
            print(f"{operation} failed in the emulator:", file=sys.stderr)
            traceback.print_exc()
            return Refusal(500, "InternalServerError", repr(error)).answer()
