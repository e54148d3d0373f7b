"""A function written with Oracle's own kit, fails and is late on request: what it does, stepladder may do.

Usage, with the environment of a function: reference_function.py
"""

import asyncio
import json
import os
import time
from datetime import UTC, datetime

import fdk
from fdk import customer_code, response


def handler(ctx, data=None):
    if "STEPLADDER_POLICY" in os.environ:
        raise ValueError("no policy is right for this function")
    if datetime.fromisoformat(ctx.Deadline()) <= datetime.now(UTC):
        raise TimeoutError("the deadline has passed")
    time.sleep(float(os.environ.get("SECONDS", 0)))
    body = json.dumps({"read": len(data.getvalue())})
    return response.Response(ctx, body, headers={"Content-Type": "application/json"})


if __name__ == "__main__":
    # The kit expects a loop to be there, which Python no longer makes by itself.
    asyncio.set_event_loop(asyncio.new_event_loop())
    fdk.handle(customer_code.Function(__file__))
