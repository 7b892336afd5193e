"""cooper as people use it, on real containers."""
