#include "user/call.h"

#include <string.h>

#include "user/answers.h"
#include "user/copy.h"
#include "user/unshared.h"

int
call_init(Call *call)
{
    const Given *given = call->given;
    Py_ssize_t extra = PyTuple_GET_SIZE(given->args);

    call->nargs = 1 + extra;
    call->residuals = compiled_function(given->func);
    call->derivatives = given->dfun == NULL ? NULL : compiled_function(given->dfun);
    if (call->derivatives != NULL && call->derivatives->jacobian == NULL) {
        PyErr_SetString(PyExc_TypeError, "Dfun is a compiled function without a Jacobian");
        return -1;
    }
    /* Two more than args: x, and the slot before it that a callee may use. */
    call->call = PyMem_New(PyObject *, (size_t)extra + 2);
    if (call->call == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    call->call[0] = NULL;
    call->call[1] = NULL;
    for (Py_ssize_t i = 0; i < extra; i++) {
        call->call[2 + i] = PyTuple_GET_ITEM(given->args, i);
    }
    return 0;
}

void
call_clear(Call *call)
{
    PyMem_Free(call->call);
    call->call = NULL;
    Py_CLEAR(call->argument);
}

int
call_is_compiled(const Call *call)
{
    return call->residuals != NULL && (call->given->dfun == NULL || call->derivatives != NULL);
}

int
call_find_m(const Call *call, int *m, int n)
{
    if (call->residuals != NULL) {
        *m = call->residuals->m;
        if (*m < n) {
            PyErr_Format(PyExc_TypeError,
                         "Improper input: func input vector length N=%d must "
                         "not exceed func output vector length M=%d",
                         n, *m);
            return -1;
        }
    }
    if (call->derivatives != NULL && call->derivatives->m != *m) {
        PyErr_Format(PyExc_ValueError, "Dfun is compiled for %d residuals, and func gives %d",
                     call->derivatives->m, *m);
        return -1;
    }
    return 0;
}

/* Make call->argument an array that is the user's own, with the values x. 0, or -1 with an
 * exception. */
static int
fill_argument(Call *call, const double *x, int n)
{
    npy_intp shape[1] = {n};

    if (call->argument != NULL && !unshared_vector(call->argument, n)) {
        Py_CLEAR(call->argument);
    }
    if (call->argument == NULL) {
        call->argument = (PyArrayObject *)PyArray_SimpleNew(1, shape, NPY_DOUBLE);
        if (call->argument == NULL) {
            return -1;
        }
    }
    memcpy(PyArray_DATA(call->argument), x, (size_t)n * sizeof(double));
    return 0;
}

PyArrayObject *
call_argument(Call *call, const double *x, int n)
{
    PyArrayObject *array = NULL;

    if (fill_argument(call, x, n) == 0) {
        array = call->argument;
        call->argument = NULL;
    }
    return array;
}

PyObject *
call_python(Call *call, PyObject *function, const double *x, int n)
{
    PyObject *result;

    if (fill_argument(call, x, n) < 0) {
        return NULL;
    }
    call->call[1] = (PyObject *)call->argument;
    result = PyObject_Vectorcall(function, call->call + 1,
                                 (size_t)call->nargs | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    /* A function of Python looks for Ctrl-C where it begins. One written in C gives it no other
     * chance than this. */
    if (!PyFunction_Check(function) && result != NULL && PyErr_CheckSignals() < 0) {
        Py_CLEAR(result);
    }
    return result;
}

int
call_residuals(Call *call, int n, const double *x, int m, double *f)
{
    PyObject *result = call_python(call, call->given->func, x, n);
    int finite;

    if (result == NULL) {
        return -1;
    }
    finite = answers_residuals(result, m, f);
    Py_DECREF(result);
    return finite;
}

/* Note what a compiled function returned: 0, or -1 if that stops the fit. */
static int
note(Call *call, int status)
{
    if (status >= 0) {
        return 0;
    }
    call->stopped = status;
    return -1;
}

int
call_compiled(Call *call, int n, const double *x, double *f, int iflag)
{
    const CompiledFunction *function = call->residuals;

    if (gil_is_interrupted(&call->gil) ||
        note(call, compiled_residuals(function, function->p, n, x, f, iflag)) < 0) {
        return -1;
    }
    return copy_all_finite(f, function->m);
}

int
call_compiled_jacobian(Call *call, int n, const double *x, double *f, double *jacobian)
{
    const CompiledFunction *function = call->derivatives;

    if (gil_is_interrupted(&call->gil)) {
        return -1;
    }
    return note(call,
                function->jacobian(function->p, function->m, n, x, f, jacobian, function->m, 2));
}
