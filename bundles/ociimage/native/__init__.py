"""The system calls that Python has no function for, and the few that have to be one call to be fast."""
