#include "user/plain.h"

#include <limits.h>

#include "user/compiled.h"
#include "user/arrays.h"

/* A function that Python calls. */
static int
is_function(PyObject *object)
{
    return PyCallable_Check(object) && compiled_function(object) == NULL;
}

static int
is_flag(PyObject *object)
{
    return PyBool_Check(object) || PyLong_CheckExact(object);
}

/* A float64 vector, not empty, that no subclass has a say in. */
static int
is_start(PyObject *object)
{
    PyArrayObject *array = (PyArrayObject *)object;

    return PyArray_CheckExact(object) && convert_is_vector(object) &&
           PyArray_DIM(array, 0) > 0 && PyArray_DIM(array, 0) <= INT_MAX;
}

/* Read a float, not a NaN, or an int that is not large: 1, or 0. */
static int
read_number(PyObject *object, double *number)
{
    int overflow = 0;

    if (PyFloat_CheckExact(object)) {
        *number = PyFloat_AS_DOUBLE(object);
        return *number == *number;
    }
    if (!PyLong_CheckExact(object)) {
        return 0;
    }
    *number = (double)PyLong_AsLongAndOverflow(object, &overflow);
    return overflow == 0;
}

/* Read ftol, xtol, gtol, factor and maxfev, and look at epsfcn. */
static int
read_numbers(Options *options, PyObject *const *args, double evaluations,
             int n)
{
    double limit = 0.0;
    double epsfcn = 0.0;
    double *const targets[] = {&options->ftol, &options->xtol,
                               &options->gtol, &options->factor,
                               &limit,         &epsfcn};
    int count = args[5] == Py_None ? 5 : 6;

    for (int i = 0; i < count; i++) {
        if (!read_number(args[i], targets[i])) {
            return 0;
        }
    }
    if (limit <= 0) {
        limit = evaluations * (n + 1.0);
    }
    if (!PyLong_CheckExact(args[4]) || limit >= INT_MAX - n) {
        return 0;
    }
    options->maxfev = (int)limit;
    return 1;
}

int
plain_read(Options *options, PyObject *const *args)
{
    return is_function(args[0]) &&
           (args[1] == Py_None || is_function(args[1])) && is_start(args[2]) &&
           PyTuple_CheckExact(args[3]) && is_flag(args[4]) &&
           read_numbers(options, args + 5, args[1] == Py_None ? 200 : 100,
                        (int)PyArray_DIM((PyArrayObject *)args[2], 0)) &&
           args[11] == Py_None && is_flag(args[12]) &&
           PyUnicode_CheckExact(args[13]) &&
           PyUnicode_CompareWithASCIIString(args[13], "auto") == 0;
}
