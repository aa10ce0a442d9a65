/* pyminpack._core: one function that solves, one that makes the covariance,
 * and what curve_fit computes for its model. Arguments come settled from
 * Python; they are checked here only so far that no caller can crash the
 * interpreter. */
#define PYMINPACK_IMPORT_ARRAY
#include "numpy_api.h"

#include <limits.h>

#include "user/compiled.h"
#include "drivers/threads.h"
#include "user/arrays.h"
#include "fit/covariance.h"
#include "drivers/lockstep.h"
#include "user/residuals.h"
#include "user/options.h"
#include "user/plain.h"
#include "drivers/one.h"
#include "fit/factor.h"

/* Copy the user's diag, or tell MINPACK to scale. 0, or -1 with an exception.
 */
static int
read_diag(One *one, PyObject *diag)
{
    if (diag == Py_None) {
        one->options.mode = 1;
        return 0;
    }
    if (!convert_is_vector(diag) ||
        PyArray_DIM((PyArrayObject *)diag, 0) != one->fit.lm.n) {
        PyErr_SetString(PyExc_ValueError,
                        "diag must be a float64 vector as long as x");
        return -1;
    }
    one->options.mode = 2;
    convert_copy_vector((PyArrayObject *)diag, one->fit.lm.diag);
    return 0;
}

static int
check_start(PyObject *start)
{
    if (convert_is_vector(start) &&
        PyArray_DIM((PyArrayObject *)start, 0) <= INT_MAX) {
        return 0;
    }
    PyErr_SetString(PyExc_ValueError,
                    "x0 must be a float64 vector of at most 2**31 - 1 "
                    "elements");
    return -1;
}

PyDoc_STRVAR(
    solve_doc,
    "solve(func, dfun, x0, args, col_deriv, ftol, xtol, gtol, factor, maxfev,\n"
    "      epsfcn, diag, full, qr, /)\n"
    "--\n\n"
    "Run lmdif, or lmder when dfun is not None. Returns (x, fvec, fjac, ipvt,\n"
    "qtf, nfev, njev, info), the arrays but x None unless full is true; info is\n"
    "MINPACK's, or 9 when a NaN or infinity in the residuals at x0 or in a\n"
    "Jacobian ended the fit.");

PyDoc_STRVAR(
    solve_plain_doc,
    "As solve(), for usual arguments as leastsq() got them: None, and nothing\n"
    "is done, where one is not. Returns (x, info) unless full is true.");

/* An array of the result, or None. */
static PyObject *
or_none(PyArrayObject *array)
{
    return array == NULL ? Py_None : (PyObject *)array;
}

/* What Python gets of a fit that has ended: x and info, or all. */
static PyObject *
pack(One *one, int all)
{
    const Fit *fit = &one->fit;
    PyArrayObject *x = call_argument(&one->call, fit->lm.x, fit->lm.n);
    PyObject *info = PyLong_FromLong(fit->lm.info);
    PyObject *result = NULL;

    if (x == NULL || info == NULL) {
        goto cleanup;
    }
    if (!all) {
        result = PyTuple_Pack(2, x, info);
        goto cleanup;
    }
    /* With info 0 MINPACK has evaluated nothing; func ran to tell m. */
    result = Py_BuildValue("(OOOOOiiO)", x, or_none(one->fvec),
                           or_none(one->fjac), or_none(one->ipvt),
                           or_none(one->qtf), fit->lm.info == 0 ? 0 : fit->nfev,
                           fit->njev, info);

cleanup:
    Py_XDECREF(x);
    Py_XDECREF(info);
    return result;
}

/* Solve with arguments that are what solve() takes, and options that have been
 * read. */
static PyObject *
solve_settled(One *one, PyObject *const *args, int col_deriv, int all)
{
    double room[ONE_ROOM];
    PyObject *result = NULL;
    int type_num;

    one->room = room;
    /* Once for all its calls; else functions of C alone that fit within fits
     * would overflow the stack. */
    if (Py_EnterRecursiveCall(" in a function that leastsq calls")) {
        return NULL;
    }
    if (call_init(&one->call, args[0], args[1] == Py_None ? NULL : args[1],
                  args[3], col_deriv) == 0 &&
        one_copy_start(one, (PyArrayObject *)args[2]) == 0 &&
        one_open(one, &type_num) == 0 &&
        options_read_epsfcn(&one->options, args[10], type_num) == 0 &&
        read_diag(one, args[11]) == 0 && one_run(one) == 0 &&
        one_hand_over(one) == 0) {
        result = pack(one, all);
    }
    Py_LeaveRecursiveCall();
    one_clear(one);
    return result;
}

static PyObject *
core_solve(PyObject *Py_UNUSED(module), PyObject *const *args,
           Py_ssize_t nargs)
{
    One one = {0};
    int col_deriv;

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
    one.full = PyObject_IsTrue(args[12]);
    if (one.full < 0 || options_read_qr(&one.options, args[13]) < 0 ||
        check_start(args[2]) < 0 ||
        options_read(&one.options, args + 5) < 0) {
        return NULL;
    }
    return solve_settled(&one, args, col_deriv, 1);
}

static PyObject *
core_solve_plain(PyObject *Py_UNUSED(module), PyObject *const *args,
                 Py_ssize_t nargs)
{
    One one = {0};

    if (nargs != 14 || !plain_read(&one.options, args)) {
        Py_RETURN_NONE;
    }
    one.full = PyObject_IsTrue(args[12]);
    return solve_settled(&one, args, PyObject_IsTrue(args[4]), one.full);
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

static int
core_exec(PyObject *module)
{
    import_array1(-1);
    if (PyModule_AddIntMacro(module, QR_AUTO) < 0 ||
        PyModule_AddIntMacro(module, QR_MINPACK) < 0 ||
        PyModule_AddIntMacro(module, QR_BLOCKED) < 0 ||
        PyModule_AddIntConstant(
            module, "INSTRUCTION_SET",
            factor_instruction_set()) < 0) {
        return -1;
    }
    if (compiled_add_type(module) < 0 || lockstep_add_type(module) < 0 ||
        batch_add_type(module) < 0) {
        return -1;
    }
    return model_add_type(module);
}

PyDoc_STRVAR(
    read_capsule_doc,
    "read_capsule(object, /)\n"
    "--\n\n"
    "The pointer in a PyCapsule, its name and its context, the pointers as\n"
    "addresses; None if the object is no capsule.");

static PyObject *
core_read_capsule(PyObject *Py_UNUSED(module), PyObject *object)
{
    const char *name;
    void *pointer, *context;

    if (!PyCapsule_CheckExact(object)) {
        Py_RETURN_NONE;
    }
    /* None of these fails where the name is its own. */
    name = PyCapsule_GetName(object);
    pointer = PyCapsule_GetPointer(object, name);
    context = PyCapsule_GetContext(object);
    return Py_BuildValue("NyN", PyLong_FromVoidPtr(pointer), name,
                         PyLong_FromVoidPtr(context));
}

static PyMethodDef core_methods[] = {
    {"solve", (PyCFunction)(void (*)(void))core_solve, METH_FASTCALL,
     solve_doc},
    {"solve_plain", (PyCFunction)(void (*)(void))core_solve_plain,
     METH_FASTCALL, solve_plain_doc},
    {"covariance", (PyCFunction)(void (*)(void))covariance_method,
     METH_FASTCALL, covariance_doc},
    {"sum_of_squares", model_sum_of_squares, METH_O, sum_of_squares_doc},
    {"read_capsule", core_read_capsule, METH_O, read_capsule_doc},
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
