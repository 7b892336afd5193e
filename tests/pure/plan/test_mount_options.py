"""The words in a mount's options."""

from __future__ import annotations

import pytest

from stave.plan import constants as c
from stave.plan.mount_options import ATTRIBUTES, LINKS, MOUNT_OPTIONS, parse_options, split

# Spec: config.md#linux-mount-options, and the r-forms that the kernel's attributes suggest.
SPECIFIED = [
    "async", "atime", "bind", "defaults", "dev", "diratime", "dirsync", "exec", "iversion", "lazytime",
    "loud", "mand", "noatime", "nodev", "nodiratime", "noexec", "noiversion", "nolazytime", "nomand",
    "norelatime", "nostrictatime", "nosuid", "nosymfollow", "private", "ratime", "rbind", "rdev",
    "rdiratime", "relatime", "remount", "rexec", "rnoatime", "rnodiratime", "rnoexec", "rnorelatime",
    "rnostrictatime", "rnosuid", "rnosymfollow", "ro", "rprivate", "rrelatime", "rro", "rrw", "rshared",
    "rslave", "rstrictatime", "rsuid", "rsymfollow", "runbindable", "rw", "shared", "silent", "slave",
    "strictatime", "suid", "symfollow", "sync", "tmpcopyup", "unbindable", "idmap", "ridmap",
]  # fmt: skip

EXPECTED = {
    "ro": (c.MOUNT_ATTR_RDONLY, 0),
    "rw": (0, c.MOUNT_ATTR_RDONLY),
    "nosuid": (c.MOUNT_ATTR_NOSUID, 0),
    "suid": (0, c.MOUNT_ATTR_NOSUID),
    "nodev": (c.MOUNT_ATTR_NODEV, 0),
    "dev": (0, c.MOUNT_ATTR_NODEV),
    "noexec": (c.MOUNT_ATTR_NOEXEC, 0),
    "exec": (0, c.MOUNT_ATTR_NOEXEC),
    "nodiratime": (c.MOUNT_ATTR_NODIRATIME, 0),
    "diratime": (0, c.MOUNT_ATTR_NODIRATIME),
    "noatime": (c.MOUNT_ATTR_NOATIME, c.MOUNT_ATTR__ATIME),
    "atime": (0, c.MOUNT_ATTR__ATIME),
    "strictatime": (c.MOUNT_ATTR_STRICTATIME, c.MOUNT_ATTR__ATIME),
    "nostrictatime": (0, c.MOUNT_ATTR__ATIME),
    "relatime": (0, c.MOUNT_ATTR__ATIME),
    "norelatime": (0, 0),
    "nosymfollow": (c.MOUNT_ATTR_NOSYMFOLLOW, 0),
    "symfollow": (0, c.MOUNT_ATTR_NOSYMFOLLOW),
}


@pytest.mark.parametrize("word", SPECIFIED)
def test_every_specified_word_is_known(word: str) -> None:
    """A word of the specification is honoured, never handed to the file system by mistake."""
    assert word in MOUNT_OPTIONS


def test_the_table_has_no_others() -> None:
    """What `features` lists is what the specification lists, and crun's words."""
    assert set(MOUNT_OPTIONS) == {*SPECIFIED, *LINKS, "rnodev"}


def test_every_attribute_is_expected() -> None:
    """The cases below leave none out."""
    assert EXPECTED.keys() == ATTRIBUTES.keys()


@pytest.mark.parametrize(("word", "bits"), EXPECTED.items())
def test_attributes(word: str, bits: tuple[int, int]) -> None:
    """A word sets and clears its attribute of the mount; access times are one number, cleared as a whole."""
    options = parse_options([word])
    assert (options.set, options.clear) == bits
    assert (options.recursive_set, options.recursive_clear, options.parameters) == (0, 0, [])


@pytest.mark.parametrize(("word", "bits"), EXPECTED.items())
def test_recursive_attributes(word: str, bits: tuple[int, int]) -> None:
    """Its r-form does the same for the mount and all below it."""
    options = parse_options([f"r{word}"])
    assert (options.recursive_set, options.recursive_clear) == bits
    assert (options.set, options.clear, options.parameters) == (0, 0, [])


