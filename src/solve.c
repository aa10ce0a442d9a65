#include "solve.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "convert.h"
#include "minpack.h"

/* Multiplications of a factorisation from which on "auto" takes the blocked
 * one. */
#define BLOCKED_WORK 2e5

void
solve_clear(Solve *solve)
{
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

/* The sizes of the workspace. Every product is of two ints, or of an int and a
 * little more, and their sum fits a size_t. */
static Sizes
sizes_of(const Solve *solve, const Problem *problem)
{
    size_t m = (size_t)problem->m;
    size_t n = (size_t)problem->n;
    /* The Jacobian has to be somewhere before it becomes a triangle. */
    int whole = problem->dfun == NULL || problem->derivatives != NULL;
    Sizes sizes = {.diag = n, .wa = 3 * n, .ftrial = m};

    if (problem->residuals != NULL && problem->dfun == NULL) {
        sizes.point = n;
    }

    if (!solve->full) {
        sizes.fvec = m;
        sizes.qtf = n;
        sizes.ipvt = n;
    }
#ifdef PYMINPACK_BLOCKED
    if (solve->ldr > 0) {
        sizes.r = (size_t)solve->ldr * (n + 1);
        sizes.work = (size_t)blocked_spare(problem->n);
        sizes.chunk = whole ? 0 : (size_t)solve->blocks.chunk_size;
    }
#endif
    if (!solve->full && (solve->ldr == 0 || whole)) {
        sizes.fjac = m * n;
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
    solve->ldr = (problem->n + 15) / 16 * 16;
    solve->blocks = triangle_plan(problem->m, problem->n);
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
    convert_copy_vector(start, solve->x);
    return 0;
}

/* Allocate the arrays that the user gets. 0, or -1 with an exception. */
static int
allocate_results(Solve *solve, int m, int n)
{
    npy_intp matrix[2] = {n, m};
    npy_intp variables[1] = {n};
    npy_intp residuals[1] = {m};

    /* Zeroed: MINPACK leaves them alone when an argument is improper. */
    solve->fvec = (PyArrayObject *)PyArray_ZEROS(1, residuals, NPY_DOUBLE, 0);
    if (solve->fvec == NULL) {
        return -1;
    }
    solve->fjac = (PyArrayObject *)PyArray_ZEROS(2, matrix, NPY_DOUBLE, 0);
    if (solve->fjac == NULL) {
        return -1;
    }
    solve->ipvt = (PyArrayObject *)PyArray_ZEROS(1, variables, NPY_INT, 0);
    if (solve->ipvt == NULL) {
        return -1;
    }
    solve->qtf = (PyArrayObject *)PyArray_ZEROS(1, variables, NPY_DOUBLE, 0);
    if (solve->qtf == NULL) {
        return -1;
    }
    solve->fvec_at = PyArray_DATA(solve->fvec);
    solve->fjac_at = PyArray_DATA(solve->fjac);
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

int
solve_allocate(Solve *solve, Problem *problem, PyArrayObject *first)
{
    Sizes sizes;
    size_t total;
    double *rest;

    choose_factorisation(solve, problem);
    sizes = sizes_of(solve, problem);
    total = sizes.diag + sizes.wa + sizes.point + sizes.ftrial + sizes.fvec +
            sizes.qtf + sizes.ipvt + sizes.fjac + sizes.r + sizes.work +
            sizes.chunk;
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
    if (sizes.r > 0) {
        solve->r = piece(&rest, sizes.r);
        solve->blocks.work = piece(&rest, sizes.work);
        solve->blocks.chunk = piece(&rest, sizes.chunk);
    }
    if (first != NULL) {
        /* MINPACK leaves both alone until it has asked for the first
         * residuals. */
        problem->first = solve->full ? solve->ftrial : solve->fvec_at;
        problem->first_finite = convert_copy_vector(first, problem->first);
    }
    if (solve->full && allocate_results(solve, problem->m, problem->n) < 0) {
        return -1;
    }
    problem->room = solve->fjac_at;
    return 0;
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

/* Put R, with zeros below, where the user looks for it. */
static void
copy_factors(const Solve *solve, int m, int n)
{
    for (Py_ssize_t j = 0; j < n; j++) {
        double *column = solve->fjac_at + j * m;

        memcpy(column, solve->r + j * solve->ldr,
               (size_t)(j + 1) * sizeof(double));
        memset(column + j + 1, 0, (size_t)(m - j - 1) * sizeof(double));
    }
}

/* MINPACK with the factorisation by blocks. */
static int
run_blocked(Solve *solve, Problem *problem)
{
    const Options *options = &solve->options;
    int info;
    double *x = solve->x;

    problem->guard.r = solve->r;
    problem->guard.ldr = solve->ldr;
    problem->blocks = &solve->blocks;
    if (problem->dfun == NULL) {
        lmdif_blocked(problem_residual_fcn, &solve->blocks.isa, &problem->m,
                      &problem->n, x, solve->fvec_at, &options->ftol,
                      &options->xtol, &options->gtol, &options->maxfev,
                      &options->epsfcn, solve->diag, &options->mode,
                      &options->factor, &info, solve->fjac_at, solve->r,
                      &solve->ldr, solve->ipvt_at, solve->qtf_at, solve->wa,
                      solve->ftrial, solve->blocks.work);
    }
    else {
        lmder_blocked(problem_triangle_fcn, &solve->blocks.isa, &problem->m,
                      &problem->n, x, solve->fvec_at, &options->ftol,
                      &options->xtol, &options->gtol, &options->maxfev,
                      solve->diag, &options->mode, &options->factor, &info,
                      solve->r, &solve->ldr, solve->ipvt_at, solve->qtf_at,
                      solve->wa, solve->ftrial, solve->blocks.work);
    }
    return info;
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

/* As solve_run, but for the GIL. */
static int
run_fit(Solve *solve, Problem *problem, int *info)
{
    guard_begin(&problem->guard, problem->m, problem->n, solve->x,
                solve->fvec_at);
#ifdef PYMINPACK_BLOCKED
    *info = solve->r != NULL ? run_blocked(solve, problem)
                             : run_minpack(solve, problem);
#else
    *info = run_minpack(solve, problem);
#endif
    if (settle_info(solve, problem, info) < 0) {
        return -1;
    }
#ifdef PYMINPACK_BLOCKED
    if (solve->r != NULL && solve->full && problem->has_triangle) {
        copy_factors(solve, problem->m, problem->n);
    }
#endif
    return 0;
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
    return status;
}
