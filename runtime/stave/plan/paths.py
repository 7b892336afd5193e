"""Paths as the configuration writes them; nothing is looked up."""

from __future__ import annotations


def clean(path: str) -> str:
    """`path` read from "/", without ".", ".." and doubled slashes.

    >>> clean("var//lib/../run/./x/")
    '/var/run/x'
    """
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part and part != ".":
            parts.append(part)
    return "/" + "/".join(parts)


def from_bundle(bundle: str, path: str) -> str:
    """`path` as an absolute path; a relative one counts from the bundle."""
    return path if path.startswith("/") else clean(f"{bundle}/{path}")
