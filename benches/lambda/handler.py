"""A handler with boto3 for the same alarm: the same calls, one after the other."""

import functools
import json
import os
from datetime import datetime, timedelta

import boto3

# Created before the first event, as AWS recommends.
sagemaker = boto3.client("sagemaker")
scaling = boto3.client("application-autoscaling")
cloudwatch = boto3.client("cloudwatch")

MIN_INSTANCES, MAX_INSTANCES = 1, 10
LOW_CPU = 10
VCPUS = {"ml.m5.large": 2, "ml.m5.xlarge": 4, "ml.m5.2xlarge": 8}


def handler(event, context):
    outcomes = [answer(json.loads(record["Sns"]["Message"])) for record in event["Records"]]
    for outcome in outcomes:
        print(json.dumps(outcome))
    return {"outcomes": outcomes}


def answer(alarm):
    dimensions = {one["name"]: one["value"] for one in alarm["Trigger"]["Dimensions"]}
    endpoint, variant = dimensions["EndpointName"], dimensions["VariantName"]
    if alarm["NewStateValue"] != "ALARM":
        return held(alarm, "not_firing")
    described = sagemaker.describe_endpoint(EndpointName=endpoint)
    shape = shapes(described["EndpointConfigName"])[variant]
    least, most = bounds(endpoint, variant)
    owned = policies(endpoint, variant)
    pair = f"stepladder/endpoint/{endpoint}/variant/{variant}/model_deployment_low_cpu"
    existing = cloudwatch.describe_alarms(
        AlarmNames=[alarm["AlarmName"], pair], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    running = next(v for v in described["ProductionVariants"] if v["VariantName"] == variant)
    count = running["CurrentInstanceCount"]
    if described["EndpointStatus"] != "InService":
        return held(alarm, "busy")
    if evidence_since(alarm) < described["LastModifiedTime"]:
        return held(alarm, "stale")
    if owned:
        return held(alarm, "owned_elsewhere")
    if not least <= count < most:
        return held(alarm, "at_ceiling")
    if all(one["AlarmName"] != pair for one in existing["MetricAlarms"]):
        put_pair(pair, endpoint, variant, shape)
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint,
        DesiredWeightsAndCapacities=[
            {"VariantName": variant, "DesiredInstanceCount": count + 1}
        ],
    )
    return {"alarm": alarm["AlarmName"], "from": count, "to": count + 1, "result": "applied"}


def held(alarm, reason):
    return {"alarm": alarm["AlarmName"], "reason": reason, "result": "held"}


def evidence_since(alarm):
    """The time of the oldest data that the alarm evaluated."""
    fired = datetime.strptime(alarm["StateChangeTime"], "%Y-%m-%dT%H:%M:%S.%f%z")
    trigger = alarm["Trigger"]
    return fired - timedelta(seconds=trigger["Period"] * trigger["EvaluationPeriods"])


# A configuration never changes under its name.
@functools.cache
def shapes(configuration):
    found = sagemaker.describe_endpoint_config(EndpointConfigName=configuration)
    return {one["VariantName"]: one["InstanceType"] for one in found["ProductionVariants"]}


def bounds(endpoint, variant):
    found = scaling.describe_scalable_targets(
        ServiceNamespace="sagemaker",
        ResourceIds=[f"endpoint/{endpoint}/variant/{variant}"],
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
    )["ScalableTargets"]
    if not found:
        return MIN_INSTANCES, MAX_INSTANCES
    native = found[0]
    return max(MIN_INSTANCES, native["MinCapacity"]), min(MAX_INSTANCES, native["MaxCapacity"])


def policies(endpoint, variant):
    return scaling.describe_scaling_policies(
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/{endpoint}/variant/{variant}",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
    )["ScalingPolicies"]


def put_pair(name, endpoint, variant, shape):
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        AlarmDescription=f"Removes the capacity that was added to {endpoint}/{variant}",
        Namespace="/aws/sagemaker/Endpoints",
        MetricName="CPUUtilization",
        Statistic="Average",
        Dimensions=[
            {"Name": "EndpointName", "Value": endpoint},
            {"Name": "VariantName", "Value": variant},
        ],
        Period=60,
        EvaluationPeriods=5,
        Threshold=float(LOW_CPU * VCPUS[shape]),
        ComparisonOperator="LessThanThreshold",
        TreatMissingData="missing",
        AlarmActions=[os.environ["STEPLADDER_ALARM_ACTION"]],
    )
