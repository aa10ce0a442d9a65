/* Batch(given, results, options, func, dfun, data): many fits of a compiled
 * function. Any number of threads call run() until it returns False; each
 * takes fits from those that nobody has begun, and needs no GIL. */
#include "drivers/threads.h"

#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "drivers/table.h"
#include "user/compiled.h"
#include "drivers/pool.h"
#include "types.h"
#include "user/gil.h"

#ifdef PYMINPACK_BLOCKED

/* How long run() takes, in seconds, before Python may see to Ctrl-C and to the
 * progress; and a portion of fits, so that the threads hardly meet. */
#define TURN 0.05
#define PORTION 0.001

typedef struct {
    PyObject ob_base;
    Fits fits;
    PyObject *func;      /* strong */
    PyObject *dfun;      /* strong; NULL: differences */
    PyArrayObject *data; /* strong; NULL, or a row for each fit */
    atomic_llong next;   /* the first fit that nobody has begun */
    atomic_llong done;
    atomic_int stop;
} Batch;

/* What one thread works with: as many fits at a time as are factored side by
 * side. */
typedef struct {
    Slots slots;
    Watch watch;
    const CompiledFunction *func;
    const CompiledFunction *dfun; /* NULL: differences */
    double *points;               /* owned: n by n, where x is displaced */
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
    if (!PyArg_ParseTuple(args, "OOOOOO:Batch", &given, &results, &options,
                          &func, &dfun, &data)) {
        return NULL;
    }
    function = compiled_function(func);
    if (function == NULL ||
        (dfun != Py_None && (compiled_function(dfun) == NULL ||
                             compiled_function(dfun)->jacobian == NULL))) {
        PyErr_SetString(PyExc_TypeError,
                        "Dfun is a compiled function without a Jacobian, or "
                        "func or Dfun is not compiled");
        return NULL;
    }
    if (dfun != Py_None && compiled_function(dfun)->m != function->m) {
        PyErr_Format(PyExc_ValueError,
                     "Dfun is compiled for %d residuals, and func gives %d",
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
    if (fits_init(&self->fits, given, results, options) < 0 ||
        fits_check_size(&self->fits, function->m) < 0) {
        goto error;
    }
    if (self->fits.options.epsfcn < 0.0) {
        /* None never fails. */
        (void)options_read_epsfcn(&self->fits.options, Py_None, NPY_DOUBLE);
    }
    if (data != Py_None) {
        if (!PyArray_CheckExact(data) ||
            PyArray_NDIM((PyArrayObject *)data) < 1 ||
            !PyArray_ISCARRAY_RO((PyArrayObject *)data) ||
            PyArray_DIM((PyArrayObject *)data, 0) != self->fits.count ||
            PyDataType_REFCHK(PyArray_DESCR((PyArrayObject *)data))) {
            PyErr_SetString(PyExc_ValueError,
                            "data must be a C-contiguous array without "
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

    fits_clear(&self->fits);
    Py_CLEAR(self->func);
    Py_CLEAR(self->dfun);
    Py_CLEAR(self->data);
    type->tp_free(object);
    Py_DECREF(type);
}

/* Take all that one thread needs. 0, or -1 with an exception. */
static int
hire(Batch *self, Worker *worker)
{
    const Fits *fits = &self->fits;
    size_t n = (size_t)fits->n;
    int width;

    worker->func = compiled_function(self->func);
    worker->dfun = self->dfun == NULL ? NULL : compiled_function(self->dfun);
    worker->slots.differences = worker->dfun == NULL;
    width = slots_together(fits, worker->func->m);
    if (slots_open(&worker->slots, fits, worker->func->m, width) < 0) {
        return -1;
    }
    if (worker->dfun == NULL) {
        /* There is as much as m by n by now. */
        worker->points = PyMem_New(double, n *n);
        if (worker->points == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    return 0;
}

static void
dismiss(Worker *worker)
{
    PyMem_Free(worker->points);
    slots_clear(&worker->slots);
}

/* What a function gets as p for a fit. */
static void *
data_of(const Batch *self, const CompiledFunction *function, npy_intp fit)
{
    return self->data == NULL ? function->p
                              : PyArray_BYTES(self->data) +
                                    fit * PyArray_STRIDE(self->data, 0);
}

/* Residuals of a slot's fit at x to f: what the function returned, which is
 * negative where it stops the fit; or else 0. */
static int
run_residuals(const Batch *self, Worker *worker, Slot *slot, const double *x,
              double *f, int iflag)
{
    int status;

    slot->nfev++;
    status = compiled_residuals(worker->func,
                                data_of(self, worker->func, slot->fit),
                                self->fits.n, x, f, iflag);
    if (status < 0) {
        return status;
    }
    slot->finite =
        fits_weigh_residuals(&self->fits, slot->fit, worker->slots.m, f);
    return 0;
}

/* As run_residuals, for the Jacobian or the residuals at displaced points. */
static int
run_jacobian(const Batch *self, Worker *worker, Slot *slot)
{
    const Fits *fits = &self->fits;
    const CompiledFunction *dfun = worker->dfun;
    const int m = worker->slots.m;
    int status = 0;

    if (dfun != NULL) {
        slot->njev++;
        status = dfun->jacobian(data_of(self, dfun, slot->fit), m, fits->n,
                                slot->x, slot->fvec, slot->fjac, m, 2);
        fits_weigh_jacobian(fits, slot->fit, m, slot->fjac);
        return Py_MIN(status, 0);
    }
    lm_displace(&fits->n, slot->x, &fits->options.epsfcn, worker->points,
                slot->steps);
    for (npy_intp j = 0; j < fits->n && status == 0; j++) {
        if (watch_is_interrupted(&worker->watch)) {
            return 0; /* which the caller sees, too */
        }
        status =
            run_residuals(self, worker, slot, worker->points + j * fits->n,
                          slot->fjac + j * m, 2);
    }
    return status;
}

static double
seconds_since(const struct timespec *start)
{
    struct timespec now;

    timespec_get(&now, TIME_UTC);
    return (double)(now.tv_sec - start->tv_sec) +
           1e-9 * (double)(now.tv_nsec - start->tv_nsec);
}

/* Whether so much time has passed. A clock that was set back has no say. */
static int
is_over(const struct timespec *start, double duration)
{
    double seconds = seconds_since(start);

    return seconds >= duration || seconds < 0.0;
}

/* Tell how many fits are done. Not after each of them: what all threads write
 * to stands beside what all of them read. */
static void
report(Batch *self, Worker *worker)
{
    atomic_fetch_add(&self->done, worker->slots.done - worker->told);
    worker->told = worker->slots.done;
}

/* Let a worker begin fits that nobody has begun. Portions grow until they take
 * some time. */
static void
take_portion(Batch *self, Worker *worker)
{
    Slots *slots = &worker->slots;
    long long first;

    if (!is_over(&worker->begun, PORTION)) {
        worker->portion *= 2;
    }
    timespec_get(&worker->begun, TIME_UTC);
    report(self, worker);
    first = atomic_fetch_add(&self->next, worker->portion);
    slots->next = (npy_intp)Py_MIN(first, self->fits.count);
    slots->end = (npy_intp)Py_MIN(first + worker->portion, self->fits.count);
}

/* Answer what a slot waits for. 0, or -1 where the fits are to end. */
static int
serve(Batch *self, Worker *worker, Slot *slot)
{
    Slots *slots = &worker->slots;
    int status;

    switch (slot->state.request) {
    case LM_RESIDUAL:
        status = run_residuals(self, worker, slot, slot->x, slot->fvec, 1);
        break;
    case LM_TRIAL:
        if (!slots_may_try(slots, &self->fits, slot)) {
            return 0;
        }
        status =
            run_residuals(self, worker, slot, slot->trial, slot->ftrial, 1);
        break;
    default:
        status = run_jacobian(self, worker, slot);
    }
    if (worker->watch.interrupted) {
        return -1;
    }
    if (status < 0) {
        slots_stop(slots, &self->fits, slot, status);
    }
    else if (slots_advance(slots, &self->fits, slot) < 0) {
        worker->no_memory = 1;
        return -1;
    }
    return 0;
}

/* Serve a slot until it has a Jacobian to be factored, one fit after the
 * other, as long as there are any. 0, or -1 where the fits are to end. */
static int
bring_to_jacobian(Batch *self, Worker *worker, Slot *slot)
{
    Slots *slots = &worker->slots;
    int request;

    do {
        /* Improper options finish a fit before it begins. */
        while (slot->state.request == LM_FINISHED) {
            if (slots->next == slots->end && !is_over(&worker->start, TURN)) {
                take_portion(self, worker);
            }
            if (!slots_refill(slots, &self->fits, slot)) {
                return 0;
            }
        }
        request = slot->state.request;
        if (watch_is_interrupted(&worker->watch) ||
            serve(self, worker, slot) < 0) {
            return -1;
        }
    } while (request != LM_JACOBIAN);
    return 0;
}

/* Make fits until there are none left; those that are under way when the turn
 * is over are still made. 0, or -1 where the fits are to end. */
static int
make_fits(Batch *self, Worker *worker)
{
    Slots *slots = &worker->slots;

    timespec_get(&worker->start, TIME_UTC);
    worker->begun = worker->start;
    worker->portion = 1;
    take_portion(self, worker);
    for (;;) {
        slots_settle(slots, &self->fits);
        if (slots->used == 0) {
            return 0;
        }
        for (npy_intp i = 0; i < slots->used; i++) {
            if (bring_to_jacobian(self, worker, &slots->slots[i]) < 0) {
                return -1;
            }
        }
        slots_flush(slots, &self->fits);
    }
}

static PyObject *
batch_run(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    Batch *self = (Batch *)object;
    Worker worker = {.watch.stop = &self->stop};
    PyObject *result = NULL;

    if (hire(self, &worker) == 0) {
        watch_begin(&worker.watch);
        (void)make_fits(self, &worker);
        report(self, &worker);
        watch_end(&worker.watch);
        if (worker.no_memory) {
            PyErr_NoMemory();
        }
        if (!PyErr_Occurred()) {
            result =
                PyBool_FromLong(atomic_load(&self->next) < self->fits.count &&
                                !atomic_load(&self->stop));
        }
    }
    dismiss(&worker);
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

static const PyMethodDef batch_methods[] = {
    {"run", batch_run, METH_NOARGS,
     "run($self, /)\n--\n\nMake fits for a while; whether some are left to begin."},
    {"stop", batch_stop, METH_NOARGS,
     "stop($self, /)\n--\n\nHave every run() end, and no fit begin."},
    {NULL, NULL, 0, NULL},
};

static const PyGetSetDef batch_getset[] = {
    {"done", batch_get_done, NULL, "How many fits are finished.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

int
batch_add_type(PyObject *module)
{
    PyType_Slot slots[] = {
        {Py_tp_doc,
         (void *)"Batch(given, results, options, func, dfun, data, /)\n"
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

#else

int
batch_add_type(PyObject *module)
{
    (void)module;
    return 0;
}

#endif
