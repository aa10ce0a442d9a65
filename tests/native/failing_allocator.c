/* A Python module that refuses memory: NumPy's for the data of arrays, request by request, and
 * Python's for blocks of one size. For tests, of one thread. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define NPY_NO_DEPRECATED_API NPY_1_23_API_VERSION
#define NPY_TARGET_VERSION NPY_1_22_API_VERSION
#include <numpy/arrayobject.h>

#include <stdlib.h>

/* What NumPy is refused, in the way of _testcapi.set_nomemory(). */
typedef struct {
    long start;    /* requests that are granted first */
    long stop;     /* the last request to be refused; 0: all that follow are */
    long requests; /* so far */
    long live;     /* blocks granted and not yet freed */
} Requests;

static Requests requests;

static int
is_refused(Requests *count)
{
    count->requests++;
    return count->requests > count->start && (count->stop == 0 || count->requests <= count->stop);
}

static void *
granted(Requests *count, void *block)
{
    if (block != NULL) {
        count->live++;
    }
    return block;
}

static void *
data_malloc(void *count, size_t size)
{
    return is_refused(count) ? NULL : granted(count, malloc(size));
}

static void *
data_calloc(void *count, size_t items, size_t size)
{
    return is_refused(count) ? NULL : granted(count, calloc(items, size));
}

static void *
data_realloc(void *count, void *block, size_t size)
{
    return is_refused(count) ? NULL : realloc(block, size);
}

static void
data_free(void *count, void *block, size_t Py_UNUSED(size))
{
    if (block != NULL) {
        ((Requests *)count)->live--;
    }
    free(block);
}

/* Arrays point to the handler that made their data as long as they live. */
static PyDataMem_Handler handler = {
    "failing_allocator",
    1,
    {&requests, data_malloc, data_calloc, data_realloc, data_free},
};

/* 0, or -1 with an exception. */
static int
set_handler(PyObject *capsule)
{
    PyObject *previous = PyDataMem_SetHandler(capsule);

    Py_XDECREF(previous);
    return previous == NULL ? -1 : 0;
}

PyDoc_STRVAR(refuse_data_doc, "refuse_data(start, stop, /)\n"
                              "--\n\n"
                              "Refuse NumPy's requests number start + 1 to stop; with stop 0\n"
                              "all that follow.");

static PyObject *
refuse_data(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *capsule;
    int status;

    requests.requests = 0;
    if (!PyArg_ParseTuple(args, "ll:refuse_data", &requests.start, &requests.stop)) {
        return NULL;
    }
    capsule = PyCapsule_New(&handler, "mem_handler", NULL);
    if (capsule == NULL) {
        return NULL;
    }
    status = set_handler(capsule);
    Py_DECREF(capsule);
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(restore_data_doc, "restore_data()\n"
                               "--\n\n"
                               "Give NumPy its own allocator back.");

static PyObject *
restore_data(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(args))
{
    return set_handler(NULL) < 0 ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(live_data_doc, "live_data()\n"
                            "--\n\n"
                            "The number of blocks granted to NumPy and not yet freed.");

static PyObject *
live_data(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(args))
{
    return PyLong_FromLong(requests.live);
}

/* What Python is refused, of the domain of PyMem_Malloc. */
typedef struct {
    PyMemAllocatorEx own; /* Python's, that does the work */
    size_t size;          /* of the blocks to refuse */
    long refused;         /* so far */
} Blocks;

static Blocks blocks;

static int
is_of_refused_size(Blocks *count, size_t size)
{
    if (size != count->size) {
        return 0;
    }
    count->refused++;
    return 1;
}

static void *
block_malloc(void *count, size_t size)
{
    PyMemAllocatorEx *own = &((Blocks *)count)->own;

    return is_of_refused_size(count, size) ? NULL : own->malloc(own->ctx, size);
}

static void *
block_calloc(void *count, size_t items, size_t size)
{
    PyMemAllocatorEx *own = &((Blocks *)count)->own;

    return own->calloc(own->ctx, items, size);
}

static void *
block_realloc(void *count, void *block, size_t size)
{
    PyMemAllocatorEx *own = &((Blocks *)count)->own;

    return own->realloc(own->ctx, block, size);
}

static void
block_free(void *count, void *block)
{
    PyMemAllocatorEx *own = &((Blocks *)count)->own;

    own->free(own->ctx, block);
}

PyDoc_STRVAR(refuse_size_doc, "refuse_size(size, /)\n"
                              "--\n\n"
                              "Refuse Python's blocks of so many bytes.");

static PyObject *
refuse_size(PyObject *Py_UNUSED(module), PyObject *size)
{
    PyMemAllocatorEx refusing = {&blocks, block_malloc, block_calloc, block_realloc, block_free};

    blocks.refused = 0;
    blocks.size = PyLong_AsSize_t(size);
    if (PyErr_Occurred()) {
        return NULL;
    }
    PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &blocks.own);
    PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &refusing);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(restore_size_doc, "restore_size()\n"
                               "--\n\n"
                               "Give Python its own allocator back; return the number of\n"
                               "blocks that were refused.");

static PyObject *
restore_size(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(args))
{
    PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &blocks.own);
    return PyLong_FromLong(blocks.refused);
}

static PyMethodDef methods[] = {
    {"refuse_data", refuse_data, METH_VARARGS, refuse_data_doc},
    {"restore_data", restore_data, METH_NOARGS, restore_data_doc},
    {"live_data", live_data, METH_NOARGS, live_data_doc},
    {"refuse_size", refuse_size, METH_O, refuse_size_doc},
    {"restore_size", restore_size, METH_NOARGS, restore_size_doc},
    {NULL, NULL, 0, NULL},
};

static int
failing_exec(PyObject *Py_UNUSED(module))
{
    import_array1(-1);
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)failing_exec},
    {0, NULL},
};

static struct PyModuleDef failing_allocator = {
    PyModuleDef_HEAD_INIT, .m_name = "failing_allocator", .m_doc = "Refuses memory.",
    .m_size = 0,           .m_methods = methods,          .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_failing_allocator(void)
{
    return PyModuleDef_Init(&failing_allocator);
}
