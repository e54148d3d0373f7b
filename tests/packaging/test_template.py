"""Checks what cfn-lint and SAM do not look into: the dashboard and the rule for alarm events.

Run it with the interpreter that has tests/emulators/requirements.txt installed; it exits non-zero
on failure.
"""

import json
import re
import unittest
from pathlib import Path

from cfnlint.decode.cfn_yaml import load
from localstack.utils.event_matcher import matches_event

ROOT = Path(__file__).parents[2]
RESOURCES = load(ROOT / "template.yaml")["Resources"]


def text(value, conditions, names=None):
    """A text of the template as CloudFormation would write it; names stand for what they mean."""
    if isinstance(value, str):
        return re.sub(r"\$\{([^}]+)\}", lambda name: (names or {}).get(name[1], name[1]), value)
    ((function, argument),) = value.items()
    if function == "Fn::If":
        condition, yes, no = argument
        return text(yes if condition in conditions else no, conditions)
    assert function == "Fn::Sub", f"expected a text, Fn::If or Fn::Sub, found {function}"
    if isinstance(argument, str):
        return text(argument, conditions, names)
    template, given = argument
    return text(template, conditions, {name: text(of, conditions) for name, of in given.items()})


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


class Permissions(unittest.TestCase):
    def test_only_the_topic_of_the_parameter_may_be_told(self):
        (policy,) = RESOURCES["AlarmFunction"]["Properties"]["Policies"]
        told = [one for one in policy["Statement"] if "sns:Publish" in json.dumps(one)]
        ((condition, statement, otherwise),) = [one["Fn::If"] for one in told]
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
        # LocalStack's `*` stands for one character or more, none of them a line break.
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
