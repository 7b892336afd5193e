"""The store: names, removal, what is garbage, and many processes at once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ociimage.archives.load import load
from ociimage.collect import collect, prune, usage
from ociimage.errors import DigestMismatch, ImageError, ImageInUse, ImageNotFound, InvalidReference
from ociimage.snapshots.snapshots import Snapshots
from ociimage.store import Store

from .maker import Image, entry, layer


def add(store: Store, place: Path, name: str, *contents: str) -> str:
    """An image with one layer for each content; its id."""
    made = Image([layer(entry(f"f{text}", data=text.encode())) for text in contents], Env=[f"A={contents}"])
    path = place / f"{os.getpid()}.tar"
    path.write_bytes(made.docker_archive(name))
    return load(store, str(path))[0].id


def blobs(store: Store) -> int:
    """How many there are."""
    return len(os.listdir(store.blobs.directory))


def test_images_are_found_by_name_and_id(store: Store, place: Path) -> None:
    """In short and in full, also without the tag, and by the beginning of the id if that is of one alone."""
    one = add(store, place, "a/one:1", "x")
    two = add(store, place, "two:latest", "x", "y")
    for text in ("a/one:1", "docker.io/a/one:1", one, one[7:], one[7:19], one[7:10]):
        assert store.resolve(text).id == one, text
    for text in ("two", "library/two", "docker.io/library/two:latest", two[:20]):
        assert store.resolve(text).id == two, text
    for text in ("a/one", "one:1", "0" * 64, "sha256:" + "0" * 64, "sha256:zz", "nothing"):
        with pytest.raises(ImageNotFound):
            store.resolve(text)
    for text in ("", "UPPER", "../x", "a b"):
        with pytest.raises(InvalidReference):
            store.resolve(text)


def test_a_name_moves_to_the_newest_image(store: Store, place: Path) -> None:
    """The older one stays without a name until it is pruned; a name that comes back finds it again."""
    old = add(store, place, "web:1", "x")
    new = add(store, place, "web:1", "x", "y")
    assert store.resolve("web:1").id == new
    assert {image.id: image.names for image in store.images()} == {old: [], new: ["docker.io/library/web:1"]}
    store.tag(old[7:19], "old")
    assert prune(store)[1] == []
    store.remove("old")
    assert [image.id for image in store.images()] == [new]
    with pytest.raises(ImageNotFound):
        store.tag("old", "x")
    for name in ("X", "a@sha256:" + "0" * 64):
        with pytest.raises(InvalidReference):
            store.tag("web:1", name)


def test_removal_is_dockers(store: Store, place: Path) -> None:
    """A name of several goes alone; with the last the image goes, but for layers that others have."""
    one = add(store, place, "one", "x")
    two = add(store, place, "two", "x", "y")
    store.tag("one", "more:1")
    assert store.remove("one") == (["docker.io/library/one:latest"], [])
    store.tag("more:1", "b/one")
    with pytest.raises(ImageInUse, match="several names"):
        store.remove(one)
    names, gone = store.remove(one, force=True)
    assert (len(names), gone) == (2, [one])
    # The manifest and configuration of `two`, and both of its layers.
    assert blobs(store) == 4
    assert store.remove(two[7:20]) == (["docker.io/library/two:latest"], [two])
    assert blobs(store) == 0 and os.listdir(f"{store.root}/layers") == []


def test_images_of_containers_stay(store: Store, snapshots: Snapshots, place: Path) -> None:
    """Unless by force, and then what the container needs stays; prune leaves them too."""
    one = add(store, place, "one", "x")
    add(store, place, "two", "y")
    snapshots.prepare("c1", store.resolve("one"))
    with pytest.raises(ImageInUse, match="container"):
        store.remove("one")
    found = usage(store)
    assert (found["images"], found["active"]) == (2, 1) and 0 < found["reclaimable"] < found["size"]
    names, ids, freed = prune(store, all_unused=True)
    assert names == ["docker.io/library/two:latest"] and len(ids) == 1 and freed > 0
    assert usage(store)["reclaimable"] == 0
    store.remove("one", force=True)
    assert store.images() == [] and blobs(store) == 3
    assert os.listdir(snapshots.mount("c1")) == ["fx"]
    snapshots.remove("c1")
    collect(store)
    assert blobs(store) == 0
    assert one


def test_nothing_is_removed_while_somebody_adds(store: Store, place: Path) -> None:
    """A pull's blobs belong to no image yet: they stay, and what is garbage goes the next time."""
    add(store, place, "one", "x")
    with store.adding():
        store.blobs.put(b"not yet of an image")
        store.remove("one")
        assert blobs(store) == 4
    collect(store)
    assert blobs(store) == 0


