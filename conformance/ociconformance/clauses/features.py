"""features.md and features-linux.md: what a runtime says that it can do."""

from __future__ import annotations

from ociconformance.clauses.model import (
    Clause,
    Document,
    may,
    must,
    must_not,
    required,
    section,
    should,
    should_not,
)

_NEVER_NULL = "Binds whoever reads the document."


def _recognised(id: str, text: str) -> Clause:
    return must(f"features/{id}", text, since="1.1")


FEATURES = Document(
    "features.md",
    (
        section(
            "features-structure",
            "Features structure",
            may("features/provided", "A runtime provides a features document.", since="1.1"),
            should(
                "features/compile-time",
                "Its content is fixed when the runtime is built, whatever the machine.",
                since="1.1",
            ),
            may("features/absent", "Every property but the two versions is absent or null.", since="1.1"),
            must_not(
                "features/null",
                "null is not the same as an empty value.",
                since="1.1",
                untested=_NEVER_NULL,
            ),
        ),
        section(
            "specification-version",
            "Specification version",
            required("features/version-min/present", "ociVersionMin is there.", since="1.1"),
            must(
                "features/version-min/accepted",
                "A configuration of version ociVersionMin is accepted.",
                since="1.1",
            ),
            required("features/version-max/present", "ociVersionMax is there.", since="1.1"),
            must(
                "features/version-max/accepted",
                "A configuration of version ociVersionMax is accepted.",
                since="1.1",
            ),
            must_not(
                "features/version-max/order", "ociVersionMax is not less than ociVersionMin.", since="1.1"
            ),
            must_not(
                "features/unknown-properties",
                "The document has no properties that its version of the specification doesn't define.",
                since="1.1",
            ),
        ),
        section("hooks", "Hooks", _recognised("hooks", "Every listed kind of hook is supported.")),
        section(
            "mount-options",
            "Mount options",
            _recognised("mount-options", "Every listed mount option is recognised."),
            should_not(
                "features/mount-options-data",
                "File systems' own options are not listed.",
                since="1.1",
            ),
        ),
        section(
            "platform-specific-features",
            "Platform-specific features",
            may("features/linux", "linux is set by a runtime for Linux.", since="1.1"),
        ),
        section(
            "annotations",
            "Annotations",
            may("features/annotations/structured", "The metadata has any structure.", since="1.1"),
            must(
                "features/annotations/map",
                "annotations is a map of strings with keys that are not empty.",
                since="1.1",
            ),
        ),
    ),
)

FEATURES_LINUX = Document(
    "features-linux.md",
    (
        section(
            "namespaces",
            "Namespaces",
            _recognised("linux/namespaces", "Every listed namespace type is recognised."),
        ),
        section(
            "capabilities",
            "Capabilities",
            _recognised("linux/capabilities", "Every listed capability is recognised."),
        ),
        section(
            "seccomp",
            "Seccomp",
            _recognised("linux/seccomp/actions", "Every listed action is recognised."),
            _recognised("linux/seccomp/operators", "Every listed operator is recognised."),
            _recognised("linux/seccomp/archs", "Every listed architecture is recognised."),
            _recognised("linux/seccomp/known-flags", "Every known flag is recognised."),
            _recognised("linux/seccomp/supported-flags", "Every supported flag is recognised and works."),
        ),
        section(
            "memorypolicy",
            "Memory policy",
            must("features/linux/memory-policy/modes", "Every listed mode is recognised.", since="1.3"),
            must("features/linux/memory-policy/flags", "Every listed flag is recognised.", since="1.3"),
        ),
        section(
            "mountextensions",
            "Mount extensions",
            must(
                "features/linux/idmap",
                "idmap.enabled is true if mappings of mounts are recognised, in part or whole.",
                since="1.2",
            ),
        ),
    ),
)
