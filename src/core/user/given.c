#include "user/given.h"

#include <limits.h>

#include "types.h"
#include "user/arrays.h"
#include "user/compiled.h"

enum {
    FUNC,
    DFUN,
    START,
    ARGS,
    COL_DERIV,
    NUMBERS, /* that the table of options reads */
    DIAG = NUMBERS + OPTIONS_NUMBERS,
    FULL,
    QR
};

static int
check_callable(const char *name, PyObject *object)
{
    if (PyCallable_Check(object)) {
        return 0;
    }
    PyErr_Format(PyExc_TypeError, "%s must be callable, and an object of type '%.200s' is not",
                 name, types_name(object));
    return -1;
}

static int
check_data(const CompiledFunction *function)
{
    if (function == NULL || function->k < 0 || function->p != NULL) {
        return 0;
    }
    PyErr_Format(PyExc_ValueError,
                 "a compiled function reads k = %zd numbers of data, and has "
                 "none",
                 function->k);
    return -1;
}

/* Where functions are compiled, see where the Jacobian comes from, and that they lack no data and
 * were given no args. 0, or -1 with an exception. */
static int
find_jacobian(Given *given, PyObject *args)
{
    const CompiledFunction *residuals = compiled_function(given->func);
    const CompiledFunction *derivatives;

    if (residuals != NULL && given->dfun == NULL && residuals->jacobian != NULL) {
        given->dfun = given->func;
    }
    derivatives = given->dfun == NULL ? NULL : compiled_function(given->dfun);
    if (residuals != NULL && (given->dfun == NULL || derivatives != NULL) &&
        !(PyTuple_Check(args) && PyTuple_GET_SIZE(args) == 0)) {
        PyErr_SetString(PyExc_TypeError, "a compiled function takes no args; give it data");
        return -1;
    }
    return check_data(residuals) < 0 || check_data(derivatives) < 0 ? -1 : 0;
}

/* x0 as a vector of float64, perhaps the user's own: a new reference, or NULL with an exception. */
static PyArrayObject *
read_vector(PyObject *value)
{
    const Source source = {"x0", 0, ARRAYS_REAL, ARRAYS_INNER_GIVEN};
    PyArrayObject *array;

    if (PyArray_Check(value) && PyArray_SIZE((PyArrayObject *)value) > INT_MAX) {
        PyErr_SetString(PyExc_ValueError, "x0 must have at most 2**31 - 1 elements");
        return NULL;
    }
    if (PyArray_CheckExact(value) && arrays_is_vector(value)) {
        return (PyArrayObject *)Py_NewRef(value);
    }
    array = arrays_own(value, &source);
    if (array != NULL && PyArray_NDIM(array) != 1) {
        Py_SETREF(array, (PyArrayObject *)PyArray_Ravel(array, NPY_CORDER));
    }
    return array;
}

int
given_read_start(Given *given, PyObject *const *arguments)
{
    PyObject *args = arguments[ARGS];

    given->func = arguments[FUNC];
    given->dfun = arguments[DFUN] == Py_None ? NULL : arguments[DFUN];
    if (check_callable("func", given->func) < 0 ||
        (given->dfun != NULL && check_callable("Dfun", given->dfun) < 0) ||
        find_jacobian(given, args) < 0) {
        return -1;
    }
    given->full = PyObject_IsTrue(arguments[FULL]);
    if (given->full < 0) {
        return -1;
    }
    given->args = PyTuple_Check(args) ? Py_NewRef(args) : PyTuple_Pack(1, args);
    /* Last: from here until it is copied nothing may run code of the user's, which could change the
     * size. */
    if (given->args != NULL) {
        given->start = read_vector(arguments[START]);
    }
    if (given->start == NULL) {
        return -1;
    }
    given->n = PyArray_SIZE(given->start);
    if (given->n == 0 && !given->full) {
        PyErr_SetString(PyExc_TypeError, "x0 is empty; it must hold at least one number");
        return -1;
    }
    return 0;
}

int
given_read_options(Given *given, PyObject *const *arguments)
{
    if (options_read(&given->options, arguments + NUMBERS, arguments[QR], given->n,
                     given->dfun != NULL) < 0 ||
        options_read_diag(&given->options, arguments[DIAG], 0, given->n, &given->diag) < 0) {
        return -1;
    }
    given->col_deriv = PyObject_IsTrue(arguments[COL_DERIV]);
    return given->col_deriv < 0 ? -1 : 0;
}

void
given_clear(Given *given)
{
    Py_CLEAR(given->args);
    Py_CLEAR(given->start);
    Py_CLEAR(given->diag);
}
