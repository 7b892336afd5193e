"""Properties that no Program can carry out."""

from __future__ import annotations

from typing import Any

import pytest

from stave.errors import ConfigError
from stave.plan.unsupported import LINUX

from .planning import create, make_config, names


@pytest.mark.parametrize("member", LINUX)
def test_linux(member: str) -> None:
    """The same for members of linux."""
    linux: dict[str, Any] = {member: {"x": {}}}
    with pytest.raises(ConfigError, match=rf"^linux\.{member}: is not supported$"):
        create(make_config(linux=linux))


def test_unknown_members() -> None:
    """What the specification does not know is ignored."""
    config = make_config(linux={"future": {"x": 1}}, another=[1])
    config["process"]["more"] = True
    assert names(create(config)) == names(create(make_config()))
