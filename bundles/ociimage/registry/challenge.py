"""WWW-Authenticate headers. Spec: RFC 9110, section 11.6.1"""

from __future__ import annotations

_SEPARATORS = frozenset(' \t,="')


def parse_challenges(header: str) -> list[tuple[str, dict[str, str]]]:
    """Each challenge's scheme and parameters, names in lower case; what cannot be read ends the list."""
    challenges: list[tuple[str, dict[str, str]]] = []
    position = 0
    while position < len(header):
        position = _skip(header, position, " \t,")
        word, position = _token(header, position)
        if not word:
            break
        after = _skip(header, position, " \t")
        if after < len(header) and header[after] == "=" and challenges:
            value, position = _value(header, _skip(header, after + 1, " \t"))
            challenges[-1][1][word.lower()] = value
        else:
            challenges.append((word.lower(), {}))
    return challenges


def _skip(text: str, position: int, characters: str) -> int:
    while position < len(text) and text[position] in characters:
        position += 1
    return position


def _token(text: str, position: int) -> tuple[str, int]:
    start = position
    while position < len(text) and text[position] not in _SEPARATORS:
        position += 1
    return text[start:position], position


def _value(text: str, position: int) -> tuple[str, int]:
    if position >= len(text) or text[position] != '"':
        return _token(text, position)
    value = ""
    position += 1
    while position < len(text) and text[position] != '"':
        if text[position] == "\\" and position + 1 < len(text):
            position += 1
        value += text[position]
        position += 1
    return value, position + 1
