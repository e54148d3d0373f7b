"""Measures the start of the Lambda function next to that of a boto3 handler with the same calls.

Both start as on Lambda, use the same stub of AWS, and must answer the same alarm with the same
calls; a difference ends the benchmark. The two take turns. The first start of each is discarded,
because it fills the page cache and compiles the Python.
"""

import argparse
import asyncio
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import distribution
from pathlib import Path

from aws import TOPIC, Aws
from certificates import issued
from runtime import FunctionFailed, Runtime

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BINARY = ROOT / "target/lambda/stepladder-lambda/bootstrap"
EVENT = ROOT / "events/cloudwatch/sns.high-cpu.firing.json"
# Lambda provides the runtime client, and boto3 too. A pinned version of boto3 has to be packaged.
PACKED = ["boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"]


@dataclass
class Function:
    name: str
    command: list
    files: dict

    def zipped_bytes(self):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
            for name, path in self.files.items():
                package.write(path, name)
        return len(archive.getvalue())


def stepladder(binary):
    return Function("stepladder", [str(binary)], {"bootstrap": binary})


def boto3_handler():
    command = [sys.executable, "-m", "awslambdaric", "handler.handler"]
    files = {"handler.py": HERE / "handler.py"}
    for name in PACKED:
        for file in distribution(name).files:
            if file.suffix != ".pyc" and ".." not in file.parts:
                files[str(file)] = file.locate()
    return Function("boto3", command, files)


@dataclass(frozen=True)
class Measure:
    key: str
    label: str
    unit: str
    summary: object = statistics.median
    most: float | None = None
    times_less: float | None = None

    def target(self):
        """The target in words."""
        if self.most is not None:
            return f"≤ {self.most:g} {self.unit}"
        return f"≥ {self.times_less:g} × less" if self.times_less is not None else ""

    def met(self, ours, ratio):
        if self.most is not None:
            return ours <= self.most
        return ratio >= self.times_less if self.times_less is not None else None


def p95(values):
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


MEASURES = [
    Measure("first_event_ms", "start to first request for an event", "ms", most=15),
    Measure("first_invocation_ms", "first invocation", "ms"),
    Measure("first_response_ms", "start to first response", "ms", times_less=20),
    Measure("warm_ms", "warm invocation, median", "ms"),
    Measure("warm_p95_ms", "warm invocation, 95 of 100", "ms", summary=p95),
    Measure("peak_memory_mb", "peak memory", "MB", most=20),
    Measure("package_mb", "package, zipped", "MB"),
]


def environment(aws, runtime, roots):
    """The complete environment of a function: no proxy, profile or setting of this machine."""
    trust = {"SSL_CERT_FILE": roots, "AWS_CA_BUNDLE": roots} if roots else {}
    return trust | {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "AWS_LAMBDA_RUNTIME_API": runtime.address,
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/bench",
        "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_ENDPOINT_URL": aws.url,
        "STEPLADDER_ALARM_ACTION": TOPIC,
    }


def event_of_now():
    """The sample event, fired just now: the endpoint's last change is long ago."""
    event = json.loads(EVENT.read_text())
    notification = event["Records"][0]["Sns"]
    alarm = json.loads(notification["Message"])
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    alarm["StateChangeTime"] = now.replace("+00:00", "+0000")
    notification["Message"] = json.dumps(alarm)
    return json.dumps(event).encode()


