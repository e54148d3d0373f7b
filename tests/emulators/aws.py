"""Starts the AWS that integration tests talk to, prints where it is, and stops with its starter.

Prints one line of JSON with the URLs of the emulated services and of the control server, then
runs until standard input ends or a signal stops it.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True

import proxy  # noqa: E402
from proxy import Answer, Request  # noqa: E402
from role import Gate  # noqa: E402
from stopping import stop_event  # noqa: E402

HERE = Path(__file__).parent
# LocalStack answers for this account whatever the credentials; moto is made to do so too.
ACCOUNT = "000000000000"
START_SECONDS = 90
VALIDATED = ("sagemaker", "application-autoscaling")


def moto_backend(update_seconds):
    """moto with our operations, called in this process, and the routes that steer them."""
    os.environ["MOTO_ACCOUNT_ID"] = ACCOUNT
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.test import EnvironBuilder, run_wsgi_app

    import sagemaker
    import steering
    from validation import refusal

    sagemaker.install(update_seconds)
    application = DomainDispatcherApplication(create_backend_app)

    def backend(request):
        message = None
        if request.service in VALIDATED:
            message = refusal(request.service, request.operation, request.decoded)
        if message:
            error = {"__type": "ValidationException", "message": message}
            return proxy.error_answer(request, 400, error)
        builder = EnvironBuilder(
            request.path,
            method=request.method,
            headers=list(request.headers.items()),
            data=request.body,
        )
        chunks, status, headers = run_wsgi_app(application, builder.get_environ(), buffered=True)
        return Answer(int(status.split()[0]), list(headers), b"".join(chunks))

    return backend, steering.ROUTES


def start_localstack(listener, public_port, root):
    """LocalStack in a process group of its own, which ends when our end of its stdin closes."""
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": root,
        "FILESYSTEM_ROOT": root,
        # In a container it would otherwise use directories that two instances share.
        "OVERRIDE_IN_DOCKER": "0",
        "LOCALSTACK_HOST": f"127.0.0.1:{public_port}",
        "SQS_ENDPOINT_STRATEGY": "path",
        # No request may leave the machine.
        "DNS_ADDRESS": "0",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
        "LS_LOG": "warning",
    }
    return subprocess.Popen(
        [sys.executable, HERE / "localstack_host.py", str(listener.fileno())],
        stdin=subprocess.PIPE,
        stdout=sys.stderr,
        env=environment,
        cwd=root,
        pass_fds=[listener.fileno()],
        start_new_session=True,
    )


def signed(service):
    return f"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request"


def query_probe(service, action, version):
    headers = {
        "Authorization": signed(service),
        "Content-Type": "application/x-www-form-urlencoded",
        "Host": "127.0.0.1",
    }
    return Request("POST", "/", headers, f"Action={action}&Version={version}".encode())


def json_probe(service, target, body):
    headers = {
        "Authorization": signed(service),
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": target,
        "Host": "127.0.0.1",
    }
    return Request("POST", "/", headers, body)


LOCALSTACK_PROBES = (
    query_probe("monitoring", "DescribeAlarms", "2010-08-01"),
    query_probe("sns", "ListTopics", "2010-03-31"),
    query_probe("sqs", "ListQueues", "2012-11-05"),
)
MOTO_PROBES = (
    json_probe("sagemaker", "SageMaker.ListEndpoints", b"{}"),
    json_probe(
        "application-autoscaling",
        "AnyScaleFrontendService.DescribeScalableTargets",
        b'{"ServiceNamespace":"sagemaker"}',
    ),
)


def wait_for(backend, probes, alive, deadline):
    """Asks until every probe is answered; the first question also makes the service load."""
    for probe in probes:
        while alive() and not answers(backend, probe):
            if time.monotonic() > deadline:
                sys.exit(f"{probe.operation} was not answered in {START_SECONDS} s")
            time.sleep(0.1)
    if not alive():
        sys.exit("an emulator ended, or was stopped, before it was ready")


def answers(backend, probe):
    try:
        return backend(probe).status == 200
    except OSError:
        return False


def stop_localstack(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(update_seconds, stop, report):
    deadline = time.monotonic() + START_SECONDS
    desk, gate = proxy.Desk(), Gate(ACCOUNT)
    with contextlib.ExitStack() as cleanup:
        root = tempfile.mkdtemp(prefix="aws-emulators-")
        cleanup.callback(shutil.rmtree, root, ignore_errors=True)
        # Bound here and inherited, so that no other program can take the port in between.
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        cloudwatch = proxy.forward_to(*listener.getsockname())
        cloudwatch_proxy = proxy.proxy(desk, cloudwatch, gate)
        localstack = start_localstack(listener, cloudwatch_proxy.server_port, root)
        cleanup.callback(stop_localstack, localstack)
        listener.close()

        moto, steering = moto_backend(update_seconds)
        roles = {("POST", "/grant"): gate.grant, ("GET", "/refused"): lambda: gate.refused}

        def alive():
            return localstack.poll() is None and not stop.is_set()

        wait_for(moto, MOTO_PROBES, alive, deadline)
        wait_for(cloudwatch, LOCALSTACK_PROBES, alive, deadline)
        report(
            {
                "sagemaker": proxy.serve(proxy.proxy(desk, moto, gate)),
                "cloudwatch": proxy.serve(cloudwatch_proxy),
                "control": proxy.serve(proxy.control(desk, {**steering, **roles})),
            }
        )
        stop.wait()


def private_stdout():
    """The real standard output; whatever else prints goes to standard error from now on."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--update-seconds",
        type=float,
        default=2.0,
        help="how long an endpoint update takes (default: %(default)s)",
    )
    arguments = parser.parse_args()
    out = private_stdout()

    def report(urls):
        print(json.dumps(urls), file=out, flush=True)

    run(arguments.update_seconds, stop_event(), report)


if __name__ == "__main__":
    main()
