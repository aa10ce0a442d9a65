#include "drivers/one.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "user/copy.h"
#include "minpack.h"

/* Multiplications of a factorisation from which on "auto" takes the blocked
 * one. */
#define BLOCKED_WORK 2e5

void
solve_clear(Solve *solve, const Problem *problem)
{
#ifdef PYMINPACK_BLOCKED
    large_clear(&solve->large, problem->n);
#else
    (void)problem;
#endif
    Py_CLEAR(solve->memory);
    Py_CLEAR(solve->x_memory);
    Py_CLEAR(solve->fvec);
    Py_CLEAR(solve->fjac);
    Py_CLEAR(solve->ipvt);
    Py_CLEAR(solve->qtf);
}

int
solve_takes_blocks(const Options *options, int m, int n)
{
    if (n > INT_MAX - 15) { /* too many for the leading dimension */
        return 0;
    }
    if (options->qr != QR_AUTO) {
        return options->qr == QR_BLOCKED;
    }
    return triangle_available() && (double)m * n * n >= BLOCKED_WORK;
}

/* How many elements the workspace has, and where. A piece that is not wanted
 * has none. */
typedef struct {
    size_t diag, wa, point, ftrial, fvec, qtf, ipvt, fjac, r, work, chunk;
} Sizes;

/* Whether the Jacobian of a large fit is in memory of ours before it becomes a
 * triangle. */
static int
is_written_whole(const Problem *problem)
{
    return problem->dfun == NULL ? problem->residuals != NULL
                                 : problem->derivatives != NULL;
}

/* The sizes of the workspace. Every product is of two ints, or of an int and a
 * little more, and their sum fits a size_t. */
static Sizes
sizes_of(const Solve *solve, const Problem *problem)
{
    size_t m = (size_t)problem->m;
    size_t n = (size_t)problem->n;
    int large = solve->large.ldr > 0;
    Sizes sizes = {.diag = n, .wa = 4 * n};

    if (!large) {
        sizes.ftrial = m;
        if (problem->residuals != NULL && problem->dfun == NULL) {
            sizes.point = n;
        }
    }
#ifdef PYMINPACK_BLOCKED
    else {
        sizes.r = (size_t)solve->large.ldr * (n + 1);
        sizes.work = (size_t)blocked_spare(problem->n);
        if (problem->dfun != NULL && problem->derivatives == NULL) {
            sizes.chunk = (size_t)solve->large.blocks.chunk_size;
        }
    }
#endif
    if (!solve->full) {
        sizes.fvec = large ? 0 : m;
        sizes.qtf = n;
        sizes.ipvt = n;
        sizes.fjac = large && !is_written_whole(problem) ? 0 : m * n;
    }
    return sizes;
}

/* Decide how the Jacobian is factored. */
static void
choose_factorisation(Solve *solve, const Problem *problem)
{
    if (!solve_takes_blocks(&solve->options, problem->m, problem->n)) {
        return;
    }
    solve->large.ldr = (problem->n + 15) / 16 * 16;
    solve->large.blocks = triangle_plan(problem->m, problem->n);
}

/* Doubles in a new array, because NumPy has the system back large ones by
 * large pages. NULL with an exception. */
static double *
allocate(PyArrayObject **array, npy_intp size)
{
    *array = (PyArrayObject *)PyArray_SimpleNew(1, &size, NPY_DOUBLE);
    return *array == NULL ? NULL : PyArray_DATA(*array);
}

int
solve_copy_start(Solve *solve, PyArrayObject *start)
{
    npy_intp n = PyArray_DIM(start, 0);

    solve->x = n > SOLVE_ROOM ? allocate(&solve->x_memory, n) : solve->room;
    if (solve->x == NULL) {
        return -1;
    }
    copy_vector(start, solve->x);
    return 0;
}

/* An array for the user, zeroed, because MINPACK leaves it alone when an
 * argument is improper. NULL with an exception. */
static PyArrayObject *
new_result(int ndim, npy_intp *shape, int type_num)
{
    return (PyArrayObject *)PyArray_ZEROS(ndim, shape, type_num, 0);
}

static int
allocate_fjac(Solve *solve, const Problem *problem)
{
    npy_intp shape[2] = {problem->n, problem->m};

    solve->fjac = new_result(2, shape, NPY_DOUBLE);
    if (solve->fjac == NULL) {
        return -1;
    }
    solve->fjac_at = PyArray_DATA(solve->fjac);
    return 0;
}

/* Allocate the arrays that the user gets, but for those that a large fit makes
 * itself. 0, or -1 with an exception. */
