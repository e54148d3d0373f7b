"""Monitoring: alarms, and the metric data that callers post."""

import copy
import re
import secrets
import time
from datetime import datetime

import mql
from server import Answer, Refusal
from service import not_found
from world import RetryTokens, Throttle, expect_etag, in_order, iso, ocid, required

NEEDED = (
    "displayName",
    "compartmentId",
    "metricCompartmentId",
    "namespace",
    "query",
    "severity",
    "destinations",
    "isEnabled",
)
CHOICES = {
    "severity": ("CRITICAL", "ERROR", "WARNING", "INFO"),
    "messageFormat": ("RAW", "PRETTY_JSON", "ONS_OPTIMIZED"),
}
# Name, and the least and the most minutes.
DURATIONS = (
    ("pendingDuration", 1, 60),
    ("repeatNotificationDuration", 1, 30 * 24 * 60),
    ("evaluationSlackDuration", 3, 120),
)
GIVEN = {
    "resolution": "1m",
    "pendingDuration": "PT1M",
    "messageFormat": "RAW",
    "evaluationSlackDuration": "PT3M",
    "isNotificationsPerMetricDimensionEnabled": False,
    "metricCompartmentIdInSubtree": False,
    "ruleName": "BASE",
    "freeformTags": {},
    "definedTags": {},
}
SUMMARY = (
    "id displayName compartmentId metricCompartmentId namespace query severity destinations "
    "suppression isEnabled isNotificationsPerMetricDimensionEnabled freeformTags definedTags "
    "lifecycleState overrides ruleName notificationVersion notificationTitle "
    "evaluationSlackDuration alarmSummary resourceGroup"
).split()
RESERVED = ("oci_", "oracle_")
OLDEST_SECONDS, NEWEST_SECONDS = 2 * 3600, 600


def invalid(message):
    return Refusal(400, "InvalidParameter", message)


def minutes(duration):
    """The minutes of an ISO 8601 duration in whole days, hours and minutes, or None."""
    match = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?", duration or "")
    if not match or not any(match.groups()):
        return None
    days, hours, rest = (int(one or 0) for one in match.groups())
    return (days * 24 + hours) * 60 + rest


def expect_valid(alarm):
    for name in NEEDED:
        if alarm.get(name) in (None, "", []):
            raise Refusal(400, "MissingParameter", f"expected `{name}`")
    for name, choices in CHOICES.items():
        if alarm[name] not in choices:
            raise invalid(f"expected {name} to be one of {choices}, found `{alarm[name]}`")
    if not isinstance(alarm["isEnabled"], bool):
        raise invalid("expected `isEnabled` to be true or false")
    if not isinstance(alarm["destinations"], list):
        raise invalid("expected `destinations` to be a list of OCIDs")
    for name, least, most in DURATIONS:
        found = alarm.get(name)
        if found is not None and not least <= (minutes(found) or 0) <= most:
            raise invalid(f"`{name}` is {least} to {most} minutes, found `{found}`")
    try:
        mql.parse(alarm["query"])
    except ValueError as error:
        raise invalid(str(error)) from None


def described(details):
    """An alarm with all that its creator left out."""
    given = {name: one for name, one in details.items() if one is not None}
    alarm = {**copy.deepcopy(GIVEN), **given}
    expect_valid(alarm)
    return alarm


