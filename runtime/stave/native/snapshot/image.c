#include "image.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "heap.h"

#define PAGE 4096u

/* The interpreter's variables, which the linker keeps apart from those of the C library (build_snapshot.py). */
extern char __start_snapshot_data[], __stop_snapshot_data[];
extern char __start_snapshot_bss[], __stop_snapshot_bss[];

struct file {
	int fd;
	char *data;
	size_t size;
};

static bool open_self(struct file *file)
{
	struct stat status;

	file->fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (file->fd < 0 || fstat(file->fd, &status))
		return false;
	file->size = (size_t)status.st_size;
	file->data = mmap(NULL, file->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file->fd, 0);
	return file->data != MAP_FAILED;
}

/* The segment that the heap ends; it holds all variables, and can be written to. */
static ElfW(Phdr) *find_segment(const struct file *file)
{
	ElfW(Ehdr) *header = (ElfW(Ehdr) *)(void *)file->data;
	ElfW(Phdr) *segments = (ElfW(Phdr) *)(void *)(file->data + header->e_phoff);
	uintptr_t data = (uintptr_t)__start_snapshot_data, heap = (uintptr_t)heap_start;

	for (int i = 0; i < header->e_phnum; i++) {
		uintptr_t start = segments[i].p_vaddr, end = start + segments[i].p_memsz;

		if (segments[i].p_type == PT_LOAD && data >= start && heap > data && heap < end)
			return &segments[i];
	}
	return NULL;
}

static bool write_at(int fd, const void *data, size_t size, size_t offset)
{
	const char *from = data;

	while (size) {
		ssize_t written = pwrite(fd, from, size, (off_t)offset);

		if (written <= 0)
			return false;
		from += written;
		offset += (size_t)written;
		size -= (size_t)written;
	}
	return true;
}

static void copy_range(char *image, uintptr_t image_start, const char *start, const char *stop)
{
	memcpy(image + ((uintptr_t)start - image_start), start, (size_t)(stop - start));
}

/* The segment's memory as the new program shall find it, from `start`, a page's beginning, on. */
static char *make_image(const struct file *file, const ElfW(Phdr) *segment, uintptr_t start, size_t size)
{
	char *image = calloc(1, size);

	if (!image)
		return NULL;
	memcpy(image + (segment->p_vaddr - start), file->data + segment->p_offset, segment->p_filesz);
	copy_range(image, start, __start_snapshot_data, __stop_snapshot_data);
	copy_range(image, start, __start_snapshot_bss, __stop_snapshot_bss);
	copy_range(image, start, heap_start, heap_start + heap_used());
	return image;
}

const char *image_write(const char *path)
{
	struct file file;
	ElfW(Phdr) *segment;
	uintptr_t start;
	size_t size, offset;
	char *image;
	int fd;

	if (!open_self(&file))
		return "its own file cannot be read";
	segment = find_segment(&file);
	if (!segment)
		return "the variables and the heap do not share a segment";
	heap_seal();
	start = segment->p_vaddr / PAGE * PAGE;
	size = (uintptr_t)heap_start + heap_used() - start;
	offset = (file.size + PAGE - 1) / PAGE * PAGE;
	image = make_image(&file, segment, start, size);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	/* The kernel maps what the file has, and zeros behind it: the heap's unused rest. */
	segment->p_offset = offset + (segment->p_vaddr - start);
	segment->p_filesz = size - (segment->p_vaddr - start);
	if (!image || fd < 0 || !write_at(fd, file.data, file.size, 0) || !write_at(fd, image, size, offset) ||
	    close(fd))
		return "the file cannot be written";
	return NULL;
}