async def start(function, aws, roots, warm):
    """One start and its invocations: the samples, and the calls of each invocation."""
    async with Runtime().serving() as runtime:
        with tempfile.TemporaryFile("w+") as log:
            started = time.perf_counter_ns()
            process = subprocess.Popen(
                function.command,
                cwd=HERE,
                env=environment(aws, runtime, roots),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            try:
                with reported_end(process, runtime):
                    return await lifetime(process.pid, started, runtime, aws, warm)
            except FunctionFailed as failed:
                log.seek(0)
                raise FunctionFailed(f"{function.name}: {failed}\n{log.read()}") from None
            finally:
                process.kill()
                process.wait()


@contextlib.contextmanager
def reported_end(process, runtime):
    """Reports the end of the process to the runtime, so that no call waits for it."""
    loop, end = asyncio.get_running_loop(), os.pidfd_open(process.pid)
    loop.add_reader(end, runtime.end, FunctionFailed("the process has ended"))
    try:
        yield
    finally:
        loop.remove_reader(end)
        os.close(end)


# Each invocation writes an alarm, and CloudWatch limits an account to three writes a second. The
# pause keeps the function's own rate limit out of the measurement.
APART_SECONDS = 0.4


async def lifetime(pid, started, runtime, aws, warm):
    asked = await runtime.first_asked() - started
    samples, calls = defaultdict(list), []
    for n in range(1 + warm):
        if n:
            await asyncio.sleep(APART_SECONDS)
        reply, took = await runtime.invoke(event_of_now())
        applied_or_failed(reply)
        calls.append(aws.calls())
        for key in ("warm_ms", "warm_p95_ms") if n else ("first_invocation_ms",):
            samples[key].append(took / 1e6)
    samples["first_event_ms"].append(asked / 1e6)
    samples["first_response_ms"].append(asked / 1e6 + samples["first_invocation_ms"][0])
    samples["peak_memory_mb"].append(peak_memory_bytes(pid) / 1e6)
    return samples, calls


def applied_or_failed(reply):
    outcomes = json.loads(reply).get("outcomes", [])
    if [outcome.get("result") for outcome in outcomes] != ["applied"]:
        raise FunctionFailed(f"expected one outcome, `applied`, found {reply.decode()}")


def peak_memory_bytes(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


async def measure(functions, options):
    """All samples of each function, by its name."""
    samples = {function.name: defaultdict(list) for function in functions}
    with tempfile.TemporaryDirectory() as folder:
        tls, roots = issued(folder) if options.tls else (None, None)
        async with Aws(options.latency_ms / 1000).serving(tls) as aws:
            await take_turns(functions, aws, roots, options, samples)
    for function in functions:
        progress(f"package: {function.name}")
        samples[function.name]["package_mb"].append(function.zipped_bytes() / 1e6)
    progress("")
    return samples


async def take_turns(functions, aws, roots, options, samples):
    for n in range(options.starts + 1):
        made = {}
        for function in functions:
            progress(f"start {n} of {options.starts}: {function.name}")
            found, made[function.name] = await start(function, aws, roots, options.warm)
            for key, values in found.items() if n else ():
                samples[function.name][key] += values
        if len({json.dumps(calls) for calls in made.values()}) > 1:
            raise FunctionFailed(f"expected the same calls of both, found {made}")


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def compared(samples, latency_ms):
    """A row for each measure. A ratio has a target only without latency."""
    for measured in MEASURES:
        ours, theirs = (measured.summary(samples[name][measured.key]) for name in samples)
        ratio = theirs / ours
        judged = measured.times_less is None or not latency_ms
        met = measured.met(ours, ratio) if judged else None
        yield measured, ours, theirs, ratio, met


def table(rows):
    def line(label, ours, theirs, ratio, target):
        return f"{label:<32}{ours:>14}{theirs:>14}{ratio:>9}   {target}".rstrip()

    yield line("", "stepladder", "boto3", "ratio", "target")
    for measured, ours, theirs, ratio, met in rows:
        target = measured.target()
        if met is not None:
            target += ": met" if met else ": not met"
        figures = (f"{value:,.1f} {measured.unit}" for value in (ours, theirs))
        yield line(measured.label, *figures, f"{ratio:.1f} ×", target)


def document(rows, options):
    return {
        "starts": options.starts,
        "warm": options.warm,
        "latency_ms": options.latency_ms,
        "tls": options.tls,
        "measures": {
            measured.key: {
                "stepladder": round(ours, 3),
                "boto3": round(theirs, 3),
                "ratio": round(ratio, 2),
                "most": measured.most,
                "times_less": measured.times_less,
                "met": met,
            }
            for measured, ours, theirs, ratio, met in rows
        },
    }


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, default=BINARY, help="the function's bootstrap")
    parser.add_argument("--starts", type=int, default=10, help="cold starts of each (10)")
    parser.add_argument("--warm", type=int, default=5, help="warm invocations per start (5)")
    parser.add_argument("--latency-ms", type=float, default=0, help="of each call of AWS (0)")
    parser.add_argument("--tls", action="store_true", help="reach AWS through TLS")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    if options.starts < 1 or options.warm < 2:
        parser.error("expected at least one start and two warm invocations")
    if not os.access(options.binary, os.X_OK):
        parser.error(f"no program at `{options.binary}`: `make bench` builds it")
    return options


def main():
    options = arguments()
    functions = [stepladder(options.binary.resolve()), boto3_handler()]
    try:
        samples = asyncio.run(measure(functions, options))
    except FunctionFailed as failed:
        progress("")
        sys.exit(str(failed))
    rows = list(compared(samples, options.latency_ms))
    if options.json:
        print(json.dumps(document(rows, options), indent=2))
    else:
        print("\n".join(table(rows)))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
