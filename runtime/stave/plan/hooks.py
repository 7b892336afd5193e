"""Hooks that are part of create and start; poststart and poststop belong to those who run them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ocispec.types import Hook, Hooks
    from stave.plan.program import Program

    HookState = Callable[[str], tuple[bytes, bytes]]

# Hooks run after step 2 of the life cycle, where the environment is made; from then on this is the status.
# Spec: runtime.md#state
STATUS = "created"


def add_create_hooks(program: Program, hooks: Hooks, hook_state: HookState) -> None:
    """The prestart and createRuntime hooks have run in the runtime's namespaces, then the createContainer
    hooks in the container's. To be planned before the root is changed.

    Args:
        hook_state: gives, for a status, the state's JSON text before and after the pid.

    Spec: config.md#posix-platform-hooks
    """
    prestart, create_runtime = hooks.get("prestart", ()), hooks.get("createRuntime", ())
    if prestart or create_runtime:
        program.add("wait_for_runtime", "/hooks")
    for kind, entries in (("prestart", prestart), ("createRuntime", create_runtime)):
        for index, hook in enumerate(entries):
            program.add("run_runtime_hook", f"/hooks/{kind}/{index}", kind, *_command(hook))
    _in_container(program, "/hooks/createContainer", hooks.get("createContainer", ()), hook_state)


def add_start_hooks(program: Program, hooks: Hooks, hook_state: HookState) -> None:
    """The startContainer hooks have run in the container, as the container's user.

    Spec: config.md#startcontainer-hooks
    """
    _in_container(program, "/hooks/startContainer", hooks.get("startContainer", ()), hook_state)


def _in_container(program: Program, pointer: str, hooks: Sequence[Hook], hook_state: HookState) -> None:
    for index, hook in enumerate(hooks):
        program.add("run_container_hook", f"{pointer}/{index}", *_command(hook), *hook_state(STATUS))


def _command(hook: Hook) -> tuple[str, list[str], list[str], int]:
    # Only the listed environment: nothing that an image says may reach a hook.
    path = hook["path"]
    return path, list(hook.get("args") or (path,)), list(hook.get("env", ())), hook.get("timeout", 0)
