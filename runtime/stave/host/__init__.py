"""Facts about this machine, read once per command and handed to the planner."""
