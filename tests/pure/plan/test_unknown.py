"""Properties that the specification does not know."""

from __future__ import annotations

from .planning import create, make_config, names


def test_unknown_members() -> None:
    """They are ignored. Spec: config.md#extensibility"""
    config = make_config(linux={"future": {"x": 1}}, another=[1])
    config["process"]["more"] = True
    assert names(create(config)) == names(create(make_config()))
