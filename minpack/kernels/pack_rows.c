/* How the rows of a matrix get into a block of columns for the blocked
 * factorisations: nothing is computed but differences. In C, because Fortran
 * has no words for the two things that count here: fetching what is needed
 * soon, and exchanging the elements of vectors.
 *
 * Memory is fetched ahead by the program itself. The processor does it for
 * whoever runs through memory from beginning to end, but here a few kilobytes
 * are read, then worked on for as long as reading takes, then the next ones
 * read.
 *
 * SUFFIX ends the functions' names: the build compiles this file for each
 * instruction set.
 */
#include <stdint.h>

#define JOIN(name, suffix) name##suffix
#define WITH(name, suffix) JOIN(name, suffix)
#define PACK_ROWS WITH(pack_rows, SUFFIX)
#define PACK_COLUMNS WITH(pack_columns, SUFFIX)
#define PACK_ABOVE WITH(pack_above, SUFFIX)
#define PLAN_AHEAD WITH(plan_ahead, SUFFIX)
#define PLAN_POINTS_AHEAD WITH(plan_points_ahead, SUFFIX)
#define FETCH_SOME WITH(fetch_some, SUFFIX)
#define FETCH_NOW WITH(fetch_now, SUFFIX)

/* Doubles in a line of the cache. */
#define LINE 8
/* How many doubles are under way from memory. */
#define AHEAD 1024
/* The most columns that are read side by side. */
#define BESIDE 16

typedef double Four
    __attribute__((vector_size(4 * sizeof(double)), aligned(8), may_alias));

#if !defined(__AVX__)
typedef double Two
    __attribute__((vector_size(2 * sizeof(double)), aligned(8), may_alias));
#elif defined(__clang__)
#define PICK(x, y, i, j, k, l) __builtin_shufflevector(x, y, i, j, k, l)
#else
typedef long long Places __attribute__((vector_size(4 * sizeof(long long))));
#define PICK(x, y, i, j, k, l) __builtin_shuffle(x, y, (Places){i, j, k, l})
#endif

/* As in qr_ahead.f90. */
typedef struct {
    const double *first;
    const double *const *points;
    int64_t step;
    int pieces, lines, piece, line, portion;
} Ahead;

void PACK_ROWS(const int *rows, const int *n, const double *a,
               const int64_t *down, double *b, const int *ldb);
void PACK_COLUMNS(const int *rows, const int *n, const double *a,
                  const int64_t *right, double *b, const int *ldb);
void PACK_ABOVE(const int *rows, const int *n, const double *const *points,
                const int *before, const double *f, double *b, const int *ldb);

void PLAN_AHEAD(Ahead *plan, const int *times, const int *rows, const int *n,
                const double *a, const int64_t *down, const int64_t *right);
void PLAN_POINTS_AHEAD(Ahead *plan, const int *times, const int *rows,
                       const int *n, const double *const *points,
                       const int *before);
void FETCH_SOME(Ahead *plan);
void FETCH_NOW(const int *n, const double *x);

/* Fetch the line that is so many doubles behind, be there an array or not. */
static inline void
fetch(const double *from, int64_t distance)
{
    uintptr_t address = (uintptr_t)from + (uintptr_t)distance * sizeof(double);

    __builtin_prefetch((const void *)address);
}

static inline const Four *
at(const double *place)
{
    return (const Four *)place;
}

/* Four rows of four elements, `down` apart, become four columns, `ldb` apart.
 * Where vectors hold two, exchanging elements of four takes a detour through
 * memory. */
