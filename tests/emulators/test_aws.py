"""Checks the emulators themselves with boto3, the SDK they were not written for.

Run it with the interpreter that has requirements.txt installed; it exits non-zero on failure.
"""

import json
import os
import signal
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import cbor2
from botocore.config import Config
from botocore.exceptions import ClientError

COMMAND = [sys.executable, str(Path(__file__).with_name("aws.py")), "--update-seconds"]
CLOUDWATCH = "GraniteServiceVersion20100801"
ROLE = "arn:aws:iam::000000000000:role/sagemaker"


class Aws:
    """One running instance of the emulators."""

    def __init__(self, update_seconds=1):
        self.process = subprocess.Popen(
            [*COMMAND, str(update_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.urls = json.loads(self.process.stdout.readline())

    def client(self, service, url="sagemaker"):
        return boto3.client(
            service,
            endpoint_url=self.urls[url],
            region_name="eu-west-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )

    def control(self, method, path, **arguments):
        request = urllib.request.Request(
            self.urls["control"] + path, method=method, data=json.dumps(arguments).encode()
        )
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    def operations(self):
        return [entry["operation"] for entry in self.control("GET", "/requests")]

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def variant(name="AllTraffic", **changes):
    fixed = {
        "VariantName": name,
        "ModelName": "model",
        "InstanceType": "ml.g5.xlarge",
        "InitialInstanceCount": 2,
        "InitialVariantWeight": 0.5,
    }
    return {**fixed, **changes}


def until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.05)
    return found


def processes_under(group_or_parent):
    """Ids of live processes that belong to the process or were started by it."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,stat="], capture_output=True, text=True)
    rows = [line.split() for line in listed.stdout.splitlines()]
    return [
        int(pid)
        for pid, parent, state in rows
        if int(parent) == group_or_parent and not state.startswith("Z")
    ]


def exists(pid):
    return os.path.exists(f"/proc/{pid}")


class WithAws(unittest.TestCase):
    update_seconds = 1

    @classmethod
    def setUpClass(cls):
        cls.aws = Aws(cls.update_seconds)
        cls.addClassCleanup(cls.aws.close)
        cls.sagemaker = cls.aws.client("sagemaker")
        cls.scaling = cls.aws.client("application-autoscaling")
        cls.cloudwatch = cls.aws.client("cloudwatch", "cloudwatch")

    def refused(self, message, call, code="ValidationException", **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code)
        self.assertIn(message, error["Message"])


class WithModel(WithAws):
    """What the tests about endpoints share: a model, and short ways to endpoints on it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sagemaker.create_model(
            ModelName="model", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "image"}
        )

    def config(self, name, *variants, **members):
        return self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=list(variants or [variant()]), **members
        )["EndpointConfigArn"]

    def endpoint(self, name, *variants, **members):
        self.config(f"{name}-config", *variants, **members)
        return self.sagemaker.create_endpoint(
            EndpointName=name, EndpointConfigName=f"{name}-config"
        )["EndpointArn"]

    def described(self, name):
        return self.sagemaker.describe_endpoint(EndpointName=name)

    def settled(self, name):
        def status():
            found = self.described(name)
            return found if found["EndpointStatus"] == "InService" else None

        return until(status, 5, f"{name} in service")

    def resize(self, name, **change):
        return self.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=name,
            DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", **change}],
        )

    def update(self, name, config, **members):
        self.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config, **members)

    def counts(self, name):
        summary = self.described(name)["ProductionVariants"][0]
        return summary["CurrentInstanceCount"], summary["DesiredInstanceCount"]


