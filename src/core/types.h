/* Types in the module. */
#ifndef PYMINPACK_TYPES_H
#define PYMINPACK_TYPES_H

#include "numpy_api.h"

/* Make a type of the module and put it there. 0, or -1 with an exception. */
int types_add(PyObject *module, PyType_Spec *spec);

#endif /* PYMINPACK_TYPES_H */
