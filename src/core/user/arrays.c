#include "user/arrays.h"
#include "user/sequences.h"

#include <limits.h>

/* Items of inner sequences that are looked into where none is legal, to name
 * the shape; and beyond those of a Jacobian's rows. */
#define INNER_ITEMS ((Py_ssize_t)1 << 22)

static int
is_native_double(PyArrayObject *array)
{
    return PyArray_TYPE(array) == NPY_DOUBLE && PyArray_ISBEHAVED_RO(array);
}

int
convert_is_vector(PyObject *object)
{
    return PyArray_Check(object) &&
           PyArray_NDIM((PyArrayObject *)object) == 1 &&
           is_native_double((PyArrayObject *)object);
}

/* Whether float(item) is what the user means: numbers of any kind, but not
 * strings, None or complex numbers, which NumPy's own cast would try. */
static int
is_real_number(PyObject *item)
{
    PyNumberMethods *number = Py_TYPE(item)->tp_as_number;

    if (PyComplex_Check(item) || PyArray_IsScalar(item, ComplexFloating)) {
        return 0;
    }
    return number != NULL &&
           (number->nb_float != NULL || number->nb_index != NULL);
}

/* A float64 copy of an array of Python objects; NULL with TypeError if they
 * are not numbers, or with whatever their __float__ raised. */
static PyArrayObject *
objects_to_doubles(PyArrayObject *objects, const char *name)
{
    PyArrayObject *doubles = NULL;
    PyArrayObject *flat = NULL;
    npy_intp size;

    /* A copy: __float__ may do anything to the original. */
    flat = (PyArrayObject *)PyArray_Flatten(objects, NPY_CORDER);
    if (flat == NULL) {
        return NULL;
    }
    size = PyArray_SIZE(flat);
    doubles = (PyArrayObject *)PyArray_SimpleNew(
        PyArray_NDIM(objects), PyArray_DIMS(objects), NPY_DOUBLE);
    if (doubles == NULL) {
        goto error;
    }
    for (npy_intp i = 0; i < size; i++) {
        PyObject *item = PyArray_GETITEM(flat, PyArray_GETPTR1(flat, i));
        double number;
        int real;

        if (item == NULL) {
            goto error;
        }
        real = is_real_number(item);
        if (!real) {
            PyErr_Format(
                PyExc_TypeError,
                "%s returned values of dtype object, of which element "
                "%zd is of type '%.200s'; it must return real "
                "numbers",
                name, (Py_ssize_t)i, Py_TYPE(item)->tp_name);
        }
        number = real ? PyFloat_AsDouble(item) : -1.0;
        Py_DECREF(item);
        if (number == -1.0 && PyErr_Occurred()) {
            goto error;
        }
        ((double *)PyArray_DATA(doubles))[i] = number;
    }
    Py_DECREF(flat);
    return doubles;

error:
    Py_DECREF(flat);
    Py_XDECREF(doubles);
    return NULL;
}

/* The array that NumPy makes of any object. A new reference, or NULL with an
 * exception. */
static PyArrayObject *
as_array(PyObject *value, const char *name, Py_ssize_t most_inner)
{
    PyObject *array;
    PyObject *still;

    if (PyArray_CheckExact(value)) {
        return (PyArrayObject *)Py_NewRef(value);
    }
    still = snapshot_of(value, name, most_inner);
    if (still == NULL) {
        return NULL;
    }
    array = PyArray_FromAny(still, NULL, 0, 0, 0, NULL);
    Py_DECREF(still);
    /* A subclass has hooks that get hold of every copy and view of it. */
    return (PyArrayObject *)PyArray_EnsureArray(array);
}

static int
is_real_type(int type_num)
{
    return PyTypeNum_ISBOOL(type_num) || PyTypeNum_ISINTEGER(type_num) ||
           PyTypeNum_ISFLOAT(type_num);
}

/* The error of a value that is not real numbers: says what it is instead. */
static void
set_type_error(PyObject *value, PyArrayObject *array, const char *name)
{
    PyObject *dtype;

    if (!PyArray_Check(value) && PyArray_NDIM(array) == 0) {
        PyErr_Format(PyExc_TypeError,
                     "%s returned an object of type '%.200s'; it must return "
                     "real numbers",
                     name, Py_TYPE(value)->tp_name);
        return;
    }
    /* Held: to print it runs Python code, which may give the array another. */
    dtype = Py_NewRef((PyObject *)PyArray_DESCR(array));
    PyErr_Format(PyExc_TypeError,
                 "%s returned values of dtype %S; it must return real numbers",
                 name, dtype);
    Py_DECREF(dtype);
}

/* Any real values as an array of the type they have, for to_doubles. A new
 * reference, or NULL with TypeError for what is not real numbers. */
static PyArrayObject *
as_real_array(PyObject *value, const char *name, Py_ssize_t most_inner)
{
    PyArrayObject *array = as_array(value, name, most_inner);

    if (array == NULL || is_real_type(PyArray_TYPE(array)) ||
        (PyArray_TYPE(array) == NPY_OBJECT &&
         (PyArray_Check(value) || PyArray_NDIM(array) > 0 ||
          is_real_number(value)))) {
        return array;
    }
    set_type_error(value, array, name);
    Py_DECREF(array);
    return NULL;
}

