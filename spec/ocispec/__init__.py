"""The OCI runtime specification as data: schemas, loader, checks and defaults. The kernel is left alone."""

VERSION = "1.3.0"
