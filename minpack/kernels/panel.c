/* The inner loops of the blocked factorisations: products of columns, and
 * updates of columns by others.
 *
 * A tile is four columns of reflections, V, against one to three columns of
 * what they act on, C: its sums, or its weights, live in registers while the
 * rows pass by. Where few sums would leave the adders waiting for their own
 * results, the upper and the lower half of the rows have sums of their own.
 */
#include "operations.h"
#include "vector.h"

TEMPLATE void
dots(int cols, int halves, int rows, const double *v, ptrdiff_t ldv,
     const double *c, ptrdiff_t ldc, double *w, ptrdiff_t ldw)
{
    const ptrdiff_t half = rows / halves;
    Vector s[3][4][2] = {0};

    for (ptrdiff_t i = 0; i < half; i += WIDTH) {
        UNROLL
        for (int h = 0; h < halves; h++) {
            UNROLL
            for (int k = 0; k < cols; k++) {
                const Vector ck = load(c + k * ldc + h * half + i);

                UNROLL
                for (int j = 0; j < 4; j++) {
                    s[k][j][h] += load(v + j * ldv + h * half + i) * ck;
                }
            }
        }
    }
    UNROLL
    for (int k = 0; k < cols; k++) {
        UNROLL
        for (int j = 0; j < 4; j++) {
            w[k * ldw + j] = sum_of_halves(halves, s[k][j]);
        }
    }
}

/* W = V'*C: the first four rows of W. */
void
kernel_dots(int cols, int rows, const double *v, int ldv, const double *c,
            int ldc, double *w, int ldw)
{
    switch (cols) {
    case 1:
        dots(1, 2, rows, v, ldv, c, ldc, w, ldw);
        break;
    case 2:
        dots(2, 1, rows, v, ldv, c, ldc, w, ldw);
        break;
    default:
        dots(3, 1, rows, v, ldv, c, ldc, w, ldw);
    }
}

TEMPLATE void
update(int cols, int rows, const double *v, ptrdiff_t ldv, const double *w,
       ptrdiff_t ldw, double *c, ptrdiff_t ldc)
{
    Vector weights[3][4];

    UNROLL
    for (int k = 0; k < cols; k++) {
        UNROLL
        for (int j = 0; j < 4; j++) {
            weights[k][j] = broadcast(w[k * ldw + j]);
        }
    }
    for (ptrdiff_t i = 0; i < rows; i += WIDTH) {
        Vector vj[4];

        UNROLL
        for (int j = 0; j < 4; j++) {
            vj[j] = load(v + j * ldv + i);
        }
        UNROLL
        for (int k = 0; k < cols; k++) {
            Vector ck = load(c + k * ldc + i);

            UNROLL
            for (int j = 0; j < 4; j++) {
                ck -= vj[j] * weights[k][j];
            }
            store(c + k * ldc + i, ck);
        }
    }
}

/* C = C - V*W, with the first four rows of W. */
void
kernel_update(int cols, int rows, const double *v, int ldv, const double *w,
              int ldw, double *c, int ldc)
{
    switch (cols) {
    case 1:
        update(1, rows, v, ldv, w, ldw, c, ldc);
        break;
    case 2:
        update(2, rows, v, ldv, w, ldw, c, ldc);
        break;
    default:
        update(3, rows, v, ldv, w, ldw, c, ldc);
    }
}

TEMPLATE void
reflect(int cols, int rows, double factor, const double *w, double *c,
        ptrdiff_t ldc, double *s)
{
    const ptrdiff_t half = rows / 2;
    const Vector scale = broadcast(factor);
    Vector weights[3], sums[3][2] = {0};

    UNROLL
    for (int k = 0; k < cols; k++) {
        weights[k] = broadcast(w[k]);
    }
    for (ptrdiff_t i = 0; i < half; i += WIDTH) {
        UNROLL
        for (int h = 0; h < 2; h++) {
            double *at = c + h * half + i;
            const Vector v = scale * load(at);
            Vector a[3];

            UNROLL
            for (int k = 0; k < cols; k++) {
                a[k] = load(at + (k + 1) * ldc) - v * weights[k];
                sums[k][h] += a[0] * a[k];
            }
            store(at, v);
            UNROLL
            for (int k = 0; k < cols; k++) {
                store(at + (k + 1) * ldc, a[k]);
            }
        }
    }
    UNROLL
    for (int k = 0; k < cols; k++) {
        s[k] = sum_of_halves(2, sums[k]);
    }
}

/* Scale the first column, v, take v*w' off those that follow, and form the
 * products of the first of these with all of them. */
void
kernel_reflect(int cols, int rows, double factor, const double *w, double *c,
               int ldc, double *s)
{
    switch (cols) {
    case 1:
        reflect(1, rows, factor, w, c, ldc, s);
        break;
    case 2:
        reflect(2, rows, factor, w, c, ldc, s);
        break;
    default:
        reflect(3, rows, factor, w, c, ldc, s);
    }
}

/* Scale the last of four columns, and form the products of the columns 1,2;
 * 1,3; 2,3; 1,4; 2,4; 3,4. */
void
kernel_gram(int rows, double factor, double *v, int ldv, double *g)
{
    const ptrdiff_t lead = ldv;
    const Vector scale = broadcast(factor);
    Vector s[6] = {0};

    for (ptrdiff_t i = 0; i < rows; i += WIDTH) {
        const Vector v1 = load(v + i), v2 = load(v + lead + i);
        const Vector v3 = load(v + 2 * lead + i);
        const Vector v4 = scale * load(v + 3 * lead + i);

        store(v + 3 * lead + i, v4);
        s[0] += v1 * v2;
        s[1] += v1 * v3;
        s[2] += v2 * v3;
        s[3] += v1 * v4;
        s[4] += v2 * v4;
        s[5] += v3 * v4;
    }
    UNROLL
    for (int k = 0; k < 6; k++) {
        g[k] = sum(s[k]);
    }
}

/* The sums of squares of four columns. */
void
kernel_squares(int rows, const double *c, int ldc, double *s)
{
    const ptrdiff_t half = rows / 2;
    Vector sums[4][2] = {0};

    for (ptrdiff_t i = 0; i < half; i += WIDTH) {
        UNROLL
        for (int h = 0; h < 2; h++) {
            UNROLL
            for (int k = 0; k < 4; k++) {
                const Vector ck =
                    load(c + k * (ptrdiff_t)ldc + h * half + i);

                sums[k][h] += ck * ck;
            }
        }
    }
    UNROLL
    for (int k = 0; k < 4; k++) {
        s[k] = sum_of_halves(2, sums[k]);
    }
}
