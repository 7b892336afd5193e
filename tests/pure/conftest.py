"""Generated examples are the same each time, and none fails for taking long on a busy machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("project", deadline=None, database=None, derandomize=True, max_examples=150)
settings.load_profile("project")
