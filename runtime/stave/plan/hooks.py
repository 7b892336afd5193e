"""Hooks that are part of create and start; poststart and poststop belong to those who run them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from stave.plan.program import Program

    HookState = Callable[[str], tuple[bytes, bytes]]

# A hook runs after the environment was made (step 2 of the life cycle): from then on the status is "created".
# Spec: runtime.md#state
STATUS = "created"


def add_runtime_hooks(program: Program, hooks: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """The prestart, then the createRuntime hooks have run in the runtime's namespaces.

    Spec: config.md#posix-platform-hooks
    """
    kinds = [kind for kind in ("prestart", "createRuntime") if hooks.get(kind)]
    if kinds:
        program.add("wait_for_runtime", "/hooks")
    for kind in kinds:
        for index, hook in enumerate(hooks[kind]):
            program.add("run_runtime_hook", f"/hooks/{kind}/{index}", kind, *_command(hook))


def add_container_hooks(
    program: Program, hooks: Mapping[str, Sequence[Mapping[str, Any]]], kind: str, hook_state: HookState
) -> None:
    """The hooks of one kind have run in the container's namespaces.

    Args:
        kind: "createContainer" (before the root is changed) or "startContainer".
        hook_state: gives, for a status, the state's JSON text before and after the pid.
    """
    for index, hook in enumerate(hooks.get(kind, ())):
        pointer = f"/hooks/{kind}/{index}"
        program.add("run_container_hook", pointer, *_command(hook), *hook_state(STATUS))


def _command(hook: Mapping[str, Any]) -> tuple[str, list[str], list[str], int]:
    # Only the listed environment: nothing that an image says may reach a hook.
    path = hook["path"]
    return path, list(hook.get("args") or (path,)), list(hook.get("env", ())), hook.get("timeout", 0)
