"""SummarizeMetricsData: what the metrics that are known were in windows of the past.

A minute of a client is a real one, a minute here is an evaluation. So the newest window of a range
that ends now ends with the minute that is running, and each minute before it is one evaluation.
"""

import math
import re
import time
from datetime import datetime

import mql
from evaluation import streams
from monitoring import invalid
from server import Answer, Refusal
from world import iso, required

# How far back a range begins by default.
HOURS = 3
MINUTE = 60


class Summaries:
    def __init__(self, tenancy, evaluation):
        self.tenancy, self.evaluation = tenancy, evaluation

    def routes(self):
        path = "/metrics/actions/summarizeMetricsData"
        return [("POST", path, "SummarizeMetricsData", self.summarize)]

    def summarize(self, request):
        details, compartment = request.details(), self.compartment(request.query)
        for name in ("namespace", "query"):
            if not details.get(name):
                raise Refusal(400, "MissingParameter", f"expected `{name}`")
        query, resolution = understood(details)
        found, data = {}, self.evaluation.so_far()
        for end, ago in windows(*time_range(details), resolution * MINUTE):
            last = self.evaluation.minute - ago
            here = streams(data, query, details["namespace"], compartment, last)
            for key, (dimensions, points) in here.items():
                point = {"timestamp": iso(end), "value": query.statistic(points)}
                found.setdefault(key, (dimensions, []))[1].append(point)
        fields = {
            "namespace": details["namespace"],
            "resourceGroup": None,
            "compartmentId": request.query["compartmentId"],
            "name": query.metric,
            "metadata": {},
            "resolution": details.get("resolution"),
        }
        return Answer(
            200,
            [
                {**fields, "dimensions": dimensions, "aggregatedDatapoints": points}
                for dimensions, points in found.values()
            ],
        )

    def compartment(self, query):
        """The requested compartment, or None for all of them."""
        compartment = required(query, "compartmentId")
        if query.get("compartmentIdInSubtree", "false").lower() != "true":
            return compartment
        if compartment != self.tenancy:
            raise invalid("compartmentIdInSubtree is for the tenancy only")
        return None


def understood(details):
    """The query, and how many minutes lie between the beginnings of its windows."""
    try:
        query = mql.parse(details["query"], bounded=False)
    except ValueError as error:
        raise invalid(str(error)) from None
    written = details.get("resolution") or "1m"
    match = re.fullmatch(r"(\d+)([mhd])", written)
    resolution = int(match[1]) * mql.MINUTES[match[2]] if match else 0
    if not 1 <= resolution <= query.minutes:
        raise invalid(f"expected a resolution of 1m to the query's interval, found `{written}`")
    return query, resolution


def time_range(details):
    """The seconds at which the range begins and ends."""
    now = time.time()

    def seconds(name, otherwise):
        text = details.get(name)
        try:
            return datetime.fromisoformat(text).timestamp() if text else otherwise
        except ValueError:
            raise invalid(f"`{name}` is no time: `{text}`") from None

    end = seconds("endTime", now)
    start = seconds("startTime", now - HOURS * 3600)
    if start >= end:
        raise invalid("expected `startTime` before `endTime`")
    return start, end


def windows(start, end, step):
    """The end of each window in a range, from the oldest, and how many minutes ago that was.

    What ends with the range itself is not in it.
    """
    newest = (math.ceil(end / MINUTE) - 1) * MINUTE
    before_newest = max(int((time.time() - end) / MINUTE), 0)
    last = (math.ceil(end / step) - 1) * step
    ends = range(last, math.ceil(start) - 1, -step)
    return [(at, before_newest + (newest - at) // MINUTE) for at in reversed(ends)]
