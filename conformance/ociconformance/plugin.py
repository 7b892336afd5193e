"""The pytest plugin of the suite: its options, its marker, its fixtures, and a record of every test's outcome."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ociconformance import bundle, isolation, machine
from ociconformance.clauses import CLAUSES
from ociconformance.container import Container
from ociconformance.runtime import Identity, Runtime, minor
from ociconformance.testing import UNCLAIMED

NewContainer = Callable[..., Container]

_SECONDS_PER_TEST = 180
_OLDEST = "1.0.2"
_SECONDS: pytest.StashKey[float] = pytest.StashKey()
_OUTCOME: pytest.StashKey[tuple[str, str]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, which the command line of the suite fills in."""
    group = parser.getgroup("oci-conformance")
    group.addoption("--oci-runtime", help="the executable of the runtime to test")
    group.addoption("--oci-version", help="the ociVersion of every configuration (default: by the test)")
    group.addoption(
        "--oci-claim", help="the version of the specification to hold it to (default: its own claim)"
    )
    group.addoption("--oci-record", help="the file for the outcomes, one JSON object per line")
    group.addoption("--oci-seconds", type=float, default=20, help="how long an operation may take")


def pytest_configure(config: pytest.Config) -> None:
    """The marker is known."""
    config.addinivalue_line(
        "markers", "covers(*clauses): the clauses of the specification that the test decides"
    )
    config.pluginmanager.register(Recorder(config.getoption("--oci-record")), "oci-recorder")


def covered(item: pytest.Item) -> list[str]:
    """The clauses that a test names, in order."""
    found = dict.fromkeys(clause for marker in item.iter_markers("covers") for clause in marker.args)
    return list(found)


def since(item: pytest.Item) -> str:
    """The version of the specification that brought what a test is about."""
    return max((CLAUSES[clause].since for clause in covered(item)), default="1.0", key=minor)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test names clauses, and no others than there are."""
    for item in items:
        unknown = [clause for clause in covered(item) if clause not in CLAUSES]
        if unknown or not covered(item):
            raise pytest.UsageError(
                f"{item.nodeid}: {'no clause ' + ', '.join(unknown) if unknown else 'no clauses'}"
            )


@dataclass
class Recorder:
    """Writes a line for every test: its name, its clauses, its outcome and why."""

    path: str | None

    def _write(self, **record: Any) -> None:
        if self.path:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """With --collect-only every test is a line without an outcome."""
        if session.config.option.collectonly:
            for item in session.items:
                self._write(test=name_of(item), clauses=covered(item), summary=summary_of(item))

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        """A test that is set up, run or cleaned up badly has failed."""
        result = yield
        report = result.get_result()  # type: ignore[attr-defined]
        if report.when == "setup":
            item.stash[_SECONDS] = 0.0
            item.stash[_OUTCOME] = ("passed", "")
        item.stash[_SECONDS] += float(report.duration)
        if report.skipped:
            reason = str(report.longrepr[2]).removeprefix("Skipped: ")
            item.stash[_OUTCOME] = ("unclaimed" if reason.startswith(UNCLAIMED) else "skipped", reason)
        elif report.failed:
            text = "" if report.when == "call" else f"in {report.when}: "
            item.stash[_OUTCOME] = ("failed", text + (_message(call) or report.longreprtext))
        if report.when == "teardown":
            outcome, reason = item.stash[_OUTCOME]
            seconds: float = item.stash[_SECONDS]
            self._write(
                test=name_of(item),
                clauses=covered(item),
                summary=summary_of(item),
                outcome=outcome,
                reason=reason,
                seconds=round(seconds, 3),
            )


def name_of(item: pytest.Item) -> str:
    """A test's name, such as "lifecycle::test_kill[TERM]"."""
    return f"{item.path.stem.removeprefix('test_')}::{item.name}"


def summary_of(item: pytest.Item) -> str:
    """The first line of a test's docstring."""
    function = getattr(item, "function", None)
    return str(function.__doc__ or "").strip().splitlines()[0] if function and function.__doc__ else ""


