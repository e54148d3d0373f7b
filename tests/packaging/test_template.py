"""Checks what cfn-lint and SAM do not check: defaults, the dashboard, permissions and the rule for alarm events.

Run it with the interpreter that has tests/emulators/requirements.txt installed; it exits non-zero
on failure.
"""

import json
import re
import sys
import tomllib
import unittest
from pathlib import Path

from cfnlint.decode.cfn_yaml import load, loads
from localstack.utils.event_matcher import matches_event

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from release_template import release_template  # noqa: E402

sys.path.insert(0, str(ROOT / "tests" / "emulators"))
from role import Role  # noqa: E402

VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
TEXT = (ROOT / "template.yaml").read_text()
TEMPLATE = load(ROOT / "template.yaml")
RESOURCES = TEMPLATE["Resources"]


def text(value, conditions, names=None):
    """A text of the template as CloudFormation would write it; names replace references."""
    if isinstance(value, str):
        return re.sub(r"\$\{([^}]+)\}", lambda name: (names or {}).get(name[1], name[1]), value)
    ((function, argument),) = value.items()
    if function == "Ref":
        return argument
    if function == "Fn::If":
        condition, yes, no = argument
        return text(yes if condition in conditions else no, conditions)
    assert function == "Fn::Sub", f"expected a text, Fn::If or Fn::Sub, found {function}"
    if isinstance(argument, str):
        return text(argument, conditions, names)
    template, given = argument
    return text(template, conditions, {name: text(of, conditions) for name, of in given.items()})


def plainly(template):
    """A template without the lines where its parts are."""
    return json.loads(json.dumps(template))


def widgets(*conditions):
    body = text(RESOURCES["Dashboard"]["Properties"]["DashboardBody"], conditions)
    return json.loads(body)["widgets"]


class Dashboard(unittest.TestCase):
    def test_an_endpoint_adds_its_own_widgets(self):
        endpoints, others = widgets("HasEndpoint"), widgets()
        self.assertEqual(endpoints[3:], others)
        of_the_endpoint = ["CPUUtilization", "HighCpuAlarm.Arn", "HighMemoryAlarm.Arn"]
        for widget, shown in zip(endpoints, of_the_endpoint, strict=False):
            self.assertIn(shown, json.dumps(widget))
        self.assertNotIn("EndpointName", json.dumps(others))

    def test_rows_fill_the_grid(self):
        across = 0
        for widget in widgets("HasEndpoint"):
            across += widget["width"]
            self.assertLessEqual(across, 24, widget["properties"]["title"])
            across %= 24
        self.assertEqual(across, 0)

    def test_shown_and_watched_metrics_are_published(self):
        published = (ROOT / "src" / "platform" / "aws" / "metrics.rs").read_text()
        lists = [widget["properties"].get("metrics", []) for widget in widgets()]
        shown = {metric[1] for metrics in lists for metric in metrics if metric[0] == "stepladder"}
        properties = [resource.get("Properties", {}) for resource in RESOURCES.values()]
        watched = {one["MetricName"] for one in properties if one.get("Namespace") == "stepladder"}
        self.assertEqual(shown, {"Decisions", "AlarmToCallSeconds", "Rejected"})
        self.assertEqual(watched, {"Decisions"})
        for name in shown:
            self.assertIn(f'"Name": "{name}"', published)


class FirstDeployment(unittest.TestCase):
    def test_it_observes_and_has_no_policy_of_its_own(self):
        parameters = TEMPLATE["Parameters"]
        self.assertEqual(parameters["Mode"]["Default"], "observe")
        self.assertEqual(parameters["Mode"]["AllowedValues"], ["observe", "act"])
        self.assertEqual(parameters["Policy"]["Default"], "")
        variables = RESOURCES["AlarmFunction"]["Properties"]["Environment"]["Variables"]
        self.assertEqual(variables["STEPLADDER_MODE"], {"Ref": "Mode"})


