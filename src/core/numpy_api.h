/* Python.h and NumPy's C API, the same way in every file. The module file defines
 * PYMINPACK_IMPORT_ARRAY and fetches the table; the others share it. */
#ifndef PYMINPACK_NUMPY_API_H
#define PYMINPACK_NUMPY_API_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define NPY_NO_DEPRECATED_API NPY_1_23_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL pyminpack_array_api
#ifndef PYMINPACK_IMPORT_ARRAY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#endif /* PYMINPACK_NUMPY_API_H */
