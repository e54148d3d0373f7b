"""Starts the OCI that integration tests talk to, says where it is, and stops with its starter.

Prints one line of JSON with the URLs of the services and of the control server, and with what a
client needs to sign in, then runs until standard input ends or a signal asks it to stop.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import threading

sys.dont_write_bytecode = True

from control import control  # noqa: E402
from credentials import COMPARTMENT, FUNCTION, REGION, TENANCY, USER, Credentials  # noqa: E402
from datascience import DataScience  # noqa: E402
from desk import Desk  # noqa: E402
from monitoring import Monitoring  # noqa: E402
from server import serve  # noqa: E402
from service import Service  # noqa: E402
from signatures import Referee  # noqa: E402
from world import World  # noqa: E402


class Emulator:
    """All services over one world, and the routes that steer them."""

    def __init__(self, directory, update_seconds):
        self.world = World(update_seconds=update_seconds)
        self.desk = Desk()
        self.credentials = Credentials(directory)
        self.datascience = DataScience(self.world)
        self.monitoring = Monitoring(self.world, TENANCY)

    def reset(self):
        for part in (self.world, self.desk, self.datascience, self.monitoring):
            part.reset()

    def state(self):
        return {**self.datascience.state(), "alarms": list(self.monitoring.alarms.values())}

    def control_routes(self):
        science, desk = self.datascience, self.desk
        return {
            ("GET", "/requests"): desk.finished,
            ("DELETE", "/requests"): desk.forget,
            ("POST", "/fail"): desk.fail,
            ("POST", "/delay"): desk.slow_down,
            ("POST", "/deny"): desk.deny,
            ("GET", "/settings"): lambda: self.world.settings,
            ("POST", "/settings"): self.world.set,
            ("GET", "/state"): self.state,
            ("POST", "/reset"): self.reset,
            ("POST", "/rotate"): self.credentials.rotate,
            ("POST", "/deployments"): lambda **document: science.put(document),
            ("DELETE", "/deployments"): science.remove,
            ("POST", "/fail-update"): science.fail_next,
            ("POST", "/finish"): science.finish,
            ("POST", "/age"): science.age,
        }

    def serve(self):
        """Starts to listen; returns what the starter needs to know."""
        referee = Referee(self.credentials)

        def service(name, base, part):
            made = Service(name, base, part.routes(), self.desk, referee, self.world)
            return serve(made.respond)

        return {
            "datascience": service("datascience", "/20190101", self.datascience),
            "monitoring": service("monitoring", "/20180401", self.monitoring),
            "control": serve(control(self.control_routes(), self.world.lock)),
            "rpst": str(self.credentials.rpst),
            "pem": str(self.credentials.pem),
            "config": str(self.credentials.config),
            "tenancy": TENANCY,
            "compartment": COMPARTMENT,
            "user": USER,
            "function": FUNCTION,
            "region": REGION,
        }


def stop_event():
    """Set when standard input ends or a signal asks to stop."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def read_to_the_end():
        while os.read(0, 4096):
            pass
        stop.set()

    threading.Thread(target=read_to_the_end, daemon=True).start()
    return stop


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--update-seconds",
        type=float,
        default=1.0,
        help="how long an update of a deployment takes (default: %(default)s)",
    )
    arguments = parser.parse_args()
    stop = stop_event()
    with contextlib.ExitStack() as cleanup:
        directory = tempfile.mkdtemp(prefix="oci-emulator-")
        cleanup.callback(shutil.rmtree, directory, ignore_errors=True)
        print(json.dumps(Emulator(directory, arguments.update_seconds).serve()), flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