class Releases(unittest.TestCase):
    def test_the_template_of_a_release_differs_only_in_its_code(self):
        source, release = (plainly(load(ROOT / "template.yaml")), plainly(loads(release_template(TEXT))))
        parameters, function = release["Parameters"], release["Resources"]["AlarmFunction"]
        self.assertNotIn("Default", parameters.pop("CodeBucket"))
        self.assertEqual(parameters.pop("CodeKey")["Default"], "")
        del release["Conditions"]["HasCodeKey"]
        code = function["Properties"].pop("CodeUri")
        self.assertEqual(code["Bucket"], {"Ref": "CodeBucket"})
        given, default = [text(code["Key"], conditions) for conditions in (["HasCodeKey"], [])]
        self.assertEqual((given, default), ("CodeKey", f"stepladder-{VERSION}/stepladder-lambda-Architecture.zip"))

        del source["Metadata"], source["Resources"]["AlarmFunction"]["Metadata"]
        self.assertEqual(source["Resources"]["AlarmFunction"]["Properties"].pop("CodeUri"), ".")
        self.assertEqual(release, source)

    def test_the_documents_name_this_release(self):
        documents = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
        named = [name for one in documents for name in re.findall(r"stepladder-(\d+\.\d+\.\d+)", one.read_text())]
        self.assertEqual(set(named), {VERSION})

    def test_the_application_repository_gets_what_it_needs(self):
        application = TEMPLATE["Metadata"]["AWS::ServerlessRepo::Application"]
        self.assertEqual(application["SemanticVersion"], VERSION)
        for key in ("LicenseUrl", "ReadmeUrl"):
            self.assertTrue((ROOT / application[key]).is_file(), key)
        for label in application["Labels"]:
            self.assertRegex(label, r"^[a-zA-Z0-9+\-_:/@]{1,127}$")
        self.assertLessEqual(len(application["Description"]), 256)


class Permissions(unittest.TestCase):
    def test_only_the_topic_of_the_parameter_may_be_told(self):
        (policy,) = RESOURCES["AlarmFunction"]["Properties"]["Policies"]
        publishes = [one for one in policy["Statement"] if "sns:Publish" in json.dumps(one)]
        ((condition, statement, otherwise),) = [one["Fn::If"] for one in publishes]
        self.assertEqual(condition, "Notifies")
        self.assertEqual(statement["Action"], "sns:Publish")
        self.assertEqual(statement["Resource"], {"Ref": "NotifyTopicArn"})
        self.assertEqual(otherwise, {"Ref": "AWS::NoValue"})

    def test_only_the_parameter_with_the_policy_may_be_read(self):
        function = RESOURCES["AlarmFunction"]["Properties"]
        (policy,) = function["Policies"]
        read = [one for one in policy["Statement"] if "ssm:" in json.dumps(one)]
        ((condition, statement, otherwise),) = [one["Fn::If"] for one in read]
        self.assertEqual(condition, "HasPolicyParameter")
        self.assertEqual(statement["Action"], "ssm:GetParameter")
        self.assertEqual(otherwise, {"Ref": "AWS::NoValue"})
        glue, split = statement["Resource"]["Fn::Join"]
        apart, whole = split["Fn::Split"]
        for name in ["policy", "/stepladder/policy"]:
            arn = text(whole, [], {"PolicyParameter": name})
            self.assertTrue(glue.join(arn.split(apart)).endswith(f":parameter/{name.lstrip('/')}"), arn)
        variable = function["Environment"]["Variables"]["STEPLADDER_POLICY"]
        self.assertEqual(text(variable, ["HasPolicyParameter"]), "ssm:PolicyParameter")


ACCOUNT = "111122223333"
TOPIC = "arn:aws:sns:us-east-1:111122223333:alarms"
PAGER = "arn:aws:sns:us-east-1:111122223333:pager"
SAGEMAKER = "arn:aws:sagemaker:us-east-1:111122223333"
ALARM = "arn:aws:cloudwatch:us-east-1:111122223333:alarm"
SCALABLE = "arn:aws:application-autoscaling:us-east-1:111122223333:scalable-target/x"
SCALING_POLICY = (
    "arn:aws:autoscaling:us-east-1:111122223333:scalingPolicy:1:resource/sagemaker"
    "/endpoint/churn/variant/AllTraffic:policyName/busy"
)
NAMESPACE = "application-autoscaling:service-namespace"
DIMENSION = "application-autoscaling:scalable-dimension"
VARIANTS = {NAMESPACE: ["sagemaker"], DIMENSION: ["sagemaker:variant:DesiredInstanceCount"]}


