"""What the tests of the command line share: the lifecycle's functions, replaced by recorders."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

Call = tuple[tuple[Any, ...], dict[str, Any]]
Lifecycle = Callable[..., list[Call]]


@pytest.fixture
def lifecycle(monkeypatch: pytest.MonkeyPatch) -> Lifecycle:
    """Makes `stave.container.<module>` one of functions that return, or raise, what is given by name.

    Returns the calls of all of them, in order.
    """

    def replace(module: str, **results: Any) -> list[Call]:
        calls: list[Call] = []

        def function(result: Any) -> Callable[..., Any]:
            def called(*arguments: Any, **named: Any) -> Any:
                calls.append((arguments, named))
                if isinstance(result, BaseException):
                    raise result
                return result

            return called

        fake = types.ModuleType(f"stave.container.{module}")
        for name, result in results.items():
            setattr(fake, name, function(result))
        monkeypatch.setitem(sys.modules, fake.__name__, fake)
        return calls

    return replace
