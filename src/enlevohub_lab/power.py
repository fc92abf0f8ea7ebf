"""Tells the servers of a lab whether one of them is off, as the management controller of a real server does.

A container cannot ask Docker; it asks this program on the control machine, over mutual TLS with the lab's authority.
"""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import json
import ssl
import tempfile
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from enlevohub_lab.containers import container_name
from enlevohub_lab.inventory import Environment
from enlevohub_lab.process import run
from enlevohub_secrets.authority import CERTIFICATE, KEY

PORT = 8449
DAY = datetime.timedelta(days=1)


def server_certificate(authority: str, authority_key: str, address: str) -> str:
    """Return a new key and its certificate for an address, both as PEM text, valid for a month."""
    issuer = x509.load_pem_x509_certificates(authority.encode())[0]
    signer = serialization.load_pem_private_key(authority_key.encode(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "power")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 30 * DAY)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode() + certificate.public_bytes(serialization.Encoding.PEM).decode()


def tls(vault: Path, address: str) -> ssl.SSLContext:
    """The TLS of the server: its own certificate, and clients that have one of the lab's authority."""
    secrets = yaml.safe_load(vault.read_text(encoding="utf-8"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=secrets[CERTIFICATE])
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as handle:  # readable for its owner only
        handle.write(server_certificate(secrets[CERTIFICATE], secrets[KEY], address))
        handle.flush()
        context.load_cert_chain(handle.name)
    return context


def state(environment: str, host: str) -> str:
    """Return running, off or unknown."""
    name = container_name(environment, host)
    done = run(["docker", "inspect", "--format", "{{.State.Running}}", name], timeout=10, check=False)
    if done.returncode != 0:
        return "unknown"
    return "running" if done.stdout.strip() == "true" else "off"


def server(environment: Environment, vault: Path) -> http.server.ThreadingHTTPServer:
    """Listen on the control machine's address in the lab's network; GET /off/HOST: 200 when it is off, else 409."""
    address = str(environment.network[1])
    context = tls(vault, address)

    class Handler(http.server.BaseHTTPRequestHandler):
        def setup(self) -> None:
            self.request.settimeout(5)
            self.request = context.wrap_socket(self.request, server_side=True)
            super().setup()

        def do_GET(self) -> None:
            host = self.path.removeprefix("/off/")
            found = state(environment.name, host) if host in environment.hosts else "unknown"
            body = json.dumps({"host": host, "state": found}).encode()
            self.send_response(200 if found == "off" else 409)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            return

    return http.server.ThreadingHTTPServer((address, PORT), Handler)


def serve(environment: Environment, vault: Path) -> None:
    """Serve until interrupted."""
    with server(environment, vault) as listening:
        print(f"listening on port {PORT}", flush=True)
        listening.serve_forever()
