"""Evaluates alarms once a minute over the metrics that are known, and sends what changed.

All durations are counted in evaluations: one evaluation is a minute, however long it takes. What
arrives between two evaluations belongs to the minute that the second one ends. So a pending
duration of PT3M is three evaluations that breach, and [5m] is the data of the last five.
"""

import time
import uuid
from dataclasses import dataclass, field

import mql
from messages import message
from monitoring import minutes, series
from world import iso

# More messages of one alarm in one evaluation are dropped.
MOST_MESSAGES = 60
OLDEST_MINUTES = 24 * 60


@dataclass
class Stream:
    dimensions: dict
    value: float = 0.0
    firing: bool = False
    # Evaluations in a row that breached, and that had no data.
    breaching: int = 0
    absent: int = 0
    # The minute of the last message, where messages are split by stream.
    reported: int = 0

    def update(self, value, query, pending, reset):
        """Takes the value of a minute; returns what that changes: FIRED, CLEARED, RESET or None."""
        if value is None and query.absent:
            breaches, self.absent, self.value = True, self.absent + 1, 1.0
        elif value is None:
            self.absent, self.breaching = self.absent + 1, 0
            if self.firing and self.absent >= reset:
                self.firing = False
                return "RESET"
            return None
        else:
            breaches, self.absent, self.value = query.breaches(value), 0, value
        self.breaching = self.breaching + 1 if breaches else 0
        if not self.firing and self.breaching >= pending:
            self.firing = True
            return "FIRED"
        if self.firing and not self.breaching:
            self.firing = False
            return "CLEARED"
        return None


@dataclass
class Watched:
    """What is remembered of an alarm from one evaluation to the next."""

    query: str
    streams: dict = field(default_factory=dict)
    reported: int = 0

    @property
    def firing(self):
        return [stream for stream in self.streams.values() if stream.firing]


