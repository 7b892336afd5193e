"""The runtime on a real kernel: namespaces, mounts, cgroups, processes."""
