"""The modules that the build puts into one file, so that commands start sooner (docs/adr/0005)."""

from __future__ import annotations

# What run, exec, ps, stop and rm import; a test holds them to it.
MODULES = (
    "cooper cooper.cli cooper.cli.command cooper.cli.main cooper.cli.output cooper.cli.parser cooper.cli.table"
    " cooper.errors cooper.settings cooper.state cooper.state.database"
).split()
