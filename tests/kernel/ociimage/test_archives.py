"""Archives: of all forms, compressed or not, by other tools and for them, and ones that are none."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ociimage.archives.load import load
from ociimage.archives.save import save, save_directory
from ociimage.errors import DigestMismatch, ImageError, InvalidImage, InvalidOption
from ociimage.portable import make_portable
from ociimage.store import Store

from .maker import OCI, Image, digest, directory, entry, layer, symlink

LAYERS = [
    layer(directory("d"), entry("d/a", data=b"a" * 5000, mode=0o4755, uid=3)),
    layer(entry("b", data=b"b")),
]


def read(store: Store, place: Path, data: bytes) -> Any:
    """The images of an archive with this content."""
    (place / "archive").write_bytes(data)
    return load(store, str(place / "archive"))


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive", "oci-dir"])
def test_what_is_saved_is_loaded(store: Store, place: Path, form: str) -> None:
    """With the same ids, names and layers, and the same bytes each time; names that are not asked for stay out."""
    [one] = read(store, place, Image(LAYERS).archive())
    [two] = read(store, place, Image(LAYERS[:1], Env=["A=b"]).docker_archive("two:2"))
    store.tag("made", "me/more:1")
    chosen = [
        (store.resolve("made"), ["docker.io/library/made:latest", "docker.io/me/more:1"]),
        (two, two.tags),
    ]
    path = place / "saved"
    if form == "oci-dir":
        save_directory(chosen, str(path))
        with pytest.raises(InvalidOption, match="not empty"):
            save_directory(chosen, str(path))
    else:
        saved = []
        for _ in range(2):
            out = io.BytesIO()
            save(chosen, out.write, form)
            saved.append(out.getvalue())
        assert saved[0] == saved[1]
        path.write_bytes(saved[0])
    other = Store(str(place / "other"))
    load(other, str(path))
    found = {image.id: sorted(image.names) for image in other.images()}
    assert found == {one.id: sorted(chosen[0][1]), two.id: two.tags}
    again = {image.id for image in load(other, str(path))}
    assert again == {one.id, two.id} and len(other.images()) == 2


@pytest.mark.parametrize("compress", [None, "gzip", "zstd", "xz"])
def test_archives_come_compressed_and_in_streams(store: Store, place: Path, compress: str | None) -> None:
    """From a file, and through a pipe."""
    image = Image(LAYERS)
    data = image.docker_archive()
    if compress:
        data = subprocess.run([compress, "--stdout"], input=data, capture_output=True, check=True).stdout
    [loaded] = read(store, place, data)
    assert loaded.id == digest(image.config)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        with open(writer, "wb") as file:
            file.write(data)
        os._exit(0)
    os.close(writer)
    other = Store(str(place / "other"))
    [piped] = load(other, open(reader, "rb", buffering=0))  # noqa: SIM115  # load closes it
    os.waitpid(pid, 0)
    assert piped.id == loaded.id


def test_layers_may_be_compressed_linked_and_repeated(store: Store, place: Path) -> None:
    """As old versions of docker, and other tools, write them."""
    plain, other = LAYERS
    image = Image([plain, other, plain])
    manifest = [
        {"Config": "c.json", "RepoTags": None, "Layers": ["1/layer.tar", "2/layer.tar", "./3/layer.tar"]}
    ]
    data = layer(
        entry("1/layer.tar", data=gzip.compress(plain)),
        symlink("3/layer.tar", "../1/layer.tar"),
        entry("2/layer.tar", data=other),
        entry("c.json", data=image.config),
        entry("manifest.json", data=json.dumps(manifest).encode()),
    )
    [loaded] = read(store, place, data)
    assert loaded.names == [] and len(loaded.manifest.layers) == 3
    assert loaded.manifest.layers[0].media_type.endswith("gzip")


def test_an_index_in_a_layout_gives_this_machines_image(store: Store, place: Path) -> None:
    """Of those that are there: docker saves an index of many with one of them."""
    from ociimage.importing import host_platform

    image = Image(LAYERS)
    missing = {
        "mediaType": f"{OCI}.manifest.v1+json",
        "digest": digest(b"x"),
        "size": 1,
        "platform": {"os": "linux"},
    }
    own = {
        "mediaType": f"{OCI}.manifest.v1+json",
        "digest": digest(image.manifest),
        "size": len(image.manifest),
        "platform": host_platform(),
    }
    inner = json.dumps({"schemaVersion": 2, "manifests": [missing, own]}).encode()
    files = image.layout()
    files[f"blobs/sha256/{digest(inner)[7:]}"] = inner
    outer = {
        "mediaType": f"{OCI}.index.v1+json",
        "digest": digest(inner),
        "size": len(inner),
        "annotations": {"io.containerd.image.name": "docker.io/a/b:c"},
    }
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [outer]}).encode()
    [loaded] = read(store, place, layer(*(entry(name, data=data) for name, data in files.items())))
    assert loaded.names == ["docker.io/a/b:c"]


def changed(change: Callable[[dict[str, bytes]], None]) -> bytes:
    """An archive whose files were changed."""
    files = Image(LAYERS).layout()
    change(files)
    return layer(*(entry(name, data=data) for name, data in files.items()))


def blob_of(data: bytes) -> str:
    """Its name in a layout."""
    return f"blobs/sha256/{digest(data)[7:]}"


def without(data: bytes) -> Callable[[dict[str, bytes]], None]:
    """The blob is missing."""
    return lambda files: files.__delitem__(blob_of(data))


def instead(data: bytes, other: bytes) -> Callable[[dict[str, bytes]], None]:
    """The blob holds something else."""
    return lambda files: files.update({blob_of(data): other})


BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "no archive": b"hello" * 1000,
    "a tar of something else": layer(entry("etc/passwd", data=b"x")),
    "a layer is missing": changed(without(LAYERS[0])),
    "the manifest is missing": changed(without(Image(LAYERS).manifest)),
    "the config is missing": changed(without(Image(LAYERS).config)),
    "a layer is another": changed(instead(LAYERS[0], LAYERS[1])),
    "a layer has one bit more": changed(instead(LAYERS[0], LAYERS[0] + b"\0")),
    "the manifest is another": changed(instead(Image(LAYERS).manifest, b"{}")),
    "the config is another": changed(instead(Image(LAYERS).config, Image(LAYERS, A="b").config)),
    "index.json is no index": changed(lambda files: files.update({"index.json": b"[]"})),
    "index.json is empty": changed(
        lambda files: files.update({"index.json": b'{"schemaVersion":2,"manifests":[]}'})
    ),
    "cut short": Image(LAYERS).archive()[:3000],
    "a hostile layer": Image([layer(entry("../x", data=b"x"))]).archive(),
    "a layer that is no tar": Image([b"hello" * 1000]).archive(),
    "docker: a layer is missing": Image(LAYERS).docker_archive().replace(b"/layer.tar", b"/player.ta", 1),
    "docker: manifest.json is no list": layer(entry("manifest.json", data=b"{}")),
    "docker: no names of files": layer(entry("manifest.json", data=b'[{"Config": 1, "Layers": [2]}]')),
    "docker: the config is far away": layer(
        entry("manifest.json", data=b'[{"Config": "../../../../etc/passwd", "Layers": []}]')
    ),
    "docker: other diff ids": Image(
        LAYERS, wrong={"rootfs": {"type": "layers", "diff_ids": [digest(b"x"), digest(b"y")]}}
    ).docker_archive(),
}


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_broken_archives_are_refused(store: Store, place: Path, case: str) -> None:
    """With one line, and nothing of them is an image."""
    with pytest.raises(ImageError) as caught:
        read(store, place, BROKEN[case])
    assert "\n" not in str(caught.value)
    assert store.images() == []


def test_a_layout_does_not_lead_out_of_its_directory(store: Store, place: Path) -> None:
    """A blob that is a link to the host's file is not read."""
    source = place / "layout"
    for name, data in Image(LAYERS).layout().items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
    blob = source / blob_of(LAYERS[1])
    (place / "outside").write_bytes(LAYERS[1])
    blob.unlink()
    blob.symlink_to(place / "outside")
    with pytest.raises(InvalidImage):
        load(store, str(source))
    blob.unlink()
    os.mkfifo(blob)
    with pytest.raises(InvalidImage, match="no file"):
        load(store, str(source))


