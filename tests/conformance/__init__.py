"""The conformance suite on stave, and on the runtimes that prove the suite itself."""
