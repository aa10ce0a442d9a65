/* The inner loops for few columns, of which two are reduced at a time. */
#include "columns.h"
#include "operations.h"

TEMPLATE void
first(int cols, int rows, const double *restrict v, const double *restrict c, ptrdiff_t ldc,
      double *restrict square, double *restrict s, double *restrict squares)
{
    const int halved = cols < 3;
    const ptrdiff_t count = rows_of(rows, halved);
    const double *c1 = c, *c2 = c + ldc, *c3 = c2 + ldc;
    double s0 = 0, s1 = 0, s2 = 0, s3 = 0, q1 = 0, q2 = 0, q3 = 0;
    double z0 = 0, z1 = 0, z2 = 0, y1 = 0, y2 = 0;

#pragma omp simd reduction(+ : s0, s1, s2, s3, q1, q2, q3, z0, z1, z2, y1, y2)
    for (ptrdiff_t i = 0; i < count; i++) {
        s0 += v[i] * v[i];
        s1 += v[i] * c1[i];
        q1 += c1[i] * c1[i];
        if (cols > 1) {
            s2 += v[i] * c2[i];
            q2 += c2[i] * c2[i];
        }
        if (cols > 2) {
            s3 += v[i] * c3[i];
            q3 += c3[i] * c3[i];
        }
        if (halved) {
            const ptrdiff_t k = i + count;

            z0 += v[k] * v[k];
            z1 += v[k] * c1[k];
            y1 += c1[k] * c1[k];
            if (cols > 1) {
                z2 += v[k] * c2[k];
                y2 += c2[k] * c2[k];
            }
        }
    }
    *square = s0 + z0;
    s[0] = s1 + z1;
    squares[0] = q1 + y1;
    if (cols > 1) {
        s[1] = s2 + z2;
        squares[1] = q2 + y2;
    }
    if (cols > 2) {
        s[2] = s3;
        squares[2] = q3;
    }
}

/* The products of v with itself and with some columns, and their sums of squares: what is known
 * before anything is reduced. */
void
kernel_first(int cols, int rows, const double *v, const double *c, int ldc, double *square,
             double *s, double *squares)
{
    switch (cols) {
    case 1:
        first(1, rows, v, c, ldc, square, s, squares);
        break;
    case 2:
        first(2, rows, v, c, ldc, square, s, squares);
        break;
    default:
        first(3, rows, v, c, ldc, square, s, squares);
    }
}

TEMPLATE void
second(int cols, int rows, double w, double *restrict c, ptrdiff_t ldc, double *restrict along,
       double *restrict s)
{
    const int halved = cols < 3;
    const ptrdiff_t count = rows_of(rows, halved);
    const double *v = c, *c1 = c + 2 * ldc, *c2 = c1 + ldc, *c3 = c2 + ldc, *c4 = c3 + ldc;
    double *u = c + ldc;
    double sv = 0, s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0;
    double zv = 0, z0 = 0, z1 = 0, z2 = 0;

#pragma omp simd reduction(+ : sv, s0, s1, s2, s3, s4, zv, z0, z1, z2)
    for (ptrdiff_t i = 0; i < count; i++) {
        const double a = u[i] - v[i] * w;

        u[i] = a;
        sv += a * v[i];
        s0 += a * a;
        s1 += a * c1[i];
        if (cols > 1) {
            s2 += a * c2[i];
        }
        if (cols > 2) {
            s3 += a * c3[i];
        }
        if (cols > 3) {
            s4 += a * c4[i];
        }
        if (halved) {
            const ptrdiff_t k = i + count;
            const double b = u[k] - v[k] * w;

            u[k] = b;
            zv += b * v[k];
            z0 += b * b;
            z1 += b * c1[k];
            if (cols > 1) {
                z2 += b * c2[k];
            }
        }
    }
    *along = sv + zv;
    s[0] = s0 + z0;
    s[1] = s1 + z1;
    if (cols > 1) {
        s[2] = s2 + z2;
    }
    if (cols > 2) {
        s[3] = s3;
    }
    if (cols > 3) {
        s[4] = s4;
    }
}

/* Take a multiple of the first column off the second, and form the products of this one with the
 * first, with itself and with the `cols` that follow. */
