"""A stub of AWS with one settled endpoint of one instance, which no call changes.

So each invocation reads the same state, decides the same and makes the same calls. No call takes
longer than the configured latency.
"""

import asyncio
import contextlib
import json
import re
from datetime import datetime, timedelta, timezone

import cbor2

from server import Answer, serving

ACCOUNT = "us-east-1:111122223333"
TOPIC = f"arn:aws:sns:{ACCOUNT}:stepladder-alarms"
ENDPOINT, VARIANT, SHAPE = "churn", "AllTraffic", "ml.m5.xlarge"
ALARM = "churn-model_deployment_high_cpu"


class Aws:
    """Answers both SDKs, and records the operations that they call."""

    def __init__(self, latency_seconds):
        self.latency_seconds = latency_seconds
        self.called = []

    @contextlib.asynccontextmanager
    async def serving(self, tls=None):
        async with serving(self.answer, tls) as address:
            self.url = f"{'https' if tls else 'http'}://{address}"
            yield self

    async def answer(self, request):
        operation = operation_of(request)
        self.called.append(operation)
        if self.latency_seconds:
            await asyncio.sleep(self.latency_seconds)
        if operation not in ANSWERS:
            return Answer(404, b'{"__type": "UnknownOperationException"}')
        answer = ANSWERS[operation]()
        kind = request.headers["content-type"]
        if kind == "application/cbor":
            body = cbor2.dumps(answer, datetime_as_timestamp=True)
            return Answer(200, body, {"Content-Type": kind, "smithy-protocol": "rpc-v2-cbor"})
        body = json.dumps(answer, default=datetime.timestamp).encode()
        return Answer(200, body, {"Content-Type": kind})

    def calls(self):
        """The operations called since the last read."""
        called, self.called = sorted(self.called), []
        return called


def operation_of(request):
    target = request.headers.get("x-amz-target", request.path)
    return re.split(r"[./]", target)[-1]


def described_endpoint():
    an_hour_ago = datetime.now(timezone.utc) - timedelta(hours=1)
    return {
        "EndpointName": ENDPOINT,
        "EndpointArn": f"arn:aws:sagemaker:{ACCOUNT}:endpoint/{ENDPOINT}",
        "EndpointConfigName": ENDPOINT,
        "EndpointStatus": "InService",
        "CreationTime": datetime(2026, 1, 1, tzinfo=timezone.utc),
        "LastModifiedTime": an_hour_ago,
        "ProductionVariants": [
            {
                "VariantName": VARIANT,
                "CurrentInstanceCount": 1,
                "DesiredInstanceCount": 1,
                "CurrentWeight": 1.0,
                "DesiredWeight": 1.0,
            }
        ],
    }


def described_configuration():
    return {
        "EndpointConfigName": ENDPOINT,
        "EndpointConfigArn": f"arn:aws:sagemaker:{ACCOUNT}:endpoint-config/{ENDPOINT}",
        "CreationTime": datetime(2026, 1, 1, tzinfo=timezone.utc),
        "ProductionVariants": [
            {
                "VariantName": VARIANT,
                "ModelName": ENDPOINT,
                "InstanceType": SHAPE,
                "InitialInstanceCount": 1,
            }
        ],
    }


def described_alarms():
    """The alarm that fires. Its pair does not exist yet, so each invocation writes it."""
    return {
        "MetricAlarms": [
            {
                "AlarmName": ALARM,
                "AlarmArn": f"arn:aws:cloudwatch:{ACCOUNT}:alarm:{ALARM}",
                "StateValue": "ALARM",
                "ActionsEnabled": True,
                "AlarmActions": [TOPIC],
                "Namespace": "/aws/sagemaker/Endpoints",
                "MetricName": "CPUUtilization",
                "Statistic": "Average",
                "Dimensions": [
                    {"Name": "EndpointName", "Value": ENDPOINT},
                    {"Name": "VariantName", "Value": VARIANT},
                ],
                "Period": 60,
                "EvaluationPeriods": 3,
                "Threshold": 160.0,
                "ComparisonOperator": "GreaterThanThreshold",
            }
        ],
        "CompositeAlarms": [],
    }


ANSWERS = {
    "DescribeEndpoint": described_endpoint,
    "DescribeEndpointConfig": described_configuration,
    "DescribeScalableTargets": lambda: {"ScalableTargets": []},
    "DescribeScalingPolicies": lambda: {"ScalingPolicies": []},
    "DescribeAlarms": described_alarms,
    "PutMetricAlarm": dict,
    "UpdateEndpointWeightsAndCapacities": lambda: {
        "EndpointArn": f"arn:aws:sagemaker:{ACCOUNT}:endpoint/{ENDPOINT}"
    },
}
