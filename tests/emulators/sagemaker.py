"""SageMaker endpoints that take their time, laid over moto's backend.

moto keeps the stores and everything that is not an endpoint. The operations here replace moto's,
which resize at once, refuse most instance types and cannot UpdateEndpoint.
"""

import time
from collections import Counter
from datetime import timedelta

from moto.core.utils import utcnow
from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse
from moto.sagemaker.utils import arn_formatter

import operations
import scaling
import tags
from operations import LOCK, page, refusal

# quotas: instances of a type for all endpoints together; hidden_seconds: how long UpdateEndpoint
# does not find a new config.
SETTINGS = {"update_seconds": 2.0, "quotas": {}, "hidden_seconds": 0.0}
# What the service reports of an update that it rolled back.
ROLLED_BACK = "The update failed and was rolled back: the new fleet did not pass its health check."


class EndpointConfig:
    """Keeps the request whole, so that what was sent is what is described."""

    def __init__(self, backend, request):
        self.request = {name: value for name, value in request.items() if name != "Tags"}
        self.tags = tags.given(request)
        self.endpoint_config_name = request["EndpointConfigName"]
        self.endpoint_config_arn = config_arn(backend, self.endpoint_config_name)
        self.arn = self.endpoint_config_arn
        # As precise as clients send it back to filter by.
        now = utcnow()
        self.creation_time = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self.created = time.monotonic()

    @property
    def response_object(self):
        return {**self.request, **self.summary()}

    def summary(self):
        """What is listed."""
        return {
            "EndpointConfigName": self.endpoint_config_name,
            "EndpointConfigArn": self.endpoint_config_arn,
            "CreationTime": self.creation_time,
        }

    def variant(self, name):
        return next((v for v in self.variants if v["VariantName"] == name), None)

    @property
    def variants(self):
        return self.request["ProductionVariants"]

    @property
    def shadows(self):
        return self.request.get("ShadowProductionVariants", [])

    def types(self):
        """The instance type of each variant that names one, by variant name."""
        variants = self.variants + self.shadows
        return {v["VariantName"]: v["InstanceType"] for v in variants if "InstanceType" in v}


class Endpoint:
    """An endpoint whose update is finished by the first read after its time is up."""

    def __init__(self, backend, request, config):
        self.endpoint_name = request["EndpointName"]
        self.arn = endpoint_arn(backend, self.endpoint_name)
        self.tags = tags.given(request)
        self.creation_time = self.last_modified_time = utcnow()
        self.endpoint_status = "InService"
        self.failure_reason = self.due = self.pending = self.deployment = None
        # Whether the next UpdateEndpoint is to be rolled back, and whether the one in progress is.
        self.spoiled = self.failing = False
        self.adopt(config, sizes(config.variants), request.get("DeploymentConfig"))

    def adopt(self, config, variants, deployment):
        self.config = config
        self.endpoint_config_name = config.endpoint_config_name
        self.deployment = deployment
        self.production_variants = variants

    def start_update(self, pending=None):
        """Goes to Updating; pending is what UpdateEndpoint will put in place, for adopt()."""
        self.endpoint_status = "Updating"
        self.pending = pending
        self.failure_reason = None
        if pending:
            self.failing, self.spoiled = self.spoiled, False
        self.started = utcnow()
        self.due = time.monotonic() + SETTINGS["update_seconds"]

    def settle(self):
        """Finishes an update that is due. Nothing runs in the background."""
        if self.due is None:
            return self
        left = self.due - time.monotonic()
        if self.failing and left <= SETTINGS["update_seconds"] / 2:
            self.endpoint_status = "RollingBack"
            self.failure_reason = ROLLED_BACK
        if left > 0:
            return self
        if self.pending and not self.failing:
            self.adopt(*self.pending)
        for variant in self.production_variants:
            reach_desired(variant)
        self.endpoint_status = "InService"
        self.last_modified_time = self.started + timedelta(seconds=SETTINGS["update_seconds"])
        self.due = self.pending = None
        self.failing = False
        return self

    def instances(self):
        """How many instances of each type run, or are on their way, for the quota."""
        running = Counter()
        count(running, self.config, self.production_variants)
        if self.pending:
            count(running, *self.pending[:2])
        return running

    def shift(self, seconds):
        """Makes the last change that much older, and the endpoint at least as old as that."""
        self.last_modified_time -= timedelta(seconds=seconds)
        self.creation_time = min(self.creation_time, self.last_modified_time)

    def summary(self):
        """What moto lists."""
        return {
            "EndpointName": self.endpoint_name,
            "EndpointArn": self.arn,
            "EndpointStatus": self.endpoint_status,
            "CreationTime": self.creation_time,
            "LastModifiedTime": self.last_modified_time,
        }

    @property
    def response_object(self):
        described = {
            **self.summary(),
            "EndpointConfigName": self.endpoint_config_name,
            "ProductionVariants": self.production_variants,
            "LastDeploymentConfig": self.deployment,
            "PendingDeploymentSummary": self.pending and self.pending_summary(),
            "FailureReason": self.failure_reason,
        }
        for name in ("AsyncInferenceConfig", "ExplainerConfig"):
            described[name] = self.config.request.get(name)
        described["ShadowProductionVariants"] = sizes(self.config.shadows) or None
        return {name: value for name, value in described.items() if value is not None}

    def pending_summary(self):
        config, variants, _ = self.pending
        types = config.types()
        return {
            "EndpointConfigName": config.endpoint_config_name,
            "StartTime": self.started,
            "ProductionVariants": [
                {**v, "InstanceType": types[v["VariantName"]]} if v["VariantName"] in types else v
                for v in variants
            ],
        }


