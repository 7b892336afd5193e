"""Images brought in from a registry: blobs in parallel, each verified, and resumed where they broke off.

Spec: distribution-spec, "Pull"
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from ociimage import documents, media
from ociimage.documents import Descriptor
from ociimage.errors import DigestMismatch, ImageNotFound, InvalidImage, RegistryError
from ociimage.image import Image, is_image
from ociimage.importing import host_platform
from ociimage.reference import Reference, is_digest, parse
from ociimage.registry.client import Client, retried
from ociimage.registry.credentials import find
from ociimage.registry.settings import Registries
from ociimage.snapshots.chain import chain_ids
from ociimage.snapshots.unpack import record_chain, unpack_blob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from ociimage.blobs import BlobWriter
    from ociimage.layers.limits import Limits
    from ociimage.registry.credentials import Credentials
    from ociimage.store import Store

    # (what: "exists", "download", "verify", "unpack" or "done"; digest of the layer; bytes done; bytes in all)
    Progress = Callable[[str, str, int, int], None]
    T = TypeVar("T")

_ACCEPT = ", ".join((*media.MANIFESTS, *media.INDEXES))
_CHUNK = 1 << 18
_PARALLEL = 4
_MAX_INDEXES = 3


def pull(
    store: Store,
    name: str,
    *,
    platform: dict[str, str] | None = None,
    credentials: Credentials | None = None,
    registries: Registries | None = None,
    progress: Progress | None = None,
    limits: Limits | None = None,
    pause: Callable[[float], object] = time.sleep,
) -> Image:
    """The image with this name, from the registry's mirrors or from itself.

    Args:
        platform: os, architecture, variant; None for this machine's.
        credentials: None for those that docker's config.json has.

    Raises: InvalidReference, RegistryError, InvalidImage, DigestMismatch, InvalidLayer
    """
    reference = parse(name)
    registries = registries or Registries()
    problem: Exception | None = None
    for url in [*registries.mirrors.get(reference.domain, ()), ""]:
        domain = url.partition("://")[2].partition("/")[0] if url else reference.domain
        given = credentials if credentials is not None and not url else find(domain)
        client = Client(reference.domain, given, registries, url=url, pause=pause)
        try:
            return _Pull(store, client, reference, platform, progress, limits).run()
        except (RegistryError, InvalidImage) as error:
            problem = error
            if not url:
                raise
        finally:
            client.close()
    raise AssertionError("the registry itself comes last") from problem


class _Pull:
    def __init__(
        self,
        store: Store,
        client: Client,
        reference: Reference,
        platform: dict[str, str] | None,
        progress: Progress | None,
        limits: Limits | None,
    ) -> None:
        self._store = store
        self._client = client
        self._reference = reference
        self._platform = platform
        self._report = progress or _ignore
        self._limits = limits
        self._scope = f"repository:{reference.path}:pull"
        self._stopped = threading.Event()

    def run(self) -> Image:
        reference = self._reference
        data, kind = self._manifest(reference.digest or reference.tag)
        top = _digest(data)
        for _ in range(_MAX_INDEXES):
            if kind not in media.INDEXES:
                break
            chosen = self._choose(documents.parse_index(data, kind, str(reference)))
            data, kind = self._manifest(chosen.digest, chosen)
        else:
            raise InvalidImage(f"{reference} is an index of indexes without end")
        manifest = documents.parse_manifest(data, kind, str(reference))
        with self._store.adding():
            config_data = self._config(manifest.config)
            config = documents.parse_config(config_data, len(manifest.layers), manifest.config.digest)
            diff_ids = config["rootfs"]["diff_ids"]
            self._layers(manifest.layers, diff_ids)
            self._store.blobs.put(config_data)
            names = [reference.with_digest(top)]
            if reference.tag:
                names.append(Reference(reference.domain, reference.path, reference.tag, ""))
            platform = {key: config[key] for key in ("os", "architecture", "variant") if config.get(key)}
            image = self._store.put_manifest(data, kind, names, platform)
            record_chain(self._store, image.id, chain_ids(diff_ids))
        return image

    def _manifest(self, tag_or_digest: str, descriptor: Descriptor | None = None) -> tuple[bytes, str]:
        """The document and its media type. One that is named by a digest has it."""

        def ask() -> tuple[bytes, str]:
            path = f"/v2/{self._reference.path}/manifests/{tag_or_digest}"
            response = self._client.request("GET", path, self._scope, headers={"Accept": _ACCEPT})
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
            return self._client.body(response, documents.MAX_DOCUMENT), kind

        try:
            data, kind = self._retried(ask)
        except RegistryError as error:
            if error.status == 404:
                raise RegistryError(f"there is no image {self._reference} in its registry", 404) from error
            raise
        if is_digest(tag_or_digest) and _digest(data) != tag_or_digest:
            raise DigestMismatch(f"expected {tag_or_digest}, and what came is {_digest(data)}")
        if kind in ("application/json", "text/plain", "application/octet-stream"):
            kind = ""  # a server that keeps no types: then the document says what it is
        kind = documents.document_type(data, kind, str(self._reference))
        if descriptor is not None and kind != descriptor.media_type:
            raise InvalidImage(f"{tag_or_digest} should be {descriptor.media_type}, and is {kind}")
        return data, kind

    def _choose(self, entries: list[Descriptor]) -> Descriptor:
        """The index's manifest for the platform."""
        wanted = self._platform or host_platform()
        candidates = [each for each in entries if is_image(each) or each.media_type in media.INDEXES]
        best: Descriptor | None = None
        for each in candidates:
            found = each.platform
            if any(
                str(found.get(key) or "") != wanted.get(key, "")
                for key in ("os", "architecture")
                if wanted.get(key)
            ):
                continue
            variant, own = str(found.get("variant") or ""), wanted.get("variant", "")
            if variant == own or (self._platform is not None and not own):
                return each
            # arm64 without a variant is v8; an older arm runs on a newer one.
            if (not variant or not own or variant < own) and (
                best is None or variant > str(best.platform.get("variant") or "")
            ):
                best = each
        if best is not None:
            return best
        there = sorted({_platform_name(each.platform) for each in candidates})
        raise ImageNotFound(
            f"{self._reference} is not there for {_platform_name(wanted)}, only for {', '.join(there) or 'nothing'}"
        )

    def _config(self, descriptor: Descriptor) -> bytes:
        if descriptor.size > documents.MAX_DOCUMENT:
            raise InvalidImage(
                f"the configuration has {descriptor.size} bytes, more than {documents.MAX_DOCUMENT}"
            )
        if self._store.blobs.has(descriptor.digest, descriptor.size):
            return self._store.blobs.read(descriptor.digest, documents.MAX_DOCUMENT)

        def ask() -> bytes:
            path = f"/v2/{self._reference.path}/blobs/{descriptor.digest}"
            return self._client.body(self._client.request("GET", path, self._scope), descriptor.size)

        data = self._retried(ask)
        if len(data) != descriptor.size or _digest(data) != descriptor.digest:
            raise DigestMismatch(f"expected {descriptor.digest}, and what came is {_digest(data)}")
        return data

    def _layers(self, layers: list[Descriptor], diff_ids: list[str]) -> None:
        """Downloads all, several at a time, and unpacks each as soon as those below it are."""
        chain = chain_ids(diff_ids)
        with ThreadPoolExecutor(_PARALLEL) as pool:
            downloads = {}
            for layer in layers:
                if layer.digest not in downloads:
                    downloads[layer.digest] = pool.submit(self._download, layer)
            try:
                for number, (layer, diff_id) in enumerate(zip(layers, diff_ids, strict=True)):
                    downloads[layer.digest].result()
                    self._report("unpack", layer.digest, 0, layer.size)
                    unpack_blob(self._store, layer, diff_id, chain[: number + 1], limits=self._limits)
                    self._report("done", layer.digest, layer.size, layer.size)
            except BaseException:
                self._stopped.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _download(self, layer: Descriptor) -> None:
        """The blob is in the store. What an earlier attempt has left is taken up."""
        if self._store.blobs.has(layer.digest, layer.size):
            self._report("exists", layer.digest, layer.size, layer.size)
            return
        writer = self._store.blobs.writer(f"partial-{layer.digest[7:]}")
        try:
            if self._store.blobs.has(layer.digest, layer.size):
                writer.discard()  # another process was faster
                return
            if writer.size > layer.size:
                writer.restart()

            def fetch() -> None:
                self._fetch(layer, writer)

            self._retried(fetch)
            self._report("verify", layer.digest, layer.size, layer.size)
            writer.commit(layer.digest, layer.size)
        finally:
            writer.close()

    def _fetch(self, layer: Descriptor, writer: BlobWriter) -> None:
        if writer.size == layer.size:
            return
        headers = {"Accept-Encoding": "identity"}
        if writer.size:
            headers["Range"] = f"bytes={writer.size}-"
        path = f"/v2/{self._reference.path}/blobs/{layer.digest}"
        response = self._client.request("GET", path, self._scope, headers=headers, expected=(200, 206, 416))
        if response.status == 416:
            response.close()
            writer.restart()
            raise RegistryError(f"{self._client.host} has nothing after byte {headers.get('Range')}")
        if response.status == 200 and writer.size:
            writer.restart()
        elif response.status == 206 and not _starts_at(
            response.headers.get("Content-Range", ""), writer.size
        ):
            response.close()
            raise InvalidImage(
                f"{self._client.host} sends another part of {layer.digest} than it was asked for"
            )
        for piece in self._client.stream(response, _CHUNK):
            if self._stopped.is_set():
                response.close()
                raise RegistryError("stopped, as another layer has failed", 400)
            writer.write(piece)
            if writer.size > layer.size:
                response.close()
                writer.restart()
                raise DigestMismatch(
                    f"{layer.digest} has more than the {layer.size} bytes that it should have"
                )
            self._report("download", layer.digest, writer.size, layer.size)
        if writer.size < layer.size:
            raise RegistryError(f"{self._client.host} broke off {layer.digest} after {writer.size} bytes")

    def _retried(self, ask: Callable[[], T]) -> T:
        return retried(self._client, ask)


def _starts_at(content_range: str, offset: int) -> bool:
    """Content-Range: bytes 100-199/200"""
    unit, _, rest = content_range.strip().partition(" ")
    return unit == "bytes" and rest.partition("-")[0] == str(offset)


def _digest(data: bytes) -> str:
    import hashlib

    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _platform_name(platform: dict[str, str]) -> str:
    parts = [str(platform.get(key) or "") for key in ("os", "architecture", "variant")]
    return "/".join(part for part in parts if part)


def _ignore(what: str, digest: str, done: int, total: int) -> None:
    pass
