"""What cffi makes of probe.h."""

from typing import Any

ffi: Any
lib: Any
