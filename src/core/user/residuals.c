/* Residuals(f, xdata, ydata, weights, x, values): a callable that gives the weighted residuals of
 * the model f, of which `values` is what it returned at x. In a small fit one operation of NumPy
 * costs as much as all that MINPACK does between two calls, so the difference to ydata and its
 * weights are taken here. */
#include "user/residuals.h"

#include <numpy/arrayscalars.h>

#include <stddef.h>
#include <string.h>
#include <structmember.h>

#include "user/arrays.h"
#include "user/options.h"
#include "types.h"

/* Parameters for which a call needs no memory of its own. */
#define FEW 16

typedef struct {
    PyObject ob_base;
    vectorcallfunc vectorcall;
    PyObject *f;            /* strong */
    PyObject *xdata;        /* strong */
    PyArrayObject *ydata;   /* strong, (m,) */
    PyArrayObject *weights; /* strong; NULL, or (m,), or (m, m) */
    PyArrayObject *last;    /* strong: the residuals at `point` */
    double *point;          /* owned: n parameters, where f was last called */
    Py_ssize_t n;
    Py_ssize_t m;
    Py_ssize_t calls; /* of f, the one before this object came included */
    double epsfcn;    /* of the type that f's first result had */
} Residuals;

/* Whether the object is an array of native float64 with that many dimensions, each of size m. */
static int
is_double_array(PyObject *object, int ndim, npy_intp m)
{
    PyArrayObject *array = (PyArrayObject *)object;

    if (!PyArray_CheckExact(object) || PyArray_TYPE(array) != NPY_DOUBLE ||
        !PyArray_ISBEHAVED_RO(array) || PyArray_NDIM(array) != ndim) {
        return 0;
    }
    for (int i = 0; i < ndim; i++) {
        if (PyArray_DIM(array, i) != m) {
            return 0;
        }
    }
    return 1;
}

/* f(xdata, *point), each parameter a numpy.float64: a new reference, or NULL with an exception. */
static PyObject *
call_model(Residuals *self, const double *point)
{
    const Py_ssize_t n = self->n;
    /* A slot that the callee may use, xdata, and the parameters. */
    PyObject *few[2 + FEW];
    PyObject **many = NULL;
    PyObject **call = few;
    PyObject *result = NULL;
    Py_ssize_t made = 0;

    if (n > FEW) {
        call = many = PyMem_New(PyObject *, (size_t)n + 2);
        if (many == NULL) {
            return PyErr_NoMemory();
        }
    }
    call[1] = self->xdata;
    for (; made < n; made++) {
        PyObject *number = PyArrayScalar_New(Double);

        if (number == NULL) {
            goto cleanup;
        }
        PyArrayScalar_ASSIGN(number, Double, point[made]);
        call[2 + made] = number;
    }
    self->calls++;
    result = PyObject_Vectorcall(self->f, call + 1,
                                 (size_t)(1 + n) | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);

cleanup:
    while (made > 0) {
        Py_DECREF(call[1 + made--]);
    }
    PyMem_Free(many);
    return result;
}

/* The error of a result of the wrong shape. */
static void
set_shape_error(PyArrayObject *values, npy_intp m)
{
    PyObject *shape = PyArray_IntTupleFromIntp(PyArray_NDIM(values), PyArray_DIMS(values));

    if (shape != NULL) {
        PyErr_Format(PyExc_ValueError,
                     "f returned an array of shape %S, and must return one "
                     "number for each element of ydata, shape (%zd,)%s",
                     shape, (Py_ssize_t)m, PyArray_SIZE(values) == m ? "; ravel() it" : "");
        Py_DECREF(shape);
    }
}

/* Make *array a vector of m times its only element. 0, or -1 with an exception. */
static int
spread(PyArrayObject **array, npy_intp m)
{
    const double value = *(const double *)PyArray_DATA(*array);
    PyArrayObject *vector = (PyArrayObject *)PyArray_SimpleNew(1, &m, NPY_DOUBLE);

    if (vector == NULL) {
        return -1;
    }
    for (npy_intp i = 0; i < m; i++) {
        ((double *)PyArray_DATA(vector))[i] = value;
    }
    Py_SETREF(*array, vector);
    return 0;
}

/* Learn from f's first result how many there are: where ydata and weights are single numbers these
 * count for all. 0, or -1 with an exception. */
static int
learn_m(Residuals *self, PyArrayObject *values)
{
    self->m = PyArray_SIZE(self->ydata);
    self->epsfcn = options_epsilon(PyArray_TYPE(values));
    if (self->m == 1 && PyArray_NDIM(values) == 1 && PyArray_SIZE(values) > 1) {
        self->m = PyArray_SIZE(values);
        if (spread(&self->ydata, self->m) < 0 ||
            (self->weights != NULL && spread(&self->weights, self->m) < 0)) {
            return -1;
        }
    }
    return 0;
}

