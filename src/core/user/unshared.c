#include "user/unshared.h"

static int
is_referenced_once(PyObject *object)
{
#if PY_VERSION_HEX >= 0x030E0000
    return PyUnstable_Object_IsUniquelyReferenced(object);
#elif defined(Py_GIL_DISABLED)
    (void)object;
    return 0;
#else
    return Py_REFCNT(object) == 1;
#endif
}

int
unshared_vector(PyArrayObject *array, npy_intp size)
{
    return is_referenced_once((PyObject *)array) && PyArray_CheckExact(array) &&
           ((PyArrayObject_fields *)array)->weakreflist == NULL && PyArray_NDIM(array) == 1 &&
           PyArray_DIM(array, 0) == size && PyArray_TYPE(array) == NPY_DOUBLE &&
           PyArray_ISCARRAY(array) && PyArray_CHKFLAGS(array, NPY_ARRAY_OWNDATA);
}
