#include "user/arrays.h"

#include <math.h>

#include "types.h"
#include "user/sequences.h"

static int
is_native_double(PyArrayObject *array)
{
    return PyArray_TYPE(array) == NPY_DOUBLE && PyArray_ISBEHAVED_RO(array);
}

int
arrays_is_vector(PyObject *object)
{
    return PyArray_Check(object) && PyArray_NDIM((PyArrayObject *)object) == 1 &&
           is_native_double((PyArrayObject *)object);
}

PyArrayObject *
arrays_any(PyObject *value, const Source *source, int *is_new)
{
    PyObject *array;
    PyObject *still;

    if (is_new != NULL) {
        *is_new = 0;
    }
    if (PyArray_CheckExact(value)) {
        return (PyArrayObject *)Py_NewRef(value);
    }
    still = sequences_snapshot(value, source);
    if (still == NULL) {
        return NULL;
    }
    array = PyArray_FromAny(still, NULL, 0, 0, 0, NULL);
    if (is_new != NULL) {
        /* Out of a sequence NumPy copies; any other may give its memory. */
        *is_new = still != value;
    }
    Py_DECREF(still);
    /* A subclass has hooks that get hold of every copy and view of it. */
    return (PyArrayObject *)PyArray_EnsureArray(array);
}

/* Whether float(item) is what the user means: numbers of any kind, but not strings, None or complex
 * numbers, which NumPy's own cast would try. */
static int
is_real_number(PyObject *item)
{
    PyNumberMethods *number = Py_TYPE(item)->tp_as_number;

    if (PyComplex_Check(item) || PyArray_IsScalar(item, ComplexFloating) ||
        PyArray_IsScalar(item, Character)) {
        return 0;
    }
    return number != NULL && (number->nb_float != NULL || number->nb_index != NULL);
}

/* Whether arrays of that type can be converted. */
static int
is_taken(PyArrayObject *array, PyObject *value, int kinds)
{
    int type_num = PyArray_TYPE(array);

    if (PyTypeNum_ISBOOL(type_num) || PyTypeNum_ISINTEGER(type_num) ||
        PyTypeNum_ISFLOAT(type_num)) {
        return 1;
    }
    if (kinds == ARRAYS_DATA) {
        return PyTypeNum_ISDATETIME(type_num) || type_num == NPY_OBJECT || type_num == NPY_STRING ||
               type_num == NPY_UNICODE;
    }
    return kinds == ARRAYS_OBJECTS && type_num == NPY_OBJECT &&
           (PyArray_Check(value) || PyArray_NDIM(array) > 0 || is_real_number(value));
}

/* The error of values that are no real numbers: says what they are. `object` is the user's, where
 * it is no array and its type says more than a dtype. */
static void
set_type_error(const Source *source, PyArrayObject *array, PyObject *object)
{
    PyObject *dtype;

    if (source->returned && object != NULL) {
        PyErr_Format(PyExc_TypeError,
                     "%s returned an object of type '%.200s'; it must return "
                     "real numbers",
                     source->name, types_name(object));
        return;
    }
    /* Held: to print it runs Python code, which may give the array another. */
    dtype = Py_NewRef((PyObject *)PyArray_DESCR(array));
    PyErr_Format(PyExc_TypeError,
                 source->returned ? "%s returned values of dtype %S; it must return real "
                                    "numbers"
                                  : "%s must be real numbers, not of dtype %S",
                 source->name, dtype);
    Py_DECREF(dtype);
}

/* Levels of lists within lists that are copied without NumPy. */
#define LEVELS 3

/* Copy lists of lists of floats, of that shape, to *out, which moves on. 1 when done, 0 when they
 * are anything else, -1 with an exception. */
static int
copy_levels(PyObject *value, int ndim, const npy_intp *shape, double **out)
{
    PyObject *items;
    int done = 1;

    if (ndim == 1) {
        done = sequences_copy_floats(value, shape[0], *out);
        *out += shape[0];
        return done;
    }
    if (!PyList_CheckExact(value) && !PyTuple_CheckExact(value)) {
        return 0;
    }
    /* No code of the user's runs, but other threads may. */
    items = PySequence_Tuple(value);
    if (items == NULL) {
        return -1;
    }
    if (PyTuple_GET_SIZE(items) != shape[0]) {
        done = 0;
    }
    for (npy_intp i = 0; done > 0 && i < shape[0]; i++) {
        done = copy_levels(PyTuple_GET_ITEM(items, i), ndim - 1, shape + 1, out);
    }
    Py_DECREF(items);
    return done;
}

