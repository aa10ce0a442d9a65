#include "drivers/table.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "user/copy.h"
#include "fit/covariance.h"
#include "minpack.h"
#include "user/residuals.h"

#ifdef PYMINPACK_BLOCKED

/* Whether the object is a C-contiguous array of that type and number of
 * dimensions whose first has `rows` elements. */
static int
is_table(PyObject *object, int type_num, int ndim, npy_intp rows)
{
    PyArrayObject *array = (PyArrayObject *)object;

    return PyArray_CheckExact(object) && PyArray_TYPE(array) == type_num &&
           PyArray_NDIM(array) == ndim && PyArray_ISCARRAY_RO(array) &&
           PyArray_DIM(array, 0) == rows;
}

/* Take a table with a row for each fit, or one for all; None is none. 0, or -1
 * with an exception. */
static int
take_rows(PyArrayObject **target, PyObject *object, npy_intp count)
{
    if (object == Py_None) {
        return 0;
    }
    if (!is_table(object, NPY_DOUBLE, 2, count) &&
        !is_table(object, NPY_DOUBLE, 2, 1)) {
        PyErr_SetString(PyExc_ValueError,
                        "what is given must be float64 tables of one row, or "
                        "of one for each fit");
        return -1;
    }
    *target = (PyArrayObject *)Py_NewRef(object);
    return 0;
}

static int
take_given(Fits *fits, PyObject *given)
{
    PyArrayObject *x0;

    if (!PyTuple_Check(given) || PyTuple_GET_SIZE(given) != 4) {
        PyErr_SetString(PyExc_TypeError,
                        "the first argument must be a tuple of 4");
        return -1;
    }
    x0 = (PyArrayObject *)PyTuple_GET_ITEM(given, 0);
    if (!PyArray_Check(x0) || PyArray_NDIM(x0) != 2 ||
        !is_table((PyObject *)x0, NPY_DOUBLE, 2, PyArray_DIM(x0, 0)) ||
        PyArray_DIM(x0, 0) < 1 || PyArray_DIM(x0, 1) < 1 ||
        PyArray_DIM(x0, 1) > INT_MAX) {
        PyErr_SetString(PyExc_ValueError,
                        "x0 must be a float64 table, a row for each fit");
        return -1;
    }
    fits->x0 = (PyArrayObject *)Py_NewRef(x0);
    fits->count = PyArray_DIM(x0, 0);
    fits->n = (int)PyArray_DIM(x0, 1);
    if (take_rows(&fits->weights, PyTuple_GET_ITEM(given, 2), fits->count) <
            0 ||
        take_rows(&fits->ydata, PyTuple_GET_ITEM(given, 3), fits->count) < 0) {
        return -1;
    }
    return 0;
}

static int
take_results(Fits *fits, PyObject *results)
{
    PyArrayObject **const targets[] = {
        &fits->x,     &fits->ier,     &fits->nfev,  &fits->njev,
        &fits->fnorm, &fits->squares, &fits->cov_x,
    };
    const int types[] = {NPY_DOUBLE, NPY_INT,    NPY_INT,   NPY_INT,
                         NPY_DOUBLE, NPY_DOUBLE, NPY_DOUBLE};
    const int dimensions[] = {2, 1, 1, 1, 1, 1, 3};
    const int optional = 5; /* from here on */

    if (!PyTuple_Check(results) || PyTuple_GET_SIZE(results) != 7) {
        PyErr_SetString(PyExc_TypeError, "the results must be a tuple of 7");
        return -1;
    }
    for (int i = 0; i < 7; i++) {
        PyObject *array = PyTuple_GET_ITEM(results, i);
        int fit = is_table(array, types[i], dimensions[i], fits->count) &&
                  PyArray_ISCARRAY((PyArrayObject *)array);

        if (i >= optional && array == Py_None) {
            continue;
        }
        for (int axis = 1; fit && axis < dimensions[i]; axis++) {
            fit = PyArray_DIM((PyArrayObject *)array, axis) == fits->n;
        }
        if (!fit) {
            PyErr_SetString(PyExc_ValueError,
                            "the results must be arrays with a row for each "
                            "fit");
            return -1;
        }
        *targets[i] = (PyArrayObject *)Py_NewRef(array);
    }
    return 0;
}

/* Read the options and diag; improper ones are an error before any fit. */
static int
take_options(Fits *fits, PyObject *values, PyObject *diag, int has_jacobian)
{
    PyObject *const *items;
    PyObject *improper;
    int status;

    if (!PyTuple_Check(values) || PyTuple_GET_SIZE(values) != 7) {
        PyErr_SetString(PyExc_TypeError, "the options must be a tuple of 7");
        return -1;
    }
    items = &PyTuple_GET_ITEM(values, 0);
    if (options_read(&fits->options, items, items[6], fits->n, has_jacobian) <
            0 ||
        options_read_diag(&fits->options, diag, fits->count, fits->n,
                          &fits->diag) < 0) {
        return -1;
    }
    improper = options_improper(&fits->options, fits->n, fits->diag);
    if (improper == NULL) {
        return -1;
    }
    status = PyUnicode_GET_LENGTH(improper) == 0 ? 0 : -1;
    if (status < 0) {
        PyErr_Format(PyExc_TypeError, "Improper input parameters. %U",
                     improper);
    }
    Py_DECREF(improper);
    return status;
}

