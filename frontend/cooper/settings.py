"""Where cooper keeps things, and which OCI runtime it drives.

::

    ROOT      /var/lib/cooper          state.db, containers/ID/, volumes/NAME/, images
    RUN       /run/cooper              containers/ID/, locks/, netns/, oci/RUNTIME/; may vanish at a reboot

An ordinary user has both below $XDG_DATA_HOME and $XDG_RUNTIME_DIR; with `--root` alone RUN is ROOT/run.
"""

from __future__ import annotations

import posix

from cooper.errors import Error

DEFAULT_RUNTIME = "stave"
# How long a command waits for another process that has no reason to take long, on a busy machine.
PATIENCE_S = 60


class Settings:
    """The global settings of one command.

    Attributes:
        root: directory of what outlives a reboot; absolute.
        run: directory of what does not; absolute.
        runtime: the OCI runtime's name or path, as given.
        rootless: whether an ordinary user runs this.
        debug: whether to say more about failures.
    """

    __slots__ = ("root", "run", "runtime", "rootless", "debug")

    def __init__(self, root: str = "", run: str = "", runtime: str = "", debug: bool = False) -> None:
        user = posix.geteuid()
        self.rootless = user != 0
        self.runtime = runtime or DEFAULT_RUNTIME
        self.debug = debug
        if root:
            self.root = absolute(root)
            self.run = absolute(run or f"{self.root}/run")
        elif self.rootless:
            home = environment("HOME") or "/"
            self.root = absolute(f"{environment('XDG_DATA_HOME') or f'{home}/.local/share'}/cooper")
            self.run = absolute(run or f"{environment('XDG_RUNTIME_DIR') or f'/tmp/cooper-{user}'}/cooper")
        else:
            self.root = "/var/lib/cooper"
            self.run = absolute(run or "/run/cooper")

    def container_directory(self, container_id: str) -> str:
        """What is kept of a container: its bundle, log and files."""
        return f"{self.root}/containers/{container_id}"

    def run_directory(self, container_id: str) -> str:
        """What is kept of a container while it runs: the supervisor's lock and socket."""
        return f"{self.run}/containers/{container_id}"


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
