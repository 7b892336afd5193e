"""Labels of security modules: the AppArmor profile and the SELinux label of the process, the label of its mounts.

Imported only for a configuration that has one.
"""

from __future__ import annotations

from stave.errors import ConfigError
from stave.plan.operations import LABEL_APPARMOR, LABEL_KEYRING, LABEL_SELINUX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocispec.types import Linux, Process
    from stave.host.facts import Facts
    from stave.plan.program import Program

# Labelled by the policy alone: SELinux takes no label for these.
_UNLABELLED = frozenset(("proc", "sysfs"))
# These take it as an extended attribute of their root, not as an option.
_BY_ATTRIBUTE = frozenset(("mqueue",))
# AppArmor's own directory is there since Linux 5.8; the file beside it belongs to whichever module comes first.
_APPARMOR_FILES = ["apparmor/exec", "exec"]


class Labels:
    """What labels a process is to have, `None` where it is to have none.

    Raises:
        ConfigError: the security module that a label is for is not enabled on this machine.

    Spec: config.md#linux-process
    """

    __slots__ = ("apparmor", "selinux")

    def __init__(self, process: Process, facts: Facts) -> None:
        self.apparmor = process.get("apparmorProfile") or None
        self.selinux = process.get("selinuxLabel") or None
        if self.apparmor and "apparmor" not in facts.security_modules:
            # Without the module every process is unconfined as it is.
            if self.apparmor != "unconfined":
                raise ConfigError("/process/apparmorProfile", "AppArmor is not enabled on this machine")
            self.apparmor = None
        if self.selinux and "selinux" not in facts.security_modules:
            raise ConfigError("/process/selinuxLabel", "SELinux is not enabled on this machine")

    def open(self, program: Program, keyring: bool) -> None:
        """The files that take the labels are open. To be planned after the last fork, while procfs is at hand.

        Args:
            keyring: the process gets a session keyring of its own, which has its label, too.
        """
        if self.apparmor:
            program.add("open_label", "/process/apparmorProfile", LABEL_APPARMOR, _APPARMOR_FILES)
        if self.selinux:
            program.add("open_label", "/process/selinuxLabel", LABEL_SELINUX, ["exec"])
            if keyring:
                program.add("open_label", "/process/selinuxLabel", LABEL_KEYRING, ["keycreate"])
                program.add("write_label", "/process/selinuxLabel", LABEL_KEYRING, self.selinux)

    def write(self, program: Program) -> None:
        """The program, and the hooks that run before it as well, will be executed with the labels.

        To be planned before no_new_privs, which would forbid the change.
        """
        if self.apparmor:
            program.add("write_label", "/process/apparmorProfile", LABEL_APPARMOR, f"exec {self.apparmor}")
        if self.selinux:
            program.add("write_label", "/process/selinuxLabel", LABEL_SELINUX, self.selinux)


def mount_label(linux: Linux, facts: Facts) -> str | None:
    """The label of the container's mounts. Where SELinux is off there is nothing that would look at it.

    Spec: config-linux.md#mount-label
    """
    return linux.get("mountLabel") or None if "selinux" in facts.security_modules else None


def label_options(label: str, kind: str) -> list[str]:
    """The parameters that label a new file system of this type."""
    return [] if kind in _UNLABELLED or kind in _BY_ATTRIBUTE else [f"context={label}"]


def label_mounted(program: Program, pointer: str, label: str, kind: str, target: str) -> None:
    """A file system that takes no label as a parameter has it."""
    if kind in _BY_ATTRIBUTE:
        program.add("label_path", pointer, target, label)
