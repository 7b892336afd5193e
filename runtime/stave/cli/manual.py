"""The manual page stave(8), from the table of commands: ``python -m stave.cli.manual > docs/man/stave.8``."""

from __future__ import annotations

from stave import __version__
from stave.cli.table import BOOL, COMMANDS, GLOBAL, LIST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from stave.cli.table import Flag

_DESCRIPTION = """\
.B stave
creates, starts and manages containers from OCI bundles: directories with a
.I config.json
and a root file system. It has the command line of
.BR runc (8),
so that podman, containerd and Docker can use it in its place, and nothing of it stays resident.
.PP
A value follows its flag as the next word or after an equals sign, and
.BI \\- name
is the same as
.BI \\-\\- name\\fR.
Global flags stand before the command. For
.B exec
and
.B ps
everything after the container belongs to the other program;
.B \\-\\-
ends the flags.
"""

_END = """\
.SH FILES
.TP
.I /run/stave/CONTAINER/
The state of a container:
.I state.json
and the
.I config.json
that it was created with. As an ordinary user it is below
.IR $XDG_RUNTIME_DIR/stave .
.TP
.I /etc/criu/stave.conf
Settings of
.BR criu (8)
for
.B checkpoint
and
.BR restore ,
unless the annotation
.B org.criu.config
names another file.
.SH EXIT STATUS
0 after success, and 1 after a failure, of which standard error has one line that ends with the cause.
.B run
and
.B restore
without
.B \\-\\-detach
exit as the container's first process does, with 128 and the number of the signal if one ended it;
.B exec
exits as its program does, and with 255 after a failure of its own.
.SH SEE ALSO
.BR runc (8),
.BR crun (1),
.BR criu (8),
.BR podman (1),
.BR cgroups (7),
.BR namespaces (7)
.PP
The OCI runtime specification: https://github.com/opencontainers/runtime\\-spec
"""


def page() -> str:
    """The page, in the man macros of roff."""
    parts = [
        f'.TH STAVE 8 "" "stave {__version__}" "System Administration"\n',
        ".SH NAME\nstave \\- OCI container runtime\n",
        ".SH SYNOPSIS\n.B stave\n.RI [ flags ]\n.I command\n.RI [ flags ]\n.RI [ arguments ]\n",
        f".SH DESCRIPTION\n{_DESCRIPTION}",
        f".SH GLOBAL FLAGS\n{_flags(GLOBAL)}",
        f".SH COMMANDS\n{''.join(_command(name) for name in COMMANDS)}",
        _END,
    ]
    return "".join(parts)


def _command(name: str) -> str:
    _, flags, _, _, _, arguments, summary = COMMANDS[name]
    own = [flag for flag in flags if flag[0][0] != "help"]
    synopsis = " ".join([f"\\fBstave {name}\\fR", *(["[\\fIflags\\fR]"] if own else []), _text(arguments)])
    return f".SS {name}\n{synopsis.strip()}\n.PP\n{_text(summary[0].upper() + summary[1:])}.\n{_flags(own)}"


def _flags(flags: Sequence[Flag]) -> str:
    found = ""
    for names, kind, _, _, value, text in flags:
        spelled = [
            f"\\fB\\-\\-{_text(name)}\\fR" if len(name) > 1 else f"\\fB\\-{name}\\fR" for name in names
        ]
        head = ", ".join(spelled) + ("" if kind == BOOL else f" \\fI{_text(value)}\\fR")
        again = " May be given several times." if kind == LIST else ""
        found += f".TP\n{head}\n{_text(text[0].upper() + text[1:])}.{again}\n"
    return found


def _text(text: str) -> str:
    """The text as it is, without a meaning to roff."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text[:1] in (".", "'") else text


if __name__ == "__main__":
    print(page(), end="")
