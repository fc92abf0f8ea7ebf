"""Measure uploads: photos through the whole path, and the API's own store against a local volume of the same server.

The store is measured by the program that serves people: a container of the API's image on a backend writes and reads
objects by the classes of ``enlevohub_api.storage``, in the bucket and in a directory of the server's disk, in turn.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

from enlevohub_drill.photos import send
from enlevohub_drill.site import ROOT, Datacenter, load_datacenter

OBJECT_BYTES = 1 << 20
OBJECTS = 24
ROUNDS = 3
AT_ONCE = 4
PHOTOS = 24
SIDE = 800
VOLUME = "/var/tmp/enlevohub-bench"

# Runs inside the container; prints one line of JSON: MB/s by store and direction, one value per round.
PROGRAM = f"""
import asyncio, json, os, sys, time
from pathlib import Path
sys.path.insert(0, "/opt/enlevohub/app")
from enlevohub_api.settings import load_settings
from enlevohub_api.storage import FilesystemStorage, open_storage

async def main():
    stores = {{"bucket": open_storage(load_settings(os.environ)), "volume": FilesystemStorage(Path("/volume"))}}
    data = os.urandom({OBJECT_BYTES})
    found = {{f"{{name}} {{way}}": [] for name in stores for way in ("write", "read")}}
    mark = os.urandom(8).hex()
    for number in range({ROUNDS}):
        for name, store in stores.items():
            keys = [f"probe/bench-{{mark}}-{{number}}-{{index}}" for index in range({OBJECTS})]
            async def read(key):
                async for part in (await store.read(key)).body:
                    pass
            for way, work in (("write", lambda key: store.put(key, data)), ("read", read)):
                limit = asyncio.Semaphore({AT_ONCE})
                async def one(key):
                    async with limit:
                        await work(key)
                begin = time.perf_counter()
                await asyncio.gather(*(one(key) for key in keys))
                found[f"{{name}} {{way}}"].append(len(keys) * len(data) / 1e6 / (time.perf_counter() - begin))
            for key in keys:
                await store.delete(key)
    print(json.dumps(found))

asyncio.run(main())
"""


@dataclass
class StorageFigure:
    """Throughput of one way.

    Attributes:
        name: what was done.
        rate: median in the unit.
        unit: MB/s or photos/s.
    """

    name: str
    rate: float
    unit: str


def photo(seed: int) -> bytes:
    """Return a PNG with noise in it, which a JPEG of it cannot make small (about a third of a MB)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    head = SIDE.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    noise = Random(seed)
    rows = b"".join(b"\0" + noise.randbytes(SIDE * 3) for _ in range(SIDE))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def store_rates(site: Datacenter) -> dict[str, float]:
    """Return the medians of MB/s of the bucket and of a volume, as a container of the API has them.

    Raises:
        SystemExit: the container failed; its last lines are shown.
    """
    server = site.groups["backend_servers"][0]
    state = ROOT / ".lab" / site.inventory.name
    login = ["ssh", "-i", f"{state}/id_ed25519", "-o", f"UserKnownHostsFile={state}/known_hosts"]
    container = "sudo docker compose --progress quiet run --rm -T --no-deps"
    command = (
        f"sudo install -d -o 10001 -g 10001 {VOLUME} && cd /opt/enlevohub/backend && {container} "
        f"--volume {VOLUME}:/volume --entrypoint /opt/enlevohub/venv/bin/python migrate - ; sudo rm -r {VOLUME}"
    )
    done = subprocess.run(
        [*login, f"operator@{site.address(server)}", command],
        input=PROGRAM, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise SystemExit(f"the measurement on {server} failed: {(done.stdout + done.stderr)[-2000:]}")
    return {name: statistics.median(values) for name, values in json.loads(lines[-1]).items()}


def photo_rates(site: Datacenter) -> tuple[float, float]:
    """Return uploads and downloads of photos through the load balancer, in photos per second."""
    token = site.register()["tokens"]["accessToken"]
    project = site.create_project(token).body["id"]
    pictures = [photo(number) for number in range(PHOTOS)]

    def put(content: bytes) -> str:
        answer = send(site, token, project, content)
        if answer.status != 200:
            raise SystemExit(f"an upload answered {answer.status}: {answer.text[:500]}")
        return str(answer.body["urls"][0])

    def get(url: str) -> None:
        if site.get(url).status != 200:
            raise SystemExit(f"{url} is not served")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        begin = time.perf_counter()
        urls = list(pool.map(put, pictures))
        middle = time.perf_counter()
        list(pool.map(get, urls))
        end = time.perf_counter()
    return PHOTOS / (middle - begin), PHOTOS / (end - middle)


def storage_figures(inventory: Path) -> tuple[list[StorageFigure], dict[str, float]]:
    """Return the figures, and the ratios of the bucket to the volume (1.0: as fast)."""
    site = load_datacenter(inventory)
    upload, download = photo_rates(site)
    rates = store_rates(site)
    figures = [
        StorageFigure("photo upload", round(upload, 2), "photos/s"),
        StorageFigure("photo download", round(download, 2), "photos/s"),
        *(StorageFigure(name, round(rate, 1), "MB/s") for name, rate in rates.items()),
    ]
    ratios = {
        f"bucket / volume {way}": round(rates[f"bucket {way}"] / rates[f"volume {way}"], 2) for way in ("write", "read")
    }
    return figures, ratios
