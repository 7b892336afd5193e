"""Privileges: capabilities, no_new_privs, labels; and how the kernel is to treat the program."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ociconformance import machine
from ociconformance.container import Container
from ociconformance.probe import fields
from ociconformance.testing import UNCLAIMED, case, covers

FIELDS = {
    "bounding": "CapBnd",
    "effective": "CapEff",
    "inheritable": "CapInh",
    "permitted": "CapPrm",
    "ambient": "CapAmb",
}
_PR_CAPBSET_DROP = 24
_CAP_WAKE_ALARM = 35


def status(container: Container) -> dict[str, str]:
    """The program's /proc/self/status."""
    container.process["args"] = ["cat", "/proc/self/status"]
    code = container.run()
    assert code == 0, f"{code}: {container.errors}"
    return fields(container.output)


def sets(container: Container) -> dict[str, set[str]]:
    """The program's five sets of capabilities."""
    found = status(container)
    return {name: machine.capabilities(int(found[field], 16)) for name, field in FIELDS.items()}


ROOT_SETS = {
    "bounding": {"CAP_KILL", "CAP_CHOWN", "CAP_NET_BIND_SERVICE", "CAP_SYS_ADMIN"},
    "effective": {"CAP_KILL", "CAP_CHOWN", "CAP_NET_BIND_SERVICE", "CAP_SYS_ADMIN"},
    "permitted": {"CAP_KILL", "CAP_CHOWN", "CAP_NET_BIND_SERVICE", "CAP_SYS_ADMIN"},
    "inheritable": {"CAP_CHOWN", "CAP_KILL"},
    "ambient": {"CAP_KILL"},
}
USER_SETS = {
    "bounding": {"CAP_KILL", "CAP_CHOWN", "CAP_NET_BIND_SERVICE"},
    "effective": {"CAP_KILL"},
    "permitted": {"CAP_KILL"},
    "inheritable": {"CAP_KILL", "CAP_CHOWN"},
    "ambient": {"CAP_KILL"},
}
"""Sets that execve(2) does not change, for root and for another user."""


@pytest.mark.parametrize(
    "name", [case(name, covers=f"config/process/capabilities/{name}") for name in FIELDS]
)
@pytest.mark.parametrize(("uid", "wanted"), [(0, ROOT_SETS), (1000, USER_SETS)], ids=["root", "user"])
def test_capabilities(container: Container, name: str, uid: int, wanted: dict[str, set[str]]) -> None:
    """A set is exactly the configured one."""
    container.process["user"] = {"uid": uid, "gid": uid}
    container.process["capabilities"] = {each: sorted(words) for each, words in wanted.items()}
    assert sets(container)[name] == wanted[name]


@covers(*(f"config/process/capabilities/{name}" for name in FIELDS))
def test_no_capabilities(container: Container) -> None:
    """With empty sets root has no capability."""
    container.process["capabilities"] = {name: [] for name in FIELDS}
    assert sets(container) == {name: set() for name in FIELDS}


@covers("config/process/capabilities/bounding", "config/process/capabilities/effective")
def test_capabilities_have_their_effect(container: Container) -> None:
    """Root without CAP_CHOWN can't change owners, and with it can."""
    container.capabilities("CAP_CHOWN")
    assert container.says("touch /tmp/x; chown 5 /tmp/x && echo changed") == "changed"


@covers("config/process/capabilities/bounding", "config/process/capabilities/effective")
def test_missing_capabilities_have_their_effect(container: Container) -> None:
    """Root without CAP_CHOWN can't change owners."""
    assert "not permitted" in container.says("touch /tmp/x; chown 5 /tmp/x 2>&1 || :")


@covers("config/process/capabilities/warning")
def test_unknown_capability(container: Container) -> None:
    """A capability that there is not is left out, with a warning."""
    for name in ("bounding", "effective", "permitted"):
        container.process["capabilities"][name] = ["CAP_KILL", "CAP_WEATHER"]
    assert sets(container)["effective"] == {"CAP_KILL"}


@covers("config/process/capabilities/ungrantable", "config/process/capabilities/warning")
def test_capability_that_cannot_be_granted(container: Container) -> None:
    """A capability that the runtime itself has not is left out."""
    for name in ("bounding", "effective", "permitted"):
        container.process["capabilities"][name] = ["CAP_KILL", "CAP_WAKE_ALARM"]
    container.process["args"] = ["cat", "/proc/self/status"]
    libc = ctypes.CDLL(None)
    outcome = container.try_create(preexec_fn=lambda: libc.prctl(_PR_CAPBSET_DROP, _CAP_WAKE_ALARM, 0, 0, 0))
    assert outcome.status == 0, str(outcome)
    container.start().wait()
    assert machine.capabilities(int(fields(container.output)["CapEff"], 16)) == {"CAP_KILL"}