class SageMaker(WithModel):
    def test_config_is_described_whole(self):
        members = {
            "ProductionVariants": [variant(RoutingConfig={"RoutingStrategy": "RANDOM"})],
            "ShadowProductionVariants": [variant("Shadow")],
            "ExecutionRoleArn": ROLE,
            "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
            "KmsKeyId": "key",
            "EnableNetworkIsolation": True,
            "MetricsConfig": {"EnableEnhancedMetrics": True},
        }
        tags = [{"Key": "team", "Value": "ml"}]
        arn = self.sagemaker.create_endpoint_config(
            EndpointConfigName="whole", Tags=tags, **members
        )["EndpointConfigArn"]
        found = self.sagemaker.describe_endpoint_config(EndpointConfigName="whole")
        self.assertEqual({name: found.get(name) for name in members}, members)
        self.assertNotIn("Tags", found)
        self.assertEqual(self.sagemaker.list_tags(ResourceArn=arn)["Tags"], tags)
        self.sagemaker.delete_endpoint_config(EndpointConfigName="whole")
        self.refused(
            f'Could not find endpoint configuration "{arn}"',
            self.sagemaker.describe_endpoint_config,
            EndpointConfigName="whole",
        )

    def test_config_names_are_taken_once(self):
        arn = self.config("once")
        self.refused(
            f'Cannot create already existing endpoint configuration "{arn}"',
            self.sagemaker.create_endpoint_config,
            EndpointConfigName="once",
            ProductionVariants=[variant()],
        )

    def test_requests_are_held_against_the_model(self):
        bad = {
            "enum value set": variant(InstanceType="ml.none.large"),
            "InitialInstanceCount": variant(InitialInstanceCount=0),
            "regular expression": variant("spaces are wrong"),
            "not supported": variant(VolumeSizeInGB=30),
            "Could not find model": variant(ModelName="absent"),
        }
        for message, entry in bad.items():
            with self.subTest(message):
                self.refused(
                    message,
                    self.sagemaker.create_endpoint_config,
                    EndpointConfigName="bad",
                    ProductionVariants=[entry],
                )
        self.refused("EndpointName", self.sagemaker.describe_endpoint)

    def test_resize_takes_its_time_and_refuses_another(self):
        arn = self.endpoint("resize")
        self.aws.control("POST", "/age", endpoint="resize", seconds=3600)
        before = self.described("resize")
        hour_ago = datetime.now(UTC) - timedelta(seconds=3590)
        self.assertLess(before["LastModifiedTime"], hour_ago)
        self.assertLess(before["CreationTime"], hour_ago)

        self.resize("resize", DesiredInstanceCount=5)
        during = self.described("resize")
        self.assertEqual(during["EndpointStatus"], "Updating")
        self.assertEqual(during["LastModifiedTime"], before["LastModifiedTime"])
        summary = during["ProductionVariants"][0]
        self.assertEqual((summary["CurrentInstanceCount"], summary["DesiredInstanceCount"]), (2, 5))
        in_progress = f'Cannot update in-progress endpoint "{arn}"'
        self.refused(in_progress, self.resize, name="resize", DesiredInstanceCount=6)
        self.refused(
            in_progress,
            self.sagemaker.update_endpoint,
            EndpointName="resize",
            EndpointConfigName="resize-config",
        )

        after = self.settled("resize")
        self.assertGreater(after["LastModifiedTime"], hour_ago)
        summary = after["ProductionVariants"][0]
        self.assertEqual(summary["CurrentInstanceCount"], 5)
        self.assertEqual((summary["CurrentWeight"], summary["DesiredWeight"]), (0.5, 0.5))
        self.assertNotIn("InstanceType", summary)

    def test_weight_alone(self):
        self.endpoint("weight")
        self.resize("weight", DesiredWeight=0)
        summary = self.settled("weight")["ProductionVariants"][0]
        self.assertEqual((summary["CurrentWeight"], summary["CurrentInstanceCount"]), (0, 2))

    def test_what_a_resize_refuses(self):
        self.endpoint("refuse", variant(), variant("Other"))
        self.refused("at least 1", self.resize, name="refuse", DesiredInstanceCount=0)
        absent = "endpoint/absent"
        self.refused(absent, self.resize, name="absent", DesiredInstanceCount=1)
        call = self.sagemaker.update_endpoint_weights_and_capacities
        two = [{"VariantName": name, "DesiredInstanceCount": 3} for name in ("AllTraffic", "Other")]
        unknown = [{"VariantName": "Nobody", "DesiredInstanceCount": 1}]
        repeated = two[:1] * 2
        for message, changes in (("Only one", two), ("Nobody", unknown), ("non-unique", repeated)):
            self.refused(message, call, EndpointName="refuse", DesiredWeightsAndCapacities=changes)
        self.assertEqual(self.described("refuse")["EndpointStatus"], "InService")

    def test_asynchronous_endpoints_may_go_to_nothing(self):
        output = {"OutputConfig": {"S3OutputPath": "s3://bucket/path"}}
        self.endpoint("asynchronous", AsyncInferenceConfig=output)
        self.resize("asynchronous", DesiredInstanceCount=0)
        summary = self.settled("asynchronous")["ProductionVariants"][0]
        self.assertEqual(summary["CurrentInstanceCount"], 0)

    def test_update_to_another_config(self):
        self.endpoint("vertical")
        self.resize("vertical", DesiredInstanceCount=4)
        self.settled("vertical")
        bigger = variant(
            InstanceType="ml.g5.2xlarge", InitialInstanceCount=1, InitialVariantWeight=0.9
        )
        self.config("bigger", bigger)
        deployment = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]}}
        self.sagemaker.update_endpoint(
            EndpointName="vertical",
            EndpointConfigName="bigger",
            RetainAllVariantProperties=True,
            ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredWeight"}],
            DeploymentConfig=deployment,
        )
        during = self.described("vertical")
        self.assertEqual(during["EndpointStatus"], "Updating")
        self.assertEqual(during["EndpointConfigName"], "vertical-config")
        pending = during["PendingDeploymentSummary"]
        self.assertEqual(pending["EndpointConfigName"], "bigger")
        self.assertEqual(pending["ProductionVariants"][0]["InstanceType"], "ml.g5.2xlarge")
        after = self.settled("vertical")
        self.assertEqual(after["EndpointConfigName"], "bigger")
        self.assertEqual(after["LastDeploymentConfig"], deployment)
        self.assertNotIn("PendingDeploymentSummary", after)
        summary = after["ProductionVariants"][0]
        self.assertEqual((summary["CurrentInstanceCount"], summary["CurrentWeight"]), (4, 0.9))

        self.sagemaker.update_endpoint(
            EndpointName="vertical",
            EndpointConfigName="vertical-config",
            RetainDeploymentConfig=True,
        )
        after = self.settled("vertical")
        self.assertEqual(after["ProductionVariants"][0]["CurrentInstanceCount"], 2)
        self.assertEqual(after["LastDeploymentConfig"], deployment)
        self.refused(
            "Could not find endpoint configuration",
            self.sagemaker.update_endpoint,
            EndpointName="vertical",
            EndpointConfigName="nowhere",
        )

    def test_scalable_target_pins_the_instance_type(self):
        self.endpoint("pinned")
        self.config("pinned-bigger", variant(InstanceType="ml.g5.2xlarge"))
        target = {
            "ServiceNamespace": "sagemaker",
            "ResourceId": "endpoint/pinned/variant/AllTraffic",
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        }
        self.scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=8)
        found = self.scaling.describe_scalable_targets(
            ServiceNamespace="sagemaker", ResourceIds=[target["ResourceId"]]
        )["ScalableTargets"]
        self.assertEqual([(t["MinCapacity"], t["MaxCapacity"]) for t in found], [(1, 8)])
        self.refused(
            "validation error",
            self.scaling.register_scalable_target,
            **{**target, "ServiceNamespace": "nothing"},
        )
        update = {"EndpointName": "pinned", "EndpointConfigName": "pinned-bigger"}
        self.refused("scalable target", self.sagemaker.update_endpoint, **update)
        self.scaling.deregister_scalable_target(**target)
        self.sagemaker.update_endpoint(**update)

    def test_listing_and_deleting(self):
        self.endpoint("listed")
        self.resize("listed", DesiredInstanceCount=3)

        def status():
            listed = self.sagemaker.list_endpoints(NameContains="listed")["Endpoints"]
            return [entry["EndpointStatus"] for entry in listed]

        self.assertEqual(status(), ["Updating"])
        until(lambda: status() == ["InService"], 5, "listed in service")
        configs = self.sagemaker.list_endpoint_configs(NameContains="listed")["EndpointConfigs"]
        self.assertEqual([c["EndpointConfigName"] for c in configs], ["listed-config"])
        self.sagemaker.delete_endpoint(EndpointName="listed")
        gone = "Could not find endpoint"
        self.refused(gone, self.sagemaker.describe_endpoint, EndpointName="listed")


