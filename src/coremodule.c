/* pyminpack._core: one function that solves, one that makes the covariance,
 * and what curve_fit computes for its model. Arguments come settled from
 * Python; they are checked here only so far that no caller can crash the
 * interpreter. */
#define PYMINPACK_IMPORT_ARRAY
#include "numpy_api.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "compiled.h"
#include "convert.h"
#include "minpack.h"
#include "model.h"
#include "problem.h"
#include "solve.h"
#include "triangle.h"

static int
is_double_vector(PyObject *object)
{
    return PyArray_Check(object) &&
           PyArray_NDIM((PyArrayObject *)object) == 1 &&
           PyArray_TYPE((PyArrayObject *)object) == NPY_DOUBLE &&
           PyArray_ISBEHAVED_RO((PyArrayObject *)object);
}

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

/* Read the options of solve(); args points at ftol. 0, or -1 with an
 * exception. */
static int
read_options(Solve *solve, PyObject *const *args)
{
    double *const targets[] = {&solve->ftol, &solve->xtol, &solve->gtol,
                               &solve->factor};
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
    solve->maxfev = (int)maxfev;
    return 0;
}

/* Read how the Jacobian is to be factored. 0, or -1 with an exception. */
static int
read_qr(Solve *solve, PyObject *qr)
{
    long value = PyLong_AsLong(qr);

    if (value == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (value != QR_AUTO && value != QR_MINPACK && value != QR_BLOCKED) {
        PyErr_SetString(PyExc_ValueError, "qr is none of the QR_ constants");
        return -1;
    }
#ifndef PYMINPACK_BLOCKED
    if (value == QR_BLOCKED) {
        PyErr_SetString(PyExc_NotImplementedError,
                        "the blocked factorisation is a part of minpack/, and "
                        "this build is on another MINPACK");
        return -1;
    }
#endif
    solve->qr = (int)value;
    return 0;
}

/* Copy the user's diag, or tell MINPACK to scale. 0, or -1 with an exception.
 */
static int
read_diag(Solve *solve, PyObject *diag, int n)
{
    if (diag == Py_None) {
        solve->mode = 1;
        return 0;
    }
    if (!is_double_vector(diag) ||
        PyArray_DIM((PyArrayObject *)diag, 0) != n) {
        PyErr_SetString(PyExc_ValueError,
                        "diag must be a float64 vector as long as x");
        return -1;
    }
    solve->mode = 2;
    convert_copy_vector((PyArrayObject *)diag, solve->diag);
    return 0;
}

/* The step of the differences, which by default is a matter of func's
 * precision. 0, or -1 with an exception. */
static int
read_epsfcn(Solve *solve, PyObject *epsfcn, int type_num)
{
    if (epsfcn == Py_None) {
        solve->epsfcn = epsilon_of(type_num);
        return 0;
    }
    solve->epsfcn = PyFloat_AsDouble(epsfcn);
    return solve->epsfcn == -1.0 && PyErr_Occurred() ? -1 : 0;
}

/* A copy of the start that the solver may work on; NULL with an exception. */
static PyArrayObject *
copy_start(PyObject *start)
{
    PyArrayObject *x;
    npy_intp shape[1];

    if (!is_double_vector(start) ||
        PyArray_DIM((PyArrayObject *)start, 0) > INT_MAX) {
        PyErr_SetString(PyExc_ValueError,
                        "x0 must be a float64 vector of at most 2**31 - 1 "
                        "elements");
        return NULL;
    }
    shape[0] = PyArray_DIM((PyArrayObject *)start, 0);
    x = (PyArrayObject *)PyArray_SimpleNew(1, shape, NPY_DOUBLE);
    if (x != NULL) {
        convert_copy_vector((PyArrayObject *)start, PyArray_DATA(x));
    }
    return x;
}

/* Evaluate func at the start, allocate what its size asks for, and let MINPACK
 * loose. `args` are those of core_solve. info, or negative with an exception.
 */
static int
solve_from_start(Solve *solve, Problem *problem, PyObject *const *args)
{
    PyArrayObject *first =
        problem_first_residuals(problem, PyArray_DATA(solve->x));
    int status;

    if (first == NULL) {
        return -1;
    }
    status = solve_allocate(solve, problem, first);
    Py_DECREF(first);
    Py_CLEAR(problem->result);
    if (status < 0 || read_epsfcn(solve, args[10], problem->dtype) < 0 ||
        read_diag(solve, args[11], problem->n) < 0) {
        return -1;
    }
    return solve_run(solve, problem);
}

PyDoc_STRVAR(
    solve_doc,
    "solve(func, dfun, x0, args, col_deriv, ftol, xtol, gtol, factor, maxfev,\n"
    "      epsfcn, diag, full, qr, /)\n"
    "--\n\n"
    "Run lmdif, or lmder when dfun is not None; qr chooses the factorisation:\n"
    "QR_AUTO, QR_MINPACK or QR_BLOCKED. Returns (x, fvec, fjac, ipvt, qtf,\n"
    "nfev, njev, info), the arrays but x None unless full is true; info is\n"
    "MINPACK's, or 9 when a NaN or infinity in the residuals at x0 or in a\n"
    "Jacobian ended the fit.");

/* An array of the result, or None. */
static PyObject *
or_none(PyArrayObject *array)
{
    return array == NULL ? Py_None : (PyObject *)array;
}

static PyObject *
core_solve(PyObject *Py_UNUSED(module), PyObject *const *args,
           Py_ssize_t nargs)
{
    Solve solve = {0};
    Problem problem = {0};
    PyObject *result = NULL;
    int col_deriv, info;

    if (nargs != 14) {
        PyErr_Format(PyExc_TypeError, "solve() takes 14 arguments, not %zd",
                     nargs);
        return NULL;
    }
    if (!PyTuple_Check(args[3])) {
        PyErr_SetString(PyExc_TypeError, "args must be a tuple");
        return NULL;
    }
    col_deriv = PyObject_IsTrue(args[4]);
    if (col_deriv < 0) {
        return NULL;
    }
    solve.full = PyObject_IsTrue(args[12]);
    if (solve.full < 0 || read_qr(&solve, args[13]) < 0) {
        return NULL;
    }
    solve.x = copy_start(args[2]);
    if (solve.x == NULL || read_options(&solve, args + 5) < 0 ||
        problem_init(&problem, args[0], args[1] == Py_None ? NULL : args[1],
                     args[3], (int)PyArray_DIM(solve.x, 0), col_deriv) < 0) {
        goto cleanup;
    }
    info = solve_from_start(&solve, &problem, args);
    if (info < 0) {
        goto cleanup;
    }
    /* With info 0 MINPACK has evaluated nothing; func ran to tell m. */
    result = Py_BuildValue("(OOOOOiii)", solve.x, or_none(solve.fvec),
                           or_none(solve.fjac), or_none(solve.ipvt),
                           or_none(solve.qtf), info == 0 ? 0 : problem.nfev,
                           problem.njev, info);

cleanup:
    problem_clear(&problem);
    solve_clear(&solve);
    return result;
}

/* Copy the n by n upper triangle of fjac into r. 0 when its diagonal has a
 * zero, else 1. */
static int
copy_triangle(PyArrayObject *fjac, double *r)
{
    npy_intp n = PyArray_DIM(fjac, 0);

    for (npy_intp j = 0; j < n; j++) {
        const double *column = PyArray_GETPTR1(fjac, j);

        if (column[j] == 0.0) {
            return 0;
        }
        memcpy(r + j * n, column, (size_t)(j + 1) * sizeof(double));
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

/* Whether the arguments of covariance() are such as solve() returns; if not,
 * ValueError is set. */
static int
is_factorisation(PyObject *fjac, PyObject *ipvt)
{
    if (PyArray_Check(fjac) && PyArray_NDIM((PyArrayObject *)fjac) == 2 &&
        PyArray_TYPE((PyArrayObject *)fjac) == NPY_DOUBLE &&
        PyArray_ISCARRAY_RO((PyArrayObject *)fjac) &&
        PyArray_DIM((PyArrayObject *)fjac, 0) > 0 &&
        PyArray_DIM((PyArrayObject *)fjac, 0) <=
            PyArray_DIM((PyArrayObject *)fjac, 1) &&
        PyArray_DIM((PyArrayObject *)fjac, 0) <= INT_MAX &&
        PyArray_Check(ipvt) && PyArray_NDIM((PyArrayObject *)ipvt) == 1 &&
        PyArray_TYPE((PyArrayObject *)ipvt) == NPY_INT &&
        PyArray_ISCARRAY_RO((PyArrayObject *)ipvt) &&
        PyArray_DIM((PyArrayObject *)ipvt, 0) ==
            PyArray_DIM((PyArrayObject *)fjac, 0)) {
        return 1;
    }
    PyErr_SetString(PyExc_ValueError,
                    "covariance() takes fjac and ipvt as solve() returns "
                    "them");
    return 0;
}

/* covar_ in place of r, n by n; 0 when the result is not finite, else 1. */
static int
invert_gram(int n, double *r, const int *ipvt, double *wa)
{
    const double tol = 0.0;

    covar_(&n, r, &n, ipvt, &tol, wa);
    for (size_t i = 0; i < (size_t)n * (size_t)n; i++) {
        if (!isfinite(r[i])) {
            return 0;
        }
    }
    return 1;
}

PyDoc_STRVAR(
    covariance_doc,
    "covariance(fjac, ipvt, /)\n"
    "--\n\n"
    "The inverse of J'J from the factorisation that solve() returns, shape\n"
    "(N, N); None when R is singular or the inverse is not finite.");

PyDoc_STRVAR(
    sum_of_squares_doc,
    "sum_of_squares(array, /)\n"
    "--\n\n"
    "The sum of squares of a C-contiguous array of float64; not finite\n"
    "if one of its elements is not, or the sum overflows.");

static PyObject *
core_covariance(PyObject *Py_UNUSED(module), PyObject *const *args,
                Py_ssize_t nargs)
{
    PyArrayObject *fjac, *covariance = NULL;
    const int *ipvt;
    double *wa = NULL;
    PyObject *result = NULL;
    npy_intp shape[2];

    if (nargs != 2) {
        PyErr_Format(PyExc_TypeError,
                     "covariance() takes 2 arguments, not %zd", nargs);
        return NULL;
    }
    if (!is_factorisation(args[0], args[1])) {
        return NULL;
    }
    fjac = (PyArrayObject *)args[0];
    ipvt = PyArray_DATA((PyArrayObject *)args[1]);
    shape[0] = shape[1] = PyArray_DIM(fjac, 0);

    covariance = (PyArrayObject *)PyArray_ZEROS(2, shape, NPY_DOUBLE, 0);
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
    if (copy_triangle(fjac, PyArray_DATA(covariance)) &&
        invert_gram((int)shape[0], PyArray_DATA(covariance), ipvt, wa)) {
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

static int
core_exec(PyObject *module)
{
    import_array1(-1);
    if (PyModule_AddIntMacro(module, QR_AUTO) < 0 ||
        PyModule_AddIntMacro(module, QR_MINPACK) < 0 ||
        PyModule_AddIntMacro(module, QR_BLOCKED) < 0 ||
        PyModule_AddIntConstant(
            module, "INSTRUCTION_SET",
            triangle_available() ? triangle_instruction_set() : -1) < 0) {
        return -1;
    }
    return model_add_type(module) < 0 ? -1 : compiled_add_type(module);
}

PyDoc_STRVAR(
    read_capsule_doc,
    "read_capsule(object, /)\n"
    "--\n\n"
    "The pointer in a PyCapsule, its name and its context, the pointers as\n"
    "addresses; None if the object is no capsule.");

static PyMethodDef core_methods[] = {
    {"solve", (PyCFunction)(void (*)(void))core_solve, METH_FASTCALL,
     solve_doc},
    {"covariance", (PyCFunction)(void (*)(void))core_covariance, METH_FASTCALL,
     covariance_doc},
    {"sum_of_squares", model_sum_of_squares, METH_O, sum_of_squares_doc},
    {"read_capsule", compiled_read_capsule, METH_O, read_capsule_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot core_slots[] = {
    {Py_mod_exec, (void *)core_exec},
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef core_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "pyminpack._core",
    .m_doc = "The shim between Python and MINPACK.",
    .m_size = 0,
    .m_methods = core_methods,
    .m_slots = core_slots,
};

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&core_module);
}