/* The array as native float64, of any strides; may be `array` itself. Steals
 * the reference. A new reference, or NULL with an exception. */
static PyArrayObject *
to_doubles(PyArrayObject *array, const char *name)
{
    PyArrayObject *doubles;

    if (is_native_double(array)) {
        return array;
    }
    if (PyArray_TYPE(array) == NPY_OBJECT) {
        doubles = objects_to_doubles(array, name);
    }
    else {
        doubles = (PyArrayObject *)PyArray_FromArray(
            array, PyArray_DescrFromType(NPY_DOUBLE),
            NPY_ARRAY_ALIGNED | NPY_ARRAY_NOTSWAPPED | NPY_ARRAY_FORCECAST);
    }
    Py_DECREF(array);
    return doubles;
}

/* 0 if the array is a vector (or a scalar, which counts as one of size 1);
 * -1 with ValueError if it has more dimensions. */
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

/* Whether an object is a float, asking first for the types that nearly all
 * are. */
static int
is_float(PyObject *object)
{
    return PyFloat_CheckExact(object) ||
           Py_IS_TYPE(object, &PyDoubleArrType_Type) || PyFloat_Check(object);
}

/* Copy a list or tuple of `size` floats and ints without a detour through
 * NumPy. 1 when done, 0 when it is anything else. No Python code runs in the
 * loop, so the list cannot change under it. */
static int
copy_floats(PyObject *sequence, npy_intp size, double *out)
{
    PyObject **items = PySequence_Fast_ITEMS(sequence);
    int overflow = 0;

    if (PySequence_Fast_GET_SIZE(sequence) != size) {
        return 0;
    }
    for (npy_intp i = 0; i < size; i++) {
        if (is_float(items[i])) {
            out[i] = PyFloat_AS_DOUBLE(items[i]);
        }
        else if (PyLong_CheckExact(items[i])) {
            out[i] = (double)PyLong_AsLongAndOverflow(items[i], &overflow);
        }
        else {
            return 0;
        }
        if (overflow != 0) {
            return 0;
        }
    }
    return 1;
}

/* As copy_floats, with 0 also for what is no list or tuple, and -1 with an
 * exception. */
static int
copy_plain_sequence(PyObject *value, npy_intp size, double *out)
{
    if (PyTuple_CheckExact(value)) {
        return copy_floats(value, size, out);
    }
    if (!PyList_CheckExact(value)) {
        return 0;
    }
#ifdef Py_GIL_DISABLED
    /* Another thread may change the list: look at a snapshot. */
    PyObject *snapshot = PyList_AsTuple(value);
    int done = snapshot == NULL ? -1 : copy_floats(snapshot, size, out);

    Py_XDECREF(snapshot);
    return done;
#else
    return copy_floats(value, size, out);
#endif
}

PyArrayObject *
convert_first_residuals(PyObject *value, npy_intp least, int *type_num)
{
    PyArrayObject *array = as_real_array(value, "func", INNER_ITEMS);
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
    return to_doubles(array, "func");

error:
    Py_DECREF(array);
    return NULL;
}

/* What is no list or tuple of floats as a vector of that size; see
 * convert_vector. */
static PyArrayObject *
any_to_vector(PyObject *value, npy_intp size)
{
    PyArrayObject *array = as_real_array(value, "func", INNER_ITEMS);

    if (array == NULL) {
        return NULL;
    }
    if (check_vector(array, "func") < 0 ||
        check_size(PyArray_SIZE(array), size) < 0) {
        Py_DECREF(array);
        return NULL;
    }
    return to_doubles(array, "func");
}

PyArrayObject *
convert_vector(PyObject *value, npy_intp size)
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
    done = copy_plain_sequence(value, size, PyArray_DATA(array));
    if (done > 0) {
        return array;
    }
    Py_DECREF(array);
    return done < 0 ? NULL : any_to_vector(value, size);
}

int
convert_residuals(PyObject *value, npy_intp size, double *out)
{
    PyArrayObject *array;
    int done = 0;
    int finite;

    if (PyArray_CheckExact(value)) {
        array = (PyArrayObject *)value;
        if (PyArray_NDIM(array) == 1 && PyArray_DIM(array, 0) == size &&
            is_native_double(array)) {
            return convert_copy_vector(array, out);
        }
    }
    else {
        done = copy_plain_sequence(value, size, out);
    }
    if (done != 0) {
        return done < 0 ? -1 : convert_all_finite(out, size);
    }
    array = any_to_vector(value, size);
    if (array == NULL) {
        return -1;
    }
    finite = convert_copy_vector(array, out);
    Py_DECREF(array);
    return finite;
}

/* The error of a Jacobian of the wrong shape. */
static void
set_shape_error(PyArrayObject *array, PyObject *dfun, npy_intp rows,
                npy_intp columns)
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
convert_jacobian(PyObject *value, PyObject *dfun, npy_intp m, npy_intp n,
                 int col_deriv)
{
    npy_intp rows = col_deriv ? n : m;
    npy_intp columns = col_deriv ? m : n;
    PyArrayObject *array =
        as_real_array(value, "Dfun", 2 * m * n + INNER_ITEMS);

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
    return to_doubles(array, "Dfun");
}

Matrix
convert_matrix_of(PyArrayObject *array, int col_deriv)
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
