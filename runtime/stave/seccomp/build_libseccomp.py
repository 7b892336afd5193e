"""Declares the part of libseccomp that is used, for cffi to compile into ``stave.seccomp._libseccomp``."""

from __future__ import annotations

from cffi import FFI

ffibuilder = FFI()

ffibuilder.cdef(
    """
    typedef void *scmp_filter_ctx;

    enum scmp_filter_attr { SCMP_FLTATR_CTL_OPTIMIZE, ... };

    enum scmp_compare {
        SCMP_CMP_NE, SCMP_CMP_LT, SCMP_CMP_LE, SCMP_CMP_EQ, SCMP_CMP_GE, SCMP_CMP_GT, SCMP_CMP_MASKED_EQ, ...
    };

    struct scmp_arg_cmp {
        unsigned int arg;
        enum scmp_compare op;
        uint64_t datum_a;
        uint64_t datum_b;
    };

    scmp_filter_ctx seccomp_init(uint32_t def_action);
    void seccomp_release(scmp_filter_ctx ctx);
    int seccomp_attr_set(scmp_filter_ctx ctx, enum scmp_filter_attr attr, uint32_t value);
    uint32_t seccomp_arch_native(void);
    uint32_t seccomp_arch_resolve_name(const char *arch_name);
    int seccomp_arch_add(scmp_filter_ctx ctx, uint32_t arch_token);
    int seccomp_syscall_resolve_name(const char *name);
    int seccomp_syscall_resolve_name_arch(uint32_t arch_token, const char *name);
    int seccomp_rule_add_array(
        scmp_filter_ctx ctx, uint32_t action, int syscall, unsigned int arg_cnt, const struct scmp_arg_cmp *arg_array
    );
    int seccomp_export_bpf(const scmp_filter_ctx ctx, int fd);

    struct scmp_version { unsigned int major; unsigned int minor; unsigned int micro; };
    const struct scmp_version *seccomp_version(void);

    int kernel_knows_flag(unsigned int flag);
    """
)

ffibuilder.set_source(
    "stave.seccomp._libseccomp",
    """
    #include <errno.h>
    #include <seccomp.h>
    #include <sys/syscall.h>
    #include <unistd.h>

    /* Whether seccomp(2) takes this SECCOMP_FILTER_FLAG_*. Flags are checked before the absent filter is read. */
    static int kernel_knows_flag(unsigned int flag)
    {
        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, NULL) == -1 && errno == EFAULT;
    }
    """,
    libraries=["seccomp"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
