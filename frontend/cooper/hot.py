"""The modules that the build puts into one file, so that commands start sooner (docs/adr/0005)."""

from __future__ import annotations

# What run, start, stop, exec, ps, logs, inspect and rm import; a test holds them to it.
MODULES = (
    "cooper cooper.cli cooper.cli.command cooper.cli.container_flags cooper.cli.exec_"
    " cooper.cli.foreground cooper.cli.inspect cooper.cli.logs cooper.cli.main cooper.cli.output"
    " cooper.cli.parser cooper.cli.ps cooper.cli.rm cooper.cli.run cooper.cli.start cooper.cli.stop"
    " cooper.cli.table cooper.containers cooper.containers.attached cooper.containers.configuration"
    " cooper.containers.create cooper.containers.events cooper.containers.execute cooper.containers.health"
    " cooper.containers.idmapped cooper.containers.images cooper.containers.inspection"
    " cooper.containers.launch cooper.containers.limits cooper.containers.listing cooper.containers.locks"
    " cooper.containers.logs cooper.containers.lookup cooper.containers.mounts cooper.containers.names"
    " cooper.containers.network cooper.containers.options cooper.containers.prepare"
    " cooper.containers.record cooper.containers.remove cooper.containers.rootfs cooper.containers.runtime"
    " cooper.containers.settle cooper.containers.stop cooper.containers.userns cooper.containers.values"
    " cooper.errors cooper.networks cooper.networks.addresses cooper.networks.attach"
    " cooper.networks.drivers cooper.networks.drivers.bridge cooper.networks.files"
    " cooper.networks.firewall cooper.networks.host cooper.networks.links cooper.networks.names"
    " cooper.networks.namespaces cooper.networks.netlink cooper.networks.pool cooper.networks.processes"
    " cooper.networks.programs cooper.networks.proxy cooper.networks.requests cooper.networks.rootless"
    " cooper.networks.rules cooper.networks.store cooper.rootless cooper.rootless.idmaps"
    " cooper.rootless.namespaces cooper.settings cooper.state cooper.state.database cooper.supervisor"
    " cooper.supervisor.client cooper.volumes cooper.volumes.store ociimage ociimage.blobs ociimage.bundle"
    " ociimage.bundle.capabilities ociimage.bundle.config ociimage.bundle.devices ociimage.bundle.mounts"
    " ociimage.bundle.options ociimage.bundle.rootfs ociimage.bundle.seccomp"
    " ociimage.bundle.seccomp_default ociimage.bundle.users ociimage.documents ociimage.errors"
    " ociimage.files ociimage.image ociimage.layers ociimage.layers.remove ociimage.locks ociimage.media"
    " ociimage.native ociimage.native.paths ociimage.native.syscalls ociimage.reference ociimage.snapshots"
    " ociimage.snapshots.chain ociimage.snapshots.overlay ociimage.snapshots.snapshots ociimage.store"
    " ocispec ocispec.errors ocispec.jsontext"
).split()
