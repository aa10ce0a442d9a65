#include "user/call.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "user/answers.h"
#include "user/native.h"
#include "drivers/owned.h"
#include "fit/factor.h"

int
problem_init(Problem *problem, PyObject *func, PyObject *dfun, PyObject *args,
             int n, int col_deriv)
{
    Py_ssize_t extra = PyTuple_GET_SIZE(args);

    problem->n = n;
    problem->col_deriv = col_deriv;
    problem->func = Py_NewRef(func);
    problem->dfun = Py_XNewRef(dfun);
    problem->args = Py_NewRef(args);
    problem->nargs = 1 + extra;
    problem->residuals = compiled_function(func);
    problem->derivatives = dfun == NULL ? NULL : compiled_function(dfun);
    if (problem->residuals != NULL) {
        problem->data = problem->residuals->p;
    }
    if (problem->derivatives != NULL) {
        problem->derivatives_data = problem->derivatives->p;
        if (problem->derivatives->jacobian == NULL) {
            PyErr_SetString(PyExc_TypeError,
                            "Dfun is a compiled function without a Jacobian");
            return -1;
        }
    }
    /* Two more than args: x, and the slot before it that a callee may use. */
    problem->call = PyMem_New(PyObject *, (size_t)extra + 2);
    if (problem->call == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    problem->call[0] = NULL;
    problem->call[1] = NULL;
    for (Py_ssize_t i = 0; i < extra; i++) {
        problem->call[2 + i] = PyTuple_GET_ITEM(args, i);
    }
    return 0;
}

void
problem_clear(Problem *problem)
{
    PyMem_Free(problem->call);
    problem->call = NULL;
    guard_clear(&problem->guard);
    Py_CLEAR(problem->result);
    Py_CLEAR(problem->argument);
    Py_CLEAR(problem->args);
    Py_CLEAR(problem->dfun);
    Py_CLEAR(problem->func);
}

int
problem_is_compiled(const Problem *problem)
{
    return problem->residuals != NULL &&
           (problem->dfun == NULL || problem->derivatives != NULL);
}

int
problem_settle_m(Problem *problem)
{
    if (problem->residuals != NULL) {
        problem->m = problem->residuals->m;
        problem->dtype = NPY_DOUBLE;
        if (problem->m < problem->n) {
            PyErr_Format(PyExc_TypeError,
                         "Improper input: func input vector length N=%d must "
                         "not exceed func output vector length M=%d",
                         problem->n, problem->m);
            return -1;
        }
    }
    if (problem->derivatives != NULL &&
        problem->derivatives->m != problem->m) {
        PyErr_Format(PyExc_ValueError,
                     "Dfun is compiled for %d residuals, and func gives %d",
                     problem->derivatives->m, problem->m);
        return -1;
    }
    return 0;
}

/* Make problem->argument an array that is the user's own, with the values x.
 * 0, or -1 with an exception. */
static int
fill_argument(Problem *problem, const double *x)
{
    npy_intp shape[1] = {problem->n};

    if (problem->argument != NULL &&
        !owned_is(problem->argument, problem->n)) {
        Py_CLEAR(problem->argument);
    }
    if (problem->argument == NULL) {
        problem->argument =
            (PyArrayObject *)PyArray_SimpleNew(1, shape, NPY_DOUBLE);
        if (problem->argument == NULL) {
            return -1;
        }
    }
    memcpy(PyArray_DATA(problem->argument), x,
           (size_t)problem->n * sizeof(double));
    return 0;
}

PyObject *
problem_call(Problem *problem, PyObject *function, const double *x)
{
    PyObject *result;

    if (fill_argument(problem, x) < 0) {
        return NULL;
    }
    problem->call[1] = (PyObject *)problem->argument;
    result = PyObject_Vectorcall(
        function, problem->call + 1,
        (size_t)problem->nargs | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    /* A function of Python looks for Ctrl-C where it begins. One written in C
     * gives it no other chance than this. */
    if (!PyFunction_Check(function) && result != NULL &&
        PyErr_CheckSignals() < 0) {
        Py_CLEAR(result);
    }
    return result;
}

PyArrayObject *
problem_result(Problem *problem, const double *x)
{
    PyArrayObject *result = NULL;

    if (fill_argument(problem, x) == 0) {
        result = problem->argument;
        problem->argument = NULL;
    }
    return result;
}

PyArrayObject *
problem_first_residuals(Problem *problem, const double *x)
{
    PyArrayObject *residuals;

    problem->nfev++;
    problem->result = problem_call(problem, problem->func, x);
    if (problem->result == NULL) {
        return NULL;
    }
    residuals =
        answers_first_residuals(problem->result, problem->n, &problem->dtype);
    if (residuals != NULL) {
        problem->m = (int)PyArray_SIZE(residuals);
    }
    return residuals;
}

/* Recover the problem whose m MINPACK was given. */
static Problem *
problem_of(const int *m)
{
    return (Problem *)((char *)(uintptr_t)m - offsetof(Problem, m));
}

void
problem_take_gil(Problem *problem)
{
    watch_end(&problem->watch);
}

static void
leave_gil(Problem *problem, double work)
{
    if (work >= GIL_FREE_WORK && problem->watch.released == NULL) {
        watch_begin(&problem->watch);
    }
}

void
problem_leave_gil_to_factor(Problem *problem)
{
    leave_gil(problem, (double)problem->m * problem->n * problem->n);
}

static double
work_of_step(const Problem *problem)
{
    return (double)problem->n * problem->n * problem->n;
}

int
problem_leaves_gil_to_step(const Problem *problem)
{
    return work_of_step(problem) >= GIL_FREE_WORK;
}

void
problem_leave_gil_to_step(Problem *problem)
{
    leave_gil(problem, work_of_step(problem));
}

/* Residuals at x to fvec. Returns whether they are finite, or -1 as the
 * callbacks report it. */
static int
evaluate_residuals(Problem *problem, const double *x, double *fvec, int iflag)
{
    PyObject *result;
    int status;

    problem->nfev++;
    if (problem->residuals != NULL) {
        return native_residuals(problem, x, fvec, iflag);
    }
    result = problem_call(problem, problem->func, x);
    if (result == NULL) {
        return -1;
    }
    status = answers_residuals(result, problem->m, fvec);
    Py_DECREF(result);
    return status;
}

/* Residuals at the start or at a trial point: 0, or -1 as the callbacks
 * report it. */
static int
answer_residuals(Problem *problem, const double *x, double *fvec)
{
    Guard *guard = &problem->guard;
    int is_first, finite;

    if (problem->first != NULL) {
        if (fvec != problem->first) {
            memcpy(fvec, problem->first, (size_t)problem->m * sizeof(double));
        }
        problem->first = NULL;
        return guard_first(guard, problem->first_finite) ? 0 : -1;
    }
    is_first = problem->residuals != NULL && problem->nfev == 0;
    if (!is_first && !guard_trial(guard, x)) {
        return -1;
    }
    finite = evaluate_residuals(problem, x, fvec, 1);
    if (finite < 0) {
        return -1;
    }
    if (problem->point != NULL) {
        memcpy(problem->point, x, (size_t)problem->n * sizeof(double));
    }
    if (is_first) {
        return guard_first(guard, finite) ? 0 : -1;
    }
    if (guard_answer(guard, x, finite) < 0) {
        problem->no_memory = 1;
        return -1;
    }
    problem_leave_gil_to_step(problem);
    return 0;
}

/* One difference of a Jacobian: 0, or -1 as the callbacks report it. */
static int
answer_difference(Problem *problem, const double *x, double *fvec)
{
    if (evaluate_residuals(problem, x, fvec, 2) < 0) {
        if (problem->point != NULL) { /* x is displaced, and the user's */
            memcpy(problem->guard.x, problem->point,
                   (size_t)problem->n * sizeof(double));
        }
        return -1;
    }
    problem->guard.fresh_jacobian = 1;
    problem->columns++;
    if (problem->columns == problem->n) {
        problem->columns = 0;
        problem_leave_gil_to_factor(problem);
    }
    return 0;
}

void
problem_resume(Problem *problem)
{
    if (!problem_is_compiled(problem)) {
        problem_take_gil(problem);
    }
}

void
problem_residual_fcn(const int *m, const int *n, const double *x, double *fvec,
                     int *iflag)
{
    Problem *problem = problem_of(m);
    int status;

    (void)n;
    problem_resume(problem);
    status = *iflag == 2 ? answer_difference(problem, x, fvec)
                         : answer_residuals(problem, x, fvec);
    if (status < 0) {
        *iflag = -1;
    }
}

PyArrayObject *
problem_evaluate_jacobian(Problem *problem, const double *x, PyObject **result)
{
    PyArrayObject *array;

    problem->njev++;
    *result = problem_call(problem, problem->dfun, x);
    if (*result == NULL) {
        return NULL;
    }
    array = answers_jacobian(*result, problem->dfun, problem->m, problem->n,
                             problem->col_deriv);
    if (array == NULL) {
        Py_CLEAR(*result);
    }
    return array;
}

/* Python's Jacobian at x to fjac: 0, or -1 with an exception. */
static int
copy_jacobian(Problem *problem, const double *x, double *fjac)
{
    PyObject *result;
    PyArrayObject *array = problem_evaluate_jacobian(problem, x, &result);
    Matrix matrix;

    if (array == NULL) {
        return -1;
    }
    matrix = answers_matrix_of(array, problem->col_deriv);
    copy_matrix(&matrix, problem->m, problem->n, fjac);
    Py_DECREF(array);
    Py_DECREF(result);
    return 0;
}

/* The Jacobian at x to fjac: 0, or -1 as the callbacks report it. */
static int
answer_jacobian(Problem *problem, const double *x, double *fvec, double *fjac)
{
    int status = problem->derivatives != NULL
                     ? native_jacobian(problem, x, fvec, fjac)
                     : copy_jacobian(problem, x, fjac);

    if (status < 0) {
        return -1;
    }
    problem->guard.fresh_jacobian = 1;
    problem_leave_gil_to_factor(problem);
    return 0;
}

void
problem_jacobian_fcn(const int *m, const int *n, const double *x, double *fvec,
                     double *fjac, const int *ldfjac, int *iflag)
{
    Problem *problem = problem_of(m);
    int status;

    (void)n;
    (void)ldfjac;
    problem_resume(problem);
    status = *iflag == 2 ? answer_jacobian(problem, x, fvec, fjac)
                         : answer_residuals(problem, x, fvec);
    if (status < 0) {
        *iflag = -1;
    }
}