def tag_keys(*keys):
    return {"aws:TagKeys": list(keys)}


def actions_of(*actions):
    return {"cloudwatch:AlarmActions": list(actions)}


class NarrowPermissions(unittest.TestCase):
    """What the function sends is allowed, and what forged tags and configurations would have it send is not."""

    def assert_rows(self, rows, expected):
        for action, resource, context, conditions in rows:
            found = Role(ACCOUNT, conditions, AlarmTopic=TOPIC).allows(action, resource, context)
            self.assertEqual(found, expected, (action, resource, context, conditions))

    def test_they_are_enough(self):
        endpoint, copy = f"{SAGEMAKER}:endpoint/churn", f"{SAGEMAKER}:endpoint-config/stepladder-churn-0a1b2c-x"
        ours = tag_keys("stepladder:recent/AllTraffic", "stepladder:step/AllTraffic", "stepladder:parked/AllTraffic/0")
        rows = [
            ("sagemaker:UpdateEndpointWeightsAndCapacities", endpoint, {}, []),
            ("sagemaker:UpdateEndpoint", endpoint, {}, []),
            # back to the configuration that the operator made
            ("sagemaker:UpdateEndpoint", f"{SAGEMAKER}:endpoint-config/churn", {}, []),
            ("sagemaker:CreateEndpointConfig", copy, tag_keys("team", "stepladder:endpoint"), []),
            ("sagemaker:DeleteEndpointConfig", copy, {}, []),
            # a copy has the tags of its original, whatever their names
            ("sagemaker:AddTags", copy, tag_keys("team", "stepladder:endpoint"), []),
            ("sagemaker:AddTags", endpoint, ours, []),
            ("sagemaker:AddTags", endpoint, tag_keys("stepladder:infeasible/AllTraffic/ml.m5.large"), []),
            ("sagemaker:DeleteTags", endpoint, ours, []),
            ("cloudwatch:PutMetricAlarm", f"{ALARM}:stepladder/endpoint/churn/x", actions_of(TOPIC), []),
            ("cloudwatch:DeleteAlarms", f"{ALARM}:stepladder/endpoint/churn/x", {}, []),
            ("cloudwatch:PutMetricAlarm", f"{ALARM}:busy", actions_of(PAGER, SCALING_POLICY), ["SuspendsScaling"]),
        ]
        for verb in ("RegisterScalableTarget", "DeregisterScalableTarget", "PutScalingPolicy", "PutScheduledAction"):
            rows.append((f"application-autoscaling:{verb}", SCALABLE, VARIANTS, ["SuspendsScaling"]))
        self.assert_rows(rows, True)

    def test_they_are_too_little_for_forged_state(self):
        endpoint, everything = f"{SAGEMAKER}:endpoint/churn", ["SuspendsScaling", "Notifies", "HasConfigurationRole"]
        tables = VARIANTS | {NAMESPACE: ["dynamodb"]}
        copies = VARIANTS | {DIMENSION: ["sagemaker:inference-component:DesiredCopyCount"]}
        rows = [
            # the pager of an unrelated alarm is replaced, with and without leave to suspend
            ("cloudwatch:PutMetricAlarm", f"{ALARM}:orders", actions_of(TOPIC), everything),
            ("cloudwatch:PutMetricAlarm", f"{ALARM}:orders", actions_of(PAGER), everything),
            ("cloudwatch:PutMetricAlarm", f"{ALARM}:orders", actions_of(), everything),
            ("cloudwatch:PutMetricAlarm", f"{ALARM}:orders", actions_of(SCALING_POLICY), []),
            ("cloudwatch:DeleteAlarms", f"{ALARM}:orders", {}, everything),
            # a paired alarm that does something else
            ("cloudwatch:PutMetricAlarm", f"{ALARM}:stepladder/x", actions_of(TOPIC, PAGER), []),
            # scaling of something else
            ("application-autoscaling:RegisterScalableTarget", SCALABLE, tables, everything),
            ("application-autoscaling:PutScalingPolicy", SCALABLE, copies, everything),
            ("application-autoscaling:RegisterScalableTarget", SCALABLE, VARIANTS, []),
            # an operator's settings, other people's tags, and other resources
            ("sagemaker:DeleteTags", endpoint, tag_keys("stepladder:pause"), everything),
            ("sagemaker:AddTags", endpoint, tag_keys("stepladder:max"), everything),
            ("sagemaker:DeleteTags", endpoint, tag_keys("stepladder:step/a", "owner"), everything),
            ("sagemaker:AddTags", endpoint, {}, everything),
            ("sagemaker:AddTags", f"{SAGEMAKER}:model/churn", tag_keys("stepladder:step/a"), everything),
            ("sagemaker:DeleteTags", f"{SAGEMAKER}:endpoint-config/churn", tag_keys("stepladder:step/a"), everything),
            # configurations of others
            ("sagemaker:CreateEndpointConfig", f"{SAGEMAKER}:endpoint-config/churn", {}, everything),
            ("sagemaker:DeleteEndpointConfig", f"{SAGEMAKER}:endpoint-config/churn", {}, everything),
            ("sagemaker:DeleteEndpoint", endpoint, {}, everything),
        ]
        self.assert_rows(rows, False)

    def test_the_keys_of_tags_are_those_that_the_code_writes(self):
        (remember,) = [one for one in Role(ACCOUNT).statements if one.get("Sid") == "RecordInTags"]
        keys = remember["Condition"]["ForAllValues:StringLike"]["aws:TagKeys"]
        variant = ROOT / "src" / "platform" / "aws" / "variant"
        code = "".join((variant / name).read_text() for name in ("notes.rs", "suspended.rs"))
        code += (ROOT / "src" / "tags.rs").read_text()
        for key in keys:
            self.assertIn(f'"{key.removesuffix("*").removesuffix("/")}', code)


