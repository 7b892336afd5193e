/* Command lines as the launcher reads them: for each on standard input, its words with a zero byte behind each
 * and an empty line at the end, one line: what it would do, or "python".
 */
#include "launcher/command.h"

#include "check.h"

#include <string.h>

#define WORDS 64

int main(void)
{
	static char text[1 << 16];
	static const char *const verbs[] = {"state", "start", "kill", "delete", "list", "ps", "pause", "resume"};
	char *words[WORDS];
	int count = 0;
	size_t size = fread(text, 1, sizeof text - 1, stdin);
	struct command command;

	for (char *at = text; at < text + size; at += strlen(at) + 1) {
		if (strcmp(at, "\n")) {
			EXPECT(count < WORDS);
			words[count++] = at;
		} else {
			if (command_parse(&command, count, words))
				printf("%s root=%s log=%s id=%s signal=%d force=%d form=%d\n", verbs[command.verb],
				       command.root, command.log, command.id, command.signal, command.force,
				       command.form);
			else
				puts("python");
			count = 0;
		}
	}
	return 0;
}
