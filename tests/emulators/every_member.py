"""An endpoint config with every member that the API model knows, and the comparison of two.

Its values are made from botocore's model, so that a member which the API gains is in the config
as soon as botocore knows it. Strings and numbers differ from one another where the model lets
them, so that a value which ends up in the wrong member shows.
"""

import itertools
import re
import struct

from validation import service_model

MODELS = ("ModelName", "ModelNameOverride")
# No variant can have all members: these set the instances that it runs on, in three ways.
BY_TYPE, BY_POOLS, SERVERLESS = "InstanceType", "InstancePools", "ServerlessConfig"
ONLY_SERVERLESS = {"VariantName", "ModelName", "InitialVariantWeight", SERVERLESS}
# What the first value of the enum would contradict.
FITTING = {"RoutingStrategy": "PREFIX_AWARE"}
# The patterns of strings are matched by one of these; the number makes each value different.
STRINGS = (
    "made-up-{}",
    "s3://bucket/path-{}",
    "arn:aws:iam::000000000000:role/made-up-{}",
    "arn:aws:sns:us-east-1:000000000000:made-up-{}",
    "arn:aws:sagemaker:us-east-1:000000000000:ml-reservation/made-up-{}",
    "text/made-up-{}",
    "mig-1g.{}gb",
)


def create_input():
    return service_model("sagemaker").operation_model("CreateEndpointConfig").input_shape


def describe_output():
    return service_model("sagemaker").operation_model("DescribeEndpointConfig").output_shape


def request(name, variant, instance_type, local_storage, shadows):
    """A CreateEndpointConfig with every member; the second variant is the one of that name.

    That one may change its type, and has all members that allow it: volumes only where the type
    has no storage of its own. The shadows are left out where they are not wanted.
    """
    shape = create_input()
    numbers = itertools.count(1)
    made = sample(shape, numbers)
    made["EndpointConfigName"] = name
    of_variant = shape.members["ProductionVariants"].member
    made["ProductionVariants"] = variants(of_variant, numbers)
    scalable = made["ProductionVariants"][1]
    scalable.update(VariantName=variant, InstanceType=instance_type, InitialInstanceCount=2)
    if local_storage:
        del scalable["VolumeSizeInGB"]
    if shadows:
        made["ShadowProductionVariants"] = variants(of_variant, numbers)
        for shadow in made["ShadowProductionVariants"]:
            if BY_TYPE in shadow:
                shadow[BY_TYPE] = "ml.m5.large"
    else:
        del made["ShadowProductionVariants"]
    return made


def variants(shape, numbers):
    """One that picks from pools of instances, one of a single type, one without any."""
    pooled, typed, serverless = (sample(shape, numbers) for _ in range(3))
    del pooled[BY_TYPE], pooled[SERVERLESS]
    del typed[BY_POOLS], typed[SERVERLESS]
    typed["ManagedInstanceScaling"]["Status"] = "DISABLED"
    serverless = {name: serverless[name] for name in serverless if name in ONLY_SERVERLESS}
    return [pooled, typed, serverless]


def sample(shape, numbers, index=0):
    """A value of the shape with everything in it; index is the place in a list it is for."""
    if shape.type_name == "structure":
        return {
            name: FITTING.get(name) or sample(member, numbers, index)
            for name, member in shape.members.items()
        }
    if shape.type_name == "list":
        length = min(2, shape.metadata.get("max", 2))
        return [sample(shape.member, numbers, place) for place in range(length)]
    if shape.type_name == "string":
        return shape.enum[index % len(shape.enum)] if shape.enum else text(shape, next(numbers))
    if shape.type_name == "boolean":
        return True
    if shape.type_name in ("integer", "long"):
        return number(shape, next(numbers))
    if shape.type_name in ("float", "double"):
        # A half is exact in every precision.
        return number(shape, next(numbers)) + 0.5
    raise TypeError(f"no sample for {shape.type_name} {shape.name}")


def number(shape, n):
    least = shape.metadata.get("min", 0)
    most = shape.metadata.get("max", least + 1000)
    return least + n % (most - least + 1)


def text(shape, n):
    pattern = shape.metadata.get("pattern", ".*")
    # Unknown to Python; what they hold is not needed here.
    pattern = re.sub(r"\\p\{\w\}", "a-z0-9", pattern)
    for template in STRINGS:
        value = template.format(n)
        if re.fullmatch(pattern, value) and fits(shape, value):
            return value
    raise ValueError(f"no sample matches {pattern} of {shape.name}")


def fits(shape, value):
    return shape.metadata.get("min", 0) <= len(value) <= shape.metadata.get("max", len(value))


def models(value):
    """The names of the models that a request, or a part of it, runs."""
    if isinstance(value, list):
        return set().union(*map(models, value))
    if not isinstance(value, dict):
        return set()
    own = {value[name] for name in MODELS if name in value}
    return own.union(*map(models, value.values()))


def all_members(shape=None, path=""):
    """The path of every member of CreateEndpointConfig that holds a value itself."""
    shape = shape or create_input()
    if shape.type_name == "structure":
        parts = (all_members(m, f"{path}.{n}" if path else n) for n, m in shape.members.items())
        return set().union(*parts)
    if shape.type_name == "list":
        return all_members(shape.member, f"{path}[]")
    return {path}


def members(value, path=""):
    """The paths of every member that a request uses."""
    if isinstance(value, dict):
        parts = (members(v, f"{path}.{n}" if path else n) for n, v in value.items())
        return set().union(*parts)
    if isinstance(value, list):
        return set().union(*(members(part, f"{path}[]") for part in value))
    return {path}


def differences(left, right):
    """The paths at which two described configs differ, apart from what makes each itself."""
    own = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
    shared = {name: m for name, m in describe_output().members.items() if name not in own}
    return list(unequal_members(shared, "", left, right))


def unequal_members(members, prefix, left, right):
    for name, shape in members.items():
        if name in left and name in right:
            yield from unequal(shape, prefix + name, left[name], right[name])
        elif name in left or name in right:
            yield prefix + name


def unequal(shape, path, left, right):
    if shape.type_name == "structure":
        yield from unequal_members(shape.members, f"{path}.", left, right)
    elif shape.type_name == "list" and len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from unequal(shape.member, f"{path}[{index}]", one, other)
    elif shape.type_name == "float":
        if single(left) != single(right):
            yield path
    elif left != right:
        yield path


def single(value):
    """As precise as the model's floats are, whatever precision they were sent with."""
    return struct.pack("f", value)
