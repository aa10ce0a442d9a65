#include "fit/factor.h"

#include <math.h>
#include <stdint.h>

#include "user/arrays.h"
#include "minpack.h"
#include "kernels/kernels.h"

#ifdef PYMINPACK_BLOCKED

int
triangle_available(void)
{
    return 1;
}

int
triangle_instruction_set(void)
{
    return cpu_instruction_set();
}

int
triangle_lead(int n)
{
    return qr_lead(n);
}

Blocks
triangle_plan(int m, int n)
{
    double work = (double)m * n * n;
    Blocks blocks = {.isa = triangle_instruction_set()};

    if (work < GIL_FREE_WORK) {
        return blocks;
    }
    /* Not much more memory than the twentieth of a large Jacobian. In whole
     * blocks, so that the result does not depend on the chunks. */
    blocks.chunk_rows = (int)ceil(fmin(GIL_FREE_WORK / work, 0.05) * m);
    qr_chunk(n, &blocks.chunk_rows, &blocks.chunk_size);
    blocks.chunk_rows = Py_MIN(blocks.chunk_rows, m);
    return blocks;
}

/* How one element of some rows follows another, in units of elements, and
 * where the lowest address is. */
typedef struct {
    const double *lowest;
    int64_t strides[2];
} Layout;

static Layout
layout_of(const Matrix *matrix, npy_intp first, int rows, int n)
{
    npy_intp low = first * matrix->down;
    Layout layout;

    if (matrix->down < 0) {
        low += (rows - 1) * matrix->down;
    }
    if (matrix->right < 0) {
        low += (n - 1) * matrix->right;
    }
    layout.lowest = (const double *)(matrix->first + low);
    layout.strides[0] = matrix->down / (npy_intp)sizeof(double);
    layout.strides[1] = matrix->right / (npy_intp)sizeof(double);
    return layout;
}

/* Whether the array is still what `matrix` was taken from. */
static int
still_is(PyArrayObject *array, const Matrix *matrix, int col_deriv, int m,
         int n)
{
    int ndim = PyArray_NDIM(array);
    Matrix now;

    /* First the shape: without dimensions there are no strides. */
    if ((ndim != 1 && ndim != 2) || PyArray_SIZE(array) != (npy_intp)m * n ||
        PyArray_DIM(array, 0) != (col_deriv && ndim == 2 ? n : m) ||
        PyArray_TYPE(array) != NPY_DOUBLE || !PyArray_ISBEHAVED_RO(array)) {
        return 0;
    }
    now = convert_matrix_of(array, col_deriv);
    return now.first == matrix->first && now.down == matrix->down &&
           now.right == matrix->right;
}

/* Whether no other Python thread waits for the GIL, or may come to: neither of
 * this interpreter, nor of one that may share the GIL with it.
 *
 * New states become the head of their list, so that where this thread's own is
 * all there is, no other has to be looked at: that could go meanwhile. */
static int
is_only_thread(void)
{
#ifdef Py_GIL_DISABLED
    return 0;
#else
    PyThreadState *thread = PyThreadState_Get();
    PyInterpreterState *interpreter = PyInterpreterState_Get();

    return PyInterpreterState_Head() == interpreter &&
           PyInterpreterState_Next(interpreter) == NULL &&
           PyInterpreterState_ThreadHead(interpreter) == thread &&
           PyThreadState_Next(thread) == NULL;
#endif
}

/* As triangle_of, in chunks, so that other threads get their turn. Each chunk
 * is copied with the GIL held, because they can do anything to the array, and
 * reduced without it. While there is no other thread, chunks are read where
 * they lie, with the GIL held: to the same bits. One that comes meanwhile
 * waits for one chunk. */
static int
reduce_chunks(PyArrayObject *jacobian, int col_deriv, const Blocks *blocks,
              int m, int n, const double *fvec, double *r)
{
    const Matrix matrix = convert_matrix_of(jacobian, col_deriv);
    Layout layout;

    for (npy_intp first = 0; first < m; first += blocks->chunk_rows) {
        int rows = (int)Py_MIN(m - first, blocks->chunk_rows);
        PyThreadState *state;

        if (!still_is(jacobian, &matrix, col_deriv, m, n)) {
            PyErr_SetString(PyExc_ValueError,
                            "the array that Dfun returned changed its shape "
                            "or memory while it was read");
            return -1;
        }
        layout = layout_of(&matrix, first, rows, n);
        if (is_only_thread()) {
            qr_rows(blocks->isa, rows, n, layout.lowest, layout.strides,
                    fvec + first, r, blocks->work);
            continue;
        }
        qr_pack(blocks->isa, rows, n, layout.lowest, layout.strides,
                fvec + first, blocks->chunk);
        state = PyEval_SaveThread();
        qr_fold(blocks->isa, rows, n, blocks->chunk, r, blocks->work);
        PyEval_RestoreThread(state);
    }
    return 0;
}

int
triangle_of(PyArrayObject *jacobian, int col_deriv, const Blocks *blocks,
            int m, int n, const double *fvec, double *r)
{
    int status = 0;

    qr_start(n, r, blocks->work);
    if (blocks->chunk_rows > 0) {
        status =
            reduce_chunks(jacobian, col_deriv, blocks, m, n, fvec, r);
    }
    else {
        Matrix matrix = convert_matrix_of(jacobian, col_deriv);
        Layout layout = layout_of(&matrix, 0, m, n);

        qr_rows(blocks->isa, m, n, layout.lowest, layout.strides, fvec, r,
                blocks->work);
    }
    qr_end(n, r, blocks->work);
    return status;
}

void
triangle_of_memory(const double *jacobian, const Blocks *blocks, int m, int n,
                   const double *fvec, double *r)
{
    const int64_t strides[2] = {1, m};

    qr_start(n, r, blocks->work);
    qr_rows(blocks->isa, m, n, jacobian, strides, fvec, r, blocks->work);
    qr_end(n, r, blocks->work);
}

#else

int
triangle_available(void)
{
    return 0;
}

int
triangle_instruction_set(void)
{
    return 0;
}

int
triangle_lead(int n)
{
    (void)n;
    return 0;
}

Blocks
triangle_plan(int m, int n)
{
    (void)m;
    (void)n;
    return (Blocks){0};
}

#endif
