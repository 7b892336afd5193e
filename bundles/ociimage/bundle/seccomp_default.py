"""The default seccomp profile: a list of what is allowed, and under which capability what is not for all.

The principle: programs use some 350 of the kernel's calls. What else there is either administers the machine, and then
belongs with the capability that the kernel asks for; or reaches parts of the kernel that ordinary programs never
do, where its faults are found; or is obsolete. Calls that are not listed fail with EPERM, and those the list's authors
cannot have known, newer than the newest listed one, with ENOSYS, so that C libraries fall back (the runtime sees to
that). Names are those of all architectures together: a runtime leaves out the ones that its own does not have.

Sources: the kernel's syscall tables and man-pages section 2, of each call that there is.
"""

from __future__ import annotations

# Files, their names, contents, attributes and events.
_FILES = """
access alarm chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync
fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate
ftruncate64 futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch inotify_init inotify_init1
inotify_rm_watch ioctl lchown lchown32 lgetxattr link linkat listxattr listxattrat llistxattr lremovexattr _llseek
lseek lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 pread64
preadv preadv2 pwrite64 pwritev pwritev2 read readahead readdir readlink readlinkat readv removexattr removexattrat
rename renameat renameat2 rmdir sendfile sendfile64 setxattr setxattrat splice stat stat64 statfs statfs64 statx
symlink symlinkat sync sync_file_range sync_file_range2 syncfs tee truncate truncate64 umask unlink unlinkat utime
utimensat utimensat_time64 utimes vmsplice write writev file_getattr file_setattr
"""

# Waiting for descriptors, pipes, timers, asynchronous input and output. io_uring is not among them: it runs calls past
# this very filter, and most faults of the kernel in recent years were found in it.
_EVENTS = """
epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd
eventfd2 _newselect pipe pipe2 poll ppoll ppoll_time64 pselect6 pselect6_time64 select signalfd signalfd4
timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 io_cancel io_destroy io_getevents
io_pgetevents io_pgetevents_time64 io_setup io_submit
"""

_MEMORY = """
brk cachestat get_mempolicy madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall
mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease
remap_file_pages
"""

# System V and POSIX inter-process communication, futexes.
_IPC = """
futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake get_robust_list set_robust_list ipc mq_getsetattr
mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget
msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget
"""

_NETWORK = """
accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 recvmsg
send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair
"""

# Processes: their birth and end, identity, limits, scheduling, signals. Changing one's identity is for the
# kernel to allow or not.
_PROCESSES = """
capget capset execve execveat exit exit_group fork getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups
getgroups32 getpgid getpgrp getpid getppid getpriority getresgid getresgid32 getresuid getresuid32 getrlimit
getrusage getsid gettid getuid getuid32 ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset
landlock_restrict_self lsm_get_self_attr lsm_list_modules lsm_set_self_attr pause pidfd_open pidfd_send_signal prctl
prlimit64 restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp
setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setpgid setpriority setregid
setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setuid setuid32
set_thread_area get_thread_area set_tid_address sigaction sigaltstack sigpending sigprocmask sigreturn sigsuspend
sgetmask signal ssetmask tgkill tkill ugetrlimit uretprobe vfork wait4 waitid waitpid
"""

_TIME_AND_SYSTEM = """
adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
clock_nanosleep clock_nanosleep_time64 getcpu getitimer getrandom gettimeofday nanosleep nice oldfstat oldlstat
oldolduname oldstat olduname setitimer sysinfo time timer_create timer_delete timer_getoverrun timer_gettime
timer_gettime64 timer_settime timer_settime64 times uname
"""

ALWAYS = " ".join((_FILES, _EVENTS, _MEMORY, _IPC, _NETWORK, _PROCESSES, _TIME_AND_SYSTEM)).split()

# Only one architecture has these.
BY_ARCHITECTURE = {
    "amd64": "arch_prctl modify_ldt".split(),
    "386": "modify_ldt".split(),
    "arm": "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2".split(),
    "arm64": "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2".split(),
    "ppc64le": "rtas sync_file_range2 swapcontext switch_endian".split(),
    "riscv64": "riscv_flush_icache riscv_hwprobe".split(),
    "s390x": "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr".split(),
}

# The capability that the kernel asks for is there: then the call is too.
BY_CAPABILITY = {
    "CAP_SYS_ADMIN": """
        bpf clone clone3 fanotify_init fanotify_mark fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr
        move_mount open_tree open_tree_attr perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog
        umount umount2 unshare listmount statmount listns pivot_root swapon swapoff
    """.split(),
    "CAP_BPF": ["bpf"],
    "CAP_PERFMON": ["perf_event_open"],
    "CAP_DAC_READ_SEARCH": ["open_by_handle_at"],
    "CAP_SYS_BOOT": ["reboot"],
    "CAP_SYS_CHROOT": ["chroot"],
    "CAP_SYS_MODULE": ["delete_module", "init_module", "finit_module"],
    "CAP_SYS_NICE": ["mbind", "migrate_pages", "move_pages", "set_mempolicy", "set_mempolicy_home_node"],
    "CAP_SYS_PACCT": ["acct"],
    "CAP_SYS_PTRACE": [
        "kcmp",
        "pidfd_getfd",
        "process_madvise",
        "process_vm_readv",
        "process_vm_writev",
        "ptrace",
    ],
    "CAP_SYS_RAWIO": ["iopl", "ioperm"],
    "CAP_SYS_TIME": ["clock_settime", "clock_settime64", "settimeofday", "stime"],
    "CAP_SYS_TTY_CONFIG": ["vhangup"],
    "CAP_SYSLOG": ["syslog"],
}

# Not with the capability: namespaces are made by clone(2) alone, whose flags can be looked at; clone3(2) has them in
# memory, out of a filter's sight, and "no such call" makes C libraries use the older one.
CLONE_NAMESPACES = 0x7E020000
# personality(2): Linux, its 32-bit view, both without address randomisation turned on or off by it, and the question.
PERSONALITIES = (0x0, 0x0008, 0x20000, 0x20008, 0xFFFFFFFF)
# socket(2): crypto in the kernel (AF_ALG) and the hypervisor's sockets (AF_VSOCK) are not for containers.
AF_ALG, AF_VSOCK = 38, 40

# Of each architecture those whose programs its kernels run too. Spec: config-linux.md#seccomp
ARCHITECTURES = {
    "amd64": ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"),
    "386": ("SCMP_ARCH_X86",),
    "arm64": ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
    "arm": ("SCMP_ARCH_ARM",),
    "ppc64le": ("SCMP_ARCH_PPC64LE",),
    "riscv64": ("SCMP_ARCH_RISCV64",),
    "s390x": ("SCMP_ARCH_S390X", "SCMP_ARCH_S390"),
    "loong64": ("SCMP_ARCH_LOONGARCH64",),
    "mips64le": ("SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64N32"),
}
