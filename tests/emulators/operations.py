"""How an operation of these emulators replaces moto's, and what all of them share."""

import base64
import copy
import json
import threading

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, EmptyResult

# One call at a time: moto's stores know no threads.
LOCK = threading.RLock()


def install(response_class, backend_of, operations):
    """Makes methods of moto's response class out of functions of a backend and a request."""
    for operation in operations:
        setattr(response_class, operation.__name__, method(operation, backend_of))


def method(operation, backend_of):
    def answer(response):
        with LOCK:
            result = operation(backend_of(response), json.loads(response.body))
            return EmptyResult() if result is None else ActionResult(copy.deepcopy(result))

    return answer


def refusal(code, message):
    """An error of the JSON protocol, to be raised."""
    return JsonRESTError(code, message)


def page(items, key, request, default, descending=False):
    """One page of the items in the order of their keys, and the token of the next one.

    A key is a list. A token holds the last key sent, so that pages stay right when items come or
    go between them.
    """
    items = sorted(items, key=key, reverse=descending)
    if "NextToken" in request:
        last = read_token(request["NextToken"])
        items = [item for item in items if (key(item) < last if descending else key(item) > last)]
    size = request.get("MaxResults", default)
    more = {"NextToken": token(key(items[size - 1]))} if len(items) > size else {}
    return items[:size], more


def token(key):
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def read_token(text):
    try:
        return json.loads(base64.urlsafe_b64decode(text))
    except ValueError:
        raise refusal("ValidationException", "The NextToken is not valid.") from None
