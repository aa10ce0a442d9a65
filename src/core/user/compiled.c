/* Compiled(residual, combined, jacobian, m, memory, data, k, owners): the user's functions as
 * machine code, by their addresses, with what has to live as long as they are called. Nothing of it
 * ever changes. */
#include "user/compiled.h"
#include "types.h"
#include "user/arrays.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <structmember.h>

typedef struct {
    PyObject ob_base;
    CompiledFunction function;
    Py_buffer view;   /* obj is NULL where the data are no buffer */
    PyObject *data;   /* strong: what the user gave */
    PyObject *owners; /* strong: of the machine code */
} Compiled;

int
compiled_residuals(const CompiledFunction *function, void *p, int n, const double *x, double *fvec,
                   int iflag)
{
    int m = function->m;

    if (function->residual != NULL) {
        return function->residual(p, m, n, x, fvec, iflag);
    }
    /* To this one iflag 2 would mean the Jacobian. */
    return function->combined(p, m, n, x, fvec, NULL, m, 1);
}

/* Read an address, which may be 0. 0, or -1 with an exception. */
static int
read_address(PyObject *number, uintptr_t *address)
{
    void *pointer = PyLong_AsVoidPtr(number);

    if (pointer == NULL && PyErr_Occurred()) {
        return -1;
    }
    *address = (uintptr_t)pointer;
    return 0;
}

/* Read the addresses of the three functions. 0, or -1 with an exception. */
static int
read_functions(CompiledFunction *function, PyObject *residual, PyObject *combined,
               PyObject *jacobian)
{
    uintptr_t of_residual, of_combined, of_jacobian;

    if (read_address(residual, &of_residual) < 0 || read_address(combined, &of_combined) < 0 ||
        read_address(jacobian, &of_jacobian) < 0) {
        return -1;
    }
    if ((of_residual == 0) == (of_combined == 0)) {
        PyErr_SetString(PyExc_ValueError, "residual or combined must be an address, and the "
                                          "other 0");
        return -1;
    }
    function->residual = (compiled_residual_fcn *)of_residual;
    function->combined = (compiled_jacobian_fcn *)of_combined;
    function->jacobian = (compiled_jacobian_fcn *)of_jacobian;
    return 0;
}

/* Whether numbers at the address may be read as what they are, the largest power of two in their
 * size up to that of a double. */
static int
is_aligned(const void *address, Py_ssize_t itemsize)
{
    uintptr_t size = (uintptr_t)itemsize | sizeof(double);

    return (uintptr_t)address % (size & (~size + 1)) == 0;
}

/* Make p the address of the user's data: None, an address, or what has the buffer protocol. 0, or
 * -1 with an exception. */