@covers("config/process/no-new-privileges")
@pytest.mark.parametrize("wanted", [True, False])
def test_no_new_privileges(container: Container, wanted: bool) -> None:
    """The program can gain privileges, or can't."""
    container.process["noNewPrivileges"] = wanted
    assert status(container)["NoNewPrivs"] == str(int(wanted))


@covers("config/process/oom-score-adj/set")
@pytest.mark.parametrize("score", [100, 1000])
def test_oom_score(container: Container, score: int) -> None:
    """The program has the configured score."""
    container.process["oomScoreAdj"] = score
    assert container.says("cat /proc/self/oom_score_adj") == str(score)


@covers("config/process/oom-score-adj/unset")
def test_oom_score_unset(container: Container) -> None:
    """Without one it has that of the runtime's caller."""
    container.script("cat /proc/self/oom_score_adj")

    def raise_score() -> None:
        Path("/proc/self/oom_score_adj").write_text("77")

    outcome = container.try_create(preexec_fn=raise_score)
    assert outcome.status == 0, str(outcome)
    container.start().wait()
    assert container.output == "77"


def scheduling(container: Container, scheduler: dict[str, Any]) -> dict[str, str]:
    """The program's policy, nice value and static priority, as numbers: proc_pid_stat(5)."""
    container.process["scheduler"] = scheduler
    words = container.says("cat /proc/$$/stat; :").rpartition(") ")[2].split()
    return {"nice": words[16], "priority": words[37], "policy": words[38]}


@covers("config/process/scheduler/policy", "config/process/scheduler/nice")
@pytest.mark.parametrize(("policy", "number"), [("SCHED_OTHER", 0), ("SCHED_BATCH", 3)])
def test_scheduler(container: Container, policy: str, number: int) -> None:
    """The program has the configured policy and nice value."""
    found = scheduling(container, {"policy": policy, "nice": 5})
    assert (found["policy"], found["nice"]) == (str(number), "5")


@covers("config/process/scheduler/policy")
def test_idle_scheduler(container: Container) -> None:
    """A program of the policy SCHED_IDLE."""
    assert scheduling(container, {"policy": "SCHED_IDLE"})["policy"] == "5"


@covers("config/process/scheduler/nice-default")
def test_default_nice(container: Container) -> None:
    """Without a nice value it is 0."""
    assert scheduling(container, {"policy": "SCHED_BATCH"})["nice"] == "0"


@covers("config/process/scheduler/priority", "config/process/scheduler/flags")
def test_realtime_scheduler(container: Container, group: str) -> None:
    """The program has a static priority, which a child does not get with SCHED_FLAG_RESET_ON_FORK."""
    _realtime_or_skip()
    if not machine.V2 and (top := machine.hierarchy("cpu")) and (top / "cpu.rt_runtime_us").exists():
        # On version 1 a cgroup has to be given realtime.
        (top / group).mkdir(exist_ok=True)
        (top / group / "cpu.rt_runtime_us").write_text("20000")
        container.resources(cpu={"realtimeRuntime": 10_000})
    container.process["scheduler"] = {
        "policy": "SCHED_FIFO",
        "priority": 3,
        "flags": ["SCHED_FLAG_RESET_ON_FORK"],
    }
    said = container.says("cat /proc/$$/stat; cat /proc/self/stat; :").splitlines()
    parent, child = (line.rpartition(") ")[2].split()[37:39] for line in said)
    assert parent == ["3", "1"]
    assert child == ["0", "0"]


@covers("config/process/scheduler/deadline")
def test_deadline_scheduler(container: Container) -> None:
    """The program runs under SCHED_DEADLINE."""
    _realtime_or_skip()
    container.process["args"] = ["cat", "/proc/self/stat"]
    container.process["scheduler"] = {
        "policy": "SCHED_DEADLINE",
        "runtime": 10_000_000,
        "deadline": 20_000_000,
        "period": 40_000_000,
    }
    assert container.run() == 0, container.errors
    assert container.output.rpartition(") ")[2].split()[38] == "6"


def _realtime_or_skip() -> None:
    """This process may use a realtime policy, in the cgroup that it is in."""
    child = os.fork()
    if not child:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except OSError:
            os._exit(1)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        pytest.skip("no realtime scheduling here")


