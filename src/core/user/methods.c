#include "user/methods.h"

#include "user/arrays.h"
#include "user/options.h"

/* Read the name out of (name, value, ...). 0, or -1 with an exception. */
static int
read_name(Source *source, PyObject *const *args, Py_ssize_t nargs, Py_ssize_t most)
{
    if (nargs < 2 || nargs > most || !PyUnicode_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "the first arguments are a name and a value");
        return -1;
    }
    source->name = PyUnicode_AsUTF8(args[0]);
    return source->name == NULL ? -1 : 0;
}

PyObject *
methods_real_array(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    Source source = {NULL, 0, ARRAYS_REAL, ARRAYS_INNER_GIVEN};
    int objects = 0;

    if (read_name(&source, args, nargs, 3) < 0) {
        return NULL;
    }
    if (nargs == 3) {
        objects = PyObject_IsTrue(args[2]);
        if (objects < 0) {
            return NULL;
        }
    }
    source.kinds = objects ? ARRAYS_OBJECTS : ARRAYS_REAL;
    return (PyObject *)arrays_own(args[1], &source);
}

PyObject *
methods_data_array(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    Source source = {NULL, 0, ARRAYS_DATA, ARRAYS_INNER_GIVEN};

    if (read_name(&source, args, nargs, 2) < 0) {
        return NULL;
    }
    return (PyObject *)arrays_own(args[1], &source);
}

/* A copy of an array unless it is new or was an array from the beginning, which has its memory.
 * Steals the reference. NULL with an exception. */
static PyArrayObject *
detach(PyArrayObject *array, PyObject *value, int is_new)
{
    if (!is_new && !PyArray_CheckExact(value)) {
        Py_SETREF(array, (PyArrayObject *)PyArray_NewCopy(array, NPY_KEEPORDER));
    }
    return array;
}

PyObject *
methods_returned_array(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    /* A Jacobian of many fits may be long lists. */
    Source source = {NULL, 1, ARRAYS_OBJECTS, ARRAYS_INNER_GIVEN};
    PyArrayObject *array, *doubles;
    int is_new, type_num;

    if (read_name(&source, args, nargs, 2) < 0) {
        return NULL;
    }
    array = arrays_real(args[1], &source, &is_new);
    if (array == NULL) {
        return NULL;
    }
    type_num = PyArray_TYPE(array);
    /* Only for a comparison afterwards. */
    doubles = arrays_to_doubles((PyArrayObject *)Py_NewRef(array), &source);
    if (doubles == array) {
        doubles = detach(doubles, args[1], is_new);
    }
    Py_DECREF(array);
    return doubles == NULL ? NULL : Py_BuildValue("(Ni)", doubles, type_num);
}

PyObject *
methods_any_array(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    Source source = {NULL, 0, ARRAYS_REAL, ARRAYS_INNER_GIVEN};
    PyArrayObject *array;
    int is_new;

    if (read_name(&source, args, nargs, 2) < 0) {
        return NULL;
    }
    array = arrays_any(args[1], &source, &is_new);
    return array == NULL ? NULL : (PyObject *)detach(array, args[1], is_new);
}

/* Whether an exception says that a value is no numbers; then it is gone. */
static int
forgive(PyObject *type)
{
    if (!PyErr_ExceptionMatches(type)) {
        return 0;
    }
    PyErr_Clear();
    return 1;
}

/* Numbers of any kind as float64 or complex128; xdata itself where it is none. Steals the
 * reference. NULL with an exception. */
static PyObject *
xdata_numbers(PyArrayObject *array, PyObject *xdata, const Source *source)
{
    PyArrayObject *numbers = NULL;
    int type_num = PyArray_TYPE(array);

    if ((type_num == NPY_DOUBLE || type_num == NPY_CDOUBLE) && PyArray_ISNOTSWAPPED(array)) {
        return (PyObject *)array;
    }
    if (PyArray_ISCOMPLEX(array)) {
        numbers = (PyArrayObject *)PyArray_CastToType(array, PyArray_DescrFromType(NPY_CDOUBLE), 0);
        Py_DECREF(array);
        return (PyObject *)numbers;
    }
    numbers = arrays_own((PyObject *)array, source);
    Py_DECREF(array);
    if (numbers == NULL && (forgive(PyExc_TypeError) || forgive(PyExc_ValueError))) {
        return Py_NewRef(xdata);
    }
    return (PyObject *)numbers;
}

PyObject *
methods_xdata_array(PyObject *Py_UNUSED(module), PyObject *value)
{
    const Source source = {"xdata", 0, ARRAYS_DATA, ARRAYS_INNER_GIVEN};
    PyArrayObject *array;

    if (!PyArray_Check(value) && !PyList_Check(value) && !PyTuple_Check(value)) {
        return Py_NewRef(value);
    }
    array = arrays_any(value, &source, NULL);
    if (array == NULL) {
        /* Rows of different lengths. */
        return forgive(PyExc_ValueError) ? Py_NewRef(value) : NULL;
    }
    return xdata_numbers(array, value, &source);
}

PyObject *
methods_read_real(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    Source source = {0};
    double number;

    if (read_name(&source, args, nargs, 2) < 0 || options_real(source.name, args[1], &number) < 0) {
        return NULL;
    }
    return PyFloat_FromDouble(number);
}

PyObject *
methods_read_integer(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    Source source = {0};

    return read_name(&source, args, nargs, 2) < 0 ? NULL : options_integer(source.name, args[1]);
}
