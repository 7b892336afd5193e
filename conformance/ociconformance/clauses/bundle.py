"""bundle.md: what lies in the directory that a container is made from."""

from __future__ import annotations

from ociconformance.clauses.model import AUTHOR, Document, must, required, section

BUNDLE = Document(
    "bundle.md",
    (
        section(
            "container-format",
            "Container format",
            required(
                "bundle/config/present",
                "A bundle without a configuration file is no bundle: create is an error.",
            ),
            must("bundle/config/root", "The configuration lies at the top of the bundle's directory."),
            must("bundle/config/name", "The configuration is the file called config.json, and no other."),
            must(
                "bundle/one-directory",
                "Configuration and root file system are together in one local directory.",
                untested=AUTHOR
                + " An absolute root.path is allowed to lead elsewhere (config/root/path-absolute).",
            ),
        ),
    ),
)
