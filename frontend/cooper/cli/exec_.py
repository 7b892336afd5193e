"""`cooper exec`."""

from __future__ import annotations

from cooper.cli.command import BOOL, FILE, LIST, RUNNING, TEXT, Command, Flag, Invocation

COMMAND = Command(
    arguments="CONTAINER PROGRAM [ARGUMENT ...]",
    minimum=2,
    maximum=-1,
    in_order=True,
    completes=RUNNING,
    flags=(
        Flag("interactive", "i", BOOL, text="pass on the standard input"),
        Flag("tty", "t", BOOL, text="give the program a terminal"),
        Flag("detach", "d", BOOL, text="do not wait for its end"),
        Flag("env", "e", LIST, "NAME[=VALUE]", "set a variable, or pass on cooper's own"),
        Flag("env-file", "", LIST, "FILE", "read variables from a file", completes=FILE),
        Flag("workdir", "w", TEXT, "DIR", "the working directory (default: the container's)"),
        Flag("user", "u", TEXT, "USER[:GROUP]", "names or numbers (default: the container's)"),
        Flag("privileged", "", BOOL, text="with all capabilities"),
        Flag("detach-keys", "", TEXT, "KEYS", "with -t: what leaves the program running (default: ctrl-p,ctrl-q)"),
    ),
    examples=(
        ("cooper exec -it web sh", "a shell in the running container web"),
        ("cooper exec -u 1000 -w /srv web ls -l", "as another user, in another directory"),
    ),
)  # fmt: skip


def run(invocation: Invocation) -> int:
    """The program has run in the container: its exit status."""
    from cooper.containers.execute import execute

    return execute(invocation)
