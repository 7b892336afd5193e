/* stave-init's half of the fuzzed messages. */
#include "interpreter.h"

int wait_on(int control, unsigned program_count);

int wait_on(int control, unsigned program_count)
{
	struct interpreter interpreter = {.control = control, .program = {.count = program_count}};
	int error = 0;

	/* The end of the file is -EPROTO as well. */
	for (int packets = 0; packets < 50 && (error == 0 || error == -EPROTO); packets++)
		error = wait_for_go(&interpreter);
	if (interpreter.sources_count > program_count)
		return 1;
	for (uint32_t i = 0; i < interpreter.sources_count; i++)
		close_descriptor(interpreter.sources[i]);
	if (interpreter.sources)
		SYS2(__NR_munmap, interpreter.sources, program_count * sizeof *interpreter.sources);
	return error;
}
