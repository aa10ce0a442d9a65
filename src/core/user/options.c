#include "user/options.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>

#include <numpy/arrayscalars.h>

#include "types.h"
#include "user/arrays.h"

/* The options that are numbers, in the order in which they are handed over. */
enum kind { TOLERANCE, POSITIVE, LIMIT, STEP };

static const struct {
    const char *name;
    enum kind kind;
    size_t offset; /* in Options */
} table[OPTIONS_NUMBERS] = {
    {"ftol", TOLERANCE, offsetof(Options, ftol)}, {"xtol", TOLERANCE, offsetof(Options, xtol)},
    {"gtol", TOLERANCE, offsetof(Options, gtol)}, {"factor", POSITIVE, offsetof(Options, factor)},
    {"maxfev", LIMIT, offsetof(Options, maxfev)}, {"epsfcn", STEP, offsetof(Options, epsfcn)},
};

/* What qr may be, each at the place that its number says. */
static const char *const ways[] = {
    [QR_AUTO] = "auto", [QR_MINPACK] = "minpack", [QR_BLOCKED] = "blocked"};

/* Whether float() would take it and must not: text, which it reads, and NumPy's complex numbers, of
 * which it drops a part. */
static int
is_no_real(PyObject *value)
{
    return PyUnicode_Check(value) || PyBytes_Check(value) || PyByteArray_Check(value) ||
           PyArray_IsScalar(value, ComplexFloating) ||
           (PyArray_Check(value) && !PyTypeNum_ISBOOL(PyArray_TYPE((PyArrayObject *)value)) &&
            !PyTypeNum_ISINTEGER(PyArray_TYPE((PyArrayObject *)value)) &&
            !PyTypeNum_ISFLOAT(PyArray_TYPE((PyArrayObject *)value)) &&
            !PyTypeNum_ISOBJECT(PyArray_TYPE((PyArrayObject *)value)));
}

/* Only floats and ints are read without a look at what else they may be. */
int
options_real(const char *name, PyObject *value, double *number)
{
    if (PyFloat_CheckExact(value)) {
        *number = PyFloat_AS_DOUBLE(value);
    }
    else if (PyLong_CheckExact(value)) {
        *number = PyLong_AsDouble(value);
        if (*number == -1.0 && PyErr_Occurred()) {
            return -1;
        }
    }
    else {
        int refused = is_no_real(value);

        *number = refused ? -1.0 : PyFloat_AsDouble(value);
        if (refused || (*number == -1.0 && PyErr_Occurred())) {
            if (refused || PyErr_ExceptionMatches(PyExc_TypeError)) {
                PyErr_Format(PyExc_TypeError, "%s must be a real number, not of type '%.200s'",
                             name, types_name(value));
            }
            return -1;
        }
    }
    if (*number != *number) {
        PyErr_Format(PyExc_ValueError, "%s must not be NaN", name);
        return -1;
    }
    return 0;
}

PyObject *
options_integer(const char *name, PyObject *value)
{
    PyObject *number = PyNumber_Index(value);

    if (number == NULL && PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Format(PyExc_TypeError, "%s must be an integer, not of type '%.200s'", name,
                     types_name(value));
    }
    return number;
}

/* Read the limit of evaluations. MINPACK counts in a C int, and may overshoot its limit by up to n
 * + 1. 0, or -1 with an exception. */
static int
read_limit(const char *name, PyObject *value, npy_intp n, int has_jacobian, int *limit)
{
    PyObject *number = options_integer(name, value);
    long long most = (long long)INT_MAX - (n + 1), wanted;
    int overflow;

    if (number == NULL) {
        return -1;
    }
    wanted = PyLong_AsLongLongAndOverflow(number, &overflow);
    Py_DECREF(number);
    if (overflow > 0) {
        wanted = most;
    }
    else if (overflow < 0 || wanted <= 0) {
        wanted = (has_jacobian ? 100 : 200) * ((long long)n + 1);
    }
    *limit = (int)Py_MAX(1, Py_MIN(wanted, most));
    return 0;
}

static int
read_qr(PyObject *value, int *qr)
{
    for (int i = 0; PyUnicode_Check(value) && i <= QR_BLOCKED; i++) {
        if (PyUnicode_CompareWithASCIIString(value, ways[i]) != 0) {
            continue;
        }
        *qr = i;
        return 0;
    }
    PyErr_Format(PyExc_ValueError, "qr must be 'auto', 'minpack' or 'blocked', not %R", value);
    return -1;
}

int
options_read(Options *options, PyObject *const *values, PyObject *qr, npy_intp n, int has_jacobian)
{
    for (size_t i = 0; i < Py_ARRAY_LENGTH(table); i++) {
        void *target = (char *)options + table[i].offset;
        int status;

        if (table[i].kind == LIMIT) {
            status = read_limit(table[i].name, values[i], n, has_jacobian, target);
        }
        else if (table[i].kind == STEP && values[i] == Py_None) {
            *(double *)target = -1.0;
            status = 0;
        }
        else {
            status = options_real(table[i].name, values[i], target);
            if (table[i].kind == STEP && status == 0) {
                /* What is below the machine epsilon stands for that. */
                *(double *)target = fmax(*(double *)target, 0.0);
            }
        }
        if (status < 0) {
            return -1;
        }
    }
    return read_qr(qr, &options->qr);
}

