/* How the rows of a matrix get into a block of columns for the blocked factorisations: nothing is
 * computed but differences. In C, because Fortran has no words for the two things that count here:
 * fetching what is needed soon, and exchanging the elements of vectors. */
#include "columns.h"
#include "fetch.h"
#include "operations.h"
#include "vector.h"

#if defined(__clang__)
#define PICK(x, y, i, j, k, l) __builtin_shufflevector(x, y, i, j, k, l)
#else
typedef long long Places __attribute__((vector_size(4 * sizeof(long long))));
#define PICK(x, y, i, j, k, l) __builtin_shuffle(x, y, (Places){i, j, k, l})
#endif

static inline const Four *
at(const double *place)
{
    return (const Four *)place;
}

/* Four rows of four elements, `down` apart, become four columns, `ldb` apart. Where vectors hold
 * two, exchanging elements of four takes a detour through memory. */
static inline void
turn(const double *a, int64_t down, double *b, int64_t ldb)
{
#if WIDTH > 2
    const Four row0 = *at(a), row1 = *at(a + down);
    const Four row2 = *at(a + 2 * down), row3 = *at(a + 3 * down);
    const Four even01 = PICK(row0, row1, 0, 4, 2, 6);
    const Four odd01 = PICK(row0, row1, 1, 5, 3, 7);
    const Four even23 = PICK(row2, row3, 0, 4, 2, 6);
    const Four odd23 = PICK(row2, row3, 1, 5, 3, 7);

    *(Four *)b = PICK(even01, even23, 0, 1, 4, 5);
    *(Four *)(b + ldb) = PICK(odd01, odd23, 0, 1, 4, 5);
    *(Four *)(b + 2 * ldb) = PICK(even01, even23, 2, 3, 6, 7);
    *(Four *)(b + 3 * ldb) = PICK(odd01, odd23, 2, 3, 6, 7);
#else
    for (int i = 0; i < 4; i += 2) {
        for (int k = 0; k < 4; k += 2) {
            const Two row0 = *(const Two *)(a + i * down + k);
            const Two row1 = *(const Two *)(a + (i + 1) * down + k);

            *(Two *)(b + i + k * ldb) = (Two){row0[0], row1[0]};
            *(Two *)(b + i + (k + 1) * ldb) = (Two){row0[1], row1[1]};
        }
    }
#endif
}

/* Copy rows without gaps between their elements, `down` apart. */
void
kernel_pack_rows(int rows, int n, const double *a, int64_t down, double *b, int ldb)
{
    const int64_t lead = ldb;
    int i = 0;

    for (; i + 4 <= rows; i += 4, a += 4 * down, b += 4) {
        const double *a1 = a + down, *a2 = a1 + down, *a3 = a2 + down;
        double *to;
        int k = 0;

        for (int64_t j = 0; j < 4 * (int64_t)n; j += CACHE_LINE) {
            fetch(a, PREFETCH_PACK + j);
        }
        for (; k + 4 <= n; k += 4) {
            turn(a + k, down, b + k * lead, lead);
        }
        to = b + k * lead;
        for (; k < n; k++, to += lead) {
            *(Four *)to = (Four){a[k], a1[k], a2[k], a3[k]};
        }
    }
    for (; i < rows; i++, a += down, b++) {
        for (int k = 0; k < n; k++) {
            b[k * lead] = a[k];
        }
    }
}

/* Where columns lie: the first one and how far right of it the next one is; or places of their own,
 * and how many elements come before. */
typedef struct {
    const double *a;
    int64_t right;
    const double *const *points;
    int64_t before;
} Columns;

TEMPLATE const double *
column(const Columns from, int k)
{
    return from.points != 0 ? from.points[k] + from.before : from.a + k * from.right;
}

/* Copy some of them, less f where there is one. */
TEMPLATE void
copy_columns(int rows, int cols, const Columns from, const double *f, double *b, int64_t lead)
{
    const int64_t ahead = PREFETCH_PACK / cols;
    int i = 0;

    for (; i + CACHE_LINE <= rows; i += CACHE_LINE) {
        for (int k = 0; k < cols; k++) {
            const double *source = column(from, k) + i;
            double *to = b + i + k * lead;

            fetch(source, ahead);
            for (int j = 0; j < CACHE_LINE; j += 4) {
                Four value = *at(source + j);

                if (f != 0) {
                    value -= *at(f + i + j);
                }
                *(Four *)(to + j) = value;
            }
        }
    }
    for (; i < rows; i++) {
        for (int k = 0; k < cols; k++) {
            const double value = column(from, k)[i];

            b[i + k * lead] = f == 0 ? value : value - f[i];
        }
    }
}

static inline int
side_by_side(int columns)
{
    return columns < COLUMNS_BESIDE ? columns : COLUMNS_BESIDE;
}

/* Copy columns without gaps between their elements, `right` apart. */
void
kernel_pack_columns(int rows, int n, const double *a, int64_t right, double *b, int ldb)
{
    const int64_t lead = ldb;

    for (int k = 0; k < n; k += COLUMNS_BESIDE) {
        const Columns from = {a + k * right, right, 0, 0};

        copy_columns(rows, side_by_side(n - k), from, 0, b + k * lead, lead);
    }
}

/* Copy what columns anywhere are above f, from the row behind `before` on. */
void
kernel_pack_differences(int rows, int n, const double *const *points, int before, const double *f,
                        double *b, int ldb)
{
    const int64_t lead = ldb;

    for (int k = 0; k < n; k += COLUMNS_BESIDE) {
        const Columns from = {0, 0, points + k, before};

        copy_columns(rows, side_by_side(n - k), from, f, b + k * lead, lead);
    }
}
