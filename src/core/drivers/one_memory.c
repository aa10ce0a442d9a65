/* The memory of one fit, and the arrays that its user gets. */
#include "drivers/one.h"

#include <string.h>

#include "user/answers.h"

void
one_clear(One *one)
{
    keep_clear(&one->keep, one->fit.lm.n);
    fit_clear(&one->fit);
    call_clear(&one->call);
    Py_CLEAR(one->memory);
    Py_CLEAR(one->x_memory);
    Py_CLEAR(one->fvec);
    Py_CLEAR(one->fjac);
    Py_CLEAR(one->ipvt);
    Py_CLEAR(one->qtf);
}

/* Doubles in a new array, because NumPy has the system back large ones by large pages. NULL with an
 * exception. */
static double *
allocate(PyArrayObject **array, npy_intp size)
{
    *array = (PyArrayObject *)PyArray_SimpleNew(1, &size, NPY_DOUBLE);
    return *array == NULL ? NULL : PyArray_DATA(*array);
}

int
one_copy_start(One *one)
{
    npy_intp n = one->call.given->n;

    one->fit.lm.n = (int)n;
    one->fit.lm.x = n > ONE_ROOM ? allocate(&one->x_memory, n) : one->room;
    if (one->fit.lm.x == NULL) {
        return -1;
    }
    copy_vector(one->call.given->start, one->fit.lm.x);
    return 0;
}

/* Whether the whole Jacobian, or the residuals at displaced points, are written to memory of ours.
 */
static int
is_written_whole(const One *one)
{
    if (one->fit.lm.isa < 0) {
        return 1;
    }
    return one->call.given->dfun == NULL ? one->call.residuals != NULL
                                         : one->call.derivatives != NULL;
}

/* How many elements the pieces of the workspace have that are not vectors of length n; 0: not
 * wanted. Every product is of two ints, or of an int and a little more, and their sum fits a
 * size_t. */
typedef struct {
    size_t vectors, f, f_trial, jacobian, points, chunk, spare;
} Sizes;

static Sizes
sizes_of(const One *one)
{
    const Fit *fit = &one->fit;
    const size_t m = (size_t)fit->m, n = (size_t)fit->lm.n;
    const int kept = one_keeps_arrays(one);
    const int blocks = fit->lm.isa >= 0;

    return (Sizes){
        .vectors = fit_size(fit),
        .f = kept || one->call.given->full ? 0 : m,
        .f_trial = kept ? 0 : m,
        .jacobian = is_written_whole(one) && !one->call.given->full ? m * n : 0,
        .points = blocks && one->call.given->dfun == NULL ? n : 0,
        .chunk = blocks && one->call.given->dfun != NULL && one->call.derivatives == NULL
                     ? (size_t)one->chunk.size
                     : 0,
        .spare = (size_t)lm_spare(fit->lm.n, fit->lm.isa),
    };
}

/* The next piece of the workspace; NULL where it is not wanted. */
static void *
piece(double **rest, size_t size)
{
    double *start = *rest;

    *rest += size;
    return size == 0 ? NULL : start;
}

/* The workspace, in pieces. 0, or -1 with an exception. */
static int
allocate_workspace(One *one)
{
    Fit *fit = &one->fit;
    const Sizes sizes = sizes_of(one);
    const size_t total = sizes.vectors + sizes.f + sizes.f_trial + sizes.jacobian + sizes.points +
                         sizes.chunk + sizes.spare;
    double *rest;

    if (total > NPY_MAX_INTP) {
        PyErr_NoMemory();
        return -1;
    }
    rest = one->room + fit->lm.n;
    if (total + (size_t)fit->lm.n > ONE_ROOM) {
        rest = allocate(&one->memory, (npy_intp)total);
    }
    if (rest == NULL) {
        return -1;
    }
    rest = fit_lay_out(fit, rest);
    fit->f = piece(&rest, sizes.f);
    fit->f_trial = piece(&rest, sizes.f_trial);
    fit->jacobian = piece(&rest, sizes.jacobian);
    one->points = piece(&rest, sizes.points); /* not larger than doubles */
    one->chunk.memory = piece(&rest, sizes.chunk);
    fit->lm.spare = piece(&rest, sizes.spare);
    return 0;
}

/* An array for the user, zeroed, because MINPACK leaves it alone when an argument is improper. 0,
 * or -1 with an exception. */
static int
new_result(PyArrayObject **result, int ndim, npy_intp *shape, int type_num)
{
    *result = (PyArrayObject *)PyArray_ZEROS(ndim, shape, type_num, 0);
    return *result == NULL ? -1 : 0;
}

static int
allocate_fjac(One *one)
{
    npy_intp shape[2] = {one->fit.lm.n, one->fit.m};

    return new_result(&one->fjac, 2, shape, NPY_DOUBLE);
}

/* Allocate the arrays that the user gets, and let the fit work in them, but for those that a fit by
 * blocks makes itself. 0, or -1 with an exception. */
