"""mounts: more mounts in a container that lives, or fewer.

The configuration that the container keeps stays as it was: this is between the caller and the kernel.
"""

from __future__ import annotations

import posix

from ocispec.config import check
from ocispec.errors import InvalidJSON
from ocispec.jsontext import loads
from stave.container.execute import open_process
from stave.container.executor import Executor
from stave.container.state import CREATED, PAUSED, RUNNING, Container
from stave.errors import NOT_RUNNING, Error, StateError
from stave.host.facts import read_facts
from stave.plan.constants import CLONE_NEWUSER
from stave.plan.live_mounts import plan_add, plan_remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocispec.types import Mount
    from stave.plan.program import Program


def parse_mounts(text: bytes) -> list[Mount]:
    """The valid list of mounts in this JSON text, as `mounts` in config.json.

    Raises:
        InvalidJSON, InvalidConfig: with pointers that begin with /mounts.
    """
    mounts = loads(text)
    if not isinstance(mounts, list):
        raise InvalidJSON("the file has to hold a list of mounts")
    # Whether the container has a user namespace, whose mappings idmap may take, is for the planner to see.
    linux = {"namespaces": [{"type": "user"}]}
    check("config", {"ociVersion": "1.3.0", "root": {"path": "/"}, "mounts": mounts, "linux": linux})
    return mounts


def add(root: str, container_id: str, mounts: list[Mount], directory: str) -> None:
    """The mounts are made in the container, in their order; sources are the host's, relative ones in `directory`.

    Raises:
        StateError: the container does not live.
        Error: a mount failed; those before it are made.
    """
    container = _load(root, container_id)
    program = plan_add(
        mounts,
        config=container.config(),
        directory=directory,
        facts=read_facts(),
        namespaces=container.state["namespaces"],
    )
    _carry_out(container, program)


def remove(root: str, container_id: str, mounts: list[Mount]) -> None:
    """What is mounted at the mounts' destinations is detached; what uses it may go on doing so.

    Raises:
        StateError: the container does not live.
        Error: nothing is mounted there; what was named before it is detached.
    """
    container = _load(root, container_id)
    _carry_out(container, plan_remove(mounts, facts=read_facts(), namespaces=container.state["namespaces"]))


def _load(root: str, container_id: str) -> Container:
    container = Container.load(root, container_id)
    if container.status() not in (CREATED, RUNNING, PAUSED):
        raise StateError(NOT_RUNNING)
    return container


def _carry_out(container: Container, program: Program) -> None:
    process = open_process(container)
    descriptors = {"container": process}
    if container.state["namespaces"] & CLONE_NEWUSER:
        path = f"/proc/{container.pid}/ns/user"
        descriptors["ns/user"] = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    executor = Executor(
        program, state_directory=container.directory, descriptors=descriptors, on_pid=lambda pid: None
    )
    try:
        executor.run()
    except Error:
        if not container.is_alive():
            raise StateError(NOT_RUNNING) from None
        raise
    finally:
        executor.close()
        executor.kill()
