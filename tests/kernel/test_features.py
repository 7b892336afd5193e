"""What `features` lists works: each thing is tried."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stave.host.facts import read_facts

from .bundle import namespaces
from .driver import Container, Stave, namespace

Mount = dict[str, str]


@pytest.fixture
def features(stave: Stave) -> Any:
    """The features document."""
    return json.loads(stave("features").output)


# Per mount option that can be seen afterwards: the options to give it with, and what has to be seen.
# mount: words of the mount itself; super: of the file system; peers: the optional fields.
def has(part: str, word: str) -> Callable[[Mount], bool]:
    """The word is there."""
    return lambda mount: word in mount[part].replace(":", ",").split(",")


def lacks(part: str, *words: str) -> Callable[[Mount], bool]:
    """None of the words is there."""
    return lambda mount: not set(words) & set(mount[part].replace(":", ",").split(","))


def anything(_: Mount) -> bool:
    """The option is taken, and changes nothing that could be seen."""
    return True


ATTRIBUTES = {
    **{word: ([], has("mount", word)) for word in ("ro", "nosuid", "nodev", "noexec", "nodiratime", "noatime")},
    **{word: ([], has("mount", word)) for word in ("relatime", "nosymfollow")},
    **{
        word: ([opposite], lacks("mount", opposite))
        for word, opposite in (
            ("rw", "ro"), ("suid", "nosuid"), ("dev", "nodev"), ("exec", "noexec"), ("diratime", "nodiratime"),
            ("atime", "noatime"), ("symfollow", "nosymfollow"),
        )
    },
    "strictatime": ([], lacks("mount", "noatime", "relatime")),
    "nostrictatime": (["strictatime"], has("mount", "relatime")),
    "norelatime": (["noatime", "relatime"], has("mount", "relatime")),
}  # fmt: skip
OF_THE_MOUNT: dict[str, tuple[list[str], Callable[[Mount], bool]]] = {
    **ATTRIBUTES,
    **{word: ([], has("super", word)) for word in ("sync", "dirsync", "lazytime")},
    "async": (["sync"], lacks("super", "sync")),
    "nolazytime": (["lazytime"], lacks("super", "lazytime")),
    "mand": ([], anything),  # gone since Linux 5.15
    "nomand": (["mand"], lacks("super", "mand")),
    **{word: ([], has("peers", "shared")) for word in ("shared", "rshared")},
    **{word: (["shared"], lacks("peers", "shared")) for word in ("private", "rprivate", "slave", "rslave")},
    **{word: ([], has("peers", "unbindable")) for word in ("unbindable", "runbindable")},
    **{word: ([], anything) for word in ("defaults", "silent", "loud", "iversion", "noiversion")},
}
OF_THE_TREE = {
    f"r{word}": ([f"r{other}" for other in others], check) for word, (others, check) in ATTRIBUTES.items()
}
# They need more than a word: tested below, or in test_mount_kinds.py.
ELSEWHERE = {"bind", "rbind", "remount", "tmpcopyup"}
ELSEWHERE |= {"idmap", "ridmap", "copy-symlink", "src-nofollow", "dest-nofollow"}


def parse_mounts(text: str) -> dict[str, Mount]:
    """mountinfo's mounts by their target; the last one counts."""
    found = {}
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split()
        found[fields[4]] = {
            "mount": fields[5],
            "peers": ",".join(fields[6:]),
            "super": after.split()[2],
        }
    return found


def test_mount_options(container: Container, directory: Path, features: Any) -> None:
    """Each mount option is taken by a real mount, and can be seen on it; the recursive ones on one below."""
    listed = set(features["mountOptions"])
    assert listed == set(OF_THE_MOUNT) | set(OF_THE_TREE) | ELSEWHERE
    for option, (others, _) in OF_THE_MOUNT.items():
        container.mount(f"/m/{option}", *others, option, source="tmpfs", type="tmpfs")
    below = directory / "tree/below"
    below.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", below], check=True)
    try:
        for option, (others, _) in OF_THE_TREE.items():
            container.mount(f"/t/{option}", "rbind", *others, option, source=below.parent)
        output = container.says("cat /proc/self/mountinfo")
    finally:
        subprocess.run(["umount", below], check=True)
    mounts = parse_mounts(output)
    failed = [word for word, (_, check) in OF_THE_MOUNT.items() if not check(mounts[f"/m/{word}"])]
    failed += [word for word, (_, check) in OF_THE_TREE.items() if not check(mounts[f"/t/{word}/below"])]
    assert failed == []


