#include "fit/factor.h"

#include <math.h>
#include <stdint.h>

#include "user/answers.h"
#include "minpack.h"

#ifdef PYMINPACK_BLOCKED

int
triangle_available(void)
{
    return 1;
}

int
triangle_instruction_set(void)
{
#ifdef HAVE_X86_VARIANTS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("fma")) {
        if (__builtin_cpu_supports("avx512f") &&
            __builtin_cpu_supports("avx512dq") &&
            __builtin_cpu_supports("avx512vl")) {
            return 2;
        }
        if (__builtin_cpu_supports("avx2")) {
            return 1;
        }
    }
#endif
    return 0;
}

Blocks
triangle_plan(int m, int n)
{
    /* A multiple of the blocks that the factorisation works in, so that the
     * result does not depend on the chunks. */
    const int block = blocked_tall_block(n);
    double work = (double)m * n * n;
    Blocks blocks = {.isa = triangle_instruction_set()};
    double chunk;

    if (work < GIL_FREE_WORK) {
        return blocks;
    }
    /* Not much more memory than the twentieth of a large Jacobian. */
    chunk = ceil(fmin(GIL_FREE_WORK / work, 0.05) * m / block) * block;
    blocks.chunk_rows = chunk < m ? (int)chunk : m;
    blocks.chunk_size = blocked_tall_blocks(blocks.chunk_rows, n);
    return blocks;
}

/* How one element of some rows follows another, in units of elements, and
 * where the lowest address is. */
typedef struct {
    const double *lowest;
    int64_t down;
    int64_t right;
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
    layout.down = matrix->down / (npy_intp)sizeof(double);
    layout.right = matrix->right / (npy_intp)sizeof(double);
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
    now = answers_matrix_of(array, col_deriv);
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
              int m, int n, const double *fvec, double *r, int ldr)
{
    const Matrix matrix = answers_matrix_of(jacobian, col_deriv);
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
            blocked_tall_rows(blocks->isa, rows, n, layout.lowest, layout.down,
                              layout.right, fvec + first, r, ldr,
                              blocks->work);
            continue;
        }
        blocked_tall_pack(blocks->isa, rows, n, layout.lowest, layout.down,
                          layout.right, fvec + first, blocks->chunk);
        state = PyEval_SaveThread();
        blocked_tall_fold(blocks->isa, rows, n, blocks->chunk, r, ldr,
                          blocks->work);
        PyEval_RestoreThread(state);
    }
    return 0;
}

int
triangle_of(PyArrayObject *jacobian, int col_deriv, const Blocks *blocks,
            int m, int n, const double *fvec, double *r, int ldr)
{
    int status = 0;

    blocked_tall_start(n, r, ldr, blocks->work);
    if (blocks->chunk_rows > 0) {
        status =
            reduce_chunks(jacobian, col_deriv, blocks, m, n, fvec, r, ldr);
    }
    else {
        Matrix matrix = answers_matrix_of(jacobian, col_deriv);
        Layout layout = layout_of(&matrix, 0, m, n);

        blocked_tall_rows(blocks->isa, m, n, layout.lowest, layout.down,
                          layout.right, fvec, r, ldr, blocks->work);
    }
    blocked_tall_end(n, r, ldr, blocks->work);
    return status;
}

void
triangle_of_memory(const double *jacobian, const Blocks *blocks, int m, int n,
                   const double *fvec, double *r, int ldr)
{
    blocked_tall_start(n, r, ldr, blocks->work);
    blocked_tall_rows(blocks->isa, m, n, jacobian, 1, m, fvec, r, ldr,
                      blocks->work);
    blocked_tall_end(n, r, ldr, blocks->work);
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

Blocks
triangle_plan(int m, int n)
{
    (void)m;
    (void)n;
    return (Blocks){0};
}

#endif
