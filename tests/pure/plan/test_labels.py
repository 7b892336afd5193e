"""Labels of security modules: AppArmor profile, SELinux label of the process and of its mounts."""

from __future__ import annotations

from typing import Any

import pytest

from stave.errors import ConfigError
from stave.host.facts import Facts
from stave.plan.operations import LABEL_APPARMOR, LABEL_KEYRING, LABEL_SELINUX
from stave.plan.result import Plan

from .planning import V2, create, execute, found, in_order, make_config, make_process, names, one

USUAL = 0x6E020000
APPARMOR = Facts(V2, security_modules=frozenset(["apparmor"]))
SELINUX = Facts(V2, security_modules=frozenset(["selinux"]))
LABEL = "system_u:system_r:container_t:s0:c1,c2"
MOUNT_LABEL = "system_u:object_r:container_file_t:s0:c1,c2"


def labelled(facts: Facts, hooks: bool = False, **process: Any) -> Plan:
    """The plan of a container whose process has these members."""
    config = make_config(process=make_process(**process))
    if hooks:
        config["hooks"] = {"startContainer": [{"path": "/h"}]}
    return create(config, facts)


def test_apparmor() -> None:
    """The file is opened on the host's procfs, and written after start, before no_new_privs forbids it."""
    plan = labelled(APPARMOR, hooks=True, apparmorProfile="web", noNewPrivileges=True)
    assert one(plan, "open_label") == (LABEL_APPARMOR, ["apparmor/exec", "exec"])
    assert one(plan, "write_label") == (LABEL_APPARMOR, "exec web")
    assert in_order(
        plan, "open_root", "open_label", "pivot_root", "close_descriptors", "wait_for_start", "write_label",
        "run_container_hook", "set_no_new_privileges", "execute",
    )  # fmt: skip


def test_apparmor_of_exec() -> None:
    """procfs is opened before the namespaces are joined, the file after the fork that ends in the program."""
    plan = execute(make_process(apparmorProfile="web"), USUAL, make_config(), facts=APPARMOR)
    assert one(plan, "write_label") == (LABEL_APPARMOR, "exec web")
    assert in_order(
        plan, "open_proc", "setns", "fork", "open_label", "close_descriptors", "write_label", "execute"
    )


def test_exec_as_the_container() -> None:
    """A process that says nothing, or "" as callers in Go do, is confined like the container's own."""
    config = make_config(process=make_process(apparmorProfile="web"))
    for process in (make_process(), make_process(apparmorProfile="")):
        assert one(execute(process, USUAL, config, facts=APPARMOR), "write_label") == (0, "exec web")
    other = execute(make_process(apparmorProfile="db"), USUAL, config, facts=APPARMOR)
    assert one(other, "write_label") == (LABEL_APPARMOR, "exec db")


def test_apparmor_is_off() -> None:
    """A profile that would confine nothing is an error; "unconfined" is what the process is anyway."""
    with pytest.raises(ConfigError, match=r"^process\.apparmorProfile: AppArmor is not enabled"):
        labelled(SELINUX, apparmorProfile="web")
    assert names(labelled(SELINUX, apparmorProfile="unconfined")) == names(labelled(SELINUX))
    assert one(labelled(APPARMOR, apparmorProfile="unconfined"), "write_label")[1] == "exec unconfined"


def test_selinux() -> None:
    """The program has the label, and so has the session keyring, which must exist with it."""
    plan = labelled(SELINUX, selinuxLabel=LABEL)
    assert found(plan, "open_label") == [(LABEL_SELINUX, ["exec"]), (LABEL_KEYRING, ["keycreate"])]
    assert found(plan, "write_label") == [(LABEL_KEYRING, LABEL), (LABEL_SELINUX, LABEL)]
    assert in_order(plan, "write_label", "join_keyring", "wait_for_start", "write_label", "execute")


def test_selinux_without_a_keyring() -> None:
    """Where the caller's keyring stays nothing is said about it."""
    config = make_config(process=make_process(selinuxLabel=LABEL))
    assert found(create(config, SELINUX, no_new_keyring=True), "write_label") == [(LABEL_SELINUX, LABEL)]


def test_selinux_is_off() -> None:
    """A label that nobody would look at is an error."""
    with pytest.raises(ConfigError, match=r"^process\.selinuxLabel: SELinux is not enabled"):
        labelled(APPARMOR, selinuxLabel=LABEL)


def test_empty_labels() -> None:
    """They ask for nothing."""
    assert names(labelled(SELINUX, selinuxLabel="", apparmorProfile="")) == names(labelled(SELINUX))


MOUNTS = [
    {"destination": "/proc", "type": "proc"},
    {"destination": "/sys", "type": "sysfs"},
    {"destination": "/dev", "type": "tmpfs", "options": ["mode=755"]},
    {"destination": "/dev/pts", "type": "devpts"},
    {"destination": "/dev/mqueue", "type": "mqueue"},
    {"destination": "/data", "source": "/data", "options": ["bind"]},
]


def mounts_labelled(facts: Facts) -> Plan:
    """The plan of a container with a mount label."""
    linux = {"mountLabel": MOUNT_LABEL, "maskedPaths": ["/proc/acpi"]}
    return create(make_config(linux=linux, mounts=MOUNTS), facts)


def test_mount_label() -> None:
    """New file systems carry it as the kernel lets them; proc, sysfs and binds keep what they have."""
    plan = mounts_labelled(SELINUX)
    assert {arguments[0]: arguments[5] for arguments in found(plan, "mount")} == {
        "proc": [],
        "sysfs": [],
        "tmpfs": ["mode=755", f"context={MOUNT_LABEL}"],
        "devpts": [f"context={MOUNT_LABEL}"],
        "mqueue": [],
    }
    assert one(plan, "label_path") == ("/dev/mqueue", MOUNT_LABEL)
    assert one(plan, "mask_path") == ("/proc/acpi", MOUNT_LABEL)


def test_mount_label_without_selinux() -> None:
    """It changes nothing then: the kernel would not take it, and nobody would look at it."""
    plan = mounts_labelled(APPARMOR)
    assert not any("context" in word for arguments in found(plan, "mount") for word in arguments[5])
    assert found(plan, "label_path") == []
    assert one(plan, "mask_path") == ("/proc/acpi", None)
