"""Containers: what is known of one, and what happens to it.

::

    options     the flags of run and create, read into one dict that is kept (pure)
    values      sizes, durations, NAME=VALUE (pure)
    record      the table of containers
    create      a record from options
    launch      record -> config.json, root file system, network, supervisor
    settle      what has ended is noted and released; what a killed process left is put right
    remove      nothing of it is left
    runtime     the OCI runtime's command line

A container's lock (`locks`) is held by whoever changes it, for as long as that takes and no longer: nothing waits for
a container's end with the lock held. A record is written before the thing that it describes is made.
"""
