/* The snapshot's heap, as the interpreter uses it before and after it is sealed. */
#include "snapshot/heap.h"

#include "check.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

void *snapshot_malloc(size_t size);
void *snapshot_calloc(size_t count, size_t size);
void *snapshot_realloc(void *block, size_t size);
void snapshot_free(void *block);
void *snapshot_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int snapshot_munmap(void *address, size_t size);

static void expect_filled(const char *block, size_t size, char value)
{
	for (size_t i = 0; i < size; i++)
		EXPECT(block[i] == value);
}

int main(void)
{
	const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS, both = PROT_READ | PROT_WRITE;
	char *early = snapshot_malloc(100), *grown = snapshot_malloc(10), *zeros = snapshot_calloc(8, 8), *pages;
	size_t used;

	EXPECT((uintptr_t)early % 16 == 0 && early > heap_start && early < heap_start + heap_used());
	memset(early, 'e', 100);
	memset(grown, 'g', 10);
	expect_filled(zeros, 64, 0);
	grown = snapshot_realloc(grown, 5000);
	expect_filled(grown, 10, 'g');
	memset(grown, 'g', 5000);
	pages = snapshot_mmap64(NULL, 1 << 20, both, anonymous, -1, 0);
	EXPECT((uintptr_t)pages % 4096 == 0 && pages > heap_start);
	snapshot_free(snapshot_realloc(NULL, 7));
	snapshot_free(NULL);

	heap_seal();
	used = heap_used();
	expect_filled(early, 100, 'e');
	early = snapshot_realloc(early, 20000); /* moves out, with what fits */
	EXPECT(early < heap_start || early >= heap_start + used);
	expect_filled(early, 100, 'e');
	early = snapshot_realloc(early, 10);
	snapshot_free(early);
	snapshot_free(grown); /* is never given to the C library, which does not know it */
	snapshot_free(snapshot_calloc(3, 3));
	snapshot_free(snapshot_malloc(0));
	EXPECT_NUMBER(snapshot_munmap(pages, 1 << 20), 0);
	memset(pages, 'p', 1 << 20); /* still there */
	pages = snapshot_mmap64(NULL, 4096, both, anonymous, -1, 0);
	EXPECT(pages != MAP_FAILED);
	EXPECT_NUMBER(snapshot_munmap(pages, 4096), 0);
	EXPECT_NUMBER(heap_used(), used);
	return 0;
}
