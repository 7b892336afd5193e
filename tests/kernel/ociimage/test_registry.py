"""Pull and push, with a real registry, and with one that lies."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ociimage.archives.load import load
from ociimage.errors import ImageError, ImageNotFound, RegistryError
from ociimage.registry.credentials import Credentials
from ociimage.registry.pull import pull
from ociimage.registry.push import push
from ociimage.registry.settings import Registries
from ociimage.store import Store

from .maker import OCI, Image, digest, directory, entry, layer
from .registries import Fake, Handler, blob, reply

DockerRegistry = Callable[..., contextlib.AbstractContextManager[str]]
LAYERS = [layer(directory("d"), entry("d/a", data=os.urandom(300_000))), layer(entry("b", data=b"b"))]


def no_pause(seconds: float) -> None:
    """Tests do not wait."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Nothing is mounted here, and a process with threads cannot leave its mounts."""
    if os.geteuid() != 0:
        pytest.skip("layers have files of all owners, which needs root")
    return tmp_path


@pytest.fixture
def store(place: Path) -> Store:
    """An empty store."""
    return Store(str(place / "store"))


@pytest.fixture(autouse=True)
def own_credentials(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Docker's configuration is the test's own."""
    monkeypatch.setenv("DOCKER_CONFIG", str(place / "docker"))
    return place / "docker/config.json"


def from_archive(store: Store, place: Path, image: Image) -> Any:
    """The image is in the store as if it had been loaded."""
    (place / "image.tar").write_bytes(image.docker_archive())
    return load(store, str(place / "image.tar"))[0]


def test_what_is_pushed_is_pulled(store: Store, place: Path, docker_registry: DockerRegistry) -> None:
    """To a real registry and back; a second push sends nothing, one to another repository mounts what is there."""
    image = from_archive(store, place, Image(LAYERS))
    events: list[str] = []

    def note(what: str, digest: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        events.append(what)

    with docker_registry(place) as address:
        name = f"{address}/some/made:1"
        found = push(image, name, progress=note, pause=no_pause)
        assert {"compress", "upload", "done"} <= set(events)
        image = store.resolve("made")
        assert f"{address}/some/made@{found}" in image.names
        assert all(each.media_type.endswith("gzip") for each in image.manifest.layers)
        events.clear()
        assert push(image, name, progress=note, pause=no_pause) == found
        assert set(events) == {"exists"}
        events.clear()
        assert push(image, f"{address}/other:2", progress=note, pause=no_pause) == found
        assert "mounted" in events
        other = Store(str(place / "other"))
        events.clear()
        pulled = pull(other, name, progress=note, pause=no_pause)
        assert (pulled.id, pulled.digest) == (image.id, found)
        assert {"download", "verify", "unpack", "done"} <= set(events)
        assert pulled.names == [f"{address}/some/made@{found}", name]
        events.clear()
        pull(other, name, progress=note, pause=no_pause)
        assert "download" not in events and "exists" in events
        assert pull(other, f"{address}/other@{found}", pause=no_pause).id == image.id
        with pytest.raises(RegistryError, match="there is no image"):
            pull(other, f"{address}/some/made:2", pause=no_pause)
        skopeo = shutil.which("skopeo")
        if skopeo:
            copy = [skopeo, "--insecure-policy", "copy", "--quiet"]
            subprocess.run(
                [*copy, "--src-tls-verify=false", f"docker://{name}", f"dir:{place}/dir"], check=True
            )
            there = f"docker://{address}/theirs:1"
            subprocess.run(
                [*copy, "--dest-tls-verify=false", f"docker-archive:{place}/image.tar", there], check=True
            )
            assert pull(other, f"{address}/theirs:1", pause=no_pause).id == image.id


def test_a_registry_with_a_password(
    store: Store, place: Path, own_credentials: Path, docker_registry: DockerRegistry
) -> None:
    """Takes ours from docker's file, and the error of a wrong one says what to do."""
    image = from_archive(store, place, Image(LAYERS[1:]))
    passwords = place / "htpasswd"
    passwords.write_text(HTPASSWD)
    with docker_registry(place, passwords) as address:
        with pytest.raises(RegistryError, match="log in"):
            push(image, f"{address}/made:1", pause=no_pause)
        own_credentials.parent.mkdir()
        auth = base64.b64encode(b"me:secret").decode()
        own_credentials.write_text(json.dumps({"auths": {address: {"auth": auth}}}))
        push(image, f"{address}/made:1", pause=no_pause)
        assert pull(Store(str(place / "other")), f"{address}/made:1", pause=no_pause).id == image.id
        with pytest.raises(RegistryError):
            pull(store, f"{address}/made:1", credentials=Credentials("me", "wrong"), pause=no_pause)


# me and secret, by bcrypt.
HTPASSWD = "me:$2y$05$eR64qnrK3s5fVd1J0/aOYO9TwEhjHe/wleK8Mg.R9ZAE7DfCUFfoK\n"


def test_tokens_are_fetched_and_renewed(store: Store) -> None:
    """For each repository by its scope; one that has expired is fetched anew, also in the middle of a pull."""
    with Fake(Image(LAYERS)) as fake:
        tokens = 0
        uses = 0

        def special(handler: Handler) -> bool:
            nonlocal tokens, uses
            if handler.path.startswith("/token"):
                if handler.command == "POST":
                    body = handler.rfile.read(int(handler.headers["Content-Length"]))
                    assert b"refresh_token=identity" in body and b"grant_type=refresh_token" in body
                else:
                    assert (
                        "scope=repository%3Aa%2Fmade%3Apull" in handler.path
                        and "service=test" in handler.path
                    )
                tokens += 1
                return reply(handler, 200, json.dumps({"token": f"t{tokens}"}).encode())
            if handler.path == "/v2/":
                return False
            uses += 1
            token = handler.headers.get("Authorization", "").removeprefix("Bearer t")
            # The first one is good for the manifest alone.
            if not token or (token == "1" and uses > 2):
                challenge = f'Bearer realm="http://{fake.address}/token",service="test",scope="other"'
                return reply(handler, 401, b"{}", {"WWW-Authenticate": challenge})
            return False

        fake.special = special
        credentials = Credentials("me", "secret")
        pull(store, f"{fake.address}/a/made", credentials=credentials, pause=no_pause)
        assert tokens >= 2
        assert {each[1] for each in fake.asked("/token")} == {credentials.basic()}
        assert credentials.basic() not in {each[1] for each in fake.asked("/v2/")}
        # An identity token goes into the body of a POST, and nowhere else.
        fake.requests.clear()
        store.remove(f"{fake.address}/a/made")
        pull(store, f"{fake.address}/a/made", credentials=Credentials(token="identity"), pause=no_pause)
        assert {each[0] for each in fake.asked("/token")} == {"POST /token"}


def test_credentials_stay_with_their_registry(store: Store) -> None:
    """A redirection is followed without them, wherever a token is in use (CVE-2020-15157)."""
    image = Image(LAYERS)
    with Fake(image) as fake, Fake(image) as elsewhere:

        def special(handler: Handler) -> bool:
            if handler.headers.get("Authorization") is None and handler.path != "/v2/":
                return reply(handler, 401, b"{}", {"WWW-Authenticate": 'Basic realm="x"'})
            if "/blobs/" in handler.path:
                return reply(handler, 307, b"", {"Location": f"http://{elsewhere.address}{handler.path}"})
            return False

        fake.special = special
        pull(store, f"{fake.address}/made", credentials=Credentials("me", "secret"), pause=no_pause)
        assert elsewhere.requests and not any(each[1] for each in elsewhere.requests)
        assert any(each[1] for each in fake.requests)


def test_a_redirected_challenge_gets_nothing(store: Store) -> None:
    """The other host may not ask for our name and password either."""
    image = Image(LAYERS)
    with Fake(image) as fake, Fake(image) as elsewhere:
        fake.special = lambda handler: (
            "/blobs/" in handler.path
            and reply(handler, 302, b"", {"Location": f"http://{elsewhere.address}{handler.path}"})
        )
        elsewhere.special = lambda handler: reply(
            handler, 401, b"{}", {"WWW-Authenticate": f'Bearer realm="http://{elsewhere.address}/token"'}
        )
        with pytest.raises(RegistryError):
            pull(store, f"{fake.address}/made", credentials=Credentials("me", "secret"), pause=no_pause)
        assert not elsewhere.asked("/token") and not any(each[1] for each in elsewhere.requests)


def test_urls_in_descriptors_are_not_asked(store: Store) -> None:
    """A layer comes from its registry, whatever its manifest says."""
    image = Image(LAYERS)
    with Fake(image) as fake, Fake(image) as elsewhere:
        for each in image.document["layers"]:
            each["urls"] = [f"http://{elsewhere.address}/v2/x/blobs/{each['digest']}"]
        pull(store, f"{fake.address}/made", pause=no_pause)
        assert elsewhere.requests == []


def test_what_broke_off_is_resumed(store: Store) -> None:
    """From the byte where it broke off: within one pull, and by the next pull after all attempts failed."""
    image = Image([LAYERS[0]])
    [large] = [each for each in image.blobs.values() if len(each) > 100_000]
    with Fake(image) as fake:
        sent = 0

        def special(handler: Handler) -> bool:
            nonlocal sent
            if digest(large) not in handler.path:
                return False
            start = int(handler.headers.get("Range", "bytes=0-")[6:-1])
            end = min(start + 40_000, len(large))
            assert start == sent, "a byte was sent twice"
            sent = end
            headers = {"Content-Range": f"bytes {start}-{len(large) - 1}/{len(large)}"} if start else {}
            handler.send_response(206 if start else 200)
            for name, value in {"Content-Length": str(len(large) - start), **headers}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(large[start:end])
            handler.close_connection = True
            return True

        fake.special = special
        with pytest.raises(RegistryError):
            pull(store, f"{fake.address}/made", pause=no_pause)
        assert os.listdir(f"{store.root}/tmp") == [f"partial-{digest(large)[7:]}"]
        assert sent == 200_000
        pull(store, f"{fake.address}/made", pause=no_pause)
        assert sent == len(large)


def wrong_blob(change: Callable[[bytes], bytes]) -> Callable[[Fake], None]:
    """The large layer comes changed."""

    def prepare(fake: Fake) -> None:
        assert fake.image is not None
        image = fake.image

        def special(handler: Handler) -> bool:
            name = handler.path.rpartition("/")[2]
            data = image.blobs.get(name, b"")
            return len(data) > 100_000 and reply(handler, 200, change(data))

        fake.special = special

    return prepare


def flipped(data: bytes) -> bytes:
    """One bit is another."""
    return data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]


