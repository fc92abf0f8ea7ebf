"""image_store: each layer is kept once, and only the layers that a host lacks travel."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from ansible_collections.enlevohub.datacenter.plugins.module_utils import image_store


def digest_of(content: bytes) -> str:
    """Return the digest of a content as Docker writes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


CONTENTS = [b"a" * 3_000_000, b"b" * 1000, b"c" * 1000]
LAYERS = [digest_of(content) for content in CONTENTS]
A, B, C = (f"{digest.removeprefix('sha256:')}.tar.gz" for digest in LAYERS)


def saved(contents: list[bytes], label: str = "", form: str = "docker") -> tuple[str, io.BytesIO]:
    """Return the id of an image and what docker save writes of it, in the old form or in that of newer engines."""
    digests = [digest_of(content) for content in contents]
    config = json.dumps({"label": label, "rootfs": {"type": "layers", "diff_ids": digests}}).encode()
    identifier = digest_of(config)
    stored = [gzip.compress(content) if form == "packed" else content for content in contents]
    if form == "docker":
        names = [f"{number:064x}/layer.tar" for number in range(len(contents))]
        place = f"{identifier.removeprefix('sha256:')}.json"
    else:
        names = [f"blobs/sha256/{hashlib.sha256(content).hexdigest()}" for content in stored]
        place = f"blobs/sha256/{identifier.removeprefix('sha256:')}"
    files = dict(zip(names, stored))
    files[place] = config
    files["manifest.json"] = json.dumps([{"Config": place, "RepoTags": None, "Layers": names}]).encode()
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    target.seek(0)
    return identifier, target


def kept(directory: Path, contents: list[bytes] = CONTENTS, label: str = "", form: str = "docker") -> str:
    """Keep an image; returns the path of its description."""
    identifier, stream = saved(contents, label, form)
    return image_store.keep(str(directory), f"enlevohub/api:{label or 'one'}", identifier, stream)


def members(path: str) -> dict[str, bytes]:
    """Return the files of an archive."""
    with tarfile.open(path) as source:
        return {name: handle.read() for name in source.getnames() if (handle := source.extractfile(name))}


def manifest(path: str) -> dict[str, object]:
    """Return what an archive says of its image."""
    (found,) = json.loads(members(path)["manifest.json"])
    assert isinstance(found, dict)
    return found


def layer_files(directory: Path) -> list[str]:
    """Return the names of the kept layers."""
    return sorted(path.name for path in (directory / "layers").iterdir())


@pytest.mark.parametrize(
    ("existing", "count"),
    [
        ([], 0),
        ([["sha256:a"]], 1),
        ([["sha256:a", "sha256:b", "sha256:x"], ["sha256:a"]], 2),
        ([["sha256:b", "sha256:c"]], 0),
        ([["sha256:a", "sha256:b", "sha256:c"]], 3),
        ([["sha256:a", "sha256:b", "sha256:c", "sha256:d"]], 3),
    ],
)
def test_layer_counts_only_with_all_below_it(existing: list[list[str]], count: int) -> None:
    assert image_store.layers_present(["sha256:a", "sha256:b", "sha256:c"], existing) == count


@pytest.mark.parametrize("form", ["docker", "oci", "packed"])
def test_every_layer_travels_to_a_host_without_images_whatever_the_form_of_the_engine(
    tmp_path: Path, form: str
) -> None:
    found = members(image_store.archive(kept(tmp_path, form=form), []))
    assert [gzip.decompress(found[name]) for name in (A, B, C)] == CONTENTS


def test_archive_has_the_configuration_whose_digest_is_the_id(tmp_path: Path) -> None:
    identifier, stream = saved(CONTENTS)
    path = image_store.archive(image_store.keep(str(tmp_path), "enlevohub/api:one", identifier, stream), [])
    assert digest_of(members(path)[str(manifest(path)["Config"])]) == identifier


def test_archive_names_the_image_and_all_its_layers(tmp_path: Path) -> None:
    found = manifest(image_store.archive(kept(tmp_path), [LAYERS[:2]]))
    assert (found["RepoTags"], found["Layers"]) == (["enlevohub/api:one"], [A, B, C])


