/* The interpreter with stave's hot modules imported, as a program.
 *
 *     stave-snapshot write FILE SCRIPT BUNDLE HOME PATH...   when the package is built
 *     FILE PACKAGES CONNECTION WORD...                       whenever a command needs Python
 *
 * The first starts the interpreter, runs SCRIPT, which imports the modules, and writes the program that it is
 * then, with all its memory, to FILE. Starting FILE is going on from there: nothing is initialised, found, read or
 * executed a second time. To the interpreter it looks like the return from fork(2) into the child.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "heap.h"
#include "image.h"

PyMODINIT_FUNC PyInit__stave_calls(void); /* build_calls.py */

static void check(PyStatus status)
{
	if (PyStatus_Exception(status))
		Py_ExitStatusException(status);
}

/* As `python3 -I -S -X utf8`, with the caller's paths. */
static void start_interpreter(char **words)
{
	PyPreConfig before;
	PyConfig config;

	PyImport_AppendInittab("_stave_calls", PyInit__stave_calls);
	PyPreConfig_InitIsolatedConfig(&before);
	before.utf8_mode = 1;
	check(Py_PreInitialize(&before));
	PyConfig_InitIsolatedConfig(&config);
	config.site_import = 0;
	config.write_bytecode = 0;
	config.module_search_paths_set = 1;
	check(PyConfig_SetBytesString(&config, &config.home, words[0]));
	for (char **path = words + 1; *path; path++) {
		wchar_t *wide = Py_DecodeLocale(*path, NULL);

		if (!wide)
			exit(1);
		check(PyWideStringList_Append(&config.module_search_paths, wide));
		PyMem_RawFree(wide);
	}
	check(Py_InitializeFromConfig(&config));
	PyConfig_Clear(&config);
}

static int write_snapshot(char **words)
{
	FILE *script = fopen(words[1], "r");
	const char *error;

	if (!script) {
		perror(words[1]);
		return 1;
	}
	start_interpreter(words + 3);
	PySys_SetObject("argv", Py_BuildValue("[ss]", words[1], words[2]));
	if (PyRun_SimpleFile(script, words[1]))
		return 1;
	fclose(script);
	error = image_write(words[0]);
	if (error)
		fprintf(stderr, "%s: %s\n", words[0], error);
	return error ? 1 : 0;
}

/* What a new process does not inherit from the one that wrote the snapshot. */
static void renew_process(void)
{
	PyOS_AfterFork_Child();
	PyThreadState_Get()->thread_id = PyThread_get_thread_ident();
	prctl(PR_SET_NAME, "stave", 0, 0, 0); /* it would be the file's, otherwise */
	PyOS_setsig(SIGPIPE, SIG_IGN);
	PyOS_setsig(SIGXFSZ, SIG_IGN);
}

static PyObject *list_of(char **words)
{
	PyObject *list = PyList_New(0);

	for (; list && *words; words++) {
		PyObject *text = PyUnicode_DecodeFSDefault(*words);

		if (!text || PyList_Append(list, text))
			return NULL;
		Py_DECREF(text);
	}
	return list;
}

static PyObject *environment(void)
{
	PyObject *dict = PyDict_New();

	for (char **entry = environ; dict && *entry; entry++) {
		const char *equals = strchr(*entry, '=');
		PyObject *name, *value;

		if (!equals)
			continue;
		name = PyBytes_FromStringAndSize(*entry, equals - *entry);
		value = PyBytes_FromString(equals + 1);
		/* The first of several counts, as in posix.environ. */
		if (!name || !value || !PyDict_SetDefault(dict, name, value))
			return NULL;
		Py_DECREF(name);
		Py_DECREF(value);
	}
	return dict;
}

static int go_on(char **words)
{
	bool interruptible = PyOS_getsig(SIGINT) == SIG_DFL;
	PyObject *module, *done;

	renew_process();
	module = PyImport_AddModule("__main__");
	done = PyObject_CallMethod(module, "go_on", "sNNNi", words[0], PyUnicode_DecodeFSDefault(words[1]),
				   list_of(words + 2), environment(), (int)interruptible);
	if (!done)
		PyErr_Print();
	return 1; /* the program's main does not return */
}

int main(int count, char **words)
{
	if (heap_is_sealed() && count >= 3)
		return go_on(words + 1);
	if (!heap_is_sealed() && count >= 7 && strcmp(words[1], "write") == 0)
		return write_snapshot(words + 2);
	fputs("stave-snapshot: is started by stave alone\n", stderr);
	return 1;
}
