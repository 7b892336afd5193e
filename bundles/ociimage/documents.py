"""Manifests, indexes and configurations: read from bytes, with every property checked that is used later.

Spec: image-spec descriptor.md, manifest.md, image-index.md, config.md.
"""

from __future__ import annotations

from ociimage import media
from ociimage.errors import InvalidImage
from ociimage.reference import is_digest
from ocispec import jsontext
from ocispec.errors import InvalidJSON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

# A registry must take 4 MiB (distribution-spec, "Pushing manifests"), and no more is read from one.
MAX_DOCUMENT = 4 * 1024 * 1024
MAX_LAYERS = 1000

# What an image's configuration may say about its containers.
_TEXTS = ("User", "WorkingDir", "StopSignal")
_LISTS = ("Env", "Entrypoint", "Cmd", "OnBuild", "Shell")
_SETS = ("Volumes", "ExposedPorts")
_CHECK_NUMBERS = ("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")


class Descriptor:
    """One blob: what it is, its name and its length.

    Attributes:
        media_type, digest, size: as in the document.
        platform: the `platform` property, or {}.
        annotations: the `annotations` property, or {}.
    """

    __slots__ = ("media_type", "digest", "size", "platform", "annotations")

    def __init__(
        self,
        media_type: str,
        digest: str,
        size: int,
        platform: dict[str, Any] | None = None,
        annotations: dict[str, str] | None = None,
    ) -> None:
        self.media_type = media_type
        self.digest = digest
        self.size = size
        self.platform = platform or {}
        self.annotations = annotations or {}

    def to_json(self) -> dict[str, Any]:
        """The descriptor as a document holds it."""
        value: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.platform:
            value["platform"] = self.platform
        if self.annotations:
            value["annotations"] = self.annotations
        return value


class Manifest:
    """One image's list of blobs.

    Attributes:
        media_type: its own.
        config: Descriptor of the configuration.
        layers: Descriptors from the lowest layer on.
        annotations: the manifest's.
    """

    __slots__ = ("media_type", "config", "layers", "annotations")

    def __init__(
        self,
        config: Descriptor,
        layers: list[Descriptor],
        annotations: dict[str, str] | None = None,
        media_type: str = media.OCI_MANIFEST,
    ) -> None:
        self.media_type = media_type
        self.config = config
        self.layers = layers
        self.annotations = annotations or {}

    def to_bytes(self) -> bytes:
        """The document."""
        value: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": self.media_type,
            "config": self.config.to_json(),
            "layers": [layer.to_json() for layer in self.layers],
        }
        if self.annotations:
            value["annotations"] = self.annotations
        return jsontext.dumps(value).encode()


