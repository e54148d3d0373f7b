"""A part of the Monitoring Query Language: one metric, its window, streams, statistic and bound.

`Metric[5m]{dim = "v", other =~ "a*|b"}.groupBy(dim).mean() > 80`, where `.grouping()` may replace
`.groupBy(…)`; without the bound where metrics are requested. An alarm may also fire while the
same streams are absent: `… < 10 || Metric[5m]{dim = "v"}.groupBy(dim).absent(3d)`. Other joined
queries and absent(), first(), last(), rate() and increment() are refused.
"""

import math
import operator
import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

OPERATORS = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
STATISTICS = {
    "mean": lambda values: sum(values) / len(values),
    "avg": lambda values: sum(values) / len(values),
    "max": max,
    "min": min,
    "sum": sum,
    "count": len,
}
MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
QUERY = re.compile(
    r"""\s*(?P<metric>[A-Za-z][\w.$-]*)\s*
        \[\s*(?P<interval>\d+)(?P<unit>[mhd])\s*\]\s*
        (?:\{(?P<predicates>[^}]*)\})?\s*
        (?:\.\s*(?P<grouping>grouping|groupBy)\s*\((?P<names>[^)]*)\)\s*)?
        \.\s*(?P<statistic>\w+)\s*\(\s*(?P<argument>[\d.]*)\s*\)\s*
        (?:(?P<operator>>=|<=|==|!=|>|<)\s*(?P<bound>-?\d+(?:\.\d+)?)\s*)?""",
    re.VERBOSE,
)
ABSENT = re.compile(
    r"(?P<low>.*?)\s*\|\|\s*(?P<streams>.*?)\s*\.\s*absent\s*\(\s*(?:\d+[mhd])?\s*\)\s*", re.DOTALL
)
PREDICATE = re.compile(r"""\s*([\w.-]+)\s*(=~|!=|=)\s*["']([^"']*)["']\s*""")


@dataclass
class Query:
    # All of the query but its bound, which is how a message names a value.
    expression: str
    metric: str
    minutes: int
    predicates: list
    # None: every stream for itself; []: all as one; else the dimensions they are grouped by.
    group: list | None
    statistic: object
    # None where there is no bound.
    operator: object
    bound: float | None
    # Whether it holds as well while its streams have no data.
    absent: bool = False

    def matches(self, dimensions):
        return all(fits(dimensions.get(name), how, text) for name, how, text in self.predicates)

    def stream_of(self, dimensions):
        """The dimensions of the stream that a metric with these dimensions counts for."""
        if self.group is None:
            return dimensions
        return {name: dimensions[name] for name in self.group if name in dimensions}

    def breaches(self, value):
        return self.operator(value, self.bound)


def fits(value, how, text):
    if value is None:
        return False
    if how == "=~":
        return any(fnmatchcase(value, pattern) for pattern in text.split("|"))
    # OCIDs come in either case.
    same = value.lower() == text.lower()
    return same if how == "=" else not same


def percentile(part):
    def of(values):
        return sorted(values)[max(math.ceil(part * len(values)) - 1, 0)]

    return of


def parse(text, bounded=True):
    """The query of an alarm, or else of metrics; or a ValueError that reports what is wrong."""
    joined = ABSENT.fullmatch(text) if bounded else None
    if joined:
        query = parse(joined["low"])
        if not query.expression.startswith(joined["streams"] + "."):
            raise ValueError(f"the query `{text}` joins different streams")
        return replace(query, absent=True)
    match = QUERY.fullmatch(text)
    if match is None or bounded != bool(match["operator"]):
        raise ValueError(f"the query `{text}` is not understood")
    minutes = int(match["interval"]) * MINUTES[match["unit"]]
    if minutes < 1 or minutes > 24 * 60:
        raise ValueError(f"the interval of `{text}` is not between 1m and 1d")
    return Query(
        expression=(text[: match.start("operator")] if bounded else text).strip(),
        metric=match["metric"],
        minutes=minutes,
        predicates=predicates(match["predicates"] or ""),
        group=group(match["grouping"], match["names"]),
        statistic=statistic(match["statistic"], match["argument"]),
        operator=OPERATORS.get(match["operator"]),
        bound=float(match["bound"]) if bounded else None,
    )


def predicates(text):
    found = [PREDICATE.fullmatch(one) for one in text.split(",")] if text.strip() else []
    if not all(found):
        raise ValueError(f"the predicates `{{{text}}}` are not understood")
    return [one.groups() for one in found]


def group(kind, names):
    names = [name.strip() for name in (names or "").split(",") if name.strip()]
    if kind == "groupBy" and not names:
        raise ValueError("expected a dimension in groupBy()")
    if kind == "grouping" and names:
        raise ValueError("expected nothing in grouping()")
    return names if kind else None


def statistic(name, argument):
    if name == "percentile" and argument and 0 < float(argument) < 1:
        return percentile(float(argument))
    if name not in STATISTICS or argument:
        raise ValueError(f"the statistic `{name}({argument})` is not understood")
    return STATISTICS[name]
