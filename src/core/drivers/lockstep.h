/* Lockstep: many fits whose residuals are evaluated in common. */
#ifndef PYMINPACK_DRIVERS_LOCKSTEP_H
#define PYMINPACK_DRIVERS_LOCKSTEP_H

#include "numpy_api.h"

/* Add the type Lockstep to the module. 0, or -1 with an exception. */
int lockstep_add_type(PyObject *module);

#endif /* PYMINPACK_DRIVERS_LOCKSTEP_H */
