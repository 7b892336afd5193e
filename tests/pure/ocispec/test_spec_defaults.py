"""The default configuration against the one of an installed runc."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import ocispec
from ocispec import config, reference
from ocispec.defaults import default_config


@pytest.mark.parametrize("rootless", [False, True])
def test_is_valid(rootless: bool) -> None:
    """What `spec` prints loads without a change."""
    made = default_config(rootless, 1000, 100)
    assert reference.problems(made) == []
    assert config.parse_config(json.dumps(made).encode()) == made
    assert made["ociVersion"] == ocispec.VERSION


def test_each_is_new() -> None:
    """Changing one default configuration leaves the next as it was."""
    for rootless in (False, True):
        first: Any = default_config(rootless)
        untouched = json.dumps(first)
        first["linux"]["namespaces"][0]["path"] = "/x"
        first["process"]["capabilities"]["bounding"].clear()
        first["mounts"][1]["options"].append("x")
        first["linux"]["maskedPaths"].clear()
        assert json.dumps(default_config(rootless)) == untouched


def test_ids_are_mapped() -> None:
    """Rootless: root in the container is the caller outside."""
    linux = default_config(rootless=True, uid=1000, gid=100)["linux"]
    assert linux["uidMappings"] == [{"containerID": 0, "hostID": 1000, "size": 1}]
    assert linux["gidMappings"] == [{"containerID": 0, "hostID": 100, "size": 1}]


@pytest.mark.parametrize("rootless", [False, True])
def test_same_as_runc(rootless: bool, tmp_path: Path) -> None:
    """runc's `spec` has the same content, but for its version, its name and ambient capabilities."""
    runc = shutil.which("runc")
    if runc is None:
        pytest.skip("runc is not installed")
    subprocess.run([runc, "spec", *(["--rootless"] if rootless else [])], cwd=tmp_path, check=True)
    theirs = json.loads((tmp_path / "config.json").read_text())
    has_cgroup = {"type": "cgroup"} in theirs["linux"]["namespaces"]
    ours: Any = default_config(rootless, hostname="runc", cgroup_namespace=has_cgroup)
    theirs["ociVersion"] = ours["ociVersion"]
    theirs["process"]["capabilities"].pop("ambient", None)
    for document in (ours, theirs):
        document["linux"]["namespaces"].sort(key=lambda namespace: namespace["type"])
    assert ours == theirs
