/* libFuzzer: any bytes as a Program. What is accepted must stay inside wherever the accessors look. */
#include "visit.h"

#include <stdlib.h>

/* Visible to others, so that the reading is not optimised away. */
extern volatile unsigned read_sum;
volatile unsigned read_sum;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct program program;
	unsigned char *copy = malloc(size ? size : 1); /* aligned, and of just this size */

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	/* Its own length in the header is the first thing that a mutation breaks: put it right. */
	if (size >= sizeof(struct program_header)) {
		uint32_t length = (uint32_t)size;

		memcpy(copy + offsetof(struct program_header, size), &length, sizeof length);
	}
	if (program_open(&program, copy, size) == 0)
		read_sum += visit(NULL, &program);
	free(copy);
	return 0;
}
