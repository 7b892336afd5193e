"""The report as one JSON document: every runtime with its tests, and every clause with its verdicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from ociconformance.clauses import CLAUSES, SPEC_VERSION
from ociconformance.results import Result


def render(results: Sequence[Result], machine: str) -> str:
    """The document, in UTF-8 and for all that with ASCII alone."""
    document = {
        "specification": SPEC_VERSION,
        "machine": machine,
        "runtimes": [asdict(result) for result in results],
        "clauses": [
            {
                "id": clause.id,
                "level": clause.level,
                "text": clause.text,
                "since": clause.since,
                "url": clause.url,
                "untested": clause.untested,
                "verdicts": [result.verdict(clause) for result in results],
            }
            for clause in CLAUSES.values()
        ],
    }
    return json.dumps(document, indent=1) + "\n"
