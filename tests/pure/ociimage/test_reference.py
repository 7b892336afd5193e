"""Names of images."""

from __future__ import annotations

import pytest

from ociimage.errors import InvalidReference
from ociimage.reference import is_digest, parse, parse_digest

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("library/busybox", "docker.io/library/busybox:latest"),
        ("docker.io/busybox", "docker.io/library/busybox:latest"),
        ("index.docker.io/me/app", "docker.io/me/app:latest"),
        ("me/app:v1", "docker.io/me/app:v1"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/web:1", "localhost:5000/web:1"),
        ("127.0.0.1:5000/a/b__c/d--e:T_1.x", "127.0.0.1:5000/a/b__c/d--e:T_1.x"),
        ("[::1]:5000/app", "[::1]:5000/app:latest"),
        (f"busybox@{DIGEST}", f"docker.io/library/busybox@{DIGEST}"),
        (f"busybox:1@{DIGEST}", f"docker.io/library/busybox:1@{DIGEST}"),
    ],
)
def test_short_names_stand_for_full_ones(text: str, full: str) -> None:
    """What is left out is docker's; the full name parses to itself."""
    assert str(parse(text)) == full
    assert str(parse(full)) == full


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ":",
            "a:",
            "a:b:c",
            "A",
            "a//b",
            "/a",
            "a/",
            "a..b",
            "a.-b",
            "a___b",
            "-a",
            "a-",
            "a b",
            "a\nb",
            "a\0b",
        ),
        *(
            "../a",
            "a/../b",
            "a@sha256:1",
            f"a@sha512:{'a' * 64}",
            f"a@sha256:{'A' * 64}",
            "a:.b",
            f"a:{'x' * 129}",
        ),
        *(f"{'a' * 256}", "host:99999/a", "host:/a", "ho_st.x/a", "-x.y/a"),
    ],
)
def test_other_text_is_no_name(text: str) -> None:
    """It is refused, in one line."""
    with pytest.raises(InvalidReference) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["busybox", "me/app:v1", "localhost:5000/web:1", f"busybox@{DIGEST}"])
def test_familiar_names_stay_as_people_write_them(text: str) -> None:
    """Only the tag `latest` is added."""
    assert parse(text).familiar in (text, f"{text}:latest")


def test_only_whole_sha256_digests_are_digests() -> None:
    """What becomes part of a path has 64 hexadecimal digits and nothing else (CVE-2024-3727)."""
    assert is_digest(DIGEST)
    for text in (
        DIGEST[:-1],
        DIGEST + "a",
        "sha256:" + "g" * 64,
        "sha256:../../" + "a" * 58,
        DIGEST + "\n",
        "",
    ):
        assert not is_digest(text)
        with pytest.raises(InvalidReference):
            parse_digest(text)
