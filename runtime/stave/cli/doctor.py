"""stave doctor."""

from __future__ import annotations

from stave.cli.output import STDOUT, one_line, print_line, write
from stave.cli.root import state_root
from stave.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from stave.cli.parser import Invocation
    from stave.doctor.finding import Finding


def run(invocation: Invocation) -> int:
    """What this machine can do is printed; 1 if no container can run, or one has other limits than it should."""
    from stave.doctor.report import examine

    try:
        root, why = state_root(invocation), ""
    except Error as error:  # a reason for no command of a container, but not for no report
        root, why = None, str(error)
    findings = examine(root, why)
    if invocation.options["json"]:
        from ocispec.jsontext import dumps

        print_line(dumps([finding._asdict() for finding in findings], indent=2))
    else:
        write(STDOUT, as_text(findings))
    return int(any(not each.works and (each.required or each.group == "containers") for each in findings))


def as_text(findings: Sequence[Finding]) -> str:
    """A line for each finding below its group's name, and one more for the cure where there is one."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    group = ""
    for finding in findings:
        if finding.group != group:
            group = finding.group
            lines.append(f"{group}:")
        answer = "yes" if finding.works else "NO " if finding.required else "no "
        lines.append(f"  {answer}  {finding.name:{width}}  {one_line(finding.detail)}".rstrip())
        if not finding.works and finding.cure:
            lines.append(f"       {'':{width}}  -> {one_line(finding.cure)}")
    return "".join(f"{line}\n" for line in lines)