class Vertical(WithModel):
    """What changing the type of instances takes, and how it fails."""

    # Long enough to see both halves of an update that is rolled back.
    update_seconds = 2

    def test_rollback(self):
        self.endpoint("back")
        self.resize("back", DesiredInstanceCount=4)
        before = self.settled("back")
        self.config("back-bigger", variant(InstanceType="ml.g5.2xlarge", InitialInstanceCount=7))
        self.aws.control("POST", "/age", endpoint="back", seconds=3600)
        self.aws.control("POST", "/rollback", endpoint="back")
        self.update("back", "back-bigger", RetainAllVariantProperties=True)
        self.assertEqual(self.described("back")["EndpointStatus"], "Updating")

        def rolling_back():
            return self.described("back")["EndpointStatus"] == "RollingBack"

        until(rolling_back, 5, "rolling back")
        self.refused("in-progress", self.resize, name="back", DesiredInstanceCount=5)
        after = self.settled("back")
        same = ("EndpointConfigName", "ProductionVariants")
        self.assertEqual([after[name] for name in same], [before[name] for name in same])
        self.assertIn("rolled back", after["FailureReason"])
        self.assertGreater(after["LastModifiedTime"], datetime.now(UTC) - timedelta(seconds=60))
        self.assertNotIn("PendingDeploymentSummary", after)

        # Only the next update fails, and the reason goes with the first that succeeds.
        self.update("back", "back-bigger")
        after = self.settled("back")
        self.assertEqual(after["EndpointConfigName"], "back-bigger")
        self.assertNotIn("FailureReason", after)
        self.assertEqual(self.counts("back"), (7, 7))

    def limit(self, instance_type, instances):
        self.aws.control("POST", "/quota", type=instance_type, instances=instances)
        self.addCleanup(self.aws.control, "POST", "/quota", type=instance_type, instances=None)

    def test_quota(self):
        small, big = (variant(InstanceType=f"ml.c5.{size}") for size in ("large", "xlarge"))
        self.endpoint("first", small)
        self.endpoint("second", big)
        self.config("first-big", big)
        self.limit("ml.c5.xlarge", 4)
        beyond = (
            "The account-level service limit 'ml.c5.xlarge for endpoint usage' is 4 Instances, "
            "with current utilization of 2 Instances and a request delta of 3 Instances."
        )
        code = "ResourceLimitExceeded"
        self.refused(beyond, self.resize, code, name="second", DesiredInstanceCount=5)
        # The new fleet must fit beside the old ones of all endpoints.
        self.update("first", "first-big")
        self.refused(
            "utilization of 4 Instances and a request delta of 2 Instances",
            self.sagemaker.update_endpoint,
            code,
            EndpointName="second",
            EndpointConfigName="second-config",
        )
        self.settled("first")
        self.resize("first", DesiredInstanceCount=1)
        self.assertEqual(self.described("second")["EndpointStatus"], "InService")
        # Other types have quotas of their own, and none is none.
        self.config("second-small", small)
        self.update("second", "second-small")
        self.settled("second")
        self.limit("ml.c5.xlarge", None)
        self.settled("first")
        self.resize("first", DesiredInstanceCount=50)

    def test_quota_counts_a_retained_fleet(self):
        self.endpoint("retained", variant(InstanceType="ml.c5.large"))
        self.resize("retained", DesiredInstanceCount=3)
        self.settled("retained")
        self.config("retained-big", variant(InstanceType="ml.c5.4xlarge"))
        self.limit("ml.c5.4xlarge", 2)
        update = {"EndpointName": "retained", "EndpointConfigName": "retained-big"}
        self.refused(
            "request delta of 3 Instances",
            self.sagemaker.update_endpoint,
            "ResourceLimitExceeded",
            RetainAllVariantProperties=True,
            **update,
        )
        self.sagemaker.update_endpoint(**update)

    def test_new_configs_are_seen_late(self):
        self.endpoint("late")
        self.aws.control("POST", "/visibility", seconds=3600)
        self.addCleanup(self.aws.control, "POST", "/visibility", seconds=0)
        arn = self.config("late-new")
        self.sagemaker.describe_endpoint_config(EndpointConfigName="late-new")
        update = {"EndpointName": "late", "EndpointConfigName": "late-new"}
        unseen = f'Could not find endpoint configuration "{arn}".'
        self.refused(unseen, self.sagemaker.update_endpoint, **update)
        self.aws.control("POST", "/visibility", seconds=0.5)

        def seen():
            try:
                return self.sagemaker.update_endpoint(**update)
            except ClientError:
                return None

        until(seen, 10, "the config seen")

    def test_an_endpoint_cannot_leave_a_config_that_is_gone(self):
        self.endpoint("bereft")
        self.config("bereft-new")
        self.sagemaker.delete_endpoint_config(EndpointConfigName="bereft-config")
        self.refused(
            "endpoint-config/bereft-config",
            self.sagemaker.update_endpoint,
            EndpointName="bereft",
            EndpointConfigName="bereft-new",
        )

    def test_configs_are_listed_in_order_and_in_pages(self):
        names = ["page-c", "page-a", "page-d", "page-b"]
        arns = {name: self.config(name) for name in names}
        created = {}

        def listed(**request):
            configs = self.sagemaker.list_endpoint_configs(NameContains="page-", **request)
            for found in configs["EndpointConfigs"]:
                self.assertEqual(found["EndpointConfigArn"], arns[found["EndpointConfigName"]])
                created[found["EndpointConfigName"]] = found["CreationTime"]
            return [found["EndpointConfigName"] for found in configs["EndpointConfigs"]]

        # The newest first, by default.
        self.assertEqual(listed(), names[::-1])
        self.assertEqual(listed(SortOrder="Ascending"), names)
        self.assertEqual(listed(SortBy="Name"), sorted(names, reverse=True))
        self.assertEqual(listed(SortBy="Name", SortOrder="Ascending"), sorted(names))
        self.assertEqual(listed(MaxResults=2), ["page-b", "page-d"])
        # One bound belongs to the interval, the other does not.
        exact = {name: time.timestamp() for name, time in created.items()}
        bounds = {"CreationTimeAfter": exact["page-a"], "CreationTimeBefore": exact["page-b"]}
        self.assertEqual(listed(SortOrder="Ascending", **bounds), ["page-a", "page-d"])
        pages = self.sagemaker.get_paginator("list_endpoint_configs").paginate(
            NameContains="page-", SortBy="Name", SortOrder="Ascending", MaxResults=3
        )
        found = [[c["EndpointConfigName"] for c in page["EndpointConfigs"]] for page in pages]
        self.assertEqual(found, [["page-a", "page-b", "page-c"], ["page-d"]])
        # What was on the page before may be gone.
        first = self.sagemaker.list_endpoint_configs(NameContains="page-", MaxResults=1)
        self.sagemaker.delete_endpoint_config(EndpointConfigName="page-b")
        self.assertEqual(listed(NextToken=first["NextToken"]), ["page-d", "page-a", "page-c"])
        self.refused("NextToken", self.sagemaker.list_endpoint_configs, NextToken="nonsense")

    def tags(self, arn):
        return {t["Key"]: t["Value"] for t in self.sagemaker.list_tags(ResourceArn=arn)["Tags"]}

    def test_tags(self):
        given = [{"Key": "team", "Value": "ml"}]
        config = self.config("tagged-config", Tags=given)
        endpoint = self.sagemaker.create_endpoint(
            EndpointName="tagged", EndpointConfigName="tagged-config", Tags=given
        )["EndpointArn"]
        for arn in (config, endpoint):
            with self.subTest(arn):
                self.assertEqual(self.tags(arn), {"team": "ml"})
                more = [{"Key": "team", "Value": "data"}, {"Key": "cost", "Value": "42"}]
                self.sagemaker.add_tags(ResourceArn=arn, Tags=more)
                self.assertEqual(self.tags(arn), {"team": "data", "cost": "42"})
                self.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team"])
                self.assertEqual(self.tags(arn), {"cost": "42"})

                # What belongs to AWS is not for callers, and is listed all the same.
                stack = "aws:cloudformation:stack-name"
                reserved = [{"Key": stack, "Value": "prod"}]
                call = self.sagemaker.add_tags
                self.refused("System prefix 'aws:'", call, ResourceArn=arn, Tags=reserved)
                self.aws.control("POST", "/tag", arn=arn, key=stack, value="prod")
                self.assertEqual(self.tags(arn), {"cost": "42", stack: "prod"})
                call = self.sagemaker.delete_tags
                self.refused("System prefix 'aws:'", call, ResourceArn=arn, TagKeys=[stack])

                gone = f"{arn}-gone"
                noun = "endpoint configuration" if arn == config else "endpoint"
                missing = f'Could not find {noun} "{gone}"'
                self.refused(missing, self.sagemaker.list_tags, ResourceArn=gone)
                self.refused(missing, self.sagemaker.add_tags, ResourceArn=gone, Tags=more)
                self.refused(missing, call, ResourceArn=gone, TagKeys=["x"])
        self.refused(
            "System prefix 'aws:'",
            self.sagemaker.create_endpoint_config,
            EndpointConfigName="tagged-by-nobody",
            ProductionVariants=[variant()],
            Tags=[{"Key": "AWS:mine", "Value": "no"}],
        )
        # The tags of what is not ours are moto's.
        model = self.sagemaker.describe_model(ModelName="model")["ModelArn"]
        self.assertEqual(self.tags(model), {})


