/* Memory that is needed soon is fetched by the program itself, in portions between the passes over
 * a block. The processor does it for whoever runs through memory from beginning to end, but here a
 * few kilobytes are read, then worked on for as long as reading takes, then the next ones read. */
#include "fetch.h"
#include "operations.h"
#include "tuning.h"

static void
plan_pieces(Prefetch *plan, int times, int pieces, int64_t length)
{
    plan->pieces = length > 0 ? pieces : 0;
    plan->lines = (int)((length + CACHE_LINE - 1) / CACHE_LINE);
    plan->piece = 0;
    plan->line = 0;
    plan->portion = plan->pieces * plan->lines / times + 1;
}

/* Fetch rows of a matrix in so many portions. */
void
kernel_prefetch_rows(Prefetch *plan, int times, int rows, int n, const double *a,
                     const int64_t strides[2])
{
    plan->first = a;
    plan->points = 0;
    plan->step = strides[1];
    if (strides[0] == 1) {
        plan_pieces(plan, times, n, rows);
    }
    else {
        /* The gaps between rows must not be much of it. */
        int dense = strides[1] == 1 && strides[0] > 0 && strides[0] <= 2 * (int64_t)n;

        plan_pieces(plan, times, 1, dense ? rows * strides[0] : 0);
    }
}

/* As kernel_prefetch_rows, where each column has a place of its own. */
void
kernel_prefetch_points(Prefetch *plan, int times, int rows, int n, const double *const *points,
                       int before)
{
    plan->points = points;
    plan->step = before;
    plan_pieces(plan, times, n, rows);
}

/* Fetch a portion. */
void
kernel_prefetch_some(Prefetch *plan)
{
    int left = plan->portion;

    while (left > 0 && plan->piece < plan->pieces) {
        const double *from = plan->points != 0 ? plan->points[plan->piece] + plan->step
                                               : plan->first + plan->piece * plan->step;

        for (; left > 0 && plan->line < plan->lines; left--, plan->line++) {
            fetch(from, (int64_t)plan->line * CACHE_LINE);
        }
        if (plan->line == plan->lines) {
            plan->line = 0;
            plan->piece++;
        }
    }
}

/* Fetch a vector at once. */
void
kernel_prefetch_now(int n, const double *x)
{
    for (int i = 0; i < n; i += CACHE_LINE) {
        fetch(x, i);
    }
}
