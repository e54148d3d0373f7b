"""Holds a JSON request against botocore's model of the operation, as the real front door does."""

import functools
import re

import botocore.session
from botocore.validate import ParamValidator


@functools.cache
def service_model(service):
    return botocore.session.get_session().get_service_model(service)


def refusal(service, operation, params):
    """The message of the ValidationException that the request deserves, or None."""
    model = service_model(service)
    if operation not in model.operation_names:
        return None
    shape = model.operation_model(operation).input_shape
    if shape is None:
        return None
    structure = ParamValidator().validate(params, shape)
    if structure.has_errors():
        return structure.generate_report()
    # botocore itself checks neither enums nor patterns nor upper bounds.
    found = list(violations(shape, params, ""))
    if not found:
        return None
    noun = "error" if len(found) == 1 else "errors"
    return f"{len(found)} validation {noun} detected: {'; '.join(found)}"


def violations(shape, value, path):
    """Yields one sentence for each constraint that the value, or a part of it, breaks."""
    for constraint in broken(shape, value):
        yield (
            f"Value '{value}' at '{path}' failed to satisfy constraint: Member must {constraint}"
        )
    for member, part, name in parts(shape, value):
        yield from violations(member, part, f"{path}.{name}" if path else name)


def parts(shape, value):
    """Yields shape, value and name of everything directly inside the value."""
    if shape.type_name == "structure":
        for name, part in value.items():
            yield shape.members[name], part, name[0].lower() + name[1:]
    elif shape.type_name == "list":
        for index, part in enumerate(value, 1):
            yield shape.member, part, f"{index}.member"
    elif shape.type_name == "map":
        for name, part in value.items():
            yield shape.value, part, f"{name}.member"


def broken(shape, value):
    """Yields what the value itself must do and does not."""
    if shape.type_name == "string":
        if shape.enum and value not in shape.enum:
            yield f"satisfy enum value set: [{', '.join(shape.enum)}]"
        if not matches(shape.metadata.get("pattern"), value):
            yield f"satisfy regular expression pattern: {shape.metadata['pattern']}"
    most = shape.metadata.get("max")
    if most is None:
        return
    if shape.type_name in ("integer", "long", "float", "double") and value > most:
        yield f"have value less than or equal to {most}"
    if shape.type_name in ("string", "list", "map") and len(value) > most:
        yield f"have length less than or equal to {most}"


def matches(pattern, value):
    if pattern is None:
        return True
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:
        # Java classes such as \p{L} are unknown to Python: let those pass.
        return True
