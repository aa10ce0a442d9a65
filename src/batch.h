/* Batch: many fits of a compiled function, by any number of threads. */
#ifndef PYMINPACK_BATCH_H
#define PYMINPACK_BATCH_H

#include "numpy_api.h"

/* Add the type Batch to the module. 0, or -1 with an exception. */
int batch_add_type(PyObject *module);

#endif /* PYMINPACK_BATCH_H */