def sizes(variants):
    """The ProductionVariantSummary list of variants at the size their config gives them."""
    return [size(variant) for variant in variants]


def size(variant):
    summary = {"VariantName": variant["VariantName"]}
    set_both(summary, "Weight", variant.get("InitialVariantWeight", 1.0))
    if "InitialInstanceCount" in variant:
        set_both(summary, "InstanceCount", variant["InitialInstanceCount"])
    if "ServerlessConfig" in variant:
        set_both(summary, "ServerlessConfig", variant["ServerlessConfig"])
    for name in ("ManagedInstanceScaling", "RoutingConfig"):
        if name in variant:
            summary[name] = variant[name]
    return summary


def set_both(summary, property_name, value):
    summary[f"Current{property_name}"] = summary[f"Desired{property_name}"] = value


def reach_desired(summary):
    for name in ("Weight", "InstanceCount", "ServerlessConfig"):
        if f"Desired{name}" in summary:
            summary[f"Current{name}"] = summary[f"Desired{name}"]


def count(running, config, variants):
    """Adds the instances of the variants, and of the config's shadows, to those that run."""
    types = config.types()
    for summary in variants + sizes(config.shadows):
        instances = (summary.get(f"{when}InstanceCount", 0) for when in ("Current", "Desired"))
        running[types.get(summary["VariantName"])] += max(instances)


def config_arn(backend, name):
    return arn_formatter("endpoint-config", name, backend.account_id, backend.region_name)


def endpoint_arn(backend, name):
    return arn_formatter("endpoint", name, backend.account_id, backend.region_name)


def find_config(backend, name):
    if name not in backend.endpoint_configs:
        raise missing_config(backend, name)
    return backend.endpoint_configs[name]


def find_visible_config(backend, name):
    """A config that is old enough for UpdateEndpoint to see it."""
    config = find_config(backend, name)
    if time.monotonic() < config.created + SETTINGS["hidden_seconds"]:
        raise missing_config(backend, name)
    return config


def missing_config(backend, name):
    arn = config_arn(backend, name)
    return AWSValidationException(f'Could not find endpoint configuration "{arn}".')


def find_endpoint(backend, name):
    if name not in backend.endpoints:
        arn = endpoint_arn(backend, name)
        raise AWSValidationException(f'Could not find endpoint "{arn}".')
    return backend.endpoints[name].settle()


def find_idle_endpoint(backend, name):
    endpoint = find_endpoint(backend, name)
    if endpoint.endpoint_status != "InService":
        raise AWSValidationException(f'Cannot update in-progress endpoint "{endpoint.arn}".')
    return endpoint


def create_endpoint_config(backend, request):
    name = request["EndpointConfigName"]
    if name in backend.endpoint_configs:
        arn = config_arn(backend, name)
        raise AWSValidationException(
            f'Cannot create already existing endpoint configuration "{arn}".'
        )
    variants = request["ProductionVariants"] + request.get("ShadowProductionVariants", [])
    refuse_repeated_names(variants)
    for variant in variants:
        check_variant(backend, variant)
    config = EndpointConfig(backend, request)
    backend.endpoint_configs[name] = config
    return {"EndpointConfigArn": config.endpoint_config_arn}


def refuse_repeated_names(variants):
    names = [variant["VariantName"] for variant in variants]
    for name in names:
        if names.count(name) > 1:
            raise AWSValidationException(
                f'The variant name "{name}" was non-unique within the request.'
            )


