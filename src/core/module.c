/* pyminpack._core: one function that solves, one that makes the covariance, what curve_fit computes
 * for its model, and what Python's layer reads the user's numbers with. */
#define PYMINPACK_IMPORT_ARRAY
#include "numpy_api.h"

#include <limits.h>

#include "user/compiled.h"
#include "drivers/threads.h"
#include "fit/covariance.h"
#include "drivers/lockstep.h"
#include "user/residuals.h"
#include "user/copy.h"
#include "user/given.h"
#include "user/methods.h"
#include "drivers/one.h"
#include "kernels/kernels.h"
#include "types.h"

PyDoc_STRVAR(solve_doc,
             "solve(func, dfun, x0, args, col_deriv, ftol, xtol, gtol, factor, maxfev,\n"
             "      epsfcn, diag, full, qr, /)\n"
             "--\n\n"
             "Run lmdif, or lmder when there is a Jacobian. The arguments are those of\n"
             "leastsq, as they were given. Returns (x, info) where that is all there is\n"
             "to say: unless full is true, when info is 1 to 4. Else (x, fvec, fjac,\n"
             "ipvt, qtf, nfev, njev, info, ftol, xtol, gtol, maxfev, improper), the\n"
             "arrays but x None unless full is true; njev is None with differences, and\n"
             "improper, which of them is, unless info is 0. info is MINPACK's, or 9 when\n"
             "a NaN or infinity in the residuals at x0 or in a Jacobian ended the fit.");

/* An array of the result, or None. */
static PyObject *
or_none(PyArrayObject *array)
{
    return array == NULL ? Py_None : (PyObject *)array;
}

/* What Python gets of a fit that has ended: x and info, or all. */
static PyObject *
pack(One *one)
{
    const Fit *fit = &one->fit;
    const Options *options = &one->call.given->options;
    const int info = fit->lm.info;
    PyArrayObject *x = call_argument(&one->call, fit->lm.x, fit->lm.n);
    PyObject *code = NULL;
    PyObject *njev = NULL;
    PyObject *improper = NULL;
    PyObject *result = NULL;

    if (x == NULL) {
        return NULL;
    }
    code = PyLong_FromLong(info);
    if (!one->call.given->full && info >= 1 && info <= 4) {
        result = PyTuple_Pack(2, x, code); /* small numbers are there already */
        goto cleanup;
    }
    njev = one->call.given->dfun == NULL ? Py_NewRef(Py_None) : PyLong_FromLong(fit->jacobians);
    improper = info != 0 ? Py_NewRef(Py_None)
                         : options_improper(options, fit->lm.n, one->call.given->diag);
    if (code != NULL && njev != NULL && improper != NULL) {
        /* With info 0 MINPACK has evaluated nothing; func ran to tell m. */
        result = Py_BuildValue("(OOOOOiOOdddiO)", x, or_none(one->fvec), or_none(one->fjac),
                               or_none(one->ipvt), or_none(one->qtf),
                               info == 0 ? 0 : fit->evaluations, njev, code, options->ftol,
                               options->xtol, options->gtol, options->maxfev, improper);
    }

cleanup:
    Py_DECREF(x);
    Py_XDECREF(code);
    Py_XDECREF(njev);
    Py_XDECREF(improper);
    return result;
}

/* Solve what was given; x is there already. */
static PyObject *
solve_given(One *one)
{
    PyObject *result = NULL;

    /* Once for all its calls; else functions of C alone that fit within fits would overflow the
     * stack. */
    if (Py_EnterRecursiveCall(" in a function that leastsq calls")) {
        return NULL;
    }
    if (one_open(one) == 0 && one_run(one) == 0 && one_hand_over(one) == 0) {
        result = pack(one);
    }
    Py_LeaveRecursiveCall();
    return result;
}

