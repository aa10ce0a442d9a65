#include "user/copy.h"

#include "kernels/tuning.h"

#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* With all its bits set, as NaN and infinity have it, the exponent of a double carries into the
 * sign. Without a branch many are looked at side by side. */
static inline uint64_t
carry_if_not_finite(double value)
{
    const uint64_t exponent = UINT64_C(0x7ff) << 52;
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return (bits & exponent) + (UINT64_C(1) << 52);
}

int
copy_all_finite(const double *values, npy_intp size)
{
    uint64_t carries = 0;

    for (npy_intp i = 0; i < size; i++) {
        carries |= carry_if_not_finite(values[i]);
    }
    return carries >> 63 == 0;
}

/* Copy doubles and tell whether all are finite. Many by quarters, because memory is faster when
 * read in several places at once. */
static int
copy_and_look(const double *restrict in, npy_intp size, double *restrict out)
{
    npy_intp quarter = size < 64 ? 0 : size / 4;
    npy_intp second = quarter;
    npy_intp third = 2 * quarter;
    npy_intp fourth = 3 * quarter;
    uint64_t carries = 0;

    for (npy_intp i = 0; i < quarter; i++) {
        carries |= carry_if_not_finite(in[i]) | carry_if_not_finite(in[second + i]) |
                   carry_if_not_finite(in[third + i]) | carry_if_not_finite(in[fourth + i]);
        out[i] = in[i];
        out[second + i] = in[second + i];
        out[third + i] = in[third + i];
        out[fourth + i] = in[fourth + i];
    }
    for (npy_intp i = 4 * quarter; i < size; i++) {
        carries |= carry_if_not_finite(in[i]);
        out[i] = in[i];
    }
    return carries >> 63 == 0;
}

int
copy_vector(PyArrayObject *array, double *out)
{
    npy_intp size = PyArray_SIZE(array);
    const char *in = PyArray_BYTES(array);
    npy_intp stride = PyArray_NDIM(array) == 0 ? 0 : PyArray_STRIDE(array, 0);

    if (stride == (npy_intp)sizeof(double)) {
        return copy_and_look(PyArray_DATA(array), size, out);
    }
    for (npy_intp i = 0; i < size; i++) {
        out[i] = *(const double *)(in + i * stride);
    }
    return copy_all_finite(out, size);
}

/* Where the processor can write around its caches, memory is not read before it is written to. */
void
copy_past_caches(const double *values, npy_intp size, double *out)
{
    npy_intp i = 0;

#ifdef __SSE2__
    if ((uintptr_t)out % 16 != 0 && size > 0) {
        out[i] = values[i];
        i++;
    }
    for (; i + 8 <= size - PREFETCH_COPY; i += 8) {
        __builtin_prefetch(values + i + PREFETCH_COPY);
        for (int j = 0; j < 8; j += 2) {
            _mm_stream_pd(out + i + j, _mm_loadu_pd(values + i + j));
        }
    }
    /* Other threads may read it next. */
    _mm_sfence();
#endif
    memcpy(out + i, values + i, (size_t)(size - i) * sizeof(double));
}

void
copy_matrix(const Matrix *matrix, npy_intp m, npy_intp n, double *out)
{
    /* Blocks of rows, so that lines of cache fetched for one column of a row-major matrix are still
     * there for the next. */
    const npy_intp block = 64;

    if (matrix->down == (npy_intp)sizeof(double)) {
        for (npy_intp j = 0; j < n; j++) {
            memcpy(out + j * m, matrix->first + j * matrix->right, (size_t)m * sizeof(double));
        }
        return;
    }
    for (npy_intp start = 0; start < m; start += block) {
        npy_intp end = m - start < block ? m : start + block;

        for (npy_intp j = 0; j < n; j++) {
            const char *column = matrix->first + j * matrix->right;

            for (npy_intp i = start; i < end; i++) {
                out[j * m + i] = *(const double *)(column + i * matrix->down);
            }
        }
    }
}
