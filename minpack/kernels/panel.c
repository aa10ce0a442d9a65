/* The inner loops of the blocked factorisations: products of columns, and updates of columns by
 * others. A tile is four columns of reflections, V, against one to three of what they act on, C. */
#include "columns.h"
#include "operations.h"

TEMPLATE void
dots(int cols, int rows, const double *restrict v, ptrdiff_t ldv, const double *restrict c,
     ptrdiff_t ldc, double *restrict w, ptrdiff_t ldw)
{
    const int halved = cols == 1;
    const ptrdiff_t count = rows_of(rows, halved);
    const double *v1 = v, *v2 = v + ldv, *v3 = v2 + ldv, *v4 = v3 + ldv;
    const double *c1 = c, *c2 = c + ldc, *c3 = c2 + ldc;
    double s11 = 0, s21 = 0, s31 = 0, s41 = 0;
    double s12 = 0, s22 = 0, s32 = 0, s42 = 0;
    double s13 = 0, s23 = 0, s33 = 0, s43 = 0;
    double z1 = 0, z2 = 0, z3 = 0, z4 = 0;

#pragma omp simd reduction(+ : s11, s21, s31, s41, s12, s22, s32, s42, s13, s23, s33, s43, z1, z2, \
                               z3, z4)
    for (ptrdiff_t i = 0; i < count; i++) {
        s11 += v1[i] * c1[i];
        s21 += v2[i] * c1[i];
        s31 += v3[i] * c1[i];
        s41 += v4[i] * c1[i];
        if (halved) {
            z1 += v1[i + count] * c1[i + count];
            z2 += v2[i + count] * c1[i + count];
            z3 += v3[i + count] * c1[i + count];
            z4 += v4[i + count] * c1[i + count];
        }
        if (cols > 1) {
            s12 += v1[i] * c2[i];
            s22 += v2[i] * c2[i];
            s32 += v3[i] * c2[i];
            s42 += v4[i] * c2[i];
        }
        if (cols > 2) {
            s13 += v1[i] * c3[i];
            s23 += v2[i] * c3[i];
            s33 += v3[i] * c3[i];
            s43 += v4[i] * c3[i];
        }
    }
    w[0] = s11 + z1;
    w[1] = s21 + z2;
    w[2] = s31 + z3;
    w[3] = s41 + z4;
    if (cols > 1) {
        w[ldw] = s12;
        w[ldw + 1] = s22;
        w[ldw + 2] = s32;
        w[ldw + 3] = s42;
    }
    if (cols > 2) {
        w[2 * ldw] = s13;
        w[2 * ldw + 1] = s23;
        w[2 * ldw + 2] = s33;
        w[2 * ldw + 3] = s43;
    }
}

/* W = V'*C: the first four rows of W. */
void
kernel_dots(int cols, int rows, const double *v, int ldv, const double *c, int ldc, double *w,
            int ldw)
{
    switch (cols) {
    case 1:
        dots(1, rows, v, ldv, c, ldc, w, ldw);
        break;
    case 2:
        dots(2, rows, v, ldv, c, ldc, w, ldw);
        break;
    default:
        dots(3, rows, v, ldv, c, ldc, w, ldw);
    }
}

/* The products of the first of four columns with all of them. */
void
kernel_dots_first(int rows, const double *v, int ldv, double *w)
{
    dots(1, rows, v, ldv, v, ldv, w, 4);
}

TEMPLATE void
update(int cols, int rows, const double *restrict v, ptrdiff_t ldv, const double *restrict w,
       ptrdiff_t ldw, double *restrict c, ptrdiff_t ldc)
{
    const ptrdiff_t count = rows_of(rows, 0);
    const double *v1 = v, *v2 = v + ldv, *v3 = v2 + ldv, *v4 = v3 + ldv;
    const double *w1 = w, *w2 = w + ldw, *w3 = w2 + ldw;
    double *c1 = c, *c2 = c + ldc, *c3 = c2 + ldc;

#pragma omp simd
    for (ptrdiff_t i = 0; i < count; i++) {
        const double a1 = v1[i], a2 = v2[i], a3 = v3[i], a4 = v4[i];

        c1[i] = c1[i] - a1 * w1[0] - a2 * w1[1] - a3 * w1[2] - a4 * w1[3];
        if (cols > 1) {
            c2[i] = c2[i] - a1 * w2[0] - a2 * w2[1] - a3 * w2[2] - a4 * w2[3];
        }
        if (cols > 2) {
            c3[i] = c3[i] - a1 * w3[0] - a2 * w3[1] - a3 * w3[2] - a4 * w3[3];
        }
    }
}

