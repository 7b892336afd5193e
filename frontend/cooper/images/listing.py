"""The rows of `cooper images` and `cooper history`."""

from __future__ import annotations

import time

from cooper.containers.images import open_store
from cooper.containers.values import accepting, human_duration, human_size
from cooper.errors import UsageError
from ociimage.errors import ImageError
from ociimage.reference import parse
from ociimage.snapshots.snapshots import users

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cooper.settings import Settings
    from ociimage.image import Image
    from ociimage.store import Store

COLUMNS = {
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "ID": "IMAGE ID",
    "CreatedSince": "CREATED",
    "Size": "SIZE",
}
HISTORY = {
    "ID": "IMAGE",
    "CreatedSince": "CREATED",
    "CreatedBy": "CREATED BY",
    "Size": "SIZE",
    "Comment": "COMMENT",
}
_NONE = "<none>"
_COMMAND_WIDTH = 45


def image_rows(settings: Settings, filters: list[str], names: list[str], whole: bool) -> list[dict[str, Any]]:
    """One row for each name of each image, the newest image first. Raises: UsageError"""
    store = open_store(settings)
    accept = accepting(filters, lambda text: _filter(store, text))
    wanted = [_reference(name) for name in names]
    containers = users(store)
    rows = []
    for image in store.images():
        digests = {parse(name).repository: parse(name).digest for name in image.names if "@" in name}
        for name in image.tags or sorted(digests) or [""]:
            if accept(image, name) and (not wanted or wanted[0](image, name)):
                rows.append(_row(image, name, digests, whole, containers))
    rows.sort(key=lambda row: row["_created"], reverse=True)
    return [{key: value for key, value in row.items() if key != "_created"} for row in rows]


def _row(
    image: Image, name: str, digests: dict[str, str], whole: bool, containers: dict[str, list[str]]
) -> dict[str, Any]:
    reference = parse(name) if name else None
    try:
        created, size, image_id = _created(image), human_size(image.size), image.id
    except ImageError:
        # A blob of it is gone, by a crash of the machine or by hand.
        created, size, image_id = 0.0, "damaged", image.digest
    return {
        "Repository": reference.familiar_repository if reference else _NONE,
        "Tag": (reference.tag if reference and name in image.tags else "") or _NONE,
        "ID": image_id if whole else image_id[7:19],
        "CreatedSince": f"{human_duration(time.time() - created)} ago" if created else "N/A",
        "CreatedAt": time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(created)) if created else "N/A",
        "Size": size,
        "Digest": digests.get(reference.repository, _NONE) if reference else _NONE,
        "Containers": str(len(containers.get(image_id, ()))),
        "_created": created,
    }


def _created(image: Image) -> float:
    return parse_time(image.config.get("created") or "")


def parse_time(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 time; 0 for what is none."""
    import datetime

    # Python before 3.11 takes no more than six digits, and nobody sorts by nanoseconds.
    seconds, dot, rest = text.partition(".")
    zone = rest.lstrip("0123456789") if dot else ""
    try:
        return datetime.datetime.fromisoformat(f"{seconds}{zone}".replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def history_rows(image: Image, whole: bool) -> list[dict[str, Any]]:
    """One row for each step, the newest first."""
    rows = []
    for number, step in enumerate(image.history()):
        created_by = str(step.get("created_by") or "")
        if not whole and len(created_by) > _COMMAND_WIDTH:
            created_by = f"{created_by[: _COMMAND_WIDTH - 1]}…"
        created = parse_time(str(step.get("created") or ""))
        rows.append(
            {
                "ID": _NONE if number else image.id if whole else image.short_id,
                "CreatedSince": f"{human_duration(time.time() - created)} ago" if created else "N/A",
                "CreatedAt": str(step.get("created") or ""),
                "CreatedBy": created_by,
                "Size": human_size(step["size"]),
                "Comment": str(step.get("comment") or ""),
            }
        )
    return rows


def _filter(store: Store, text: str) -> Callable[[Image, str], bool]:
    key, equals, value = text.partition("=")
    if key == "dangling" and value.lower() in ("true", "1", "false", "0"):
        wanted = value.lower() in ("true", "1")
        return lambda image, name: (not image.names) == wanted
    if key == "reference" and value:
        return _reference(value)
    if key == "label" and value:
        label, has_value, content = value.partition("=")
        return lambda image, name: _has_label(image, label, content if has_value else None)
    if key in ("before", "since") and value:
        moment = _created(store.resolve(value))
        if key == "before":
            return lambda image, name: _created(image) < moment
        return lambda image, name: _created(image) > moment
    raise UsageError(f"--filter: {text!r} is none of dangling=, reference=, label=, before=, since=")


def prunable(filters: list[str]) -> Callable[[Image], bool]:
    """Whether an image passes the filters of `prune`. Raises: UsageError"""
    from cooper.containers.prune import pruning

    accept = pruning(filters)
    return lambda image: accept(_created(image), image.container_config.get("Labels") or {})


def _has_label(image: Image, label: str, content: str | None) -> bool:
    labels = image.container_config.get("Labels") or {}
    return label in labels and content in (None, labels[label])


def _reference(pattern: str) -> Callable[[Image, str], bool]:
    """Names by the shell's patterns; without a tag any tag does."""
    import fnmatch

    def accept(image: Image, name: str) -> bool:
        if not name:
            return False
        reference = parse(name)
        spellings = [reference.familiar, str(reference), reference.familiar_repository, reference.repository]
        return any(fnmatch.fnmatchcase(each, pattern) for each in spellings)

    return accept
