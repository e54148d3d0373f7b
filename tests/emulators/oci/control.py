"""The server by which a test arranges what happens and reads what happened."""

from urllib.parse import parse_qsl, urlsplit

from server import Answer


def control(routes, lock):
    """Answers requests by functions by method and path, whose arguments are the JSON body."""

    def respond(request):
        action = routes.get((request.method, request.path))
        if action is None:
            return Answer(404, {"error": f"no {request.method} {request.path}"})
        arguments = dict(parse_qsl(urlsplit(request.target).query))
        if request.body:
            if not isinstance(request.decoded, dict):
                return Answer(400, {"error": "expected a JSON object as body"})
            arguments |= request.decoded
        try:
            with lock:
                result = action(**arguments)
        except LookupError as error:
            return Answer(404, {"error": str(error)})
        except (TypeError, ValueError) as error:
            return Answer(400, {"error": str(error)})
        return Answer(200, {} if result is None else result)

    return respond
