"""A private certificate authority, its certificate for loopback, and the roots to trust."""

import ssl
import subprocess
from pathlib import Path

import botocore

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def issued(folder):
    """The server's TLS context, and a bundle with as many roots as a function reads on AWS."""
    root, server = Path(folder, "root"), Path(folder, "server")
    issue(root, "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign")
    by_root = ["-CA", f"{root}.pem", "-CAkey", f"{root}.key"]
    issue(server, "basicConstraints=CA:FALSE", "subjectAltName=IP:127.0.0.1", signed=by_root)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{server}.pem", f"{server}.key")
    public = Path(botocore.__file__).with_name("cacert.pem")
    bundle = Path(folder, "bundle.pem")
    bundle.write_text(public.read_text() + Path(f"{root}.pem").read_text())
    return context, bundle


def issue(name, *extensions, signed=()):
    files = ["-keyout", f"{name}.key", "-out", f"{name}.pem"]
    added = [word for extension in extensions for word in ("-addext", extension)]
    subject = ["-subj", f"/CN=stepladder bench {name.name}", "-days", "2"]
    command = ["openssl", "req", "-x509", *KEY, *files, *subject, *added, *signed]
    subprocess.run(command, check=True, capture_output=True)
