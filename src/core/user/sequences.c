#include "user/sequences.h"

/* Sequences within sequences that are looked into. Two would do for what is
 * legal; more let the error name the shape. */
#define MAX_NESTING 4

/* What is being copied for whom. */
typedef struct {
    const char *name;
    Py_ssize_t most_inner; /* items of inner sequences to look into, */
    Py_ssize_t inner;      /* and those seen */
} Snapshot;

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

/* The items of a sequence of any type as a list. What yields many more than
 * its length may be endless. A new reference, or NULL with an exception. */
static PyObject *
list_items(const Snapshot *snapshot, PyObject *value)
{
    PyObject *iterator = NULL;
    PyObject *items = NULL;
    PyObject *item;
    Py_ssize_t most, length = PySequence_Size(value);

    if (length < 0) {
        return NULL;
    }
    iterator = PyObject_GetIter(value);
    items = PyList_New(0);
    if (iterator == NULL || items == NULL) {
        goto error;
    }
    most = Py_MAX(length, snapshot->most_inner);
    while ((item = PyIter_Next(iterator)) != NULL) {
        int status = -1;

        if (PyList_GET_SIZE(items) < most) {
            status = PyList_Append(items, item);
        }
        else {
            PyErr_Format(PyExc_ValueError,
                         "%s returned a sequence of type '%.200s' that has "
                         "more than %zd items, and says that it has %zd",
                         snapshot->name, Py_TYPE(value)->tp_name, most,
                         length);
        }
        Py_DECREF(item);
        if (status < 0) {
            goto error;
        }
    }
    if (PyErr_Occurred()) {
        goto error;
    }
    Py_DECREF(iterator);
    return items;

error:
    Py_XDECREF(iterator);
    Py_XDECREF(items);
    return NULL;
}

/* The items of a sequence as a tuple. A new reference, or NULL with an
 * exception. */
static PyObject *
tuple_of_items(const Snapshot *snapshot, PyObject *value)
{
    PyObject *items, *tuple;

    if (PyList_CheckExact(value) || PyTuple_CheckExact(value)) {
        return PySequence_Tuple(value);
    }
    items = list_items(snapshot, value);
    if (items == NULL) {
        return NULL;
    }
    tuple = PyList_AsTuple(items);
    Py_DECREF(items);
    return tuple;
}

/* 0 if `count` items `nesting` levels down may be looked into, or -1 with an
 * exception. */
static int
spend(Snapshot *snapshot, int nesting, Py_ssize_t count)
{
    if (nesting == 0) {
        return 0;
    }
    if (count > snapshot->most_inner - snapshot->inner) {
        PyErr_Format(PyExc_ValueError,
                     "%s returned nested sequences of more than %zd items",
                     snapshot->name, snapshot->most_inner);
        return -1;
    }
    snapshot->inner += count;
    return 0;
}

static PyObject *
copy_value(Snapshot *snapshot, PyObject *value, int nesting)
{
    PyObject *items = NULL;
    PyObject *copy = NULL;
    int sequence = is_sequence(value);

    if (sequence <= 0) {
        return sequence < 0 ? NULL : Py_NewRef(value);
    }
    if (nesting == MAX_NESTING) {
        PyErr_Format(PyExc_ValueError,
                     "%s returned sequences nested more than %d deep",
                     snapshot->name, MAX_NESTING);
        return NULL;
    }
    items = tuple_of_items(snapshot, value);
    if (items == NULL ||
        spend(snapshot, nesting, PyTuple_GET_SIZE(items)) < 0) {
        goto cleanup;
    }
    copy = PyTuple_New(PyTuple_GET_SIZE(items));
    for (Py_ssize_t i = 0; copy != NULL && i < PyTuple_GET_SIZE(items); i++) {
        PyObject *item =
            copy_value(snapshot, PyTuple_GET_ITEM(items, i), nesting + 1);

        if (item == NULL) {
            Py_CLEAR(copy);
        }
        else {
            PyTuple_SET_ITEM(copy, i, item);
        }
    }

cleanup:
    Py_XDECREF(items);
    return copy;
}

PyObject *
snapshot_of(PyObject *value, const char *name, Py_ssize_t most_inner)
{
    Snapshot snapshot = {name, most_inner, 0};

    return copy_value(&snapshot, value, 0);
}
