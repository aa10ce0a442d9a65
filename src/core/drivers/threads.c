/* Batch(given, results, options, func, dfun, data): many fits of a compiled function. Any number of
 * threads call run() until it returns False; each takes fits from those that nobody has begun, and
 * needs no GIL. */
#include "drivers/threads.h"

#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "user/copy.h"
#include "user/compiled.h"
#include "drivers/pool.h"
#include "types.h"
#include "user/gil.h"

/* How long run() takes, in seconds, before Python may see to Ctrl-C and to the progress; and a
 * portion of fits, so that the threads hardly meet. */
#define TURN 0.05
#define PORTION 0.001

typedef struct {
    PyObject ob_base;
    Table table;
    PyObject *func;      /* strong */
    PyObject *dfun;      /* strong; NULL: differences */
    PyArrayObject *data; /* strong; NULL, or a row for each fit */
    atomic_llong next;   /* the first fit that nobody has begun */
    atomic_llong done;
    atomic_int stop;
} Batch;

/* What one thread works with: as many fits at a time as are factored side by side. */
typedef struct {
    Pool pool;
    Gil gil;
    const CompiledFunction *func;
    const CompiledFunction *dfun; /* NULL: differences */
    struct timespec start;        /* when its turn began, */
    struct timespec begun;        /* and when it took its last portion, */
    long long portion;            /* and how many these were */
    npy_intp told;                /* fits that others know to be done */
    int no_memory;
} Worker;

