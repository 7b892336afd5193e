"""Networks on real namespaces: one plays the host, one the world beyond it, so that the machine's own is untouched."""