/* C = C - V*W, with the first four rows of W. */
void
kernel_update(int cols, int rows, const double *v, int ldv, const double *w, int ldw, double *c,
              int ldc)
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
reflect(int cols, int rows, double factor, const double *restrict w, double *restrict c,
        ptrdiff_t ldc, double *restrict s)
{
    const ptrdiff_t count = rows_of(rows, 1);
    double *c0 = c, *c1 = c + ldc, *c2 = c1 + ldc, *c3 = c2 + ldc;
    double s1 = 0, s2 = 0, s3 = 0, z1 = 0, z2 = 0, z3 = 0;

#pragma omp simd reduction(+ : s1, s2, s3, z1, z2, z3)
    for (ptrdiff_t i = 0; i < count; i++) {
        const ptrdiff_t k = i + count;
        const double a0 = factor * c0[i], b0 = factor * c0[k];
        const double a1 = c1[i] - a0 * w[0], b1 = c1[k] - b0 * w[0];

        c0[i] = a0;
        c0[k] = b0;
        c1[i] = a1;
        c1[k] = b1;
        s1 += a1 * a1;
        z1 += b1 * b1;
        if (cols > 1) {
            const double a2 = c2[i] - a0 * w[1], b2 = c2[k] - b0 * w[1];

            c2[i] = a2;
            c2[k] = b2;
            s2 += a1 * a2;
            z2 += b1 * b2;
        }
        if (cols > 2) {
            const double a3 = c3[i] - a0 * w[2], b3 = c3[k] - b0 * w[2];

            c3[i] = a3;
            c3[k] = b3;
            s3 += a1 * a3;
            z3 += b1 * b3;
        }
    }
    s[0] = s1 + z1;
    if (cols > 1) {
        s[1] = s2 + z2;
    }
    if (cols > 2) {
        s[2] = s3 + z3;
    }
}

/* Scale the first column, v, take v*w' off those that follow, and form the products of the first of
 * these with all of them. */
void
kernel_reflect(int cols, int rows, double factor, const double *w, double *c, int ldc, double *s)
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

/* Scale the last of four columns, and form the products of the columns 1,2; 1,3; 2,3; 1,4; 2,4;
 * 3,4. */
void
kernel_gram(int rows, double factor, double *restrict v, int ldv, double *restrict g)
{
    const ptrdiff_t count = rows_of(rows, 0);
    double *v1 = v, *v2 = v + ldv, *v3 = v2 + ldv, *v4 = v3 + ldv;
    double g12 = 0, g13 = 0, g23 = 0, g14 = 0, g24 = 0, g34 = 0;

#pragma omp simd reduction(+ : g12, g13, g23, g14, g24, g34)
    for (ptrdiff_t i = 0; i < count; i++) {
        const double a = factor * v4[i];

        v4[i] = a;
        g12 += v1[i] * v2[i];
        g13 += v1[i] * v3[i];
        g23 += v2[i] * v3[i];
        g14 += v1[i] * a;
        g24 += v2[i] * a;
        g34 += v3[i] * a;
    }
    g[0] = g12;
    g[1] = g13;
    g[2] = g23;
    g[3] = g14;
    g[4] = g24;
    g[5] = g34;
}

/* The sums of squares of four columns. */
void
kernel_squares(int rows, const double *restrict c, int ldc, double *restrict s)
{
    const ptrdiff_t count = rows_of(rows, 1);
    const double *c1 = c, *c2 = c + ldc, *c3 = c2 + ldc, *c4 = c3 + ldc;
    double s1 = 0, s2 = 0, s3 = 0, s4 = 0, z1 = 0, z2 = 0, z3 = 0, z4 = 0;

#pragma omp simd reduction(+ : s1, s2, s3, s4, z1, z2, z3, z4)
    for (ptrdiff_t i = 0; i < count; i++) {
        const ptrdiff_t k = i + count;

        s1 += c1[i] * c1[i];
        s2 += c2[i] * c2[i];
        s3 += c3[i] * c3[i];
        s4 += c4[i] * c4[i];
        z1 += c1[k] * c1[k];
        z2 += c2[k] * c2[k];
        z3 += c3[k] * c3[k];
        z4 += c4[k] * c4[k];
    }
    s[0] = s1 + z1;
    s[1] = s2 + z2;
    s[2] = s3 + z3;
    s[3] = s4 + z4;
}
