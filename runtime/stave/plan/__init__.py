"""Config and host facts in, Program out: pure functions, no system call."""
