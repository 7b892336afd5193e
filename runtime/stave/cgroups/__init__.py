"""Control groups: where a container's groups are, what is written to them, and their life afterwards.

``plan`` decides (pure, with one module per cgroup version), ``operations`` carries the decisions out, and
``manage`` lists, kills, freezes and removes what is there. Only the files of the kernel are used here.
"""