def check_variant(backend, variant):
    model = variant.get("ModelName")
    if model is not None and model not in backend._models:
        arn = arn_formatter("model", model, backend.account_id, backend.region_name)
        raise AWSValidationException(f'Could not find model "{arn}".')
    instance_type = variant.get("InstanceType")
    if instance_type and "VolumeSizeInGB" in variant and has_local_storage(instance_type):
        raise AWSValidationException(f"VolumeSizeInGB is not supported for {instance_type}.")


def has_local_storage(instance_type):
    family = instance_type.split(".")[1]
    return "d" in family or family.startswith(("g5", "g6", "trn1"))


def describe_endpoint_config(backend, request):
    return find_config(backend, request["EndpointConfigName"]).response_object


def delete_endpoint_config(backend, request):
    # The service lets go of a config that is in use, too.
    find_config(backend, request["EndpointConfigName"])
    del backend.endpoint_configs[request["EndpointConfigName"]]


def list_endpoint_configs(backend, request):
    by_name = request.get("SortBy", "CreationTime") == "Name"

    def key(config):
        name, created = config.endpoint_config_name, config.creation_time.timestamp()
        return [name] if by_name else [created, name]

    def wanted(config):
        created = config.creation_time.timestamp()
        return (
            request.get("NameContains", "") in config.endpoint_config_name
            and request.get("CreationTimeAfter", created) <= created
            and created < request.get("CreationTimeBefore", created + 1)
        )

    configs = [config for config in backend.endpoint_configs.values() if wanted(config)]
    descending = request.get("SortOrder", "Descending") == "Descending"
    shown, more = page(configs, key, request, 10, descending)
    return {"EndpointConfigs": [config.summary() for config in shown], **more}


def create_endpoint(backend, request):
    # In service at once: creating is the test's preparation, not its subject.
    name = request["EndpointName"]
    if name in backend.endpoints:
        arn = endpoint_arn(backend, name)
        raise AWSValidationException(f'Cannot create already existing endpoint "{arn}".')
    config = find_config(backend, request["EndpointConfigName"])
    backend.endpoints[name] = Endpoint(backend, request, config)
    return {"EndpointArn": backend.endpoints[name].arn}


def describe_endpoint(backend, request):
    return find_endpoint(backend, request["EndpointName"]).response_object


def delete_endpoint(backend, request):
    endpoint = find_endpoint(backend, request["EndpointName"])
    for target in scaling.variants_of(backend, endpoint.endpoint_name).values():
        scaling.register_of(backend).forget(target)
    del backend.endpoints[request["EndpointName"]]


def update_endpoint_weights_and_capacities(backend, request):
    endpoint = find_idle_endpoint(backend, request["EndpointName"])
    changes = request["DesiredWeightsAndCapacities"]
    refuse_repeated_names(changes)
    for change in changes:
        check_change(endpoint, change)
    if sum("DesiredInstanceCount" in change for change in changes) > 1:
        raise AWSValidationException("Only one variant's capacity can be changed per request.")
    refuse_beyond_quota(backend, added(endpoint, changes))
    for change in changes:
        summary = find_variant(endpoint, change["VariantName"])
        for name in ("DesiredWeight", "DesiredInstanceCount"):
            if name in change:
                summary[name] = change[name]
    endpoint.start_update()
    return {"EndpointArn": endpoint.arn}


def added(endpoint, changes):
    """How many instances of each type the changes need on top of those that run."""
    more, types = Counter(), endpoint.config.types()
    for change in changes:
        now = find_variant(endpoint, change["VariantName"]).get("CurrentInstanceCount", 0)
        more[types.get(change["VariantName"])] += change.get("DesiredInstanceCount", now) - now
    return more


def refuse_beyond_quota(backend, more):
    running = Counter()
    for endpoint in backend.endpoints.values():
        running += endpoint.settle().instances()
    for instance_type, quota in SETTINGS["quotas"].items():
        used, delta = running[instance_type], more[instance_type]
        if delta > 0 and used + delta > quota:
            raise refusal(
                "ResourceLimitExceeded",
                f"The account-level service limit '{instance_type} for endpoint usage' is "
                f"{quota} Instances, with current utilization of {used} Instances and a request "
                f"delta of {delta} Instances. Please contact AWS support to request an increase "
                "for this limit.",
            )


