#include "drivers/table.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "user/arrays.h"
#include "fit/covariance.h"
#include "minpack.h"
#include "user/residuals.h"

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
    if (take_rows(&fits->diag, PyTuple_GET_ITEM(given, 1), fits->count) < 0 ||
        take_rows(&fits->weights, PyTuple_GET_ITEM(given, 2), fits->count) <
            0 ||
        take_rows(&fits->ydata, PyTuple_GET_ITEM(given, 3), fits->count) < 0) {
        return -1;
    }
    if (fits->diag != NULL && PyArray_DIM(fits->diag, 1) != fits->n) {
        PyErr_SetString(PyExc_ValueError, "diag must be as wide as x0");
        return -1;
    }
    fits->options.mode = fits->diag == NULL ? 1 : 2;
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

static int
take_options(Options *options, PyObject *values)
{
    PyObject *const *items;

    if (!PyTuple_Check(values) || PyTuple_GET_SIZE(values) != 7) {
        PyErr_SetString(PyExc_TypeError, "the options must be a tuple of 7");
        return -1;
    }
    items = &PyTuple_GET_ITEM(values, 0);
    if (options_read(options, items) < 0 ||
        options_read_qr(options, items[6]) < 0) {
        return -1;
    }
    options->epsfcn = -1.0;
    if (items[5] == Py_None) {
        return 0;
    }
    if (options_read_epsfcn(options, items[5], NPY_DOUBLE) < 0) {
        return -1;
    }
    /* Whatever is below the machine epsilon stands for that. */
    options->epsfcn = fmax(options->epsfcn, 0.0);
    return 0;
}

int
fits_init(Fits *fits, PyObject *given, PyObject *results, PyObject *options)
{
    if (take_given(fits, given) < 0 || take_results(fits, results) < 0) {
        return -1;
    }
    return take_options(&fits->options, options);
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
    npy_intp row = PyArray_DIM(array, 0) == 1 ? 0 : fit;

    return (double *)PyArray_DATA(array) + row * PyArray_DIM(array, 1);
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
fits_store(Fits *fits, const Fit *fit)
{
    const LmFit *lm = &fit->lm;
    const npy_intp n = lm->n, index = fit->index;

    memcpy((double *)PyArray_DATA(fits->x) + index * n, lm->x,
           (size_t)n * sizeof(double));
    ((int *)PyArray_DATA(fits->ier))[index] = lm->info;
    ((int *)PyArray_DATA(fits->nfev))[index] = fit->nfev;
    ((int *)PyArray_DATA(fits->njev))[index] = fit->njev;
    ((double *)PyArray_DATA(fits->fnorm))[index] = lm_norm(lm, fit->m, fit->f);
    if (fits->squares != NULL) {
        ((double *)PyArray_DATA(fits->squares))[index] =
            model_sum(fit->f, fit->m);
    }
    if (fits->cov_x != NULL) {
        double *cov_x = (double *)PyArray_DATA(fits->cov_x) + index * n * n;

        if (lm->info < 1 || lm->info > 4 ||
            !covariance_of(lm->n, lm->r, lm->ldr, lm->ipvt, cov_x, lm->work)) {
            for (npy_intp i = 0; i < n * n; i++) {
                cov_x[i] = NAN;
            }
        }
    }
}
