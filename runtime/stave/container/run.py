"""run: create, start, and unless detached wait and delete."""

from __future__ import annotations

from ocispec.config import load_config
from stave.container.create import create, create_container
from stave.container.delete import delete
from stave.container.foreground import give_size, hold_signals, wait_in_foreground
from stave.container.start import start
from stave.container.state import Container
from stave.errors import HookError
from stave.native import module as native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.container.caller import CreateOptions
    from stave.container.service import Notify


def run(
    root: str,
    container_id: str,
    options: CreateOptions,
    *,
    detach: bool,
    keep: bool,
    no_subreaper: bool,
) -> int:
    """The container's program is running (detach), or has run and the container is gone again (unless `keep`).

    Args:
        no_subreaper: leave the container's orphans to whoever gets them otherwise.

    Returns:
        0 if detached, else the program's exit status, or 128 and the number of the signal that ended it.

    Raises: as `create` and `start`; a container that could not be started is gone.
    """
    master = -1
    if detach:
        create(root, container_id, options)
    else:
        hold_signals()
        if not no_subreaper:
            native.set_subreaper(True)
        master = create_container(root, container_id, load_config(options.bundle, options.config), options)
        if master >= 0:
            give_size(master)
    notify = None
    try:
        if options.notify_socket:
            notify = _listen(Container.load(root, container_id), options.notify_socket)
        start(root, container_id, options.log_warning)
        pid = Container.load(root, container_id).pid
        if detach:
            if notify:
                notify.wait(pid)
            return 0
        relay = (notify.socket.fileno(), notify.manager.fileno()) if notify else (-1, -1)
        status = wait_in_foreground(pid, master, relay)
    except HookError:
        # `start` has destroyed the container.
        raise
    except BaseException:
        delete(root, container_id, True, options.log_warning)
        raise
    if not keep:
        delete(root, container_id, True, options.log_warning)
    return status


def _listen(container: Container, manager: str) -> Notify | None:
    from stave.container.service import DIRECTORY, Notify

    return Notify(container, manager) if container.state.get(DIRECTORY) else None
