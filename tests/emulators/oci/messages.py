"""The message of an alarm, version 1.5, as Monitoring hands it to Notifications."""

import json
import time

from credentials import REGION
from world import iso

VERSION = 1.5
GROUPED = "Grouped messages across metric streams"
SPLIT = "Split messages per metric stream"
# A message lists no more streams than that.
MOST_STREAMS = 100
CONSOLE = "https://cloud.oracle.com/monitoring/alarms"


def message(alarm, query, kind, key, streams, uppercase):
    now = time.time()
    firing = kind in ("OK_TO_FIRING", "REPEAT")
    split = alarm["isNotificationsPerMetricDimensionEnabled"]
    fields = {
        "dedupeKey": key,
        "title": alarm.get("notificationTitle") or alarm["displayName"],
        "body": alarm.get("body"),
        "type": kind,
        "severity": alarm["severity"],
        "timestampEpochMillis": int(now * 1000),
        "timestamp": iso(now).split(".")[0] + "Z",
        "alarmMetaData": [entry(alarm, query, firing, streams, uppercase)],
        "notificationType": SPLIT if split else GROUPED,
        "version": VERSION,
    }
    if fields["body"] is None:
        del fields["body"]
    return json.dumps(fields, indent=2 if alarm["messageFormat"] == "PRETTY_JSON" else None)


def entry(alarm, query, firing, streams, uppercase):
    status = "FIRING" if firing else "OK"
    listed = streams[:MOST_STREAMS]
    return {
        "id": alarm["id"],
        "status": status,
        "severity": alarm["severity"],
        "namespace": alarm["namespace"],
        "query": alarm["query"],
        "totalMetricsFiring": len(streams) if firing else 0,
        "dimensions": [spelled(stream.dimensions, uppercase) for stream in listed],
        "metricValues": [{query.expression: number(stream.value)} for stream in listed],
        "alarmUrl": f"{CONSOLE}/{alarm['id']}?region={REGION}",
        "alarmSummary": alarm.get("alarmSummary") or summary(alarm, status),
    }


def spelled(dimensions, uppercase):
    def is_ocid(value):
        return value.startswith("ocid1.")

    if not uppercase:
        return dimensions
    return {name: one.upper() if is_ocid(one) else one for name, one in dimensions.items()}


def number(value):
    return f"{value:.2f}".rstrip("0").rstrip(".")


def summary(alarm, status):
    rule, delay = alarm["query"], alarm["pendingDuration"]
    return f'Alarm "{alarm["displayName"]}" is {status} by the rule {rule} after {delay}'