def wrong_document(**change: Any) -> Callable[[Fake], None]:
    """The manifest says something else."""

    def prepare(fake: Fake) -> None:
        assert fake.image is not None
        fake.image.document.update(change)

    return prepare


def wrong_type(kind: str) -> Callable[[Fake], None]:
    """The manifest is announced as something else."""

    def prepare(fake: Fake) -> None:
        assert fake.image is not None
        image = fake.image
        fake.special = lambda handler: (
            "/manifests/" in handler.path and reply(handler, 200, image.manifest, {"Content-Type": kind})
        )

    return prepare


def wrong_diff_id(fake: Fake) -> None:
    """The configuration promises other layers."""
    diff_ids = [digest(each) for each in reversed(LAYERS)]
    fake.image = Image(LAYERS, wrong={"rootfs": {"type": "layers", "diff_ids": diff_ids}})


def endless_manifest(fake: Fake) -> None:
    """The manifest has 5 MiB."""
    fake.special = lambda handler: "/manifests/" in handler.path and reply(handler, 200, b" " * (5 << 20))


def wrong_range(fake: Fake) -> None:
    """After a break the registry sends another part than it was asked for."""
    assert fake.image is not None
    image = fake.image

    def special(handler: Handler) -> bool:
        data = image.blobs.get(handler.path.rpartition("/")[2], b"")
        if len(data) < 100_000:
            return False
        if handler.headers.get("Range"):
            return reply(handler, 206, data[10:], {"Content-Range": f"bytes 10-{len(data) - 1}/{len(data)}"})
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:1000])
        handler.close_connection = True
        return True

    fake.special = special


