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

COMMAND = [sys.executable, str(Path(__file__).with_name("aws.py")), "--update-seconds", "1"]
CLOUDWATCH = "GraniteServiceVersion20100801"
ROLE = "arn:aws:iam::000000000000:role/sagemaker"


class Aws:
    """One running instance of the emulators."""

    def __init__(self):
        self.process = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
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
    @classmethod
    def setUpClass(cls):
        cls.aws = Aws()
        cls.addClassCleanup(cls.aws.close)
        cls.sagemaker = cls.aws.client("sagemaker")
        cls.scaling = cls.aws.client("application-autoscaling")
        cls.cloudwatch = cls.aws.client("cloudwatch", "cloudwatch")

    def refused(self, message, call, **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], "ValidationException")
        self.assertIn(message, error["Message"])


class SageMaker(WithAws):
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
        def look():
            found = self.described(name)
            return found if found["EndpointStatus"] == "InService" else None

        return until(look, 5, f"{name} in service")

    def resize(self, name, **change):
        return self.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=name,
            DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", **change}],
        )

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
            (400, "/fail", {"unknown": 1}),
        ):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                self.aws.control("POST", path, **arguments)
            self.assertEqual(caught.exception.code, status)
            caught.exception.close()


class CloudWatch(WithAws):
    def alarm(self, name, **members):
        self.cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="Test",
            MetricName="Load",
            Statistic="Average",
            Period=10,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            **members,
        )

    def test_put_describe_set_delete(self):
        self.alarm("plain")
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