void
kernel_second(int cols, int rows, double w, double *c, int ldc, double *along, double *s)
{
    switch (cols) {
    case 1:
        second(1, rows, w, c, ldc, along, s);
        break;
    case 2:
        second(2, rows, w, c, ldc, along, s);
        break;
    case 3:
        second(3, rows, w, c, ldc, along, s);
        break;
    default:
        second(4, rows, w, c, ldc, along, s);
    }
}

/* What is common to the next two: the weights of the two columns that are taken off, those columns,
 * and which one products are formed with. That may be the first of the others themselves, and then
 * these need not be kept. */
typedef struct {
    const double *w1, *w2, *v, *x;
    enum { WITH_FIRST, WITH_FIRST_ALONE, WITH_OTHER } how;
} Pair;

TEMPLATE void
pair(int cols, int rows, const Pair by, double *restrict c, ptrdiff_t ld, double *restrict s)
{
    const int halved = cols == 2;
    const ptrdiff_t count = rows_of(rows, halved);
    const double *restrict v = by.v, *restrict u = by.v + ld;
    const double *restrict w1 = by.w1, *restrict w2 = by.w2;
    const double *restrict x = by.x;
    double *c1 = c, *c2 = c + ld, *c3 = c2 + ld, *c4 = c3 + ld;
    double s1 = 0, s2 = 0, s3 = 0, s4 = 0, z1 = 0, z2 = 0;

#pragma omp simd reduction(+ : s1, s2, s3, s4, z1, z2)
    for (ptrdiff_t i = 0; i < count; i++) {
        const double a1 = c1[i] - v[i] * w1[0] - u[i] * w2[0];
        const double a2 = c2[i] - v[i] * w1[1] - u[i] * w2[1];
        const double a3 = cols > 2 ? c3[i] - v[i] * w1[2] - u[i] * w2[2] : 0;
        const double a4 = cols > 3 ? c4[i] - v[i] * w1[3] - u[i] * w2[3] : 0;
        const double xi = by.how == WITH_OTHER ? x[i] : a1;

        if (by.how != WITH_FIRST_ALONE) {
            c1[i] = a1;
            c2[i] = a2;
        }
        if (cols > 2) {
            c3[i] = a3;
        }
        if (cols > 3) {
            c4[i] = a4;
        }
        s1 += xi * a1;
        s2 += xi * a2;
        s3 += xi * a3;
        s4 += xi * a4;
        if (halved) {
            const ptrdiff_t k = i + count;
            const double b1 = c1[k] - v[k] * w1[0] - u[k] * w2[0];
            const double b2 = c2[k] - v[k] * w1[1] - u[k] * w2[1];

            if (by.how != WITH_FIRST_ALONE) {
                c1[k] = b1;
                c2[k] = b2;
            }
            z1 += b1 * b1;
            z2 += b1 * b2;
        }
    }
    s[0] = s1 + z1;
    s[1] = s2 + z2;
    if (cols > 2) {
        s[2] = s3;
    }
    if (cols > 3) {
        s[3] = s4;
    }
}

/* Take multiples of the first two columns off those that follow, and form the products of the first
 * of these with all of them. Two that are the last need not be kept. */
void
kernel_pair(int cols, int rows, const double *w1, const double *w2, double *c, int ldc, double *s,
            int keep)
{
    const Pair by = {w1, w2, c, 0, WITH_FIRST};
    double *others = c + 2 * (ptrdiff_t)ldc;

    switch (cols) {
    case 2:
        if (keep) {
            pair(2, rows, by, others, ldc, s);
        }
        else {
            pair(2, rows, (Pair){w1, w2, c, 0, WITH_FIRST_ALONE}, others, ldc, s);
        }
        break;
    case 3:
        pair(3, rows, by, others, ldc, s);
        break;
    default:
        pair(4, rows, by, others, ldc, s);
    }
}

/* The same for three more columns, of which the products with x are formed. */
void
kernel_pair_more(int rows, const double *w1, const double *w2, const double *v, const double *x,
                 double *c, int ldc, double *s)
{
    pair(3, rows, (Pair){w1, w2, v, x, WITH_OTHER}, c, ldc, s);
}