static int
allocate_results(Solve *solve, const Problem *problem)
{
    npy_intp variables[1] = {problem->n};
    npy_intp residuals[1] = {problem->m};
    int large = solve->large.ldr > 0;

    if (!large) {
        solve->fvec = new_result(1, residuals, NPY_DOUBLE);
        if (solve->fvec == NULL) {
            return -1;
        }
        solve->fvec_at = PyArray_DATA(solve->fvec);
    }
    if ((!large || is_written_whole(problem)) &&
        allocate_fjac(solve, problem) < 0) {
        return -1;
    }
    solve->ipvt = new_result(1, variables, NPY_INT);
    if (solve->ipvt == NULL) {
        return -1;
    }
    solve->qtf = new_result(1, variables, NPY_DOUBLE);
    if (solve->qtf == NULL) {
        return -1;
    }
    solve->ipvt_at = PyArray_DATA(solve->ipvt);
    solve->qtf_at = PyArray_DATA(solve->qtf);
    return 0;
}

/* The next piece of the workspace. */
static void *
piece(double **rest, size_t size)
{
    double *start = *rest;

    *rest += size;
    return start;
}

/* The workspace, in pieces. 0, or -1 with an exception. */
static int
allocate_workspace(Solve *solve, Problem *problem)
{
    const Sizes sizes = sizes_of(solve, problem);
    const size_t total = sizes.diag + sizes.wa + sizes.point + sizes.ftrial +
                         sizes.fvec + sizes.qtf + sizes.ipvt + sizes.fjac +
                         sizes.r + sizes.work + sizes.chunk;
    double *rest;

    if (total > NPY_MAX_INTP) {
        PyErr_NoMemory();
        return -1;
    }
    rest = solve->room + problem->n;
    if (total + (size_t)problem->n > SOLVE_ROOM) {
        rest = allocate(&solve->memory, (npy_intp)total);
    }
    if (rest == NULL) {
        return -1;
    }
    solve->diag = piece(&rest, sizes.diag);
    solve->wa = piece(&rest, sizes.wa);
    if (sizes.point > 0) {
        problem->point = piece(&rest, sizes.point);
    }
    solve->ftrial = piece(&rest, sizes.ftrial);
    solve->fvec_at = piece(&rest, sizes.fvec);
    solve->qtf_at = piece(&rest, sizes.qtf);
    /* An int is no larger than a double. */
    solve->ipvt_at = piece(&rest, sizes.ipvt);
    solve->fjac_at = piece(&rest, sizes.fjac);
    solve->large.r = piece(&rest, sizes.r);
    solve->large.blocks.work = piece(&rest, sizes.work);
    solve->large.blocks.chunk = piece(&rest, sizes.chunk);
    return 0;
}

/* Take func's first residuals, where it was called. Steals the reference. 0,
 * or -1 with an exception. */
static int
take_first(Solve *solve, Problem *problem, PyArrayObject *first)
{
#ifdef PYMINPACK_BLOCKED
    if (solve->large.ldr > 0) {
        if (is_written_whole(problem)) {
            solve->large.room = solve->fjac_at;
        }
        if (large_open(&solve->large, problem, first) < 0) {
            return -1;
        }
        solve->fvec_at = PyArray_DATA(solve->large.fvec);
        return 0;
    }
#endif
    if (first != NULL) {
        /* MINPACK leaves both alone until it has asked for the first
         * residuals. */
        problem->first = solve->full ? solve->ftrial : solve->fvec_at;
        problem->first_finite = copy_vector(first, problem->first);
        Py_DECREF(first);
    }
    return 0;
}

int
solve_allocate(Solve *solve, Problem *problem, PyArrayObject *first)
{
    choose_factorisation(solve, problem);
    if (allocate_workspace(solve, problem) < 0) {
        Py_XDECREF(first);
        return -1;
    }
    if (solve->full && allocate_results(solve, problem) < 0) {
        Py_XDECREF(first);
        return -1;
    }
    return take_first(solve, problem, first);
}