/* Copy what f returned, m numbers or one for all of them, to `out`. 0, or -1 with an exception. */
static int
copy_values(Residuals *self, PyArrayObject *doubles, double *out)
{
    npy_intp m = self->m;

    if (PyArray_NDIM(doubles) <= 1 && PyArray_SIZE(doubles) == 1) {
        copy_vector(doubles, out);
        for (npy_intp i = 1; i < m; i++) {
            out[i] = out[0];
        }
        return 0;
    }
    if (PyArray_NDIM(doubles) != 1 || PyArray_SIZE(doubles) != m) {
        set_shape_error(doubles, m);
        return -1;
    }
    copy_vector(doubles, out);
    return 0;
}

/* What f returned as m numbers that nobody else has: a new reference, or NULL with an exception. */
static PyArrayObject *
as_vector(Residuals *self, PyObject *values)
{
    const Source source = {"f", 1, ARRAYS_OBJECTS, ARRAYS_INNER_RETURNED};
    PyArrayObject *doubles = NULL;
    PyArrayObject *vector = NULL;
    npy_intp m;

    doubles = arrays_real(values, &source, NULL);
    if (doubles == NULL || (self->m == 0 && learn_m(self, doubles) < 0)) {
        goto cleanup;
    }
    doubles = arrays_to_doubles(doubles, &source);
    if (doubles == NULL) {
        goto cleanup;
    }
    m = self->m;
    vector = (PyArrayObject *)PyArray_SimpleNew(1, &m, NPY_DOUBLE);
    if (vector != NULL && copy_values(self, doubles, PyArray_DATA(vector)) < 0) {
        Py_CLEAR(vector);
    }

cleanup:
    Py_XDECREF(doubles);
    return vector;
}

/* Make self->last the weighted residuals of what f returned. 0, or -1 with an exception. */
static int
take_values(Residuals *self, PyObject *values)
{
    PyArrayObject *residuals = as_vector(self, values);
    const npy_intp m = self->m;
    const double *y;
    double *r;

    if (residuals == NULL) {
        return -1;
    }
    y = PyArray_DATA(self->ydata);
    r = PyArray_DATA(residuals);
    if (self->weights != NULL && PyArray_NDIM(self->weights) == 1) {
        const double *w = PyArray_DATA(self->weights);

        for (npy_intp i = 0; i < m; i++) {
            r[i] = (r[i] - y[i]) * w[i];
        }
    }
    else {
        for (npy_intp i = 0; i < m; i++) {
            r[i] -= y[i];
        }
    }
    if (self->weights != NULL && PyArray_NDIM(self->weights) == 2) {
        Py_SETREF(residuals, (PyArrayObject *)PyArray_MatrixProduct2((PyObject *)self->weights,
                                                                     (PyObject *)residuals, NULL));
        if (residuals == NULL) {
            return -1;
        }
    }
    Py_XSETREF(self->last, residuals);
    return 0;
}

/* MINPACK asks again for the point of a step that it rejected, where no shorter one came out; f is
 * not called again there. */
static PyObject *
residuals_call(PyObject *object, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    Residuals *self = (Residuals *)object;
    size_t size = (size_t)self->n * sizeof(double);
    const double *point;
    PyObject *values;
    int status;

    if (PyVectorcall_NARGS(nargsf) != 1 || kwnames != NULL ||
        !is_double_array(args[0], 1, self->n) || !PyArray_ISCARRAY_RO((PyArrayObject *)args[0])) {
        PyErr_Format(PyExc_TypeError, "Residuals are called with a vector of %zd float64", self->n);
        return NULL;
    }
    point = PyArray_DATA((PyArrayObject *)args[0]);
    if (memcmp(self->point, point, size) == 0) {
        return Py_NewRef(self->last);
    }
    values = call_model(self, point);
    if (values == NULL) {
        return NULL;
    }
    status = take_values(self, values);
    Py_DECREF(values);
    if (status < 0) {
        return NULL;
    }
    memcpy(self->point, point, size);
    return Py_NewRef(self->last);
}

/* Whether residuals can be made of these without a look at them again. */
static int
check_arguments(PyArrayObject *ydata, PyObject *weights, PyArrayObject *x)
{
    npy_intp m = PyArray_SIZE(ydata);

    if (!is_double_array((PyObject *)ydata, 1, m) || !PyArray_ISCARRAY_RO(ydata) ||
        !is_double_array((PyObject *)x, 1, PyArray_SIZE(x)) || !PyArray_ISCARRAY_RO(x)) {
        PyErr_SetString(PyExc_TypeError, "ydata and x must be vectors of float64");
        return -1;
    }
    if (weights != Py_None && !is_double_array(weights, 2, m) &&
        !(is_double_array(weights, 1, m) && PyArray_ISCARRAY_RO((PyArrayObject *)weights))) {
        PyErr_SetString(PyExc_TypeError, "weights must be None or float64, (m,) or (m, m)");
        return -1;
    }
    return 0;
}

