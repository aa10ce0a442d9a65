#include "types.h"

#include <string.h>

int
types_add(PyObject *module, PyType_Spec *spec)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    int status;

    if (type == NULL) {
        return -1;
    }
    status = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return status;
}

const char *
types_name(PyObject *object)
{
    const char *name = Py_TYPE(object)->tp_name;
    const char *dot = strrchr(name, '.');

    return dot == NULL ? name : dot + 1;
}
