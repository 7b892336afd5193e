"""The container: its state on disk, and one module per operation on it."""
