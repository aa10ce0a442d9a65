/* The types of the module. */
#ifndef PYMINPACK_TYPES_H
#define PYMINPACK_TYPES_H

#include "numpy_api.h"

/* What the module knows. */
typedef struct {
    int isa; /* the processor's instruction set, as minpack/ counts them */
} State;

static inline State *
types_state(PyObject *module)
{
    return PyModule_GetState(module);
}

/* Make the type and add it to the module. 0, or -1 with an exception. */
int types_add(PyObject *module, PyType_Spec *spec);

/* The name of an object's type without its module, for messages; valid as long as the type lives.
 */
const char *types_name(PyObject *object);

#endif /* PYMINPACK_TYPES_H */
