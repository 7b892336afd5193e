"""cooper-init: the first process of a container that is run with --init (C)."""
