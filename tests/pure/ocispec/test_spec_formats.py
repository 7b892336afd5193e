"""The named string formats, each by examples on both sides of its edge."""

from __future__ import annotations

import pytest

from ocispec.formats import FORMATS
from ocispec.sysctl import sysctl_namespace, sysctl_path

EXAMPLES: dict[str, tuple[list[str], list[str]]] = {
    "semver": (
        [
            "0.0.0",
            "1.0.0",
            "10.20.30",
            "1.0.0-alpha.1",
            "1.0.0-x-y-z.--",
            "1.2.3+b.001",
            "1.2.3-0+-",
            "1.0.2-dev",
        ],
        [
            "",
            "1",
            "1.0",
            "1.0.0.0",
            "v1.0.0",
            "01.0.0",
            "1.0.-1",
            "1.0.0-",
            "1.0.0-01",
            "1.0.0-a..b",
            "1.0.0+",
            "1.0.0+a_b",
            "1.0.0 ",
            "\u0661.0.0",
            "invalid",
            "1.0.0-\u00e9",
        ],
    ),
    "oci-version": (
        ["1.0.0", "1.0.2-dev", "1.3.0+dev", "1.4.0-rc.1"],
        ["invalid", "2.0.0", "0.9.0", "1.0", "11.0.0"],
    ),
    "absolute-path": (["/", "/a/../b"], ["", "a", "./a", " /a"]),
    "optional-absolute-path": (["", "/a"], ["a", " "]),
    "number-list": (
        ["", "0", "0-3,7", "5-5", "1023"],
        [
            "a",
            "3-1",
            "1-",
            "-1",
            "1,,2",
            ",1",
            "1,",
            "1 ,2",
            "1-2-3",
            "99999999999",
            "0-7:2",
            "\u0661",
            "1\n",
        ],
    ),
    "device-access": (["", "r", "w", "m", "mrw"], ["x", "rr", "R", "r w"]),
    "hugepage-size": (
        ["64KB", "2MB", "1GB", "16GB", "1TB", "4B"],
        ["", "B", "KB", "0MB", "2mb", "2M", "2KMB", "02MB", "2 MB", "-2MB", "2MiB"],
    ),
    "clos-id": (["/", "a", "a b"], [".", "..", "a/b", "/a"]),
    "line": (["", "L3:0=f"], ["a\nb", "\n"]),
    "memory-bandwidth-schema": (["MB:", "MB:0=20;1=70"], ["", "mb:0=1", "L3:0=f", "MB:0=1\nL3:0=f"]),
}


def test_every_format_has_examples() -> None:
    """No format goes untested."""
    assert EXAMPLES.keys() == FORMATS.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_format(name: str) -> None:
    """The format accepts exactly the good examples."""
    good, bad = EXAMPLES[name]
    accepts, text = FORMATS[name]
    assert [value for value in good if not accepts(value)] == []
    assert [value for value in bad if accepts(value)] == []
    assert text.startswith("must ")


@pytest.mark.parametrize(
    ("name", "path", "namespace"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward", "network"),
        ("net/ipv4/conf/eth0.1/forwarding", "net/ipv4/conf/eth0.1/forwarding", "network"),
        ("net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding", "network"),
        ("kernel.shmmax", "kernel/shmmax", "ipc"),
        ("fs.mqueue.msg_max", "fs/mqueue/msg_max", "ipc"),
        ("kernel.domainname", "kernel/domainname", "uts"),
        ("kernel.shmmax.x", "kernel/shmmax/x", None),
        ("kernel.pid_max", "kernel/pid_max", None),
        ("network.x", "network/x", None),
        ("vm", "vm", None),
    ],
)
def test_sysctl(name: str, path: str, namespace: str | None) -> None:
    """Both separators lead to the same file, and only namespaced parameters have a namespace."""
    assert sysctl_path(name) == path
    assert sysctl_namespace(path) == namespace


@pytest.mark.parametrize(
    "name", ["", ".", "/", "net..x", "/net/x", "net/../kernel/x", "net.//.x", "net.x.", "net/./x"]
)
def test_sysctl_stays_below_proc_sys(name: str) -> None:
    """No name leads out of /proc/sys, whichever separator hides the dots."""
    with pytest.raises(ValueError, match="not the name of a kernel parameter"):
        sysctl_path(name)
