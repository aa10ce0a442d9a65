/* qrfac_ with pivoting for several matrices at a time, one in each lane of the
 * processor's vectors. In C, because Fortran has no word for a vector, and
 * what GCC makes of loops over lanes is slower than one matrix after another.
 *
 * Every lane does what qrfac_ does, in its order and without fusing a product
 * and a sum, and so has its bits. What is rare, a column of zeros, magnitudes
 * beside the usual, a norm that has to be computed afresh, is left to qrfac_.
 *
 * LANE_QR is the function's name and LANES how many matrices it takes: the
 * build compiles this file for each instruction set.
 */

typedef double lane_vec __attribute__((vector_size(LANES * sizeof(double)),
                                       aligned(8), may_alias));
typedef long long lane_mask
    __attribute__((vector_size(LANES * sizeof(long long))));

/* As in enorm.f90, qrfac.f90 and dpmpar.f90. */
#define SMALLEST_MEDIUM 3.834e-20
#define LARGEST_MEDIUM 1.304e19
#define EPSMCH 2.22044604926e-16
#define SAFETY 0.05

/* The factors of all lanes: element (lane, i, j) of a is at
 * a[(j*m + i)*LANES + lane], the others likewise. */
typedef struct {
    lane_vec *a;
    double *rdiag, *wa;
    int *ipvt;
} Factors;

int LANE_QR(int m, int n, double *a, double *rhs, int *ipvt, double *rdiag,
            double *acnorm, double *wa);

static lane_vec
all_lanes(double value)
{
    return value - (lane_vec){0};
}

/* yes where the mask is set, else no. */
static lane_vec
choose(lane_mask mask, lane_vec yes, lane_vec no)
{
    return (lane_vec)((mask & (lane_mask)yes) | (~mask & (lane_mask)no));
}

static int
all_set(lane_mask mask)
{
    long long all = -1;

    for (int lane = 0; lane < LANES; lane++) {
        all &= mask[lane];
    }
    return all != 0;
}

static lane_vec
root(lane_vec x)
{
    for (int lane = 0; lane < LANES; lane++) {
        x[lane] = __builtin_sqrt(x[lane]);
    }
    return x;
}

static lane_vec
magnitude(lane_vec x)
{
    const lane_mask sign = (lane_mask)all_lanes(-0.0);

    return (lane_vec)((lane_mask)x & ~sign);
}

/* The norms of vectors of m components. Whether these have nothing but medium
 * components and zeros, and are not all zero. A NaN shows in the sum of
 * squares alone. */
static int
lane_norms(int m, const lane_vec *x, lane_vec *norms)
{
    const lane_vec zero = all_lanes(0.0), one = all_lanes(1.0);
    lane_vec medium = zero, lowest = one, highest = zero;

    for (int i = 0; i < m; i++) {
        lane_vec size = magnitude(x[i]);

        medium += size * size;
        highest = choose(size > highest, size, highest);
        size = choose(size == zero, one, size);
        lowest = choose(size < lowest, size, lowest);
    }
    *norms = root(medium);
    return all_set(lowest > all_lanes(SMALLEST_MEDIUM)) &&
           all_set(highest < all_lanes(LARGEST_MEDIUM / m)) &&
           all_set(medium > zero);
}

/* Exchange in each lane column j with the first of the columns from j on whose
 * remaining norm is largest. */
