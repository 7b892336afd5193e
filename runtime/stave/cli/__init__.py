"""The command line: one table of commands and flags, a parser of it, one short module per command."""
