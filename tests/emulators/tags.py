"""Tags of endpoints and their configs; moto keeps those of everything else.

moto adds a second tag with the same key, and fails where there is no such resource.
"""

from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.responses import SageMakerResponse

import operations
from operations import LOCK, page

RESERVED = "aws:"


def given(request):
    """The tags that a request of a caller gives to what it creates."""
    tags = request.get("Tags", [])
    refuse_reserved(tag["Key"] for tag in tags)
    return merged([], tags)


def refuse_reserved(keys):
    for key in keys:
        if key.lower().startswith(RESERVED):
            raise AWSValidationException(
                f"System prefix '{RESERVED}' reserved for AWS usage in tag key: {key}"
            )


def merged(old, new):
    """Both, where a new value takes the place of the old one."""
    values = {tag["Key"]: tag["Value"] for tag in [*old, *new]}
    return [{"Key": key, "Value": value} for key, value in values.items()]


def find_tagged(backend, arn):
    """The endpoint or config of that ARN."""
    store, noun = {
        "endpoint": (backend.endpoints, "endpoint"),
        "endpoint-config": (backend.endpoint_configs, "endpoint configuration"),
    }[kind(arn)]
    for resource in store.values():
        if resource.arn == arn:
            return resource
    raise AWSValidationException(f'Could not find {noun} "{arn}".')


def kind(arn):
    return arn.split(":", 5)[-1].split("/")[0]


def add_tags(backend, request):
    resource = find_tagged(backend, request["ResourceArn"])
    refuse_reserved(tag["Key"] for tag in request["Tags"])
    resource.tags = merged(resource.tags, request["Tags"])
    return {"Tags": resource.tags}


def list_tags(backend, request):
    resource = find_tagged(backend, request["ResourceArn"])
    shown, more = page(resource.tags, lambda tag: [tag["Key"]], request, 50)
    return {"Tags": shown, **more}


def delete_tags(backend, request):
    resource = find_tagged(backend, request["ResourceArn"])
    refuse_reserved(request["TagKeys"])
    resource.tags = [tag for tag in resource.tags if tag["Key"] not in request["TagKeys"]]


def install():
    """Puts the operations before moto's."""
    for operation in (add_tags, list_tags, delete_tags):
        name = operation.__name__
        setattr(SageMakerResponse, name, ours_first(operation, getattr(SageMakerResponse, name)))


def ours_first(operation, moto_operation):
    ours = operations.method(operation, lambda response: response.sagemaker_backend)

    def method(self):
        with LOCK:
            of_ours = kind(self._get_param("ResourceArn")) in ("endpoint", "endpoint-config")
            return ours(self) if of_ours else moto_operation(self)

    return method