static int
read_memory(Compiled *self, PyObject *memory)
{
    CompiledFunction *function = &self->function;
    uintptr_t address;
    Py_ssize_t itemsize;

    if (memory == Py_None) {
        return 0;
    }
    if (PyLong_Check(memory)) {
        if (read_address(memory, &address) < 0) {
            return -1;
        }
        function->p = (void *)address;
        return 0;
    }
    if (PyObject_GetBuffer(memory, &self->view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0) {
        return -1;
    }
    if (function->k >= 0 && self->view.len / (Py_ssize_t)sizeof(double) < function->k) {
        PyErr_Format(PyExc_ValueError,
                     "data too short: k=%zd numbers are %zd bytes, and data "
                     "have %zd",
                     function->k, function->k * (Py_ssize_t)sizeof(double), self->view.len);
        return -1;
    }
    itemsize = function->k >= 0 ? (Py_ssize_t)sizeof(double) : self->view.itemsize;
    if (self->view.len > 0 && !is_aligned(self->view.buf, itemsize)) {
        PyErr_SetString(PyExc_ValueError, "data must be aligned in memory; give a copy");
        return -1;
    }
    function->p = self->view.buf;
    return 0;
}

/* Read k, or None. 0, or -1 with an exception. */
static int
read_k(CompiledFunction *function, PyObject *k)
{
    function->k = -1;
    if (k == Py_None) {
        return 0;
    }
    function->k = PyLong_AsSsize_t(k);
    if (function->k == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (function->k < 0 || function->k > PY_SSIZE_T_MAX / (Py_ssize_t)sizeof(double)) {
        PyErr_Format(PyExc_ValueError, "k must be a number of doubles, not %S", k);
        return -1;
    }
    return 0;
}

static PyObject *
compiled_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *residual, *combined, *jacobian, *memory, *data, *k, *owners;
    Compiled *self;
    int m;

    if (kwargs != NULL) {
        PyErr_SetString(PyExc_TypeError, "Compiled() takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "O!O!O!iOOOO:Compiled", &PyLong_Type, &residual, &PyLong_Type,
                          &combined, &PyLong_Type, &jacobian, &m, &memory, &data, &k, &owners)) {
        return NULL;
    }
    if (m < 1) {
        PyErr_Format(PyExc_ValueError, "m must be at least 1, not %d", m);
        return NULL;
    }
    self = (Compiled *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    PyObject_GC_UnTrack(self); /* so that nobody finds it half-made */
    self->function.m = m;
    self->data = Py_NewRef(data);
    self->owners = Py_NewRef(owners);
    if (read_functions(&self->function, residual, combined, jacobian) < 0 ||
        read_k(&self->function, k) < 0 || read_memory(self, memory) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static int
compiled_traverse(PyObject *object, visitproc visit, void *arg)
{
    Compiled *self = (Compiled *)object;

    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->view.obj);
    Py_VISIT(self->data);
    Py_VISIT(self->owners);
    return 0;
}

static void
compiled_dealloc(PyObject *object)
{
    Compiled *self = (Compiled *)object;
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    PyBuffer_Release(&self->view);
    Py_XDECREF(self->data);
    Py_XDECREF(self->owners);
    type->tp_free(object);
    Py_DECREF(type);
}

/* The type is made for each interpreter, and has no heirs: what it does at the end tells it from
 * all others. */
const CompiledFunction *
compiled_function(PyObject *object)
{
    if (Py_TYPE(object)->tp_dealloc != compiled_dealloc) {
        return NULL;
    }
    return &((Compiled *)object)->function;
}

/* A copy of x as a vector of float64 that is no longer than m: a new reference, or NULL with an
 * exception. */
static PyArrayObject *
copy_point(PyObject *value, int m)
{
    const Source source = {"x", 0, ARRAYS_REAL, ARRAYS_INNER_GIVEN};
    PyArrayObject *x = arrays_own(value, &source);

    if (x == NULL) {
        return NULL;
    }
    if (PyArray_NDIM(x) > 1) {
        PyErr_Format(PyExc_ValueError, "x must be a vector, and has %d dimensions",
                     PyArray_NDIM(x));
        Py_CLEAR(x);
    }
    else if (PyArray_SIZE(x) < 1 || PyArray_SIZE(x) > m) {
        PyErr_Format(PyExc_ValueError,
                     "x must have at least one element and at most m=%d, and "
                     "has %zd",
                     m, (Py_ssize_t)PyArray_SIZE(x));
        Py_CLEAR(x);
    }
    return x;
}

/* An array of NaN, which shows what the user's function does not write: a new reference, or NULL
 * with an exception. */
static PyArrayObject *
new_nan(int ndim, const npy_intp *shape)
{
    PyArrayObject *array =
        (PyArrayObject *)PyArray_EMPTY(ndim, shape, NPY_DOUBLE, /* column by column */ 1);
    double *values;
    npy_intp size;

    if (array != NULL) {
        values = PyArray_DATA(array);
        size = PyArray_SIZE(array);
        for (npy_intp i = 0; i < size; i++) {
            values[i] = (double)NAN;
        }
    }
    return array;
}

/* The error of a function that returned a negative number. */
static void
set_negative(const char *name, int status)
{
    PyErr_Format(PyExc_RuntimeError, "the compiled function returned %d when asked for the %s",
                 status, name);
}

/* Residuals at x, without the GIL: a new reference, or NULL with an exception. */
static PyArrayObject *
residuals_at(const CompiledFunction *function, PyArrayObject *x)
{
    npy_intp m = function->m;
    int n = (int)PyArray_SIZE(x);
    PyArrayObject *fvec = new_nan(1, &m);
    PyThreadState *released;
    int status;

    if (fvec == NULL) {
        return NULL;
    }
    released = PyEval_SaveThread();
    status = compiled_residuals(function, function->p, n, PyArray_DATA(x), PyArray_DATA(fvec), 1);
    PyEval_RestoreThread(released);
    if (status < 0) {
        set_negative("residuals", status);
        Py_CLEAR(fvec);
    }
    return fvec;
}

static PyObject *
compiled_call(PyObject *object, PyObject *args, PyObject *kwargs)
{
    const CompiledFunction *function = &((Compiled *)object)->function;
    PyArrayObject *x, *fvec;

    if ((kwargs != NULL && PyDict_GET_SIZE(kwargs) != 0) || PyTuple_GET_SIZE(args) != 1) {
        PyErr_SetString(PyExc_TypeError, "a compiled function is called with x alone; its "
                                         "data are given to compiled()");
        return NULL;
    }
    x = copy_point(PyTuple_GET_ITEM(args, 0), function->m);
    if (x == NULL) {
        return NULL;
    }
    fvec = residuals_at(function, x);
    Py_DECREF(x);
    return (PyObject *)fvec;
}

PyDoc_STRVAR(jacobian_doc, "jacobian($self, x, /)\n"
                           "--\n\n"
                           "The Jacobian at x, float64 of shape (m, n). The residuals there are\n"
                           "computed first, as in a fit.");

static PyObject *
compiled_jacobian(PyObject *object, PyObject *value)
{
    const CompiledFunction *function = &((Compiled *)object)->function;
    PyArrayObject *x = NULL, *fvec = NULL, *fjac = NULL;
    PyThreadState *released;
    npy_intp shape[2];
    int status;

    if (function->jacobian == NULL) {
        PyErr_SetString(PyExc_TypeError, "this compiled function has no Jacobian");
        return NULL;
    }
    x = copy_point(value, function->m);
    if (x == NULL) {
        goto cleanup;
    }
    fvec = residuals_at(function, x);
    if (fvec == NULL) {
        goto cleanup;
    }
    shape[0] = function->m;
    shape[1] = PyArray_SIZE(x);
    fjac = new_nan(2, shape);
    if (fjac == NULL) {
        goto cleanup;
    }
    released = PyEval_SaveThread();
    status = function->jacobian(function->p, function->m, (int)shape[1], PyArray_DATA(x),
                                PyArray_DATA(fvec), PyArray_DATA(fjac), function->m, 2);
    PyEval_RestoreThread(released);
    if (status < 0) {
        set_negative("Jacobian", status);
        Py_CLEAR(fjac);
    }

cleanup:
    Py_XDECREF(x);
    Py_XDECREF(fvec);
    return (PyObject *)fjac;
}

PyDoc_STRVAR(reduce_doc, "__reduce__($self, /)\n"
                         "--\n\n"
                         "Raises TypeError.");

static PyObject *
compiled_reduce(PyObject *Py_UNUSED(object), PyObject *Py_UNUSED(args))
{
    PyErr_SetString(PyExc_TypeError, "a compiled function cannot be pickled or copied: its "
                                     "addresses mean nothing in another process; call "
                                     "compiled() there");
    return NULL;
}

static PyObject *
compiled_get_has_jacobian(PyObject *object, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((Compiled *)object)->function.jacobian != NULL);
}

static PyObject *
compiled_get_k(PyObject *object, void *Py_UNUSED(closure))
{
    Py_ssize_t k = ((Compiled *)object)->function.k;

    return k < 0 ? Py_NewRef(Py_None) : PyLong_FromSsize_t(k);
}

static PyObject *
compiled_repr(PyObject *object)
{
    Compiled *self = (Compiled *)object;
    const char *jacobian = self->function.jacobian == NULL ? "no" : "a";
    PyObject *k = compiled_get_k(object, NULL);
    PyObject *data = NULL, *text = NULL;

    if (k == NULL) {
        return NULL;
    }
    if (self->view.obj != NULL) {
        data = PyUnicode_FromFormat("data of %zd bytes", self->view.len);
    }
    else if (self->function.p != NULL) {
        data = PyUnicode_FromFormat("data at %p", self->function.p);
    }
    else {
        data = PyUnicode_FromString("no data");
    }
    if (data != NULL) {
        text = PyUnicode_FromFormat("<Compiled: m=%d, %s Jacobian, %U, k=%S>", self->function.m,
                                    jacobian, data, k);
    }
    Py_DECREF(k);
    Py_XDECREF(data);
    return text;
}

static const PyMemberDef compiled_members[] = {
    {"m", T_INT, offsetof(Compiled, function) + offsetof(CompiledFunction, m), READONLY,
     "The number of residuals."},
    {"data", T_OBJECT_EX, offsetof(Compiled, data), READONLY,
     "What is in the memory that the functions get, or None."},
    {NULL, 0, 0, 0, NULL},
};

static const PyGetSetDef compiled_getset[] = {
    {"has_jacobian", compiled_get_has_jacobian, NULL,
     "Whether there is a function for the Jacobian.", NULL},
    {"k", compiled_get_k, NULL, "How many float64 the functions read of their data, or None.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static const PyMethodDef compiled_methods[] = {
    {"jacobian", compiled_jacobian, METH_O, jacobian_doc},
    {"__reduce__", compiled_reduce, METH_NOARGS, reduce_doc},
    {NULL, NULL, 0, NULL},
};

int
compiled_add_type(PyObject *module)
{
    PyType_Slot slots[] = {
        {Py_tp_new, (void *)compiled_new},
        {Py_tp_call, (void *)compiled_call},
        {Py_tp_repr, (void *)compiled_repr},
        {Py_tp_traverse, (void *)compiled_traverse},
        {Py_tp_dealloc, (void *)compiled_dealloc},
        {Py_tp_members, (void *)compiled_members},
        {Py_tp_getset, (void *)compiled_getset},
        {Py_tp_methods, (void *)compiled_methods},
        {0, NULL},
    };
    PyType_Spec spec = {
        .name = "pyminpack._core.Compiled",
        .basicsize = sizeof(Compiled),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
        .slots = slots,
    };

    return types_add(module, &spec);
}