class AlarmEvents(unittest.TestCase):
    def passes(self, event):
        pattern = json.loads(json.dumps(RESOURCES["AlarmStateRule"]["Properties"]["EventPattern"]))
        return matches_event(pattern, event)

    def test_samples(self):
        rows = [
            # an alarm of an endpoint
            ("event.high-cpu.firing.json", True),
            # one endpoint of those that a query groups by
            ("event.contributor.json", True),
            # no data is no reason to do anything
            ("event.insufficient-data.json", False),
        ]
        for name, passes in rows:
            event = json.loads((ROOT / "events" / "cloudwatch" / name).read_text())
            self.assertEqual(self.passes(event), passes, name)

    def test_alarms_that_name_an_endpoint(self):
        queue = {"metricStat": {"metric": {"dimensions": {"QueueName": "orders"}}}}
        backlog = {"metricStat": {"metric": {"dimensions": {"EndpointName": "churn"}}}}
        both = {"EndpointName": "churn", "VariantName": "AllTraffic"}
        endpoint = {"metricStat": {"metric": {"dimensions": both}}}
        # LocalStack's `*` matches one character or more, none of them a line break.
        line = " stepladder: target=endpoint/churn/variant/AllTraffic"
        rows = [
            # of something else
            ({"metrics": [queue]}, False),
            # of an endpoint as a whole, which nothing here resizes
            ({"metrics": [backlog]}, False),
            # the same, where the description names a variant
            ({"metrics": [backlog], "description": line}, True),
            # metric math that reads an endpoint among others
            ({"metrics": [{"expression": "m1 / m2"}, queue, endpoint]}, True),
            # a composite alarm, which has no metrics
            ({"alarmRule": "ALARM(a)"}, False),
            # one whose description names its target
            ({"alarmRule": "ALARM(a)", "description": line}, True),
        ]
        for configuration, passes in rows:
            event = {
                "source": "aws.cloudwatch",
                "detail-type": "CloudWatch Alarm State Change",
                "detail": {"state": {"value": "ALARM"}, "configuration": configuration},
            }
            self.assertEqual(self.passes(event), passes, configuration)


if __name__ == "__main__":
    unittest.main()
