"""Writes the functions of launch.h as a module that can be part of the interpreter, for the snapshot.

cffi's module is a shared object, which no snapshot can hold, and needs another one: loading the two takes longer than
planning a container. So the snapshot has this module instead, generated from the declarations that cffi reads too.
Its functions take ints, bytes for `const char *`, a list of bytes for `char *const *`, and buffers for all other
pointers; they return ints.
"""

from __future__ import annotations

import os
import re

from stave.native import build

MODULE = "_stave_calls"
_FUNCTION = re.compile(r"^int (stave_\w+)\(([^)]*)\);", re.MULTILINE)
# C type -> (format of PyArg_ParseTuple, type of the variable, further arguments, how it is passed, clean-up)
_NUMBER = ("{type} {name};", "&{name}", "{name}", "")
_BUFFER = ("Py_buffer {name};", "&{name}", "{name}.buf", "PyBuffer_Release(&{name});")
_KINDS = {
    "int": ("i", *_NUMBER),
    "unsigned": ("I", *_NUMBER),
    "uint64_t": ("K", *_NUMBER),
    "const char *": ("y", *_NUMBER),
    "char *const *": ("O&", "char **{name} = NULL;", "take_texts, &{name}", "{name}", "PyMem_Free({name});"),
}
_HEAD = """\
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "launch.h"

/* A list of bytes as a vector that ends in NULL; the caller keeps the list. */
static int take_texts(PyObject *texts, void *result)
{
	char **vector;

	if (!texts) { /* a later argument is wrong */
		PyMem_Free(*(char ***)result);
		return 0;
	}
	if (!PyList_CheckExact(texts)) {
		PyErr_SetString(PyExc_TypeError, "a list of bytes is needed");
		return 0;
	}
	vector = PyMem_Calloc((size_t)PyList_GET_SIZE(texts) + 1, sizeof *vector);
	if (!vector) {
		PyErr_NoMemory();
		return 0;
	}
	for (Py_ssize_t i = 0; i < PyList_GET_SIZE(texts); i++)
		if (PyBytes_AsStringAndSize(PyList_GET_ITEM(texts, i), &vector[i], NULL)) {
			PyMem_Free(vector);
			return 0;
		}
	*(char ***)result = vector;
	return Py_CLEANUP_SUPPORTED;
}
"""
_FUNCTION_TEXT = """
static PyObject *call_{name}(PyObject *module, PyObject *arguments)
{{
	{declarations}
	int result;

	(void)module;
	if (!PyArg_ParseTuple(arguments, "{formats}"{targets}))
		return NULL;
	result = {name}({passed});
	{clean_up}
	return PyLong_FromLong(result);
}}
"""
_TAIL = """
static PyMethodDef methods[] = {{
{methods}
	{{NULL, NULL, 0, NULL}},
}};

static struct PyModuleDef definition = {{PyModuleDef_HEAD_INIT, "{module}", NULL, -1, methods, NULL, NULL, NULL, NULL}};

PyMODINIT_FUNC PyInit_{module}(void)
{{
	return PyModule_Create(&definition);
}}
"""


def calls_source() -> str:
    """The module's C.

    Raises:
        ValueError: a parameter of a type that is not known here.
    """
    with open(os.path.join(build.HERE, "launch.h")) as file:
        functions = _FUNCTION.findall(file.read())
    methods = [f'\t{{"{name}", call_{name}, METH_VARARGS, NULL}},' for name, _ in functions]
    return (
        _HEAD
        + "".join([_function(name, parameters) for name, parameters in functions])
        + _TAIL.format(methods="\n".join(methods), module=MODULE)
    )


def _function(name: str, parameters: str) -> str:
    declarations, formats, targets, passed, clean_up = [], "", "", [], []
    for number, text in enumerate([] if parameters == "void" else parameters.split(",")):
        kind = re.fullmatch(r"\s*(.*?)\w+\s*", text, re.DOTALL)
        c_type = kind.group(1).strip() if kind else ""
        if c_type not in _KINDS and (c_type.count("*") != 1 or not c_type.endswith("*")):
            raise ValueError(f"{name}: a parameter of type {c_type or text}")
        # What is not const, the function writes to.
        buffer = ("y*" if c_type.startswith("const ") else "w*", *_BUFFER)
        form, declaration, target, value, release = _KINDS.get(c_type, buffer)
        words = {"type": c_type, "name": f"argument{number}"}
        declarations.append(declaration.format(**words))
        formats += form
        targets += ", " + target.format(**words)
        passed.append(value.format(**words))
        clean_up.append(release.format(**words))
    return _FUNCTION_TEXT.format(
        name=name,
        declarations="\n\t".join(declarations),
        formats=formats,
        targets=targets,
        passed=", ".join(passed),
        clean_up="\n\t".join(filter(None, clean_up)),
    )
