/* The inner loops for few columns, which reduce two columns at a time.
 *
 * As in panel.c sums live in registers, and where there are few of them the
 * halves of the rows have sums of their own.
 */
#include "operations.h"
#include "vector.h"

TEMPLATE void
first(int cols, int halves, int rows, const double *v, const double *c,
      ptrdiff_t ldc, double *square, double *s, double *squares)
{
    const ptrdiff_t half = rows / halves;
    Vector vv[2] = {0}, vc[3][2] = {0}, cc[3][2] = {0};

    for (ptrdiff_t i = 0; i < half; i += WIDTH) {
        UNROLL
        for (int h = 0; h < halves; h++) {
            const Vector vi = load(v + h * half + i);

            vv[h] += vi * vi;
            UNROLL
            for (int k = 0; k < cols; k++) {
                const Vector ck = load(c + k * ldc + h * half + i);

                vc[k][h] += vi * ck;
                cc[k][h] += ck * ck;
            }
        }
    }
    *square = sum_of_halves(halves, vv);
    UNROLL
    for (int k = 0; k < cols; k++) {
        s[k] = sum_of_halves(halves, vc[k]);
        squares[k] = sum_of_halves(halves, cc[k]);
    }
}

/* The products of v with itself and with some columns, and their sums of
 * squares: what is known before anything is reduced. */
void
kernel_first(int cols, int rows, const double *v, const double *c, int ldc,
             double *square, double *s, double *squares)
{
    switch (cols) {
    case 1:
        first(1, 2, rows, v, c, ldc, square, s, squares);
        break;
    case 2:
        first(2, 2, rows, v, c, ldc, square, s, squares);
        break;
    default:
        first(3, 1, rows, v, c, ldc, square, s, squares);
    }
}

TEMPLATE void
second(int cols, int halves, int rows, double w, double *c, ptrdiff_t ldc,
       double *along, double *s)
{
    const ptrdiff_t half = rows / halves;
    const Vector weight = broadcast(w);
    Vector av[2] = {0}, aa[2] = {0}, ac[4][2] = {0};

    for (ptrdiff_t i = 0; i < half; i += WIDTH) {
        UNROLL
        for (int h = 0; h < halves; h++) {
            double *at = c + h * half + i;
            const Vector v = load(at);
            const Vector a = load(at + ldc) - v * weight;

            store(at + ldc, a);
            av[h] += a * v;
            aa[h] += a * a;
            UNROLL
            for (int k = 0; k < cols; k++) {
                ac[k][h] += a * load(at + (k + 2) * ldc);
            }
        }
    }
    *along = sum_of_halves(halves, av);
    s[0] = sum_of_halves(halves, aa);
    UNROLL
    for (int k = 0; k < cols; k++) {
        s[k + 1] = sum_of_halves(halves, ac[k]);
    }
}

/* Take a multiple of the first column off the second, and form the products of
 * this one with the first, with itself and with the `cols` that follow. */
void
kernel_second(int cols, int rows, double w, double *c, int ldc, double *along,
              double *s)
{
    switch (cols) {
    case 1:
        second(1, 2, rows, w, c, ldc, along, s);
        break;
    case 2:
        second(2, 2, rows, w, c, ldc, along, s);
        break;
    case 3:
        second(3, 1, rows, w, c, ldc, along, s);
        break;
    default:
        second(4, 1, rows, w, c, ldc, along, s);
    }
}

/* v holds v and u side by side; c less v*w1' + u*w2' are multiplied by x, or
 * where that is NULL by the first of themselves, and take the place of c if
 * they are to be kept. */
TEMPLATE void
pair(int cols, int halves, int rows, const double *w1, const double *w2,
     const double *v, const double *x, double *c, ptrdiff_t ld, double *s,
     int keep)
{
    const ptrdiff_t half = rows / halves;
    Vector weights1[4], weights2[4], sums[4][2] = {0};

    UNROLL
    for (int k = 0; k < cols; k++) {
        weights1[k] = broadcast(w1[k]);
        weights2[k] = broadcast(w2[k]);
    }
    for (ptrdiff_t i = 0; i < half; i += WIDTH) {
        UNROLL
        for (int h = 0; h < halves; h++) {
            const ptrdiff_t at = h * half + i;
            const Vector vi = load(v + at), ui = load(v + ld + at);
            Vector a[4], xi;

            UNROLL
            for (int k = 0; k < cols; k++) {
                a[k] = load(c + k * ld + at) - vi * weights1[k] -
                       ui * weights2[k];
            }
            xi = x == 0 ? a[0] : load(x + at);
            UNROLL
            for (int k = 0; k < cols; k++) {
                if (keep) {
                    store(c + k * ld + at, a[k]);
                }
                sums[k][h] += xi * a[k];
            }
        }
    }
    UNROLL
    for (int k = 0; k < cols; k++) {
        s[k] = sum_of_halves(halves, sums[k]);
    }
}

/* Take multiples of the first two columns off those that follow, and form the
 * products of the first of these with all of them. Two that are the last need
 * not be kept. */
void
kernel_pair(int cols, int rows, const double *w1, const double *w2, double *c,
            int ldc, double *s, int keep)
{
    double *others = c + 2 * (ptrdiff_t)ldc;

    switch (cols) {
    case 2:
        if (keep) {
            pair(2, 2, rows, w1, w2, c, 0, others, ldc, s, 1);
        }
        else {
            pair(2, 2, rows, w1, w2, c, 0, others, ldc, s, 0);
        }
        break;
    case 3:
        pair(3, 1, rows, w1, w2, c, 0, others, ldc, s, 1);
        break;
    default:
        pair(4, 1, rows, w1, w2, c, 0, others, ldc, s, 1);
    }
}

/* The same for three more columns, of which the products with x are formed. */
void
kernel_pair_more(int rows, const double *w1, const double *w2, const double *v,
                 const double *x, double *c, int ldc, double *s)
{
    pair(3, 1, rows, w1, w2, v, x, c, ldc, s, 1);
}
