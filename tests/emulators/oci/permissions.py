"""What policy statements allow the function to do: its requests are judged once statements are granted.

The permissions of operations and verbs are those of Oracle's policy reference, and not derived from the product.
A statement that cannot be read is an error, so that none is believed to grant what it does not.
"""

import re

from signatures import authorization

STATEMENT = re.compile(
    r"Allow dynamic-group \S+ to (?P<verb>inspect|read|use|manage) (?P<resource>[\w-]+)"
    r" in (?:tenancy|compartment id (?P<place>ocid1\.\S+))"
    r"(?: where any \{(?P<conditions>[^}]+)\})?"
)
CONDITION = re.compile(r"request\.permission = '(\w+)'")

VERBS = ("inspect", "read", "use", "manage")
# What each verb adds to those before it.
RESOURCES = {
    "data-science-model-deployments": {
        "inspect": ["DATA_SCIENCE_MODEL_DEPLOYMENT_INSPECT"],
        "read": ["DATA_SCIENCE_MODEL_DEPLOYMENT_READ"],
        "use": ["DATA_SCIENCE_MODEL_DEPLOYMENT_PREDICT"],
        "manage": [f"DATA_SCIENCE_MODEL_DEPLOYMENT_{what}" for what in ("CREATE", "UPDATE", "DELETE", "MOVE")],
    },
    "data-science-work-requests": {
        "inspect": ["DATA_SCIENCE_WORK_REQUEST_INSPECT"],
        "read": ["DATA_SCIENCE_WORK_REQUEST_READ"],
    },
    "alarms": {
        "inspect": ["ALARM_INSPECT"],
        "read": ["ALARM_READ"],
        "manage": ["ALARM_CREATE", "ALARM_UPDATE", "ALARM_DELETE", "ALARM_MOVE"],
    },
    "metrics": {"inspect": ["METRIC_INSPECT"], "read": ["METRIC_READ"], "use": ["METRIC_WRITE"]},
    "ons-topics": {
        "inspect": ["ONS_TOPIC_LIST"],
        "read": ["ONS_TOPIC_READ"],
        "use": ["ONS_TOPIC_UPDATE", "ONS_TOPIC_PUBLISH"],
        "manage": ["ONS_TOPIC_CREATE", "ONS_TOPIC_DELETE", "ONS_TOPIC_MOVE"],
    },
}


class Statement:
    """One statement: the permissions that it gives, and the compartment; None is the whole tenancy."""

    def __init__(self, text):
        match = STATEMENT.fullmatch(text)
        if match is None or match["resource"] not in RESOURCES:
            raise ValueError(f"the statement `{text}` cannot be read")
        by_verb = RESOURCES[match["resource"]]
        included = VERBS[: VERBS.index(match["verb"]) + 1]
        self.place = match["place"]
        self.permissions = {one for verb in included for one in by_verb.get(verb, [])}
        if match["conditions"]:
            conditions = match["conditions"].split(", ")
            requested = [CONDITION.fullmatch(one) for one in conditions]
            if None in requested:
                raise ValueError(f"the condition of `{text}` cannot be read")
            self.permissions &= {one[1] for one in requested}

    def gives(self, permission, place):
        return permission in self.permissions and self.place in (None, place)


class Permissions:
    def __init__(self, datascience, monitoring, notifications):
        self.datascience, self.monitoring, self.notifications = datascience, monitoring, notifications
        self.reset()

    def reset(self):
        # Until something is granted, nothing is checked.
        self.statements = None

    def grant(self, statements):
        self.statements = [Statement(one) for one in statements]

    def allow(self, operation, request, arguments):
        """Whether the function may send a request. A person of the tests may do everything."""
        if self.statements is None or not authorization(request)["keyId"].startswith("ST$"):
            return True
        needs = self.needs(operation, request, **arguments)
        return needs is not None and all(
            place is None or any(one.gives(permission, place) for one in self.statements) for permission, place in needs
        )

    def needs(self, operation, request, id=None):
        """The permissions of an operation, each with its compartment; None for one that the function never sends.

        A resource that does not exist has no compartment: the operation itself answers that.
        """
        queried = request.query.get("compartmentId")
        details = request.decoded if isinstance(request.decoded, dict) else {}
        deployment = self.datascience.deployments.get(id)
        at_home = deployment and deployment.document.get("compartmentId")
        alarm = self.monitoring.alarms.get(id, {})
        homes = alarm.get("compartmentId"), alarm.get("metricCompartmentId")
        topic = self.notifications.topics.get(id, {}).get("compartmentId")
        return {
            "GetModelDeployment": [("DATA_SCIENCE_MODEL_DEPLOYMENT_READ", at_home)],
            "UpdateModelDeployment": [("DATA_SCIENCE_MODEL_DEPLOYMENT_UPDATE", at_home)],
            "ListWorkRequests": [("DATA_SCIENCE_WORK_REQUEST_INSPECT", queried)],
            "ListAlarms": [("ALARM_INSPECT", queried)],
            "GetAlarm": [("ALARM_READ", homes[0]), ("METRIC_READ", homes[1])],
            "CreateAlarm": [
                ("ALARM_CREATE", details.get("compartmentId")),
                ("METRIC_READ", details.get("metricCompartmentId")),
            ],
            "UpdateAlarm": [("ALARM_UPDATE", homes[0]), ("METRIC_READ", homes[1])],
            "DeleteAlarm": [("ALARM_DELETE", homes[0])],
            "SummarizeMetricsData": [("METRIC_INSPECT", queried), ("METRIC_READ", queried)],
            "PublishMessage": [("ONS_TOPIC_PUBLISH", topic)],
        }.get(operation)
