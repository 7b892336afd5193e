"""The command line: one table of commands, one short module for each, imported only when it is chosen."""
