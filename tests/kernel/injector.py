"""Runs `create` again and again, each time with another operation of its Program failing; a script, not a test.

    injector.py ROOT ID BUNDLE CONSOLE_SOCKET

For each line on standard input, a number, the operation of that number is replaced by one of the same side that must
fail, and `create` is called. The answer is a line of JSON: the replaced operation, the error, how many descriptors are
open now. "-1" replaces nothing; after the last operation the answer is "null".

With STAVE_TEST_INIT in the environment that file is executed as stave-init.
"""

from __future__ import annotations

import json
import os
import sys

import stave.container.create as creation
from stave.container.caller import CreateOptions
from stave.errors import Error
from stave.plan.program import Operation
from stave.plan.result import Plan


def main() -> None:
    """Serves one caller."""
    root, container_id, bundle, console = sys.argv[1:]
    if init := os.environ.get("STAVE_TEST_INIT"):
        from stave.native import module

        vars(module)["init_image"] = lambda directory: os.open(init, os.O_RDONLY | os.O_CLOEXEC)
    real = creation._plan
    for line in sys.stdin:
        number, replaced = int(line), ""

        def damaged(*arguments: object, number: int = number) -> Plan:
            nonlocal replaced
            plan: Plan = real(*arguments)  # type: ignore[arg-type]
            operations = plan.program.operations
            if number >= 0:
                victim = operations[number]
                replaced = victim.name
                if replaced != "wait_for_start":  # create's own end
                    operations[number] = _failing(victim)
            return plan

        vars(creation)["_plan"] = damaged
        options = CreateOptions(bundle, lambda _: None, console_socket=console or None)
        answer: dict[str, object] | None
        try:
            creation.create(root, container_id, options)
            answer = {"error": ""}
        except IndexError:
            answer = None
        except Error as error:
            answer = {"error": str(error)}
        if answer is not None:
            answer |= {"replaced": replaced, "descriptors": len(os.listdir("/proc/self/fd"))}
        print(json.dumps(answer), flush=True)


def _failing(victim: Operation) -> Operation:
    if victim.in_container:
        return Operation("change_directory", "/injected", ("/no/such/directory", 0))
    return Operation("write_id_map", "/injected", ("no-such-file", ""))


if __name__ == "__main__":
    main()
