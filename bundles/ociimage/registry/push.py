"""Images sent to a registry: blobs that are missing there, in parallel, then the manifest.

Spec: distribution-spec, "Push"
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import quote, urljoin

from ociimage.documents import MAX_DOCUMENT, Descriptor
from ociimage.errors import DigestMismatch, InvalidReference, RegistryError
from ociimage.portable import make_portable
from ociimage.reference import Reference, parse
from ociimage.registry.client import RETRIES, Client, is_temporary, retried
from ociimage.registry.credentials import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ociimage.image import Image
    from ociimage.registry.client import Response
    from ociimage.registry.credentials import Credentials
    from ociimage.registry.settings import Registries

    # (what: "compress", "exists", "mounted", "upload" or "done"; digest of the blob; bytes done; bytes in all)
    Progress = Callable[[str, str, int, int], None]

_CHUNK = 1 << 18
_PARALLEL = 4


def push(
    image: Image,
    name: str,
    *,
    credentials: Credentials | None = None,
    registries: Registries | None = None,
    progress: Progress | None = None,
    pause: Callable[[float], object] = time.sleep,
) -> str:
    """Sends the image under this name, and returns the digest that it has there.

    Raises: InvalidReference, RegistryError, ImageNotFound
    """
    reference = parse(name)
    if reference.digest:
        raise InvalidReference(f"{name}: an image is pushed under a tag")
    report = progress or _ignore
    image = make_portable(image, lambda digest, done, total: report("compress", digest, done, total))
    given = credentials if credentials is not None else find(reference.domain)
    client = Client(reference.domain, given, registries, pause=pause)
    try:
        with image.store.adding():
            digest = _Push(image, client, reference, report).run()
            pushed = str(reference.with_digest(digest))
            if pushed not in image.names:
                image.store.name(image, pushed)
            return digest
    finally:
        client.close()


class _Push:
    def __init__(self, image: Image, client: Client, reference: Reference, report: Progress) -> None:
        self._image = image
        self._client = client
        self._reference = reference
        self._report = report
        self._scope = f"repository:{reference.path}:pull,push"
        self._stopped = threading.Event()

    def run(self) -> str:
        manifest = self._image.manifest
        blobs = {each.digest: each for each in (*manifest.layers, manifest.config)}
        elsewhere = self._known_places()
        with ThreadPoolExecutor(_PARALLEL) as pool:
            uploads = [
                pool.submit(self._blob, blob, elsewhere.get(blob.digest, "")) for blob in blobs.values()
            ]
            try:
                for upload in uploads:
                    upload.result()
            except BaseException:
                self._stopped.set()
                pool.shutdown(cancel_futures=True)
                raise
        return self._manifest()

    def _manifest(self) -> str:
        data = self._image.store.blobs.read(self._image.digest, MAX_DOCUMENT)
        path = f"/v2/{self._reference.path}/manifests/{self._reference.tag}"
        headers = {"Content-Type": self._image.descriptor.media_type}

        def put() -> str:
            response = self._client.request(
                "PUT", path, self._scope, headers=headers, body=data, expected=(200, 201, 202)
            )
            found = response.headers.get("Docker-Content-Digest", "")
            self._client.finish(response)
            return found

        found = retried(self._client, put)
        if found and found != self._image.digest:
            raise DigestMismatch(f"{self._client.host} has taken {self._image.digest} as {found}")
        return self._image.digest

    def _known_places(self) -> dict[str, str]:
        """Of blobs that came from, or went to, another repository of the same registry: which."""
        places: dict[str, str] = {}
        for image in self._image.store.images():
            for name in image.names:
                other = parse(name)
                if (
                    other.digest
                    and other.domain == self._reference.domain
                    and other.path != self._reference.path
                ):
                    for layer in image.manifest.layers:
                        places[layer.digest] = other.path
        return places

    def _blob(self, blob: Descriptor, elsewhere: str) -> None:
        """The blob is in the repository."""
        for attempt in range(RETRIES):
            try:
                if self._exists(blob):
                    self._report("exists", blob.digest, blob.size, blob.size)
                    return
                location = self._begin(blob, elsewhere if attempt == 0 else "")
                if location:
                    self._upload(blob, location)
                return
            except RegistryError as error:
                if attempt == RETRIES - 1 or not is_temporary(error) or self._stopped.is_set():
                    raise
            self._client.pause(0.5 * 2**attempt)

    def _exists(self, blob: Descriptor) -> bool:
        path = f"/v2/{self._reference.path}/blobs/{blob.digest}"
        response = self._client.request("HEAD", path, self._scope, expected=(200, 404))
        self._client.finish(response)
        return response.status == 200

    def _begin(self, blob: Descriptor, elsewhere: str) -> str:
        """The place to upload to; "" if the registry has taken the blob from another repository."""
        path = f"/v2/{self._reference.path}/blobs/uploads/"
        scope = self._scope
        if elsewhere:
            path += f"?mount={quote(blob.digest)}&from={quote(elsewhere, safe='')}"
            scope = f"{scope} repository:{elsewhere}:pull"
        response = self._client.request("POST", path, scope, expected=(201, 202))
        self._client.finish(response)
        if response.status == 201:
            self._report("mounted", blob.digest, blob.size, blob.size)
            return ""
        return self._location(response, path)

    def _location(self, response: Response, path: str) -> str:
        location = response.headers.get("Location", "")
        if not location:
            raise RegistryError(f"{self._client.host} does not say where to upload to", 400)
        return urljoin(self._client.url(path), location)

    def _upload(self, blob: Descriptor, location: str) -> None:
        """All bytes in one PATCH, after a failure the rest in another, then the digest in a PUT."""
        offset = 0
        for attempt in range(RETRIES):
            try:
                location = self._patch(blob, location, offset)
                break
            except RegistryError as error:
                if attempt == RETRIES - 1 or not is_temporary(error) or self._stopped.is_set():
                    raise
            self._client.pause(0.5 * 2**attempt)
            location, offset = retried(self._client, partial(self._progress_there, location))
        separator = "&" if "?" in location else "?"
        url = f"{location}{separator}digest={quote(blob.digest)}"
        response = self._client.request("PUT", url, self._scope, body=b"", expected=(201, 204), follow=False)
        self._client.finish(response)
        self._report("done", blob.digest, blob.size, blob.size)

    def _patch(self, blob: Descriptor, location: str, offset: int) -> str:
        if offset >= blob.size > 0:
            return location
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(blob.size - offset),
            "Content-Range": f"{offset}-{blob.size - 1}",
        }
        if not blob.size:
            return location
        response = self._client.request(
            *("PATCH", location, self._scope),
            headers=headers,
            body=self._pieces(blob, offset),
            expected=(202, 204),
            follow=False,
        )
        self._client.finish(response)
        return self._location(response, location)

    def _progress_there(self, location: str) -> tuple[str, int]:
        """Where the registry wants the upload to go on, and after how many bytes."""
        response = self._client.request("GET", location, self._scope, expected=(204, 202), follow=False)
        self._client.finish(response)
        end = response.headers.get("Range", "").rpartition("-")[2]
        if response.headers.get("Location"):
            location = self._location(response, location)
        # "0-0" is nothing as well as one byte: the standard's flaw. To send nothing twice is right in both cases.
        received = int(end) + 1 if end.isdigit() and int(end) > 0 else 0
        return location, received

    def _pieces(self, blob: Descriptor, offset: int) -> Iterator[bytes]:
        with self._image.store.blobs.open(blob) as file:
            file.seek(offset)
            done = offset
            while piece := file.read(_CHUNK):
                if self._stopped.is_set():
                    raise RegistryError("stopped, as another blob has failed", 400)
                yield piece
                done += len(piece)
                self._report("upload", blob.digest, done, blob.size)


def _ignore(what: str, digest: str, done: int, total: int) -> None:
    pass
