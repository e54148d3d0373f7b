"""Application Auto Scaling as a register: what was put is what is described.

moto's own keeps the policies of a target that is deregistered, gives a policy a new ARN at each
change, finds policies by parts of names and repeats its second page for ever. Nothing here ever
scales anything; only a registration pulls the capacity into its bounds.
"""

import time
import uuid
from collections import defaultdict

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse

import operations
from operations import page, refusal

INSTANCES = "sagemaker:variant:DesiredInstanceCount"
TARGET = ("ServiceNamespace", "ResourceId", "ScalableDimension")
POLICY = (*TARGET, "PolicyName")
ACTION = (*TARGET, "ScheduledActionName")
SUSPENSIONS = (
    "DynamicScalingInSuspended",
    "DynamicScalingOutSuspended",
    "ScheduledScalingSuspended",
)
ROLE = (
    "role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com"
    "/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)


class Register:
    """What one account has in one region, each thing as it is described, by what identifies it."""

    def __init__(self):
        self.targets = {}
        self.policies = {}
        self.actions = {}

    def forget(self, target):
        """Deregisters; what hangs on the target goes with it."""
        del self.targets[target]
        for store in (self.policies, self.actions):
            for identity in [i for i in store if i[: len(TARGET)] == target]:
                del store[identity]


REGISTERS = defaultdict(Register)
# What makes the capacity of a resource fit its new bounds, by scalable dimension.
PULL = {}


def register_of(backend):
    return REGISTERS[backend.account_id, backend.region_name]


def variants_of(backend, endpoint_name):
    """The identities of the registered variants of an endpoint, by variant name."""
    prefix = f"endpoint/{endpoint_name}/variant/"
    return {
        target[1].removeprefix(prefix): target
        for target in register_of(backend).targets
        if target[1].startswith(prefix) and target[2] == INSTANCES
    }


def identity(names, request):
    return tuple(request[name] for name in names)


def wording(names, key):
    words = {
        "ServiceNamespace": "service namespace",
        "ResourceId": "resource ID",
        "ScalableDimension": "scalable dimension",
        "PolicyName": "policy name",
        "ScheduledActionName": "scheduled action name",
    }
    return ", ".join(f"{words[name]}: {value}" for name, value in zip(names, key, strict=True))


def find(store, names, request, noun):
    key = identity(names, request)
    if key not in store:
        message = f"No {noun} found for {wording(names, key)}"
        raise refusal("ObjectNotFoundException", message)
    return key


def find_registered(backend, request):
    targets = register_of(backend).targets
    key = identity(TARGET, request)
    if key not in targets:
        message = f"No scalable target registered for {wording(TARGET, key)}"
        raise refusal("ObjectNotFoundException", message)
    return targets[key]


def arn(backend, service, resource):
    return f"arn:aws:{service}:{backend.region_name}:{backend.account_id}:{resource}"


def register_scalable_target(backend, request):
    targets = register_of(backend).targets
    key = identity(TARGET, request)
    target = dict(targets.get(key) or new_target(backend, request))
    given = {name: request[name] for name in ("MinCapacity", "MaxCapacity") if name in request}
    target.update(given, SuspendedState=suspensions(target, request))
    check_bounds(target)
    targets[key] = target
    pull = PULL.get(key[2])
    if pull:
        pull(backend, target)
    return {"ScalableTargetARN": target["ScalableTargetARN"]}


def new_target(backend, request):
    return {
        **{name: request[name] for name in TARGET},
        "RoleARN": request.get("RoleARN", f"arn:aws:iam::{backend.account_id}:{ROLE}"),
        "CreationTime": time.time(),
        "ScalableTargetARN": arn(
            backend, "application-autoscaling", f"scalable-target/{uuid.uuid4().hex}"
        ),
    }


def suspensions(target, request):
    """All three, where the request leaves out some: as they were, else not suspended."""
    before = target.get("SuspendedState", dict.fromkeys(SUSPENSIONS, False))
    return {**before, **request.get("SuspendedState", {})}


def check_bounds(target):
    if "MinCapacity" not in target or "MaxCapacity" not in target:
        raise refusal(
            "ValidationException",
            "MinCapacity and MaxCapacity are required to register a new scalable target",
        )
    if target["MinCapacity"] > target["MaxCapacity"]:
        raise refusal(
            "ValidationException", "Maximum capacity cannot be less than minimum capacity"
        )


def deregister_scalable_target(backend, request):
    register = register_of(backend)
    register.forget(find(register.targets, TARGET, request, "scalable target"))


def describe_scalable_targets(backend, request):
    wanted = request.get("ResourceIds")
    found = [
        target
        for target in chosen(register_of(backend).targets, request)
        if not wanted or target["ResourceId"] in wanted
    ]
    return paged("ScalableTargets", found, TARGET, request)


def put_scaling_policy(backend, request):
    find_registered(backend, request)
    policies = register_of(backend).policies
    key = identity(POLICY, request)
    made = policies.get(key) or new_policy(backend, request)
    if request.get("PolicyType", made["PolicyType"]) != made["PolicyType"]:
        raise refusal("ValidationException", "The type of a scaling policy cannot be changed")
    policies[key] = {**made, **request}
    return {"PolicyARN": made["PolicyARN"], "Alarms": []}


def new_policy(backend, request):
    resource = f"resource/{request['ServiceNamespace']}/{request['ResourceId']}"
    name = f"policyName/{request['PolicyName']}"
    return {
        "PolicyARN": arn(backend, "autoscaling", f"scalingPolicy:{uuid.uuid4()}:{resource}:{name}"),
        "PolicyType": request.get("PolicyType", "StepScaling"),
        "CreationTime": time.time(),
        "Alarms": [],
    }


def delete_scaling_policy(backend, request):
    policies = register_of(backend).policies
    del policies[find(policies, POLICY, request, "scaling policy")]


def describe_scaling_policies(backend, request):
    return described("ScalingPolicies", register_of(backend).policies, POLICY, request)


def put_scheduled_action(backend, request):
    find_registered(backend, request)
    actions = register_of(backend).actions
    key = identity(ACTION, request)
    made = actions.get(key) or new_action(backend, request)
    if "Schedule" not in {**made, **request}:
        raise refusal("ValidationException", "Schedule is required for a new scheduled action")
    # Unlike the rest, times that are left out are removed.
    kept = {name: value for name, value in made.items() if name not in ("StartTime", "EndTime")}
    actions[key] = {**kept, **request}


def new_action(backend, request):
    resource = f"resource/{request['ServiceNamespace']}/{request['ResourceId']}"
    name = f"scheduledActionName/{request['ScheduledActionName']}"
    return {
        "ScheduledActionARN": arn(
            backend, "autoscaling", f"scheduledAction:{uuid.uuid4()}:{resource}:{name}"
        ),
        "CreationTime": time.time(),
    }


def delete_scheduled_action(backend, request):
    actions = register_of(backend).actions
    del actions[find(actions, ACTION, request, "scheduled action")]


def describe_scheduled_actions(backend, request):
    return described("ScheduledActions", register_of(backend).actions, ACTION, request)


def described(member, store, names, request):
    """Describes what hangs on targets, also by its names."""
    wanted = request.get(f"{names[-1]}s")
    resource = request.get("ResourceId")
    found = [
        one
        for one in chosen(store, request)
        if (not wanted or one[names[-1]] in wanted) and resource in (None, one["ResourceId"])
    ]
    return paged(member, found, names, request)


def chosen(store, request):
    dimension = request.get("ScalableDimension")
    return [
        one
        for one in store.values()
        if one["ServiceNamespace"] == request["ServiceNamespace"]
        and dimension in (None, one["ScalableDimension"])
    ]


def paged(member, found, names, request):
    shown, more = page(found, lambda one: [one[name] for name in names], request, 50)
    return {member: shown, **more}


OPERATIONS = (
    register_scalable_target,
    deregister_scalable_target,
    describe_scalable_targets,
    put_scaling_policy,
    delete_scaling_policy,
    describe_scaling_policies,
    put_scheduled_action,
    delete_scheduled_action,
    describe_scheduled_actions,
)


def install():
    """Puts the operations into moto; call it once, before the first request."""

    def backend_of(response):
        return applicationautoscaling_backends[response.current_account][response.region]

    operations.install(ApplicationAutoScalingResponse, backend_of, OPERATIONS)