@pytest.mark.parametrize(
    ("words", "bits"),
    [
        (["ro", "rw"], (0, c.MOUNT_ATTR_RDONLY)),
        (["rw", "ro"], (c.MOUNT_ATTR_RDONLY, 0)),
        (["noatime", "strictatime"], (c.MOUNT_ATTR_STRICTATIME, c.MOUNT_ATTR__ATIME)),
        (["noatime", "relatime"], (0, c.MOUNT_ATTR__ATIME)),
        (["strictatime", "atime"], (c.MOUNT_ATTR_STRICTATIME, c.MOUNT_ATTR__ATIME)),
        (["noatime", "atime"], (0, c.MOUNT_ATTR__ATIME)),
        (["nosuid", "nodev", "nosuid"], (c.MOUNT_ATTR_NOSUID | c.MOUNT_ATTR_NODEV, 0)),
    ],
)
def test_the_later_word_wins(words: list[str], bits: tuple[int, int]) -> None:
    """Words are applied in order, and no bit is both set and cleared, but for the access times."""
    options = parse_options(words)
    assert (options.set, options.clear) == bits


@pytest.mark.parametrize(
    ("word", "flag"),
    [
        ("shared", c.MS_SHARED),
        ("slave", c.MS_SLAVE),
        ("private", c.MS_PRIVATE),
        ("unbindable", c.MS_UNBINDABLE),
        ("rshared", c.MS_SHARED | c.MS_REC),
        ("rslave", c.MS_SLAVE | c.MS_REC),
        ("rprivate", c.MS_PRIVATE | c.MS_REC),
        ("runbindable", c.MS_UNBINDABLE | c.MS_REC),
    ],
)
def test_propagation(word: str, flag: int) -> None:
    """A propagation word is that of mount(2), with MS_REC for the r-form."""
    options = parse_options([word])
    assert options.propagation == flag
    assert not options.bind


@pytest.mark.parametrize("word", ["sync", "async", "dirsync", "lazytime", "nolazytime", "mand", "nomand"])
def test_of_the_file_system(word: str) -> None:
    """Words for the whole file system are its parameters."""
    options = parse_options([word])
    assert options.parameters == [word]
    assert options.attributes == 0


@pytest.mark.parametrize("word", ["defaults", "silent", "loud", "iversion", "noiversion"])
def test_without_effect(word: str) -> None:
    """Words that say nothing, or that fsconfig(2) cannot say, do not reach the file system."""
    assert parse_options([word]).parameters == []


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("idmap", (False, "")),
        ("ridmap", (True, "")),
        ("idmap=uids=0-1-2;gids=0-1-2", (False, "uids=0-1-2;gids=0-1-2")),
        ("ridmap=uids=0-1-2#5-6-7;gids=0-1-2", (True, "uids=0-1-2#5-6-7;gids=0-1-2")),
    ],
)
def test_idmap(word: str, expected: tuple[bool, str]) -> None:
    """Mapped ids are asked for with or without a mapping, for one mount or for its tree."""
    options = parse_options([word])
    assert options.idmap
    assert (options.idmap_recursive, options.mapping) == expected
    assert options.parameters == []


@pytest.mark.parametrize("word", LINKS)
def test_links(word: str) -> None:
    """crun's words about symbolic links set what they are about, and nothing else."""
    options = parse_options([word])
    assert [name for name in LINKS.values() if getattr(options, name)] == [LINKS[word]]
    assert options.parameters == []


@pytest.mark.parametrize(("word", "recursive"), [("bind", False), ("rbind", True)])
def test_bind(word: str, recursive: bool) -> None:
    """Both make a bind; only rbind takes along what is mounted below the source."""
    options = parse_options([word])
    assert (options.bind, options.recursive) == (True, recursive)


@pytest.mark.parametrize(
    "word", ["size=64m", "mode=0755", "newinstance", "x-unknown", "RO", "lowerdir=/a:/b"]
)
def test_unknown_words(word: str) -> None:
    """Anything else is for the file system, as it is written."""
    assert parse_options([word]).parameters == [word]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ro", ["ro"]),
        ("", []),
        ("mode=755,size=1k", ["mode=755", "size=1k"]),
        ("lowerdir=/a:/b,upperdir=/c", ["lowerdir=/a:/b", "upperdir=/c"]),
        (",,ro,,", ["ro"]),
        ('context="u:r:t:s0:c1,c2"', ["context=u:r:t:s0:c1,c2"]),
        ('ro,context="a,b",nodev', ["ro", "context=a,b", "nodev"]),
    ],
)
def test_several_in_one_string(text: str, words: list[str]) -> None:
    """Commas separate options, but not between double quotes, which are not part of the value."""
    assert split(text) == words


def test_words_from_one_string_are_understood() -> None:
    """They mean what they mean alone."""
    options = parse_options(["ro,nosuid,mode=755"])
    assert options.set == c.MOUNT_ATTR_RDONLY | c.MOUNT_ATTR_NOSUID
    assert options.parameters == ["mode=755"]