def test_a_damaged_store_says_what_to_do(store: Store, place: Path) -> None:
    """A blob that is gone or cut short, as after a crash of the machine: the image can be removed, or loaded again."""
    add(store, place, "one", "x")
    image = store.resolve("one")
    blob = Path(store.blobs.path(image.manifest.layers[0].digest))
    data = blob.read_bytes()
    blob.write_bytes(data[:-1])
    with pytest.raises(DigestMismatch, match="pull the image again"):
        store.blobs.open(image.manifest.layers[0])
    add(store, place, "one", "x")
    assert blob.read_bytes() == data
    Path(store.blobs.path(image.id)).unlink()
    with pytest.raises(ImageError, match="pull the image again"):
        _ = store.resolve("one").config
    assert usage(store)["images"] == 1
    store.remove("one", force=True)
    assert store.images() == []
    collect(store)
    assert blobs(store) == 0


def test_the_store_is_an_image_layout(store: Store, place: Path) -> None:
    """Of the specification: other tools can read it as it is."""
    add(store, place, "one", "x")
    root = Path(store.root)
    assert json.loads((root / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    [entry_] = json.loads((root / "index.json").read_bytes())["manifests"]
    assert entry_["annotations"] == {"org.opencontainers.image.ref.name": "docker.io/library/one:latest"}
    manifest = json.loads((root / "blobs/sha256" / entry_["digest"][7:]).read_bytes())
    for each in (manifest["config"], *manifest["layers"]):
        assert (root / "blobs/sha256" / each["digest"][7:]).stat().st_size == each["size"]


def all_of(count: int, function: Callable[[int], None]) -> None:
    """Runs the function in as many processes at once; all of them succeed."""
    pids = []
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            try:
                function(number)
                os._exit(0)
            except BaseException:
                import traceback

                traceback.print_exc()
                os._exit(1)
        pids.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * count


def test_many_processes_add_and_remove(store: Store, place: Path) -> None:
    """Images that share layers come and go at the same time, and in the end there is what should be."""

    def work(number: int) -> None:
        own = Store(store.root)
        for turn in range(4):
            add(own, place, f"keep{number}:{turn}", "shared", str(number))
            add(own, place, f"go{number}:{turn}", "shared", f"{number}.{turn}")
            own.remove(f"go{number}:{turn}")

    all_of(8, work)
    found = {name for image in store.images() for name in image.names}
    assert found == {f"docker.io/library/keep{number}:{turn}" for number in range(8) for turn in range(4)}
    for image in store.images():
        for each in image.manifest.layers:
            store.blobs.open(each).close()
    collect(store)
    # A manifest, a configuration and a layer of each, and the shared one.
    assert blobs(store) == 8 * 3 + 1


def test_names_and_containers_change_while_garbage_is_collected(store: Store, place: Path) -> None:
    """What has a temporary name for a moment is not taken for what a killed process left."""
    add(store, place, "one", "x")

    def work(number: int) -> None:
        own = Store(store.root)
        containers = Snapshots(own)
        for turn in range(30):
            if number % 2:
                collect(own)
                continue
            own.tag("one", f"name{number}:{turn}")
            containers.prepare(f"c{number}", own.resolve("one"))
            containers.remove(f"c{number}")

    all_of(6, work)
    assert len(store.resolve("one").names) == 1 + 3 * 30


def test_many_containers_start_at_once(store: Store, snapshots: Snapshots, place: Path) -> None:
    """Of an image whose layers nobody has unpacked yet: they are unpacked once, and all containers have them."""
    add(store, place, "one", "x", "y")
    image = store.resolve("one")
    for name in os.listdir(f"{store.root}/layers"):
        from ociimage.layers.remove import remove_path

        remove_path(f"{store.root}/layers/{name}")

    def work(number: int) -> None:
        own = Snapshots(Store(store.root))
        own.prepare(f"c{number}", own.store.resolve("one"))

    all_of(20, work)
    assert len(snapshots.ids()) == 20
    assert len([name for name in os.listdir(f"{store.root}/layers") if len(name) == 64]) == 2
    for each in snapshots.ids():
        assert sorted(os.listdir(snapshots.mount(each))) == ["fx", "fy"]
    assert image.id
