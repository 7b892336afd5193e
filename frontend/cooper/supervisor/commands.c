/* What the runtime does to the living container: signals, and the freezer. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "supervisor.h"

#define WORDS_MAX 62

static const int nowhere[3] = {-1, -1, -1};

/* The runtime's complaint, or "", goes to the client that has asked, if one has. */
static void answer(const char *command, int status, void *client)
{
	char text[TEXT_MAX - 1] = "";
	size_t length = 0;

	if (exit_status(status))
		length = file_read("runtime.log", text, sizeof text - 1);
	if (exit_status(status) && !length)
		length = (size_t)snprintf(text, sizeof text, "the runtime's %s ended with %d", command, exit_status(status));
	text[length] = 0;
	clients_answer((int)(intptr_t)client, text);
}

static void killed(int status, void *client)
{
	answer("kill", status, client);
}

static void killed_for_good(int status, void *client)
{
	/* Whatever keeps the runtime from doing it, this process's own child it can kill. */
	if (exit_status(status) && life.state == RUNNING)
		kill(life.pid, SIGKILL);
	killed(status, client);
}

static void paused(int status, void *client)
{
	if (!exit_status(status) && life.state == RUNNING) {
		life.paused = true;
		health_disregard();
		status_write();
	}
	answer("pause", status, client);
}

static void resumed(int status, void *client)
{
	if (!exit_status(status)) {
		life.paused = false;
		status_write();
	}
	answer("resume", status, client);
}

static bool refused(int client)
{
	if (life.state != RUNNING)
		clients_answer(client, "container not running");
	return life.state != RUNNING;
}

void command_kill(const char *signal, int client)
{
	char *command[WORDS_MAX + 2], name[32];
	bool for_good = !strcmp(signal, "SIGKILL");
	size_t count = 0;

	if (refused(client))
		return;
	snprintf(name, sizeof name, "%s", signal);
	while (settings.kill && settings.kill[count] && count < WORDS_MAX) {
		command[count] = settings.kill[count];
		count++;
	}
	command[count] = name;
	command[count + 1] = NULL;
	life_kill(signal, client >= 0);
	if (count && child_start(command, nowhere, for_good ? killed_for_good : killed, (void *)(intptr_t)client))
		return;
	kill(life.pid, for_good ? SIGKILL : SIGTERM);
	clients_answer(client, for_good ? "" : "the runtime's kill cannot be run");
}

void command_pause(bool pause, int client)
{
	char **command = pause ? settings.pause : settings.resume;

	if (!refused(client) &&
	    (!command || !child_start(command, nowhere, pause ? paused : resumed, (void *)(intptr_t)client)))
		clients_answer(client, "the runtime cannot be run");
}
