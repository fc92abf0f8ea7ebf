"""Archives of images: only the layers that a host lacks travel."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils import image_delta

LAYERS = ["sha256:a", "sha256:b", "sha256:c"]


def write_archive(path: Path, layers: list[str] = LAYERS) -> str:
    """Write what docker save writes, with a layer of 1000 bytes each."""
    names = [f"{layer.removeprefix('sha256:')}/layer.tar" for layer in layers]
    content = {name: name[0].encode() * 1000 for name in names}
    content["config.json"] = json.dumps({"rootfs": {"diff_ids": layers}}).encode()
    content["manifest.json"] = json.dumps([{"Config": "config.json", "Layers": names}]).encode()
    with tarfile.open(path, "w:gz") as target:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            target.addfile(member, io.BytesIO(data))
    return str(path)


def members(path: str) -> set[str]:
    """Return the names in an archive."""
    with tarfile.open(path) as source:
        return set(source.getnames())


@pytest.mark.parametrize(
    ("existing", "count"),
    [
        ([], 0),
        ([["sha256:a"]], 1),
        ([["sha256:a", "sha256:b", "sha256:x"], ["sha256:a"]], 2),
        ([["sha256:b", "sha256:c"]], 0),
        ([LAYERS], 3),
        ([[*LAYERS, "sha256:d"]], 3),
    ],
)
def test_layer_counts_only_with_all_below_it(existing: list[list[str]], count: int) -> None:
    assert image_delta.layers_present(LAYERS, existing) == count


def test_layers_of_an_archive_are_read_from_its_configuration(tmp_path: Path) -> None:
    assert image_delta.image_layers(write_archive(tmp_path / "api.tar.gz")) == LAYERS


def test_layers_are_read_once_and_again_when_the_archive_is_a_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_archive(tmp_path / "api.tar.gz")
    image_delta.image_layers(archive)
    with monkeypatch.context() as patched:
        patched.setattr(image_delta.tarfile, "open", lambda *_: pytest.fail("the archive was read once more"))
        assert image_delta.image_layers(archive) == LAYERS
    kept = (tmp_path / "api.tar.gz.layers").stat().st_mtime_ns
    os.utime(write_archive(tmp_path / "api.tar.gz", LAYERS[:2]), ns=(kept + 1, kept + 1))
    assert image_delta.image_layers(archive) == LAYERS[:2]


def test_whole_archive_travels_to_a_host_without_images(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "api.tar.gz")
    assert image_delta.delta(archive, []) == archive


def test_known_layers_stay_at_home(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "api.tar.gz")
    delta = image_delta.delta(archive, [["sha256:a", "sha256:b"]])
    assert members(archive) - members(delta) == {"a/layer.tar", "b/layer.tar"}


def test_last_layer_travels_in_any_case(tmp_path: Path) -> None:
    delta = image_delta.delta(write_archive(tmp_path / "api.tar.gz"), [LAYERS])
    assert "c/layer.tar" in members(delta)


def test_same_lack_on_another_host_uses_the_same_archive(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "api.tar.gz")
    first = image_delta.delta(archive, [["sha256:a"]])
    before = Path(first).stat().st_mtime_ns
    assert image_delta.delta(archive, [["sha256:a", "sha256:x"]]) == first
    assert Path(first).stat().st_mtime_ns == before


def test_layer_that_the_image_has_twice_travels_when_one_is_missing(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "api.tar.gz", ["sha256:a", "sha256:b", "sha256:a"])
    assert members(image_delta.delta(archive, [["sha256:a", "sha256:b"]])) >= {"a/layer.tar"}
