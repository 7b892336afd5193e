"""stave explain."""

from __future__ import annotations

from stave.cli.log import Log
from stave.cli.output import STDOUT, print_line, write
from stave.cli.root import bundle_directory, cgroup_manager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.cli.parser import Invocation


def run(invocation: Invocation) -> int:
    """The Program that would create the bundle's container is printed; nothing of it has run.

    With --seccomp, what the profile decides for one system call is printed instead.
    """
    if invocation.options["seccomp"]:
        return _explain_syscall(invocation, invocation.options["seccomp"])
    from stave.container.create import plan_bundle
    from stave.plan.explain import as_json, as_text

    plan = plan_bundle(bundle_directory(invocation.arguments[0]), cgroup_manager=cgroup_manager(invocation))
    if invocation.options["json"]:
        from ocispec.jsontext import dumps

        print_line(dumps(as_json(plan.program), indent=2))
    else:
        write(STDOUT, as_text(plan.program))
    for warning in plan.warnings:
        Log(invocation).warning(warning)
    return 0


def _explain_syscall(invocation: Invocation, name: str) -> int:
    from ocispec.config import load_config
    from stave.container.create import with_plugins
    from stave.errors import Error
    from stave.seccomp.explain import as_text, explain_syscall

    bundle = bundle_directory(invocation.arguments[0])
    profile = with_plugins(load_config(bundle), bundle).get("linux", {}).get("seccomp")
    if profile is None:
        raise Error("linux.seccomp: is not set, so every system call is allowed")
    entries = explain_syscall(profile, name)
    if invocation.options["json"]:
        from ocispec.jsontext import dumps

        print_line(dumps(entries, indent=2))
    else:
        write(STDOUT, as_text(entries, name))
    return 0
