"""The program that stays with a container (C), and how commands start it and talk to it (Python).

`supervisor.h` draws the messages; `docs/adr/0007-supervisor-in-c.md` says why it is not Python.
"""
