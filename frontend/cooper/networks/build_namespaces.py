"""The system calls of network, mount and user namespaces, for cffi to compile into ``cooper.networks._namespaces``.

Python has setns and unshare from 3.12 on, and no mount.
"""

from __future__ import annotations

from cffi import FFI

ffibuilder = FFI()
ffibuilder.cdef(
    """
    static const int CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUSER, MS_BIND, MNT_DETACH, UMOUNT_NOFOLLOW;
    int unshare(int flags);
    int setns(int fd, int nstype);
    int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
    int umount2(const char *target, int flags);
    """
)
ffibuilder.set_source(
    "cooper.networks._namespaces",
    "#include <sched.h>\n#include <sys/mount.h>\n",
    define_macros=[("_GNU_SOURCE", None)],
)
