#include "native.h"

#include "convert.h"

/* Whether the fit is to end: another thread says so, or Ctrl-C has raised an
 * exception. Without the GIL that is looked for once a second. */
static int
is_interrupted(Problem *problem)
{
    int status;
    time_t now;

    if (problem->released == NULL) {
        return PyErr_CheckSignals() < 0;
    }
    if (problem->stop != NULL &&
        atomic_load_explicit(problem->stop, memory_order_relaxed)) {
        return 1;
    }
    now = time(NULL);
    if (now == problem->looked) {
        return 0;
    }
    problem->looked = now;
    PyEval_RestoreThread(problem->released);
    status = PyErr_CheckSignals();
    problem->released = PyEval_SaveThread();
    return status < 0;
}

/* Note what a compiled function returned: 0, or -1 if that stops the fit. */
static int
heed(Problem *problem, int status)
{
    if (status >= 0) {
        return 0;
    }
    problem->stopped = status;
    return -1;
}

int
native_residuals(Problem *problem, const double *x, double *fvec, int iflag)
{
    if (is_interrupted(problem) ||
        heed(problem, compiled_residuals(problem->residuals, problem->data,
                                         problem->n, x, fvec, iflag)) < 0) {
        return -1;
    }
    if (problem->fits != NULL) {
        return fits_weigh_residuals(problem->fits, problem->fit, problem->m,
                                    fvec);
    }
    return convert_all_finite(fvec, problem->m);
}

int
native_jacobian(Problem *problem, const double *x, double *fvec, double *fjac)
{
    const CompiledFunction *function = problem->derivatives;

    problem->njev++;
    if (is_interrupted(problem) ||
        heed(problem, function->jacobian(problem->derivatives_data, problem->m,
                                         problem->n, x, fvec, fjac, problem->m,
                                         2)) < 0) {
        return -1;
    }
    if (problem->fits != NULL) {
        fits_weigh_jacobian(problem->fits, problem->fit, problem->m, fjac);
    }
    return 0;
}