def test_other_tools_understand_what_is_saved(store: Store, place: Path) -> None:
    """skopeo reads both forms, and its own copies of them come back the same."""
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    [image] = read(store, place, Image(LAYERS).archive())
    copy = ["skopeo", "--insecure-policy", "copy", "--quiet"]
    for form in ("docker-archive", "oci-archive"):
        image = make_portable(image)
        with open(place / form, "wb") as file:
            save([(image, image.tags)], file.write, form)
        for target in ("docker-archive", "oci-archive", "oci"):
            source, path = f"{form}:{place / form}", place / f"{form}-{target}"
            subprocess.run([*copy, source, f"{target}:{path}:made:latest"], check=True)
            [again] = load(Store(str(place / "other")), str(path))
            # Between the two forms skopeo writes the configuration anew.
            assert (again.diff_ids, again.names) == (image.diff_ids, ["docker.io/library/made:latest"])


def test_podman_takes_ours_and_we_take_podmans(store: Store, place: Path) -> None:
    """Its own export and save, too, with the same files."""
    podman = shutil.which("podman")
    if podman is None:
        pytest.skip("podman is not installed")
    [image] = read(store, place, Image(LAYERS).docker_archive("made:1"))
    command = [podman, "--root", f"{place}/podman", "--runroot", f"{place}/run", "--storage-driver", "vfs"]
    with open(place / "saved", "wb") as file:
        save([(image, image.tags)], file.write)
    subprocess.run(
        [*command, "load", "--quiet", "--input", f"{place}/saved"], check=True, capture_output=True
    )
    shown = [*command, "image", "inspect", "--format", "{{.Id}}", "made:1"]
    assert (
        f"sha256:{subprocess.run(shown, check=True, capture_output=True, text=True).stdout.strip()}"
        == image.id
    )
    for form in ("docker-archive", "oci-archive"):
        path = place / f"theirs-{form}"
        subprocess.run(
            [*command, "save", "--quiet", "--format", form, "--output", str(path), "made:1"], check=True
        )
        [again] = load(Store(str(place / "other")), str(path))
        assert again.diff_ids == image.diff_ids


def test_the_digest_of_an_archives_layer_is_that_of_its_content(store: Store, place: Path) -> None:
    """A layer that is here already is not read again, but one that only claims to be is not taken for it."""
    [image] = read(store, place, Image(LAYERS).docker_archive())
    blob = image.manifest.layers[0].digest
    store.blobs.remove(blob)
    with pytest.raises(DigestMismatch):
        read(
            store,
            place,
            Image([LAYERS[1], LAYERS[0]], wrong={"rootfs": image.config["rootfs"]}).docker_archive(),
        )
    read(store, place, Image(LAYERS).docker_archive())
    assert store.blobs.has(store.resolve("made").manifest.layers[0].digest)
    with tarfile.open(place / "archive") as archive:
        assert "manifest.json" in archive.getnames()
