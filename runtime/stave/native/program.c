#include "program.h"

#include <linux/errno.h>

static const char *const kinds_of[] = OPERATION_KINDS;

static int inside(const struct program *program, uint64_t offset, uint64_t length)
{
	return offset <= program->size && length <= program->size - offset;
}

/* A text's bytes lie inside, hold no NUL, and are followed by one. */
static int text_is_good(const struct program *program, struct program_extent extent)
{
	if (!inside(program, extent.offset, (uint64_t)extent.length + 1))
		return 0;
	for (uint32_t i = 0; i < extent.length; i++)
		if (program->data[extent.offset + i] == 0)
			return 0;
	return program->data[extent.offset + extent.length] == 0;
}

static struct program_extent extent_at(const struct program *program, uint32_t offset)
{
	struct program_extent extent;

	__builtin_memcpy(&extent, program->data + offset, sizeof extent);
	return extent;
}

static int argument_is_good(const struct program *program, char kind, uint32_t offset)
{
	struct program_extent extent;

	if (kind == 'i' || kind == 'f')
		return 1;
	extent = extent_at(program, offset);
	if (extent.offset == 0)
		return extent.length == 0;
	if (kind == 't')
		return text_is_good(program, extent);
	/* Filters are read in place by the kernel and by us: keep them aligned. */
	if (kind == 'b')
		return extent.offset % 8 == 0 && inside(program, extent.offset, extent.length);
	if (!inside(program, extent.offset, (uint64_t)extent.length * sizeof extent))
		return 0;
	for (uint32_t i = 0; i < extent.length; i++)
		if (!text_is_good(program, extent_at(program, extent.offset + i * 8)))
			return 0;
	return 1;
}

static int operation_is_good(const struct program *program, uint32_t index)
{
	const struct program_operation *operation = program_operation(program, index);
	const char *kinds;
	uint32_t count = 0;

	if (operation->code >= sizeof kinds_of / sizeof kinds_of[0])
		return 0;
	kinds = kinds_of[operation->code];
	while (kinds[count])
		count++;
	if (operation->arguments_count != count || operation->arguments % 8 ||
	    !inside(program, operation->arguments, (uint64_t)count * 8))
		return 0;
	for (uint32_t i = 0; i < count; i++)
		if (!argument_is_good(program, kinds[i], operation->arguments + i * 8))
			return 0;
	return 1;
}

int program_open(struct program *program, const void *data, size_t size)
{
	struct program_header header;

	if (size < sizeof header || size > PROGRAM_LIMIT || (uintptr_t)data % 8)
		return -EINVAL;
	__builtin_memcpy(&header, data, sizeof header);
	if (header.magic != PROGRAM_MAGIC || header.version != PROGRAM_VERSION ||
	    header.size != size)
		return -EINVAL;
	*program = (struct program){
	    .data = data, .size = header.size, .count = header.count, .flags = header.flags};
	if (!inside(program, sizeof header,
		    (uint64_t)header.count * sizeof(struct program_operation)))
		return -EINVAL;
	for (uint32_t i = 0; i < header.count; i++)
		if (!operation_is_good(program, i))
			return -EINVAL;
	return 0;
}

const struct program_operation *program_operation(const struct program *program, uint32_t index)
{
	return (const struct program_operation *)(const void *)(program->data +
								sizeof(struct program_header)) +
	       index;
}

int64_t program_number(const struct program *program, const struct program_operation *operation,
		       unsigned argument)
{
	int64_t number;

	__builtin_memcpy(&number, program->data + operation->arguments + argument * 8,
			 sizeof number);
	return number;
}

const char *program_text(const struct program *program, const struct program_operation *operation,
			 unsigned argument)
{
	return program_bytes(program, operation, argument, NULL);
}

const void *program_bytes(const struct program *program, const struct program_operation *operation,
			  unsigned argument, uint32_t *length)
{
	struct program_extent extent = extent_at(program, operation->arguments + argument * 8);

	if (length)
		*length = extent.length;
	return extent.offset ? program->data + extent.offset : NULL;
}

uint32_t program_list_length(const struct program *program,
			     const struct program_operation *operation, unsigned argument)
{
	return extent_at(program, operation->arguments + argument * 8).length;
}

const char *program_list_item(const struct program *program,
			      const struct program_operation *operation, unsigned argument,
			      uint32_t item)
{
	struct program_extent list = extent_at(program, operation->arguments + argument * 8);
	struct program_extent extent = extent_at(program, list.offset + item * 8);

	return (const char *)program->data + extent.offset;
}