def test_known_layers_stay_at_home(tmp_path: Path) -> None:
    assert {A, B, C} & set(members(image_store.archive(kept(tmp_path), [LAYERS[:2]]))) == {C}


def test_last_layer_travels_in_any_case(tmp_path: Path) -> None:
    assert {A, B, C} & set(members(image_store.archive(kept(tmp_path), [LAYERS]))) == {C}


def test_same_lack_on_another_host_uses_the_same_archive(tmp_path: Path) -> None:
    description = kept(tmp_path)
    first = image_store.archive(description, [LAYERS[:1]])
    before = Path(first).stat().st_mtime_ns
    assert image_store.archive(description, [[LAYERS[0], "sha256:x"]]) == first
    assert Path(first).stat().st_mtime_ns == before


def test_layer_that_the_image_has_twice_travels_when_one_is_missing(tmp_path: Path) -> None:
    description = kept(tmp_path, [CONTENTS[0], CONTENTS[1], CONTENTS[0]])
    assert {A, B} & set(members(image_store.archive(description, [LAYERS[:2]]))) == {A}


def test_layers_that_an_image_before_had_are_not_packed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "layers").iterdir()}
    monkeypatch.setattr(image_store, "COMPRESSION", 9)
    kept(tmp_path, [*CONTENTS[:2], b"d" * 1000], "two")
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "layers").iterdir()}
    assert before.items() <= after.items()
    assert len(after) == len(before) + 1


def test_only_the_newest_images_are_kept_with_their_layers_and_archives(tmp_path: Path) -> None:
    images = [(str(number), [CONTENTS[0], str(number).encode()]) for number in range(image_store.KEPT_IMAGES + 1)]
    (label, contents), *newer = images
    image_store.archive(kept(tmp_path, contents, label), [])
    wanted = [Path(kept(tmp_path, contents, label)).name for label, contents in newer]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == sorted(wanted)
    assert len(layer_files(tmp_path)) == image_store.KEPT_IMAGES + 1


def test_images_of_another_name_are_not_forgotten(tmp_path: Path) -> None:
    identifier, stream = saved([b"other"])
    other = image_store.keep(str(tmp_path), "enlevohub/frontend:one", identifier, stream)
    for number in range(image_store.KEPT_IMAGES + 2):
        kept(tmp_path, [str(number).encode()], str(number))
    assert members(image_store.archive(other, []))


def test_nothing_but_images_is_left_in_the_directory(tmp_path: Path) -> None:
    description = kept(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([Path(description).name, "layers"])


def test_what_a_killed_process_left_behind_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "incoming-x"
    left.mkdir()
    (left / "0").write_bytes(b"half of a layer")
    kept(tmp_path)
    assert not left.exists()


def test_archive_of_another_image_is_refused(tmp_path: Path) -> None:
    _, stream = saved(CONTENTS)
    with pytest.raises(image_store.BrokenImageError, match="another image than sha256:beef"):
        image_store.keep(str(tmp_path), "enlevohub/api:one", "sha256:beef", stream)


def test_archive_that_lacks_a_layer_is_refused_with_its_digest(tmp_path: Path) -> None:
    identifier, stream = saved(CONTENTS)
    shortened = io.BytesIO()
    with tarfile.open(fileobj=stream) as source, tarfile.open(fileobj=shortened, mode="w") as target:
        for member in source:
            if not member.name.startswith(f"{1:064x}"):
                target.addfile(member, source.extractfile(member))
    shortened.seek(0)
    with pytest.raises(image_store.BrokenImageError, match=f"did not write the layers {LAYERS[1]}"):
        image_store.keep(str(tmp_path), "enlevohub/api:one", identifier, shortened)


def test_archive_without_a_description_is_refused(tmp_path: Path) -> None:
    empty = io.BytesIO()
    with tarfile.open(fileobj=empty, mode="w"):
        pass
    empty.seek(0)
    with pytest.raises(image_store.BrokenImageError, match="no description of an image"):
        image_store.keep(str(tmp_path), "enlevohub/api:one", "sha256:beef", empty)