class Monitoring:
    def __init__(self, world, tenancy):
        self.world, self.tenancy = world, tenancy
        self.reset()

    def reset(self):
        self.alarms, self.etags = {}, {}
        # By alarm: FIRING or OK, and since when, kept by the evaluation.
        self.status = {}
        self.tokens, self.throttle = RetryTokens(), Throttle()
        # Where posted datapoints go; the evaluation takes them.
        self.datapoints = []

    def routes(self):
        def throttled(action):
            def act(request, **arguments):
                self.throttle.expect_room(self.world.settings["alarm_calls_per_second"])
                return action(request, **arguments)

            return act

        return [
            ("POST", "/alarms", "CreateAlarm", throttled(self.create)),
            ("GET", "/alarms", "ListAlarms", throttled(self.list)),
            ("GET", "/alarms/status", "ListAlarmsStatus", throttled(self.list_status)),
            ("GET", "/alarms/{id}", "GetAlarm", throttled(self.get)),
            ("PUT", "/alarms/{id}", "UpdateAlarm", throttled(self.change)),
            ("DELETE", "/alarms/{id}", "DeleteAlarm", throttled(self.delete)),
            ("POST", "/metrics", "PostMetricData", self.post),
        ]

    def answer(self, id):
        alarm = copy.deepcopy(self.alarms[id])
        return Answer(200, alarm, {"etag": self.etags[id]})

    def known(self, id):
        if id not in self.alarms:
            raise not_found()
        return self.alarms[id]

    def create(self, request):
        alarm = described(request.details())
        return self.answer(self.tokens.once(request, self.alarms, lambda: self.created(alarm)))

    def created(self, alarm):
        now, id = iso(time.time()), ocid("alarm")
        identity = {"id": id, "lifecycleState": "ACTIVE", "timeCreated": now, "timeUpdated": now}
        self.alarms[id], self.etags[id] = {**alarm, **identity}, secrets.token_hex(8)
        return id

    def get(self, request, id):
        self.known(id)
        return self.answer(id)

    def change(self, request, id):
        alarm, details = self.known(id), request.details()
        expect_etag(request, self.etags[id])
        after = {**alarm, **details, "timeUpdated": iso(time.time())}
        for name, one in details.items():
            if one is None:
                after[name] = GIVEN.get(name)
        expect_valid(after)
        self.alarms[id], self.etags[id] = after, secrets.token_hex(8)
        return self.answer(id)

    def delete(self, request, id):
        self.known(id)
        expect_etag(request, self.etags[id])
        self.remove(id)
        return Answer(204)

    def found(self, query):
        """The alarms that the parameters of a list select."""
        compartment = required(query, "compartmentId")
        subtree = query.get("compartmentIdInSubtree", "false").lower() == "true"
        if subtree and compartment != self.tenancy:
            raise invalid("compartmentIdInSubtree is for the tenancy only")
        state = query.get("lifecycleState", "ACTIVE")
        found = [
            alarm
            for alarm in self.alarms.values()
            if (subtree or alarm["compartmentId"] == compartment)
            and query.get("displayName", alarm["displayName"]) == alarm["displayName"]
            and alarm["lifecycleState"] == state
        ]
        by = query.get("sortBy", "displayName")
        if by not in ("displayName", "severity"):
            raise invalid(f"expected sortBy `displayName` or `severity`, found `{by}`")
        return in_order(found, query, "displayName")

    def list(self, request):
        found = self.found(request.query)
        summaries = [{name: alarm.get(name) for name in SUMMARY} for alarm in found]
        return self.world.page(request, copy.deepcopy(summaries))

    def list_status(self, request):
        summaries = []
        for alarm in self.found(request.query):
            status, since = self.status.get(alarm["id"], ("OK", alarm["timeCreated"]))
            names = ("id", "displayName", "severity", "ruleName", "alarmSummary", "suppression")
            summary = {name: alarm.get(name) for name in names}
            summary["status"] = status if alarm["isEnabled"] else "SUSPENDED"
            summaries.append({**summary, "timestampTriggered": since})
        return self.world.page(request, summaries)

    def state(self):
        """All alarms, each with the status that the evaluation last found."""
        return [
            {**alarm, "status": self.status.get(id, ("OK", None))[0]}
            for id, alarm in self.alarms.items()
        ]

    # What a test may do behind the API's back.

    def put(self, details):
        """Takes what CreateAlarm takes."""
        try:
            return {"id": self.created(described(details))}
        except Refusal as refusal:
            raise ValueError(refusal.message) from None

    def remove(self, id):
        if id not in self.alarms:
            raise LookupError(f"no alarm {id}")
        del self.alarms[id], self.etags[id]

    def post(self, request):
        details, failed, taken = request.details(), [], []
        for metric in details.get("metricData") or []:
            try:
                taken += datapoints(metric)
            except ValueError as error:
                failed.append({"message": str(error), "metricData": metric})
        if failed and details.get("batchAtomicity", "NON_ATOMIC") == "ATOMIC":
            raise invalid(failed[0]["message"])
        self.datapoints += taken
        return Answer(200, {"failedMetricsCount": len(failed), "failedMetrics": failed})


def datapoints(metric):
    """The datapoints of one metric as (series, seconds ago, value), where all of it is valid."""
    for name in ("namespace", "compartmentId", "name", "dimensions", "datapoints"):
        if not metric.get(name):
            raise ValueError(f"expected `{name}`")
    if metric["namespace"].startswith(RESERVED):
        raise ValueError(f"the namespace `{metric['namespace']}` is reserved")
    found = []
    for point in metric["datapoints"]:
        ago = time.time() - datetime.fromisoformat(point["timestamp"]).timestamp()
        if not -NEWEST_SECONDS <= ago <= OLDEST_SECONDS:
            raise ValueError(f"the timestamp {point['timestamp']} is too far from now")
        found += [(series(**metric), ago, float(point["value"]))] * point.get("count", 1)
    return found


def series(compartmentId, namespace, name, dimensions, **_):
    return compartmentId, namespace, name, tuple(sorted(dimensions.items()))
