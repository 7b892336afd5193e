/* System calls without a C library, and the few kernel names that Debian 12's headers lack.
 *
 * Everything here returns what the kernel returns: a result, or a negative errno. The same source
 * is compiled into stave-init (freestanding, static) and, for tests, into ordinary programs.
 */
#ifndef STAVE_SYSCALLS_H
#define STAVE_SYSCALLS_H

#include <asm/statfs.h>
#include <asm/unistd.h>
#include <linux/close_range.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/stat.h>
#include <stddef.h>
#include <stdint.h>

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
#ifndef STATX_TYPE
#error "kernel headers without statx"
#endif

#if defined(__x86_64__)

static inline long system_call(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#elif defined(__aarch64__)

static inline long system_call(long number, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory", "cc");
	return x0;
}

#else
#error "stave knows the system call conventions of x86_64 and aarch64 only"
#endif

#define SYS(number, a, b, c, d, e, f) \
	system_call(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define SYS0(number) SYS(number, 0, 0, 0, 0, 0, 0)
#define SYS1(number, a) SYS(number, a, 0, 0, 0, 0, 0)
#define SYS2(number, a, b) SYS(number, a, b, 0, 0, 0, 0)
#define SYS3(number, a, b, c) SYS(number, a, b, c, 0, 0, 0)
#define SYS4(number, a, b, c, d) SYS(number, a, b, c, d, 0, 0)
#define SYS5(number, a, b, c, d, e) SYS(number, a, b, c, d, e, 0)

#define S_TYPE(mode) ((mode) & 0170000)
#define S_DIRECTORY 0040000
#define S_CHARACTER 0020000
#define S_REGULAR 0100000
#define S_SYMLINK 0120000

/* mount(2) flags; <sys/mount.h> cannot be included beside <linux/mount.h>. */
#ifndef MS_REC
#define MS_REC 16384
#endif

/* Retries what a signal interrupts. */
#define RETRY(call)                               \
	({                                        \
		long result_;                     \
		do {                              \
			result_ = (call);         \
		} while (result_ == -EINTR);      \
		result_;                          \
	})

static inline int close_descriptor(int fd)
{
	return fd < 0 ? 0 : (int)SYS1(__NR_close, fd);
}

static inline void close_cleanup(int *fd)
{
	close_descriptor(*fd);
}

/* A descriptor that closes itself when its scope ends; KEEP() hands it on. */
#define OWNED __attribute__((cleanup(close_cleanup))) int
#define KEEP(fd)                  \
	({                        \
		int kept_ = (fd); \
		(fd) = -1;        \
		kept_;            \
	})

static inline int open_at(int directory, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};

	return (int)RETRY(SYS4(__NR_openat2, directory, path, &how, sizeof how));
}

static inline int open_plain(int directory, const char *path, int flags)
{
	return (int)RETRY(SYS4(__NR_openat, directory, path, flags | O_CLOEXEC, 0));
}

/* Type, permission bits, device numbers and owner of what fd refers to; does not follow a link. */
static inline int stat_descriptor(int fd, struct statx *status)
{
	return (int)SYS5(__NR_statx, fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS,
			 status);
}

/* The file system's magic number, or a negative errno. */
static inline long file_system_type(int fd)
{
	struct statfs status;
	long error = SYS2(__NR_fstatfs, fd, &status);

	return error < 0 ? error : (long)status.f_type;
}

#endif