LIES: dict[str, Callable[[Fake], None]] = {
    "a flipped bit": wrong_blob(flipped),
    "too short": wrong_blob(lambda data: data[:-1]),
    "too long": wrong_blob(lambda data: data + b"x"),
    "another blob": wrong_blob(lambda data: os.urandom(len(data))),
    "endless": wrong_blob(lambda data: data * 20),
    "an index and a manifest": wrong_document(manifests=[]),
    "a manifest that says it is an index": wrong_document(mediaType=f"{OCI}.index.v1+json"),
    "a manifest announced as an index": wrong_type(f"{OCI}.index.v1+json"),
    "a page": wrong_type("text/html"),
    "other diff ids": wrong_diff_id,
    "an endless manifest": endless_manifest,
    "another range": wrong_range,
}


@pytest.mark.parametrize("lie", sorted(LIES))
def test_lies_are_found_out(store: Store, lie: str) -> None:
    """The image is not there, nothing half unpacked is left, and the error is one line."""
    with Fake(Image(LAYERS)) as fake:
        LIES[lie](fake)
        with pytest.raises(ImageError) as caught:
            pull(store, f"{fake.address}/made", pause=no_pause)
    assert "\n" not in str(caught.value)
    assert store.images() == []
    for name in os.listdir(store.blobs.temporary) if os.path.exists(store.root) else ():
        # What is right so far may be gone on with.
        assert name.startswith("partial-")
        os.unlink(f"{store.blobs.temporary}/{name}")


