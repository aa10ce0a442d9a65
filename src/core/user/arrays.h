/* Numbers of the user's, as doubles: what was given as an argument, and what a function returned.
 * Nothing else converts an object of the user's.
 *
 * A conversion may run code of the user's, which may change or destroy the object, the list that
 * holds it, or the memory that it stands for. So lists are looked at as they were at the beginning,
 * elements are converted in a copy of their array, and whoever calls one of these holds `value`
 * until the values have been read: an array that is returned may share its memory, unless it says
 * that it does not. */
#ifndef PYMINPACK_USER_ARRAYS_H
#define PYMINPACK_USER_ARRAYS_H

#include "numpy_api.h"
#include "user/copy.h"

/* What counts as numbers beside booleans, integers and floats: Python objects that float() takes
 * and that are no text, and with ARRAYS_DATA dates, None, which is NaN, and text. */
enum { ARRAYS_REAL, ARRAYS_OBJECTS, ARRAYS_DATA };

/* Where a value comes from. */
typedef struct {
    const char *name;      /* borrowed: of the argument or the function */
    int returned;          /* by that function; 0: given as that argument */
    int kinds;             /* ARRAYS_REAL, ARRAYS_OBJECTS or ARRAYS_DATA */
    Py_ssize_t most_inner; /* items of inner sequences to look into */
} Source;

/* Items of inner sequences that are looked into: of what a function returned, where none is legal,
 * to name the shape; and of what was given. */
#define ARRAYS_INNER_RETURNED ((Py_ssize_t)1 << 22)
#define ARRAYS_INNER_GIVEN ((Py_ssize_t)1 << 26)

/* Whether an object is a float64 vector that can be read as it is. */
int arrays_is_vector(PyObject *object);

/* The array that NumPy makes of an object, no subclass, of any dtype. A new reference, perhaps to
 * `value`, or NULL with an exception. *is_new, unless NULL, becomes whether nobody else can have it
 * or its memory. */
PyArrayObject *arrays_any(PyObject *value, const Source *source, int *is_new);

/* The same for numbers: TypeError for any other. They have the type that they come in, for
 * arrays_to_doubles. */
PyArrayObject *arrays_real(PyObject *value, const Source *source, int *is_new);

/* The array as native float64, aligned, of any strides; may be `array` itself. Steals the
 * reference. A new reference, or NULL with an exception. */
PyArrayObject *arrays_to_doubles(PyArrayObject *array, const Source *source);

/* Numbers as a C-contiguous array of float64, aligned, that nobody else has, nor its memory: a new
 * reference, or NULL with an exception. */
PyArrayObject *arrays_own(PyObject *value, const Source *source);

#endif /* PYMINPACK_USER_ARRAYS_H */
