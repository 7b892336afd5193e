/* Opens the Program in a file, and damaged copies of it, each in a block of memory of just its size: one
 * byte read too far is one that the sanitizer reports.
 *
 *     decoder print FILE            what the accessors find, or the error
 *     decoder truncate FILE         every shorter length: all are refused
 *     decoder bytes FILE STEP       every STEP-th value at every byte
 *     decoder random FILE SEED N    N copies with up to eight bytes or words replaced
 *
 * The last three print how many were tried and how many were accepted.
 */
#include "check.h"
#include "visit.h"

#include <errno.h>

static unsigned long tried, accepted;
static volatile unsigned sink;

static unsigned char *read_file(const char *path, size_t *size)
{
	unsigned char *data = malloc(1 << 20);
	FILE *file = fopen(path, "rb");

	EXPECT(file && data);
	*size = fread(data, 1, 1 << 20, file);
	EXPECT(*size < 1 << 20);
	fclose(file);
	return data;
}

static int attempt(const unsigned char *data, size_t size, FILE *out)
{
	struct program program;
	unsigned char *copy = malloc(size ? size : 1);
	int error;

	EXPECT(copy);
	memcpy(copy, data, size);
	error = program_open(&program, copy, size);
	EXPECT(error == 0 || error == -EINVAL);
	tried++;
	if (!error) {
		accepted++;
		sink += visit(out, &program);
	}
	free(copy);
	return error;
}

static void set_size(unsigned char *data, uint32_t size)
{
	memcpy(data + offsetof(struct program_header, size), &size, sizeof size);
}

/* A header that tells the wrong size is refused for that alone: the right one is tried as well. */
static void truncate_program(unsigned char *data, size_t size)
{
	for (size_t length = 0; length < size; length++) {
		EXPECT_NUMBER(attempt(data, length, NULL), -EINVAL);
		if (length < sizeof(struct program_header))
			continue;
		set_size(data, (uint32_t)length);
		attempt(data, length, NULL);
		set_size(data, (uint32_t)size);
	}
}

static void change_bytes(unsigned char *data, size_t size, unsigned step)
{
	for (size_t at = 0; at < size; at++) {
		unsigned char before = data[at];

		for (unsigned value = (unsigned)at % step; value < 256; value += step) {
			data[at] = (unsigned char)value;
			attempt(data, size, NULL);
		}
		data[at] = before;
	}
}

static uint64_t state;

/* xorshift64: the same numbers everywhere. */
static uint32_t random_number(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

static void damage(unsigned char *data, size_t size)
{
	static const uint32_t words[] = {0, 1, 7, 8, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};
	size_t at = random_number() % size;
	uint32_t word = words[random_number() % 8];

	switch (random_number() % 4) {
	case 0:
		data[at] = (unsigned char)random_number();
		return;
	case 1:
		word += (uint32_t)size;
		break;
	case 2:
		word = random_number() % (uint32_t)(2 * size);
		break;
	}
	at &= ~(size_t)3;
	if (at + sizeof word <= size)
		memcpy(data + at, &word, sizeof word);
}

static void change_at_random(const unsigned char *data, size_t size, unsigned long count)
{
	unsigned char *copy = malloc(size);

	EXPECT(copy);
	while (count--) {
		memcpy(copy, data, size);
		for (unsigned changes = 1 + random_number() % 8; changes; changes--)
			damage(copy, size);
		attempt(copy, size, NULL);
	}
	free(copy);
}

int main(int count, char **arguments)
{
	size_t size;
	unsigned char *data;

	EXPECT(count >= 3);
	data = read_file(arguments[2], &size);
	if (strcmp(arguments[1], "print") == 0) {
		int error = attempt(data, size, stdout);

		free(data);
		if (error)
			printf("error %d\n", error);
		return 0;
	}
	if (strcmp(arguments[1], "truncate") == 0)
		truncate_program(data, size);
	else if (strcmp(arguments[1], "bytes") == 0)
		change_bytes(data, size, (unsigned)atoi(arguments[3]));
	else if ((state = strtoull(arguments[3], NULL, 10)))
		change_at_random(data, size, strtoul(arguments[4], NULL, 10));
	free(data);
	printf("%lu %lu\n", tried, accepted);
	return 0;
}
