/* The flat form of a Program: see stave/plan/program.py, which writes it. */
#ifndef STAVE_PROGRAM_H
#define STAVE_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "operations.gen.h"

#define PROGRAM_MAGIC 0x45564153u
#define PROGRAM_VERSION 1u
#define PROGRAM_TRACED 1u
#define PROGRAM_LIMIT (64u << 20)
#define ARGUMENTS_LIMIT 16u

struct program_header {
	uint32_t magic;
	uint32_t version;
	uint32_t size;
	uint32_t count;
	uint32_t flags;
	uint32_t reserved;
};

struct program_operation {
	uint32_t code;
	uint32_t arguments_count;
	uint32_t arguments;
	uint32_t reserved;
};

struct program_extent {
	uint32_t offset;
	uint32_t length;
};

struct program {
	const unsigned char *data;
	uint32_t size;
	uint32_t count;
	uint32_t flags;
};

/* Fills *program from size bytes at data, which must be aligned to 8 and stay there.
 * 0, or -EINVAL if any offset, length, code or text is out of order; afterwards the accessors below
 * may be used without further checks. */
int program_open(struct program *program, const void *data, size_t size);

const struct program_operation *program_operation(const struct program *program, uint32_t index);
int64_t program_number(const struct program *program, const struct program_operation *operation,
		       unsigned argument);
/* NULL where the argument is absent. */
const char *program_text(const struct program *program, const struct program_operation *operation,
			 unsigned argument);
const void *program_bytes(const struct program *program, const struct program_operation *operation,
			  unsigned argument, uint32_t *length);
uint32_t program_list_length(const struct program *program,
			     const struct program_operation *operation, unsigned argument);
const char *program_list_item(const struct program *program,
			      const struct program_operation *operation, unsigned argument,
			      uint32_t item);

#endif
