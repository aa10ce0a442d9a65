#include "fit/factor.h"

#include <limits.h>
#include <math.h>

#include "kernels/tuning.h"
#include "user/answers.h"

int
factor_isa(const Options *options, int m, int n)
{
    int blocks = options->qr == QR_BLOCKED;

    if (options->qr == QR_AUTO && !ON_ARGONNE) {
        blocks = (double)m * n * n >= BLOCKED_WORK;
    }
    /* So many would be too many for the leading dimension. */
    return blocks && n <= INT_MAX - 15 ? options->isa : -1;
}

void
factor_memory(Fit *fit, const double **points)
{
    LmFit *lm = &fit->lm;
    const int64_t strides[2] = {1, fit->m};

    if (points != NULL) {
        lm_reduce(lm, fit->m, points, fit->f, fit->steps);
    }
    else if (lm->isa >= 0) {
        qr_start(lm->n, lm->r, lm->spare);
        qr_rows(lm->isa, fit->m, lm->n, fit->jacobian, strides, fit->f, lm->r, lm->spare);
        qr_end(lm->n, lm->r, lm->spare);
    }
    lm_factor(lm, fit->m, fit->f, fit->f_trial);
}

Chunk
factor_chunk(int m, int n)
{
    double work = (double)m * n * n;
    Chunk chunk = {0};

    if (work < GIL_FREE_WORK) {
        return chunk;
    }
    /* Not much more memory than the twentieth of a large Jacobian. */
    chunk.rows = (int)ceil(fmin(GIL_FREE_WORK / work, 0.05) * m);
    qr_chunk(n, &chunk.rows, &chunk.size);
    if (chunk.rows > m) {
        chunk.rows = m;
    }
    return chunk;
}

/* Where the lowest address of some rows of a matrix is; `strides`, in units of elements, from row
 * to row and from column to column, come along. */
static const double *
lay_of(const Matrix *matrix, npy_intp first, int rows, int n, int64_t strides[2])
{
    npy_intp low = first * matrix->down;

    if (matrix->down < 0) {
        low += (rows - 1) * matrix->down;
    }
    if (matrix->right < 0) {
        low += (n - 1) * matrix->right;
    }
    strides[0] = matrix->down / (npy_intp)sizeof(double);
    strides[1] = matrix->right / (npy_intp)sizeof(double);
    return (const double *)(matrix->first + low);
}

/* Whether the array is still what `matrix` was taken from. */
static int
still_is(PyArrayObject *array, const Matrix *matrix, int col_deriv, const Fit *fit)
{
    int ndim = PyArray_NDIM(array);
    Matrix now;

    /* First the shape: without dimensions there are no strides. */
    if ((ndim != 1 && ndim != 2) || PyArray_SIZE(array) != (npy_intp)fit->m * fit->lm.n ||
        PyArray_DIM(array, 0) != (col_deriv && ndim == 2 ? fit->lm.n : fit->m) ||
        PyArray_TYPE(array) != NPY_DOUBLE || !PyArray_ISBEHAVED_RO(array)) {
        return 0;
    }
    now = answers_matrix_of(array, col_deriv);
    return now.first == matrix->first && now.down == matrix->down && now.right == matrix->right;
}

/* In chunks, so that other threads get their turn. Each chunk is copied with the GIL held, because
 * they can do anything to the array, and reduced without it. While there is no other thread, chunks
 * are read where they lie, with the GIL held: to the same bits. One that comes meanwhile waits for
 * one chunk. */
static int
reduce_chunks(Fit *fit, PyArrayObject *jacobian, int col_deriv, const Chunk *chunk)
{
    const Matrix matrix = answers_matrix_of(jacobian, col_deriv);
    LmFit *lm = &fit->lm;

    for (npy_intp first = 0; first < fit->m; first += chunk->rows) {
        int rows = (int)Py_MIN(fit->m - first, chunk->rows);
        const double *lowest;
        int64_t strides[2];
        PyThreadState *state;

        if (!still_is(jacobian, &matrix, col_deriv, fit)) {
            PyErr_SetString(PyExc_ValueError, "the array that Dfun returned changed its shape "
                                              "or memory while it was read");
            return -1;
        }
        lowest = lay_of(&matrix, first, rows, lm->n, strides);
        if (gil_is_nobody_elses()) {
            qr_rows(lm->isa, rows, lm->n, lowest, strides, fit->f + first, lm->r, lm->spare);
            continue;
        }
        qr_pack(lm->isa, rows, lm->n, lowest, strides, fit->f + first, chunk->memory);
        state = PyEval_SaveThread();
        qr_reduce(lm->isa, rows, lm->n, chunk->memory, lm->r, lm->spare);
        PyEval_RestoreThread(state);
    }
    return 0;
}

int
factor_reduce_array(Fit *fit, PyArrayObject *jacobian, int col_deriv, const Chunk *chunk)
{
    LmFit *lm = &fit->lm;
    int status = 0;

    qr_start(lm->n, lm->r, lm->spare);
    if (chunk->rows > 0) {
        status = reduce_chunks(fit, jacobian, col_deriv, chunk);
    }
    else {
        const Matrix matrix = answers_matrix_of(jacobian, col_deriv);
        int64_t strides[2];
        const double *lowest = lay_of(&matrix, 0, fit->m, lm->n, strides);

        qr_rows(lm->isa, fit->m, lm->n, lowest, strides, fit->f, lm->r, lm->spare);
    }
    qr_end(lm->n, lm->r, lm->spare);
    return status;
}