class EveryMember(WithAws):
    def made(self, name, type="ml.m5.xlarge", **more):
        arguments = {"name": name, "variant": "AllTraffic", "type": type, "region": "eu-west-1"}
        return self.aws.control("POST", "/every-member", **arguments, **more)

    def described(self, name):
        found = self.sagemaker.describe_endpoint_config(EndpointConfigName=name)
        apart = ("EndpointConfigName", "EndpointConfigArn", "CreationTime", "ResponseMetadata")
        return {member: value for member, value in found.items() if member not in apart}

    def differences(self, left, right):
        return self.aws.control("POST", "/differences", left=left, right=right)

    def test_it_has_every_member(self):
        made = self.made("every")
        self.assertEqual(made["missing"], [])
        model = self.sagemaker.meta.service_model.operation_model("CreateEndpointConfig")
        tops = {path.split(".")[0].removesuffix("[]") for path in made["covered"]}
        self.assertEqual(tops, set(model.input_shape.members))
        self.assertIn("ShadowProductionVariants[].InstancePools[].Priority", made["covered"])
        self.assertEqual(len(self.sagemaker.list_tags(ResourceArn=made["arn"])["Tags"]), 2)
        self.assertEqual(self.described("every").keys() | {"Tags", "EndpointConfigName"}, tops)

    def test_one_variant_may_change_its_type(self):
        # The second one's disks are its own.
        for type, has_volume in (("ml.m5.xlarge", True), ("ml.g5.xlarge", False)):
            made = self.made(f"of-{type.replace('.', '-')}", type, shadows=False)
            found = self.described(f"of-{type.replace('.', '-')}")
            [scalable] = [v for v in found["ProductionVariants"] if "InstanceType" in v]
            self.assertEqual(scalable["VariantName"], "AllTraffic")
            self.assertEqual(scalable["InstanceType"], type)
            lacks = {"InstancePools", "ServerlessConfig"}
            lacks |= set() if has_volume else {"VolumeSizeInGB"}
            model = self.sagemaker.meta.service_model.shape_for("ProductionVariant")
            self.assertEqual(model.members.keys() - scalable.keys(), lacks)
            self.assertEqual(scalable["ManagedInstanceScaling"]["Status"], "DISABLED")
            self.assertEqual(scalable["InitialInstanceCount"], 2)
            tops = {path.split("[")[0] for path in made["missing"]}
            self.assertEqual(tops, {"ShadowProductionVariants"})

    def test_a_copy_differs_in_nothing_and_a_change_shows(self):
        self.made("original")
        found = self.described("original")
        self.sagemaker.create_endpoint_config(EndpointConfigName="copy", **found)
        self.assertEqual(self.differences("original", "copy"), [])
        # Each member that is lost or changed is found by itself.
        losses = [
            *self.losses(found, (), "DataCaptureConfig", "ExplainerConfig", "AsyncInferenceConfig"),
            *self.losses(found, (), "MetricsConfig", "KmsKeyId", "EnableNetworkIsolation"),
            *self.losses(found["ProductionVariants"][1], ("ProductionVariants", 1)),
        ]
        for number, (way, path) in enumerate(losses):
            changed = json.loads(json.dumps(found))
            inside = changed
            for step in way[:-1]:
                inside = inside[step]
            del inside[way[-1]]
            name = f"loss-{number}"
            self.sagemaker.create_endpoint_config(EndpointConfigName=name, **changed)
            self.assertEqual(self.differences("original", name), [path])
        self.assertGreater(len(losses), 20)

    def losses(self, value, way, *names):
        """The optional members directly in the value: the way to each, and its path."""
        start = "".join(f"[{step}]" if isinstance(step, int) else step for step in way)
        for name in names or value:
            if name != "VariantName":
                yield (*way, name), f"{start}.{name}" if start else name

    def test_a_value_shows_by_its_path(self):
        self.made("value")
        found = self.described("value")
        typed = found["ProductionVariants"][1]
        # As precise as the API is: this is how a 32-bit client sends 0.1.
        typed["InitialVariantWeight"] = 0.1
        self.sagemaker.create_endpoint_config(EndpointConfigName="value-64", **found)
        typed["InitialVariantWeight"] = 0.10000000149011612
        typed["InstanceType"] = "ml.m5.2xlarge"
        self.sagemaker.create_endpoint_config(EndpointConfigName="value-32", **found)
        differs = ["ProductionVariants[1].InstanceType"]
        self.assertEqual(self.differences("value-64", "value-32"), differs)
        found["ProductionVariants"].pop()
        self.sagemaker.create_endpoint_config(EndpointConfigName="value-short", **found)
        self.assertEqual(self.differences("value-32", "value-short"), ["ProductionVariants"])


