/* The string functions of stave-init, and the three that its compiler may call. */
#include "check.h"

/* init.c as a program without a C library has it, under other names. */
#define memcpy init_memcpy
#define memmove init_memmove
#define memset init_memset
#include "init.c"
#undef memcpy
#undef memmove
#undef memset

#include <string.h>

static void append(void)
{
	char *buffer = malloc(6); /* on the heap: a byte too far is reported */

	buffer[0] = 0;
	text_append(buffer, 6, "ab");
	text_append(buffer, 6, "");
	EXPECT(strcmp(buffer, "ab") == 0);
	text_append(buffer, 6, "cdefgh");
	EXPECT(strcmp(buffer, "abcde") == 0);
	text_append(buffer, 6, "x");
	EXPECT(strcmp(buffer, "abcde") == 0);
	/* A limit below what is there already cuts nothing off. */
	text_append(buffer, 3, "x");
	EXPECT(strcmp(buffer, "abcde") == 0);
	free(buffer);
}

static void numbers(void)
{
	static const int64_t values[] = {0, 1, 9, 10, -1, 4294967295, INT64_MAX, INT64_MIN};
	char buffer[32], expected[32];

	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		strcpy(buffer, "<");
		text_append_number(buffer, sizeof buffer, values[i]);
		snprintf(expected, sizeof expected, "<%lld", (long long)values[i]);
		EXPECT(strcmp(buffer, expected) == 0);
	}
	buffer[0] = 0;
	text_append_number(buffer, 4, INT64_MIN);
	EXPECT(strcmp(buffer, "-92") == 0);
}

static void comparison(void)
{
	EXPECT(text_equal("", "") && text_equal("ab", "ab"));
	EXPECT(!text_equal("", "a") && !text_equal("a", "") && !text_equal("ab", "ac") && !text_equal("a", "ab"));
	EXPECT_NUMBER(text_length(""), 0);
	EXPECT_NUMBER(text_length("abc"), 3);
}

static void memory(void)
{
	for (size_t from = 0; from <= 16; from++)
		for (size_t to = 0; to <= 16; to++)
			for (size_t length = 0; length <= 16; length++) {
				char ours[33] = "abcdefghijklmnopqrstuvwxyzABCDEF", theirs[33];

				memcpy(theirs, ours, sizeof ours);
				EXPECT(init_memmove(ours + to, ours + from, length) == ours + to);
				memmove(theirs + to, theirs + from, length);
				EXPECT(memcmp(ours, theirs, sizeof ours) == 0);
			}
	char bytes[4] = "abc";
	EXPECT(init_memset(bytes, -1, 2) == bytes);
	EXPECT(memcmp(bytes, "\xff\xff" "c", 4) == 0);
	EXPECT(init_memcpy(bytes, "xyz", 2) == bytes);
	EXPECT(strcmp(bytes, "xyc") == 0);
}

static void descriptors(void)
{
	EXPECT_NUMBER(parse_descriptor("0"), 0);
	EXPECT_NUMBER(parse_descriptor("1023"), 1023);
	EXPECT_NUMBER(parse_descriptor("-"), -1);
	EXPECT_NUMBER(parse_descriptor("-1"), -1);
	EXPECT_NUMBER(parse_descriptor(""), -1);
	EXPECT_NUMBER(parse_descriptor("99999999999999999999"), -1);
}

static void mapping(void)
{
	char *memory = memory_map(10000);

	EXPECT(memory);
	EXPECT(memory[0] == 0 && memory[9999] == 0);
	EXPECT(!memory_map((size_t)1 << 62));
}

int main(int count, char **arguments)
{
	static const struct named_check checks[] = {
	    {"append", append}, {"numbers", numbers},         {"comparison", comparison},
	    {"memory", memory}, {"descriptors", descriptors}, {"mapping", mapping},
	};

	EXPECT(count == 2);
	RUN_NAMED(checks, arguments[1]);
}
