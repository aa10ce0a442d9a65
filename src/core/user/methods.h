/* What Python's layer converts objects of the user's with: methods of the module. None of them lets
 * NumPy or Python read memory that the user's code can change meanwhile. */
#ifndef PYMINPACK_USER_METHODS_H
#define PYMINPACK_USER_METHODS_H

#include "numpy_api.h"

/* real_array(name, value, objects=False): what was given, as an array of the caller's own. With
 * `objects`, Python objects are numbers too. */
PyObject *methods_real_array(PyObject *module, PyObject *const *args, Py_ssize_t nargs);

/* data_array(name, value): the same, with dates, text and None. */
PyObject *methods_data_array(PyObject *module, PyObject *const *args, Py_ssize_t nargs);

/* returned_array(name, value): what the function of that name returned, and the number of the NumPy
 * type that it had. */
PyObject *methods_returned_array(PyObject *module, PyObject *const *args, Py_ssize_t nargs);

/* any_array(name, value): the array that NumPy makes of it, of any dtype. */
PyObject *methods_any_array(PyObject *module, PyObject *const *args, Py_ssize_t nargs);

/* xdata_array(value): what f gets as xdata. */
PyObject *methods_xdata_array(PyObject *module, PyObject *value);

/* read_real(name, value), read_integer(name, value): options of Python's layer. */
PyObject *methods_read_real(PyObject *module, PyObject *const *args, Py_ssize_t nargs);
PyObject *methods_read_integer(PyObject *module, PyObject *const *args, Py_ssize_t nargs);

#endif /* PYMINPACK_USER_METHODS_H */
