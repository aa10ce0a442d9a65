#include "snapshot.h"

/* Sequences within sequences that are looked into. Two would do for what is
 * legal; more let the error name the shape. */
#define MAX_NESTING 4

/* Whether a type has an attribute: 1, 0, or -1 with what the lookup raised. */
static int
has_attribute(PyTypeObject *type, const char *name)
{
    PyObject *attribute = PyObject_GetAttrString((PyObject *)type, name);

    if (attribute != NULL) {
        Py_DECREF(attribute);
        return 1;
    }
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
        return -1;
    }
    PyErr_Clear();
    return 0;
}

/* Whether NumPy reads the object as a whole rather than item by item: 1, 0, or
 * -1 with an exception. */
static int
is_array_like(PyObject *value)
{
    static const char *const protocols[] = {"__array__", "__array_interface__",
                                            "__array_struct__"};
    int found = PyArray_Check(value) || PyArray_CheckAnyScalar(value) ||
                PyObject_CheckBuffer(value) || PyUnicode_Check(value);

    for (size_t i = 0; found == 0 && i < Py_ARRAY_LENGTH(protocols); i++) {
        found = has_attribute(Py_TYPE(value), protocols[i]);
    }
    return found;
}

/* Whether NumPy reads the object item by item: 1, 0, or -1 with an exception.
 * What has items but no length is no sequence to NumPy, and may be endless. */
static int
is_sequence(PyObject *value)
{
    PySequenceMethods *methods = Py_TYPE(value)->tp_as_sequence;
    int whole;

    if (PyList_CheckExact(value) || PyTuple_CheckExact(value)) {
        return 1;
    }
    if (!PySequence_Check(value) || methods->sq_length == NULL) {
        return 0;
    }
    whole = is_array_like(value);
    return whole < 0 ? -1 : !whole;
}

static PyObject *
snapshot(PyObject *value, int depth, const char *name)
{
    PyObject *items, *copy;
    int sequence = is_sequence(value);

    if (sequence <= 0) {
        return sequence < 0 ? NULL : Py_NewRef(value);
    }
    if (depth == 0) {
        PyErr_Format(PyExc_ValueError,
                     "%s returned sequences nested more than %d deep", name,
                     MAX_NESTING);
        return NULL;
    }
    items = PySequence_Tuple(value);
    if (items == NULL) {
        return NULL;
    }
    copy = PyTuple_New(PyTuple_GET_SIZE(items));
    for (Py_ssize_t i = 0; copy != NULL && i < PyTuple_GET_SIZE(items); i++) {
        PyObject *item = snapshot(PyTuple_GET_ITEM(items, i), depth - 1, name);

        if (item == NULL) {
            Py_CLEAR(copy);
        }
        else {
            PyTuple_SET_ITEM(copy, i, item);
        }
    }
    Py_DECREF(items);
    return copy;
}

PyObject *
snapshot_of(PyObject *value, const char *name)
{
    return snapshot(value, MAX_NESTING, name);
}
