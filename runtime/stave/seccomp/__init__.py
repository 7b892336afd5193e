"""linux.seccomp compiled to BPF.

`cache.cached_filter` is the way in for commands; it loads the compiler, and libseccomp, only for a profile that it has
not met before. `profile` compiles with libseccomp, `enosys` adds the prefix that answers newer system calls with
ENOSYS, `features` lists what can be asked for.
"""
