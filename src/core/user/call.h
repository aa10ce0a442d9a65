/* One solve: the user's functions, and how MINPACK's callbacks reach them.
 *
 * MINPACK hands the caller's `m` by reference to every FCN call. The shim
 * gives it &problem->m, so a callback finds its problem from that address:
 * there is no global, thread-local or closure, and solves may nest and run in
 * any number of threads.
 *
 * Either function may be compiled. Where Python has no part in a fit, its
 * whole run needs no GIL.
 */
#ifndef PYMINPACK_USER_CALL_H
#define PYMINPACK_USER_CALL_H

#include "user/compiled.h"
#include "fit/finite.h"
#include "numpy_api.h"
#include "user/gil.h"

typedef struct {
    int m;
    int n;
    int col_deriv;
    int dtype;   /* NumPy type of func's first result */
    int nfev;    /* calls of func that returned or raised */
    int njev;    /* calls of Dfun */
    int columns; /* differences of the current Jacobian so far */

    const CompiledFunction *residuals;   /* func's; NULL: func is Python's */
    const CompiledFunction *derivatives; /* dfun's; NULL: it is Python's */
    void *data;                          /* borrowed: what these get as p */
    void *derivatives_data;
    double *point; /* borrowed: n, where residuals were asked for */
    int stopped;   /* what a compiled function returned to stop */
    int no_memory;

    PyObject *func;          /* strong */
    PyObject *dfun;          /* strong; NULL: differences */
    PyObject *args;          /* strong, a tuple: keeps what `call` borrows */
    PyObject **call;         /* owned: a free slot, x, then args */
    Py_ssize_t nargs;        /* of `call`, x included */
    PyArrayObject *argument; /* strong; NULL, or the x of the last call */

    PyObject *result; /* strong; NULL, or what func returned first */

    double *first;    /* func's first result until MINPACK asks for it, */
    int first_finite; /* and whether all of it is finite */

    Watch watch; /* without the GIL while MINPACK runs, where that pays */
    Guard guard;
} Problem;

/* Take references to the functions and args. `problem` is all zero before;
 * problem_clear undoes it, also after a failure. 0, or -1 with an exception.
 */
int problem_init(Problem *problem, PyObject *func, PyObject *dfun,
                 PyObject *args, int n, int col_deriv);

void problem_clear(Problem *problem);

/* Whether Python has no part in the fit. */
int problem_is_compiled(const Problem *problem);

/* Take m from a compiled func, or see to it that a compiled Dfun has the same.
 * 0, or -1 with an exception. */
int problem_settle_m(Problem *problem);

/* Call func at x for the first time, and learn m and dtype from what it
 * returns: a new reference to a vector of float64. That may share memory with
 * problem->result, which keeps whoever could change it alive until the values
 * are copied. NULL with an exception. */
PyArrayObject *problem_first_residuals(Problem *problem, const double *x);

/* A new array with the values x, the caller's own. NULL with an exception. */
PyArrayObject *problem_result(Problem *problem, const double *x);

/* Take the GIL back if MINPACK was left running without it. To be called when
 * MINPACK has returned; the callbacks see to themselves. */
void problem_take_gil(Problem *problem);

/* FCN for lmdif_ and lmder_. A negative *iflag means that a Python exception
 * is set, or that problem->guard.not_finite, ->stopped or ->no_memory tells
 * why. */
void problem_residual_fcn(const int *m, const int *n, const double *x,
                          double *fvec, int *iflag);
void problem_jacobian_fcn(const int *m, const int *n, const double *x,
                          double *fvec, double *fjac, const int *ldfjac,
                          int *iflag);

/* function(x, *args), where x becomes an array that is the user's own: a new
 * reference, or NULL with an exception. */
PyObject *problem_call(Problem *problem, PyObject *function, const double *x);

/* Dfun's Jacobian at x as an array of doubles. A new reference, or NULL with
 * an exception. *result becomes a new reference to what Dfun returned, NULL
 * with the array: when that goes it may do anything to the array, so it must
 * stay until the array has been read. */
PyArrayObject *problem_evaluate_jacobian(Problem *problem, const double *x,
                                         PyObject **result);

/* Let other Python threads run, unless they may already, if there is much to
 * do before the user's functions are wanted again: a complete Jacobian is to
 * be factored, or a step may be sought. */
void problem_leave_gil_to_factor(Problem *problem);
void problem_leave_gil_to_step(Problem *problem);

/* Whether the latter does. */
int problem_leaves_gil_to_step(const Problem *problem);

/* Take the GIL back if Python has a part in the fit. */
void problem_resume(Problem *problem);

#endif /* PYMINPACK_USER_CALL_H */
