"""Plug-ins change a configuration; what they make of it is checked, and a broken one is named."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ocispec.errors import InvalidConfig
from stave.container import plugins
from stave.errors import ConfigError, Error

MODULE = """
def change(config, bundle):
    return {**config, "hostname": bundle, "mounts": [*config["mounts"], {"destination": "/more", "type": "x-pair"}]}

def spoil(config, bundle):
    return {**config, "hostname": 5}

def fail(config, bundle):
    raise RuntimeError("no interpreter")

def pair(mount, bundle):
    return [{"destination": mount["destination"] + each, "type": "tmpfs"} for each in "ab"]

def none(mount, bundle):
    return []
"""
ENTRY_POINTS = """
[stave.payloads]
change = stave_test_plugin:change
spoil = stave_test_plugin:spoil
fail = stave_test_plugin:fail
lost = stave_test_plugin:lost

[stave.mounts]
pair = stave_test_plugin:pair
none = stave_test_plugin:none
"""


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package with plug-ins is installed."""
    (tmp_path / "stave_test_plugin.py").write_text(MODULE)
    information = tmp_path / "stave_test_plugin-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: stave-test-plugin\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("stave_test_plugin", None)


def config(payload: str = "", *kinds: str) -> Any:
    """A configuration that asks for plug-ins."""
    return {
        "ociVersion": "1.3.0",
        "root": {"path": "rootfs"},
        "annotations": {plugins.PAYLOAD: payload} if payload else {},
        "mounts": [{"destination": f"/{kind}", "type": kind} for kind in kinds],
        "linux": {"namespaces": [{"type": "uts"}, {"type": "mount"}]},
    }


def test_payload() -> None:
    """A payload handler's configuration is used instead; its own mounts may be of a plug-in, too."""
    changed = plugins.apply(config("change", "tmpfs"), "/bundle")
    assert changed["hostname"] == "/bundle"
    assert [mount["destination"] for mount in changed["mounts"]] == ["/tmpfs", "/morea", "/moreb"]


def test_mounts() -> None:
    """The mounts of a kind take the place of the one that asked for it, in order."""
    changed = plugins.apply(config("", "tmpfs", "x-pair", "proc"), "/bundle")
    assert [mount["destination"] for mount in changed["mounts"]] == [
        "/tmpfs",
        "/x-paira",
        "/x-pairb",
        "/proc",
    ]
    assert plugins.apply(config("", "x-none"), "/bundle")["mounts"] == []


def test_a_spoiled_configuration() -> None:
    """What a plug-in answers is checked."""
    with pytest.raises(InvalidConfig, match="hostname"):
        plugins.apply(config("spoil"), "/bundle")


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (
            config("other"),
            r'annotations.stave.payload: no plug-in "other" is installed .*change, fail, lost, spoil',
        ),
        (config("fail"), 'plug-in "fail": RuntimeError: no interpreter'),
        (config("lost"), 'plug-in "lost" cannot be loaded'),
        (config("", "x-other"), r'mounts\[0\].type: no plug-in "other"'),
    ],
)
def test_failures(asked: Any, text: str) -> None:
    """The property, the plug-in and the reason are named."""
    with pytest.raises(Error, match=text) as raised:
        plugins.apply(asked, "/bundle")
    assert isinstance(raised.value, ConfigError)
