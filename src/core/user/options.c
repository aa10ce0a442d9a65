#include "user/options.h"

#include <float.h>
#include <limits.h>

/* The machine epsilon of the type that func's first result had. */
static double
epsilon_of(int type_num)
{
    switch (type_num) {
    case NPY_HALF:
        return 0x1p-10;
    case NPY_FLOAT:
        return FLT_EPSILON;
    default:
        return DBL_EPSILON;
    }
}

int
options_read(Options *options, PyObject *const *args)
{
    double *const targets[] = {&options->ftol, &options->xtol, &options->gtol,
                               &options->factor};
    long maxfev;

    for (int i = 0; i < 4; i++) {
        *targets[i] = PyFloat_AsDouble(args[i]);
        if (*targets[i] == -1.0 && PyErr_Occurred()) {
            return -1;
        }
    }
    maxfev = PyLong_AsLong(args[4]);
    if (maxfev == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (maxfev < 0 || maxfev > INT_MAX) {
        PyErr_SetString(PyExc_OverflowError, "maxfev must fit a C int");
        return -1;
    }
    options->maxfev = (int)maxfev;
    return 0;
}

int
options_read_qr(Options *options, PyObject *qr)
{
    long value = PyLong_AsLong(qr);

    if (value == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (value != QR_AUTO && value != QR_MINPACK && value != QR_BLOCKED) {
        PyErr_SetString(PyExc_ValueError, "qr is none of the QR_ constants");
        return -1;
    }
    options->qr = (int)value;
    return 0;
}

int
options_read_epsfcn(Options *options, PyObject *epsfcn, int type_num)
{
    if (epsfcn == Py_None) {
        options->epsfcn = epsilon_of(type_num);
        return 0;
    }
    options->epsfcn = PyFloat_AsDouble(epsfcn);
    return options->epsfcn == -1.0 && PyErr_Occurred() ? -1 : 0;
}