class Scaling(WithModel):
    """Application Auto Scaling."""

    def target(self, endpoint, variant_name="AllTraffic"):
        return {
            "ServiceNamespace": "sagemaker",
            "ResourceId": f"endpoint/{endpoint}/variant/{variant_name}",
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        }

    def registered(self, target):
        found = self.scaling.describe_scalable_targets(
            ServiceNamespace="sagemaker", ResourceIds=[target["ResourceId"]]
        )
        return found["ScalableTargets"]

    def policies(self, target):
        return self.scaling.describe_scaling_policies(**target)["ScalingPolicies"]

    def actions(self, target):
        return self.scaling.describe_scheduled_actions(**target)["ScheduledActions"]

    def step_policy(self, target, name, adjustment=1):
        return self.scaling.put_scaling_policy(
            **target,
            PolicyName=name,
            PolicyType="StepScaling",
            StepScalingPolicyConfiguration={
                "AdjustmentType": "ChangeInCapacity",
                "StepAdjustments": [
                    {"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": adjustment}
                ],
            },
        )["PolicyARN"]

    def nightly(self, target, **members):
        self.scaling.put_scheduled_action(**target, ScheduledActionName="nightly", **members)

    def test_a_target_is_described_as_it_was_registered(self):
        target = self.target("registered")
        register = self.scaling.register_scalable_target
        self.refused("required", register, **target, MinCapacity=1)
        less = {"MinCapacity": 3, "MaxCapacity": 2}
        self.refused("cannot be less", register, **target, **less)
        self.assertEqual(self.registered(target), [])
        suspended = {"DynamicScalingInSuspended": True}
        arn = register(**target, MinCapacity=0, MaxCapacity=8, SuspendedState=suspended)
        [found] = self.registered(target)
        self.assertEqual(found["ScalableTargetARN"], arn["ScalableTargetARN"])
        self.assertEqual((found["MinCapacity"], found["MaxCapacity"]), (0, 8))
        self.assertIn("AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint", found["RoleARN"])
        states = {
            "DynamicScalingInSuspended": True,
            "DynamicScalingOutSuspended": False,
            "ScheduledScalingSuspended": False,
        }
        self.assertEqual(found["SuspendedState"], states)
        # Only what is given changes.
        self.assertEqual(
            register(**target, MaxCapacity=9)["ScalableTargetARN"], found["ScalableTargetARN"]
        )
        [changed] = self.registered(target)
        self.assertEqual(changed, {**found, "MaxCapacity": 9})

    def test_policies_and_actions_go_with_their_target(self):
        # The second name begins like the first.
        target, other = self.target("gone"), self.target("gone", "AllTrafficOnSunday")
        for one in (target, other):
            missing = "No scalable target registered for service namespace: sagemaker"
            code = "ObjectNotFoundException"
            self.refused(missing, self.step_policy, code, target=one, name="up")
            self.refused(missing, self.nightly, code, target=one, Schedule="rate(1 day)")
            self.scaling.register_scalable_target(**one, MinCapacity=1, MaxCapacity=4)
            self.step_policy(one, "up")
            self.nightly(one, Schedule="rate(1 day)")
        [before] = self.policies(target)
        self.assertEqual(before["ResourceId"], target["ResourceId"])
        steps = before["StepScalingPolicyConfiguration"]["StepAdjustments"]
        self.assertEqual(steps[0]["ScalingAdjustment"], 1)
        resource = f"resource/sagemaker/{target['ResourceId']}:policyName/up"
        self.assertTrue(before["PolicyARN"].endswith(resource), before["PolicyARN"])
        # A policy that is changed keeps its ARN.
        self.assertEqual(self.step_policy(target, "up", 2), before["PolicyARN"])
        [changed] = self.policies(target)
        steps = changed["StepScalingPolicyConfiguration"]["StepAdjustments"]
        self.assertEqual(steps[0]["ScalingAdjustment"], 2)

        self.scaling.deregister_scalable_target(**target)
        self.assertEqual((self.policies(target), self.actions(target)), ([], []))
        self.assertEqual((len(self.policies(other)), len(self.actions(other))), (1, 1))
        deregister = self.scaling.deregister_scalable_target
        self.refused("No scalable target found", deregister, "ObjectNotFoundException", **target)
        # One that is made again has a new one.
        self.scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=4)
        self.assertEqual(self.policies(target), [])
        self.assertNotEqual(self.step_policy(target, "up"), before["PolicyARN"])
        self.scaling.delete_scaling_policy(**target, PolicyName="up")
        self.assertEqual(self.policies(target), [])
        delete = self.scaling.delete_scaling_policy
        again = {**target, "PolicyName": "up"}
        self.refused("No scaling policy found", delete, "ObjectNotFoundException", **again)

    def test_policies_are_found_by_name_and_in_pages(self):
        target = self.target("many")
        self.scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=4)
        names = ["a", "b", "c", "d", "e"]
        for name in names:
            self.step_policy(target, name)
        pages = self.scaling.get_paginator("describe_scaling_policies").paginate(
            ServiceNamespace="sagemaker", ResourceId=target["ResourceId"], MaxResults=2
        )
        found = [[policy["PolicyName"] for policy in page["ScalingPolicies"]] for page in pages]
        self.assertEqual(found, [["a", "b"], ["c", "d"], ["e"]])
        named = self.scaling.describe_scaling_policies(
            ServiceNamespace="sagemaker", PolicyNames=["b", "x"]
        )
        self.assertEqual([policy["PolicyName"] for policy in named["ScalingPolicies"]], ["b"])
        track = {
            "TargetValue": 70.0,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
            },
        }
        self.scaling.put_scaling_policy(
            **target,
            PolicyName="track",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=track,
        )
        found = self.policies(target)[-1]
        self.assertEqual(found["PolicyType"], "TargetTrackingScaling")
        self.assertEqual(found["TargetTrackingScalingPolicyConfiguration"], track)
        self.assertNotIn("StepScalingPolicyConfiguration", found)

    def test_targets_in_pages(self):
        for number in range(5):
            target = self.target(f"paged-{number}")
            self.scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
        resources = [self.target(f"paged-{number}")["ResourceId"] for number in range(5)]
        pages = self.scaling.get_paginator("describe_scalable_targets").paginate(
            ServiceNamespace="sagemaker", ResourceIds=resources, MaxResults=2
        )
        found = [target["ResourceId"] for page in pages for target in page["ScalableTargets"]]
        self.assertEqual(found, resources)

    def test_scheduled_actions(self):
        target = self.target("scheduled")
        self.scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=4)
        start = datetime(2030, 1, 1, tzinfo=UTC)
        capacity = {"MinCapacity": 2, "MaxCapacity": 3}
        self.refused("Schedule is required", self.nightly, target=target)
        self.nightly(
            target,
            Schedule="cron(0 1 * * ? *)",
            Timezone="Europe/Vienna",
            StartTime=start,
            ScalableTargetAction=capacity,
        )
        [found] = self.actions(target)
        self.assertEqual(found["Schedule"], "cron(0 1 * * ? *)")
        self.assertEqual(found["Timezone"], "Europe/Vienna")
        self.assertEqual((found["StartTime"], found["ScalableTargetAction"]), (start, capacity))
        # Times that are left out are removed, everything else stays.
        self.nightly(target, Schedule="rate(1 day)")
        [changed] = self.actions(target)
        self.assertEqual(changed["ScheduledActionARN"], found["ScheduledActionARN"])
        self.assertEqual(changed["Schedule"], "rate(1 day)")
        self.assertEqual(changed["ScalableTargetAction"], capacity)
        self.assertNotIn("StartTime", changed)
        delete = self.scaling.delete_scheduled_action
        delete(**target, ScheduledActionName="nightly")
        self.assertEqual(self.actions(target), [])
        again = {**target, "ScheduledActionName": "nightly"}
        self.refused("No scheduled action found", delete, "ObjectNotFoundException", **again)

    def test_registering_pulls_the_capacity_into_the_bounds(self):
        self.endpoint("pulled")
        target = self.target("pulled")
        self.scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
        self.assertEqual(self.described("pulled")["EndpointStatus"], "InService")
        self.scaling.register_scalable_target(**target, MinCapacity=4, MaxCapacity=6)
        self.assertEqual(self.described("pulled")["EndpointStatus"], "Updating")
        self.assertEqual(self.counts("pulled"), (2, 4))
        self.settled("pulled")
        self.assertEqual(self.counts("pulled"), (4, 4))

    def test_deleting_an_endpoint_deregisters_its_variants(self):
        self.endpoint("ended")
        target = self.target("ended")
        self.scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
        self.step_policy(target, "up")
        self.sagemaker.delete_endpoint(EndpointName="ended")
        self.assertEqual((self.registered(target), self.policies(target)), ([], []))


