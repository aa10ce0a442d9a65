#include "user/sequences.h"

#include "types.h"

/* Sequences within sequences that are looked into. Of what a function returns two would do for what
 * is legal; more let the error name the shape. */
#define RETURNED_NESTING 4
#define GIVEN_NESTING 32 /* NumPy's limit for long */

/* What is being copied for whom. */
typedef struct {
    const Source *source;
    Py_ssize_t inner; /* items of inner sequences that were seen */
} Snapshot;

/* What goes between the name and the sequence. */
static const char *
verb(const Snapshot *snapshot)
{
    return snapshot->source->returned ? "returned" : "has";
}

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

/* Whether NumPy reads the object as a whole rather than item by item: 1, 0, or -1 with an
 * exception. */
static int
is_array_like(PyObject *value)
{
    static const char *const protocols[] = {"__array__", "__array_interface__", "__array_struct__"};
    int found = PyArray_Check(value) || PyArray_CheckAnyScalar(value) ||
                PyObject_CheckBuffer(value) || PyUnicode_Check(value);

    for (size_t i = 0; found == 0 && i < Py_ARRAY_LENGTH(protocols); i++) {
        found = has_attribute(Py_TYPE(value), protocols[i]);
    }
    return found;
}

/* Whether NumPy reads the object item by item: 1, 0, or -1 with an exception. What has items but no
 * length is no sequence to NumPy, and may be endless. */
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

/* The items of a sequence of any type as a list. What yields many more than its length may be
 * endless. A new reference, or NULL with an exception. */
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
    most = Py_MAX(length, snapshot->source->most_inner);
    while ((item = PyIter_Next(iterator)) != NULL) {
        int status = -1;

        if (PyList_GET_SIZE(items) < most) {
            status = PyList_Append(items, item);
        }
        else {
            PyErr_Format(PyExc_ValueError,
                         "%s %s a sequence of type '%.200s' that has more "
                         "than %zd items, and says that it has %zd",
                         snapshot->source->name, verb(snapshot), types_name(value), most, length);
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

/* The items of a sequence as a tuple. A new reference, or NULL with an exception. */
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

/* 0 if `count` items `nesting` levels down may be looked into, or -1 with an exception. */
static int
spend(Snapshot *snapshot, int nesting, Py_ssize_t count)
{
    if (nesting == 0) {
        return 0;
    }
    if (count > snapshot->source->most_inner - snapshot->inner) {
        PyErr_Format(PyExc_ValueError, "%s %s nested sequences of more than %zd items",
                     snapshot->source->name, verb(snapshot), snapshot->source->most_inner);
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
    int most = snapshot->source->returned ? RETURNED_NESTING : GIVEN_NESTING;

    if (sequence <= 0) {
        return sequence < 0 ? NULL : Py_NewRef(value);
    }
    if (nesting == most) {
        PyErr_Format(PyExc_ValueError, "%s %s sequences nested more than %d deep",
                     snapshot->source->name, verb(snapshot), most);
        return NULL;
    }
    items = tuple_of_items(snapshot, value);
    if (items == NULL || spend(snapshot, nesting, PyTuple_GET_SIZE(items)) < 0) {
        goto cleanup;
    }
    copy = PyTuple_New(PyTuple_GET_SIZE(items));
    for (Py_ssize_t i = 0; copy != NULL && i < PyTuple_GET_SIZE(items); i++) {
        PyObject *item = copy_value(snapshot, PyTuple_GET_ITEM(items, i), nesting + 1);

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
sequences_snapshot(PyObject *value, const Source *source)
{
    Snapshot snapshot = {source, 0};

    return copy_value(&snapshot, value, 0);
}

/* Whether an object is a float, asking first for the types that nearly all are. */
static int
is_float(PyObject *object)
{
    return PyFloat_CheckExact(object) || Py_IS_TYPE(object, &PyDoubleArrType_Type) ||
           PyFloat_Check(object);
}

/* Copy a list or tuple of `size` floats and ints without a detour through NumPy. 1 when done, 0
 * when it is anything else. No Python code runs in the loop, so the list cannot change under it. */
static int
copy_floats(PyObject *sequence, npy_intp size, double *out)
{
    PyObject **items = PySequence_Fast_ITEMS(sequence);
    int overflow = 0;

    if (PySequence_Fast_GET_SIZE(sequence) != size) {
        return 0;
    }
    for (npy_intp i = 0; i < size; i++) {
        if (is_float(items[i])) {
            out[i] = PyFloat_AS_DOUBLE(items[i]);
        }
        else if (PyLong_CheckExact(items[i])) {
            out[i] = (double)PyLong_AsLongAndOverflow(items[i], &overflow);
        }
        else {
            return 0;
        }
        if (overflow != 0) {
            return 0;
        }
    }
    return 1;
}

int
sequences_copy_floats(PyObject *value, npy_intp size, double *out)
{
    if (PyTuple_CheckExact(value)) {
        return copy_floats(value, size, out);
    }
    if (!PyList_CheckExact(value)) {
        return 0;
    }
#ifdef Py_GIL_DISABLED
    /* Another thread may change the list: look at a snapshot. */
    PyObject *snapshot = PyList_AsTuple(value);
    int done = snapshot == NULL ? -1 : copy_floats(snapshot, size, out);

    Py_XDECREF(snapshot);
    return done;
#else
    return copy_floats(value, size, out);
#endif
}
