"""The runtime as its real callers use it: podman, Docker, containerd and buildah."""
