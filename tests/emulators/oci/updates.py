"""What an UpdateModelDeployment request makes of a deployment, or why it is refused."""

import copy

from server import Refusal
from shapes import expect_valid, invalid

# Where the instances are described, by type of deployment.
INSTANCES_IN = {
    "SINGLE_MODEL": "modelConfigurationDetails",
    "MODEL_GROUP": "infrastructureConfigurationDetails",
    "SINGLE_MODEL_FLEX": "infrastructureConfigurationDetails",
}
INFRASTRUCTURE = {
    "MODEL_GROUP": "INSTANCE_POOL",
    "SINGLE_MODEL_FLEX": "MANAGED_COMPUTE_CLUSTER",
}
REQUIRED_IDS = {
    "modelConfigurationDetails": "modelId",
    "modelGroupConfigurationDetails": "modelGroupId",
}
# What the parts of a configuration are when an update leaves them out.
RESET = {"scalingPolicy": {"policyType": "FIXED_SIZE", "instanceCount": 1}, "bandwidthMbps": 10}
# Members that are changed as one.
GROUPS = {
    "modelId": "model",
    "modelArtifactSignatureId": "model",
    "modelGroupId": "model",
    "bandwidthMbps": "bandwidth",
    "maximumBandwidthMbps": "bandwidth",
}
TAGS_AND_TEXTS = ("displayName", "description", "freeformTags", "definedTags")
CONFIGURATION = "modelDeploymentConfigurationDetails"


def without_nulls(value):
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [without_nulls(one) for one in value]
    return value


def instances(configuration):
    """The part of a configuration that describes the instances."""
    return configuration.get(INSTANCES_IN[configuration["deploymentType"]]) or {}


def planned(document, body, settings):
    """The deployment after the update, and the names of the option groups that change."""
    body, after = without_nulls(body), copy.deepcopy(document)
    if CONFIGURATION in body:
        before = document[CONFIGURATION]
        after[CONFIGURATION] = replaced(before, body[CONFIGURATION], settings["omitted"])
    if "categoryLogDetails" in body:
        after["categoryLogDetails"] = body["categoryLogDetails"]
    expect_tags(body)
    changed = changed_groups(document, after)
    for name in TAGS_AND_TEXTS:
        if name in body:
            after[name] = body[name]
    return after, changed


def expect_tags(body):
    tags = body.get("freeformTags", {})
    if not isinstance(tags, dict) or not all(isinstance(one, str) for one in tags.values()):
        raise invalid("expected `freeformTags` as an object of texts")


def replaced(before, sent, omitted):
    """The configuration when each part of it that is sent replaces what there was."""
    kind = sent.get("deploymentType")
    if kind != before["deploymentType"]:
        raise invalid(f"expected deploymentType `{before['deploymentType']}`, found `{kind}`")
    after = {**copy.deepcopy(before), **sent}
    part = INSTANCES_IN[kind]
    if part in sent:
        base = RESET if omitted == "reset" else without_nulls(before.get(part) or {})
        if kind == "SINGLE_MODEL_FLEX":
            base = {} if omitted == "reset" else base
        after[part] = {**copy.deepcopy(base), **sent[part]}
    expect_whole(kind, after, sent)
    # It sets how to update, and is no part of what is updated.
    after.pop("updateType", None)
    return after


def expect_whole(kind, after, sent):
    for part, id in REQUIRED_IDS.items():
        if part in sent and not sent[part].get(id):
            raise invalid(f"expected `{id}` in `{part}`")
    if sent.get("updateType", "ZDT") not in ("ZDT", "LIVE"):
        raise invalid(f"expected updateType `ZDT` or `LIVE`, found `{sent['updateType']}`")
    expect_environment(sent.get("environmentConfigurationDetails"))
    part = after.get(INSTANCES_IN[kind]) or {}
    if kind in INFRASTRUCTURE and part.get("infrastructureType") != INFRASTRUCTURE[kind]:
        raise invalid(f"expected infrastructureType `{INFRASTRUCTURE[kind]}`")
    if kind != "SINGLE_MODEL_FLEX":
        expect_valid(part.get("instanceConfiguration") or {})
    expect_policy(part.get("scalingPolicy"))


def expect_environment(environment):
    kinds = ("DEFAULT", "OCIR_CONTAINER")
    if environment is not None and environment.get("environmentConfigurationType") not in kinds:
        raise invalid(f"expected environmentConfigurationType to be one of {kinds}")


def expect_policy(policy):
    if policy is None:
        return
    if policy.get("policyType") == "FIXED_SIZE":
        count = policy.get("instanceCount")
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise invalid(f"expected `instanceCount` of at least 1, found `{count}`")
    elif policy.get("policyType") == "AUTOSCALING":
        if not policy.get("autoScalingPolicies"):
            raise invalid("expected `autoScalingPolicies` in an AUTOSCALING policy")
    else:
        found = policy.get("policyType")
        raise invalid(f"expected policyType `FIXED_SIZE` or `AUTOSCALING`, found `{found}`")


def option_groups(document):
    """Everything that is no tag or text, by the group in which it is changed."""
    groups = {}
    for name, value in without_nulls(document.get(CONFIGURATION) or {}).items():
        nested = name.startswith(("model", "infrastructure")) and isinstance(value, dict)
        for member, one in value.items() if nested else [(name, value)]:
            groups.setdefault(GROUPS.get(member, member), {})[member] = one
    groups["categoryLogDetails"] = without_nulls(document.get("categoryLogDetails"))
    return groups


def changed_groups(before, after):
    old, new = option_groups(before), option_groups(after)
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def expect_separate(body, changed, settings):
    """Refuses what a live deployment takes only one after the other."""
    if settings["one_group_at_a_time"] and len(changed) > 1:
        groups = ", ".join(changed)
        raise invalid(f"while the deployment is active, change only one of these: {groups}")
    tags = "freeformTags" in body or "definedTags" in body
    if tags and changed and not settings["tags_with_size"]:
        raise invalid("while the deployment is active, change tags in an update of their own")


def instance_count(document):
    """How many instances a deployment gets."""
    policy = instances(document[CONFIGURATION]).get("scalingPolicy") or {}
    if policy.get("policyType") != "AUTOSCALING":
        return policy.get("instanceCount")
    rule = policy["autoScalingPolicies"][0]
    current = (document.get("modelDeploymentSystemData") or {}).get("currentInstanceCount")
    least, most = rule["minimumInstanceCount"], rule["maximumInstanceCount"]
    return min(max(current or rule["initialInstanceCount"], least), most)


def expect_quota(before, after, quotas):
    """Refuses more instances of a shape than there may be."""

    def size(document):
        configuration = instances(document[CONFIGURATION]).get("instanceConfiguration") or {}
        return configuration.get("instanceShapeName"), instance_count(document) or 0

    (old_shape, old), (shape, new) = size(before), size(after)
    more = shape != old_shape or new > old
    if more and shape in quotas and new > quotas[shape]:
        message = f"{new} instances of `{shape}` exceed the limit of {quotas[shape]}"
        raise Refusal(400, "LimitExceeded", message)
