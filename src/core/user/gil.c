#include "user/gil.h"

#include "kernels/tuning.h"

void
gil_leave(Gil *gil)
{
    gil->looked = time(NULL);
    gil->released = PyEval_SaveThread();
}

void
gil_leave_for(Gil *gil, double work)
{
    if (work >= GIL_FREE_WORK && gil->released == NULL) {
        gil_leave(gil);
    }
}

void
gil_take(Gil *gil)
{
    if (gil->released != NULL) {
        PyThreadState *state = gil->released;

        gil->released = NULL;
        PyEval_RestoreThread(state);
    }
}

/* Whether a signal's handler has raised an exception. */
static int
signal_has_raised(Gil *gil)
{
    time_t now;
    int raised;

    if (gil->released == NULL) {
        return PyErr_CheckSignals() < 0;
    }
    now = time(NULL);
    if (now == gil->looked) {
        return 0;
    }
    gil->looked = now;
    PyEval_RestoreThread(gil->released);
    raised = PyErr_CheckSignals() < 0;
    gil->released = PyEval_SaveThread();
    return raised;
}

int
gil_is_interrupted(Gil *gil)
{
    if ((gil->stop != NULL && atomic_load_explicit(gil->stop, memory_order_relaxed)) ||
        signal_has_raised(gil)) {
        gil->interrupted = 1;
    }
    return gil->interrupted;
}

/* Neither of this interpreter, nor of one that may share the GIL with it.
 *
 * New states become the head of their list, so that where this thread's own is all there is, no
 * other has to be looked at: that could go meanwhile. */
int
gil_is_nobody_elses(void)
{
#ifdef Py_GIL_DISABLED
    return 0;
#else
    PyThreadState *thread = PyThreadState_Get();
    PyInterpreterState *interpreter = PyInterpreterState_Get();

    return PyInterpreterState_Head() == interpreter &&
           PyInterpreterState_Next(interpreter) == NULL &&
           PyInterpreterState_ThreadHead(interpreter) == thread &&
           PyThreadState_Next(thread) == NULL;
#endif
}
