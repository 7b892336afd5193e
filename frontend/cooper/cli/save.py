"""`cooper save`."""

from __future__ import annotations

from cooper.cli.command import FILE, IMAGE, TEXT, Command, Flag, Invocation
from cooper.cli.output import NewFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ociimage.image import Image

COMMAND = Command(
    arguments="IMAGE ...",
    minimum=1,
    maximum=-1,
    completes=IMAGE,
    flags=(
        Flag("output", "o", TEXT, "PATH", "a file, or the directory of oci-dir", completes=FILE),
        Flag("format", "", TEXT, "FORMAT", "docker-archive, oci-archive or oci-dir", "docker-archive"),
    ),
    examples=(
        ("cooper save -o web.tar web:1", "for docker load, podman load and cooper load"),
        ("cooper save --format oci-archive web:1 | ssh host cooper load", "on standard output"),
    ),
)


def run(invocation: Invocation) -> int:
    """The images are in the archive, whole or not at all."""
    from cooper.containers.images import open_store
    from cooper.errors import UsageError
    from ociimage.archives.save import FORMATS, save, save_directory
    from ociimage.portable import make_portable

    path, form = invocation.options["output"], invocation.options["format"]
    if form not in FORMATS:
        raise UsageError(f"--format: {form!r} is none of {', '.join(FORMATS)}")
    store = open_store(invocation.settings)
    images: dict[str, tuple[Image, list[str]]] = {}
    for text in invocation.arguments:
        image = store.resolve(text)
        if form != "docker-archive":
            image = make_portable(image)
        image, names = images.setdefault(image.id, (image, []))
        # An image that is named by its id is saved without a name, as docker does.
        names += [name for name in image.tags if name not in names and name in _spelled(text)]
    if form == "oci-dir":
        if not path:
            raise UsageError("oci-dir is a directory", "name one with --output")
        save_directory(list(images.values()), path)
        return 0
    with NewFile(path) as file:
        save(list(images.values()), file.write, form)
    return 0


def _spelled(text: str) -> list[str]:
    """The full name that the text stands for, if it is a name."""
    from ociimage.errors import InvalidReference
    from ociimage.reference import parse

    try:
        return [str(parse(text))]
    except InvalidReference:
        return []
