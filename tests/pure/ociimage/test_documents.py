"""Manifests, indexes and configurations of any origin."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ociimage import documents, media
from ociimage.errors import InvalidImage

DIGEST = "sha256:" + "a" * 64


def descriptor(kind: str, **more: Any) -> dict[str, Any]:
    """One that is right, but for what is said otherwise."""
    return {"mediaType": kind, "digest": DIGEST, "size": 10, **more}


def manifest(**more: Any) -> dict[str, Any]:
    """The same for a manifest of one layer."""
    layers = [descriptor(f"{media.OCI_LAYER}+gzip")]
    return {"schemaVersion": 2, "config": descriptor(media.OCI_CONFIG), "layers": layers, **more}


def config(**more: Any) -> dict[str, Any]:
    """The same for a configuration of one layer."""
    return {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [DIGEST]},
        **more,
    }


def encoded(value: object) -> bytes:
    """As a document."""
    return json.dumps(value).encode()


def test_a_manifest_is_read() -> None:
    """With its configuration and layers; what is written of it reads the same."""
    found = documents.parse_manifest(encoded(manifest(mediaType=media.OCI_MANIFEST)))
    assert found.config.digest == DIGEST
    assert [layer.media_type for layer in found.layers] == [f"{media.OCI_LAYER}+gzip"]
    again = documents.parse_manifest(found.to_bytes())
    assert again.to_bytes() == found.to_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"manifests": []},
        {"mediaType": media.OCI_INDEX},
        {"schemaVersion": 1},
        {"schemaVersion": None},
        {"fsLayers": []},
        {"config": None},
        {"config": descriptor("application/vnd.example+json")},
        {"layers": {}},
        {"layers": [descriptor("application/octet-stream")]},
        {"layers": [descriptor(media.OCI_LAYER, digest="sha256:../../../etc/passwd")]},
        {"layers": [descriptor(media.OCI_LAYER, size=-1)]},
        {"layers": [descriptor(media.OCI_LAYER, size="1")]},
        {"layers": [descriptor(media.OCI_LAYER, size=True)]},
        {"layers": [descriptor(media.OCI_LAYER)] * 1001},
        {"annotations": {"a": 1}},
    ],
)
def test_a_manifest_that_is_none_is_refused(change: dict[str, Any]) -> None:
    """Also one that could be read as an index as well (CVE-2021-41190)."""
    with pytest.raises(InvalidImage):
        documents.parse_manifest(encoded(manifest(**change)))


def test_the_announced_type_and_the_own_one_agree() -> None:
    """A manifest that came as an index, or that says so, is refused."""
    data = encoded(manifest(mediaType=media.OCI_MANIFEST))
    assert documents.document_type(data, media.OCI_MANIFEST, "it") == media.OCI_MANIFEST
    for announced in (media.OCI_INDEX, media.DOCKER_MANIFEST, "text/html"):
        with pytest.raises(InvalidImage):
            documents.document_type(data, announced, "it")
    with pytest.raises(InvalidImage):
        documents.document_type(encoded(manifest()), media.OCI_INDEX, "it")


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b'{"a":NaN}', b"[" * 100_000, b" " * (5 << 20)])
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    """Whatever it is, however deep and long."""
    with pytest.raises(InvalidImage):
        documents.parse_json(data, "it")


def test_a_configuration_is_read() -> None:
    """`config` may be missing or null, and is then empty."""
    for extra in ({}, {"config": None}, {"config": {"Env": None, "Volumes": None}}):
        assert documents.parse_config(encoded(config(**extra)), 1)["config"].get("Env") is None


@pytest.mark.parametrize(
    "change",
    [
        {"rootfs": None},
        {"rootfs": {"type": "other", "diff_ids": []}},
        {"rootfs": {"diff_ids": ["sha256:../x"]}},
        {"rootfs": {"diff_ids": []}},
        {"config": []},
        {"config": {"Env": "A=b"}},
        {"config": {"Env": [1]}},
        {"config": {"Env": ["A=\0"]}},
        {"config": {"User": 0x10}},
        {"config": {"Cmd": "sh"}},
        {"config": {"Volumes": ["/a"]}},
        {"config": {"Labels": {"a": 1}}},
        {"config": {"WorkingDir": ["/"]}},
        {"config": {"Healthcheck": {"Test": "CMD true"}}},
        {"config": {"Healthcheck": {"Test": ["CMD", 1]}}},
        {"config": {"Healthcheck": {"Test": ["NONE"], "Interval": "30s"}}},
        {"config": {"Healthcheck": {"Test": ["NONE"], "Retries": -1}}},
        {"history": [1]},
        {"architecture": 3},
    ],
)
def test_a_configuration_of_wrong_types_is_refused(change: dict[str, Any]) -> None:
    """And one whose diff ids are not those of the manifest's layers."""
    with pytest.raises(InvalidImage):
        documents.parse_config(encoded(config(**change)), 1)
