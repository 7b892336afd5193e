/* What ociimage asks of C. Every function answers with a number from 0 on, or -errno; none keeps its arguments. */
#ifndef OCIIMAGE_CALLS_H
#define OCIIMAGE_CALLS_H

#include <stddef.h>
#include <stdint.h>

int image_openat2(int directory, const char *path, uint64_t flags, uint64_t resolve);

/* What a new file of an unpacked layer is to be; mtime in nanoseconds since 1970. */
struct image_file {
    uint32_t mode, uid, gid;
    int64_t mtime;
};

/* Makes the file `name` with this content, or with its first part: then the descriptor is the answer. */
int image_put_file(int directory, const char *name, const struct image_file *file, const char *data, size_t size,
                   int keep_open);
/* Makes the directory unless there is one, sets all but its time, and opens it (O_PATH). */
int image_put_directory(int directory, const char *name, const struct image_file *file);
/* Sets owner, mode and time of an open file, in the order that keeps set-user-id bits. */
int image_finish_file(int descriptor, const struct image_file *file);
/* The same without following a link; a link keeps its mode. */
int image_finish_at(int directory, const char *name, const struct image_file *file, int is_link);

int image_fsopen(const char *type);
int image_fsconfig_string(int context, const char *key, const char *value);
int image_fsconfig_fd(int context, const char *key, int value);
int image_fsconfig_flag(int context, const char *key);
int image_fsconfig_create(int context);
/* The kernel's own words about the last failure, or nothing: their number of bytes. */
int image_fscontext_log(int context, char *text, size_t size);
int image_fsmount(int context, uint64_t attributes);
int image_open_tree(int directory, const char *path, int clone);
int image_move_mount(int from, const char *target);
int image_mount_idmapped(int tree, int user_namespace);
int image_mount_private(int tree);
int image_mount_make_private(const char *target);
int image_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data);
int image_umount2(const char *target, int flags);
/* A descriptor of a new user namespace with these maps, in the form of /proc/PID/uid_map. */
int image_user_namespace(const char *uid_map, const char *gid_map);

#endif