/* The error of a diag of the wrong shape. */
static void
set_shape_error(PyArrayObject *diag, npy_intp count, npy_intp n)
{
    PyObject *shape = PyArray_IntTupleFromIntp(PyArray_NDIM(diag), PyArray_DIMS(diag));

    if (shape == NULL) {
        return;
    }
    if (count == 0) {
        PyErr_Format(PyExc_ValueError,
                     "diag must have shape (%zd,), a factor for each element "
                     "of x0, not %S",
                     (Py_ssize_t)n, shape);
    }
    else {
        PyErr_Format(PyExc_ValueError,
                     "diag must have shape (%zd,), a factor for each "
                     "variable, or (%zd, %zd), a row for each fit, not %S",
                     (Py_ssize_t)n, (Py_ssize_t)count, (Py_ssize_t)n, shape);
    }
    Py_DECREF(shape);
}

/* Whether an array has the shape that diag needs. A single number is a vector of one. */
static int
has_shape(PyArrayObject *diag, npy_intp count, npy_intp n)
{
    switch (PyArray_NDIM(diag)) {
    case 0:
        return count == 0 && n == 1;
    case 1:
        return PyArray_DIM(diag, 0) == n;
    case 2:
        return count > 0 && PyArray_DIM(diag, 0) == count && PyArray_DIM(diag, 1) == n;
    default:
        return 0;
    }
}

int
options_read_diag(Options *options, PyObject *value, npy_intp count, npy_intp n,
                  PyArrayObject **diag)
{
    const Source source = {"diag", 0, ARRAYS_REAL, ARRAYS_INNER_GIVEN};
    const double *factors;

    *diag = NULL;
    options->mode = value == Py_None ? 1 : 2;
    if (value == Py_None) {
        return 0;
    }
    /* Before a copy of whatever size is made. */
    if (PyArray_CheckExact(value) && !has_shape((PyArrayObject *)value, count, n)) {
        set_shape_error((PyArrayObject *)value, count, n);
        return -1;
    }
    *diag = arrays_own(value, &source);
    if (*diag == NULL) {
        return -1;
    }
    if (!has_shape(*diag, count, n)) {
        set_shape_error(*diag, count, n);
        goto error;
    }
    factors = PyArray_DATA(*diag);
    for (npy_intp i = 0; i < PyArray_SIZE(*diag); i++) {
        if (factors[i] != factors[i]) {
            PyErr_SetString(PyExc_ValueError, "diag must not contain NaN");
            goto error;
        }
    }
    return 0;

error:
    Py_CLEAR(*diag);
    return -1;
}

double
options_epsilon(int type_num)
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

void
options_default_epsfcn(Options *options, int type_num)
{
    if (options->epsfcn < 0.0) {
        options->epsfcn = options_epsilon(type_num);
    }
}

/* Append "name must be <which>, and name<place> is <value>." to *text, which may be NULL after a
 * failure. `place` may be NULL. */
static void
append_fault(PyObject **text, const char *name, const char *must, const char *place, double value)
{
    char *shown = NULL;

    if (*text == NULL) {
        return;
    }
    shown = PyOS_double_to_string(value, 'g', 6, 0, NULL);
    if (shown == NULL) {
        Py_CLEAR(*text);
        return;
    }
    Py_SETREF(*text,
              PyUnicode_FromFormat("%U%s%s must %s, and %s%sis %s.", *text,
                                   PyUnicode_GET_LENGTH(*text) > 0 ? " " : "", name, must,
                                   place == NULL ? "" : name, place == NULL ? "" : place, shown));
    PyMem_Free(shown);
}

/* Append what is wrong with diag, if anything is. */
static void
append_diag(PyObject **text, PyArrayObject *diag)
{
    const double *factors = PyArray_DATA(diag);
    npy_intp n = PyArray_NDIM(diag) == 2 ? PyArray_DIM(diag, 1) : 0;
    char place[64];

    for (npy_intp i = 0; i < PyArray_SIZE(diag); i++) {
        if (factors[i] > 0.0) {
            continue;
        }
        if (n == 0) {
            PyOS_snprintf(place, sizeof(place), "[%lld] ", (long long)i);
        }
        else {
            PyOS_snprintf(place, sizeof(place), "[%lld, %lld] ", (long long)(i / n),
                          (long long)(i % n));
        }
        append_fault(text, "diag", "be positive", place, factors[i]);
        return;
    }
}

PyObject *
options_improper(const Options *options, npy_intp n, PyArrayObject *diag)
{
    PyObject *text = PyUnicode_FromString(n == 0 ? "x0 is empty." : "");

    for (size_t i = 0; i < Py_ARRAY_LENGTH(table); i++) {
        const void *place = (const char *)options + table[i].offset;
        double value;

        if (table[i].kind != TOLERANCE && table[i].kind != POSITIVE) {
            continue;
        }
        value = *(const double *)place;
        if (table[i].kind == TOLERANCE && value < 0.0) {
            append_fault(&text, table[i].name, "not be negative", NULL, value);
        }
        if (table[i].kind == POSITIVE && value <= 0.0) {
            append_fault(&text, table[i].name, "be positive", NULL, value);
        }
    }
    if (diag != NULL) {
        append_diag(&text, diag);
    }
    return text;
}
