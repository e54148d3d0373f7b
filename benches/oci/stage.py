"""The OCI of the measurement: one settled deployment, and its alarm."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "tests/emulators/oci"))
sys.dont_write_bytecode = True

from oci.monitoring import MonitoringClient  # noqa: E402
from oci.monitoring.models import CreateAlarmDetails  # noqa: E402
from rig import DEPLOYMENT, NAMESPACE, QUERY, Emulator, deployment  # noqa: E402

EVENT = ROOT / "events/oci/high-cpu.firing.json"
# An update ends when the next deployment is put in place of its own, and never before.
UPDATE_SECONDS = 3600


class Stage:
    """One emulator, and its state before each invocation."""

    def __init__(self):
        self.emulator = Emulator(update_seconds=UPDATE_SECONDS)
        self.monitoring = self.emulator.client(MonitoringClient, "monitoring")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.emulator.close()

    def configuration(self):
        """The function's environment: its region, its endpoints and its identity."""
        return {
            "OCI_RESOURCE_PRINCIPAL_RPST": self.emulator["rpst"],
            "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM": self.emulator["pem"],
            "OCI_RESOURCE_PRINCIPAL_REGION": self.emulator["region"],
            "STEPLADDER_OCI_DATASCIENCE_ENDPOINT": self.emulator["datascience"],
            "STEPLADDER_OCI_MONITORING_ENDPOINT": self.emulator["monitoring"],
            "STEPLADDER_OCI_NOTIFICATION_ENDPOINT": self.emulator["notifications"],
        }

    def begin(self, latency_seconds):
        """Resets OCI to the deployment and the alarm that fires; each call has this latency."""
        self.emulator.control("POST", "/reset")
        self.put()
        details = CreateAlarmDetails(
            display_name="churn-model_deployment_high_cpu",
            compartment_id=self.emulator["compartment"],
            metric_compartment_id=self.emulator["compartment"],
            namespace=NAMESPACE,
            query=QUERY,
            severity="CRITICAL",
            destinations=[self.emulator["topic"]],
            is_enabled=True,
        )
        self.alarm = self.monitoring.create_alarm(details).data.id
        self.emulator.control("POST", "/delay", seconds=latency_seconds)
        self.calls()

    def settle(self):
        """The deployment as if it had been changed long ago; its paired alarm stays."""
        self.emulator.control("POST", "/finish", id=DEPLOYMENT)
        self.emulator.control("POST", "/age", id=DEPLOYMENT, seconds=3600)
        self.put()

    def put(self):
        """The deployment as it is in the beginning."""
        self.emulator.control("POST", "/deployments", **deployment())

    def calls(self):
        """The calls since the last read."""
        calls = self.emulator.control("GET", "/requests")
        self.emulator.control("DELETE", "/requests")
        return calls

    def event(self):
        """The sample event, fired just now by the alarm about the deployment that is here."""
        event, now = json.loads(EVENT.read_text()), datetime.now(UTC)
        event["timestampEpochMillis"] = int(now.timestamp() * 1000)
        event["timestamp"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        [alarm] = event["alarmMetaData"]
        alarm |= {"id": self.alarm, "query": QUERY, "dimensions": [{"resourceId": DEPLOYMENT}]}
        return json.dumps(event).encode()


def round_trips(calls):
    """The number of sequential round trips: the largest set of calls that never overlap."""
    trips, over = 0, 0.0
    for call in sorted(calls, key=lambda call: call["end"]):
        if call["start"] >= over:
            trips, over = trips + 1, call["end"]
    return trips