static void
bring_largest_forward(int m, int n, int j, const Factors *to)
{
    for (int lane = 0; lane < LANES; lane++) {
        double *ours = (double *)(to->a + (long)j * m) + lane;
        double *theirs;
        double norm = to->rdiag[j * LANES + lane];
        int largest = j, swap;

        for (int k = j + 1; k < n; k++) {
            if (to->rdiag[k * LANES + lane] > norm) {
                norm = to->rdiag[k * LANES + lane];
                largest = k;
            }
        }
        if (largest == j) {
            continue;
        }
        theirs = (double *)(to->a + (long)largest * m) + lane;
        for (long i = 0; i < (long)m * LANES; i += LANES) {
            double value = ours[i];

            ours[i] = theirs[i];
            theirs[i] = value;
        }
        to->rdiag[largest * LANES + lane] = to->rdiag[j * LANES + lane];
        to->rdiag[j * LANES + lane] = norm;
        to->wa[largest * LANES + lane] = to->wa[j * LANES + lane];
        swap = to->ipvt[j * LANES + lane];
        to->ipvt[j * LANES + lane] = to->ipvt[largest * LANES + lane];
        to->ipvt[largest * LANES + lane] = swap;
    }
}

/* Apply the reflections I - u*u'/u(1) to two vectors of each lane, which may
 * be the same. */
static void
reflect_pair(int m, const lane_vec *u, lane_vec *x, lane_vec *y)
{
    lane_vec xtotal = all_lanes(0.0), ytotal = xtotal;

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

/* Take row j off the remaining norms; whether none has to be computed afresh.
 */
static int
downdate_norms(int m, int n, int j, const Factors *to)
{
    const lane_vec zero = all_lanes(0.0), one = all_lanes(1.0);
    lane_vec *rdiag = (lane_vec *)to->rdiag;
    const lane_vec *wa = (const lane_vec *)to->wa;
    lane_mask usual = one == one;

    for (int k = j + 1; k < n; k++) {
        lane_vec share = to->a[(long)k * m + j] / rdiag[k];
        lane_vec rest = one - share * share;
        lane_vec ratio;

        rest = choose(rest > zero, rest, zero);
        rdiag[k] *= root(rest);
        ratio = rdiag[k] / wa[k];
        usual &= all_lanes(SAFETY) * (ratio * ratio) > all_lanes(EPSMCH);
    }
    return all_set(usual);
}

/* Factor LANES matrices, and apply the reflections to a right-hand side of
 * each. Whether that was done; if not, nothing of the outputs is of use. */
int
LANE_QR(int m, int n, double *a, double *rhs, int *ipvt, double *rdiag,
        double *acnorm, double *wa)
{
    const Factors to = {(lane_vec *)a, rdiag, wa, ipvt};

    for (int j = 0; j < n; j++) {
        lane_vec norm;

        if (!lane_norms(m, to.a + (long)j * m, &norm)) {
            return 0;
        }
        ((lane_vec *)acnorm)[j] = norm;
        ((lane_vec *)rdiag)[j] = norm;
        ((lane_vec *)wa)[j] = norm;
        for (int lane = 0; lane < LANES; lane++) {
            ipvt[j * LANES + lane] = j + 1;
        }
    }
    for (int j = 0; j < n; j++) {
        lane_vec *u = to.a + (long)j * m + j;
        lane_vec *b = (lane_vec *)rhs + j;
        lane_vec norm;

        bring_largest_forward(m, n, j, &to);
        if (j == 0) {
            norm = ((lane_vec *)rdiag)[0]; /* of the columns as they came */
        }
        else if (!lane_norms(m - j, u, &norm)) {
            return 0;
        }
        /* The sign makes u(j) = 1 + |a(j, j)|/norm, without cancellation. */
        norm = choose(u[0] < all_lanes(0.0), -norm, norm);
        for (int i = 0; i < m - j; i++) {
            u[i] /= norm;
        }
        u[0] += all_lanes(1.0);
        reflect_pair(m - j, u, b, j + 1 < n ? u + m : b);
        for (int k = 2; j + k < n; k += 2) {
            reflect_pair(m - j, u, u + (long)k * m,
                         u + (long)(j + k + 1 < n ? k + 1 : k) * m);
        }
        if (!downdate_norms(m, n, j, &to)) {
            return 0;
        }
        ((lane_vec *)rdiag)[j] = -norm;
    }
    return 1;
}