static PyObject *
batch_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *given, *results, *options, *func, *dfun, *data;
    const CompiledFunction *function;
    Batch *self;

    if (kwargs != NULL && PyDict_GET_SIZE(kwargs) > 0) {
        PyErr_SetString(PyExc_TypeError, "Batch() takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "OOOOOO:Batch", &given, &results, &options, &func, &dfun, &data)) {
        return NULL;
    }
    function = compiled_function(func);
    if (function == NULL || (dfun != Py_None && (compiled_function(dfun) == NULL ||
                                                 compiled_function(dfun)->jacobian == NULL))) {
        PyErr_SetString(PyExc_TypeError, "Dfun is a compiled function without a Jacobian, or "
                                         "func or Dfun is not compiled");
        return NULL;
    }
    if (dfun != Py_None && compiled_function(dfun)->m != function->m) {
        PyErr_Format(PyExc_ValueError, "Dfun is compiled for %d residuals, and func gives %d",
                     compiled_function(dfun)->m, function->m);
        return NULL;
    }
    self = (Batch *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    atomic_init(&self->next, 0);
    atomic_init(&self->done, 0);
    atomic_init(&self->stop, 0);
    self->table.options.isa = types_state(PyType_GetModule(type))->isa;
    if (table_init(&self->table, given, results, options, dfun != Py_None) < 0 ||
        table_check_size(&self->table, function->m) < 0) {
        goto error;
    }
    options_default_epsfcn(&self->table.options, NPY_DOUBLE);
    if (data != Py_None) {
        if (!PyArray_CheckExact(data) || PyArray_NDIM((PyArrayObject *)data) < 1 ||
            !PyArray_ISCARRAY_RO((PyArrayObject *)data) ||
            PyArray_DIM((PyArrayObject *)data, 0) != self->table.count ||
            PyDataType_REFCHK(PyArray_DESCR((PyArrayObject *)data))) {
            PyErr_SetString(PyExc_ValueError, "data must be a C-contiguous array without "
                                              "objects, a row for each fit");
            goto error;
        }
        self->data = (PyArrayObject *)Py_NewRef(data);
    }
    self->func = Py_NewRef(func);
    self->dfun = dfun == Py_None ? NULL : Py_NewRef(dfun);
    return (PyObject *)self;

error:
    Py_DECREF(self);
    return NULL;
}

static void
batch_dealloc(PyObject *object)
{
    Batch *self = (Batch *)object;
    PyTypeObject *type = Py_TYPE(object);

    table_clear(&self->table);
    Py_CLEAR(self->func);
    Py_CLEAR(self->dfun);
    Py_CLEAR(self->data);
    type->tp_free(object);
    Py_DECREF(type);
}

/* Take all that one thread needs. 0, or -1 with an exception. */
static int
open_worker(Batch *self, Worker *worker)
{
    worker->func = compiled_function(self->func);
    worker->dfun = self->dfun == NULL ? NULL : compiled_function(self->dfun);
    worker->gil.stop = &self->stop;
    worker->pool.table = &self->table;
    worker->pool.differences = worker->dfun == NULL;
    return pool_open(&worker->pool, worker->func->m, pool_together(&self->table, worker->func->m));
}

/* What a function gets as p for a fit. */
static void *
data_of(const Batch *self, const CompiledFunction *function, npy_intp fit)
{
    return self->data == NULL ? function->p
                              : PyArray_BYTES(self->data) + fit * PyArray_STRIDE(self->data, 0);
}

/* Residuals of a fit at x to f: what the function returned, which is negative where it stops the
 * fit; or else 0. */
static int
run_residuals(const Batch *self, Worker *worker, Fit *fit, const double *x, double *f, int iflag)
{
    int status;

    fit->evaluations++;
    status = compiled_residuals(worker->func, data_of(self, worker->func, fit->index), fit->lm.n, x,
                                f, iflag);
    if (status < 0) {
        return status;
    }
    table_take_residuals(&self->table, fit->index, fit->m, f, f);
    return 0;
}

/* As run_residuals, for the Jacobian or the residuals at displaced points. */
static int
run_jacobian(const Batch *self, Worker *worker, Fit *fit)
{
    const CompiledFunction *dfun = worker->dfun;
    double *displaced = fit->lm.trial; /* which is not wanted yet */
    int status = 0;

    if (dfun != NULL) {
        fit->jacobians++;
        status = dfun->jacobian(data_of(self, dfun, fit->index), fit->m, fit->lm.n, fit->lm.x,
                                fit->f, fit->jacobian, fit->m, 2);
        table_weigh_jacobian(&self->table, fit->index, fit->m, fit->jacobian);
        return Py_MIN(status, 0);
    }
    lm_steps(&fit->lm, self->table.options.epsfcn, fit->steps);
    for (npy_intp j = 0; j < fit->lm.n && status == 0; j++) {
        if (gil_is_interrupted(&worker->gil)) {
            return 0; /* which the caller sees, too */
        }
        fit_displace(fit, j, displaced);
        status = run_residuals(self, worker, fit, displaced, fit->jacobian + j * fit->m, 2);
    }
    return status;
}

static double
seconds_since(const struct timespec *start)
{
    struct timespec now;

    timespec_get(&now, TIME_UTC);
    return (double)(now.tv_sec - start->tv_sec) + 1e-9 * (double)(now.tv_nsec - start->tv_nsec);
}

/* Whether so much time has passed. A clock that was set back has no say. */
static int
is_over(const struct timespec *start, double duration)
{
    double seconds = seconds_since(start);

    return seconds >= duration || seconds < 0.0;
}

/* Tell how many fits are done. Not after each of them: what all threads write to stands beside what
 * all of them read. */
static void
publish(Batch *self, Worker *worker)
{
    atomic_fetch_add(&self->done, worker->pool.done - worker->told);
    worker->told = worker->pool.done;
}

/* Let a worker begin fits that nobody has begun. Portions grow until they take some time. */
static void
take_portion(Batch *self, Worker *worker)
{
    Pool *pool = &worker->pool;
    long long first;

    if (!is_over(&worker->begun, PORTION)) {
        worker->portion *= 2;
    }
    timespec_get(&worker->begun, TIME_UTC);
    publish(self, worker);
    first = atomic_fetch_add(&self->next, worker->portion);
    pool->next = (npy_intp)Py_MIN(first, self->table.count);
    pool->end = (npy_intp)Py_MIN(first + worker->portion, self->table.count);
}

/* Answer what a fit waits for. 0, or -1 where the fits are to end. */
static int
answer(Batch *self, Worker *worker, Fit *fit)
{
    Pool *pool = &worker->pool;
    int finite = 1;
    int status;

    if (fit->lm.request == LM_TRIAL && !pool_may_try(pool, fit)) {
        return 0;
    }
    if (fit->lm.request == LM_JACOBIAN) {
        status = run_jacobian(self, worker, fit);
    }
    else {
        status = run_residuals(self, worker, fit,
                               fit->lm.request == LM_TRIAL ? fit->lm.trial : fit->lm.x,
                               pool_target(fit), 1);
        finite = status == 0 && copy_all_finite(pool_target(fit), fit->m);
    }
    if (worker->gil.interrupted) {
        return -1;
    }
    if (status < 0) {
        pool_stop(pool, fit, status);
    }
    else if (pool_advance(pool, fit, finite) < 0) {
        worker->no_memory = 1;
        return -1;
    }
    return 0;
}

/* Answer a fit until it has a Jacobian to be factored, one fit after the other, as long as there
 * are any. 0, or -1 where the fits are to end. */
static int
bring_to_jacobian(Batch *self, Worker *worker, Fit *fit)
{
    Pool *pool = &worker->pool;
    int request;

    do {
        /* A fit may end where it begins: at a start that is no number. */
        while (fit->lm.request == LM_FINISHED) {
            if (pool->next == pool->end && !is_over(&worker->start, TURN)) {
                take_portion(self, worker);
            }
            if (!pool_refill(pool, fit)) {
                return 0;
            }
        }
        request = fit->lm.request;
        if (gil_is_interrupted(&worker->gil) || answer(self, worker, fit) < 0) {
            return -1;
        }
    } while (request != LM_JACOBIAN);
    return 0;
}

/* Make fits until there are none left; those that are under way when the turn is over are still
 * made. 0, or -1 where the fits are to end. */
static int
make_fits(Batch *self, Worker *worker)
{
    Pool *pool = &worker->pool;

    timespec_get(&worker->start, TIME_UTC);
    worker->begun = worker->start;
    worker->portion = 1;
    take_portion(self, worker);
    for (;;) {
        pool_fill(pool);
        if (pool->used == 0) {
            return 0;
        }
        for (npy_intp i = 0; i < pool->used; i++) {
            if (bring_to_jacobian(self, worker, &pool->fits[i]) < 0) {
                return -1;
            }
        }
        pool_flush(pool);
    }
}

static PyObject *
batch_run(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    Batch *self = (Batch *)object;
    Worker worker = {0};
    PyObject *result = NULL;

    if (open_worker(self, &worker) == 0) {
        gil_leave(&worker.gil);
        (void)make_fits(self, &worker);
        publish(self, &worker);
        gil_take(&worker.gil);
        if (worker.no_memory) {
            PyErr_NoMemory();
        }
        if (!PyErr_Occurred()) {
            result = PyBool_FromLong(atomic_load(&self->next) < self->table.count &&
                                     !atomic_load(&self->stop));
        }
    }
    pool_clear(&worker.pool);
    return result;
}

static PyObject *
batch_stop(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    atomic_store(&((Batch *)object)->stop, 1);
    Py_RETURN_NONE;
}

static PyObject *
batch_get_done(PyObject *object, void *Py_UNUSED(closure))
{
    return PyLong_FromLongLong(atomic_load(&((Batch *)object)->done));
}

static PyObject *
batch_options(PyObject *object, void *Py_UNUSED(closure))
{
    return table_options(&((Batch *)object)->table);
}

static const PyMethodDef batch_methods[] = {
    {"run", batch_run, METH_NOARGS,
     "run($self, /)\n--\n\nMake fits for a while; whether some are left to begin."},
    {"stop", batch_stop, METH_NOARGS,
     "stop($self, /)\n--\n\nHave every run() end, and no fit begin."},
    {NULL, NULL, 0, NULL},
};

static const PyGetSetDef batch_getset[] = {
    {"done", batch_get_done, NULL, "How many fits are finished.", NULL},
    {"options", batch_options, NULL, "What messages speak of: ftol, xtol, gtol and maxfev.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

int
batch_add_type(PyObject *module)
{
    PyType_Slot slots[] = {
        {Py_tp_doc, (void *)"Batch(given, results, options, func, dfun, data, /)\n"
                            "--\n\nMany fits of a compiled function."},
        {Py_tp_new, (void *)batch_new},
        {Py_tp_dealloc, (void *)batch_dealloc},
        {Py_tp_methods, (void *)batch_methods},
        {Py_tp_getset, (void *)batch_getset},
        {0, NULL},
    };
    PyType_Spec spec = {
        .name = "pyminpack._core.Batch",
        .basicsize = sizeof(Batch),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
        .slots = slots,
    };

    return types_add(module, &spec);
}
