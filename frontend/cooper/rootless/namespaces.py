"""The user namespace in which an ordinary user's cooper works, with a mount namespace: one for all that has the same
run directory.

Nobody has the task of holding it. Every command and every supervisor is a member, and it lives as long as one of them
does; the next command joins a member, or makes it anew if there is none. What is mounted in it (root file systems of
containers, their network namespaces) is needed by supervised containers alone, so it may go with the last member.

    RUN/members         one line for each, "PID START" (`cooper.networks.processes.identity`), dead ones among them
    RUN/members.lock    held while somebody joins, or adds another

A child knows by COOPER_ROOTLESS, "INODE UID", that it is in the namespace of that inode already.
"""

from __future__ import annotations

import fcntl
import posix

from cooper.errors import Error
from cooper.networks.processes import identity, is_alive
from cooper.settings import INSIDE, make_directory, user_namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from cooper.rootless.idmaps import Maps
    from cooper.settings import Settings

# Dead members are taken off the list when it has become so long.
_LINES_MAX = 64
_NAMESPACE = posix.O_RDONLY | posix.O_CLOEXEC
# What keeps users from having user namespaces: a file, the value with which it does, and how to change that.
_SWITCHES = (
    ("/proc/sys/user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=15000"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "an AppArmor profile that allows userns to cooper, or"
        " sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)


def enter(settings: Settings) -> None:
    """This process, an ordinary user's, is root of the user's namespace from now on.

    Raises: Error with what keeps users of this machine from having user namespaces.
    """
    if settings.inside:
        return
    _check_directory(settings)
    _remember_directory(settings)
    uid = posix.geteuid()
    try:
        directory = posix.getcwd()
    except FileNotFoundError:
        directory = "/"
    lock = _lock(settings)
    try:
        if not _join_member(settings):
            _make()
        _append(settings, posix.getpid())
    finally:
        posix.close(lock)
    try:
        posix.chdir(directory)
    except OSError:
        pass  # a relative path will say so
    settings.inside = True
    value = f"{user_namespace()} {uid}"
    # Both what C programs and what Python hands on to children.
    posix.putenv(INSIDE, value)
    posix.environ[INSIDE.encode()] = value.encode()


def note(settings: Settings, pid: int) -> None:
    """The supervisor, a process of this user namespace, is on the list of members."""
    lock = _lock(settings)
    try:
        _append(settings, pid)
    finally:
        posix.close(lock)


def _lock(settings: Settings) -> int:
    """Nobody else changes the list of members until this descriptor is closed."""
    flags = posix.O_CREAT | posix.O_RDWR | posix.O_CLOEXEC | posix.O_NOFOLLOW
    lock = posix.open(f"{settings.run}/members.lock", flags, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _append(settings: Settings, pid: int) -> None:
    file = posix.open(
        f"{settings.run}/members", posix.O_CREAT | posix.O_WRONLY | posix.O_APPEND | posix.O_CLOEXEC, 0o600
    )
    try:
        posix.write(file, f"{identity(pid)}\n".encode())
    finally:
        posix.close(file)


def _check_directory(settings: Settings) -> None:
    """Raises: Error unless RUN, which is made if it is missing, is the user's alone: it may lie in /tmp."""
    path = settings.run
    make_directory(path)
    found = posix.stat(path) if path == f"{settings.root}/run" else posix.lstat(path)
    if found.st_uid != posix.geteuid() or found.st_mode & 0o170022 != 0o040000:
        raise Error(
            f"{path} is not a directory that only this user can write to",
            "remove it, or name another with --run-root or $XDG_RUNTIME_DIR",
        )


def _remember_directory(settings: Settings) -> None:
    """ROOT/run leads to RUN (`cooper.settings`)."""
    link = f"{settings.root}/run"
    try:
        if settings.run in (link, posix.readlink(link)):
            return
    except FileNotFoundError:
        make_directory(settings.root, 0o711)
    except OSError:
        return  # a directory, as of `--root` alone
    new = f"{link}.{posix.getpid()}"
    posix.symlink(settings.run, new)
    posix.rename(new, link)


def _join_member(settings: Settings) -> bool:
    """This process is in the namespaces of a living member; false if there is none."""
    from cooper.containers.record import read_file, write_file

    path = f"{settings.run}/members"
    try:
        lines = read_file(path).decode().splitlines()
    except FileNotFoundError:
        lines = []
    if len(lines) > _LINES_MAX:
        lines = [line for line in lines if is_alive(line)]
        write_file(path, "".join(f"{line}\n" for line in lines).encode())
    for line in lines:
        if is_alive(line) and _join(int(line.split()[0]), ("user", "mnt")):
            return True
    # When supervisors were killed their containers live on, with mounts of their own: only in that user namespace is
    # there the power to end all of their processes.
    return any(_join(pid, ("user",)) and _unshare_mounts() for pid in _abandoned(settings))


def _abandoned(settings: Settings) -> list[int]:
    """The first processes of containers, as the OCI runtime has noted them; they may be gone."""
    from cooper.containers.record import read_file

    found: list[int] = []
    try:
        names = posix.listdir(f"{settings.run}/containers")
    except FileNotFoundError:
        return found
    for name in names:
        try:
            found.append(int(read_file(f"{settings.run}/containers/{name}/pid")))
        except (OSError, ValueError):
            continue
    return found


def _join(pid: int, kinds: tuple[str, ...]) -> bool:
    """This process is in these namespaces of the other: its user namespace, and perhaps the mount namespace."""
    from cooper.networks._namespaces import lib

    opened: list[int] = []
    try:
        for kind in kinds:
            opened.append(posix.open(f"/proc/{pid}/ns/{kind}", _NAMESPACE))
        # What is in no user namespace of this user's is refused: the number is another process's by now.
        if lib.setns(opened[0], lib.CLONE_NEWUSER):
            return False
        return not opened[1:] or not lib.setns(opened[1], lib.CLONE_NEWNS) or _unshare_mounts()
    except OSError:  # it has just ended, or is another user's
        return False
    finally:
        for descriptor in opened:
            posix.close(descriptor)


def _make() -> None:
    """This process is in a new user namespace, with the user's ids, and a new mount namespace."""
    from cooper.networks._namespaces import ffi, lib
    from cooper.rootless.idmaps import Maps

    maps = Maps()
    if maps.are_single():
        if lib.unshare(lib.CLONE_NEWUSER):
            _refuse(ffi.errno)
        try:
            maps.write_own()
        except OSError as error:
            _refuse(error.errno or 0)
    else:
        with _Outside(maps) as outside:
            if lib.unshare(lib.CLONE_NEWUSER):
                _refuse(ffi.errno)
            outside.write_maps()
    _unshare_mounts()


def _unshare_mounts() -> bool:
    from cooper.networks._namespaces import ffi, lib

    if lib.unshare(lib.CLONE_NEWNS):
        _refuse(ffi.errno)
    return True


def _refuse(number: int) -> NoReturn:
    """Raises: Error, with the switch that is off if one is."""
    for path, value, cure in _SWITCHES:
        try:
            with open(path, encoding="ascii") as file:
                if file.read().strip() == value:
                    raise Error(f"make a user namespace: {path} is {value}", cure)
        except FileNotFoundError:
            continue
    raise Error(
        f"make a user namespace: {posix.strerror(number)}", "cooper without root needs one: docs/rootless.md"
    )


class _Outside:
    """A context with a process that stays in this one's user namespace, and has the maps written when it is told."""

    def __init__(self, maps: Maps) -> None:
        self._maps = maps
        self._child = 0
        self._go = self._answer = -1

    def __enter__(self) -> _Outside:
        wait, self._go = posix.pipe()
        self._answer, tell = posix.pipe()
        parent = posix.getpid()
        self._child = posix.fork()
        if not self._child:
            try:
                posix.close(self._go)
                if posix.read(wait, 1):  # or the parent has ended
                    self._maps.write_for(parent)
                    posix.write(tell, b"done")
            except Error as error:
                posix.write(tell, str(error).encode())
            finally:
                posix._exit(0)
        posix.close(wait)
        posix.close(tell)
        return self

    def write_maps(self) -> None:
        """This process's user namespace has its maps. Raises: Error"""
        posix.write(self._go, b"g")
        answer = posix.read(self._answer, 4096).decode(errors="replace")
        if answer != "done":
            raise Error(answer or "the process that was to write the id maps has ended")

    def __exit__(self, *details: object) -> None:
        posix.close(self._go)
        posix.close(self._answer)
        posix.waitpid(self._child, 0)
