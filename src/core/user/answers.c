#include "user/answers.h"

#include <limits.h>

#include "user/sequences.h"

static Source
source_of(const char *name, npy_intp legal)
{
    Source source = {name, 1, ARRAYS_OBJECTS, legal + ARRAYS_INNER_RETURNED};

    return source;
}

/* 0 if the array is a vector (or a scalar, which counts as one of size 1); -1 with ValueError if it
 * has more dimensions. */
static int
check_vector(PyArrayObject *array, const char *name)
{
    PyObject *shape;

    if (PyArray_NDIM(array) <= 1) {
        return 0;
    }
    shape = PyArray_IntTupleFromIntp(PyArray_NDIM(array), PyArray_DIMS(array));
    if (shape != NULL) {
        PyErr_Format(PyExc_ValueError,
                     "%s returned an array of shape %S; residuals must be "
                     "one-dimensional, so ravel() the array",
                     name, shape);
        Py_DECREF(shape);
    }
    return -1;
}

static int
check_size(npy_intp size, npy_intp expected)
{
    if (size == expected) {
        return 0;
    }
    PyErr_Format(PyExc_ValueError,
                 "The array returned by a function changed size between "
                 "calls: func returned %zd elements at the first call and "
                 "%zd now",
                 (Py_ssize_t)expected, (Py_ssize_t)size);
    return -1;
}

PyArrayObject *
answers_first_residuals(PyObject *value, npy_intp least, int *type_num)
{
    const Source source = source_of("func", 0);
    PyArrayObject *array = arrays_real(value, &source, NULL);
    npy_intp size;

    if (array == NULL) {
        return NULL;
    }
    if (check_vector(array, "func") < 0) {
        goto error;
    }
    size = PyArray_SIZE(array);
    if (size < least) {
        PyErr_Format(PyExc_TypeError,
                     "Improper input: func input vector length N=%zd must not "
                     "exceed func output vector length M=%zd",
                     (Py_ssize_t)least, (Py_ssize_t)size);
        goto error;
    }
    if (size > INT_MAX) {
        PyErr_Format(PyExc_ValueError,
                     "func returned %zd residuals; MINPACK counts them in a C "
                     "int and takes at most %d",
                     (Py_ssize_t)size, INT_MAX);
        goto error;
    }
    *type_num = PyArray_TYPE(array);
    return arrays_to_doubles(array, &source);

error:
    Py_DECREF(array);
    return NULL;
}

/* What is no list or tuple of floats as a vector of that size; see answers_vector. */
static PyArrayObject *
any_to_vector(PyObject *value, npy_intp size)
{
    const Source source = source_of("func", 0);
    PyArrayObject *array = arrays_real(value, &source, NULL);

    if (array == NULL) {
        return NULL;
    }
    if (check_vector(array, "func") < 0 || check_size(PyArray_SIZE(array), size) < 0) {
        Py_DECREF(array);
        return NULL;
    }
    return arrays_to_doubles(array, &source);
}

PyArrayObject *
answers_vector(PyObject *value, npy_intp size)
{
    PyArrayObject *array;
    int done;

    if (!PyTuple_CheckExact(value) && !PyList_CheckExact(value)) {
        return any_to_vector(value, size);
    }
    array = (PyArrayObject *)PyArray_SimpleNew(1, &size, NPY_DOUBLE);
    if (array == NULL) {
        return NULL;
    }
    done = sequences_copy_floats(value, size, PyArray_DATA(array));
    if (done > 0) {
        return array;
    }
    Py_DECREF(array);
    return done < 0 ? NULL : any_to_vector(value, size);
}

int
answers_residuals(PyObject *value, npy_intp size, double *out)
{
    PyArrayObject *array;
    int done = 0;
    int finite;

    if (PyArray_CheckExact(value)) {
        array = (PyArrayObject *)value;
        if (arrays_is_vector(value) && PyArray_DIM(array, 0) == size) {
            return copy_vector(array, out);
        }
    }
    else {
        done = sequences_copy_floats(value, size, out);
    }
    if (done != 0) {
        return done < 0 ? -1 : copy_all_finite(out, size);
    }
    array = any_to_vector(value, size);
    if (array == NULL) {
        return -1;
    }
    finite = copy_vector(array, out);
    Py_DECREF(array);
    return finite;
}

/* The error of a Jacobian of the wrong shape. */
static void
set_shape_error(PyArrayObject *array, PyObject *dfun, npy_intp rows, npy_intp columns)
{
    PyObject *name = NULL;
    PyObject *shape = NULL;

    shape = PyArray_IntTupleFromIntp(PyArray_NDIM(array), PyArray_DIMS(array));
    if (shape == NULL) {
        goto cleanup;
    }
    name = PyObject_GetAttrString(dfun, "__name__");
    if (name == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
            goto cleanup;
        }
        PyErr_Clear();
        name = PyUnicode_FromString("");
    }
    else {
        Py_SETREF(name, PyUnicode_FromFormat(" '%S'", name));
    }
    if (name == NULL) {
        goto cleanup;
    }
    PyErr_Format(PyExc_TypeError,
                 "leastsq: there is a mismatch between the input and output "
                 "shape of the 'Dfun' argument%U. Shape should be (%zd, %zd) "
                 "but it is %S.",
                 name, (Py_ssize_t)rows, (Py_ssize_t)columns, shape);

cleanup:
    Py_XDECREF(name);
    Py_XDECREF(shape);
}

PyArrayObject *
answers_jacobian(PyObject *value, PyObject *dfun, npy_intp m, npy_intp n, int col_deriv)
{
    npy_intp rows = col_deriv ? n : m;
    npy_intp columns = col_deriv ? m : n;
    const Source source = source_of("Dfun", 2 * m * n);
    PyArrayObject *array = arrays_real(value, &source, NULL);

    if (array == NULL) {
        return NULL;
    }
    if (!(PyArray_NDIM(array) == 2 && PyArray_DIM(array, 0) == rows &&
          PyArray_DIM(array, 1) == columns) &&
        !(n == 1 && PyArray_NDIM(array) == 1 && PyArray_DIM(array, 0) == m)) {
        set_shape_error(array, dfun, rows, columns);
        Py_DECREF(array);
        return NULL;
    }
    return arrays_to_doubles(array, &source);
}

Matrix
answers_matrix_of(PyArrayObject *array, int col_deriv)
{
    Matrix matrix = {PyArray_BYTES(array), 0, 0};

    if (PyArray_NDIM(array) == 1) {
        matrix.down = PyArray_STRIDE(array, 0);
        matrix.right = PyArray_NBYTES(array);
    }
    else {
        matrix.down = PyArray_STRIDE(array, col_deriv ? 1 : 0);
        matrix.right = PyArray_STRIDE(array, col_deriv ? 0 : 1);
    }
    return matrix;
}