def index(*entries: tuple[Image, dict[str, str]]) -> bytes:
    """An index of images."""
    manifests = [
        {
            "mediaType": f"{OCI}.manifest.v1+json",
            "digest": digest(image.manifest),
            "size": len(image.manifest),
            "platform": platform,
        }
        for image, platform in entries
    ]
    return json.dumps(
        {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": manifests}
    ).encode()


def test_the_platform_is_chosen(store: Store) -> None:
    """By what is asked for; an index without it is an error that names what there is. The digest is the index's."""
    images = {name: Image([layer(entry(name))]) for name in ("amd64", "arm64", "v6", "v7")}
    document = index(
        (images["arm64"], {"os": "linux", "architecture": "arm64", "variant": "v8"}),
        (images["v6"], {"os": "linux", "architecture": "arm", "variant": "v6"}),
        (images["v7"], {"os": "linux", "architecture": "arm", "variant": "v7"}),
        (images["amd64"], {"os": "linux", "architecture": "amd64"}),
    )
    with Fake() as fake:

        def special(handler: Handler) -> bool:
            name = handler.path.rpartition("/")[2]
            if name in ("latest", digest(document)):
                return reply(handler, 200, document, {"Content-Type": f"{OCI}.index.v1+json"})
            for image in images.values():
                if name == digest(image.manifest):
                    return reply(handler, 200, image.manifest, {"Content-Type": f"{OCI}.manifest.v1+json"})
                if name in image.blobs:
                    return blob(handler, image.blobs[name])
            return False

        fake.special = special
        for wanted, expected in (
            ({"os": "linux", "architecture": "amd64"}, "amd64"),
            ({"os": "linux", "architecture": "arm64"}, "arm64"),
            ({"os": "linux", "architecture": "arm", "variant": "v7"}, "v7"),
            ({"os": "linux", "architecture": "arm", "variant": "v8"}, "v7"),
            ({"os": "linux", "architecture": "arm", "variant": "v6"}, "v6"),
        ):
            image = pull(store, f"{fake.address}/made", platform=wanted, pause=no_pause)
            assert image.id == digest(images[expected].config)
            assert f"{fake.address}/made@{digest(document)}" in image.names
        with pytest.raises(ImageNotFound, match="only for linux/amd64, linux/arm/v6"):
            pull(
                store,
                f"{fake.address}/made",
                platform={"os": "linux", "architecture": "s390x"},
                pause=no_pause,
            )


def test_mirrors_go_first(store: Store) -> None:
    """One that fails, or lies, is passed over; the registry's own credentials are not for it."""
    image = Image(LAYERS)
    with Fake(image) as fake, Fake() as empty, Fake(image) as mirror:
        name = f"{fake.address}/made"
        mirrors = Registries({fake.address: [f"http://{empty.address}", f"http://{mirror.address}"]})
        pull(store, name, registries=mirrors, credentials=Credentials("me", "secret"), pause=no_pause)
        assert empty.requests and mirror.asked("/blobs/") and not fake.requests
        assert not any(each[1] for each in (*empty.requests, *mirror.requests))
        assert name + ":latest" in store.resolve(name).names


def test_too_many_requests_are_explained(store: Store) -> None:
    """With the registry's limit, and what can be done."""
    with Fake() as fake:
        fake.special = lambda handler: reply(
            handler,
            429,
            b'{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}',
            {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "0;w=21600"},
        )
        with pytest.raises(RegistryError, match="100 pulls in 6 hours; log in, or use a mirror.*rate limit"):
            pull(store, f"{fake.address}/made", pause=no_pause)


def test_passing_trouble_is_waited_for(store: Store) -> None:
    """A registry that fails four times and then answers is no error; each pause is longer."""
    pauses: list[float] = []
    with Fake(Image(LAYERS)) as fake:
        count = 0

        def special(handler: Handler) -> bool:
            nonlocal count
            if "/manifests/" in handler.path:
                count += 1
                return count < 5 and reply(handler, 503)
            return False

        fake.special = special
        pull(store, f"{fake.address}/made", pause=pauses.append)
        assert pauses == sorted(pauses) and len(pauses) == 4


def test_layers_come_side_by_side(store: Store) -> None:
    """The registry answers for no layer before it has been asked for both."""
    image = Image(LAYERS)
    config = image.document["config"]["digest"]
    both = threading.Barrier(len(LAYERS), timeout=60)
    with Fake(image) as fake:

        def special(handler: Handler) -> bool:
            if "/blobs/" in handler.path and not handler.path.endswith(config):
                both.wait()
            return False

        fake.special = special
        pull(store, f"{fake.address}/made", pause=no_pause)
    assert not both.broken


def test_a_push_goes_on_where_it_broke_off(store: Store, place: Path) -> None:
    """The registry says how much it has, asked twice if need be, and gets the rest; its answer has to have our digest."""
    image = from_archive(store, place, Image(LAYERS[:1]))
    received: dict[str, bytes] = {}
    hung_up: list[str] = []
    sessions = (f"s{number}" for number in itertools.count())
    one_at_a_time = threading.Lock()
    with Fake() as fake:

        def special(handler: Handler) -> bool:
            path, _, query = handler.path.partition("?")
            length = int(handler.headers.get("Content-Length") or 0)
            session = path.rpartition("/")[2]
            if handler.command == "HEAD":
                return reply(handler, 404)
            if handler.command == "POST":
                with one_at_a_time:  # two blobs begin at the same moment
                    session = next(sessions)
                received[session] = b""
                return reply(handler, 202, b"", {"Location": f"/v2/made/blobs/uploads/{session}"})
            if handler.command == "PATCH":
                start = int(handler.headers["Content-Range"].partition("-")[0])
                assert start == len(received[session])
                if length > 50_000 and start == 0:
                    received[session] = handler.rfile.read(50_000)
                    return reply(handler, 503, b"", {"Connection": "close"})
                received[session] += handler.rfile.read(length)
                return reply(handler, 202, b"", {"Location": f"/v2/made/blobs/uploads/{session}?state=x"})
            if handler.command == "GET" and session in received:
                if not hung_up:
                    hung_up.append(session)
                    handler.close_connection = True
                    return True
                headers = {"Range": f"0-{len(received[session]) - 1}", "Location": handler.path}
                return reply(handler, 204, b"", headers)
            if handler.command == "PUT" and session in received:
                assert "state=x&digest=sha256" in query
                assert query.endswith(digest(received[session]).replace(":", "%3A"))
                return reply(handler, 201)
            if handler.command == "PUT":
                body = handler.rfile.read(length)
                return reply(handler, 201, b"", {"Docker-Content-Digest": digest(body)})
            return False

        fake.special = special
        push(image, f"{fake.address}/made", pause=no_pause)
        assert len(received) == 2 and hung_up
