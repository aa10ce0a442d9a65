#include "drivers/table.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "user/copy.h"
#include "fit/covariance.h"
#include "minpack.h"
#include "user/residuals.h"

/* Whether the object is a C-contiguous array of that type and number of dimensions whose first has
 * `rows` elements. */
static int
is_table(PyObject *object, int type_num, int ndim, npy_intp rows)
{
    PyArrayObject *array = (PyArrayObject *)object;

    return PyArray_CheckExact(object) && PyArray_TYPE(array) == type_num &&
           PyArray_NDIM(array) == ndim && PyArray_ISCARRAY_RO(array) &&
           PyArray_DIM(array, 0) == rows;
}

/* Take a table with a row for each fit, or one for all; None is none. 0, or -1 with an exception.
 */
static int
take_rows(PyArrayObject **target, PyObject *object, npy_intp count)
{
    if (object == Py_None) {
        return 0;
    }
    if (!is_table(object, NPY_DOUBLE, 2, count) && !is_table(object, NPY_DOUBLE, 2, 1)) {
        PyErr_SetString(PyExc_ValueError, "what is given must be float64 tables of one row, or "
                                          "of one for each fit");
        return -1;
    }
    *target = (PyArrayObject *)Py_NewRef(object);
    return 0;
}

static int
take_given(Table *table, PyObject *given)
{
    PyArrayObject *x0;

    if (!PyTuple_Check(given) || PyTuple_GET_SIZE(given) != 4) {
        PyErr_SetString(PyExc_TypeError, "the first argument must be a tuple of 4");
        return -1;
    }
    x0 = (PyArrayObject *)PyTuple_GET_ITEM(given, 0);
    if (!PyArray_Check(x0) || PyArray_NDIM(x0) != 2 ||
        !is_table((PyObject *)x0, NPY_DOUBLE, 2, PyArray_DIM(x0, 0)) || PyArray_DIM(x0, 0) < 1 ||
        PyArray_DIM(x0, 1) < 1 || PyArray_DIM(x0, 1) > INT_MAX) {
        PyErr_SetString(PyExc_ValueError, "x0 must be a float64 table, a row for each fit");
        return -1;
    }
    table->x0 = (PyArrayObject *)Py_NewRef(x0);
    table->count = PyArray_DIM(x0, 0);
    table->n = (int)PyArray_DIM(x0, 1);
    if (take_rows(&table->weights, PyTuple_GET_ITEM(given, 2), table->count) < 0 ||
        take_rows(&table->ydata, PyTuple_GET_ITEM(given, 3), table->count) < 0) {
        return -1;
    }
    return 0;
}

static int
take_results(Table *table, PyObject *results)
{
    PyArrayObject **const targets[] = {
        &table->x,     &table->ier,     &table->nfev,  &table->njev,
        &table->fnorm, &table->squares, &table->cov_x,
    };
    const int types[] = {NPY_DOUBLE, NPY_INT, NPY_INT, NPY_INT, NPY_DOUBLE, NPY_DOUBLE, NPY_DOUBLE};
    const int dimensions[] = {2, 1, 1, 1, 1, 1, 3};
    const int optional = 5; /* from here on */

    if (!PyTuple_Check(results) || PyTuple_GET_SIZE(results) != 7) {
        PyErr_SetString(PyExc_TypeError, "the results must be a tuple of 7");
        return -1;
    }
    for (int i = 0; i < 7; i++) {
        PyObject *array = PyTuple_GET_ITEM(results, i);
        int fit = is_table(array, types[i], dimensions[i], table->count) &&
                  PyArray_ISCARRAY((PyArrayObject *)array);

        if (i >= optional && array == Py_None) {
            continue;
        }
        for (int axis = 1; fit && axis < dimensions[i]; axis++) {
            fit = PyArray_DIM((PyArrayObject *)array, axis) == table->n;
        }
        if (!fit) {
            PyErr_SetString(PyExc_ValueError, "the results must be arrays with a row for each "
                                              "fit");
            return -1;
        }
        *targets[i] = (PyArrayObject *)Py_NewRef(array);
    }
    return 0;
}

/* Read the options and diag; improper ones are an error before any fit. */
static int
take_options(Table *table, PyObject *values, PyObject *diag, int has_jacobian)
{
    PyObject *const *items;
    PyObject *improper;
    int status;

    if (!PyTuple_Check(values) || PyTuple_GET_SIZE(values) != OPTIONS_NUMBERS + 1) {
        PyErr_SetString(PyExc_TypeError, "the options must be a tuple of 7");
        return -1;
    }
    items = &PyTuple_GET_ITEM(values, 0);
    if (options_read(&table->options, items, items[OPTIONS_NUMBERS], table->n, has_jacobian) < 0 ||
        options_read_diag(&table->options, diag, table->count, table->n, &table->diag) < 0) {
        return -1;
    }
    improper = options_improper(&table->options, table->n, table->diag);
    if (improper == NULL) {
        return -1;
    }
    status = PyUnicode_GET_LENGTH(improper) == 0 ? 0 : -1;
    if (status < 0) {
        PyErr_Format(PyExc_TypeError, "Improper input parameters. %U", improper);
    }
    Py_DECREF(improper);
    return status;
}

