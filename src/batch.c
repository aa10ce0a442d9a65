/* Batch(given, results, options, func, dfun, data): many fits of a compiled
 * function. Any number of threads call run() until it returns False; each
 * takes fits from those that nobody has begun, and needs no GIL. */
#include "batch.h"

#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "fits.h"
#include "problem.h"
#include "solve.h"
#include "types.h"

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

/* What one thread works with. */
typedef struct {
    Solve solve;
    Problem problem;
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
        (dfun != Py_None && compiled_function(dfun) == NULL)) {
        PyErr_SetString(PyExc_TypeError, "the functions must be compiled");
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

/* Take all that the fits of one thread need. 0, or -1 with an exception. */
static int
hire(Batch *self, Worker *worker)
{
    Solve *solve = &worker->solve;
    Problem *problem = &worker->problem;
    npy_intp shape[1] = {self->fits.n};
    PyObject *no_args = PyTuple_New(0);
    int status;

    if (no_args == NULL) {
        return -1;
    }
    status = problem_init(problem, self->func, self->dfun, no_args,
                          self->fits.n, 0);
    Py_DECREF(no_args);
    if (status < 0 || problem_settle_m(problem) < 0) {
        return -1;
    }
    problem->fits = &self->fits;
    problem->stop = &self->stop;
    solve->options = self->fits.options;
    if (solve->options.epsfcn < 0.0 &&
        options_read_epsfcn(&solve->options, Py_None, NPY_DOUBLE) < 0) {
        return -1;
    }
    solve->x = (PyArrayObject *)PyArray_SimpleNew(1, shape, NPY_DOUBLE);
    return solve->x == NULL ? -1 : solve_allocate(solve, problem, NULL);
}

static void
dismiss(Worker *worker)
{
    problem_clear(&worker->problem);
    solve_clear(&worker->solve);
}

/* Make one fit and write its results. 0, or -1 where it was stopped from
 * outside. */
static int
make_fit(Batch *self, Worker *worker, npy_intp fit)
{
    Fits *fits = &self->fits;
    Solve *solve = &worker->solve;
    Problem *problem = &worker->problem;
    const size_t row = (size_t)fits->n * sizeof(double);
    Outcome outcome;

    problem_restart(problem);
    problem->fit = fit;
    if (self->data != NULL) {
        problem->data =
            PyArray_BYTES(self->data) + fit * PyArray_STRIDE(self->data, 0);
        problem->derivatives_data = problem->data;
    }
    memcpy(PyArray_DATA(solve->x), fits_row(fits->x0, fit), row);
    if (fits->diag != NULL) {
        memcpy(solve->diag, fits_row(fits->diag, fit), row);
    }
    if (solve_fit(solve, problem, &outcome.info) < 0) {
        return -1;
    }
    outcome.nfev = problem->nfev;
    outcome.njev = problem->njev;
    outcome.x = PyArray_DATA(solve->x);
    outcome.fvec = solve->fvec_at;
    outcome.r = problem->guard.r;
    outcome.ldr = problem->guard.ldr;
    outcome.ipvt = solve->ipvt_at;
    fits_store(fits, fit, problem->m, &outcome, solve->wa);
    atomic_fetch_add_explicit(&self->done, 1, memory_order_relaxed);
    return 0;
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

/* Make fits until there are none left or the turn is over, in portions that
 * grow until they take some time. 0, or -1 where a fit was stopped from
 * outside. */
static int
make_fits(Batch *self, Worker *worker)
{
    long long portion = 1;
    struct timespec start, begun;

    timespec_get(&start, TIME_UTC);
    do {
        long long first = atomic_fetch_add(&self->next, portion);
        long long end = first + portion;

        timespec_get(&begun, TIME_UTC);
        for (long long fit = first; fit < end; fit++) {
            if (fit >= self->fits.count || atomic_load(&self->stop)) {
                return 0;
            }
            if (make_fit(self, worker, (npy_intp)fit) < 0) {
                return -1;
            }
        }
        if (!is_over(&begun, PORTION)) {
            portion *= 2;
        }
    } while (!is_over(&start, TURN));
    return 0;
}

static PyObject *
batch_run(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    Batch *self = (Batch *)object;
    Worker worker = {0};
    PyObject *result = NULL;
    int status = hire(self, &worker);

    if (status == 0) {
        worker.problem.looked = time(NULL);
        worker.problem.released = PyEval_SaveThread();
        status = make_fits(self, &worker);
        problem_take_gil(&worker.problem);
        if (worker.problem.no_memory) {
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
