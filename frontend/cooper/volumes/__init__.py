"""Volumes: directories that outlive containers, ROOT/volumes/NAME/_data."""
