/* cooper-supervisor: one small process per container. It starts the container through the OCI runtime's command line,
 * owns its streams, writes its log, takes clients, notes its end, and starts it again where the policy says so.
 *
 *     cooper run ----- settings (stdin), first client (fd 3) -----> cooper-supervisor ----> RUNTIME run --detach
 *        ^                                                            |  ^  |                      |
 *        |<------------- packets (below) ---------------------------->|  |  |<-- adopted: subreaper+
 *     cooper attach, stop, wait ... -- RUN/containers/ID/control ----->  |  |
 *                                                        console socket -+  +--> log, status
 *
 * `cooper exec` on a terminal has one as well, for its program alone: no log, nothing to remove, no command for signals.
 *
 * Packets are those of SOCK_SEQPACKET: a type, then its data. Nothing is parsed but numbers; what the supervisor runs
 * was put together by cooper beforehand.
 */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* From a client. */
#define ASK_ATTACH 'a'	  /* a byte of WANTS_* */
#define ASK_INPUT 'i'	  /* for the container's standard input */
#define ASK_END 'e'	  /* the end of the standard input */
#define ASK_RESIZE 'w'	  /* "ROWS COLUMNS" */
#define ASK_STOP 's'	  /* "SIGNAL SECONDS": signal, wait, kill; no restart. SECONDS -1: no kill */
#define ASK_KILL 'k'	  /* "SIGNAL"; answered by TELL_ANSWER */
#define ASK_PAUSE 'f'	  /* "1" or "0": no process of the container runs, or it goes on; answered by TELL_ANSWER */
#define ASK_POLICY 'p'	  /* "NAME MAXIMUM": another restart policy */
#define ASK_DONE 'd'	  /* the caretaker has cleaned up */
#define ASK_LEAVE 'l'	  /* the program is to go on without this client, though it would hang up else */
#define WANTS_INPUT 1	  /* its input goes to the container */
#define WANTS_OUTPUT 2	  /* it is sent the container's output */
#define IS_CARETAKER 4	  /* it cleans up after TELL_FINISHED */
#define WANTS_NEWS 8	  /* it is told when the log has grown */
/* To a client. */
#define TELL_OUTPUT 'o'
#define TELL_ERROR 'E'
#define TELL_STARTED 'S'  /* "PID" */
#define TELL_FAILED 'F'	  /* the runtime's log, or what it wrote to standard error: the container did not start */
#define TELL_EXITED 'X'	  /* "STATUS OOM", after the last output */
#define TELL_FINISHED 'Z' /* it will not be started again, and the runtime has deleted it */
#define TELL_ANSWER 'K'	  /* "" or the runtime's complaint */
#define TELL_NEWS 'L'	  /* there are new lines in the log; may be left out while earlier news is unread */

#define CHUNK 32768
#define TEXT_MAX 4096

/* settings.c: what cooper wrote to standard input, as NUL-ended "name=value"; a repeated name makes a list. */
struct settings {
	const char *journal; /* the fields that each line has there, "" for no journal */
	const char *id, *log, *restart, *event, *event_log;
	/* Commands, ending with NULL; kill gets a signal appended. For `exec` there are only run and no others. */
	char **run, **kill, **pause, **resume, **remove, **clean_up, **check;
	char **cgroups;					   /* where the container's memory.events or memory.oom_control is */
	long log_size, log_files, restart_maximum, rows, columns, stop_seconds;
	const char *stop_signal;
	bool input, input_once, terminal;
	bool hang_up; /* the terminal is closed when its client has gone */
	/* Milliseconds. */
	long check_interval, check_start_interval, check_timeout, check_start, check_retries;
	const char *unhealthy;
};
extern struct settings settings;
void settings_read(int fd);

/* loop.c: callbacks on descriptors. One event is taken at a time, so a callback may remove any watch. */
struct watch {
	int fd;
	void (*ready)(struct watch *, uint32_t events);
};
void loop_start(void);
void loop_add(struct watch *watch, uint32_t events);
void loop_change(struct watch *watch, uint32_t events);
void loop_remove(struct watch *watch); /* and closes the descriptor, which becomes -1 */
void loop_run(void) __attribute__((noreturn));
/* The timer's watch becomes ready once after so many milliseconds; 0 stops it. */
void timer_make(struct watch *timer, void (*ready)(struct watch *, uint32_t));
void timer_set(struct watch *timer, long milliseconds);
void timer_clear(struct watch *timer); /* call it when it is ready */

