"""Where cooper keeps things, and which OCI runtime it drives.

::

    ROOT      /var/lib/cooper          state.db, containers/ID/, volumes/NAME/, images
    RUN       /run/cooper              containers/ID/, locks/, netns/, oci/RUNTIME/; may vanish at a reboot

With `--root` alone RUN is ROOT/run. An ordinary user has them below $XDG_DATA_HOME (~/.local/share) and $XDG_RUNTIME_DIR
(/run/user/UID), or else RUN is /tmp/cooper-UID: of these the one that ROOT/run leads to, as long as it is there, since
the same user comes with other variables from a session, su or cron.
"""

from __future__ import annotations

import posix

from cooper.errors import Error

DEFAULT_RUNTIME = "stave"
# Set for what runs in an ordinary user's namespace (`cooper.rootless.namespaces`): its inode, and the user's id outside.
INSIDE = "COOPER_ROOTLESS"
# How long a command waits for another process that has no reason to take long, on a busy machine.
PATIENCE_S = 60


class Settings:
    """The global settings of one command.

    Attributes:
        root: directory of what outlives a reboot; absolute.
        run: directory of what does not; absolute.
        runtime: the OCI runtime's name or path, as given.
        rootless: whether an ordinary user runs this.
        inside: whether it is in that user's own namespace already, and so root there.
        debug: whether to say more about failures.
    """

    __slots__ = ("root", "run", "runtime", "rootless", "inside", "debug")

    def __init__(self, root: str = "", run: str = "", runtime: str = "", debug: bool = False) -> None:
        user = _user_outside() or posix.geteuid()
        self.rootless = user != 0
        self.inside = user != posix.geteuid()
        self.runtime = runtime or DEFAULT_RUNTIME
        self.debug = debug
        if root:
            self.root = absolute(root)
            self.run = absolute(run or f"{self.root}/run")
        elif self.rootless:
            home = environment("HOME") or "/"
            self.root = absolute(f"{environment('XDG_DATA_HOME') or f'{home}/.local/share'}/cooper")
            self.run = absolute(run or _run_directory(self.root, user))
        else:
            self.root = "/var/lib/cooper"
            self.run = absolute(run or "/run/cooper")

    def container_directory(self, container_id: str) -> str:
        """What is kept of a container: its bundle, log and files."""
        return f"{self.root}/containers/{container_id}"

    def run_directory(self, container_id: str) -> str:
        """What is kept of a container while it runs: the supervisor's lock and socket."""
        return f"{self.run}/containers/{container_id}"


def _run_directory(root: str, user: int) -> str:
    try:
        kept = posix.readlink(f"{root}/run")
        posix.stat(kept)
        return kept
    except OSError:  # there was none yet, or a reboot
        session = environment("XDG_RUNTIME_DIR") or f"/run/user/{user}"
        return f"{session}/cooper" if posix.access(session, posix.W_OK) else f"/tmp/cooper-{user}"


def _user_outside() -> int:
    """The user whose own namespace this is, 0 outside of such."""
    inode, _, user = environment(INSIDE).partition(" ")
    if inode and user.isdigit() and posix.geteuid() == 0 and inode == str(user_namespace()):
        return int(user)
    return 0


def user_namespace() -> int:
    """The inode of this process's user namespace."""
    return posix.stat("/proc/self/ns/user").st_ino


def environment(name: str) -> str:
    """The variable's value, "" without it."""
    return posix.environ.get(name.encode(), b"").decode("utf-8", "surrogateescape")


def absolute(path: str) -> str:
    """The path from the root, without `.`, doubled slashes, or a slash at its end; links are not looked at."""
    if not path.startswith("/"):
        path = f"{posix.getcwd()}/{path}"
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def make_directory(path: str, mode: int = 0o700) -> None:
    """The directory and those above it exist; those that were missing have the mode.

    Raises: Error, with the cause.
    """
    try:
        posix.mkdir(path, mode)
    except FileExistsError:
        pass
    except FileNotFoundError:
        make_directory(path.rpartition("/")[0] or "/", mode)
        make_directory(path, mode)
    except OSError as error:
        raise Error(f"make the directory {path}: {error.strerror}") from error


def find_program(name: str) -> str:
    """The absolute path of a program: a path as it is, a name looked up in $PATH.

    Raises: Error if there is none that can be executed.
    """
    if "/" in name:
        candidates = [absolute(name)]
    else:
        path = environment("PATH") or "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        candidates = [f"{directory}/{name}" for directory in path.split(":") if directory.startswith("/")]
    for candidate in candidates:
        if posix.access(candidate, posix.X_OK):
            return candidate
    raise Error(f"there is no program {name}", "install it, or name another with --runtime")
