#include "user/native.h"

#include "user/copy.h"

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
    if (watch_is_interrupted(&problem->watch) ||
        heed(problem, compiled_residuals(problem->residuals, problem->data,
                                         problem->n, x, fvec, iflag)) < 0) {
        return -1;
    }
    return copy_all_finite(fvec, problem->m);
}

int
native_jacobian(Problem *problem, const double *x, double *fvec, double *fjac)
{
    const CompiledFunction *function = problem->derivatives;

    problem->njev++;
    if (watch_is_interrupted(&problem->watch) ||
        heed(problem, function->jacobian(problem->derivatives_data, problem->m,
                                         problem->n, x, fvec, fjac, problem->m,
                                         2)) < 0) {
        return -1;
    }
    return 0;
}
