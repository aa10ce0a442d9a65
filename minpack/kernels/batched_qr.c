/* qrfac_ with pivoting for several matrices at a time, as many as a vector has elements. In C,
 * because Fortran has no word for a vector, and what GCC makes of loops over matrices is slower
 * than one matrix after another.
 *
 * For each matrix the sums and the roundings are those of qrfac_, and so are its bits. What is
 * rare, a column of zeros, magnitudes beside the usual, a norm that has to be computed afresh, is
 * left to qrfac_. */
#include "machine.h"
#include "operations.h"
#include "vector.h"

#include <stddef.h>

typedef long long Mask __attribute__((vector_size(WIDTH * sizeof(long long))));

/* The factors of all matrices: element (i, j) of matrix b is a[(j*m + i)*WIDTH + b], the others
 * likewise. */
typedef struct {
    Vector *a;
    double *rdiag, *reference;
    int *ipvt;
} Factors;

static Vector
broadcast(double value)
{
    return value - (Vector){0};
}

/* yes where the mask is set, else no. */
static Vector
choose(Mask mask, Vector yes, Vector no)
{
    return (Vector)((mask & (Mask)yes) | (~mask & (Mask)no));
}

static int
all_set(Mask mask)
{
    long long all = -1;

    for (int b = 0; b < WIDTH; b++) {
        all &= mask[b];
    }
    return all != 0;
}

static Vector
root(Vector x)
{
    for (int b = 0; b < WIDTH; b++) {
        x[b] = __builtin_sqrt(x[b]);
    }
    return x;
}

static Vector
magnitude(Vector x)
{
    const Mask sign = (Mask)broadcast(-0.0);

    return (Vector)((Mask)x & ~sign);
}

/* The norms of vectors of m components. Whether these have nothing but medium components and zeros,
 * and are not all zero. A NaN shows in the sum of squares alone. */
static int
batched_norms(int m, const Vector *x, Vector *norms)
{
    const Vector zero = broadcast(0.0), one = broadcast(1.0);
    Vector medium = zero, lowest = one, highest = zero;

    for (int i = 0; i < m; i++) {
        Vector size = magnitude(x[i]);

        medium += size * size;
        highest = choose(size > highest, size, highest);
        size = choose(size == zero, one, size);
        lowest = choose(size < lowest, size, lowest);
    }
    *norms = root(medium);
    return all_set(lowest > broadcast(SMALLEST_MEDIUM)) &&
           all_set(highest < broadcast(LARGEST_MEDIUM / m)) && all_set(medium > zero);
}

/* Exchange in each matrix column j with the first of the columns from j on whose remaining norm is
 * largest. */
static void
bring_largest_forward(int m, int n, int j, const Factors *to)
{
    for (int b = 0; b < WIDTH; b++) {
        double *ours = (double *)(to->a + (ptrdiff_t)j * m) + b;
        double *theirs;
        double norm = to->rdiag[j * WIDTH + b];
        int largest = j, swap;

        for (int k = j + 1; k < n; k++) {
            if (to->rdiag[k * WIDTH + b] > norm) {
                norm = to->rdiag[k * WIDTH + b];
                largest = k;
            }
        }
        if (largest == j) {
            continue;
        }
        theirs = (double *)(to->a + (ptrdiff_t)largest * m) + b;
        for (ptrdiff_t i = 0; i < (ptrdiff_t)m * WIDTH; i += WIDTH) {
            double value = ours[i];

            ours[i] = theirs[i];
            theirs[i] = value;
        }
        to->rdiag[largest * WIDTH + b] = to->rdiag[j * WIDTH + b];
        to->rdiag[j * WIDTH + b] = norm;
        to->reference[largest * WIDTH + b] = to->reference[j * WIDTH + b];
        swap = to->ipvt[j * WIDTH + b];
        to->ipvt[j * WIDTH + b] = to->ipvt[largest * WIDTH + b];
        to->ipvt[largest * WIDTH + b] = swap;
    }
}

/* Apply the reflections I - u*u'/u(1) to two vectors of each matrix, which may be the same. */
static void
reflect_pair(int m, const Vector *u, Vector *x, Vector *y)
{
    Vector xtotal = broadcast(0.0), ytotal = xtotal;

    for (int i = 0; i < m; i++) {
        xtotal += u[i] * x[i];
        ytotal += u[i] * y[i];
    }
    xtotal /= u[0];
    ytotal /= u[0];
    for (int i = 0; i < m; i++) {
        x[i] -= xtotal * u[i];
    }
    if (x != y) {
        for (int i = 0; i < m; i++) {
            y[i] -= ytotal * u[i];
        }
    }
}

/* Take row j off the remaining norms; whether none has to be computed afresh. */
static int
downdate_norms(int m, int n, int j, const Factors *to)
{
    const Vector zero = broadcast(0.0), one = broadcast(1.0);
    Vector *rdiag = (Vector *)to->rdiag;
    const Vector *reference = (const Vector *)to->reference;
    Mask usual = one == one;

    for (int k = j + 1; k < n; k++) {
        Vector share = to->a[(ptrdiff_t)k * m + j] / rdiag[k];
        Vector rest = one - share * share;
        Vector ratio;

        rest = choose(rest > zero, rest, zero);
        rdiag[k] *= root(rest);
        ratio = rdiag[k] / reference[k];
        usual &= broadcast(SAFETY) * (ratio * ratio) > broadcast(EPSMCH);
    }
    return all_set(usual);
}

/* Factor WIDTH matrices, and apply the reflections to a right-hand side of each. Whether that was
 * done; if not, nothing of the outputs is of use. */
int
kernel_batched_qr(int m, int n, double *a, double *rhs, int *ipvt, double *norms, double *work)
{
    const Factors to = {(Vector *)a, norms, work, ipvt};
    Vector *rdiag = (Vector *)norms, *acnorm = rdiag + n;

    for (int j = 0; j < n; j++) {
        Vector norm;

        if (!batched_norms(m, to.a + (ptrdiff_t)j * m, &norm)) {
            return 0;
        }
        acnorm[j] = norm;
        rdiag[j] = norm;
        ((Vector *)work)[j] = norm;
        for (int b = 0; b < WIDTH; b++) {
            ipvt[j * WIDTH + b] = j + 1;
        }
    }
    for (int j = 0; j < n; j++) {
        Vector *u = to.a + (ptrdiff_t)j * m + j;
        Vector *b = (Vector *)rhs + j;
        Vector norm;

        bring_largest_forward(m, n, j, &to);
        if (j == 0) {
            norm = rdiag[0]; /* of the columns as they came */
        }
        else if (!batched_norms(m - j, u, &norm)) {
            return 0;
        }
        /* The sign makes u(j) = 1 + |a(j, j)|/norm, without cancellation. */
        norm = choose(u[0] < broadcast(0.0), -norm, norm);
        for (int i = 0; i < m - j; i++) {
            u[i] /= norm;
        }
        u[0] += broadcast(1.0);
        reflect_pair(m - j, u, b, j + 1 < n ? u + m : b);
        for (int k = 2; j + k < n; k += 2) {
            reflect_pair(m - j, u, u + (ptrdiff_t)k * m,
                         u + (ptrdiff_t)(j + k + 1 < n ? k + 1 : k) * m);
        }
        if (!downdate_norms(m, n, j, &to)) {
            return 0;
        }
        rdiag[j] = -norm;
    }
    return 1;
}
