"""The images of one root directory: an OCI image layout, whose index.json holds the names.

    oci-layout, index.json      the layout's; one descriptor for each name, and one for an image without
    blobs/sha256/HEX            manifests, configurations, layers as they came
    layers/HEX/                 unpacked layers by chain id (ociimage.snapshots)
    containers/ID/              what containers have written (ociimage.snapshots)
    tmp/                        what is not complete; removed when nobody is writing
    content.lock, index.lock    see ociimage.locks

Nothing here may be read by others: layers hold set-user-id programs of any age.
"""

from __future__ import annotations

import os

from ociimage import documents, files, media
from ociimage.blobs import Blobs
from ociimage.documents import Descriptor, Manifest
from ociimage.errors import ImageInUse, ImageNotFound, InvalidReference
from ociimage.image import Image
from ociimage.locks import Lock
from ociimage.reference import Reference, is_digest, parse
from ocispec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

# Full names, as `str(Reference)` spells them. Image layouts of other tools have tags here.
REF_NAME = "org.opencontainers.image.ref.name"


class Store:
    """All images below `root`, which is made when something is added to it."""

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)
        self.blobs = Blobs(self.root)

    def create(self) -> None:
        """Makes the layout's directories, if they are not there."""
        if os.path.exists(f"{self.root}/oci-layout"):
            return
        # Others pass through to a container's root whose ids are mapped to theirs, and read nothing.
        os.makedirs(self.root, 0o711, exist_ok=True)
        for name, mode in (("blobs", 0o700), ("blobs/sha256", 0o700), ("tmp", 0o700), ("layers", 0o700)):
            os.makedirs(f"{self.root}/{name}", mode, exist_ok=True)
        os.makedirs(f"{self.root}/containers", 0o711, exist_ok=True)
        files.write(f"{self.root}/oci-layout", b'{"imageLayoutVersion":"1.0.0"}', self.blobs.temporary)

    def adding(self) -> Lock:
        """Held while content is added that nothing refers to yet."""
        self.create()
        return Lock(f"{self.root}/content.lock", shared=True)

    def put_image(self, manifest: Manifest, names: Iterable[Reference], platform: dict[str, Any]) -> Image:
        """Keeps an image whose configuration and layers are in the store, and gives it names."""
        data = manifest.to_bytes()
        return self.put_manifest(data, manifest.media_type, names, platform)

    def put_manifest(
        self, data: bytes, media_type: str, names: Iterable[Reference], platform: dict[str, Any]
    ) -> Image:
        """The same with the manifest's own bytes."""
        digest = self.blobs.put(data)
        descriptor = Descriptor(media_type, digest, len(data), platform)
        wanted = [str(name) for name in names]

        def add(entries: list[Descriptor]) -> list[Descriptor]:
            return _renamed(entries, descriptor, wanted)

        self.change(add)
        return self._image(descriptor, wanted)

    def change(self, function: Callable[[list[Descriptor]], list[Descriptor]]) -> None:
        """Replaces the index's descriptors by what `function` makes of them."""
        # Whoever collects garbage takes files with temporary names for that.
        with self.adding(), Lock(f"{self.root}/index.lock"):
            entries = function(self._entries())
            index = {
                "schemaVersion": 2,
                "mediaType": media.OCI_INDEX,
                "manifests": [entry.to_json() for entry in entries],
            }
            files.write(f"{self.root}/index.json", jsontext.dumps(index).encode(), self.blobs.temporary)

    def _entries(self) -> list[Descriptor]:
        try:
            data = files.read(f"{self.root}/index.json")
        except FileNotFoundError:
            return []
        value = jsontext.loads(data)
        assert isinstance(value, dict)
        return [documents.parse_descriptor(item, "index.json") for item in value["manifests"]]

    def images(self) -> list[Image]:
        """All images, each once, in the order they came."""
        found: dict[str, tuple[Descriptor, list[str]]] = {}
        for entry in self._entries():
            names = found.setdefault(entry.digest, (entry, []))[1]
            if name := entry.annotations.get(REF_NAME, ""):
                names.append(name)
        return [self._image(entry, names) for entry, names in found.values()]

    def _image(self, entry: Descriptor, names: list[str]) -> Image:
        return Image(self, entry, names)

    def resolve(self, text: str) -> Image:
        """The image with this name, or whose id or digest begins so.

        Raises: ImageNotFound; InvalidReference if it can be no name and is no id.
        """
        problem: InvalidReference | None = None
        try:
            name = str(parse(text))
        except InvalidReference as error:
            problem = error
        else:
            for entry in self._entries():
                if entry.annotations.get(REF_NAME) == name:
                    return self._image(entry, self.names(entry.digest))
        found = self._by_id(text)
        if found is not None:
            return found
        if problem is not None and not text.startswith("sha256:"):
            raise problem
        raise ImageNotFound(f"no such image: {text} (pull or import it; `images` lists what is here)")

    def _by_id(self, text: str) -> Image | None:
        prefix = text.removeprefix("sha256:")
        if not prefix or not is_digest("sha256:" + prefix.ljust(64, "0")):
            return None
        whole = f"sha256:{prefix}"
        found = [
            image for image in self.images() if image.identity.startswith(whole) or image.digest == whole
        ]
        if len({image.identity for image in found}) > 1:
            raise ImageNotFound(f"{text} begins several ids of images: give more of it")
        return found[0] if found else None

    def names(self, digest: str) -> list[str]:
        """The full names of the manifest with this digest."""
        found = [entry.annotations.get(REF_NAME, "") for entry in self._entries() if entry.digest == digest]
        return [name for name in found if name]

    def tag(self, text: str, name: str) -> Reference:
        """Gives an image one more name, taking it from the image that had it. Returns the full name.

        Raises: ImageNotFound, InvalidReference
        """
        reference = parse(name)
        if reference.digest:
            raise InvalidReference(f"{name}: a name that is given has no digest")
        image = self.resolve(text)
        self.name(image, str(reference))
        return reference

    def name(self, image: Image, name: str) -> None:
        """Gives an image the full name, which may be one by digest."""
        self.change(lambda entries: _renamed(entries, image.descriptor, [name]))

    def remove(
        self, text: str, *, force: bool = False, in_use: Iterable[str] | None = None
    ) -> tuple[list[str], list[str]]:
        """Takes a name from an image, and removes the image with its last name, or if it was given by id.

        Args:
            force: also an image with several names given by its id, and one that containers use.
            in_use: ids of images that containers use; None for those of the store's containers. What a container needs
                stays until it is removed.

        Returns: the names taken away, and the ids of images removed.

        Raises: ImageNotFound, ImageInUse
        """
        image = self.resolve(text)
        try:
            name = str(parse(text))
        except InvalidReference:
            name = ""
        if name in image.names:
            gone = _with_digests(image.names, name)
        else:
            gone = list(image.names)
            if len({parse(each).repository for each in gone}) > 1 and not force:
                raise ImageInUse(f"image {image.short_id} has several names: remove those, or use force")
        last = len(gone) == len(image.names)
        identity = image.identity
        if last and not force:
            from ociimage.snapshots.snapshots import users

            if identity in set(users(self) if in_use is None else in_use):
                raise ImageInUse(
                    f"image {image.short_id} is used by a container: remove that first, or use force"
                )

        def drop(entries: list[Descriptor]) -> list[Descriptor]:
            return [
                entry
                for entry in entries
                if entry.digest != image.digest or (not last and entry.annotations.get(REF_NAME) not in gone)
            ]

        self.change(drop)
        from ociimage.collect import collect

        collect(self)
        return gone, [identity] if last else []


def _with_digests(names: list[str], name: str) -> list[str]:
    """The name, and with the last tag of a repository also the names there by digest."""
    repository = parse(name).repository
    own = [each for each in names if parse(each).repository == repository]
    tags = [each for each in own if "@" not in each]
    return own if tags == [name] else [name]


def _renamed(entries: list[Descriptor], image: Descriptor, names: list[str]) -> list[Descriptor]:
    """The entries when `image` has these names too: who had one loses it, and keeps its place without one."""
    result = []
    for entry in entries:
        if entry.annotations.get(REF_NAME) in names:
            entry = Descriptor(entry.media_type, entry.digest, entry.size, entry.platform)
        result.append(entry)
    for name in names:
        result.append(
            Descriptor(image.media_type, image.digest, image.size, image.platform, {REF_NAME: name})
        )
    if not names:
        result.append(image)
    named = {entry.digest for entry in result if entry.annotations}
    kept: dict[tuple[str, str], Descriptor] = {}
    for entry in result:
        name = entry.annotations.get(REF_NAME, "")
        if name or entry.digest not in named:
            kept.setdefault((entry.digest, name), entry)
    return list(kept.values())
