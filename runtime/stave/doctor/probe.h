/* Harmless trials of what the kernel offers. Each returns 0 or a negative errno, prints nothing, leaves nothing
 * behind. Declarations for cffi and for the compiler at once.
 */
#ifndef STAVE_PROBE_H
#define STAVE_PROBE_H

/* cffi reads from here */

/* The system call is there and may be made: openat2, clone3, pidfd_open, close_range, mount_setattr, memfd. */
int probe_openat2(void);
int probe_clone3(void);
int probe_pidfd(void);
int probe_close_range(void);
/* A sealed memfd may be executed: no, where vm.memfd_noexec is 2. */
int probe_memfd_exec(void);

/* A tmpfs can be made without a mount point (fsopen ... fsmount), and its attributes set recursively. */
int probe_new_mounts(void);
/* Such a mount can be idmapped. */
int probe_idmapped_mount(void);

/* A child can make namespaces of these CLONE_NEW* types. */
int probe_namespaces(int flags);
/* An overlay can be mounted in a new user and mount namespace, below `directory`, an empty one. */
int probe_overlay_in_user_namespace(const char *directory);

#endif