static inline void
turn(const double *a, int64_t down, double *b, int64_t ldb)
{
#if defined(__AVX__)
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
PACK_ROWS(const int *rows, const int *n, const double *a, const int64_t *down,
          double *b, const int *ldb)
{
    const int64_t step = *down, lead = *ldb;
    int i = 0;

    for (; i + 4 <= *rows; i += 4, a += 4 * step, b += 4) {
        int k = 0;

        for (int64_t j = 0; j < 4 * (int64_t)*n; j += LINE) {
            fetch(a, AHEAD + j);
        }
        for (; k + 4 <= *n; k += 4) {
            turn(a + k, step, b + k * lead, lead);
        }
        for (; k < *n; k++) {
            *(Four *)(b + k * lead) =
                (Four){a[k], a[k + step], a[k + 2 * step], a[k + 3 * step]};
        }
    }
    for (; i < *rows; i++, a += step, b++) {
        for (int k = 0; k < *n; k++) {
            b[k * lead] = a[k];
        }
    }
}

/* Copy some columns of those, less f where there is one. Where they lie tell
 * `points` and how many elements come before, or the first column and how far
 * right of it the next one is. */
static inline void
copy_columns(int rows, int cols, const double *const *points, int64_t before,
             const double *a, int64_t right, const double *f, double *b,
             int64_t lead)
{
    const int64_t ahead = AHEAD / cols;
    int i = 0;

    for (; i + LINE <= rows; i += LINE) {
        for (int k = 0; k < cols; k++) {
            const double *from =
                (points != 0 ? points[k] + before : a + k * right) + i;
            double *to = b + i + k * lead;

            fetch(from, ahead);
            for (int j = 0; j < LINE; j += 4) {
                Four value = *at(from + j);

                if (f != 0) {
                    value -= *at(f + i + j);
                }
                *(Four *)(to + j) = value;
            }
        }
    }
    for (; i < rows; i++) {
        for (int k = 0; k < cols; k++) {
            double value =
                points != 0 ? points[k][before + i] : a[i + k * right];

            b[i + k * lead] = f == 0 ? value : value - f[i];
        }
    }
}

static inline int
side_by_side(int columns)
{
    return columns < BESIDE ? columns : BESIDE;
}

/* Copy columns without gaps between their elements, `right` apart. */
void
PACK_COLUMNS(const int *rows, const int *n, const double *a,
             const int64_t *right, double *b, const int *ldb)
{
    const int64_t lead = *ldb;

    for (int k = 0; k < *n; k += BESIDE) {
        copy_columns(*rows, side_by_side(*n - k), 0, 0, a + k * *right, *right,
                     0, b + k * lead, lead);
    }
}

/* Copy what columns anywhere are above f, from the row behind `before` on. */
void
PACK_ABOVE(const int *rows, const int *n, const double *const *points,
           const int *before, const double *f, double *b, const int *ldb)
{
    const int64_t lead = *ldb;

    for (int k = 0; k < *n; k += BESIDE) {
        copy_columns(*rows, side_by_side(*n - k), points + k, *before, 0, 0, f,
                     b + k * lead, lead);
    }
}

static void
plan_pieces(Ahead *plan, int times, int pieces, int64_t length)
{
    plan->pieces = length > 0 ? pieces : 0;
    plan->lines = (int)((length + LINE - 1) / LINE);
    plan->piece = 0;
    plan->line = 0;
    plan->portion = plan->pieces * plan->lines / times + 1;
}

/* Fetch rows of a matrix in so many portions. */
void
PLAN_AHEAD(Ahead *plan, const int *times, const int *rows, const int *n,
           const double *a, const int64_t *down, const int64_t *right)
{
    plan->first = a;
    plan->points = 0;
    plan->step = *right;
    if (*down == 1) {
        plan_pieces(plan, *times, *n, *rows);
    }
    else {
        /* The gaps between rows must not be much of it. */
        int dense = *right == 1 && *down > 0 && *down <= 2 * (int64_t)*n;

        plan_pieces(plan, *times, 1, dense ? *rows * *down : 0);
    }
}

/* As PLAN_AHEAD, where each column has a place of its own. */
void
PLAN_POINTS_AHEAD(Ahead *plan, const int *times, const int *rows, const int *n,
                  const double *const *points, const int *before)
{
    plan->points = points;
    plan->step = *before;
    plan_pieces(plan, *times, *n, *rows);
}

/* Fetch a portion. */
void
FETCH_SOME(Ahead *plan)
{
    int left = plan->portion;

    while (left > 0 && plan->piece < plan->pieces) {
        const double *from = plan->points != 0
                                 ? plan->points[plan->piece] + plan->step
                                 : plan->first + plan->piece * plan->step;

        for (; left > 0 && plan->line < plan->lines; left--, plan->line++) {
            fetch(from, (int64_t)plan->line * LINE);
        }
        if (plan->line == plan->lines) {
            plan->line = 0;
            plan->piece++;
        }
    }
}

/* Fetch a vector at once. */
void
FETCH_NOW(const int *n, const double *x)
{
    for (int i = 0; i < *n; i += LINE) {
        fetch(x, i);
    }
}