class Evaluation:
    def __init__(self, world, monitoring, notifications, minute_seconds):
        self.world, self.monitoring, self.notifications = world, monitoring, notifications
        self.minute_seconds = minute_seconds
        self.reset()

    def reset(self):
        self.minute, self.data, self.gauges, self.watched = 0, {}, {}, {}

    def gauge(self, value, **of):
        """From now on the metric has this value every minute; None ends that."""
        if value is None:
            self.gauges.pop(series(**of), None)
        else:
            self.gauges[series(**of)] = float(value)

    def put(self, values, **of):
        """Datapoints of the minute that is running."""
        for value in values:
            self.add(series(**of), self.minute, float(value))

    def add(self, name, minute, value):
        self.data.setdefault(name, {}).setdefault(minute, []).append(value)

    def run(self, stop):
        """Evaluates every minute until it is stopped."""
        due = time.monotonic() + self.minute_seconds
        while not stop.wait(max(due - time.monotonic(), 0)):
            due += self.minute_seconds
            with self.world.lock:
                self.evaluate()

    def evaluate(self, times=1):
        """Ends that many minutes; returns the messages that were sent."""
        return [sent for _ in range(times) for sent in self.end_of_minute()]

    def end_of_minute(self):
        self.collect()
        alarms = self.monitoring.alarms
        enabled = {id: alarm for id, alarm in alarms.items() if alarm["isEnabled"]}
        self.watched = {id: one for id, one in self.watched.items() if id in enabled}
        sent = [one for alarm in enabled.values() for one in self.evaluated(alarm)]
        self.minute += 1
        return sent

    def file(self):
        """Files what was posted."""
        for name, ago, value in self.monitoring.datapoints:
            old = int(max(ago, 0) / self.minute_seconds) if self.minute_seconds else 0
            self.add(name, self.minute - old, value)
        self.monitoring.datapoints.clear()

    def so_far(self):
        """All data, with what the minute that is running would have if it ended now."""
        self.file()
        data = {name: dict(by_minute) for name, by_minute in self.data.items()}
        for name, value in self.gauges.items():
            by_minute = data.setdefault(name, {})
            by_minute[self.minute] = [*by_minute.get(self.minute, []), value]
        return data

    def collect(self):
        """Files what was posted and what the gauges show; forgets what no query reaches."""
        self.file()
        for name, value in self.gauges.items():
            self.add(name, self.minute, value)
        for of_series in self.data.values():
            of_series.pop(self.minute - OLDEST_MINUTES, None)

    def evaluated(self, alarm):
        """The messages that an alarm sends at the end of this minute."""
        watched = self.watched.get(alarm["id"])
        if watched is None or watched.query != alarm["query"]:
            watched = self.watched[alarm["id"]] = Watched(alarm["query"])
        query, was_firing = mql.parse(alarm["query"]), bool(watched.firing)
        changes = self.changes(alarm, query, watched)
        self.note_status(alarm["id"], "FIRING" if watched.firing else "OK")
        if is_suppressed(alarm):
            return []
        split = alarm["isNotificationsPerMetricDimensionEnabled"]
        news = self.news_by_stream if split else self.news_of_all
        found = news(alarm, watched, changes, was_firing)
        return [self.send(alarm, query, *one) for one in found[:MOST_MESSAGES]]

    def changes(self, alarm, query, watched):
        """Updates the streams of an alarm; returns those that changed, with how."""
        values, changes = self.values(alarm, query), []
        for key, (dimensions, _) in values.items():
            watched.streams.setdefault(key, Stream(dimensions))
        pending = minutes(alarm["pendingDuration"])
        slack = minutes(alarm["evaluationSlackDuration"])
        reset = self.world.settings["reset_minutes"] + slack
        for key, stream in watched.streams.items():
            value = query.statistic(values[key][1]) if key in values else None
            change = stream.update(value, query, pending, reset)
            if change:
                changes.append((stream, change))
        return changes

    def values(self, alarm, query):
        """The datapoints of the query's window, by stream."""
        subtree = alarm["metricCompartmentIdInSubtree"]
        compartment = None if subtree else alarm["metricCompartmentId"]
        return streams(self.data, query, alarm["namespace"], compartment, self.minute)

    def note_status(self, id, status):
        if self.monitoring.status.get(id, ("OK", None))[0] != status:
            self.monitoring.status[id] = (status, iso(time.time()))

    def news_of_all(self, alarm, watched, changes, was_firing):
        """At most one message, for all streams: type, identity and streams."""
        firing = watched.firing
        if firing and (not was_firing or is_repeat_due(alarm, self.minute - watched.reported)):
            watched.reported = self.minute
            return [("REPEAT" if was_firing else "OK_TO_FIRING", "", firing)]
        if was_firing and not firing:
            kinds = {change for _, change in changes}
            kind = "FIRING_TO_OK" if "CLEARED" in kinds else "RESET"
            return [(kind, "", [stream for stream, _ in changes])]
        return []

    def news_by_stream(self, alarm, watched, changes, _):
        """A message for every stream that changed or is due for a repetition."""
        kinds = {"FIRED": "OK_TO_FIRING", "CLEARED": "FIRING_TO_OK", "RESET": "RESET"}
        changed = {id(stream): kinds[change] for stream, change in changes}
        news = []
        for key, stream in watched.streams.items():
            kind = changed.get(id(stream))
            if stream.firing and not kind and is_repeat_due(alarm, self.minute - stream.reported):
                kind = "REPEAT"
            if kind:
                stream.reported = self.minute
                news.append((kind, repr(key), [stream]))
        return news

    def send(self, alarm, query, kind, identity, streams):
        key = str(uuid.uuid5(uuid.NAMESPACE_OID, alarm["id"] + identity))
        uppercase = self.world.settings["uppercase_ocids"]
        text = message(alarm, query, kind, key, streams, uppercase)
        for topic in alarm["destinations"]:
            if topic in self.notifications.topics:
                self.notifications.publish(topic, text)
        return {"alarm": alarm["id"], "type": kind, "message": text}


def streams(data, query, namespace, compartment, last):
    """The datapoints of the window that ends with that minute, by stream; everywhere, or in a
    compartment."""
    found = {}
    for (place, of, metric, dimensions), by_minute in data.items():
        dimensions = dict(dimensions)
        here = compartment in (None, place)
        if not (here and (of, metric) == (namespace, query.metric) and query.matches(dimensions)):
            continue
        window = range(last - query.minutes + 1, last + 1)
        points = [value for minute in window for value in by_minute.get(minute, [])]
        if points:
            stream = query.stream_of(dimensions)
            key = tuple(sorted(stream.items()))
            found.setdefault(key, (stream, []))[1].extend(points)
    return found


def is_repeat_due(alarm, told_ago):
    repeat = minutes(alarm.get("repeatNotificationDuration"))
    return repeat is not None and told_ago >= repeat


def is_suppressed(alarm):
    suppression = alarm.get("suppression")
    if not suppression:
        return False
    return suppression["timeSuppressFrom"] <= iso(time.time()) < suppression["timeSuppressUntil"]
