"""Holds the signature of a request against OCI's rules and against the official SDK's own.

The SDK is the referee: a request that is accepted is signed once more by its code, with the same
key, date, host, path and body, and the two Authorization headers have to be the same text.
"""

import base64
import email.utils
import hashlib
import re
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from oci.signer import AbstractBaseSigner

from server import Refusal

SKEW_SECONDS = 300
GENERIC = ["date", "(request-target)", "host"]
OF_A_BODY = ["content-length", "content-type", "x-content-sha256"]
WITH_A_BODY = ("POST", "PUT", "PATCH")


class SdkSigner(AbstractBaseSigner):
    """The SDK's signer for a key that is at hand already."""

    def __init__(self, key_id, key):
        self.create_signers(key_id, key, GENERIC, OF_A_BODY)


class Unsigned:
    """A request as the SDK sees it just before it signs."""

    def __init__(self, request):
        names = ["date", "host", "content-type"]
        if request.method in WITH_A_BODY:
            names.append("content-length")
        self.method, self.path_url, self.body = request.method, request.target, request.body
        self.headers = {name: request.headers[name] for name in names if name in request.headers}
        self.url = f"http://{request.headers['host']}{request.target}"


class Referee:
    def __init__(self, credentials):
        self.credentials = credentials

    def check(self, request):
        """Whether the SDK would have signed the same; a refusal where the signature is bad."""
        try:
            key_id, key = self.verified(request)
        except Bad as bad:
            self.credentials.refused()
            raise Refusal(401, "NotAuthenticated", str(bad)) from None
        again = SdkSigner(key_id, key)(Unsigned(request))
        return again.headers["authorization"] == request.headers["authorization"]

    def verified(self, request):
        fields = authorization(request)
        names = fields["headers"].split(" ")
        expect_all_signed(request, names)
        expect_recent(request)
        if request.method in WITH_A_BODY:
            expect_body(request)
        key = self.credentials.key_of(fields["keyId"])
        if key is None:
            raise Bad("the keyId is unknown, or no longer good")
        try:
            key.public_key().verify(
                base64.b64decode(fields["signature"], validate=True),
                signing_string(request, names).encode(),
                padding.PKCS1v15(),
                hashes.SHA256(),
            )
        except (InvalidSignature, ValueError):
            raise Bad("the signature does not fit the request") from None
        return fields["keyId"], key


class Bad(Exception):
    """What is wrong with a signature."""


def authorization(request):
    header = request.headers.get("authorization")
    if header is None:
        raise Bad("there is no Authorization header")
    scheme, _, rest = header.partition(" ")
    fields = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    if scheme != "Signature" or not {"headers", "keyId", "signature", "algorithm"} <= set(fields):
        raise Bad("the Authorization header is no signature")
    if fields["algorithm"] != "rsa-sha256" or fields.get("version", "1") != "1":
        raise Bad("expected algorithm rsa-sha256 and version 1")
    return fields


def expect_all_signed(request, names):
    needed = {"(request-target)", "host"}
    if request.method in WITH_A_BODY:
        needed |= set(OF_A_BODY)
    if "x-date" not in names:
        needed.add("date")
    missing = sorted(needed - set(names))
    if missing:
        raise Bad(f"not signed: {', '.join(missing)}")
    absent = [name for name in names if name != "(request-target)" and name not in request.headers]
    if absent:
        raise Bad(f"signed but not sent: {', '.join(absent)}")


def expect_recent(request):
    text = request.headers.get("x-date") or request.headers.get("date")
    try:
        sent = email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        raise Bad("the date cannot be read") from None
    if abs(time.time() - sent) > SKEW_SECONDS:
        raise Bad("the date is more than five minutes off")


def expect_body(request):
    digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
    if request.headers["x-content-sha256"] != digest:
        raise Bad("x-content-sha256 does not fit the body")


def signing_string(request, names):
    def line(name):
        if name == "(request-target)":
            return f"{name}: {request.method.lower()} {request.target}"
        return f"{name}: {request.headers[name]}"

    return "\n".join(line(name) for name in names)
