"""The database of containers, volumes, networks and events: sqlite, one file below the root."""
