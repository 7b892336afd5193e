"""Health checks, from the image's configuration and the flags, as the supervisor is told them."""

from __future__ import annotations

from cooper.containers.record import write_file
from ocispec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.containers.runtime import Runtime

# Seconds, as docker has them.
_DEFAULTS: dict[str, Any] = {"interval": 30.0, "timeout": 30.0, "start": 0.0, "retries": 3, "action": "none"}
_START_INTERVAL = 5.0
# The image's name for it -> the option's.
DURATIONS = (
    ("Interval", "interval"),
    ("Timeout", "timeout"),
    ("StartPeriod", "start"),
    ("StartInterval", "start_interval"),
)


def health_check(options: dict[str, Any]) -> dict[str, Any]:
    """The check: command (program and arguments), interval, timeout, start, start_interval (seconds), retries, action.

    {} for none.
    """
    wanted = options["health"]
    if wanted == {}:
        return {}
    image = options["image_config"].get("Healthcheck") or {}
    check = dict(_DEFAULTS)
    check["command"] = image.get("Test") or []
    check |= {key: image[name] / 1e9 for name, key in DURATIONS if image.get(name)}
    if image.get("Retries"):
        check["retries"] = image["Retries"]
    check |= wanted or {}
    check.setdefault("start_interval", min(_START_INTERVAL, check["interval"]))
    kind, *words = check["command"] or ["NONE"]
    if kind == "CMD-SHELL":
        check["command"] = ["/bin/sh", "-c", *words]
    elif kind == "CMD":
        check["command"] = words
    else:
        return {}
    return check if check["command"] else {}


def check_settings(
    runtime: Runtime,
    container_id: str,
    directory: str,
    run_directory: str,
    process: dict[str, Any],
    check: dict[str, Any],
) -> dict[str, Any]:
    """What the supervisor is told of the check, whose process is in the container's directory.

    Args:
        process: the container's own, from its config.json.
    """
    own = {**process, "args": check["command"], "terminal": False}
    own.pop("consoleSize", None)
    write_file(f"{directory}/check.json", jsontext.dumps(own).encode())
    words = (
        "exec",
        "--process",
        f"{directory}/check.json",
        "--detach",
        "--pid-file",
        f"{run_directory}/check.pid",
    )
    return {
        "check": runtime.command(f"{run_directory}/check.log", *words, container_id),
        "check-interval": max(int(check["interval"] * 1000), 1),
        "check-start-interval": max(int(check["start_interval"] * 1000), 1),
        "check-timeout": max(int(check["timeout"] * 1000), 1),
        "check-start": int(check["start"] * 1000),
        "check-retries": max(check["retries"], 1),
        "unhealthy": check["action"],
    }
