"""All containers below one state directory."""

from __future__ import annotations

import contextlib
import copy
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ocispec.config import check, load_config, read_file, without_nulls
from ocispec.jsontext import loads
from stave.container.caller import CreateOptions
from stave.container.create import create_container
from stave.container.state import DEFAULT_ROOT, list_all
from stave.container.state import Container as State
from stave.errors import Error
from stave.library.container import Container
from stave.library.process import Process
from stave.library.streams import Stream, Streams

if TYPE_CHECKING:
    from stave.library.notify import Handler


class Runtime:
    """Makes containers and finds them again.

    Args:
        root: the state directory; None for that of the program: /run/stave, or $XDG_RUNTIME_DIR/stave for an
            ordinary user.
        on_warning: is told what was asked for and cannot be granted; the default is `warnings.warn`.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        on_warning: Callable[[str], None] = warnings.warn,
    ) -> None:
        self.root = os.path.abspath(root) if root is not None else _default_root()
        self._on_warning = on_warning

    def create(
        self,
        container_id: str,
        bundle: str | os.PathLike[str],
        *,
        config: Mapping[str, Any] | None = None,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
        preserve_fds: int = 0,
        no_pivot: bool = False,
        no_new_keyring: bool = False,
        on_notify: Handler | None = None,
    ) -> Container:
        """The container is created: its program waits for `start`. After a failure nothing is left of it.

        Args:
            bundle: its directory.
            config: the configuration, instead of the bundle's config.json.
            stdin, stdout, stderr: as for `subprocess.Popen`; None is the caller's own. With `process.terminal` the
                terminal's master is `container.process.terminal` instead.
            preserve_fds: descriptors from 3 on that stay open in the user's program.
            no_pivot: for roots that cannot be pivoted, such as an initramfs.
            no_new_keyring: leave the session keyring alone.
            on_notify: answers system calls that linux.seccomp gives the action SCMP_ACT_NOTIFY, in threads of its
                own, until the container is deleted. It takes the place of listenerPath.

        Raises:
            InvalidConfig: with every problem of the configuration.
            ContainerExists: the id is taken.
            Error: whatever else failed, with the property it came from.

        Spec: runtime.md#create
        """
        directory = os.path.realpath(bundle)
        own: Any
        if config is not None:
            own = without_nulls(copy.deepcopy(dict(config)))
        else:
            # One that is to be completed need not be valid as it is written.
            own = loads(read_file(f"{directory}/config.json")) if on_notify else load_config(directory)
        with contextlib.ExitStack() as opened:
            listener = None
            if on_notify is not None:
                from stave.library.notify import listen

                listener = listen(on_notify, own)
                opened.callback(listener.close)
            if on_notify or config is not None:
                check("config", own)
            streams = Streams(stdin, stdout, stderr)
            opened.callback(streams.abandon)
            options = CreateOptions(
                directory,
                self._on_warning,
                no_pivot=no_pivot,
                no_new_keyring=no_new_keyring,
                preserve_fds=preserve_fds,
                streams=streams.descriptors,
            )
            master = create_container(self.root, container_id, own, options)
            opened.pop_all()
        streams.close()
        process = Process(State.load(self.root, container_id).pid, streams.pipes, master)
        return Container(self.root, container_id, process, self._on_warning, listener)

    def run(self, container_id: str, bundle: str | os.PathLike[str], **how: Any) -> Container:
        """As `create`, and the container is started; one that cannot be started is gone."""
        container = self.create(container_id, bundle, **how)
        try:
            container.start()
        except BaseException:
            container.delete(force=True)
            raise
        return container

    def get(self, container_id: str) -> Container:
        """The container of that id, whoever made it. Raises ContainerNotFound."""
        State.load(self.root, container_id)
        return Container(self.root, container_id, None, self._on_warning)

    def __iter__(self) -> Iterator[Container]:
        """All containers, by name; one that is being made has no state yet and is passed over."""
        for record in list_all(self.root):
            yield Container(self.root, record["id"], None, self._on_warning)


def _default_root() -> str:
    if os.geteuid() == 0:
        return DEFAULT_ROOT
    directory = os.environ.get("XDG_RUNTIME_DIR", "")
    if not directory.startswith("/"):
        raise Error("XDG_RUNTIME_DIR is not set: give the state directory as `root`")
    return f"{directory}/stave"