def find_variant(endpoint, name):
    for summary in endpoint.production_variants:
        if summary["VariantName"] == name:
            return summary
    raise AWSValidationException(
        f'The variant name(s) "{name}" is/are not present within endpoint configuration '
        f'"{endpoint.config.endpoint_config_arn}".'
    )


def check_change(endpoint, change):
    name = change["VariantName"]
    summary = find_variant(endpoint, name)
    if "DesiredInstanceCount" not in change:
        return
    if "DesiredInstanceCount" not in summary:
        raise AWSValidationException(f'Variant "{name}" has no instance count to change.')
    # Only asynchronous endpoints may be scaled in to nothing.
    if change["DesiredInstanceCount"] < 1 and "AsyncInferenceConfig" not in endpoint.config.request:
        raise AWSValidationException(f'DesiredInstanceCount of "{name}" must be at least 1.')


def update_endpoint(backend, request):
    endpoint = find_idle_endpoint(backend, request["EndpointName"])
    # Without its present config the service can neither leave it nor come back to it.
    find_config(backend, endpoint.endpoint_config_name)
    config = find_visible_config(backend, request["EndpointConfigName"])
    refuse_registered_changes(backend, endpoint, config)
    variants = sizes(config.variants)
    if request.get("RetainAllVariantProperties"):
        dropped = {
            entry["VariantPropertyType"]
            for entry in request.get("ExcludeRetainedVariantProperties", [])
        }
        retain(endpoint, variants, {"DesiredInstanceCount", "DesiredWeight"} - dropped)
    # The new fleet is complete before the old one goes.
    fleet = Counter()
    count(fleet, config, variants)
    refuse_beyond_quota(backend, fleet)
    deployment = request.get("DeploymentConfig")
    if deployment is None and request.get("RetainDeploymentConfig"):
        deployment = endpoint.deployment
    endpoint.start_update((config, variants, deployment))
    return {"EndpointArn": endpoint.arn}


def retain(endpoint, variants, names):
    """Carries the named properties over to the new variants of the same name."""
    now = {v["VariantName"]: v for v in endpoint.production_variants}
    for variant in variants:
        old = now.get(variant["VariantName"], {})
        for name in names:
            if name in old and name in variant:
                set_both(variant, name.removeprefix("Desired"), old[name])


def refuse_registered_changes(backend, endpoint, config):
    """A variant under Application Auto Scaling keeps its type and cannot leave."""
    for name in scaling.variants_of(backend, endpoint.endpoint_name):
        old, new = endpoint.config.variant(name), config.variant(name)
        if old and (new is None or new.get("InstanceType") != old.get("InstanceType")):
            raise AWSValidationException(
                f'Variant "{name}" is registered as a scalable target: deregister it before '
                "changing its instance type or removing it."
            )


def pull_into_bounds(backend, target):
    """Application Auto Scaling resizes a variant that is outside the bounds it registers."""
    _, endpoint_name, _, variant_name = target["ResourceId"].split("/")
    endpoint = sagemaker_backend(backend).endpoints.get(endpoint_name)
    if endpoint is None or endpoint.settle().endpoint_status != "InService":
        return
    for summary in endpoint.production_variants:
        now = summary.get("DesiredInstanceCount")
        if summary["VariantName"] == variant_name and now is not None:
            fitting = min(max(now, target["MinCapacity"]), target["MaxCapacity"])
            if fitting != now:
                summary["DesiredInstanceCount"] = fitting
                endpoint.start_update()


def sagemaker_backend(backend):
    """The SageMaker of the account and region of another service's backend."""
    return sagemaker_backends[backend.account_id][backend.region_name]


def settled_first(moto_list):
    """moto's own listing, after finishing the updates that are due."""

    def method(self):
        with LOCK:
            for endpoint in self.sagemaker_backend.endpoints.values():
                endpoint.settle()
            return moto_list(self)

    return method


OPERATIONS = (
    create_endpoint_config,
    describe_endpoint_config,
    delete_endpoint_config,
    list_endpoint_configs,
    create_endpoint,
    describe_endpoint,
    delete_endpoint,
    update_endpoint,
    update_endpoint_weights_and_capacities,
)


def install(update_seconds):
    """Puts the operations into moto; call it once, before the first request."""
    SETTINGS["update_seconds"] = update_seconds
    operations.install(
        SageMakerResponse, lambda response: response.sagemaker_backend, OPERATIONS
    )
    SageMakerResponse.list_endpoints = settled_first(SageMakerResponse.list_endpoints)
    tags.install()
    scaling.PULL[scaling.INSTANCES] = pull_into_bounds
    scaling.install()
