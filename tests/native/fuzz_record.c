/* libFuzzer: any bytes as a record. What is accepted must stay inside, text by text. */
#include "launcher/record.h"

#include <stdlib.h>
#include <string.h>

/* Visible to others, so that the reading is not optimised away. */
extern volatile size_t read_sum;
volatile size_t read_sum;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record record;
	char *copy = malloc(size ? size : 1); /* of just this size */

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	if (record_open(&record, copy, size)) {
		read_sum += strlen(record.before_status) + strlen(record.before_pid) +
			    strlen(record.after_pid) + strlen(record.listed_before_status) +
			    strlen(record.listed_before_pid) + strlen(record.listed_after_pid) +
			    strlen(record.bundle) + strlen(record.created) + strlen(record.freezer);
		for (size_t i = 0; i < record.path_count; i++)
			read_sum += strlen(record.paths[i]);
	}
	free(copy);
	return 0;
}
