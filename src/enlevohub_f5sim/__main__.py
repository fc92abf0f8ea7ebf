"""Run a simulated BIG-IP: python -m enlevohub_f5sim --certificate FILE --key FILE, password in F5SIM_PASSWORD."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from pathlib import Path

from enlevohub_f5sim.journal import Journal
from enlevohub_f5sim.objects import BigIp
from enlevohub_f5sim.plane import DataPlane
from enlevohub_f5sim.server import Simulator


def main() -> None:
    """Serve until somebody ends it."""
    parser = argparse.ArgumentParser(prog="enlevohub_f5sim", description=__doc__)
    parser.add_argument("--certificate", type=Path, required=True, help="PEM certificate of management and users")
    parser.add_argument("--key", type=Path, required=True, help="its key")
    parser.add_argument("--management", default="0.0.0.0:8443", help="address and port of the REST API")
    parser.add_argument("--bind", default="0.0.0.0", help="address of the virtual servers; their ports are 80 and 443")
    parser.add_argument("--user", default="enlevohub")
    parser.add_argument("--client-ssl-profile", default="clientssl", help="profile that stands for the certificate")
    parser.add_argument("--log", type=Path, help="file for one JSON line per request, of the REST API and of users")
    parser.add_argument("--configuration", type=Path, help="file for the saved configuration, read at the start")
    given = parser.parse_args()
    password = os.environ.pop("F5SIM_PASSWORD", "")
    if not password:
        parser.error("F5SIM_PASSWORD is not set")
    host, _, port = given.management.rpartition(":")
    journal = Journal(given.log)
    device = BigIp(file=given.configuration)
    device.create("ltm/profile/client-ssl", f"/Common/{given.client_ssl_profile}", {})
    simulator = Simulator({given.user: password}, device, host=host, port=int(port), journal=journal)
    listen = {number: (given.bind, number) for number in (80, 443)}
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    plane = DataPlane(device, given.certificate, given.key, listen, journal=journal)
    with simulator.serve(given.certificate, given.key), plane.serve():
        end.wait()


if __name__ == "__main__":
    main()
