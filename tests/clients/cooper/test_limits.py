"""Limits and privileges reach the kernel, under docker's flags and the older spellings."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from ..host import CGROUPS, UNIFIED, cgroup, limits
from .program import Cooper


def test_limits_of_each_container(cooper: Cooper) -> None:
    """Every container has a control group of its own with what it was given."""
    cooper.run(
        "run",
        "-d",
        "--name",
        "one",
        "-m",
        "64m",
        "--cpus",
        "0.5",
        "--pids-limit",
        "50",
        "busybox",
        "sleep",
        "1000",
    )
    cooper.run("run", "-d", "--name", "two", "-m", "32m", "busybox", "sleep", "1000")
    pids = [int(cooper.inspect(name, "{{.State.Pid}}")) for name in ("one", "two")]
    assert limits(pids[0]) == {"memory": str(64 << 20), "cpu": "50000 100000", "pids": "50"}
    assert limits(pids[1])["memory"] == str(32 << 20)
    cooper.run("update", "-m", "48m", "--pids-limit", "60", "one")
    assert limits(pids[0]) == {"memory": str(48 << 20), "cpu": "50000 100000", "pids": "60"}
    assert limits(pids[1])["memory"] == str(32 << 20)
    cooper.run("restart", "-t", "0", "one")
    assert limits(int(cooper.inspect("one", "{{.State.Pid}}")))["pids"] == "60"


def test_older_spellings(cooper: Cooper) -> None:
    """--cpuset and --cpushare do what their names say: processors, and a weight."""
    cooper.run("run", "-d", "--name", "one", "--cpuset", "0", "--cpushare", "512", "busybox", "sleep", "1000")
    pid = int(cooper.inspect("one", "{{.State.Pid}}"))
    assert (cgroup(pid, "cpuset") / "cpuset.cpus").read_text().strip() == "0"
    if UNIFIED:
        assert (cgroup(pid, "cpu") / "cpu.weight").read_text() != "100\n"
    else:
        assert (cgroup(pid, "cpu") / "cpu.shares").read_text().strip() == "512"


def test_privileges(cooper: Cooper) -> None:
    """Capabilities are added and dropped; --privileged has all of them and the host's devices."""
    script = (
        "busybox",
        "sh",
        "-c",
        "grep CapEff /proc/self/status; grep Seccomp: /proc/self/status; ls /dev | wc -l",
    )
    plain = cooper.out("run", "--rm", *script).split()
    assert plain[1] == "00000000a80425fb"
    assert plain[3] == "2"
    dropped = cooper.out("run", "--rm", "--cap-drop", "all", "--cap-add", "net_admin", *script).split()
    assert int(dropped[1], 16) == 1 << 12
    privileged = cooper.out("run", "--rm", "--privileged", *script).split()
    assert int(privileged[1], 16) & int(plain[1], 16) == int(plain[1], 16) != int(privileged[1], 16)
    assert privileged[3] == "0" and int(privileged[4]) > int(plain[4])
    unconfined = cooper.out("run", "--rm", "--security-opt", "seccomp=unconfined", *script).split()
    assert unconfined[3] == "0"


def test_what_else_is_passed_on(cooper: Cooper) -> None:
    """ulimits, sysctls, host name, devices, oom score, namespaces of the host."""
    flags = ("--ulimit", "nofile=123:456", "--sysctl", "net.ipv4.ip_forward=1", "--hostname", "named",
             "--device", "/dev/fuse:/dev/myfuse:r", "--oom-score-adj", "500", "--pid", "host")  # fmt: skip
    script = "ulimit -n; cat /proc/sys/net/ipv4/ip_forward; hostname; test -c /dev/myfuse; echo $?; cat /proc/self/oom_score_adj"
    out = cooper.out("run", "--rm", *flags, "busybox", "sh", "-c", script)
    assert out.split() == ["123", "1", "named", "0", "500"]


def has_domain_names(runtime: str) -> bool:
    """Whether the runtime knows `domainname`, which came with version 1.1 of the specification: not so runc 1.1."""
    version = subprocess.run([runtime, "--version"], capture_output=True, text=True, check=True).stdout
    return not version.startswith("runc version 1.1.")


def test_every_flag_reaches_the_runtime(cooper: Cooper, tmp_path: Path) -> None:
    """What has no test of its own is in config.json, which the container has run by."""
    (tmp_path / "labels").write_text("# comment\nx=y\n\nalone\n")
    flags = (
        "--group-add", "1234", "--umask", "077", "--label-file", str(tmp_path / "labels"), "--annotation", "a.b=c",
        "--memory-reservation", "50m", "-m", "100m", "--cpu-period", "50000", "--cpu-quota", "25000",
        "--cpuset-cpus", "0", "--cpuset-mems", "0", "--cgroup-parent", "/cooper/parent-of-a-test",
        "--device-cgroup-rule", "c 10:* rwm", "--domainname", "domain", "--ipc", "host", "--cgroupns", "host",
        "--oom-score-adj", "100", "--workdir", "/made/for/it", "--security-opt", "no-new-privileges", "--network", "none",
    )  # fmt: skip
    script = "id -G; umask; cat /proc/sys/kernel/domainname; pwd; cat /proc/self/cgroup"
    lines = cooper.out("run", "--name", "one", *flags, "busybox", "sh", "-c", script).splitlines()
    domain = "domain" if has_domain_names(cooper.runtime) else "(none)"
    assert lines[:4] == ["0 1234", "0077", domain, "/made/for/it"]
    assert any("/cooper/parent-of-a-test/" in line for line in lines[4:])
    directory = cooper.root / "containers" / cooper.inspect("one", "{{.Id}}")
    config = json.loads((directory / "config.json").read_text())
    linux = config["linux"]
    assert config["annotations"]["a.b"] == "c"
    assert config["process"]["noNewPrivileges"] is True
    assert config["process"]["oomScoreAdj"] == 100
    assert linux["resources"]["cpu"] == {"period": 50000, "quota": 25000, "cpus": "0", "mems": "0"}
    assert linux["resources"]["memory"] == {"limit": 100 << 20, "swap": 200 << 20, "reservation": 50 << 20}
    assert {"allow": True, "type": "c", "major": 10, "access": "rwm"} in linux["resources"]["devices"]
    assert not {"ipc", "cgroup"} & {namespace["type"] for namespace in linux["namespaces"]}
    labels = cooper.inspect("one", "{{json .Config.Labels}}")
    assert json.loads(labels) == {"x": "y", "alone": ""}
    for hierarchy in [CGROUPS, *CGROUPS.iterdir()]:
        if (hierarchy / "cooper/parent-of-a-test").is_dir():
            (hierarchy / "cooper/parent-of-a-test").rmdir()
