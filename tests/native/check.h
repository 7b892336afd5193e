/* Checks of a test driver: a failed one says where, and the process ends unsuccessfully. */
#ifndef STAVE_TEST_CHECK_H
#define STAVE_TEST_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define EXPECT(condition)                                                                     \
	do {                                                                                  \
		if (!(condition)) {                                                           \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
			exit(1);                                                              \
		}                                                                             \
	} while (0)

#define EXPECT_NUMBER(expression, expected)                                                   \
	do {                                                                                  \
		long long is_ = (long long)(expression), should_ = (long long)(expected);     \
		if (is_ != should_) {                                                         \
			fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__,  \
				#expression, is_, should_);                                   \
			exit(1);                                                              \
		}                                                                             \
	} while (0)

/* One check of a driver that runs the one it is asked for. */
struct named_check {
	const char *name;
	void (*run)(void);
};

#define RUN_NAMED(checks, wanted)                                                             \
	do {                                                                                  \
		for (size_t i_ = 0; i_ < sizeof(checks) / sizeof(checks)[0]; i_++)            \
			if (strcmp((checks)[i_].name, (wanted)) == 0) {                       \
				(checks)[i_].run();                                           \
				return 0;                                                     \
			}                                                                     \
		fprintf(stderr, "no check is called %s\n", (wanted));                         \
		return 2;                                                                     \
	} while (0)

#endif