static PyObject *
residuals_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *f, *xdata, *weights, *values;
    PyArrayObject *ydata, *x;
    Residuals *self;

    if (kwargs != NULL ||
        !PyArg_ParseTuple(args, "OOO!OO!O:Residuals", &f, &xdata, &PyArray_Type, &ydata, &weights,
                          &PyArray_Type, &x, &values) ||
        check_arguments(ydata, weights, x) < 0) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "Residuals() takes no keyword arguments");
        }
        return NULL;
    }
    self = (Residuals *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    PyObject_GC_UnTrack(self); /* so that nobody finds it half-made */
    self->vectorcall = residuals_call;
    self->f = Py_NewRef(f);
    self->xdata = Py_NewRef(xdata);
    self->ydata = (PyArrayObject *)Py_NewRef(ydata);
    if (weights != Py_None) {
        self->weights = (PyArrayObject *)Py_NewRef(weights);
    }
    self->n = PyArray_SIZE(x);
    self->calls = 1;
    self->point = PyMem_New(double, (size_t)self->n);
    if (self->point == NULL) {
        PyErr_NoMemory();
        goto error;
    }
    memcpy(self->point, PyArray_DATA(x), (size_t)self->n * sizeof(double));
    if (take_values(self, values) < 0) {
        goto error;
    }
    PyObject_GC_Track(self);
    return (PyObject *)self;

error:
    Py_DECREF(self);
    return NULL;
}

static int
residuals_traverse(PyObject *object, visitproc visit, void *arg)
{
    Residuals *self = (Residuals *)object;

    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->f);
    Py_VISIT(self->xdata);
    Py_VISIT(self->ydata);
    Py_VISIT(self->weights);
    Py_VISIT(self->last);
    return 0;
}

static void
residuals_dealloc(PyObject *object)
{
    Residuals *self = (Residuals *)object;
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    Py_XDECREF(self->f);
    Py_XDECREF(self->xdata);
    Py_XDECREF(self->ydata);
    Py_XDECREF(self->weights);
    Py_XDECREF(self->last);
    PyMem_Free(self->point);
    type->tp_free(object);
    Py_DECREF(type);
}

static const PyMemberDef residuals_members[] = {
    {"calls", T_PYSSIZET, offsetof(Residuals, calls), READONLY, "How often f was called."},
    {"m", T_PYSSIZET, offsetof(Residuals, m), READONLY, "How many they are."},
    {"weights", T_OBJECT, offsetof(Residuals, weights), READONLY,
     "What they are multiplied by, (m,) or (m, m), or None."},
    {"epsfcn", T_DOUBLE, offsetof(Residuals, epsfcn), READONLY,
     "The machine epsilon of the type that f's first result had."},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Residuals, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

int
residuals_add_type(PyObject *module)
{
    PyType_Slot slots[] = {
        {Py_tp_new, (void *)residuals_new},           {Py_tp_call, (void *)PyVectorcall_Call},
        {Py_tp_traverse, (void *)residuals_traverse}, {Py_tp_dealloc, (void *)residuals_dealloc},
        {Py_tp_members, (void *)residuals_members},   {0, NULL},
    };
    PyType_Spec spec = {
        .name = "pyminpack._core.Residuals",
        .basicsize = sizeof(Residuals),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
                 Py_TPFLAGS_IMMUTABLETYPE,
        .slots = slots,
    };

    return types_add(module, &spec);
}

/* Several sums, which the processor adds at a time. Infinity and NaN stay in them, and no warning
 * comes of them, as one may of NumPy's. */
double
residuals_sum(const double *values, npy_intp size)
{
    double sums[4] = {0.0, 0.0, 0.0, 0.0};

    for (npy_intp i = 0; i < size; i++) {
        sums[i % 4] += values[i] * values[i];
    }
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

PyObject *
residuals_sum_of_squares(PyObject *Py_UNUSED(module), PyObject *object)
{
    PyArrayObject *array = (PyArrayObject *)object;

    if (!PyArray_Check(object) || PyArray_TYPE(array) != NPY_DOUBLE ||
        !PyArray_ISCARRAY_RO(array)) {
        PyErr_SetString(PyExc_TypeError, "array must be C-contiguous float64");
        return NULL;
    }
    return PyFloat_FromDouble(residuals_sum(PyArray_DATA(array), PyArray_SIZE(array)));
}
