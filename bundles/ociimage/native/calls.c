#define _GNU_SOURCE
#include "calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of later headers than the floor's. */
#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

static long answer(long result)
{
    return result < 0 ? -errno : result;
}

int image_openat2(int directory, const char *path, uint64_t flags, uint64_t resolve)
{
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
    long descriptor;
    do {
        descriptor = syscall(SYS_openat2, directory, path, &how, sizeof how);
        /* EAGAIN: a rename elsewhere in the system happened while "in the root" was being checked. */
    } while (descriptor < 0 && (errno == EINTR || errno == EAGAIN));
    return (int)answer(descriptor);
}

static int close_with(int descriptor, int error)
{
    close(descriptor);
    return error;
}

static void split_time(int64_t nanoseconds, struct timespec times[2])
{
    int64_t seconds = nanoseconds / 1000000000, rest = nanoseconds % 1000000000;
    if (rest < 0) {
        rest += 1000000000;
        seconds--;
    }
    times[1] = (struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = (long)rest};
    times[0] = times[1];
}

int image_finish_file(int descriptor, const struct image_file *file)
{
    struct timespec times[2];
    split_time(file->mtime, times);
    /* The owner before the mode: a change of owner clears the set-user-id bits. */
    if (fchown(descriptor, file->uid, file->gid) < 0 || fchmod(descriptor, file->mode) < 0 ||
        futimens(descriptor, times) < 0)
        return -errno;
    return 0;
}

int image_finish_at(int directory, const char *name, const struct image_file *file, int is_link)
{
    struct timespec times[2];
    split_time(file->mtime, times);
    if (fchownat(directory, name, file->uid, file->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    /* Only for what was made a moment ago in a directory of our own: it is no link. */
    if (!is_link && fchmodat(directory, name, file->mode, 0) < 0)
        return -errno;
    if (utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return 0;
}

int image_put_file(int directory, const char *name, const struct image_file *file, const char *data, size_t size,
                   int keep_open)
{
    int descriptor = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return -errno;
    while (size > 0) {
        ssize_t written = write(descriptor, data, size);
        if (written < 0) {
            if (errno == EINTR)
                continue;
            return close_with(descriptor, -errno);
        }
        data += written;
        size -= (size_t)written;
    }
    if (keep_open)
        return descriptor;
    return close_with(descriptor, image_finish_file(descriptor, file));
}

int image_put_directory(int directory, const char *name, const struct image_file *file)
{
    if (mkdirat(directory, name, 0700) < 0 && errno != EEXIST)
        return -errno;
    int descriptor = openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0)
        return -errno;
    if (fchownat(descriptor, "", file->uid, file->gid, AT_EMPTY_PATH) < 0 ||
        fchmodat(descriptor, ".", file->mode, 0) < 0)
        return close_with(descriptor, -errno);
    return descriptor;
}

int image_fsopen(const char *type)
{
    return (int)answer(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));
}

int image_fsconfig_string(int context, const char *key, const char *value)
{
    return (int)answer(syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value, 0));
}

int image_fsconfig_fd(int context, const char *key, int value)
{
    return (int)answer(syscall(SYS_fsconfig, context, FSCONFIG_SET_FD, key, NULL, value));
}

int image_fsconfig_flag(int context, const char *key)
{
    return (int)answer(syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, key, NULL, 0));
}

int image_fsconfig_create(int context)
{
    return (int)answer(syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
}

int image_fscontext_log(int context, char *text, size_t size)
{
    return (int)answer(read(context, text, size));
}

int image_fsmount(int context, uint64_t attributes)
{
    return (int)answer(syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes));
}

int image_open_tree(int directory, const char *path, int clone)
{
    unsigned flags = OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | (clone ? OPEN_TREE_CLONE : 0);
    return (int)answer(syscall(SYS_open_tree, directory, path, flags));
}

int image_move_mount(int from, const char *target)
{
    return (int)answer(syscall(SYS_move_mount, from, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH));
}

int image_mount_idmapped(int tree, int user_namespace)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_namespace};
    return (int)answer(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes));
}

int image_mount_private(int tree)
{
    struct mount_attr attributes = {.propagation = 1 << 18 /* MS_PRIVATE */};
    return (int)answer(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes));
}

int image_mount_make_private(const char *target)
{
    return (int)answer(syscall(SYS_mount, NULL, target, NULL, 1UL << 18 /* MS_PRIVATE */, NULL));
}

int image_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)
{
    /* Not mount(3): <sys/mount.h> and <linux/mount.h> of this generation declare the same names twice. */
    return (int)answer(syscall(SYS_mount, source, target, type, flags, data));
}

int image_umount2(const char *target, int flags)
{
    return (int)answer(syscall(SYS_umount2, target, flags));
}

static int write_map(pid_t pid, const char *name, const char *map)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0)
        return -errno;
    ssize_t written = write(descriptor, map, strlen(map));
    return close_with(descriptor, written < 0 ? -errno : 0);
}

int image_user_namespace(const char *uid_map, const char *gid_map)
{
    /* The namespace needs a process for as long as it takes to write its maps. It waits, and is killed. */
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    int result = write_map((pid_t)pid, "uid_map", uid_map);
    if (result == 0)
        result = write_map((pid_t)pid, "gid_map", gid_map);
    if (result == 0) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
        result = open(path, O_RDONLY | O_CLOEXEC);
        if (result < 0)
            result = -errno;
    }
    kill((pid_t)pid, SIGKILL);
    while (waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return result;
}
