"""The pages that tell how to plug the runtime in: each line that they show does what they say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from .containerd import Containerd
from .engines import GROUP, Engine, scratch
from .image import IMAGE

PAGES = Path(__file__).parent.parent.parent / "docs" / "clients"
INSTALLED = "/usr/local/bin/stave"
HELLO = ["echo", "hello"]


def commands(page: str) -> list[list[str]]:
    """The command lines that the page shows, in words."""
    text = (PAGES / f"{page}.md").read_text()
    return [
        line.split()
        for line in re.findall(r"^    (\S.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.M)
    ]


def snippet(page: str) -> str:
    """The configuration that the page shows."""
    (found,) = re.findall(r"```\w+\n(.*?)```", (PAGES / f"{page}.md").read_text(), re.DOTALL)
    return str(found)


def words(shown: Sequence[str], **places: str | Path) -> list[str]:
    """The words with what stands for a place of the reader's replaced."""
    return [str(places.get(word, word)) for word in shown]


def ok(*command: str | Path, env: Mapping[str, str] | None = None) -> str:
    """The command has succeeded; returns what it wrote."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=180, env=env)
    assert done.returncode == 0, done.stderr
    return str(done.stdout).strip()


def program(name: str) -> str:
    """The program's path; the test is skipped where it is not installed."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def test_every_page_is_tested() -> None:
    """There is a test below for each."""
    tested = {
        name.removeprefix("test_").removesuffix("_page") for name in globals() if name.endswith("_page")
    }
    assert tested == {page.stem for page in PAGES.iterdir()}


def test_podman_page(podman_engine: Engine, runtime: Path, tmp_path: Path) -> None:
    """The flag works, and so does the configuration, with the runtime's own words for an error."""
    ((name, flag, place, *rest),) = commands("podman")
    assert (name, flag, place, rest[-2:]) == ("podman", "--runtime", INSTALLED, HELLO)
    flags = [flag, str(runtime), *rest[:2], f"--cgroup-parent=/{GROUP}", IMAGE, *HELLO]
    assert podman_engine.ok(*flags) == "hello"
    configured = tomllib.loads(snippet("podman"))["engine"]
    assert configured["runtimes"][configured["runtime"]] == [INSTALLED]
    file = tmp_path / "containers.conf"
    general, _, runtimes = snippet("podman").replace(INSTALLED, str(runtime)).partition("[engine.runtimes]\n")
    own = Path(podman_engine.env["CONTAINERS_CONF"]).read_text().splitlines(keepends=True)
    machine = "".join(line for line in own if not line.startswith("runtime_supports_json"))
    file.write_text(machine.replace("[engine]\n", general) + f"[engine.runtimes]\n{runtimes}")
    command = [word for word in podman_engine.command if not word.startswith("--runtime=")]
    env = {**podman_engine.env, "CONTAINERS_CONF": str(file)}
    run = [*command, "run", "--rm", f"--cgroup-parent=/{GROUP}", IMAGE]
    assert ok(*run, *HELLO, env=env) == "hello"
    failed = subprocess.run([*run, "missing"], env=env, capture_output=True, text=True, timeout=180)
    assert failed.returncode == 127 and 'exec: "missing": executable file not found' in failed.stderr


def test_docker_page(docker_engine: Engine, runtime: Path) -> None:
    """The daemon has been started with this configuration, and the flag names the runtime that it defines."""
    configured = json.loads(snippet("docker"))
    assert configured["runtimes"][configured["default-runtime"]] == {"path": INSTALLED}
    own = json.loads((docker_engine.directory / "daemon.json").read_text())
    assert configured == json.loads(
        json.dumps(own).replace('"tested"', '"stave"').replace(str(runtime), INSTALLED)
    )
    ((name, *rest),) = commands("docker")
    assert (name, rest[:3], rest[-2:]) == ("docker", ["run", "--runtime", "stave"], HELLO)
    assert docker_engine.ok("run", "--runtime", "tested", "--rm", IMAGE, *HELLO) == "hello"


def test_containerd_page(ctr: Containerd, runtime: Path, tmp_path: Path) -> None:
    """The flag works; the configuration is understood, and its handler runs this program."""
    ((name, *rest),) = commands("containerd")
    assert (name, rest[:4]) == ("ctr", ["run", "--rm", "--runc-binary", INSTALLED])
    assert ctr.run(*HELLO).stdout == "hello\n"
    file = tmp_path / "config.toml"
    file.write_text(snippet("containerd").replace(INSTALLED, str(runtime)))
    dumped = tomllib.loads(ok(program("containerd"), f"--config={file}", "config", "dump"))
    handler = dumped["plugins"]["io.containerd.grpc.v1.cri"]["containerd"]["runtimes"]["stave"]
    assert handler["runtime_type"] == "io.containerd.runc.v2"
    assert handler["options"]["BinaryName"] == str(runtime)


def test_buildah_page(runtime: Path, archive: Path, tmp_path: Path) -> None:
    """A step by hand and a whole build run in containers of the runtime."""
    run, build = commands("buildah")
    buildah = program("buildah")
    (tmp_path / "Containerfile").write_text(f"FROM docker-archive:{archive}\nRUN echo hello\n")
    limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"]
    with scratch("buildah-page") as directory:
        storage = [f"--root={directory}/storage", f"--runroot={directory}/run", "--storage-driver=vfs"]
        container = ok(buildah, *storage, "from", *limits, f"docker-archive:{archive}")
        place: dict[str, str | Path] = {INSTALLED: runtime, "CONTAINER": container, "DIRECTORY": tmp_path}
        made = words(run[1:], **place)
        made.insert(1, "--network=none")
        assert ok(buildah, *storage, *made) == "hello"
        made = words(build[1:], **place)
        made[1:1] = ["--network=none", *limits]
        assert "hello" in ok(buildah, *storage, *made)
        ok(buildah, *storage, "rm", "--all")


def test_umoci_page(runtime: Path, archive: Path, tmp_path: Path) -> None:
    """The bundle is made by the first line and run by the second."""
    unpack, run = commands("umoci")
    image, bundle = tmp_path / "image", tmp_path / "bundle"
    ok(program("skopeo"), "--insecure-policy", "copy", f"docker-archive:{archive}", f"oci:{image}:latest")
    ok(program("umoci"), *words(unpack[1:], **{"IMAGE:latest": f"{image}:latest", "BUNDLE": str(bundle)}))
    config = json.loads((bundle / "config.json").read_text())
    config["process"] |= {"terminal": False, "args": HELLO}
    config["linux"]["cgroupsPath"] = f"/{GROUP}/umoci-page"
    (bundle / "config.json").write_text(json.dumps(config))
    assert ok(runtime, "--root", tmp_path / "state", *words(run[1:], BUNDLE=bundle)) == "hello"
