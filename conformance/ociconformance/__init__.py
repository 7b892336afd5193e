"""A suite that holds any OCI runtime to the runtime specification, clause by clause."""

__version__ = "0.1.0"
