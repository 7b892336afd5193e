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


def add_runtime_hooks(program: Program, hooks: Hooks) -> None:
    """The prestart, then the createRuntime hooks have run in the runtime's namespaces.

    Spec: config.md#posix-platform-hooks
    """
    prestart, create_runtime = hooks.get("prestart", ()), hooks.get("createRuntime", ())
    if prestart or create_runtime:
        program.add("wait_for_runtime", "/hooks")
    for kind, entries in (("prestart", prestart), ("createRuntime", create_runtime)):
        for index, hook in enumerate(entries):
            program.add("run_runtime_hook", f"/hooks/{kind}/{index}", kind, *_command(hook))


def add_container_hooks(program: Program, pointer: str, hooks: Sequence[Hook], hook_state: HookState) -> None:
    """The hooks of one kind have run in the container's namespaces.

    Args:
        pointer: "/hooks/createContainer" (to be run before the root is changed) or "/hooks/startContainer".
        hook_state: gives, for a status, the state's JSON text before and after the pid.
    """
    for index, hook in enumerate(hooks):
        program.add("run_container_hook", f"{pointer}/{index}", *_command(hook), *hook_state(STATUS))


def _command(hook: Hook) -> tuple[str, list[str], list[str], int]:
    # Only the listed environment: nothing that an image says may reach a hook.
    path = hook["path"]
    return path, list(hook.get("args") or (path,)), list(hook.get("env", ())), hook.get("timeout", 0)
