#include "triangle.h"

#include <math.h>
#include <stdint.h>

#include "convert.h"
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
#if defined(__x86_64__) && defined(__GNUC__)
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

int
triangle_chunk_rows(int m, int n)
{
    /* A multiple of the blocks that the factorisation works in, so that the
     * result does not depend on the chunks. */
    const int block = 512;
    double blocks = ceil(GIL_FREE_WORK / ((double)n * n * block));

    if ((double)m * n * n < GIL_FREE_WORK) {
        return 0;
    }
    return blocks * block < m ? (int)blocks * block : m;
}

/* How one element follows another in units of elements, and where the lowest
 * address is. */
typedef struct {
    const double *lowest;
    int64_t down;
    int64_t right;
} Layout;

static Layout
layout_of(const Matrix *matrix, int m, int n)
{
    npy_intp low = 0;
    Layout layout;

    if (matrix->down < 0) {
        low += (m - 1) * matrix->down;
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
    Matrix now = convert_matrix_of(array, col_deriv);
    int last = PyArray_NDIM(array) - 1;

    return PyArray_TYPE(array) == NPY_DOUBLE && (last == 0 || last == 1) &&
           PyArray_DIM(array, 0) == (col_deriv && last > 0 ? n : m) &&
           PyArray_SIZE(array) == (npy_intp)m * n &&
           now.first == matrix->first && now.down == matrix->down &&
           now.right == matrix->right;
}

/* As triangle_of, in chunks: each is copied with the GIL held, because other
 * threads can do anything to the array, and reduced without it. */
static int
reduce_chunks(PyArrayObject *jacobian, int col_deriv, const Blocks *blocks,
              int m, int n, const double *fvec, double *r, int ldr)
{
    const Matrix matrix = convert_matrix_of(jacobian, col_deriv);

    for (npy_intp first = 0; first < m; first += blocks->chunk_rows) {
        int rows = (int)Py_MIN(m - first, blocks->chunk_rows);

        if (!still_is(jacobian, &matrix, col_deriv, m, n)) {
            PyErr_SetString(PyExc_ValueError,
                            "the array that Dfun returned changed its shape "
                            "or memory while it was read");
            return -1;
        }
        convert_copy_rows(&matrix, first, rows, n, blocks->chunk);
        Py_BEGIN_ALLOW_THREADS blocked_tall_rows(
            blocks->isa, rows, n, blocks->chunk, 1, rows, fvec + first, r, ldr,
            blocks->work);
        Py_END_ALLOW_THREADS
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
        Matrix matrix = convert_matrix_of(jacobian, col_deriv);
        Layout layout = layout_of(&matrix, m, n);

        blocked_tall_rows(blocks->isa, m, n, layout.lowest, layout.down,
                          layout.right, fvec, r, ldr, blocks->work);
    }
    blocked_tall_end(n, r, ldr, blocks->work);
    return status;
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
triangle_chunk_rows(int m, int n)
{
    (void)m;
    (void)n;
    return 0;
}

#endif
