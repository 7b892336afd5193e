"""stave: an OCI low-level container runtime."""

__version__ = "0.1.0"
