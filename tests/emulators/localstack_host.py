"""Runs LocalStack's own runtime on one given socket, for as long as standard input stays open.

Usage: localstack_host.py LISTENING_SOCKET_FD, with FILESYSTEM_ROOT naming a directory of its own.
"""

import os
import shutil
import signal
import socket
import sys
import threading
import warnings


def leave_with_the_starter(root):
    """Ends the whole process group, without ceremony, once no process holds its standard input."""
    sys.stdin.buffer.read()
    shutil.rmtree(root, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def listen_only_on(listener):
    """Hands LocalStack our socket: by itself it would listen on every address of the machine."""
    from twisted.internet import endpoints

    endpoints.TCP4ServerEndpoint = lambda reactor, port: endpoints.AdoptedStreamServerEndpoint(
        reactor, listener.fileno(), socket.AF_INET
    )


def fill_in_for_python_3_12():
    """LocalStack imports warnings.deprecated, which Python has since 3.13."""
    if not hasattr(warnings, "deprecated"):
        from typing_extensions import deprecated

        warnings.deprecated = deprecated


def know_only(names):
    """Spares LocalStack the models of every other service: 400 MB, and seconds at each start."""
    from localstack.aws import spec

    spec.list_services = lambda: [spec.load_service(name) for name in names]


def find_alarms_as_documented():
    """LocalStack fails on ActionPrefix, takes one filter at a time and knows no pages."""
    from localstack.services.cloudwatch.provider_v2 import CloudwatchProvider

    def is_asked_for(alarm, names, types, filters):
        kind = "CompositeAlarm" if alarm.get("AlarmRule") is not None else "MetricAlarm"
        actions = [
            action
            for state in ("AlarmActions", "OKActions", "InsufficientDataActions")
            for action in alarm.get(state) or []
        ]
        prefix, action, state = filters
        return (
            kind in (types or ["MetricAlarm"])
            and (not names or alarm["AlarmName"] in names)
            and alarm["AlarmName"].startswith(prefix or "")
            and (not action or any(one.startswith(action) for one in actions))
            and (not state or alarm["StateValue"] == state)
        )

    def describe_alarms(
        self,
        context,
        alarm_names=None,
        alarm_name_prefix=None,
        alarm_types=None,
        state_value=None,
        action_prefix=None,
        max_records=None,
        next_token=None,
        **_,
    ):
        store = self.get_store(context.account_id, context.region)
        alarms = sorted((one.alarm for one in store.alarms.values()), key=lambda one: one["AlarmName"])
        filters = (alarm_name_prefix, action_prefix, state_value)
        found = [one for one in alarms if is_asked_for(one, alarm_names, alarm_types, filters)]
        begin = int(next_token or 0)
        end = begin + (max_records or 50)
        page = found[begin:end]
        more = {"NextToken": str(end)} if end < len(found) else {}
        return {
            "MetricAlarms": [one for one in page if one.get("AlarmRule") is None],
            "CompositeAlarms": [one for one in page if one.get("AlarmRule") is not None],
            **more,
        }

    CloudwatchProvider.describe_alarms = describe_alarms


def main():
    root = os.environ["FILESYSTEM_ROOT"]
    threading.Thread(target=leave_with_the_starter, args=(root,), daemon=True).start()
    listener = socket.socket(fileno=int(sys.argv[1]))
    host, port = listener.getsockname()
    os.environ["GATEWAY_LISTEN"] = f"{host}:{port}"
    fill_in_for_python_3_12()
    listen_only_on(listener)
    know_only(("cloudwatch", "sns", "sqs", "sqs-query"))
    find_alarms_as_documented()

    from localstack.runtime.main import main as run

    run()


if __name__ == "__main__":
    main()
