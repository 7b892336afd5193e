"""Names of images, as docker spells them: [DOMAIN/]PATH[:TAG][@DIGEST].

Spec: distribution-spec, "Pulling manifests" for the grammar of names and tags; image-spec descriptor.md for digests.
"""

from __future__ import annotations

from ociimage.errors import InvalidReference

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
_LOWER = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_HEX = frozenset("0123456789abcdef")
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_DOMAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")


class Reference:
    """An image's full name.

    Attributes:
        domain: the registry, with its port: `docker.io`, `localhost:5000`.
        path: the repository there: `library/busybox`.
        tag: or "" if there is only a digest.
        digest: `sha256:...`, or "".
    """

    __slots__ = ("domain", "path", "tag", "digest")

    def __init__(self, domain: str, path: str, tag: str, digest: str) -> None:
        self.domain = domain
        self.path = path
        self.tag = tag
        self.digest = digest

    @property
    def repository(self) -> str:
        """Domain and path."""
        return f"{self.domain}/{self.path}"

    def __str__(self) -> str:
        """The full name, which parses to the same again."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}{'@' + self.digest if self.digest else ''}"

    @property
    def familiar_repository(self) -> str:
        """The repository as people write it, without docker.io and library/."""
        if self.domain != DEFAULT_DOMAIN:
            return self.repository
        rest = self.path.removeprefix("library/")
        return self.path if "/" in rest else rest

    @property
    def familiar(self) -> str:
        """The name as people write it."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.familiar_repository}{tag}{'@' + self.digest if self.digest else ''}"

    def with_digest(self, digest: str) -> Reference:
        """The same repository, by digest."""
        return Reference(self.domain, self.path, "", digest)


def is_digest(text: str) -> bool:
    """Whether it is `sha256:` and 64 hexadecimal digits. Nothing else ever becomes part of a path."""
    return len(text) == 71 and text.startswith("sha256:") and _HEX.issuperset(text[7:])


def parse_digest(text: object) -> str:
    """`text`, which is a digest.

    Raises: InvalidReference for anything else, also for other algorithms than sha256.
    """
    if not isinstance(text, str) or not is_digest(text):
        raise InvalidReference(f"{_shown(text)} is no digest: sha256: and 64 hexadecimal digits")
    return text


def parse(text: str) -> Reference:
    """The full reference that `text` stands for: docker.io, library/ and latest are filled in.

    Raises: InvalidReference
    """
    name, at, digest = text.partition("@")
    if at:
        parse_digest(digest)
    head, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    if colon and not is_tag(tag):
        raise InvalidReference(f"{_shown(text)}: {_shown(tag)} is no tag")
    name = f"{head}{slash}{last}"
    domain, path = _split_domain(name)
    if not _is_path(path):
        cure = ": names are in lower case" if path != path.lower() else ""
        raise InvalidReference(f"{_shown(text)} is no name of an image{cure}")
    if not _is_domain(domain):
        raise InvalidReference(f"{_shown(text)}: {_shown(domain)} is no registry")
    if len(domain) + 1 + len(path) > 255:
        raise InvalidReference("the name of an image has at most 255 characters")
    if not tag and not digest:
        tag = DEFAULT_TAG
    return Reference(domain, path, tag, digest)


def is_tag(text: str) -> bool:
    """Whether it may be a tag."""
    return 0 < len(text) <= 128 and text[0] in _WORD and all(c in _WORD or c in ".-" for c in text)


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        if first == "index.docker.io":
            first = DEFAULT_DOMAIN
        if first == DEFAULT_DOMAIN and "/" not in rest:
            rest = f"library/{rest}"
        return first, rest
    return DEFAULT_DOMAIN, name if slash else f"library/{name}"


def _is_domain(text: str) -> bool:
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host = text
    elif not (port.isascii() and port.isdigit() and int(port[:6]) < 65536):
        return False
    if host.startswith("[") and host.endswith("]"):
        return len(host) > 2 and all(c in _HEX or c in "ABCDEF:." for c in host[1:-1])
    return all(
        label and _DOMAIN.issuperset(label) and label[0] != "-" != label[-1] for label in host.split(".")
    )


def _is_path(path: str) -> bool:
    return all(_is_component(component) for component in path.split("/"))


def _is_component(text: str) -> bool:
    """Runs of small letters and digits, with one ".", one or two "_", or any number of "-" between them."""
    if not text or text[0] not in _LOWER or text[-1] not in _LOWER:
        return False
    separator = ""
    for character in text:
        if character in _LOWER:
            separator = ""
            continue
        separator += character
        if separator not in (".", "_", "__") and separator.strip("-"):
            return False
    return True


def _shown(text: object) -> str:
    """Text of unknown origin, short and on one line."""
    shown = repr(text)
    return shown if len(shown) <= 80 else f"{shown[:76]}...{shown[-1]}"
