"""Limits and privileges reach the kernel, under docker's flags and the older spellings."""

from __future__ import annotations

from ..host import UNIFIED, cgroup, limits
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