class Control(WithAws):
    def setUp(self):
        self.aws.control("DELETE", "/requests")

    def test_log(self):
        self.sagemaker.list_endpoints(NameContains="x")
        self.cloudwatch.describe_alarms(AlarmNames=["y"])
        first, second = self.aws.control("GET", "/requests")
        self.assertEqual(
            (first["service"], first["operation"], first["status"], first["body"]),
            ("sagemaker", "ListEndpoints", 200, {"NameContains": "x"}),
        )
        self.assertEqual((second["service"], second["operation"]), ("cloudwatch", "DescribeAlarms"))
        self.assertLessEqual(first["start"], first["end"])
        self.assertLessEqual(first["end"], second["start"])
        self.aws.control("DELETE", "/requests")
        self.assertEqual(self.aws.operations(), [])

    def test_faults(self):
        self.aws.control("POST", "/fail", operation="ListEndpoints", status=503, times=2)
        for _ in range(2):
            with self.assertRaises(ClientError) as caught:
                self.sagemaker.list_endpoints()
            metadata = caught.exception.response["ResponseMetadata"]
            self.assertEqual(metadata["HTTPStatusCode"], 503)
        self.sagemaker.list_endpoints()
        throttling = {"__type": "Throttling", "message": "Rate exceeded"}
        self.aws.control(
            "POST", "/fail", operation="DescribeAlarms", status=400, times=1, body=throttling
        )
        with self.assertRaises(ClientError) as caught:
            self.cloudwatch.describe_alarms()
        self.assertEqual(caught.exception.response["Error"]["Code"], "Throttling")
        statuses = [entry["status"] for entry in self.aws.control("GET", "/requests")]
        self.assertEqual(statuses, [503, 503, 200, 400])

    def test_delay(self):
        self.aws.control("POST", "/delay", seconds=0.3)
        self.addCleanup(self.aws.control, "POST", "/delay", seconds=0)
        self.sagemaker.list_endpoints()
        [entry] = self.aws.control("GET", "/requests")
        self.assertGreaterEqual(entry["end"] - entry["start"], 0.3)

    def test_mistakes_are_answered(self):
        for status, path, arguments in (
            (404, "/nowhere", {}),
            (404, "/age", {"endpoint": "absent", "seconds": 1}),
            (404, "/rollback", {"endpoint": "absent"}),
            (404, "/differences", {"left": "absent", "right": "absent"}),
            (404, "/tag", {"arn": "absent", "key": "k", "value": "v"}),
            (400, "/fail", {"unknown": 1}),
            (400, "/quota", {"type": "ml.m5.large"}),
            (400, "/every-member", {"name": "bad", "variant": "v", "type": "ml.none.large"}),
        ):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                self.aws.control("POST", path, **arguments)
            self.assertEqual(caught.exception.code, status)
            caught.exception.close()


