"""What cffi makes of build_namespaces.py."""

class _FFI:
    NULL: bytes
    errno: int

class _Lib:
    CLONE_NEWNET: int
    CLONE_NEWNS: int
    CLONE_NEWUSER: int
    MS_BIND: int
    MNT_DETACH: int
    UMOUNT_NOFOLLOW: int
    def unshare(self, flags: int) -> int: ...
    def setns(self, fd: int, nstype: int) -> int: ...
    def mount(self, source: bytes, target: bytes, type: bytes, flags: int, data: bytes) -> int: ...
    def umount2(self, target: bytes, flags: int) -> int: ...

ffi: _FFI
lib: _Lib
