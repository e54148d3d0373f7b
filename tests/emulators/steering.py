"""What a test may do to the emulated SageMaker behind its back, for the control server."""

from moto.sagemaker.models import sagemaker_backends

from operations import LOCK
from sagemaker import SETTINGS
from tags import merged


def backends():
    return [backend for regions in sagemaker_backends.values() for backend in regions.values()]


def every(store, name):
    """Everything of that name, whatever its region."""
    found = [getattr(backend, store).get(name) for backend in backends()]
    if not any(found):
        raise LookupError(f"no {store.removesuffix('s').replace('_', ' ')} {name}")
    return [one for one in found if one]


def age(endpoint, seconds):
    for one in every("endpoints", endpoint):
        one.settle().shift(float(seconds))


def roll_back(endpoint):
    for one in every("endpoints", endpoint):
        one.spoiled = True


def set_quota(type, instances):
    if instances is None:
        SETTINGS["quotas"].pop(type, None)
    else:
        SETTINGS["quotas"][type] = int(instances)


def hide(seconds):
    SETTINGS["hidden_seconds"] = float(seconds)


def tag(arn, key, value):
    """Tags as AWS itself does it, also with the keys that are closed to callers."""
    found = [
        resource
        for backend in backends()
        for store in (backend.endpoints, backend.endpoint_configs)
        for resource in store.values()
        if resource.arn == arn
    ]
    if not found:
        raise LookupError(f"no endpoint or endpoint config {arn}")
    for resource in found:
        resource.tags = merged(resource.tags, [{"Key": key, "Value": value}])


def locked(action):
    def method(**arguments):
        with LOCK:
            return action(**arguments)

    return method


ROUTES = {
    ("POST", "/age"): locked(age),
    ("POST", "/rollback"): locked(roll_back),
    ("POST", "/quota"): locked(set_quota),
    ("POST", "/visibility"): locked(hide),
    ("POST", "/tag"): locked(tag),
}
