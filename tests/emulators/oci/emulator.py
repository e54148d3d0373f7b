"""Starts the OCI that integration tests talk to, prints where it is, and stops with its starter.

Prints one line of JSON with the URLs of the services and of the control server, and with what a
client needs to sign in, then runs until standard input ends or a signal stops it.

--minute-seconds is how long a minute of Monitoring takes: alarms are evaluated so often, and their
intervals, pending and repeat durations, the reset of absent streams and the redelivery of messages
count such minutes. Nothing else is scaled. Messages carry the real time, and a client still reads
[5m] as five real minutes, so one that wants the whole window to be younger than the last update
will wait for that long. Tests that run faster than real time therefore use [1m] queries with a
client that only reads when the alarm fired, or move the last update into the past (POST /age).
With 0, no minute ends by itself, but only on POST /evaluate, which needs no waiting at all.
"""

import argparse
import contextlib
import copy
import json
import os
import shutil
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from control import control  # noqa: E402
from credentials import COMPARTMENT, FUNCTION, REGION, TENANCY, USER, Credentials  # noqa: E402
from datascience import DataScience  # noqa: E402
from desk import Desk  # noqa: E402
from evaluation import Evaluation  # noqa: E402
from monitoring import Monitoring  # noqa: E402
from notifications import SUBSCRIPTION, TOPIC, Notifications  # noqa: E402
from permissions import Permissions  # noqa: E402
from server import hang_up, serve  # noqa: E402
from service import Service  # noqa: E402
from signatures import Referee  # noqa: E402
from stopping import stop_event  # noqa: E402
from summaries import Summaries  # noqa: E402
from world import World  # noqa: E402


# How long a minute of the redelivery schedule takes where Monitoring's does not pass.
MINUTE_OF_NO_SECONDS = 1.0


def measured(action):
    """What a test sets for a metric: by default one of a model deployment."""

    def act(
        name,
        dimensions,
        namespace="oci_datascience_modeldeploy",
        compartmentId=COMPARTMENT,
        **values,
    ):
        action(
            name=name,
            dimensions=dimensions,
            namespace=namespace,
            compartmentId=compartmentId,
            **values,
        )

    return act


class Emulator:
    """All services over one world, and the routes that steer them."""

    def __init__(self, directory, update_seconds, minute_seconds):
        self.world = World(
            update_seconds=update_seconds,
            redelivery_minute_seconds=minute_seconds or MINUTE_OF_NO_SECONDS,
        )
        self.desk = Desk()
        self.connections = set()
        self.credentials = Credentials(directory)
        self.datascience = DataScience(self.world)
        self.monitoring = Monitoring(self.world, TENANCY)
        self.notifications = Notifications(self.world, COMPARTMENT, FUNCTION)
        self.evaluation = Evaluation(
            self.world, self.monitoring, self.notifications, minute_seconds
        )
        self.summaries = Summaries(TENANCY, self.evaluation)
        self.permissions = Permissions(self.datascience, self.monitoring, self.notifications)

    def reset(self):
        for part in (
            self.world,
            self.desk,
            self.datascience,
            self.monitoring,
            self.notifications,
            self.evaluation,
            self.permissions,
        ):
            part.reset()
        self.credentials.refused()

    def state(self):
        return copy.deepcopy(
            {
                **self.datascience.state(),
                "alarms": self.monitoring.state(),
                "topics": list(self.notifications.topics.values()),
                "subscriptions": list(self.notifications.subscriptions.values()),
                "minute": self.evaluation.minute,
            }
        )

    def control_routes(self):
        science, desk, notifications = self.datascience, self.desk, self.notifications
        monitoring = self.monitoring
        return {
            ("GET", "/requests"): desk.finished,
            ("DELETE", "/requests"): desk.forget,
            ("POST", "/fail"): desk.fail,
            ("POST", "/delay"): desk.slow_down,
            ("POST", "/deny"): desk.deny,
            ("POST", "/grant"): self.permissions.grant,
            ("GET", "/settings"): lambda: self.world.settings,
            ("POST", "/settings"): self.world.set,
            ("GET", "/state"): self.state,
            ("POST", "/reset"): self.reset,
            ("POST", "/hang-up"): lambda: hang_up(self.connections),
            ("POST", "/rotate"): self.credentials.rotate,
            ("POST", "/deployments"): lambda **document: science.put(document),
            ("DELETE", "/deployments"): science.remove,
            ("POST", "/alarms"): lambda **details: monitoring.put(details),
            ("DELETE", "/alarms"): monitoring.remove,
            ("POST", "/fail-update"): science.fail_next,
            ("POST", "/finish"): science.finish,
            ("POST", "/age"): science.age,
            ("POST", "/gauge"): measured(self.evaluation.gauge),
            ("POST", "/metrics"): measured(self.evaluation.put),
            ("POST", "/evaluate"): self.evaluation.evaluate,
            ("POST", "/functions"): notifications.set_functions,
            ("POST", "/publish"): notifications.publish_behind,
            ("GET", "/deliveries"): lambda: copy.deepcopy(notifications.deliveries),
        }

    def serve(self):
        """Starts to listen; returns what the starter needs to know."""
        referee = Referee(self.credentials)

        def service(name, base, *parts):
            routes = [one for part in parts for one in part.routes()]
            made = Service(name, base, routes, self.desk, referee, self.permissions, self.world)
            return serve(made.respond, self.connections)

        return {
            "datascience": service("datascience", "/20190101", self.datascience),
            "monitoring": service("monitoring", "/20180401", self.monitoring, self.summaries),
            "notifications": service("notifications", "/20181201", self.notifications),
            "control": serve(control(self.control_routes(), self.world.lock)),
            "rpst": str(self.credentials.rpst),
            "pem": str(self.credentials.pem),
            "config": str(self.credentials.config),
            "tenancy": TENANCY,
            "compartment": COMPARTMENT,
            "user": USER,
            "function": FUNCTION,
            "topic": TOPIC,
            "subscription": SUBSCRIPTION,
            "region": REGION,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--update-seconds",
        type=float,
        default=1.0,
        help="how long an update of a deployment takes (default: %(default)s)",
    )
    parser.add_argument(
        "--minute-seconds",
        type=float,
        default=60.0,
        help="how long a minute of Monitoring takes, 0 for ever (default: %(default)s)",
    )
    arguments = parser.parse_args()
    stop = stop_event()
    with contextlib.ExitStack() as cleanup:
        directory = tempfile.mkdtemp(prefix="oci-emulator-")
        cleanup.callback(shutil.rmtree, directory, ignore_errors=True)
        emulator = Emulator(directory, arguments.update_seconds, arguments.minute_seconds)
        print(json.dumps(emulator.serve()), flush=True)
        if arguments.minute_seconds:
            threading.Thread(target=emulator.evaluation.run, args=(stop,), daemon=True).start()
        stop.wait()


if __name__ == "__main__":
    main()
