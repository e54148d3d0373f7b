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
    """Ends the whole process group, without ceremony, once nobody holds our standard input."""
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


def main():
    root = os.environ["FILESYSTEM_ROOT"]
    threading.Thread(target=leave_with_the_starter, args=(root,), daemon=True).start()
    listener = socket.socket(fileno=int(sys.argv[1]))
    host, port = listener.getsockname()
    os.environ["GATEWAY_LISTEN"] = f"{host}:{port}"
    fill_in_for_python_3_12()
    listen_only_on(listener)
    know_only(("cloudwatch", "sns", "sqs", "sqs-query"))

    from localstack.runtime.main import main as run

    run()


if __name__ == "__main__":
    main()
