"""What can go wrong with images.

ImageError
    InvalidReference    text that names no image
    ImageNotFound       a name, an id, or a part of an image that is not here
    InvalidImage        a document or an archive that the specifications do not allow
        DigestMismatch      content that is not what its digest or size promised
        InvalidLayer        an entry of a layer that is not taken
    ImageInUse          not removed, as something needs it
    SnapshotError       a root file system that cannot be prepared or mounted
    InvalidOption       a flag of the caller that makes no container
    RegistryError       what a registry answered, or that it did not
"""

from __future__ import annotations


class ImageError(Exception):
    """The base. The text is one line in lower case, with the cause last."""


class InvalidReference(ImageError):
    """The text is no reference to an image."""


class ImageNotFound(ImageError):
    """No such image, or a part of it is missing."""


class InvalidImage(ImageError):
    """A document or an archive is not what the specifications allow."""


class DigestMismatch(InvalidImage):
    """Content is not what its digest, size or diff id promised."""


class InvalidLayer(InvalidImage):
    """A layer holds an entry that is not taken, or more than is taken."""


class ImageInUse(ImageError):
    """Not removed: a container or another name needs it."""


class SnapshotError(ImageError):
    """A root file system cannot be prepared, mounted or removed."""


class InvalidOption(ImageError):
    """The caller asks for a container that cannot be."""


class RegistryError(ImageError):
    """A registry refused, or could not be reached.

    Attributes:
        status: the HTTP status, or 0 if there was no answer.
    """

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status
