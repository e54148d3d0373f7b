"""The keys that callers may sign with: a resource principal's, which rotates, and a user's."""

import base64
import hashlib
import json
import os
import secrets
import threading
import time
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

TENANCY = "ocid1.tenancy.oc1..emulator"
COMPARTMENT = "ocid1.compartment.oc1..emulator"
USER = "ocid1.user.oc1..emulator"
FUNCTION = "ocid1.fnfunc.oc1.iad.emulator"
REGION = "us-ashburn-1"
TOKEN_SECONDS = 3600


def new_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def fingerprint(key):
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashlib.md5(public, usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def segment(data):
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def number(value):
    return segment(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def token(key, seconds):
    """A JWT with the claims of a resource principal's session token, good for that long."""
    public, now = key.public_key().public_numbers(), int(time.time())
    claims = {
        "sub": FUNCTION,
        "iss": "authService.oracle.com",
        "iat": now,
        "exp": now + int(seconds),
        "jti": secrets.token_hex(16),
        "ptype": "resource",
        "ttype": "res_sp",
        "res_type": "fnfunc",
        "res_id": FUNCTION,
        "res_tenant": TENANCY,
        "res_compartment": COMPARTMENT,
        "jwk": json.dumps({"kty": "RSA", "n": number(public.n), "e": number(public.e)}),
    }
    signed = f"{segment({'alg': 'RS256', 'kid': 'emulator', 'typ': 'JWT'})}.{segment(claims)}"
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{segment(signature)}"


def replace(path, data):
    """Writes a file such that no process reads half of it."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(data)
    os.replace(fresh, path)


class Credentials:
    """Files in a directory, as a function finds them, and which keys are good now."""

    def __init__(self, directory):
        self.lock = threading.Lock()
        self.rpst, self.pem = Path(directory, "rpst"), Path(directory, "private.pem")
        self.config, self.api_key = Path(directory, "config"), Path(directory, "api_key.pem")
        self.unwritten = False
        self.user = new_key()
        self.user_key_id = f"{TENANCY}/{USER}/{fingerprint(self.user)}"
        self.write_profile()
        self.rotate()

    def write_profile(self):
        self.api_key.touch(mode=0o600)
        self.api_key.write_bytes(pem(self.user))
        self.config.write_text(
            f"[DEFAULT]\nuser={USER}\nfingerprint={fingerprint(self.user)}\n"
            f"tenancy={TENANCY}\nregion={REGION}\nkey_file={self.api_key}\n"
        )

    def rotate(self, write="now", seconds=TOKEN_SECONDS):
        """A new key and token; "on_refusal" leaves the files old until someone is refused."""
        if write not in ("now", "on_refusal"):
            raise ValueError(f"expected `now` or `on_refusal`, found `{write}`")
        key = new_key()
        with self.lock:
            self.key, self.token = key, token(key, seconds)
            self.expires = time.time() + seconds
            self.unwritten = True
            if write == "now":
                self.write_session()

    def write_session(self):
        if self.unwritten:
            replace(self.pem, pem(self.key))
            replace(self.rpst, self.token.encode())
            self.unwritten = False

    def refused(self):
        """Writes the files that a rotation left old."""
        with self.lock:
            self.write_session()

    def key_of(self, key_id):
        """The key that belongs to an id, or None."""
        with self.lock:
            keys = {f"ST${self.token}": self.key, self.user_key_id: self.user}
            if time.time() >= self.expires:
                del keys[f"ST${self.token}"]
        return keys.get(key_id)
