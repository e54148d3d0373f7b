"""Measures the OCI function: its start, and how long an alarm takes where OCI's calls take time.

It runs under the stand-in for the Fn agent and calls the emulator of OCI. Whatever does not end as
it should, or not with the calls that it should, ends the benchmark. The first round is thrown
away: it fills the page cache.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from stage import ROOT, Stage, round_trips

import agent
from agent import Agent, InvokeError

BINARY = ROOT / "target/oci/function/stepladder-oci"
# With less latency, concurrent calls may not overlap.
LEAST_LATENCY_MS = 10
# The latency for the target of a warm invocation.
USUAL_LATENCY_MS = 50
# The benchmark polls for the socket, so this is the precision of the start time.
agent.PAUSE = 0.0002


class FunctionFailed(Exception):
    """The function did something else than the measured work."""


@dataclass(frozen=True)
class Expected:
    """The result of an invocation, and its calls that change something."""

    result: str
    reason: str | None
    changes: tuple


# A first step up writes the pair, too; a later one finds it. While an update runs, all is held.
FIRST = Expected("applied", None, ("CreateAlarm", "UpdateModelDeployment"))
WARM = Expected("applied", None, ("UpdateModelDeployment",))
HELD = Expected("held", "busy", ())


@dataclass(frozen=True)
class Measure:
    key: str
    label: str
    unit: str
    # Reduces all samples to the number that the target applies to.
    summary: object = max
    most: float | None = None

    def target(self, met):
        if self.most is None:
            return ""
        words = f"≤ {self.most:g} {self.unit}".rstrip()
        return words if met is None else f"{words}: {'met' if met else 'not met'}"


MEASURES = [
    Measure("listening_ms", "start to listening socket", "ms"),
    Measure("first_at_once_ms", "first invocation, no latency", "ms"),
    Measure("warm_at_once_ms", "warm invocation, no latency", "ms"),
    Measure("first_ms", "first invocation", "ms"),
    Measure("warm_ms", "warm invocation", "ms", summary=statistics.median, most=200),
    Measure("held_ms", "warm invocation that holds", "ms"),
    Measure("first_trips", "round trips, first", "", most=3),
    Measure("warm_trips", "round trips, warm", "", most=2),
    Measure("held_trips", "round trips, warm that holds", "", most=1),
    Measure("first_processor_ms", "processor time, start and first", "ms"),
    Measure("warm_processor_ms", "processor time, warm", "ms"),
    Measure("peak_memory_mb", "peak memory", "MB", most=20),
    Measure("binary_mb", "binary", "MB", most=4),
]


def invoke(function, stage, expected):
    """One invocation: its milliseconds, and its round trips."""
    event = stage.event()
    begun = time.perf_counter_ns()
    answer = function.call(event)
    took = time.perf_counter_ns() - begun
    calls = stage.calls()
    as_expected_or_failed(answer, calls, expected)
    return took / 1e6, round_trips(calls)


def as_expected_or_failed(answer, calls, expected):
    outcomes = answer.json().get("outcomes", [])
    ends = [(one.get("result"), one.get("decision", {}).get("reason")) for one in outcomes]
    changes = tuple(call["operation"] for call in calls if call["method"] != "GET")
    found = (answer.status, ends, changes, {call["status"] for call in calls})
    if found != (200, [(expected.result, expected.reason)], expected.changes, {200}):
        made = [(call["operation"], call["status"]) for call in calls]
        raise FunctionFailed(f"expected {expected}, found {answer.body.decode()} after {made}")


@contextlib.contextmanager
def started(binary, stage):
    """A fresh process, which reports why it fails, and the milliseconds until its socket."""
    function = Agent([str(binary)], stage.configuration())
    try:
        begun = time.perf_counter_ns()
        function.start()
        yield function, (time.perf_counter_ns() - begun) / 1e6
    except (FunctionFailed, InvokeError) as failed:
        function.close()
        raise FunctionFailed(f"{failed}\n{function.log()}") from None
    finally:
        function.close()


def without_latency(binary, stage, warm):
    """One process and its invocations, without latency."""
    stage.begin(0)
    samples = defaultdict(list)
    with started(binary, stage) as (function, listening):
        samples["listening_ms"].append(listening)
        samples["first_at_once_ms"].append(invoke(function, stage, FIRST)[0])
        samples["first_processor_ms"].append(processor_ms(function))
        for _ in range(warm):
            stage.settle()
            before = processor_ms(function)
            samples["warm_at_once_ms"].append(invoke(function, stage, WARM)[0])
            samples["warm_processor_ms"].append(processor_ms(function) - before)
    return samples


def with_latency(binary, stage, warm, latency_ms):
    """One process and its invocations, with latency in each call of OCI."""
    stage.begin(latency_ms / 1000)
    samples = defaultdict(list)

    def measured(function, name, expected):
        took, trips = invoke(function, stage, expected)
        samples[f"{name}_ms"].append(took)
        samples[f"{name}_trips"].append(trips)

    with started(binary, stage) as (function, listening):
        samples["listening_ms"].append(listening)
        measured(function, "first", FIRST)
        for _ in range(warm):
            stage.settle()
            measured(function, "warm", WARM)
            measured(function, "held", HELD)
        samples["peak_memory_mb"].append(peak_memory_bytes(function) / 1e6)
    return samples


def processor_ms(function):
    """The processor time of all threads of the process, by its clock as Linux numbers it."""
    clock = (~function.process.pid << 3) | 2
    return time.clock_gettime_ns(clock) / 1e6


def peak_memory_bytes(function):
    status = Path(f"/proc/{function.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def measure(options):
    """All samples, by the key of their measure."""
    samples = defaultdict(list)
    samples["binary_mb"].append(options.binary.stat().st_size / 1e6)
    with Stage() as stage:
        for n in range(options.rounds + 1):
            progress(f"round {n} of {options.rounds}")
            rounds = [
                without_latency(options.binary, stage, options.warm),
                with_latency(options.binary, stage, options.warm, options.latency_ms),
            ]
            for key, values in (item for one in rounds for item in one.items()) if n else ():
                samples[key] += values
    progress("")
    return samples


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def judged(samples, latency_ms):
    """A row for each measure. The target of a time is for the usual latency."""
    for measured in MEASURES:
        values = samples[measured.key]
        usual = measured.unit != "ms" or latency_ms == USUAL_LATENCY_MS
        met = measured.summary(values) <= measured.most if measured.most and usual else None
        yield measured, statistics.median(values), max(values), met


def table(rows, latency_ms):
    def line(label, median, most, target):
        return f"{label:<36}{median:>12}{most:>12}   {target}".rstrip()

    yield line(f"{latency_ms:g} ms for each call", "median", "most", "target")
    for measured, median, most, met in rows:
        figure = "{:,.1f} {}" if measured.unit else "{:g}"
        figures = (figure.format(value, measured.unit) for value in (median, most))
        yield line(measured.label, *figures, measured.target(met))


def document(rows, options):
    return {
        "rounds": options.rounds,
        "warm": options.warm,
        "latency_ms": options.latency_ms,
        "measures": {
            measured.key: {
                "median": round(median, 3),
                "most": round(most, 3),
                "target": measured.most,
                "met": met,
            }
            for measured, median, most, met in rows
        },
    }


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, default=BINARY, help="the function")
    parser.add_argument("--rounds", type=int, default=10, help="two fresh processes each (10)")
    parser.add_argument("--warm", type=int, default=5, help="warm invocations of each (5)")
    parser.add_argument(
        "--latency-ms",
        type=float,
        default=USUAL_LATENCY_MS,
        help=f"of each call of OCI where it takes time ({USUAL_LATENCY_MS})",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    if options.rounds < 1 or options.warm < 1:
        parser.error("expected at least one round and one warm invocation")
    if options.latency_ms < LEAST_LATENCY_MS:
        parser.error(f"expected a latency of at least {LEAST_LATENCY_MS} ms, to distinguish calls")
    if not os.access(options.binary, os.X_OK):
        parser.error(f"no program at `{options.binary}`: `make bench-oci` builds it")
    options.binary = options.binary.resolve()
    return options


def main():
    options = arguments()
    # No frozen function is left behind, also after a failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    try:
        samples = measure(options)
    except FunctionFailed as failed:
        progress("")
        sys.exit(str(failed))
    rows = list(judged(samples, options.latency_ms))
    if options.json:
        print(json.dumps(document(rows, options), indent=2))
    else:
        print("\n".join(table(rows, options.latency_ms)))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