static int
allocate_results(One *one)
{
    Fit *fit = &one->fit;
    npy_intp variables[1] = {fit->lm.n};
    npy_intp residuals[1] = {fit->m};

    if (!one_keeps_arrays(one)) {
        if (new_result(&one->fvec, 1, residuals, NPY_DOUBLE) < 0) {
            return -1;
        }
        fit->f = PyArray_DATA(one->fvec);
    }
    if (is_written_whole(one)) {
        if (allocate_fjac(one) < 0) {
            return -1;
        }
        fit->jacobian = PyArray_DATA(one->fjac);
    }
    if (new_result(&one->ipvt, 1, variables, NPY_INT) < 0 ||
        new_result(&one->qtf, 1, variables, NPY_DOUBLE) < 0) {
        return -1;
    }
    fit->lm.ipvt = PyArray_DATA(one->ipvt);
    fit->lm.qtf = PyArray_DATA(one->qtf);
    return 0;
}

/* Take what func returned at the start, as `value` and the array made of it. Steals both. 0, or -1
 * with an exception. */
static int
take_first(One *one, PyObject *value, PyArrayObject *array)
{
    if (one_keeps_arrays(one)) {
        return keep_open(&one->keep, &one->fit, value, array, one->call.given->dfun == NULL);
    }
    one->first_finite = copy_vector(array, one->fit.f);
    Py_DECREF(array);
    /* Not before: when it goes it may do anything to an array that it made. */
    Py_DECREF(value);
    return 0;
}

/* Everything once the number of residuals is known. */
static int
allocate_all(One *one)
{
    Fit *fit = &one->fit;
    const int isa = factor_isa(&one->call.given->options, fit->m, fit->lm.n);

    fit_shape(fit, fit->m, fit->lm.n, isa);
    if (isa >= 0) {
        one->chunk = factor_chunk(fit->m, fit->lm.n);
    }
    if (allocate_workspace(one) < 0 || (one->call.given->full && allocate_results(one) < 0)) {
        return -1;
    }
    if (isa < 0) {
        fit->lm.r = fit->jacobian;
    }
    return 0;
}

int
one_open(One *one)
{
    const Given *given = one->call.given;
    Fit *fit = &one->fit;
    PyObject *value = NULL;
    PyArrayObject *array = NULL;
    int type_num = NPY_DOUBLE;

    if (call_init(&one->call) < 0) {
        return -1;
    }
    if (one->call.residuals == NULL) {
        fit->evaluations++;
        value = call_python(&one->call, one->call.given->func, fit->lm.x, fit->lm.n);
        if (value == NULL) {
            return -1;
        }
        array = answers_first_residuals(value, fit->lm.n, &type_num);
        if (array == NULL) {
            goto error;
        }
        fit->m = (int)PyArray_SIZE(array);
    }
    if (call_find_m(&one->call, &fit->m, fit->lm.n) < 0 || allocate_all(one) < 0) {
        goto error;
    }
    if (array != NULL && take_first(one, value, array) < 0) {
        return -1;
    }
    options_default_epsfcn(&one->call.given->options, type_num);
    if (given->diag != NULL) {
        copy_vector(given->diag, fit->lm.diag);
    }
    return 0;

error:
    Py_XDECREF(array);
    Py_XDECREF(value);
    return -1;
}

/* Put R of a fit by blocks, and nothing else, where the user looks for it. What is zero already,
 * and that may be a lot, is left alone. */
static void
copy_factors(const One *one, int is_zero)
{
    const Fit *fit = &one->fit;
    const size_t m = (size_t)fit->m, n = (size_t)fit->lm.n;
    double *fjac = PyArray_DATA(one->fjac);

    if (!is_zero) {
        memset(fjac, 0, m * n * sizeof(double));
    }
    for (size_t j = 0; j < n; j++) {
        memcpy(fjac + j * m, fit->lm.r + j * (size_t)fit->lm.ldr, (j + 1) * sizeof(double));
    }
}

int
one_hand_over(One *one)
{
    Fit *fit = &one->fit;
    int is_zero = 0;

    if (!one->call.given->full) {
        return 0;
    }
    if (one_keeps_arrays(one)) {
        one->fvec = one->keep.f;
        one->keep.f = NULL;
        keep_clear(&one->keep, fit->lm.n);
    }
    else if (fit->f != PyArray_DATA(one->fvec)) {
        memcpy(PyArray_DATA(one->fvec), fit->f, (size_t)fit->m * sizeof(double));
    }
    if (fit->lm.info == 0) { /* MINPACK did nothing at all */
        memset(PyArray_DATA(one->fvec), 0, (size_t)fit->m * sizeof(double));
    }
    if (one->fjac == NULL) {
        if (allocate_fjac(one) < 0) {
            return -1;
        }
        is_zero = 1;
    }
    if (fit->lm.isa >= 0 && fit->factored) {
        copy_factors(one, is_zero);
    }
    return 0;
}
