"""What a test may do to the emulated SageMaker behind its back, for the control server."""

import os

from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import sagemaker_backends

import every_member
from operations import LOCK
from sagemaker import SETTINGS, create_endpoint_config, has_local_storage
from tags import merged
from validation import refusal

ACCOUNT = os.environ["MOTO_ACCOUNT_ID"]


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


def create_with_every_member(name, variant, type, shadows=True, region="us-east-1"):
    """Creates a config and its models; returns which members of the API it has and which not."""
    request = every_member.request(name, variant, type, has_local_storage(type), shadows)
    message = refusal("sagemaker", "CreateEndpointConfig", request)
    if message:
        raise ValueError(message)
    backend = sagemaker_backends[ACCOUNT][region]
    for model in every_member.models(request):
        backend.create_model(model, f"arn:aws:iam::{ACCOUNT}:role/model", {}, None, None, None)
    try:
        arn = create_endpoint_config(backend, request)["EndpointConfigArn"]
    except AWSValidationException as error:
        raise ValueError(error.message) from None
    covered, known = every_member.members(request), every_member.all_members()
    return {"arn": arn, "covered": sorted(covered), "missing": sorted(known - covered)}


def differences(left, right):
    one, other = (every("endpoint_configs", name)[0].response_object for name in (left, right))
    return every_member.differences(one, other)


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
    ("POST", "/every-member"): locked(create_with_every_member),
    ("POST", "/differences"): locked(differences),
}