int
fits_init(Fits *fits, PyObject *given, PyObject *results, PyObject *options,
          int has_jacobian)
{
    if (take_given(fits, given) < 0 || take_results(fits, results) < 0) {
        return -1;
    }
    return take_options(fits, options, PyTuple_GET_ITEM(given, 1),
                        has_jacobian);
}

PyObject *
fits_options(const Fits *fits)
{
    return Py_BuildValue("{sdsdsdsi}", "ftol", fits->options.ftol, "xtol",
                         fits->options.xtol, "gtol", fits->options.gtol,
                         "maxfev", fits->options.maxfev);
}

void
fits_clear(Fits *fits)
{
    Py_CLEAR(fits->x0);
    Py_CLEAR(fits->diag);
    Py_CLEAR(fits->weights);
    Py_CLEAR(fits->ydata);
    Py_CLEAR(fits->x);
    Py_CLEAR(fits->ier);
    Py_CLEAR(fits->nfev);
    Py_CLEAR(fits->njev);
    Py_CLEAR(fits->fnorm);
    Py_CLEAR(fits->squares);
    Py_CLEAR(fits->cov_x);
}

int
fits_check_size(const Fits *fits, npy_intp m)
{
    if (m < fits->n) {
        PyErr_Format(PyExc_TypeError,
                     "Improper input: the number of variables N=%d must not "
                     "exceed the number of residuals M=%zd",
                     fits->n, (Py_ssize_t)m);
        return -1;
    }
    if (m > INT_MAX) {
        PyErr_Format(
            PyExc_ValueError,
            "func returned %zd residuals for each fit; MINPACK counts "
            "them in a C int and takes at most %d",
            (Py_ssize_t)m, INT_MAX);
        return -1;
    }
    if ((fits->weights != NULL && PyArray_DIM(fits->weights, 1) != m) ||
        (fits->ydata != NULL && PyArray_DIM(fits->ydata, 1) != m)) {
        PyErr_Format(PyExc_ValueError,
                     "weights must have a column for each residual, of which "
                     "there are %zd",
                     (Py_ssize_t)m);
        return -1;
    }
    return 0;
}

double *
fits_row(PyArrayObject *array, npy_intp fit)
{
    double *first = PyArray_DATA(array);

    if (PyArray_NDIM(array) == 1 || PyArray_DIM(array, 0) == 1) {
        return first;
    }
    return first + fit * PyArray_DIM(array, 1);
}

/* values *= weights, where zero says that a value is missing. */
static void
weigh(int m, const double *weights, double *values)
{
    for (npy_intp i = 0; i < m; i++) {
        values[i] = weights[i] == 0.0 ? 0.0 : values[i] * weights[i];
    }
}

void
fits_take_residuals(const Fits *fits, npy_intp fit, int m,
                    const double *values, double *f)
{
    if (fits->ydata != NULL) {
        const double *y = fits_row(fits->ydata, fit);

        for (npy_intp i = 0; i < m; i++) {
            f[i] = values[i] - y[i];
        }
    }
    else if (f != values) {
        memcpy(f, values, (size_t)m * sizeof(double));
    }
    if (fits->weights != NULL) {
        weigh(m, fits_row(fits->weights, fit), f);
    }
}

int
fits_weigh_residuals(const Fits *fits, npy_intp fit, int m, double *f)
{
    fits_take_residuals(fits, fit, m, f, f);
    return copy_all_finite(f, m);
}

void
fits_weigh_jacobian(const Fits *fits, npy_intp fit, int m, double *fjac)
{
    if (fits->weights == NULL) {
        return;
    }
    for (npy_intp j = 0; j < fits->n; j++) {
        weigh(m, fits_row(fits->weights, fit), fjac + j * m);
    }
}

void
fits_store(Fits *fits, npy_intp fit, int m, const Outcome *outcome,
           double *work)
{
    npy_intp n = fits->n;

    memcpy((double *)PyArray_DATA(fits->x) + fit * n, outcome->x,
           (size_t)n * sizeof(double));
    ((int *)PyArray_DATA(fits->ier))[fit] = outcome->info;
    ((int *)PyArray_DATA(fits->nfev))[fit] = outcome->nfev;
    ((int *)PyArray_DATA(fits->njev))[fit] = outcome->njev;
    ((double *)PyArray_DATA(fits->fnorm))[fit] = enorm_(&m, outcome->fvec);
    if (fits->squares != NULL) {
        ((double *)PyArray_DATA(fits->squares))[fit] =
            residuals_sum(outcome->fvec, m);
    }
    if (fits->cov_x != NULL) {
        double *cov_x = (double *)PyArray_DATA(fits->cov_x) + fit * n * n;

        if (outcome->info < 1 || outcome->info > 4 ||
            !covariance_of(fits->n, outcome->r, outcome->ldr, outcome->ipvt,
                           cov_x, work)) {
            for (npy_intp i = 0; i < n * n; i++) {
                cov_x[i] = NAN;
            }
        }
    }
}

#endif