def test_mount_options_that_need_more(container: Container, directory: Path, features: Any) -> None:
    """bind and rbind show a directory without and with what is mounted in it, remount changes, tmpcopyup copies."""
    assert {"bind", "rbind", "remount", "tmpcopyup"} <= set(features["mountOptions"])
    below = directory / "below"
    below.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", below], check=True)
    try:
        (below / "mounted").touch()
        (container.rootfs / "copied").mkdir()
        (container.rootfs / "copied/file").touch()
        container.mount("/bind", "bind", source=directory)
        container.mount("/rbind", "rbind", source=directory)
        container.mount("/copied", "tmpcopyup", source="tmpfs", type="tmpfs")
        container.mount("/changed", source="tmpfs", type="tmpfs")
        container.mount("/changed", "remount", "ro", source="tmpfs", type="tmpfs")
        script = "ls /bind/below; ls /rbind/below; ls /copied; grep ' /changed ' /proc/self/mountinfo"
        first, second, mount = container.says(script).splitlines()
    finally:
        subprocess.run(["umount", below], check=True)
    assert (first, second) == ("mounted", "file")
    assert mount.split()[5].startswith("ro,")


def test_namespaces(container: Container, features: Any) -> None:
    """Each type of namespace can be new."""
    listed = features["linux"]["namespaces"]
    container.linux["namespaces"] = namespaces(*listed)
    container.linux["uidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]
    container.linux["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]
    container.launch()
    names = {"network": "net", "mount": "mnt"}
    for kind in listed:
        name = names.get(kind, kind)
        assert namespace(container.pid, name) != namespace("self", name), kind
    assert len(listed) == 8


def test_capabilities(container: Container, features: Any) -> None:
    """Each capability that this machine lets the runtime have can be in all of the process's sets."""
    listed = features["linux"]["capabilities"]
    sets = ("bounding", "effective", "inheritable", "permitted", "ambient")
    container.process["capabilities"] = dict.fromkeys(sets, listed)
    outcome = container.says("grep Cap /proc/self/status")
    found = {line.split()[0]: int(line.split()[1], 16) for line in outcome.splitlines()}
    facts = read_facts()
    held = facts.held_capabilities & ((1 << (facts.last_capability + 1)) - 1)
    assert found == dict.fromkeys(("CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"), held)
    assert len(listed) > facts.last_capability


# System calls that neither the shell nor its commands make.
RARE = (
    "acct swapon swapoff quotactl nfsservctl kexec_load lookup_dcookie mq_getsetattr add_key vhangup".split()
)


def test_seccomp(container: Container, features: Any) -> None:
    """Each action (but to notify, which needs somebody to listen), operator and flag is taken by the kernel."""
    seccomp = features["linux"]["seccomp"]
    assert seccomp["enabled"]
    actions = [action for action in seccomp["actions"] if action != "SCMP_ACT_NOTIFY"]
    rules: list[dict[str, Any]] = [
        {"names": [name], "action": action} for name, action in zip(RARE, actions, strict=False)
    ]
    assert len(rules) == len(actions)
    arguments = [
        {"index": 0, "value": 99, "valueTwo": 99, "op": operator} for operator in seccomp["operators"]
    ]
    rules += [{"names": ["keyctl"], "action": "SCMP_ACT_ERRNO", "args": [each]} for each in arguments]
    flags = [flag for flag in seccomp["supportedFlags"] if flag != "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]
    container.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules, "flags": flags}
    assert container.says("grep ^Seccomp: /proc/self/status").split() == ["Seccomp:", "2"]
    assert set(seccomp["supportedFlags"]) <= set(seccomp["knownFlags"])


def test_hooks(container: Container, directory: Path, features: Any) -> None:
    """Each kind of hook runs, in the order in which they are listed."""
    log = directory / "log"
    container.config["hooks"] = {
        kind: [{"path": "/bin/sh", "args": ["sh", "-c", f"echo {kind} >>{log}"]}]
        for kind in features["hooks"]
    }
    # This one runs in the container's root.
    container.config["hooks"]["startContainer"][0]["args"][2] = "echo startContainer >>/log"
    container.mount("/log", "bind", source=log)
    log.touch()
    container.runs("true")
    container.run()
    assert log.read_text().split() == features["hooks"]


def test_cgroups(container: Container, features: Any) -> None:
    """The cgroup version of this machine is among those that are supported."""
    version = "v2" if read_facts().cgroups.is_v2 else "v1"
    assert features["linux"]["cgroup"][version]
    container.linux["resources"] = {"pids": {"limit": 20}}
    container.launch()
    assert (
        json.loads(container.stave("events", "--stats", container.id).output)["data"]["pids"]["limit"] == 20
    )


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="names the library of Debian's x86_64")
def test_library(features: Any) -> None:
    """The version of libseccomp is that of the library which is installed."""
    version = features["annotations"]["io.github.seccomp.libseccomp.version"]
    assert list(Path("/usr/lib/x86_64-linux-gnu").glob(f"libseccomp.so.{version}"))