class CloudWatch(WithAws):
    def alarm(self, name, metric="Load", **members):
        self.cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="Test",
            MetricName=metric,
            Statistic="Average",
            Period=10,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            **members,
        )

    def test_put_describe_set_delete(self):
        # Nothing sends this metric, so only the test sets the state.
        self.alarm("plain", "Silence")
        [found] = self.cloudwatch.describe_alarms(AlarmNames=["plain"])["MetricAlarms"]
        self.assertEqual(found["StateValue"], "INSUFFICIENT_DATA")
        self.cloudwatch.set_alarm_state(AlarmName="plain", StateValue="ALARM", StateReason="test")
        [found] = self.cloudwatch.describe_alarms(AlarmNames=["plain"])["MetricAlarms"]
        self.assertEqual(found["StateValue"], "ALARM")
        self.cloudwatch.delete_alarms(AlarmNames=["plain"])
        self.assertEqual(self.cloudwatch.describe_alarms(AlarmNames=["plain"])["MetricAlarms"], [])

    def cbor(self, operation, body):
        request = urllib.request.Request(
            f"{self.aws.urls['cloudwatch']}/service/{CLOUDWATCH}/operation/{operation}",
            data=cbor2.dumps(body),
            headers={
                "Content-Type": "application/cbor",
                "Smithy-Protocol": "rpc-v2-cbor",
                "Authorization": "AWS4-HMAC-SHA256 Credential="
                "any/20260101/eu-west-1/monitoring/aws4_request, SignedHeaders=host, Signature=0",
            },
        )
        try:
            with urllib.request.urlopen(request) as response:
                return response.status, cbor2.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, cbor2.loads(error.read())

    def test_cbor(self):
        """The protocol of the Rust SDK, which boto3 does not choose."""
        self.alarm("compact")
        self.aws.control("DELETE", "/requests")
        status, found = self.cbor("DescribeAlarms", {"AlarmNames": ["compact"]})
        self.assertEqual((status, found["MetricAlarms"][0]["Threshold"]), (200, 1.0))
        [entry] = self.aws.control("GET", "/requests")
        self.assertEqual((entry["service"], entry["operation"]), ("cloudwatch", "DescribeAlarms"))
        self.assertEqual(entry["body"], {"AlarmNames": ["compact"]})
        self.aws.control("POST", "/fail", operation="DescribeAlarms", status=503)
        status, error = self.cbor("DescribeAlarms", {})
        self.assertEqual((status, error["__type"]), (503, "ServiceUnavailable"))

    def test_alarm_reaches_a_queue(self):
        sns = self.aws.client("sns", "cloudwatch")
        sqs = self.aws.client("sqs", "cloudwatch")
        topic = sns.create_topic(Name="alarms")["TopicArn"]
        queue = sqs.create_queue(QueueName="alarms")["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=attributes["Attributes"]["QueueArn"])
        self.alarm("busy", AlarmActions=[topic])

        def breach():
            self.cloudwatch.put_metric_data(
                Namespace="Test", MetricData=[{"MetricName": "Load", "Value": 5}]
            )
            received = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2)
            return received.get("Messages")

        [message] = until(breach, 40, "alarm in the queue")
        alarm = json.loads(json.loads(message["Body"])["Message"])
        self.assertEqual((alarm["AlarmName"], alarm["NewStateValue"]), ("busy", "ALARM"))


class Stopping(unittest.TestCase):
    def stopped(self, stop):
        aws = Aws()
        self.addCleanup(aws.process.stdout.close)
        self.addCleanup(aws.process.stdin.close)
        children = processes_under(aws.process.pid)
        self.assertEqual(len(children), 1)
        stop(aws.process)
        code = aws.process.wait(10)
        until(lambda: not any(map(exists, children)), 5, "children gone")
        return code

    def test_end_of_input(self):
        self.assertEqual(self.stopped(lambda process: process.stdin.close()), 0)

    def test_terminate(self):
        self.assertEqual(self.stopped(lambda process: process.terminate()), 0)

    def test_killed(self):
        self.assertEqual(self.stopped(lambda process: process.kill()), -signal.SIGKILL)

    def test_two_side_by_side(self):
        one, two = Aws(), Aws()
        self.addCleanup(one.close)
        self.addCleanup(two.close)
        names = []
        for aws in (one, two):
            sns = aws.client("sns", "cloudwatch")
            sns.create_topic(Name=f"topic-{len(names)}")
            names.append([t["TopicArn"].rsplit(":", 1)[1] for t in sns.list_topics()["Topics"]])
        self.assertEqual(names, [["topic-0"], ["topic-1"]])


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main()
