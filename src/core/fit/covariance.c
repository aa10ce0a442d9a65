#include "fit/covariance.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "minpack.h"

/* Copy the n by n upper triangle of R to `out`, with zeros below. 0 when its diagonal has a zero,
 * else 1. */
static int
copy_triangle(int n, const double *r, npy_intp ldr, double *out)
{
    size_t order = (size_t)n;

    for (size_t j = 0; j < order; j++) {
        const double *column = r + (npy_intp)j * ldr;

        if (column[j] == 0.0) {
            return 0;
        }
        memcpy(out + j * order, column, (j + 1) * sizeof(double));
        memset(out + j * order + j + 1, 0, (order - j - 1) * sizeof(double));
    }
    return 1;
}

int
covariance_of(int n, const double *r, npy_intp ldr, const int *ipvt, double *out, double *work)
{
    const double tol = 0.0;

    if (!copy_triangle(n, r, ldr, out)) {
        return 0;
    }
    covar_(&n, out, &n, ipvt, &tol, work);
    for (size_t i = 0; i < (size_t)n * (size_t)n; i++) {
        if (!isfinite(out[i])) {
            return 0;
        }
    }
    return 1;
}

/* Whether ipvt is a permutation of 1 to n; `seen` has room for n flags. */
static int
is_permutation(const int *ipvt, npy_intp n, char *seen)
{
    memset(seen, 0, (size_t)n);
    for (npy_intp j = 0; j < n; j++) {
        if (ipvt[j] < 1 || ipvt[j] > n || seen[ipvt[j] - 1]) {
            return 0;
        }
        seen[ipvt[j] - 1] = 1;
    }
    return 1;
}

/* Whether the arguments of covariance() are such as solve() returns; if not, ValueError is set. */
static int
is_factorisation(PyObject *fjac, PyObject *ipvt)
{
    if (PyArray_Check(fjac) && PyArray_NDIM((PyArrayObject *)fjac) == 2 &&
        PyArray_TYPE((PyArrayObject *)fjac) == NPY_DOUBLE &&
        PyArray_ISCARRAY_RO((PyArrayObject *)fjac) && PyArray_DIM((PyArrayObject *)fjac, 0) > 0 &&
        PyArray_DIM((PyArrayObject *)fjac, 0) <= PyArray_DIM((PyArrayObject *)fjac, 1) &&
        PyArray_DIM((PyArrayObject *)fjac, 0) <= INT_MAX && PyArray_Check(ipvt) &&
        PyArray_NDIM((PyArrayObject *)ipvt) == 1 &&
        PyArray_TYPE((PyArrayObject *)ipvt) == NPY_INT &&
        PyArray_ISCARRAY_RO((PyArrayObject *)ipvt) &&
        PyArray_DIM((PyArrayObject *)ipvt, 0) == PyArray_DIM((PyArrayObject *)fjac, 0)) {
        return 1;
    }
    PyErr_SetString(PyExc_ValueError, "covariance() takes fjac and ipvt as solve() returns "
                                      "them");
    return 0;
}

PyObject *
covariance_method(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    PyArrayObject *fjac, *covariance = NULL;
    const int *ipvt;
    double *wa = NULL;
    PyObject *result = NULL;
    npy_intp shape[2];

    if (nargs != 2) {
        PyErr_Format(PyExc_TypeError, "covariance() takes 2 arguments, not %zd", nargs);
        return NULL;
    }
    if (!is_factorisation(args[0], args[1])) {
        return NULL;
    }
    fjac = (PyArrayObject *)args[0];
    ipvt = PyArray_DATA((PyArrayObject *)args[1]);
    shape[0] = shape[1] = PyArray_DIM(fjac, 0);

    covariance = (PyArrayObject *)PyArray_SimpleNew(2, shape, NPY_DOUBLE);
    wa = PyMem_New(double, (size_t)shape[0]);
    if (covariance == NULL) {
        goto cleanup;
    }
    if (wa == NULL) {
        PyErr_NoMemory();
        goto cleanup;
    }
    if (!is_permutation(ipvt, shape[0], (char *)wa)) {
        PyErr_SetString(PyExc_ValueError, "ipvt is not a permutation");
        goto cleanup;
    }
    if (covariance_of((int)shape[0], PyArray_DATA(fjac), PyArray_DIM(fjac, 1), ipvt,
                      PyArray_DATA(covariance), wa)) {
        result = Py_NewRef(covariance);
    }
    else {
        result = Py_NewRef(Py_None);
    }

cleanup:
    PyMem_Free(wa);
    Py_XDECREF(covariance);
    return result;
}
