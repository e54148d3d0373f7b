"""A stub of the Lambda Runtime API: gives a function its events, and measures the time."""

import asyncio
import contextlib
import itertools
import time

from server import Answer, serving

API = "/2018-06-01/runtime"
# Far longer than any start: a function that hangs is reported.
PATIENCE_SECONDS = 30
FUNCTION = "arn:aws:lambda:us-east-1:111122223333:function:bench"


class FunctionFailed(Exception):
    """The function returned an error instead of a reply, or nothing at all."""


class Runtime:
    """The Runtime API of one function process."""

    def __init__(self):
        self.asked = asyncio.Queue()
        self.events = asyncio.Queue()
        self.replies = asyncio.Queue()
        self.ids = itertools.count(1)
        self.handed = 0

    @contextlib.asynccontextmanager
    async def serving(self):
        async with serving(self.answer) as self.address:
            yield self

    async def answer(self, request):
        if request.path == f"{API}/invocation/next":
            self.asked.put_nowait(request.arrived)
            event = await self.events.get()
            self.handed = time.perf_counter_ns()
            return Answer(200, event, self.invocation())
        if request.path.endswith("/response"):
            self.replies.put_nowait((request.arrived, request.body))
        else:
            self.end(FunctionFailed(f"{request.path}: {request.body.decode(errors='replace')}"))
        return Answer(202)

    def end(self, failed):
        """Ends every wait with this failure."""
        self.asked.put_nowait(failed)
        self.replies.put_nowait((0, failed))

    def invocation(self):
        return {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": f"00000000-0000-4000-8000-{next(self.ids):012}",
            "Lambda-Runtime-Deadline-Ms": int((time.time() + PATIENCE_SECONDS) * 1000),
            "Lambda-Runtime-Invoked-Function-Arn": FUNCTION,
            "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
        }

    async def first_asked(self):
        """When the function requested its first event, in nanoseconds of the performance counter."""
        return unless_failed(await in_time(self.asked.get(), "an event is requested"))

    async def invoke(self, event):
        """The reply to an event, and the nanoseconds between the two."""
        self.events.put_nowait(event)
        arrived, reply = await in_time(self.replies.get(), "a reply")
        return unless_failed(reply), arrived - self.handed


async def in_time(awaited, expected):
    try:
        return await asyncio.wait_for(awaited, PATIENCE_SECONDS)
    except TimeoutError:
        raise FunctionFailed(f"expected within {PATIENCE_SECONDS} s: {expected}") from None


def unless_failed(found):
    if isinstance(found, FunctionFailed):
        raise found
    return found