@covers("config/process/io-priority")
@pytest.mark.parametrize(
    ("name", "word"), [("IOPRIO_CLASS_BE", "best-effort"), ("IOPRIO_CLASS_IDLE", "idle")]
)
def test_io_priority(container: Container, name: str, word: str) -> None:
    """The program has the configured I/O class and priority."""
    container.process["ioPriority"] = {"class": name, "priority": 6}
    said = container.says("ionice -p $$")
    assert said.startswith(word)
    assert word == "idle" or said.endswith("6")


@covers("config/process/exec-cpu-affinity/init")
def test_cpu_affinity_of_exec(container: Container) -> None:
    """execCPUAffinity does not matter to the program."""
    container.process["execCPUAffinity"] = {"initial": "0", "final": "0"}
    assert status(container)["Cpus_allowed_list"] == machine.status_field("self", "Cpus_allowed_list")


@covers("config/process/apparmor-profile")
def test_apparmor(container: Container, place: Path) -> None:
    """The program is confined by the profile, from its beginning on."""
    loader = shutil.which("apparmor_parser")
    if not machine.has_apparmor() or not loader:
        pytest.skip("needs AppArmor and apparmor_parser")
    profile = place / "profile"
    profile.write_text(
        "profile oci-conformance flags=(attach_disconnected,mediate_deleted) {\n"
        "  file, capability, mount, umount, signal, ptrace, network, unix,\n  deny /tmp/forbidden rw,\n}\n"
    )
    subprocess.run(
        [loader, "--replace", "--skip-cache", profile], check=True, capture_output=True, timeout=60
    )
    (container.rootfs / "tmp" / "forbidden").write_text("secret")
    container.process["apparmorProfile"] = "oci-conformance"
    said = container.says("cat /proc/self/attr/current; cat /tmp/forbidden 2>&1 || :")
    assert said.startswith("oci-conformance (enforce)") and "Permission denied" in said


@covers("config/process/apparmor-profile", "runtime/create/not-applicable")
def test_missing_apparmor_profile(container: Container) -> None:
    """A profile that is not there is an error: the program never runs unconfined."""
    container.process["apparmorProfile"] = "no-such-profile"
    container.refused_or_not_run()


@pytest.mark.parametrize(
    ("part", "name"),
    [
        case("process", "selinuxLabel", covers="config/process/selinux-label"),
        case("linux", "mountLabel", covers="linux/mount-label"),
    ],
)
def test_selinux(container: Container, part: str, name: str) -> None:
    """The program, or its mounts, have the label."""
    if not machine.has_selinux():
        pytest.skip("needs SELinux")
    label = "system_u:object_r:container_file_t:s0" if part == "linux" else "system_u:system_r:container_t:s0"
    container.config[part][name] = label
    said = container.says("cat /proc/self/attr/current /proc/self/mountinfo")
    assert label in said


@pytest.mark.parametrize(
    ("domain", "machines"),
    [
        case("LINUX", ("x86_64", "aarch64"), covers="linux/personality/domain"),
        case("LINUX32", ("i686", "armv8l"), covers="linux/personality/domain"),
    ],
)
def test_personality(container: Container, domain: str, machines: tuple[str, ...]) -> None:
    """The program sees the machine of its execution domain."""
    if os.uname().machine not in ("x86_64", "aarch64"):
        pytest.skip("needs a machine with a 32-bit counterpart whose name is known")
    container.linux["personality"] = {"domain": domain}
    assert container.says("uname -m") in machines


@pytest.mark.parametrize(
    ("policy", "word"),
    [
        case({"mode": "MPOL_BIND", "nodes": "0"}, "bind", covers="linux/memory-policy/mode", id="bind"),
        case(
            {"mode": "MPOL_INTERLEAVE", "nodes": "0"},
            "interleave",
            covers="linux/memory-policy/mode",
            id="interleave",
        ),
        case({"mode": "MPOL_LOCAL"}, "local", covers="linux/memory-policy/mode", id="local"),
        case({"mode": "MPOL_DEFAULT"}, "default", covers="linux/memory-policy/mode", id="default"),
        case(
            {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]},
            "bind=static",
            covers="linux/memory-policy/flags",
            id="static",
        ),
    ],
)
def test_memory_policy(
    container: Container, policy: dict[str, Any], word: str, request: pytest.FixtureRequest
) -> None:
    """The program's memory has the policy."""
    features = request.getfixturevalue("features").get("linux", {}).get("memoryPolicy") or {}
    if policy["mode"] not in (features.get("modes") or ()):
        pytest.skip(f"{UNCLAIMED}: the memory policy {policy['mode']}")
    if not Path("/proc/self/numa_maps").exists():
        pytest.skip("needs a kernel with memory policies")
    container.linux["memoryPolicy"] = policy
    said = container.says("cat /proc/$$/numa_maps; :")
    assert any(line.split()[1].startswith(word) for line in said.splitlines()), said