static PyObject *
core_solve(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    Given given = {.options.isa = types_state(module)->isa};
    double room[ONE_ROOM];
    One one = {.call.given = &given, .room = room};
    PyObject *result = NULL;

    if (nargs != GIVEN_ARGUMENTS) {
        PyErr_Format(PyExc_TypeError, "solve() takes %d arguments, not %zd", GIVEN_ARGUMENTS,
                     nargs);
        return NULL;
    }
    if (given_read_start(&given, args) == 0 && one_copy_start(&one) == 0 &&
        given_read_options(&given, args) == 0) {
        result = solve_given(&one);
    }
    one_clear(&one);
    given_clear(&given);
    return result;
}

PyDoc_STRVAR(covariance_doc,
             "covariance(fjac, ipvt, /)\n"
             "--\n\n"
             "The inverse of J'J from the factorisation that solve() returns, shape\n"
             "(N, N); None when R is singular or the inverse is not finite.");

PyDoc_STRVAR(sum_of_squares_doc,
             "sum_of_squares(array, /)\n"
             "--\n\n"
             "The sum of squares of a C-contiguous array of float64; not finite\n"
             "if one of its elements is not, or the sum overflows.");

static int
core_exec(PyObject *module)
{
    State *state = types_state(module);

    import_array1(-1);
    state->isa = cpu_instruction_set();
    if (PyModule_AddIntConstant(module, "INSTRUCTION_SET", state->isa) < 0) {
        return -1;
    }
    if (compiled_add_type(module) < 0 || lockstep_add_type(module) < 0 ||
        batch_add_type(module) < 0) {
        return -1;
    }
    return residuals_add_type(module);
}

PyDoc_STRVAR(real_array_doc,
             "real_array(name, value, objects=False, /)\n"
             "--\n\n"
             "Real numbers that the user gave as an argument of that name, as a new\n"
             "array of float64, C-contiguous, of their shape. With objects Python\n"
             "objects are numbers too. TypeError for any other.");

PyDoc_STRVAR(data_array_doc,
             "data_array(name, value, /)\n"
             "--\n\n"
             "As real_array; also of Python objects, of dates and of text. None and\n"
             "dates that are none are NaN.");

PyDoc_STRVAR(returned_array_doc,
             "returned_array(name, value, /)\n"
             "--\n\n"
             "Real numbers that the user's function of that name returned, as float64,\n"
             "and the number of the NumPy type that they had. An array of float64 is\n"
             "returned as it is; any other is copied while it is there.");

PyDoc_STRVAR(any_array_doc,
             "any_array(name, value, /)\n"
             "--\n\n"
             "The array, no subclass, that NumPy makes of an object, of any dtype. An\n"
             "array is returned as it is; the memory of any other is copied.");

PyDoc_STRVAR(xdata_array_doc,
             "xdata_array(value, /)\n"
             "--\n\n"
             "xdata as a model gets it: arrays, lists and tuples of numbers as float64\n"
             "or complex128, any other object as it is.");

PyDoc_STRVAR(read_real_doc, "read_real(name, value, /)\n"
                            "--\n\n"
                            "An option that is a real number and not NaN, as a float.");

PyDoc_STRVAR(read_integer_doc, "read_integer(name, value, /)\n"
                               "--\n\n"
                               "An option that is an integer, as an int.");

PyDoc_STRVAR(read_capsule_doc,
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
    return Py_BuildValue("NyN", PyLong_FromVoidPtr(pointer), name, PyLong_FromVoidPtr(context));
}

/* A function that gets its arguments as an array. */
#define FAST(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL

static PyMethodDef core_methods[] = {
    {"solve", FAST(core_solve), solve_doc},
    {"covariance", FAST(covariance_method), covariance_doc},
    {"sum_of_squares", residuals_sum_of_squares, METH_O, sum_of_squares_doc},
    {"real_array", FAST(methods_real_array), real_array_doc},
    {"data_array", FAST(methods_data_array), data_array_doc},
    {"returned_array", FAST(methods_returned_array), returned_array_doc},
    {"any_array", FAST(methods_any_array), any_array_doc},
    {"xdata_array", methods_xdata_array, METH_O, xdata_array_doc},
    {"read_real", FAST(methods_read_real), read_real_doc},
    {"read_integer", FAST(methods_read_integer), read_integer_doc},
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
    .m_size = sizeof(State),
    .m_methods = core_methods,
    .m_slots = core_slots,
};

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&core_module);
}
