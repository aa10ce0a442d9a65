/* Every block that Python and NumPy hand out is a malloc of its own, so that a memory checker sees
 * where it ends and when it dies. For LD_PRELOAD, by tools/fences.sh.
 *
 * What PYTHONMALLOC=malloc does is here done with one difference: objects are zeroed. CPython's int
 * code multiplies the unset first digit of a 0 by its size, which is zero, and to valgrind the
 * product, an index into the small ints, remains unset. Whatever is done with a 0 would be
 * reported. Blocks that are no objects, such as the shim's workspace, stay as malloc gives them,
 * and so do the values of arrays. */
#include <Python.h>
#define NPY_NO_DEPRECATED_API NPY_1_23_API_VERSION
#define NPY_TARGET_VERSION NPY_1_23_API_VERSION
#define NO_IMPORT_ARRAY
#define PY_ARRAY_UNIQUE_SYMBOL plain_malloc_array_api
#include <numpy/arrayobject.h>

#include <stdlib.h>

/* Programs that are no Python have this library preloaded too. */
#pragma weak Py_IsInitialized
#pragma weak PyMem_SetAllocator

void **plain_malloc_array_api;

void plain_malloc_for_python(void) __attribute__((constructor));
int plain_malloc_for_numpy(void);

/* Python wants an address of its own for every block of size zero, too. */
static void *
plain_malloc(void *Py_UNUSED(context), size_t size)
{
    return malloc(size == 0 ? 1 : size);
}

static void *
plain_calloc(void *Py_UNUSED(context), size_t count, size_t size)
{
    return count == 0 || size == 0 ? calloc(1, 1) : calloc(count, size);
}

static void *
zeroed_malloc(void *context, size_t size)
{
    return plain_calloc(context, 1, size);
}

static void *
plain_realloc(void *Py_UNUSED(context), void *block, size_t size)
{
    return realloc(block, size == 0 ? 1 : size);
}

static void
plain_free(void *Py_UNUSED(context), void *block)
{
    free(block);
}

static void
plain_array_free(void *context, void *block, size_t Py_UNUSED(size))
{
    plain_free(context, block);
}

/* Runs before main. */
void
plain_malloc_for_python(void)
{
    PyMemAllocatorEx objects = {NULL, zeroed_malloc, plain_calloc, plain_realloc, plain_free};
    PyMemAllocatorEx others = {NULL, plain_malloc, plain_calloc, plain_realloc, plain_free};

    if (PyMem_SetAllocator == NULL || Py_IsInitialized()) {
        return;
    }
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &objects);
    PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &others);
}

static PyDataMem_Handler plain_arrays = {
    "plain_malloc",
    1,
    {NULL, plain_malloc, plain_calloc, plain_realloc, plain_array_free},
};

/* For the calling thread: NumPy on its own keeps small freed arrays for the next ones, so that
 * using one after its end would go unseen. 0, or -1 with an exception. */
int
plain_malloc_for_numpy(void)
{
    PyObject *module = NULL;
    PyObject *api = NULL;
    PyObject *handler = NULL;
    PyObject *previous = NULL;

    module = PyImport_ImportModule("numpy._core._multiarray_umath");
    if (module == NULL) {
        goto cleanup;
    }
    api = PyObject_GetAttrString(module, "_ARRAY_API");
    if (api == NULL) {
        goto cleanup;
    }
    plain_malloc_array_api = PyCapsule_GetPointer(api, NULL);
    handler = PyCapsule_New(&plain_arrays, "mem_handler", NULL);
    if (plain_malloc_array_api == NULL || handler == NULL) {
        goto cleanup;
    }
    previous = PyDataMem_SetHandler(handler);

cleanup:
    Py_XDECREF(module);
    Py_XDECREF(api);
    Py_XDECREF(handler);
    if (previous == NULL) {
        return -1;
    }
    Py_DECREF(previous);
    return 0;
}
