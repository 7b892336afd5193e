"""What names an operation's property to a person."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.plan.program import Operation


def subject_of(operation: Operation) -> str:
    """What names the operation's property to a person: a mount's destination, a program's name."""
    arguments = operation.arguments
    if operation.name == "mount":
        return str(arguments[2])
    if operation.name in ("bind", "open_source", "send_user_namespace"):
        return str(arguments[1])
    if operation.name == "execute":
        return str(arguments[0][0]) if arguments[0] else ""
    if operation.name in ("find_executable", "remount", "unmount", "run_container_hook"):
        return str(arguments[0])
    return ""
