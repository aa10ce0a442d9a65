/* Lockstep(given, results, options, differences, size): many fits, and what
 * they wait for. Python evaluates it and hands the answers in:
 *
 *     while (points := lockstep.points()) is not None:
 *         lockstep.take(func(*points))
 *         if (points := lockstep.jacobian_points()) is not None:
 *             lockstep.take_jacobian(dfun(*points))
 */
#include "drivers/lockstep.h"

#include <limits.h>
#include <stddef.h>
#include <stdatomic.h>
#include <string.h>
#include <structmember.h>

#include "user/copy.h"
#include "user/gil.h"
#include "drivers/pool.h"
#include "types.h"

typedef struct {
    PyObject ob_base;
    Table table;
    Pool pool;
    npy_intp size; /* places that were asked for; 0: as suits */
    /* Rows that take() waits for, and take_jacobian(). 0: it waits for none, also where the fits
     * have gone on since they were asked for. */
    npy_intp points, jacobians;
    atomic_int busy;
} Lockstep;

/* Nobody but another thread can be in the way. 0, or -1 with an exception. */
static int
enter(Lockstep *self)
{
    if (atomic_exchange(&self->busy, 1)) {
        PyErr_SetString(PyExc_RuntimeError, "a Lockstep serves one thread at a time");
        return -1;
    }
    return 0;
}

static PyObject *
leave(Lockstep *self, PyObject *result)
{
    atomic_store(&self->busy, 0);
    return result;
}

