#include "drivers/one.h"

#include <math.h>
#include <string.h>

#include "argonne.h"
#include "user/answers.h"

/* Residuals of a Python func at x, kept. Returns where they are, or NULL with an exception. */
static const double *
call_and_keep(One *one, const double *x, npy_intp column)
{
    PyObject *result;
    PyArrayObject *array;

    keep_release(&one->keep, column);
    result = call_python(&one->call, one->call.given->func, x, one->fit.lm.n);
    if (result == NULL) {
        return NULL;
    }
    array = answers_vector(result, one->fit.m);
    if (array == NULL) {
        Py_DECREF(result);
        return NULL;
    }
    return keep_array(&one->keep, &one->fit, result, array, column);
}

/* Residuals at x, which go to `place` if they are not kept: where they are, or NULL where the fit
 * is to end. `column`: the one that they are wanted for; else negative. *finite becomes whether
 * they are, if they were looked at. */
static const double *
evaluate(One *one, const double *x, double *place, npy_intp column, int *finite)
{
    one->fit.evaluations++;
    if (one_keeps_arrays(one)) {
        return call_and_keep(one, x, column);
    }
    if (one->call.residuals != NULL) {
        *finite = call_compiled(&one->call, one->fit.lm.n, x, place, column < 0 ? 1 : 2);
    }
    else {
        *finite = call_residuals(&one->call, one->fit.lm.n, x, one->fit.m, place);
    }
    return *finite < 0 ? NULL : place;
}

/* Hand the residuals f over, at x or at the trial point. 0, or -1 with an exception. */
static int
take_residuals(One *one, const double *f, int finite)
{
    Fit *fit = &one->fit;
    const int iter = fit->lm.iter;
    const double norm = lm_norm(&fit->lm, fit->m, f);
    int status;

    if (fit->lm.isa >= 0) {
        /* It may be too large for a double where none of them is. */
        finite = isfinite(norm) || copy_all_finite(f, fit->m);
    }
    if (fit->lm.request == LM_TRIAL) {
        gil_leave_for(&one->call.gil, fit_work_of_step(fit));
    }
    status = fit_take_residuals(fit, norm, finite);
    if (status < 0) {
        gil_take(&one->call.gil);
        PyErr_NoMemory();
    }
    if (one_keeps_arrays(one)) {
        gil_take(&one->call.gil);
        keep_judged(&one->keep, fit, fit->lm.iter != iter);
    }
    return status;
}

/* Answer with residuals. 0, or -1 where the fit is to end. */
static int
answer_residuals(One *one)
{
    Fit *fit = &one->fit;
    const int at_start = fit->lm.request == LM_RESIDUAL;
    const double *f = fit->f;
    int finite = one->first_finite;

    if (!at_start && !fit_may_try(fit)) {
        return 0;
    }
    /* A Python func was called at the start, to learn how many there are. */
    if (!at_start || one->call.residuals != NULL) {
        f = evaluate(one, at_start ? fit->lm.x : fit->lm.trial, at_start ? fit->f : fit->f_trial,
                     -1, &finite);
        if (f == NULL) {
            return -1;
        }
    }
    if (!at_start) {
        fit->f_trial = (double *)f;
    }
    return take_residuals(one, f, finite);
}

/* Evaluate the residuals where x is displaced. 0, or -1 where the fit is to end. */
static int
evaluate_differences(One *one)
{
    Fit *fit = &one->fit;
    double *displaced = fit->lm.trial; /* which is not wanted yet */
    int finite;

    lm_steps(&fit->lm, one->call.given->options.epsfcn, fit->steps);
    for (npy_intp j = 0; j < fit->lm.n; j++) {
        double *place = fit->f_trial;
        const double *f;

        if (one->points != NULL && fit->jacobian != NULL) {
            place = fit->jacobian + j * fit->m;
        }
        fit_displace(fit, j, displaced);
        f = evaluate(one, displaced, place, j, &finite);
        if (f == NULL) {
            return -1;
        }
        if (one->points != NULL) {
            one->points[j] = f;
        }
        else {
            double *column = fit->jacobian + j * fit->m;

            /* As in MINPACK, a column is whole or what it was before. */
            memcpy(column, f, (size_t)fit->m * sizeof(double));
            lm_quotient(fit->m, fit->f, fit->steps[j], column);
        }
    }
    return 0;
}