def parse_json(data: bytes, what: str) -> dict[str, Any]:
    """The JSON object in `data`. Raises: InvalidImage"""
    if len(data) > MAX_DOCUMENT:
        raise InvalidImage(f"{what} has {len(data)} bytes, more than the {MAX_DOCUMENT} that are read")
    try:
        value = jsontext.loads(data)
    except InvalidJSON as error:
        raise InvalidImage(f"{what} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidImage(f"{what} is no JSON object")
    return value


def document_type(data: bytes, declared: str, what: str) -> str:
    """The media type of a manifest or an index: what was declared, the document says and its form shows, which agree.

    The same bytes must never be two things (CVE-2021-41190).

    Args:
        declared: what the Content-Type or the descriptor says; "" if nothing does.
    """
    value = parse_json(data, what)
    if "manifests" in value and ("layers" in value or "config" in value or "fsLayers" in value):
        raise InvalidImage(f"{what} is both an index and a manifest")
    if "fsLayers" in value or value.get("schemaVersion") == 1:
        raise InvalidImage(
            f"{what} is of schema 1, which is not supported: push the image again with a newer tool"
        )
    own = value.get("mediaType", "")
    if own and declared and own != declared:
        raise InvalidImage(f"{what} was announced as {declared}, but says {own}")
    kind = own or declared
    if not kind:
        kind = media.OCI_INDEX if "manifests" in value else media.OCI_MANIFEST
    if kind not in (media.INDEXES if "manifests" in value else media.MANIFESTS):
        raise InvalidImage(f"{what} is not what its media type {kind!r} says, or is no image")
    if value.get("schemaVersion") != 2:
        raise InvalidImage(f"{what}: schemaVersion is not 2")
    return str(kind)


def parse_index(data: bytes, declared: str = "", what: str = "index") -> list[Descriptor]:
    """The descriptors in an index. Raises: InvalidImage"""
    if document_type(data, declared, what) not in media.INDEXES:
        raise InvalidImage(f"{what} is a manifest")
    return [
        parse_descriptor(item, f"{what}: manifests[{number}]")
        for number, item in enumerate(_list(parse_json(data, what), "manifests", what))
    ]


def parse_manifest(data: bytes, declared: str = "", what: str = "manifest") -> Manifest:
    """The manifest. Raises: InvalidImage"""
    kind = document_type(data, declared, what)
    if kind not in media.MANIFESTS:
        raise InvalidImage(f"{what} is an index")
    value = parse_json(data, what)
    config = parse_descriptor(value.get("config"), f"{what}: config")
    if config.media_type not in media.CONFIGS:
        raise InvalidImage(f"{what} is no image of a container: its config is {config.media_type!r}")
    layers = [
        parse_descriptor(item, f"{what}: layers[{number}]")
        for number, item in enumerate(_list(value, "layers", what))
    ]
    if len(layers) > MAX_LAYERS:
        raise InvalidImage(f"{what} has {len(layers)} layers, more than {MAX_LAYERS}")
    for number, layer in enumerate(layers):
        if layer.media_type not in media.LAYERS:
            raise InvalidImage(
                f"{what}: layers[{number}]: {layer.media_type!r} is no layer that can be unpacked"
            )
    return Manifest(config, layers, _strings(value, "annotations", what), kind)


def parse_descriptor(value: object, what: str) -> Descriptor:
    """The descriptor. Raises: InvalidImage"""
    if not isinstance(value, dict):
        raise InvalidImage(f"{what} is no descriptor")
    kind, digest, size = value.get("mediaType"), value.get("digest"), value.get("size")
    if not isinstance(kind, str):
        raise InvalidImage(f"{what}: mediaType is not a string")
    if not isinstance(digest, str) or not is_digest(digest):
        raise InvalidImage(f"{what}: {str(digest)[:80]!r} is no sha256 digest")
    if type(size) is not int or not 0 <= size < 1 << 63:
        raise InvalidImage(f"{what}: size is no number of bytes")
    platform = value.get("platform")
    if platform is not None and not isinstance(platform, dict):
        raise InvalidImage(f"{what}: platform is not an object")
    return Descriptor(kind, digest, size, platform, _strings(value, "annotations", what))


def parse_config(data: bytes, layers: int | None = None, what: str = "image configuration") -> dict[str, Any]:
    """The image's configuration, with `config` and `rootfs` there and of the right types.

    Args:
        layers: how many layers the manifest has, which rootfs.diff_ids must agree with.

    Raises: InvalidImage
    """
    value = parse_json(data, what)
    rootfs = value.get("rootfs")
    if not isinstance(rootfs, dict) or rootfs.get("type", "layers") != "layers":
        raise InvalidImage(f"{what}: rootfs is not of layers")
    diff_ids = rootfs["diff_ids"] = _list(rootfs, "diff_ids", what)
    if not all(isinstance(item, str) and is_digest(item) for item in diff_ids):
        raise InvalidImage(f"{what}: rootfs.diff_ids has what is no sha256 digest")
    if layers is not None and len(diff_ids) != layers:
        raise InvalidImage(f"{what}: {len(diff_ids)} diff_ids for {layers} layers")
    for name in ("architecture", "os", "author", "created"):
        if not isinstance(value.get(name) or "", str):
            raise InvalidImage(f"{what}: {name} is not a string")
    history = value["history"] = _list(value, "history", what)
    if not all(isinstance(item, dict) for item in history):
        raise InvalidImage(f"{what}: history holds what is no object")
    config = value.get("config")
    value["config"] = check_container_config({} if config is None else config, f"{what}: config")
    return value


def check_container_config(config: object, what: str) -> dict[str, Any]:
    """`config`, whose properties are of the right types and hold no NUL. Raises: InvalidImage"""
    if not isinstance(config, dict):
        _refuse(what, "is not an object")
    for name in _TEXTS:
        if not _is_text(config.get(name) or ""):
            _refuse(f"{what}.{name}", "is not a string")
    for name in _LISTS:
        if not all(map(_is_text, _list(config, name, what))):
            _refuse(f"{what}.{name}", "holds what is not a string")
    for name in _SETS:
        items = config.get(name) or {}
        if not isinstance(items, dict) or not all(map(_is_text, items)):
            _refuse(f"{what}.{name}", "is not an object")
    check = config.get("Healthcheck") or {}
    if not isinstance(check, dict) or not all(map(_is_text, _list(check, "Test", f"{what}.Healthcheck"))):
        _refuse(f"{what}.Healthcheck", "is not an object whose Test is a list of strings")
    for name in _CHECK_NUMBERS:
        if type(check.get(name) or 0) is not int or not 0 <= (check.get(name) or 0) < 1 << 63:
            _refuse(f"{what}.Healthcheck.{name}", "is no number")
    _strings(config, "Labels", what)
    return config


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def _refuse(what: str, problem: str) -> NoReturn:
    raise InvalidImage(f"{what} {problem}")


def _list(value: dict[str, Any], name: str, what: str) -> list[Any]:
    """A list property; absent and null are empty."""
    items = value.get(name)
    if items is None:
        return []
    if not isinstance(items, list):
        raise InvalidImage(f"{what}: {name} is not a list")
    return items


def _strings(value: dict[str, Any], name: str, what: str) -> dict[str, str]:
    """A property of strings by name; absent and null are empty."""
    items = value.get(name)
    if items is None:
        return {}
    if not isinstance(items, dict) or not all(map(_is_text, items.values())):
        raise InvalidImage(f"{what}: {name} is no object of strings")
    return items
