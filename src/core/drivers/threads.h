/* Batch: many fits of a compiled function, by any number of threads. */
#ifndef PYMINPACK_DRIVERS_THREADS_H
#define PYMINPACK_DRIVERS_THREADS_H

#include "numpy_api.h"

/* Add the type Batch to the module. 0, or -1 with an exception. */
int batch_add_type(PyObject *module);

#endif /* PYMINPACK_DRIVERS_THREADS_H */