/* log.c: the lines of a container, as "TIME stdout|stderr F|P TEXT", P for a part of a line. */
void log_open(void);
void log_write(const char *stream, const char *data, size_t length);
void event_write(const char *action, const char *attribute, const char *value);
int64_t now_ns(void);

/* journal.c */
void journal_open(void);
void journal_write(const char *stream, const char *data, size_t length);

/* streams.c: the container's standard streams, or its terminal. */
void streams_make(int child[3]);	       /* the ends for the runtime; the caller closes those above 2 */
void streams_open(void);		       /* output is read from now on */
size_t streams_complaint(char *text, size_t size); /* what is in standard error, unread; closes all */
void streams_drain(void (*done)(void));	       /* calls back when everything is read, logged and sent */
void streams_hang_up(void);		       /* the program has lost its terminal */
void streams_resize(unsigned rows, unsigned columns);
void stream_unblocked(unsigned stream);	       /* no client waits for its chunk any longer */
const char *stream_chunk(unsigned stream, size_t *length);
size_t input_write(const char *data, size_t length); /* how much; of the rest, clients_input_ready tells */
void input_end(void);
int console_listen(void);
char *console_path(void); /* of the socket that the runtime connects to */

/* clients.c */
void clients_listen(void);
void clients_unlisten(void);
void clients_first(int fd);
void clients_send(unsigned stream); /* its chunk, to all that want output */
bool clients_blocked(unsigned stream);
void clients_drop_blocked(void);
void clients_tell(void); /* what has happened, to all that do not know it yet */
void clients_answer(int client, const char *complaint); /* -1: nobody has asked */
void clients_input_ready(void);
bool clients_caretaker(void); /* whether one is connected */

/* children.c: commands of the runtime. */
typedef void (*ended)(int status, void *context);
pid_t child_start(char *const *arguments, const int streams[3], ended callback, void *context);
void child_adopt(pid_t pid, ended callback, void *context);
size_t children_commands(void); /* how many of the runtime's run */
void children_kill_commands(void);
void children_watch(void);
/* While commands run whose orphans are to be adopted, the ends of others are kept; false: one of these commands has
 * ended, and the ends are told to who has adopted them. */
void children_expect(bool orphan);
int exit_status(int status);

/* files.c: small files in the run directory, which is descriptor run_directory. */
extern int run_directory;
void files_open(const char *path);
void file_write(const char *name, const char *text, size_t length); /* whole, or not at all */
size_t file_read(const char *name, char *text, size_t size);
void file_remove(const char *name);
void files_remove(void); /* all, and the directory */
bool supervisor_lock(void);
void supervisor_unlock(void);

/* health.c */
void health_start(void);
void health_stop(void);
void health_disregard(void); /* what a check that is under way finds counts for nothing */
const char *health_status(void); /* "", "starting", "healthy", "unhealthy" */

/* main.c: the container's life. */
enum state { STARTING, RUNNING, EXITING, RESTARTING, FINISHED, FAILED };
struct life {
	enum state state;
	pid_t pid;
	int status; /* exit status, -1 while it runs */
	bool oom, paused;
	bool stopping; /* somebody wants it ended: no restart, and nothing is done about its health */
	char failure[TEXT_MAX];
	size_t failure_length;
};
extern struct life life;
void life_stop(const char *signal, long seconds);
void life_kill(const char *signal, bool asked); /* the signal is being sent; asked: by a client */
void life_command_ended(void);
void life_policy(const char *name, long maximum);
void life_done(bool cleaned); /* the caretaker is done, or has gone */
void life_restart(void);      /* stop, then start again whatever the policy */
void status_write(void);
void fail(const char *what) __attribute__((noreturn));

/* commands.c: what is done to the living container, for the client of this number or, with -1, for nobody. */
void command_kill(const char *signal, int client);
void command_pause(bool pause, int client);

#endif
