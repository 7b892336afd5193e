#include "interpreter.h"

#include <linux/mman.h>

size_t text_length(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

int text_equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

void text_append(char *buffer, size_t size, const char *text)
{
	size_t at = text_length(buffer);

	while (at + 1 < size && *text)
		buffer[at++] = *text++;
	buffer[at] = 0;
}

void text_append_number(char *buffer, size_t size, int64_t value)
{
	char digits[24];
	size_t at = sizeof digits;
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

	digits[--at] = 0;
	do
		digits[--at] = (char)('0' + rest % 10);
	while (rest /= 10);
	if (value < 0)
		digits[--at] = '-';
	text_append(buffer, size, digits + at);
}

int write_all(int fd, const void *data, size_t length)
{
	const char *at = data;

	while (length) {
		long written = RETRY(SYS3(__NR_write, fd, at, length));

		if (written < 0)
			return (int)written;
		at += written;
		length -= (size_t)written;
	}
	return 0;
}

void *memory_map(size_t size)
{
	long address = SYS(__NR_mmap, NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return address < 0 && address > -4096 ? NULL : (void *)address;
}
