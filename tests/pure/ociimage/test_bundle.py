"""config.json of an image and of options."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ociimage.bundle.capabilities import ALL, DEFAULT
from ociimage.bundle.config import INIT, MASKED_PATHS, make_config
from ociimage.bundle.options import Options
from ociimage.bundle.rootfs import Rootfs
from ociimage.bundle.seccomp import default_profile, load_profile
from ociimage.bundle.seccomp_default import ALWAYS
from ociimage.bundle.users import User
from ociimage.errors import InvalidOption
from ocispec.reference import problems

IMAGE = {"Cmd": ["sh"], "Env": ["PATH=/bin", "LANG=C"], "WorkingDir": "/srv", "StopSignal": "SIGUSR1"}
MAPPINGS = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def made(image: dict[str, Any] | None = None, **options: Any) -> Any:
    """The configuration, which the specification allows."""
    config = make_config(IMAGE if image is None else image, Options(**options), "/rootfs")
    assert problems(config) == []
    return config


def env(config: Any) -> dict[str, str]:
    """The process's environment."""
    return dict(entry.split("=", 1) for entry in config["process"]["env"])


def test_an_image_alone_makes_a_container() -> None:
    """With its command, environment and directory, docker's capabilities, and a profile."""
    config = made()
    assert config["process"]["args"] == ["sh"]
    assert config["process"]["cwd"] == "/srv"
    assert env(config) == {"PATH": "/bin", "LANG": "C", "HOME": "/"}
    assert config["process"]["capabilities"]["bounding"] == [name for name in ALL if name in DEFAULT]
    assert "inheritable" not in config["process"]["capabilities"]
    assert config["linux"]["maskedPaths"] == list(MASKED_PATHS)
    assert config["linux"]["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
    assert config["annotations"] == {"org.opencontainers.image.stopSignal": "SIGUSR1"}


@pytest.mark.parametrize(
    ("image", "options", "args"),
    [
        ({"Entrypoint": ["e"], "Cmd": ["c"]}, {}, ["e", "c"]),
        ({"Entrypoint": ["e"], "Cmd": ["c"]}, {"command": ["x"]}, ["e", "x"]),
        ({"Entrypoint": ["e"], "Cmd": ["c"]}, {"entrypoint": ["n"]}, ["n"]),
        ({"Entrypoint": ["e"], "Cmd": ["c"]}, {"entrypoint": [], "command": ["x"]}, ["x"]),
        ({"Cmd": ["c"]}, {"init": "/usr/bin/tini"}, [INIT, "--", "c"]),
    ],
)
def test_entrypoint_and_command_are_dockers(image: Any, options: Any, args: list[str]) -> None:
    """A new entrypoint drops the image's command, a new command keeps the image's entrypoint."""
    assert made(image, **options)["process"]["args"] == args


@pytest.mark.parametrize("image", [{}, {"Cmd": None}, {"Cmd": []}, {"Cmd": [""]}])
def test_without_a_command_there_is_no_container(image: dict[str, Any]) -> None:
    """And the error says what to do."""
    with pytest.raises(InvalidOption, match="command"):
        made(image)


def test_the_environment_is_never_the_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an image says that is not NAME=VALUE becomes nothing (CVE-2026-57231); callers go before images."""
    monkeypatch.setenv("SECRET", "of the host")
    image = {"Cmd": ["sh"], "Env": ["SECRET", "", "=x", "PATH", "A=1", "B=2", "C="]}
    found = env(made(image, env=["A=9", "D=4"], hostname="box", terminal=True))
    assert found == {
        **{"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME": "box"},
        **{"TERM": "xterm", "HOME": "/", "A": "9", "B": "2", "C": "", "D": "4"},
    }


def test_privileged_takes_all_restrictions_away() -> None:
    """But for namespaces."""
    config = made(privileged=True, apparmor_profile="x")
    assert config["process"]["capabilities"]["bounding"] == list(ALL)
    assert "seccomp" not in config["linux"]
    assert "apparmorProfile" not in config["process"]
    assert config["linux"]["maskedPaths"] == config["linux"]["readonlyPaths"] == []
    assert config["linux"]["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    assert not any("ro" in mount["options"] for mount in config["mounts"])


@pytest.mark.parametrize(
    ("add", "drop", "check"),
    [
        (["sys_admin"], [], {"CAP_SYS_ADMIN", *DEFAULT}),
        ([], ["ALL"], set()),
        (["CAP_KILL"], ["all"], {"CAP_KILL"}),
        (["ALL"], ["NET_ADMIN"], set(ALL) - {"CAP_NET_ADMIN"}),
        ([], ["chown"], set(DEFAULT) - {"CAP_CHOWN"}),
    ],
)
def test_capabilities_are_added_and_dropped(add: list[str], drop: list[str], check: set[str]) -> None:
    """ALL is what the names of the other list are excepted from."""
    assert set(made(cap_add=add, cap_drop=drop)["process"]["capabilities"]["effective"]) == check


def test_capabilities_that_cannot_be_had_are_left_out() -> None:
    """Unless they are asked for by name: the runtime then says why not."""
    config = made(privileged=True, available_capabilities=0b1, cap_add=["BPF"])
    assert config["process"]["capabilities"]["bounding"] == ["CAP_CHOWN", "CAP_BPF"]
    for add, drop in ((["NONE_SUCH"], []), (["KILL"], ["CAP_KILL"])):
        with pytest.raises(InvalidOption):
            made(cap_add=add, cap_drop=drop)


def test_namespaces_are_new_the_hosts_or_given() -> None:
    """A user namespace comes with mappings, one for cgroups with cgroup v2."""
    kinds = [item["type"] for item in made()["linux"]["namespaces"]]
    assert kinds == ["pid", "network", "ipc", "uts", "mount", "cgroup"]
    config = made(
        namespaces={"network": "/proc/1/ns/net", "pid": "host", "uts": "host", "time": "private"},
        cgroup_v2=False,
        hostname="x",
        uid_mappings=MAPPINGS,
        gid_mappings=MAPPINGS,
    )
    found = {item["type"]: item.get("path") for item in config["linux"]["namespaces"]}
    assert found == {"network": "/proc/1/ns/net", "ipc": None, "mount": None, "user": None, "time": None}
    assert "hostname" not in config
    assert config["linux"]["uidMappings"] == MAPPINGS
    # What belongs to the host's namespaces cannot be mounted anew in a user namespace.
    mounts = {mount["destination"]: mount for mount in config["mounts"]}
    assert mounts["/proc"]["type"] == mounts["/sys"]["type"] == "bind"
    with pytest.raises(InvalidOption):
        made(namespaces={"pid": "container:x"})


def test_the_callers_mounts_replace_the_usual_ones() -> None:
    """Outer ones come before those that lie in them."""
    mounts = [
        {"destination": "/data/deep/", "type": "bind", "source": "/b", "options": ["rbind"]},
        {"destination": "/data", "type": "bind", "source": "/a", "options": ["rbind"]},
        {"destination": "//dev/shm", "type": "tmpfs", "source": "tmpfs", "options": []},
    ]
    found = [mount["destination"] for mount in made(mounts=mounts)["mounts"]]
    assert found.count("/dev/shm") == 0 and "//dev/shm" in found
    assert found.index("/data") < found.index("/data/deep/")
    for destination in ("/", "relative", "/a/..", "/a\0"):
        with pytest.raises(InvalidOption):
            made(mounts=[{"destination": destination}])


def test_options_reach_their_places() -> None:
    """Each where config.json has it."""
    config = made(
        user=User(1000, 100, [5, 6], "/home/me", "me"),
        umask=0o27,
        terminal=True,
        console_size=(24, 80),
        oom_score_adj=100,
        rlimits=[{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2}],
        no_new_privileges=True,
        read_only=True,
        shm_size=1 << 20,
        resources={"memory": {"limit": 1 << 20}, "pids": {"limit": 5}},
        cgroups_path="/a/b",
        sysctl={"kernel.shmmax": "1"},
        annotations={"a": "b"},
        masked_paths=[],
        seccomp="unconfined",
        device_rules=[{"allow": True, "type": "c", "major": 10, "minor": 200, "access": "rw"}],
        workdir="/w",
    )
    process = config["process"]
    assert process["user"] == {"uid": 1000, "gid": 100, "additionalGids": [100, 5, 6], "umask": 0o27}
    assert process["consoleSize"] == {"height": 24, "width": 80}
    assert (process["oomScoreAdj"], process["noNewPrivileges"], process["cwd"]) == (100, True, "/w")
    assert env(config)["HOME"] == "/home/me"
    assert config["root"]["readonly"] is True
    assert "size=1048576" in next(m for m in config["mounts"] if m["destination"] == "/dev/shm")["options"]
    linux = config["linux"]
    assert linux["resources"]["memory"] == {"limit": 1 << 20}
    assert linux["resources"]["devices"][0] == {"allow": False, "access": "rwm"}
    assert linux["resources"]["devices"][-1]["major"] == 10
    assert linux["sysctl"]["kernel.shmmax"] == "1"
    assert (linux["cgroupsPath"], linux["maskedPaths"], "seccomp" in linux) == ("/a/b", [], False)
    assert config["annotations"]["a"] == "b"


def test_labels_of_an_image_are_no_annotations() -> None:
    """A runtime may obey annotations, and an image is of unknown origin."""
    image = {"Cmd": ["sh"], "Labels": {"run.oci.handler": "krun", "org.systemd.property.ExecStartPre": "x"}}
    assert "annotations" not in made(image)


def rule(profile: Any, name: str) -> list[Any]:
    """The profile's rules about a call."""
    return [each for each in profile["syscalls"] if name in each["names"]]


def test_the_profile_depends_on_capabilities() -> None:
    """Namespaces are for who has CAP_SYS_ADMIN; without it clone3 is unknown and clone's flags are looked at."""
    plain = default_profile(DEFAULT, "amd64")
    assert not rule(plain, "mount") and not rule(plain, "unshare") and not rule(plain, "bpf")
    assert rule(plain, "chroot")
    assert [each["errnoRet"] for each in rule(plain, "clone3")] == [38]
    assert rule(plain, "clone")[0]["args"][0]["value"] == 0x7E020000
    assert rule(default_profile(DEFAULT, "s390x"), "clone")[0]["args"][0]["index"] == 1
    admin = default_profile(["CAP_SYS_ADMIN"], "amd64")
    assert rule(admin, "mount") and "args" not in rule(admin, "clone")[0] and not rule(admin, "chroot")
    for name in (
        "keyctl",
        "add_key",
        "kexec_load",
        "io_uring_setup",
        "userfaultfd",
        "init_module",
        "open_by_handle_at",
    ):
        assert not rule(plain, name), name


def test_the_profile_names_each_call_once() -> None:
    """Lists stay readable only without repetitions."""
    assert len(ALWAYS) == len(set(ALWAYS))


def test_dockers_form_of_a_profile_is_read() -> None:
    """Rules hold for the capabilities, architectures and kernels that they name."""
    profile = load_profile(
        b"""{"defaultAction": "SCMP_ACT_ERRNO",
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
        "syscalls": [
          {"names": ["a"], "action": "SCMP_ACT_ALLOW", "args": [], "comment": "", "includes": {}, "excludes": {}},
          {"names": ["b"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_BPF"]}},
          {"names": ["c"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_KILL"]}},
          {"names": ["d"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["s390x"]}},
          {"names": ["e"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
          {"names": ["f"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "999.0"}},
          {"name": "g", "action": "SCMP_ACT_LOG"}]}""",
        ["CAP_KILL"],
        "amd64",
    )
    assert [each["names"] for each in profile["syscalls"]] == [["a"], ["e"], ["g"]]
    assert profile["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    made(seccomp=profile)
    for data in (b"", b"[]", b"{}", b'{"defaultAction":"x","syscalls":[1]}'):
        with pytest.raises(InvalidOption):
            load_profile(data, [], "amd64")


@pytest.fixture
def rootfs(tmp_path: Path) -> Rootfs:
    """With accounts that try to be what they are not."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\n1000:x:0:0::/:/bin/sh\nme:x:1001:100:Me:/home/me:/bin/sh\n"
        "broken\n:x:5:5::/:\nbig:x:4294967295:0::/:\n+nis::::::\nspace :x:7:7::/:\n"
    )
    (tmp_path / "etc/group").write_text(
        "root:x:0:\nusers:x:100:\nwheel:x:10:me,root\naudio:x:29:me\nbad:x:x:me\n"
    )
    return Rootfs(str(tmp_path))


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("", (0, 0, [10], "/root")),
        ("root", (0, 0, [10], "/root")),
        ("1", (1, 0, [], "/")),
        ("01", (1, 0, [], "/")),
        ("1000", (1000, 0, [], "/")),
        ("1001", (1001, 100, [10, 29], "/home/me")),
        ("me", (1001, 100, [10, 29], "/home/me")),
        ("me:wheel", (1001, 10, [], "/home/me")),
        ("me:7", (1001, 7, [], "/home/me")),
        ("1:2", (1, 2, [], "/")),
        ("4294967294", (4294967294, 0, [], "/")),
    ],
)
def test_users_are_found(rootfs: Rootfs, spec: str, found: tuple[int, int, list[int], str]) -> None:
    """A number is never a name (CVE-2016-3697), and groups come from the container's own files."""
    with rootfs:
        user = rootfs.user(spec)
    assert (user.uid, user.gid, user.groups, user.home) == found


@pytest.mark.parametrize(
    "spec",
    [
        *("1:", ":1", ":", "+1", "-1", " 1", "1 ", "nobody", "big", "+nis", "me:nogroup", "1:2:3"),
        *("4294967295", "4294967296", "18446744073709551616", "1:4294967295", "9" * 5000, "\u0661"),
    ],
)
def test_other_users_are_refused(rootfs: Rootfs, spec: str) -> None:
    """Beyond the range is an error, never another number or a name (CVE-2024-40635)."""
    with rootfs, pytest.raises(InvalidOption):
        rootfs.user(spec)


def test_accounts_are_not_read_through_links_to_the_host(rootfs: Rootfs, tmp_path: Path) -> None:
    """An absolute link is one within the root file system; a FIFO does not hold us up."""
    outside = tmp_path.parent / "canary-passwd"
    outside.write_text("evil:x:0:0::/:\n")
    (tmp_path / "etc/passwd").unlink()
    (tmp_path / "etc/passwd").symlink_to(outside)
    with rootfs:
        with pytest.raises(InvalidOption):
            rootfs.user("evil")
        (tmp_path / "etc/passwd").unlink()
        os.mkfifo(tmp_path / "etc/passwd")
        with pytest.raises(InvalidOption):
            rootfs.user("evil")
        assert rootfs.user("5").uid == 5
    outside.unlink()


def test_groups_are_added(rootfs: Rootfs) -> None:
    """By name and by number, each once."""
    with rootfs:
        assert rootfs.user("me", ["audio", "77", "users"]).groups == [10, 29, 77]
        with pytest.raises(InvalidOption):
            rootfs.user("me", ["nogroup"])


def test_the_working_directory_is_made_inside(rootfs: Rootfs, tmp_path: Path) -> None:
    """A link on its way leads within the root file system (CVE-2026-55686), and nothing outside is touched."""
    outside = tmp_path.parent / "canary-workdir"
    outside.mkdir()
    (tmp_path / "a").symlink_to(outside)
    (tmp_path / "up").symlink_to("../../../..")
    (tmp_path / "file").touch()
    uid = os.getuid()
    with rootfs:
        with pytest.raises(InvalidOption):
            rootfs.make_working_directory("/a/b", uid, uid)
        rootfs.make_working_directory("/up/x/y", uid, uid)
        rootfs.make_working_directory("/../../z", uid, uid)
        rootfs.make_working_directory("/", uid, uid)
        with pytest.raises(InvalidOption):
            rootfs.make_working_directory("/file/x", uid, uid)
    assert (tmp_path / "x/y").is_dir() and (tmp_path / "z").is_dir()
    assert list(outside.iterdir()) == []
    outside.rmdir()