/* Lists or tuples of floats, or of such lists, as an array: 1 when done, 0 when it is anything
 * else, -1 with an exception. */
static int
own_floats(PyObject *value, const Source *source, PyArrayObject **own)
{
    npy_intp shape[LEVELS];
    npy_intp size = 1;
    int ndim = 0;
    PyObject *first = Py_NewRef(value);
    double *out;
    int done;

    while (PyList_CheckExact(first) || PyTuple_CheckExact(first)) {
        PyObject *items = ndim < LEVELS ? PySequence_Tuple(first) : NULL;

        if (items == NULL) {
            break;
        }
        shape[ndim] = PyTuple_GET_SIZE(items);
        size = shape[ndim] > source->most_inner / size ? 0 : size * shape[ndim];
        ndim++;
        Py_SETREF(first, Py_NewRef(size == 0 ? Py_None : PyTuple_GET_ITEM(items, 0)));
        Py_DECREF(items);
    }
    Py_DECREF(first);
    if (PyErr_Occurred()) {
        return -1;
    }
    if (ndim == 0 || size == 0) {
        return 0;
    }
    *own = (PyArrayObject *)PyArray_SimpleNew(ndim, shape, NPY_DOUBLE);
    if (*own == NULL) {
        return -1;
    }
    out = PyArray_DATA(*own);
    done = copy_levels(value, ndim, shape, &out);
    if (done <= 0) {
        Py_CLEAR(*own);
    }
    return done;
}

PyArrayObject *
arrays_real(PyObject *value, const Source *source, int *is_new)
{
    PyArrayObject *array = NULL;

    if (own_floats(value, source, &array) != 0) {
        if (is_new != NULL) {
            *is_new = 1;
        }
        return array;
    }
    array = arrays_any(value, source, is_new);
    if (array == NULL || is_taken(array, value, source->kinds)) {
        return array;
    }
    set_type_error(source, array, PyArray_Check(value) || PyArray_NDIM(array) > 0 ? NULL : value);
    Py_DECREF(array);
    return NULL;
}

/* The error of an element of an array of objects. */
static void
set_element_error(const Source *source, npy_intp i, PyObject *item)
{
    PyErr_Format(PyExc_TypeError,
                 source->returned ? "%s returned values of dtype object, of which element "
                                    "%zd is of type '%.200s'; it must return real numbers"
                                  : "%s must be real numbers, not of dtype object, of "
                                    "which element %zd is of type '%.200s'",
                 source->name, (Py_ssize_t)i, types_name(item));
}

/* float(item) where that is meant: 0, or -1 with an exception. */
static int
read_element(const Source *source, npy_intp i, PyObject *item, double *number)
{
    PyObject *read;

    if (is_real_number(item)) {
        *number = PyFloat_AsDouble(item);
        return *number == -1.0 && PyErr_Occurred() ? -1 : 0;
    }
    if (source->kinds == ARRAYS_DATA && item == Py_None) {
        *number = (double)NAN;
        return 0;
    }
    if (source->kinds == ARRAYS_DATA && (PyUnicode_Check(item) || PyBytes_Check(item))) {
        read = PyFloat_FromString(item);
        if (read != NULL) {
            *number = PyFloat_AS_DOUBLE(read);
            Py_DECREF(read);
            return 0;
        }
        if (!PyErr_ExceptionMatches(PyExc_ValueError)) {
            return -1;
        }
        PyErr_Clear();
    }
    set_element_error(source, i, item);
    return -1;
}

/* A float64 copy of an array of Python objects; NULL with TypeError if they are not numbers, or
 * with whatever their __float__ raised. */
