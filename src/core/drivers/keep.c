#include "drivers/keep.h"

#include "kernels/tuning.h"
#include "user/copy.h"
#include "user/unshared.h"

static PyArrayObject *
new_vector(npy_intp size)
{
    return (PyArrayObject *)PyArray_SimpleNew(1, &size, NPY_DOUBLE);
}

/* Memory for the copies of residuals at displaced points. All of it at once: what is too large is
 * refused before any of it is used. 0, or -1 with an exception. */
static int
make_copies(Keep *keep, const Fit *fit)
{
    if (keep->copies != NULL) {
        return 0;
    }
    keep->memory = new_vector((npy_intp)fit->m * fit->lm.n);
    if (keep->memory == NULL) {
        return -1;
    }
    keep->copies = PyArray_DATA(keep->memory);
    return 0;
}

/* What differences need. 0, or -1 with an exception. */
static int
open_columns(Keep *keep, const Fit *fit)
{
    const size_t n = (size_t)fit->lm.n;

    keep->columns = PyMem_Calloc(n, sizeof(*keep->columns));
    if (keep->columns == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    /* As the first array was, so will the others be. */
    return keep->adopted ? 0 : make_copies(keep, fit);
}

void
keep_release_columns(Keep *keep, int n)
{
    for (npy_intp j = 0; keep->columns != NULL && j < n; j++) {
        Py_CLEAR(keep->columns[j]);
    }
}

/* Done with the residuals at the trial point that somebody else holds, too. */
static void
clear_seen(Keep *keep)
{
    Py_CLEAR(keep->seen);
    Py_CLEAR(keep->seen_value);
}

void
keep_clear(Keep *keep, int n)
{
    clear_seen(keep);
    Py_CLEAR(keep->f);
    Py_CLEAR(keep->f_trial);
    Py_CLEAR(keep->memory);
    keep_release_columns(keep, n);
    PyMem_Free(keep->columns);
    keep->columns = NULL;
}

void
keep_release(Keep *keep, npy_intp column)
{
    if (keep->adopted) {
        Py_CLEAR(*(column < 0 ? &keep->f_trial : &keep->columns[column]));
    }
}

/* Where a copy of residuals goes: those for a column, or those of *slot where that is negative.
 * NULL with an exception. */
static double *
place_for(Keep *keep, const Fit *fit, PyArrayObject **slot, npy_intp column)
{
    if (column >= 0) {
        return make_copies(keep, fit) < 0 ? NULL : keep->copies + column * fit->m;
    }
    if (*slot == NULL) {
        *slot = new_vector(fit->m);
    }
    return *slot == NULL ? NULL : PyArray_DATA(*slot);
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

/* Whether residuals at the trial point need no copy before the iteration has judged the point:
 * nobody can change them meanwhile. */
static int
can_wait(const Fit *fit, PyArrayObject *array)
{
#ifdef Py_GIL_DISABLED
    (void)fit;
    (void)array;
    return 0;
#else
    return PyArray_ISCARRAY_RO(array) && fit_work_of_step(fit) < GIL_FREE_WORK;
#endif
}

/* As keep_array, in *slot. */
static const double *
keep_in(Keep *keep, const Fit *fit, PyObject *value, PyArrayObject *array, PyArrayObject **slot,
        npy_intp column)
{
    double *place;

    if (value == (PyObject *)array) {
        Py_CLEAR(value);
    }
    keep->adopted = unshared_vector(array, fit->m);
    if (keep->adopted) {
        Py_XSETREF(*slot, array);
        place = PyArray_DATA(array);
    }
    else if (slot == &keep->f_trial && can_wait(fit, array)) {
        keep->seen = array;
        keep->seen_value = value;
        return PyArray_DATA(array);
    }
    else {
        place = place_for(keep, fit, slot, column);
        if (place != NULL) {
            copy(array, place, column >= 0 && (double)fit->m * fit->lm.n >= BEYOND_CACHES);
        }
        Py_DECREF(array);
    }
    /* Not before: when it goes it may do anything to an array that it made. */
    Py_XDECREF(value);
    return place;
}

const double *
keep_array(Keep *keep, const Fit *fit, PyObject *value, PyArrayObject *array, npy_intp column)
{
    return keep_in(keep, fit, value, array, column < 0 ? &keep->f_trial : &keep->columns[column],
                   column);
}

int
keep_open(Keep *keep, Fit *fit, PyObject *value, PyArrayObject *array, int columns)
{
    if (keep_in(keep, fit, value, array, &keep->f, -1) == NULL) {
        return -1;
    }
    fit->f = PyArray_DATA(keep->f);
    return columns ? open_columns(keep, fit) : 0;
}

void
keep_judged(Keep *keep, Fit *fit, int accepted)
{
    if (accepted && keep->seen != NULL) {
        fit->f = PyArray_DATA(keep->f);
        copy(keep->seen, fit->f, 0);
    }
    else if (accepted) {
        PyArrayObject *before = keep->f;

        keep->f = keep->f_trial;
        keep->f_trial = before;
    }
    clear_seen(keep);
    fit->f_trial = keep->f_trial == NULL ? NULL : PyArray_DATA(keep->f_trial);
}
