"""A front-end for people, over the command line of any OCI runtime."""

__version__ = "0.1.0"