/* MINPACK as it is. */
static int
run_minpack(Solve *solve, Problem *problem)
{
    const int nprint = 0;
    const Options *options = &solve->options;
    int info, nfev, njev;
    double *x = solve->x;
    double *wa1 = solve->wa;
    double *wa2 = wa1 + problem->n;
    double *wa3 = wa2 + problem->n;

    problem->guard.r = solve->fjac_at;
    problem->guard.ldr = problem->m;
    if (problem->dfun == NULL) {
        lmdif_(problem_residual_fcn, &problem->m, &problem->n, x,
               solve->fvec_at, &options->ftol, &options->xtol, &options->gtol,
               &options->maxfev, &options->epsfcn, solve->diag, &options->mode,
               &options->factor, &nprint, &info, &nfev, solve->fjac_at,
               &problem->m, solve->ipvt_at, solve->qtf_at, wa1, wa2, wa3,
               solve->ftrial);
    }
    else {
        lmder_(problem_jacobian_fcn, &problem->m, &problem->n, x,
               solve->fvec_at, solve->fjac_at, &problem->m, &options->ftol,
               &options->xtol, &options->gtol, &options->maxfev, solve->diag,
               &options->mode, &options->factor, &nprint, &info, &nfev, &njev,
               solve->ipvt_at, solve->qtf_at, wa1, wa2, wa3, solve->ftrial);
    }
    return info;
}

#ifdef PYMINPACK_BLOCKED

/* Put R, and nothing else, where the user looks for it. What is zero already,
 * and that may be a lot, is left alone. */
static void
copy_factors(const Solve *solve, const Problem *problem)
{
    size_t m = (size_t)problem->m;
    size_t n = (size_t)problem->n;

    if (is_written_whole(problem)) {
        memset(solve->fjac_at, 0, m * n * sizeof(double));
    }
    for (size_t j = 0; j < n; j++) {
        memcpy(solve->fjac_at + j * m,
               solve->large.r + j * (size_t)solve->large.ldr,
               (j + 1) * sizeof(double));
    }
}

/* MINPACK with the factorisation by blocks. */
static int
run_blocked(Solve *solve, Problem *problem)
{
    const Vectors vectors = {
        .x = solve->x,
        .diag = solve->diag,
        .qtf = solve->qtf_at,
        .wa = solve->wa,
        .ipvt = solve->ipvt_at,
    };
    int info;

    problem->guard.r = solve->large.r;
    problem->guard.ldr = solve->large.ldr;
    info = large_run(&solve->large, problem, &solve->options, &vectors);
    solve->fvec_at = PyArray_DATA(solve->large.fvec);
    return info;
}

/* Give the user what came of a large fit. With the GIL. 0, or -1 with an
 * exception. */
static int
hand_over(Solve *solve, const Problem *problem, int info)
{
    if (info == 0) { /* MINPACK did nothing at all */
        memset(solve->fvec_at, 0, (size_t)problem->m * sizeof(double));
    }
    solve->fvec = solve->large.fvec;
    solve->large.fvec = NULL;
    large_clear(&solve->large, problem->n);
    if (solve->fjac == NULL && allocate_fjac(solve, problem) < 0) {
        return -1;
    }
    if (solve->large.factored) {
        copy_factors(solve, problem);
    }
    return 0;
}

#endif

/* What MINPACK's info says to the user. 0, or -1 for an exception. */
static int
settle_info(Solve *solve, Problem *problem, int *info)
{
    Guard *guard = &problem->guard;

    if (problem->stopped != 0) {
        if (problem->nfev == 1 && problem->njev == 0) {
            for (Py_ssize_t i = 0; i < problem->m; i++) {
                solve->fvec_at[i] = NAN; /* whatever was written there */
            }
        }
        (void)guard_verdict(guard, *info);
        *info = problem->stopped;
    }
    else if (*info > 0 || guard->not_finite) {
        *info = guard_verdict(guard, *info);
    }
    return *info < 0 && problem->stopped == 0 ? -1 : 0;
}

/* As solve_run, but for the GIL, and without an exception. */
static int
run_fit(Solve *solve, Problem *problem, int *info)
{
    guard_begin(&problem->guard, problem->m, problem->n, solve->x,
                solve->fvec_at);
#ifdef PYMINPACK_BLOCKED
    *info = solve->large.ldr > 0 ? run_blocked(solve, problem)
                                 : run_minpack(solve, problem);
#else
    *info = run_minpack(solve, problem);
#endif
    return settle_info(solve, problem, info);
}

int
solve_run(Solve *solve, Problem *problem, int *info)
{
    int status;

    if (problem_is_compiled(problem)) {
        watch_begin(&problem->watch);
    }
    status = run_fit(solve, problem, info);
    problem_take_gil(problem);
    if (problem->no_memory) {
        PyErr_NoMemory();
    }
#ifdef PYMINPACK_BLOCKED
    if (status == 0 && solve->large.ldr > 0 && solve->full) {
        status = hand_over(solve, problem, *info);
    }
#endif
    return status;
}
