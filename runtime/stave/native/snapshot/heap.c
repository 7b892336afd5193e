#include "heap.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HEAP_SIZE (32u << 20)
#define HEADER 16u      /* the size stands before a block, which is aligned as malloc's are */
#define PAGES (16u << 10) /* alignment of what stands for a mapping */

/* In a section of its own, which the linker puts last: only what was taken goes into the snapshot. */
char heap_start[HEAP_SIZE] __attribute__((aligned(4096), section(".bss.snapshot_heap")));
static size_t used;
static bool sealed;

size_t heap_used(void)
{
	return used;
}

void heap_seal(void)
{
	sealed = true;
}

bool heap_is_sealed(void)
{
	return sealed;
}

static bool is_inside(const void *block)
{
	uintptr_t address = (uintptr_t)block, start = (uintptr_t)heap_start;

	return address >= start && address - start < HEAP_SIZE;
}

static void *take(size_t size, size_t alignment)
{
	size_t start = (used + alignment - 1) / alignment * alignment;

	if (start > HEAP_SIZE || size > HEAP_SIZE - start) {
		fputs("the snapshot's heap is too small\n", stderr);
		abort();
	}
	used = start + size;
	return heap_start + start;
}

void *snapshot_malloc(size_t size);
void *snapshot_calloc(size_t count, size_t size);
void *snapshot_realloc(void *block, size_t size);
void snapshot_free(void *block);
void *snapshot_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int snapshot_munmap(void *address, size_t size);

void *snapshot_malloc(size_t size)
{
	char *block;

	if (sealed)
		return malloc(size);
	block = (char *)take(size + HEADER, HEADER) + HEADER;
	memcpy(block - HEADER, &size, sizeof size);
	return block;
}

void *snapshot_calloc(size_t count, size_t size)
{
	/* The block is zero from the beginning, and no part of it is used twice. */
	return sealed ? calloc(count, size) : snapshot_malloc(count * size);
}

void *snapshot_realloc(void *block, size_t size)
{
	size_t before;
	void *moved;

	if (!block)
		return snapshot_malloc(size);
	if (!is_inside(block))
		return realloc(block, size);
	memcpy(&before, (char *)block - HEADER, sizeof before);
	moved = snapshot_malloc(size);
	if (moved)
		memcpy(moved, block, before < size ? before : size);
	return moved;
}

void snapshot_free(void *block)
{
	if (!is_inside(block))
		free(block);
}

void *snapshot_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	if (!sealed && fd < 0)
		return take(size, PAGES);
	return mmap(address, size, protection, flags, fd, offset);
}

int snapshot_munmap(void *address, size_t size)
{
	return is_inside(address) ? 0 : munmap(address, size);
}