def _message(call: pytest.CallInfo[None]) -> str:
    """What a failed assertion says, without the code around it."""
    if call.excinfo is None:
        return ""
    places = [(Path(each.path).name, each.lineno + 1) for each in call.excinfo.traceback]
    file, line = next((place for place in reversed(places) if place[0].startswith("test_")), places[-1])
    text = call.excinfo.exconly().removeprefix("AssertionError: ").replace("\n  Use -v to get more diff", "")
    return f"{text}\n({file}:{line})"


@pytest.fixture(scope="session")
def identity(request: pytest.FixtureRequest) -> Identity:
    """What the runtime says of itself."""
    return Identity(request.config.getoption("--oci-runtime"))


@pytest.fixture(scope="session")
def busybox() -> Path:
    """The busybox that root file systems link to."""
    found = machine.busybox()
    assert found is not None, "a static busybox is needed: /bin/busybox, or OCI_CONFORMANCE_BUSYBOX"
    copy = isolation.WORK / "busybox"
    copy.write_bytes(found.read_bytes())
    copy.chmod(0o755)
    return copy


@pytest.fixture(scope="session")
def group() -> Iterator[str]:
    """The cgroup, in every hierarchy, of all containers of this run, without a leading slash."""
    name = f"oci-conformance-{os.urandom(4).hex()}"
    yield name
    for top in machine.hierarchies():
        for directory, _, _ in os.walk(top, topdown=False):
            # Also where a runtime puts the containers that it chooses the place for: IDs begin with the name.
            if name in directory:
                with contextlib.suppress(OSError):
                    os.rmdir(directory)


_NUMBERS = itertools.count(1)


@pytest.fixture(autouse=True)
def place(request: pytest.FixtureRequest, group: str, identity: Identity) -> Iterator[Path]:
    """A directory for one test, which leaves no process, mount or cgroup behind."""
    needed = since(request.node)
    claimed = request.config.getoption("--oci-claim") or identity.specification
    if minor(claimed) < minor(needed):
        pytest.skip(f"{UNCLAIMED}: new in {needed}, and the runtime claims {claimed}")
    directory = isolation.WORK / str(next(_NUMBERS))
    directory.mkdir()
    before = isolation.mount_points()
    _alarm(_SECONDS_PER_TEST)
    try:
        yield directory
    finally:
        _alarm(0)
        machine.thaw(group)
        isolation.end_all_others()
        for path in reversed(isolation.mount_points()[len(before) :]):
            with contextlib.suppress(OSError):
                isolation.unmount(path)
        machine.remove(group)


def _alarm(seconds: int) -> None:
    def expire(*_: object) -> None:
        raise TimeoutError(f"the test took longer than {seconds} s")

    signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds)


@pytest.fixture
def runtime(request: pytest.FixtureRequest, place: Path) -> Runtime:
    """The runtime under test."""
    options = request.config.option
    return Runtime(options.oci_runtime, place, options.oci_seconds)


@pytest.fixture
def oci_version(request: pytest.FixtureRequest) -> str:
    """The ociVersion of the test's configurations: the oldest that has everything it is about."""
    named = request.config.getoption("--oci-version")
    needed = since(request.node)
    return str(named or (_OLDEST if needed == "1.0" else f"{needed}.0"))


@pytest.fixture
def new_container(runtime: Runtime, place: Path, group: str, busybox: Path, oci_version: str) -> NewContainer:
    """A function that makes a bundle for one more container."""
    numbers = itertools.count(1)

    def new(id: str | None = None) -> Container:
        name = f"{group}-{place.name}-{next(numbers)}"
        directory = place / name
        bundle.make_rootfs(directory / "rootfs", busybox)
        config = bundle.base_config(oci_version, f"/{group}/{name}")
        return Container(runtime, id or name, directory, config)

    return new


@pytest.fixture
def container(new_container: NewContainer) -> Container:
    """A container to be."""
    return new_container()


@pytest.fixture
def features(identity: Identity) -> dict[str, Any]:
    """The runtime's features document."""
    if identity.features is None:
        pytest.skip(f"{UNCLAIMED}: the runtime has no features document")
    return identity.features
