"""What the checks of the emulator share: a running one, and the official SDK's clients for it."""

import base64
import email.utils
import hashlib
import http.client
import json
import subprocess
import sys
import time
import unittest
import urllib.request
from pathlib import Path

import oci
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from oci.exceptions import ServiceError

COMMAND = [sys.executable, str(Path(__file__).with_name("emulator.py"))]
PATHS = {
    "datascience": "/20190101",
    "monitoring": "/20180401",
    "notifications": "/20181201",
}
DEPLOYMENT = "ocid1.datasciencemodeldeployment.oc1.iad.demo"
NAMESPACE = "oci_datascience_modeldeploy"
QUERY = f'CpuUtilization[1m]{{resourceId = "{DEPLOYMENT}"}}.groupBy(resourceId).mean() > 80'
GENERIC = ("date", "(request-target)", "host")
OF_A_BODY = ("content-length", "content-type", "x-content-sha256")
DEADLINE_SECONDS = 10


class Emulator:
    """One running emulator; its minutes end on request by default."""

    def __init__(self, update_seconds=0.3, minute_seconds=0):
        times = ["--update-seconds", str(update_seconds), "--minute-seconds", str(minute_seconds)]
        self.process = subprocess.Popen(
            [*COMMAND, *times], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.ready = json.loads(self.process.stdout.readline())

    def __getitem__(self, name):
        return self.ready[name]

    def control(self, method, path, **arguments):
        request = urllib.request.Request(
            self["control"] + path, method=method, data=json.dumps(arguments).encode()
        )
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    def config(self):
        return oci.config.from_file(self["config"])

    def principal(self):
        """The SDK's resource principal, as it finds itself inside a function."""
        return oci.auth.signers.EphemeralResourcePrincipalSigner(
            session_token=self["rpst"],
            private_key=self["pem"],
            region=self["region"],
            generic_headers=list(GENERIC),
            body_headers=list(OF_A_BODY),
        )

    def client(self, kind, service, principal=False):
        options = {
            "service_endpoint": self[service] + PATHS[service],
            "retry_strategy": oci.retry.NoneRetryStrategy(),
            "circuit_breaker_strategy": oci.circuit_breaker.NoCircuitBreakerStrategy(),
        }
        if principal:
            return kind({}, signer=self.principal(), **options)
        return kind(self.config(), **options)

    def requests(self, operation):
        found = self.control("GET", "/requests")
        return [entry for entry in found if entry["operation"] == operation]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(DEADLINE_SECONDS)


class Checks(unittest.TestCase):
    """Checks against one emulator, which begins each of them afresh."""

    @classmethod
    def setUpClass(cls):
        cls.emulator = Emulator()
        cls.addClassCleanup(cls.emulator.close)

    def setUp(self):
        self.emulator.control("POST", "/reset")

    def control(self, method, path, **arguments):
        return self.emulator.control(method, path, **arguments)

    def settings(self, **settings):
        self.control("POST", "/settings", **settings)

    def refused(self, status, code, action, *arguments, **options):
        """Expects a refusal of that kind; returns its message."""
        with self.assertRaises(ServiceError) as caught:
            action(*arguments, **options)
        found = (caught.exception.status, caught.exception.code)
        self.assertEqual(found, (status, code), caught.exception.message)
        return caught.exception.message

    def poll(self, question):
        """What the question answers as soon as that is something."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            answer = question()
            if answer:
                return answer
            time.sleep(0.01)
        return self.fail("nothing came in time")


class Raw:
    """A request that is signed by hand, so that each part of the signature can be spoiled."""

    def __init__(self, emulator, method="GET", service="datascience", path=None, body=b""):
        self.method, self.body = method, body
        self.url = emulator[service].removeprefix("http://")
        self.path = path or f"{PATHS[service]}/modelDeployments/{DEPLOYMENT}"
        self.key_id = "ST$" + Path(emulator["rpst"]).read_text()
        self.key = Path(emulator["pem"]).read_bytes()
        self.names = list(GENERIC)
        self.headers = {"date": email.utils.formatdate(usegmt=True), "host": self.url}
        if method in ("PUT", "POST"):
            digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
            self.headers |= {"content-type": "application/json", "x-content-sha256": digest}
            self.headers["content-length"] = str(len(body))
            self.names += OF_A_BODY
        self.template = (
            'Signature algorithm="rsa-sha256",headers="{names}",keyId="{key_id}",'
            'signature="{signature}",version="1"'
        )

    def sign(self):
        target = f"{self.method.lower()} {self.path}"
        values = {"(request-target)": target, **self.headers}
        text = "\n".join(f"{name}: {values[name]}" for name in self.names)
        # The keys are good; checking them would take longer than all the rest.
        key = serialization.load_pem_private_key(
            self.key, None, unsafe_skip_rsa_key_validation=True
        )
        signed = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        self.headers["authorization"] = self.template.format(
            names=" ".join(self.names),
            key_id=self.key_id,
            signature=base64.b64encode(signed).decode(),
        )
        return self

    def send(self, timeout=DEADLINE_SECONDS):
        """Status, headers and JSON body of the answer."""
        connection = http.client.HTTPConnection(self.url, timeout=timeout)
        try:
            connection.putrequest(self.method, self.path, skip_host=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(self.body)
            response = connection.getresponse()
            return response.status, response.headers, json.loads(response.read() or b"null")
        finally:
            connection.close()


def deployment(kind="SINGLE_MODEL", compartment="ocid1.compartment.oc1..emulator", **changes):
    """A deployment as the API describes it: two instances of VM.Standard2.1 in a subnet."""
    part = {
        "instanceConfiguration": {
            "instanceShapeName": "VM.Standard2.1",
            "modelDeploymentInstanceShapeConfigDetails": None,
            "subnetId": "ocid1.subnet.oc1.iad.demo",
        },
        "scalingPolicy": {"policyType": "FIXED_SIZE", "instanceCount": 2},
        "bandwidthMbps": 20,
    }
    model = {"modelId": "ocid1.datasciencemodel.oc1.iad.demo"}
    configurations = {
        "SINGLE_MODEL": {"modelConfigurationDetails": {**model, **part}},
        "MODEL_GROUP": {
            "modelGroupConfigurationDetails": {"modelGroupId": "group"},
            "infrastructureConfigurationDetails": {"infrastructureType": "INSTANCE_POOL", **part},
        },
        "SINGLE_MODEL_FLEX": {
            "modelConfigurationDetails": model,
            "infrastructureConfigurationDetails": {
                "infrastructureType": "MANAGED_COMPUTE_CLUSTER",
                "computeTargetId": "target",
                "scalingPolicy": part["scalingPolicy"],
            },
        },
    }
    environment = {"environmentConfigurationType": "DEFAULT"}
    return {
        "id": DEPLOYMENT,
        "compartmentId": compartment,
        "projectId": "ocid1.datascienceproject.oc1.iad.demo",
        "displayName": "demo",
        "createdBy": "someone",
        "lifecycleState": "ACTIVE",
        "freeformTags": {"team": "forecast"},
        "definedTags": {},
        "modelDeploymentSystemData": {
            "systemInfraType": "INSTANCE_POOL",
            "currentInstanceCount": 2,
        },
        "modelDeploymentConfigurationDetails": {
            "deploymentType": kind,
            **configurations[kind],
            "environmentConfigurationDetails": environment,
        },
        **changes,
    }
