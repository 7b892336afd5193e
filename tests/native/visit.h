/* Reads a Program as the interpreter may: through the accessors, every byte of every argument. */
#ifndef STAVE_TEST_VISIT_H
#define STAVE_TEST_VISIT_H

#include <stdio.h>
#include <string.h>

#include "program.h"

static const char *const visited_kinds[] = OPERATION_KINDS;

/* Prints to `out` what is found, or only reads it where that is NULL. */
static inline unsigned visit_bytes(FILE *out, const void *data, uint32_t length)
{
	const unsigned char *at = data;
	unsigned sum = 0;

	for (uint32_t i = 0; at && i < length; i++) {
		sum += at[i];
		if (out)
			fprintf(out, "%02x", at[i]);
	}
	if (out)
		fputs(at ? " " : "- ", out);
	return sum;
}

static inline unsigned visit_text(FILE *out, const char *text)
{
	return visit_bytes(out, text, text ? (uint32_t)strlen(text) : 0);
}

static inline unsigned visit_list(FILE *out, const struct program *program,
				  const struct program_operation *operation, unsigned argument)
{
	uint32_t length = program_list_length(program, operation, argument);
	unsigned sum = 0;

	if (out)
		fprintf(out, "[ ");
	for (uint32_t i = 0; i < length; i++)
		sum += visit_text(out, program_list_item(program, operation, argument, i));
	if (out)
		fprintf(out, "] ");
	return sum;
}

static inline unsigned visit_argument(FILE *out, const struct program *program,
				      const struct program_operation *operation, unsigned argument, char kind)
{
	uint32_t length;
	int64_t number;
	const void *bytes;

	switch (kind) {
	case 't':
		return visit_text(out, program_text(program, operation, argument));
	case 'l':
		return visit_list(out, program, operation, argument);
	case 'b':
		bytes = program_bytes(program, operation, argument, &length);
		return visit_bytes(out, bytes, length);
	default:
		number = program_number(program, operation, argument);
		if (out)
			fprintf(out, "%lld ", (long long)number);
		return (unsigned)number;
	}
}

/* Returns a sum of all that was read, so that the reading is not optimised away. */
static inline unsigned visit(FILE *out, const struct program *program)
{
	unsigned sum = program->flags;

	for (uint32_t i = 0; i < program->count; i++) {
		const struct program_operation *operation = program_operation(program, i);
		const char *kinds = visited_kinds[operation->code];

		if (out)
			fprintf(out, "%u ", operation->code);
		for (unsigned argument = 0; kinds[argument]; argument++)
			sum += visit_argument(out, program, operation, argument, kinds[argument]);
		if (out)
			fputc('\n', out);
	}
	return sum;
}

#endif