static PyArrayObject *
objects_to_doubles(PyArrayObject *objects, const Source *source)
{
    PyArrayObject *doubles = NULL;
    PyArrayObject *flat = NULL;
    npy_intp size;

    /* A copy: __float__ may do anything to the original. */
    flat = (PyArrayObject *)PyArray_Flatten(objects, NPY_CORDER);
    if (flat == NULL) {
        return NULL;
    }
    size = PyArray_SIZE(flat);
    doubles = (PyArrayObject *)PyArray_SimpleNew(PyArray_NDIM(objects), PyArray_DIMS(objects),
                                                 NPY_DOUBLE);
    if (doubles == NULL) {
        goto error;
    }
    for (npy_intp i = 0; i < size; i++) {
        PyObject *item = PyArray_GETITEM(flat, PyArray_GETPTR1(flat, i));
        double *number = (double *)PyArray_DATA(doubles) + i;
        int status = item == NULL ? -1 : read_element(source, i, item, number);

        Py_XDECREF(item);
        if (status < 0) {
            goto error;
        }
    }
    Py_DECREF(flat);
    return doubles;

error:
    Py_DECREF(flat);
    Py_XDECREF(doubles);
    return NULL;
}

/* A float64 copy of dates, in their own units; NaN where there is none. */
static PyArrayObject *
dates_to_doubles(PyArrayObject *dates)
{
    PyArrayObject *counts = NULL;
    PyArrayObject *doubles = NULL;
    npy_intp size;

    counts = (PyArrayObject *)PyArray_CheckFromAny(
        (PyObject *)dates, NULL, 0, 0, NPY_ARRAY_CARRAY_RO | NPY_ARRAY_NOTSWAPPED, NULL);
    if (counts == NULL) {
        return NULL;
    }
    doubles =
        (PyArrayObject *)PyArray_SimpleNew(PyArray_NDIM(counts), PyArray_DIMS(counts), NPY_DOUBLE);
    size = PyArray_SIZE(counts);
    for (npy_intp i = 0; doubles != NULL && i < size; i++) {
        npy_int64 count = ((const npy_int64 *)PyArray_DATA(counts))[i];

        ((double *)PyArray_DATA(doubles))[i] =
            count == NPY_DATETIME_NAT ? (double)NAN : (double)count;
    }
    Py_DECREF(counts);
    return doubles;
}

/* NumPy's own cast, which runs no code of the user's. */
static PyArrayObject *
cast_to_doubles(PyArrayObject *array, const Source *source)
{
    PyArrayObject *doubles = (PyArrayObject *)PyArray_FromArray(
        array, PyArray_DescrFromType(NPY_DOUBLE),
        NPY_ARRAY_ALIGNED | NPY_ARRAY_NOTSWAPPED | NPY_ARRAY_FORCECAST);

    if (doubles == NULL && source->kinds == ARRAYS_DATA &&
        PyErr_ExceptionMatches(PyExc_ValueError)) {
        PyErr_Clear();
        set_type_error(source, array, NULL); /* of text */
    }
    return doubles;
}

PyArrayObject *
arrays_to_doubles(PyArrayObject *array, const Source *source)
{
    PyArrayObject *doubles;

    if (is_native_double(array)) {
        return array;
    }
    if (PyArray_TYPE(array) == NPY_OBJECT) {
        doubles = objects_to_doubles(array, source);
    }
    else if (PyTypeNum_ISDATETIME(PyArray_TYPE(array))) {
        doubles = dates_to_doubles(array);
    }
    else {
        doubles = cast_to_doubles(array, source);
    }
    Py_DECREF(array);
    return doubles;
}

PyArrayObject *
arrays_own(PyObject *value, const Source *source)
{
    PyArrayObject *array;
    PyArrayObject *doubles;
    int is_new;

    array = arrays_real(value, source, &is_new);
    if (array == NULL) {
        return NULL;
    }
    is_new |= !is_native_double(array); /* a conversion is a copy */
    doubles = arrays_to_doubles(array, source);
    if (doubles != NULL && !(is_new && PyArray_IS_C_CONTIGUOUS(doubles))) {
        Py_SETREF(doubles, (PyArrayObject *)PyArray_NewCopy(doubles, NPY_CORDER));
    }
    return doubles;
}
