/* The residuals of a model at data, as a function that leastsq takes. */
#ifndef PYMINPACK_MODEL_H
#define PYMINPACK_MODEL_H

#include "numpy_api.h"

/* Put the type Residuals into the module. 0, or -1 with an exception. */
int model_add_type(PyObject *module);

#endif /* PYMINPACK_MODEL_H */
