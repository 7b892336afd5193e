/* For programs whose commands are all Python's. */
#include "answer.h"

bool answer(int count, char *const *words, int *connection)
{
	(void)count;
	(void)words;
	*connection = -1;
	return false;
}
