"""Which security modules are enabled."""

from __future__ import annotations

from pathlib import Path

from stave.host.security import security_modules


def enabled(directory: Path, apparmor: str | None, selinux: str | None) -> frozenset[str]:
    """What is found where the kernel's files hold this (None: are not there)."""
    for name, text in (("apparmor", apparmor), ("selinux", selinux)):
        if text is not None:
            (directory / name).write_text(text)
    return security_modules(str(directory / "apparmor"), str(directory / "selinux"))


def test_neither(tmp_path: Path) -> None:
    """Without their files there are none."""
    assert enabled(tmp_path, None, None) == frozenset()


def test_apparmor(tmp_path: Path) -> None:
    """AppArmor may be built in and switched off."""
    assert enabled(tmp_path, "N\n", None) == frozenset()
    assert enabled(tmp_path, "Y\n", None) == {"apparmor"}


def test_selinux(tmp_path: Path) -> None:
    """SELinux is enabled whether it enforces or only watches."""
    assert enabled(tmp_path, None, "0") == {"selinux"}
    assert enabled(tmp_path, None, "1") == {"selinux"}
