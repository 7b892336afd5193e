"""Root file systems of containers: unpacked layers below, and a directory of the container's own on top."""
