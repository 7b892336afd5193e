"""The clause registry: what the runtime specification demands of a runtime on Linux, one small rule at a time.

One module per document of the specification; `model` says what a clause is.
"""

from __future__ import annotations

from ociconformance.clauses.bundle import BUNDLE
from ociconformance.clauses.config import CONFIG
from ociconformance.clauses.config_linux import CONFIG_LINUX
from ociconformance.clauses.features import FEATURES, FEATURES_LINUX
from ociconformance.clauses.model import Clause, Document
from ociconformance.clauses.runtime import RUNTIME, RUNTIME_LINUX

SPEC_VERSION = "1.3.0"
"""The version of the specification that the clauses were taken from."""

DOCUMENTS: tuple[Document, ...] = (
    RUNTIME,
    RUNTIME_LINUX,
    BUNDLE,
    CONFIG,
    CONFIG_LINUX,
    FEATURES,
    FEATURES_LINUX,
)

CLAUSES: dict[str, Clause] = {
    clause.id: clause for document in DOCUMENTS for section in document.sections for clause in section.clauses
}
"""Every clause by its id, in the order of the specification."""

__all__ = ["CLAUSES", "DOCUMENTS", "SPEC_VERSION", "Clause", "Document"]