static PyObject *
lockstep_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *given, *results, *options;
    int differences;
    Py_ssize_t size;
    Lockstep *self;

    if (kwargs != NULL && PyDict_GET_SIZE(kwargs) > 0) {
        PyErr_SetString(PyExc_TypeError, "Lockstep() takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "OOOpn:Lockstep", &given, &results, &options, &differences,
                          &size)) {
        return NULL;
    }
    if (size < 0) {
        PyErr_SetString(PyExc_ValueError, "size must not be negative");
        return NULL;
    }
    self = (Lockstep *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    atomic_init(&self->busy, 0);
    self->size = size;
    self->pool.table = &self->table;
    self->pool.differences = differences;
    self->table.options.isa = types_state(PyType_GetModule(type))->isa;
    if (table_init(&self->table, given, results, options, !differences) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void
lockstep_dealloc(PyObject *object)
{
    Lockstep *self = (Lockstep *)object;
    PyTypeObject *type = Py_TYPE(object);

    pool_clear(&self->pool);
    table_clear(&self->table);
    type->tp_free(object);
    Py_DECREF(type);
}

/* (X, index) with room for so many points: a new reference, or NULL with an exception. *x and
 * *index become where the values go. */
static PyObject *
new_points(npy_intp rows, int n, double **x, npy_intp **index)
{
    npy_intp shape[2] = {rows, n};
    PyObject *points = PyArray_SimpleNew(2, shape, NPY_DOUBLE);
    PyObject *which = PyArray_SimpleNew(1, shape, NPY_INTP);
    PyObject *pair = NULL;

    if (points != NULL && which != NULL) {
        *x = PyArray_DATA((PyArrayObject *)points);
        *index = PyArray_DATA((PyArrayObject *)which);
        pair = PyTuple_Pack(2, points, which);
    }
    Py_XDECREF(points);
    Py_XDECREF(which);
    return pair;
}

/* The first fit's start, to learn m from. */
static PyObject *
first_point(Lockstep *self)
{
    double *x;
    npy_intp *index;
    PyObject *pair = new_points(1, self->table.n, &x, &index);

    if (pair != NULL) {
        memcpy(x, PyArray_DATA(self->table.x0), (size_t)self->table.n * sizeof(double));
        index[0] = 0;
        self->points = 1;
    }
    return pair;
}

/* Write where the residuals of a fit are wanted: the number of points. */
static int
write_points(Lockstep *self, Fit *fit, double *x)
{
    const npy_intp n = fit->lm.n;
    const int wanted = pool_points(&self->pool, fit);

    if (wanted > 0 && fit->lm.request == LM_JACOBIAN) {
        lm_steps(&fit->lm, self->table.options.epsfcn, fit->steps);
        for (npy_intp j = 0; j < n; j++) {
            fit_displace(fit, j, x + j * n);
        }
    }
    else if (wanted > 0) {
        memcpy(x, fit->lm.request == LM_TRIAL ? fit->lm.trial : fit->lm.x,
               (size_t)n * sizeof(double));
    }
    return wanted;
}

/* Where the residuals of every fit are wanted: a new reference, None if nowhere; NULL with an
 * exception. */
static PyObject *
gather_points(Lockstep *self)
{
    Pool *pool = &self->pool;
    npy_intp rows = 0;
    npy_intp *index;
    double *x;
    PyObject *pair;

    pool_fill(pool);
    self->jacobians = 0; /* the fits may stand in another order now */
    for (npy_intp i = 0; i < pool->used; i++) {
        rows += pool_points(pool, &pool->fits[i]);
    }
    self->points = rows;
    if (rows == 0) {
        return Py_NewRef(Py_None);
    }
    pair = new_points(rows, self->table.n, &x, &index);
    if (pair == NULL) {
        return NULL;
    }
    for (npy_intp i = 0; i < pool->used; i++) {
        int wanted = write_points(self, &pool->fits[i], x);

        x += (npy_intp)wanted * self->table.n;
        for (int j = 0; j < wanted; j++) {
            *index++ = pool->fits[i].index;
        }
    }
    return pair;
}

static PyObject *
lockstep_points(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    Lockstep *self = (Lockstep *)object;

    if (enter(self) < 0) {
        return NULL;
    }
    return leave(self, self->pool.fits == NULL ? first_point(self) : gather_points(self));
}

/* Whether `values` is a float64 array of that many dimensions, of which the first has `rows`
 * elements; a table has to be C-contiguous. Else an exception is set. */
static int
is_answer(PyObject *values, int ndim, npy_intp rows)
{
    PyArrayObject *array = (PyArrayObject *)values;

    if (PyArray_CheckExact(values) && PyArray_TYPE(array) == NPY_DOUBLE &&
        PyArray_ISBEHAVED_RO(array) && PyArray_NDIM(array) == ndim && rows > 0 &&
        PyArray_DIM(array, 0) == rows && (ndim != 2 || PyArray_IS_C_CONTIGUOUS(array))) {
        return 1;
    }
    PyErr_Format(PyExc_ValueError,
                 "the answer must be a float64 array of %d dimensions and "
                 "%zd rows",
                 ndim, (Py_ssize_t)rows);
    return 0;
}

/* Go on with the fits whose answers came: those that waited for Jacobians, or for residuals. The
 * GIL is released where that takes long enough; the user's arrays have been read before. 0, or -1
 * with an exception. */
static int
advance(Lockstep *self, int jacobians)
{
    Pool *pool = &self->pool;
    double n = self->table.n;
    Gil gil = {0};
    int status = 0;

    gil_leave_for(&gil, (double)pool->used * pool->m * n * n);
    for (npy_intp i = 0; i < pool->used && status == 0; i++) {
        Fit *fit = &pool->fits[i];

        if (jacobians ? pool_wants_jacobian(pool, fit) : pool_points(pool, fit) > 0) {
            const int finite =
                fit->lm.request == LM_JACOBIAN || copy_all_finite(pool_target(fit), pool->m);

            status = pool_advance(pool, fit, finite);
        }
    }
    pool_flush(pool);
    gil_take(&gil);
    if (status < 0) {
        PyErr_NoMemory();
    }
    return status;
}

/* Put what func returned at the points of one fit where it belongs. */
static void
take_residuals(Lockstep *self, Fit *fit, int rows, const double *values)
{
    const int m = self->pool.m;

    for (npy_intp j = 0; j < rows; j++) {
        table_take_residuals(&self->table, fit->index, m, values + j * m, pool_target(fit) + j * m);
    }
    fit->evaluations += rows;
}

/* Learn m from the first answer. 0, or -1 with an exception. */
static int
open_pool(Lockstep *self, npy_intp m)
{
    if (table_check_size(&self->table, m) < 0) {
        return -1;
    }
    if (pool_open(&self->pool, (int)m, self->size) < 0) {
        pool_clear(&self->pool);
        return -1;
    }
    /* The first answer is for the first fit alone. */
    self->pool.end = 1;
    pool_fill(&self->pool);
    self->pool.end = self->table.count;
    return 0;
}

static int
take(Lockstep *self, PyArrayObject *values)
{
    Pool *pool = &self->pool;
    const double *row = PyArray_DATA(values);

    if (pool->fits == NULL && open_pool(self, PyArray_DIM(values, 1)) < 0) {
        return -1;
    }
    if (PyArray_DIM(values, 1) != pool->m) {
        PyErr_Format(PyExc_ValueError, "func returned %zd residuals for each fit, and %d before",
                     (Py_ssize_t)PyArray_DIM(values, 1), pool->m);
        return -1;
    }
    self->points = self->jacobians = 0;
    for (npy_intp i = 0; i < pool->used; i++) {
        int rows = pool_points(pool, &pool->fits[i]);

        if (rows > 0) {
            take_residuals(self, &pool->fits[i], rows, row);
        }
        row += (npy_intp)rows * pool->m;
    }
    return advance(self, 0);
}

static PyObject *
lockstep_take(PyObject *object, PyObject *values)
{
    Lockstep *self = (Lockstep *)object;
    PyObject *result = NULL;

    if (enter(self) < 0) {
        return NULL;
    }
    if (is_answer(values, 2, self->points) && take(self, (PyArrayObject *)values) == 0) {
        result = Py_NewRef(Py_None);
    }
    return leave(self, result);
}

/* Where the user's Jacobian is wanted: a new reference, None if nowhere; NULL with an exception. */
static PyObject *
gather_jacobian_points(Lockstep *self)
{
    const Pool *pool = &self->pool;
    const int n = self->table.n;
    npy_intp rows = 0;
    npy_intp *index;
    double *x;
    PyObject *pair;

    for (npy_intp i = 0; i < pool->used; i++) {
        rows += pool_wants_jacobian(pool, &pool->fits[i]);
    }
    self->jacobians = rows;
    if (rows == 0) {
        return Py_NewRef(Py_None);
    }
    pair = new_points(rows, n, &x, &index);
    if (pair == NULL) {
        return NULL;
    }
    for (npy_intp i = 0; i < pool->used; i++) {
        const Fit *fit = &pool->fits[i];

        if (pool_wants_jacobian(pool, fit)) {
            memcpy(x, fit->lm.x, (size_t)n * sizeof(double));
            *index++ = fit->index;
            x += n;
        }
    }
    return pair;
}

static PyObject *
lockstep_jacobian_points(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    Lockstep *self = (Lockstep *)object;

    if (enter(self) < 0) {
        return NULL;
    }
    return leave(self, gather_jacobian_points(self));
}

static int
take_jacobians(Lockstep *self, PyArrayObject *values)
{
    Pool *pool = &self->pool;
    Matrix matrix = {
        .first = PyArray_BYTES(values),
        .down = PyArray_STRIDE(values, 1),
        .right = PyArray_STRIDE(values, 2),
    };

    if (PyArray_DIM(values, 1) != pool->m || PyArray_DIM(values, 2) != self->table.n) {
        PyErr_SetString(PyExc_ValueError, "a Jacobian must have a row for each residual and a "
                                          "column for each variable");
        return -1;
    }
    self->points = self->jacobians = 0;
    for (npy_intp i = 0; i < pool->used; i++) {
        Fit *fit = &pool->fits[i];

        if (pool_wants_jacobian(pool, fit)) {
            copy_matrix(&matrix, pool->m, self->table.n, fit->jacobian);
            table_weigh_jacobian(&self->table, fit->index, pool->m, fit->jacobian);
            fit->jacobians++;
            matrix.first += PyArray_STRIDE(values, 0);
        }
    }
    return advance(self, 1);
}

static PyObject *
lockstep_take_jacobian(PyObject *object, PyObject *values)
{
    Lockstep *self = (Lockstep *)object;
    PyObject *result = NULL;

    if (enter(self) < 0) {
        return NULL;
    }
    if (is_answer(values, 3, self->jacobians) &&
        take_jacobians(self, (PyArrayObject *)values) == 0) {
        result = Py_NewRef(Py_None);
    }
    return leave(self, result);
}

static PyObject *
lockstep_set_epsfcn(PyObject *object, PyObject *type_num)
{
    Lockstep *self = (Lockstep *)object;
    long number = PyLong_AsLong(type_num);

    if (number == -1 && PyErr_Occurred()) {
        return NULL;
    }
    options_default_epsfcn(&self->table.options, (int)number);
    Py_RETURN_NONE;
}

static const PyMethodDef lockstep_methods[] = {
    {"points", lockstep_points, METH_NOARGS,
     "points($self, /)\n--\n\nWhere residuals are wanted: (X, index), or None."},
    {"take", lockstep_take, METH_O,
     "take($self, residuals, /)\n--\n\nWhat func returned there, shape (k, m)."},
    {"jacobian_points", lockstep_jacobian_points, METH_NOARGS,
     "jacobian_points($self, /)\n--\n\n"
     "Where Jacobians are wanted: (X, index), or None."},
    {"take_jacobian", lockstep_take_jacobian, METH_O,
     "take_jacobian($self, jacobians, /)\n--\n\n"
     "What Dfun returned there, shape (k, m, n)."},
    {"set_epsfcn", lockstep_set_epsfcn, METH_O,
     "set_epsfcn($self, type_num, /)\n--\n\n"
     "The NumPy type of func's first result, from which epsfcn follows unless "
     "it was given."},
    {NULL, NULL, 0, NULL},
};

static const PyMemberDef lockstep_members[] = {
    {"done", T_PYSSIZET, offsetof(Lockstep, pool.done), READONLY, "How many fits are finished."},
    {NULL, 0, 0, 0, NULL},
};

static PyObject *
lockstep_options(PyObject *object, void *Py_UNUSED(closure))
{
    return table_options(&((Lockstep *)object)->table);
}

static const PyGetSetDef lockstep_getset[] = {
    {"options", lockstep_options, NULL, "What messages speak of: ftol, xtol, gtol and maxfev.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

int
lockstep_add_type(PyObject *module)
{
    PyType_Slot slots[] = {
        {Py_tp_doc, (void *)"Lockstep(given, results, options, differences, size, /)\n"
                            "--\n\nMany fits, and what they wait for."},
        {Py_tp_new, (void *)lockstep_new},
        {Py_tp_dealloc, (void *)lockstep_dealloc},
        {Py_tp_methods, (void *)lockstep_methods},
        {Py_tp_members, (void *)lockstep_members},
        {Py_tp_getset, (void *)lockstep_getset},
        {0, NULL},
    };
    PyType_Spec spec = {
        .name = "pyminpack._core.Lockstep",
        .basicsize = sizeof(Lockstep),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
        .slots = slots,
    };

    return types_add(module, &spec);
}
