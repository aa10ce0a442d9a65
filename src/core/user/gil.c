#include "user/gil.h"

void
watch_begin(Watch *watch)
{
    watch->looked = time(NULL);
    watch->released = PyEval_SaveThread();
}

void
watch_end(Watch *watch)
{
    if (watch->released != NULL) {
        PyThreadState *state = watch->released;

        watch->released = NULL;
        PyEval_RestoreThread(state);
    }
}

/* Whether a signal's handler has raised an exception. */
static int
signal_has_raised(Watch *watch)
{
    time_t now;
    int raised;

    if (watch->released == NULL) {
        return PyErr_CheckSignals() < 0;
    }
    now = time(NULL);
    if (now == watch->looked) {
        return 0;
    }
    watch->looked = now;
    PyEval_RestoreThread(watch->released);
    raised = PyErr_CheckSignals() < 0;
    watch->released = PyEval_SaveThread();
    return raised;
}

int
watch_is_interrupted(Watch *watch)
{
    if ((watch->stop != NULL &&
         atomic_load_explicit(watch->stop, memory_order_relaxed)) ||
        signal_has_raised(watch)) {
        watch->interrupted = 1;
    }
    return watch->interrupted;
}