/* Take the array that Dfun returned: copied, or by blocks reduced to a triangle. 0, or -1 with an
 * exception. */
static int
take_array(One *one)
{
    Fit *fit = &one->fit;
    Call *call = &one->call;
    PyObject *result = call_python(call, call->given->dfun, fit->lm.x, fit->lm.n);
    PyArrayObject *array = NULL;
    int status = -1;

    if (result == NULL) {
        return -1;
    }
    array = answers_jacobian(result, call->given->dfun, fit->m, fit->lm.n, call->given->col_deriv);
    if (array != NULL && fit->lm.isa >= 0) {
        status = factor_reduce_array(fit, array, call->given->col_deriv, &one->chunk);
    }
    else if (array != NULL) {
        Matrix matrix = answers_matrix_of(array, call->given->col_deriv);

        copy_matrix(&matrix, fit->m, fit->lm.n, fit->jacobian);
        status = 0;
    }
    Py_XDECREF(array);
    /* Not before: when it goes it may do anything to an array that it made. */
    Py_DECREF(result);
    return status;
}

/* Answer with the factors of the Jacobian. 0, or -1 where the fit is to end. */
static int
answer_jacobian(One *one)
{
    Fit *fit = &one->fit;
    Call *call = &one->call;
    const int differences = call->given->dfun == NULL;
    int status;

    if (differences) {
        status = evaluate_differences(one);
    }
    else {
        fit->jacobians++;
        status = call->derivatives == NULL
                     ? take_array(one)
                     : call_compiled_jacobian(call, fit->lm.n, fit->lm.x, fit->f, fit->jacobian);
    }
    if (status < 0) {
        return -1;
    }
    if (fit->lm.isa >= 0 && !differences && call->derivatives == NULL) {
        gil_leave_for(&call->gil, fit_work_of_step(fit));
        lm_factor(&fit->lm, fit->m, fit->f, fit->f_trial);
    }
    else {
        gil_leave_for(&call->gil, fit_work_of_factors(fit));
        factor_memory(fit, differences ? one->points : NULL);
    }
    fit_take_factors(fit);
    if (one_keeps_arrays(one) && one->keep.adopted) {
        gil_take(&call->gil);
        keep_release_columns(&one->keep, fit->lm.n);
    }
    return 0;
}

/* Request by request, until the fit is finished. 0, or -1 where it has to end before. */
static int
answer_all(One *one)
{
    Fit *fit = &one->fit;
    const int compiled = call_is_compiled(&one->call);
    int status = 0;

    while (status == 0 && fit->lm.request != LM_FINISHED) {
        status = fit->lm.request == LM_JACOBIAN ? answer_jacobian(one) : answer_residuals(one);
        if (!compiled) {
            gil_take(&one->call.gil);
        }
    }
    return status;
}

int
one_run(One *one)
{
    Fit *fit = &one->fit;
    Call *call = &one->call;
    int status;

    if (call_is_compiled(call)) {
        gil_leave(&call->gil);
    }
    fit_begin(fit, &one->call.given->options, call->given->dfun == NULL);
    fit->evaluations = call->residuals == NULL; /* it told how many there are */
    status = ON_ARGONNE && fit->lm.isa < 0 ? argonne_run(one) : answer_all(one);
    if (status < 0 && call->stopped != 0) {
        fit_stop(fit, call->stopped);
        status = 0;
    }
    else if (status == 0) {
        fit_finish(fit);
    }
    gil_take(&call->gil);
    return status;
}
