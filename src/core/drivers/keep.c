#include "drivers/keep.h"

#include <math.h>
#include <string.h>

#include "user/answers.h"
#include "minpack.h"
#include "user/native.h"
#include "drivers/owned.h"

#ifdef PYMINPACK_BLOCKED

/* A Jacobian of so many elements has left all caches before it is reduced. */
#define BEYOND_CACHES 4e6

static PyArrayObject *
new_vector(npy_intp size)
{
    return (PyArrayObject *)PyArray_SimpleNew(1, &size, NPY_DOUBLE);
}

/* Memory for the copies of residuals at displaced points. All of it at once:
 * what is too large is refused before any of it is used. 0, or -1 with an
 * exception. */
static int
make_room(Large *large, const Problem *problem)
{
    if (large->room != NULL) {
        return 0;
    }
    large->memory = new_vector((npy_intp)problem->m * problem->n);
    if (large->memory == NULL) {
        return -1;
    }
    large->room = PyArray_DATA(large->memory);
    return 0;
}

/* What differences need. 0, or -1 with an exception. */
static int
open_columns(Large *large, const Problem *problem)
{
    const size_t n = (size_t)problem->n;

    large->columns = PyMem_Calloc(n, sizeof(*large->columns));
    large->points = PyMem_Calloc(n, sizeof(*large->points));
    if (large->columns == NULL || large->points == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    /* As the first array was, so will the others be. */
    return large->adopted ? 0 : make_room(large, problem);
}

/* Give back the arrays of differences. */
static void
clear_columns(Large *large, int n)
{
    for (Py_ssize_t j = 0; large->columns != NULL && j < n; j++) {
        Py_CLEAR(large->columns[j]);
    }
}

/* Done with the residuals at the trial point that somebody else holds, too. */
static void
clear_seen(Large *large)
{
    Py_CLEAR(large->seen);
    Py_CLEAR(large->seen_value);
}

void
large_clear(Large *large, int n)
{
    clear_seen(large);
    Py_CLEAR(large->fvec);
    Py_CLEAR(large->ftrial);
    Py_CLEAR(large->memory);
    clear_columns(large, n);
    PyMem_Free(large->columns);
    large->columns = NULL;
    PyMem_Free(large->points);
    large->points = NULL;
}

/* Where a copy of residuals goes: those for a difference, or those of *slot
 * where `column` is negative. NULL with an exception. */
static double *
place_for(Large *large, const Problem *problem, PyArrayObject **slot,
          Py_ssize_t column)
{
    if (column >= 0) {
        return make_room(large, problem) < 0
                   ? NULL
                   : large->room + column * problem->m;
    }
    if (*slot == NULL) {
        *slot = new_vector(problem->m);
    }
    return *slot == NULL ? NULL : PyArray_DATA(*slot);
}

static int
is_beyond_caches(const Problem *problem)
{
    return (double)problem->m * problem->n >= BEYOND_CACHES;
}

static void
copy(PyArrayObject *array, double *place, int past_caches)
{
    if (past_caches && PyArray_IS_C_CONTIGUOUS(array)) {
        copy_past_caches(PyArray_DATA(array), PyArray_SIZE(array), place);
    }
    else {
        copy_vector(array, place);
    }
}

/* Whether residuals at the trial point need no copy before the iteration has
 * judged the point: nobody can change them meanwhile. */
static int
can_wait(const Problem *problem, PyArrayObject *array)
{
#ifdef Py_GIL_DISABLED
    (void)problem;
    (void)array;
    return 0;
#else
    return PyArray_ISCARRAY_RO(array) && !problem_leaves_gil_to_step(problem);
#endif
}

/* Keep residuals: the array itself in *slot where nobody else holds it,
 * otherwise a copy, or for now, at the trial point, what there is. `value` is
 * what func returned and the array was made from; steals both references.
 * Returns where the residuals are, or NULL with an exception. */
static const double *
keep(Large *large, const Problem *problem, PyObject *value,
     PyArrayObject *array, PyArrayObject **slot, Py_ssize_t column)
{
    double *place;

    if (value == (PyObject *)array) {
        Py_CLEAR(value);
    }
    large->adopted = owned_is(array, problem->m);
    if (large->adopted) {
        Py_XSETREF(*slot, array);
        place = PyArray_DATA(array);
    }
    else if (slot == &large->ftrial && can_wait(problem, array)) {
        large->seen = array;
        large->seen_value = value;
        return PyArray_DATA(array);
    }
    else {
        place = place_for(large, problem, slot, column);
        if (place != NULL) {
            copy(array, place, column >= 0 && is_beyond_caches(problem));
        }
        Py_DECREF(array);
    }
    /* Not before: when it goes it may do anything to an array that it made. */
    Py_XDECREF(value);
    return place;
}

int
large_open(Large *large, Problem *problem, PyArrayObject *first)
{
    if (first != NULL) {
        PyObject *result = problem->result;

        problem->result = NULL;
        if (keep(large, problem, result, first, &large->fvec, -1) == NULL) {
            return -1;
        }
    }
    else {
        large->fvec = new_vector(problem->m);
        large->ftrial = new_vector(problem->m);
        if (large->fvec == NULL || large->ftrial == NULL) {
            return -1;
        }
    }
    return problem->dfun == NULL ? open_columns(large, problem) : 0;
}

/* Residuals of a Python function at x, kept. Returns where they are, or NULL
 * with an exception. */
static const double *
call(Large *large, Problem *problem, const double *x, PyArrayObject **slot,
     Py_ssize_t column)
{
    PyObject *result;
    PyArrayObject *array;

    problem->nfev++;
    if (large->adopted) { /* so that func may have the memory */
        Py_CLEAR(*slot);
    }
    result = problem_call(problem, problem->func, x);
    if (result == NULL) {
        return NULL;
    }
    array = answers_vector(result, problem->m);
    if (array == NULL) {
        Py_DECREF(result);
        return NULL;
    }
    return keep(large, problem, result, array, slot, column);
}

/* Residuals of a compiled function at x to fvec. 0, or -1 as the callbacks
 * report it. */
static int
call_compiled(Problem *problem, const double *x, double *fvec, int iflag)
{
    problem->nfev++;
    return native_residuals(problem, x, fvec, iflag) < 0 ? -1 : 0;
}

/* Residuals at x to *slot, fvec's or ftrial's. Returns where they are, or NULL
 * as the callbacks report it. */
static const double *
evaluate(Large *large, Problem *problem, const double *x, PyArrayObject **slot)
{
    double *place;

    if (problem->residuals == NULL) {
        return call(large, problem, x, slot, -1);
    }
    place = PyArray_DATA(*slot);
    return call_compiled(problem, x, place, 1) < 0 ? NULL : place;
}

/* The norm of residuals; *finite becomes whether all of them are. */
static double
norm_of(const Large *large, int m, const double *residuals, int *finite)
{
    double norm = blocked_norm(large->blocks.isa, m, residuals);

    /* It may be too large for a double where none of them is. */
    *finite = isfinite(norm) || copy_all_finite(residuals, m);
    return norm;
}

/* Residuals at the start, whose norm is *fnorm. 0, or -1 as the callbacks
 * report it. */
static int
answer_residuals(Large *large, Problem *problem, const double *x,
                 double *fnorm)
{
    int finite;

    if (problem->residuals != NULL &&
        evaluate(large, problem, x, &large->fvec) == NULL) {
        return -1;
    }
    *fnorm = norm_of(large, problem->m, PyArray_DATA(large->fvec), &finite);
    return guard_first(&problem->guard, finite) ? 0 : -1;
}

/* As answer_residuals, at the trial point. */
static int
answer_trial(Large *large, Problem *problem, const double *trial,
             double *fnorm)
{
    const double *residuals;
    int finite;

    if (!guard_trial(&problem->guard, trial)) {
        return -1;
    }
    residuals = evaluate(large, problem, trial, &large->ftrial);
    if (residuals == NULL) {
        return -1;
    }
    *fnorm = norm_of(large, problem->m, residuals, &finite);
    if (guard_answer(&problem->guard, trial, finite) < 0) {
        problem->no_memory = 1;
        return -1;
    }
    return 0;
}

/* Residuals where x is displaced for difference j. 0, or -1 as the callbacks
 * report it. */
static int
answer_difference(Large *large, Problem *problem, const double *x,
                  Py_ssize_t j)
{
    if (problem->residuals != NULL) {
        double *column = large->room + j * problem->m;

        large->points[j] = column;
        return call_compiled(problem, x, column, 2);
    }
    large->points[j] = call(large, problem, x, &large->columns[j], j);
    return large->points[j] == NULL ? -1 : 0;
}

/* The triangle by differences. 0, or -1 as the callbacks report it. */
static int
reduce_differences(Large *large, Problem *problem, const Options *options,
                   const Vectors *vectors)
{
    const int n = problem->n;
    double *displaced = vectors->wa + n; /* the trial point is not wanted */
    double *steps = vectors->wa;

    lm_steps(&n, vectors->x, &options->epsfcn, steps);
    memcpy(displaced, vectors->x, (size_t)n * sizeof(double));
    for (Py_ssize_t j = 0; j < n; j++) {
        displaced[j] = vectors->x[j] + steps[j];
        if (answer_difference(large, problem, displaced, j) < 0) {
            return -1;
        }
        displaced[j] = vectors->x[j];
    }
    problem_leave_gil_to_factor(problem);
    lm_reduce(&large->blocks.isa, &problem->m, &n, large->points,
              PyArray_DATA(large->fvec), steps, large->r, &large->ldr,
              vectors->qtf, large->blocks.work);
    return 0;
}

/* The triangle of the array that Dfun returned. 0, or -1 with an exception. */
static int
reduce_array(Large *large, Problem *problem, const double *x)
{
    PyObject *result;
    PyArrayObject *array = problem_evaluate_jacobian(problem, x, &result);
    int status;

    if (array == NULL) {
        return -1;
    }
    status = triangle_of(array, problem->col_deriv, &large->blocks, problem->m,
                         problem->n, PyArray_DATA(large->fvec), large->r,
                         large->ldr);
    Py_DECREF(array);
    Py_DECREF(result);
    return status;
}

/* The triangle of a compiled Jacobian. 0, or -1 as the callbacks report it. */
static int
reduce_memory(Large *large, Problem *problem, const double *x)
{
    double *fvec = PyArray_DATA(large->fvec);

    if (native_jacobian(problem, x, fvec, large->room) < 0) {
        return -1;
    }
    problem_leave_gil_to_factor(problem);
    triangle_of_memory(large->room, &large->blocks, problem->m, problem->n,
                       fvec, large->r, large->ldr);
    return 0;
}

/* The triangle of Dfun's Jacobian. 0, or -1 as the callbacks report it. */
static int
reduce_jacobian(Large *large, Problem *problem, const Vectors *vectors)
{
    const size_t n = (size_t)problem->n;
    int status = problem->derivatives != NULL
                     ? reduce_memory(large, problem, vectors->x)
                     : reduce_array(large, problem, vectors->x);

    if (status == 0) {
        memcpy(vectors->qtf, large->r + n * (size_t)large->ldr,
               n * sizeof(double));
    }
    return status;
}

/* A triangle for the Jacobian at x. 0, or -1 as the callbacks report it. */
static int
answer_jacobian(Large *large, Problem *problem, const Options *options,
                const Vectors *vectors)
{
    int status = problem->dfun == NULL
                     ? reduce_differences(large, problem, options, vectors)
                     : reduce_jacobian(large, problem, vectors);

    if (status == 0) {
        large->factored = 1;
        problem->guard.fresh_jacobian = 1;
    }
    return status;
}

/* Let the trial point's residuals be those at x. */
static void
accept(Large *large, Problem *problem)
{
    PyArrayObject *before = large->fvec;

    if (large->seen != NULL) {
        copy(large->seen, PyArray_DATA(before), 0);
        return;
    }
    large->fvec = large->ftrial;
    large->ftrial = before;
    problem->guard.fvec = PyArray_DATA(large->fvec);
}

/* Answer what the iteration asks for; *fnorm becomes the norm of residuals. 0,
 * or -1 as the callbacks report it. */
static int
answer(Large *large, Problem *problem, const Options *options,
       const Vectors *vectors, int request, double *fnorm)
{
    switch (request) {
    case LM_RESIDUAL:
        return answer_residuals(large, problem, vectors->x, fnorm);
    case LM_TRIAL:
        return answer_trial(large, problem, vectors->wa + problem->n, fnorm);
    default:
        return answer_jacobian(large, problem, options, vectors);
    }
}

int
large_run(Large *large, Problem *problem, const Options *options,
          const Vectors *vectors)
{
    const int n = problem->n;
    const int cost = problem->dfun == NULL ? n : 0;
    double *step = vectors->wa, *trial = step + n, *work = trial + n;
    LmState state;

    lm_start(&state, &problem->m, &n, &problem->m, &options->ftol,
             &options->xtol, &options->gtol, &options->maxfev, vectors->diag,
             &options->mode, &options->factor, &cost);
    while (state.request != LM_FINISHED) {
        const int request = state.request;
        const int iter = state.iter;
        double fnorm = 0.0;

        if (answer(large, problem, options, vectors, request, &fnorm) < 0) {
            return -1;
        }
        if (request != LM_RESIDUAL) {
            problem_leave_gil_to_step(problem);
        }
        lm_proceed(&state, &n, vectors->x, &fnorm, large->r, &large->ldr,
                   vectors->diag, vectors->ipvt, vectors->qtf, step, trial,
                   work, work + n, &large->blocks.isa, large->blocks.work);
        problem_resume(problem);
        if (state.iter != iter) {
            accept(large, problem);
        }
        clear_seen(large);
        if (request == LM_JACOBIAN && large->adopted) {
            clear_columns(large, n);
        }
    }
    return state.info;
}

#endif
