"""The calls to systemd over D-Bus: one connection for a command, and no wait but for the job that it asked for.

Source: org.freedesktop.systemd1(5).
"""

from __future__ import annotations

import errno
import os
import posix
import socket
from collections.abc import Sequence
from typing import Any

from jeepney import DBusAddress, DBusErrorResponse, MatchRule, Properties, message_bus, new_method_call
from jeepney.io.blocking import DBusConnection, unwrap_msg

from stave.errors import Error, KernelError
from stave.host.bus import SYSTEM_BUS, user_bus
from stave.host.facts import read_file

TIMEOUT_S = 30.0
_NAME, _MANAGER = "org.freedesktop.systemd1", "org.freedesktop.systemd1.Manager"
_SYSTEMD = DBusAddress("/org/freedesktop/systemd1", _NAME, _MANAGER)
_NO_SUCH_UNIT = ("org.freedesktop.systemd1.NoSuchUnit", "org.freedesktop.systemd1.NotReferenced")


class Systemd:
    """A connection to the system's manager, or to the user's own.

    Args:
        user: the user's own.

    Raises:
        Error: there is no such bus.
    """

    def __init__(self, user: bool) -> None:
        path = user_bus(os.environ) if user else SYSTEM_BUS
        if not path:
            raise Error(
                "neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR says where the user's systemd is"
            )
        try:
            self._connection = _connect(path)
        except OSError as error:
            cure = "log in through systemd-logind, or loginctl enable-linger" if user else "is dbus running?"
            raise KernelError(f"connect to systemd at {path}", error.errno or errno.EIO, hint=cure) from error

    def close(self) -> None:
        """The connection is closed."""
        self._connection.close()

    def control_group(self) -> str:
        """The manager's own group below the mount point of the hierarchy; "" for the system's."""
        reply = self._call(Properties(_SYSTEMD).get("ControlGroup"), "read the manager's control group")
        group: str = reply[0][1]
        return group.rstrip("/")

    def start_scope(self, unit: str, pid: int, properties: Sequence[tuple[str, tuple[str, Any]]]) -> None:
        """The scope is there, with the process in it.

        Raises:
            Error: systemd refused, or did not do it in time.
        """
        everything = [("PIDs", ("au", [pid])), *properties]
        body: tuple[Any, ...] = (unit, "fail", everything, [])
        self._do(unit, "start", "StartTransientUnit", "ssa(sv)a(sa(sv))", body)

    def stop(self, unit: str) -> None:
        """There is no such unit any more.

        Raises:
            Error: systemd refused, or did not do it in time.
        """
        try:
            self._do(unit, "stop", "StopUnit", "ss", (unit, "replace"))
            self._call(new_method_call(_SYSTEMD, "ResetFailedUnit", "s", (unit,)), f"reset {unit}")
        except _NoSuchUnit:
            pass  # it went by itself when its last process ended

    def set_properties(self, unit: str, properties: Sequence[tuple[str, tuple[str, Any]]]) -> None:
        """The unit has these properties until it ends.

        Raises:
            Error: systemd refused.
        """
        message = new_method_call(_SYSTEMD, "SetUnitProperties", "sba(sv)", (unit, True, properties))
        self._call(message, f"set properties of {unit}")

    def _do(self, unit: str, verb: str, method: str, signature: str, body: tuple[Any, ...]) -> None:
        """The job is done that the method begins."""
        rule = MatchRule(
            type="signal", interface=_MANAGER, member="JobRemoved", path="/org/freedesktop/systemd1"
        )
        self._call(message_bus.AddMatch(rule), "watch systemd's jobs")
        step = f"{verb} {unit}"
        with self._connection.filter(rule, bufsize=1000) as signals:
            (job,) = self._call(new_method_call(_SYSTEMD, method, signature, body), step)
            while True:
                try:
                    removed = self._connection.recv_until_filtered(signals, timeout=TIMEOUT_S)
                except TimeoutError:
                    raise Error(f"{step}: systemd has not done it within {TIMEOUT_S:g} s") from None
                _, path, _, result = removed.body
                if path == job:
                    break
        if result != "done":
            raise Error(f"{step}: systemd answers {result!r}; journalctl --unit {unit} may tell why")

    def _call(self, message: Any, step: str) -> Any:
        try:
            return unwrap_msg(self._connection.send_and_get_reply(message, timeout=TIMEOUT_S))
        except DBusErrorResponse as error:
            if error.name in _NO_SUCH_UNIT:
                raise _NoSuchUnit(f"{step}: there is no such unit") from error
            text = error.data[0] if error.data else error.name
            raise Error(f"{step}: systemd refuses: {text}") from error
        except TimeoutError:
            raise Error(f"{step}: systemd has not answered within {TIMEOUT_S:g} s") from None
        except OSError as error:
            raise KernelError(step, error.errno or errno.EIO) from error


class _NoSuchUnit(Error):
    """systemd does not know the unit."""


def _connect(path: str) -> DBusConnection:
    """A connection to the bus at this socket, known there as the user that this process is on the host.

    In a user namespace that is another number than the own one, which is why jeepney's own way does not serve.
    Raises OSError.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        connection.settimeout(TIMEOUT_S)
        connection.connect(path)
        connection.sendall(b"\0AUTH EXTERNAL %s\r\n" % str(_host_uid()).encode().hex().encode())
        answer = b""
        while not answer.endswith(b"\r\n"):
            received = connection.recv(1024)
            if not received:
                raise ConnectionError(errno.ECONNRESET, "the bus hung up")
            answer += received
        if not answer.startswith(b"OK "):
            raise PermissionError(errno.EACCES, f"the bus answers {answer.decode(errors='replace').strip()}")
        connection.sendall(b"BEGIN\r\n")
        connection.settimeout(None)
    except BaseException:
        connection.close()
        raise
    return DBusConnection(connection)


def _host_uid() -> int:
    """This process's user on the host. Source: user_namespaces(7), uid_map."""
    uid = posix.geteuid()
    for line in read_file("/proc/self/uid_map").splitlines():
        inside, outside, size = map(int, line.split())
        if 0 <= uid - inside < size:
            return outside + uid - inside
    return uid