int
table_init(Table *table, PyObject *given, PyObject *results, PyObject *options, int has_jacobian)
{
    if (take_given(table, given) < 0 || take_results(table, results) < 0) {
        return -1;
    }
    return take_options(table, options, PyTuple_GET_ITEM(given, 1), has_jacobian);
}

PyObject *
table_options(const Table *table)
{
    return Py_BuildValue("{sdsdsdsi}", "ftol", table->options.ftol, "xtol", table->options.xtol,
                         "gtol", table->options.gtol, "maxfev", table->options.maxfev);
}

void
table_clear(Table *table)
{
    Py_CLEAR(table->x0);
    Py_CLEAR(table->diag);
    Py_CLEAR(table->weights);
    Py_CLEAR(table->ydata);
    Py_CLEAR(table->x);
    Py_CLEAR(table->ier);
    Py_CLEAR(table->nfev);
    Py_CLEAR(table->njev);
    Py_CLEAR(table->fnorm);
    Py_CLEAR(table->squares);
    Py_CLEAR(table->cov_x);
}

int
table_check_size(const Table *table, npy_intp m)
{
    if (m < table->n) {
        PyErr_Format(PyExc_TypeError,
                     "Improper input: the number of variables N=%d must not "
                     "exceed the number of residuals M=%zd",
                     table->n, (Py_ssize_t)m);
        return -1;
    }
    if (m > INT_MAX) {
        PyErr_Format(PyExc_ValueError,
                     "func returned %zd residuals for each fit; MINPACK counts "
                     "them in a C int and takes at most %d",
                     (Py_ssize_t)m, INT_MAX);
        return -1;
    }
    if ((table->weights != NULL && PyArray_DIM(table->weights, 1) != m) ||
        (table->ydata != NULL && PyArray_DIM(table->ydata, 1) != m)) {
        PyErr_Format(PyExc_ValueError,
                     "weights must have a column for each residual, of which "
                     "there are %zd",
                     (Py_ssize_t)m);
        return -1;
    }
    return 0;
}

double *
table_row(PyArrayObject *array, npy_intp fit)
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
table_take_residuals(const Table *table, npy_intp fit, int m, const double *values, double *f)
{
    if (table->ydata != NULL) {
        const double *y = table_row(table->ydata, fit);

        for (npy_intp i = 0; i < m; i++) {
            f[i] = values[i] - y[i];
        }
    }
    else if (f != values) {
        memcpy(f, values, (size_t)m * sizeof(double));
    }
    if (table->weights != NULL) {
        weigh(m, table_row(table->weights, fit), f);
    }
}

void
table_weigh_jacobian(const Table *table, npy_intp fit, int m, double *fjac)
{
    if (table->weights == NULL) {
        return;
    }
    for (npy_intp j = 0; j < table->n; j++) {
        weigh(m, table_row(table->weights, fit), fjac + j * m);
    }
}

void
table_store(Table *table, const Fit *fit)
{
    const LmFit *lm = &fit->lm;
    const LmFit as_minpack = {.isa = -1};
    const npy_intp n = lm->n, index = fit->index;

    memcpy((double *)PyArray_DATA(table->x) + index * n, lm->x, (size_t)n * sizeof(double));
    ((int *)PyArray_DATA(table->ier))[index] = lm->info;
    ((int *)PyArray_DATA(table->nfev))[index] = fit->evaluations;
    ((int *)PyArray_DATA(table->njev))[index] = fit->jacobians;
    ((double *)PyArray_DATA(table->fnorm))[index] = lm_norm(&as_minpack, fit->m, fit->f);
    if (table->squares != NULL) {
        ((double *)PyArray_DATA(table->squares))[index] = residuals_sum(fit->f, fit->m);
    }
    if (table->cov_x != NULL) {
        double *cov_x = (double *)PyArray_DATA(table->cov_x) + index * n * n;

        if (lm->info < 1 || lm->info > 4 ||
            !covariance_of(lm->n, lm->r, lm->ldr, lm->ipvt, cov_x, lm->work)) {
            for (npy_intp i = 0; i < n * n; i++) {
                cov_x[i] = NAN;
            }
        }
    }
}
