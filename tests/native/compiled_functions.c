/* What a user of pyminpack.compiled may write: residuals of b1*exp(-b2*t) + b3 with the data t, y,
 * one behind the other, and functions that tell what they are called with. Called from Python by
 * their names. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT
#endif

EXPORT int decay(void *p, int m, int n, const double *x, double *fvec, int iflag);
EXPORT int decay_combined(void *p, int m, int n, const double *x, double *fvec, double *fjac,
                          int ldfjac, int iflag);
EXPORT int tell(void *p, int m, int n, const double *x, double *fvec, int iflag);
EXPORT int tell_combined(void *p, int m, int n, const double *x, double *fvec, double *fjac,
                         int ldfjac, int iflag);
EXPORT int refuse_far(void *p, int m, int n, const double *x, double *fvec, int iflag);
EXPORT int refuse_jacobian(void *p, int m, int n, const double *x, double *fvec, double *fjac,
                           int ldfjac, int iflag);
EXPORT int add_up(void *p, int m, int n, const double *x, double *fvec, int iflag);
EXPORT int wait_for_thread(void *p, int m, int n, const double *x, double *fvec, int iflag);
EXPORT int scripted(void *p, int m, int n, const double *x, double *fvec, double *fjac, int ldfjac,
                    int iflag);
EXPORT int bent(void *p, int m, int n, const double *x, double *fvec, double *fjac, int ldfjac,
                int iflag);
EXPORT int creeping(void *p, int m, int n, const double *x, double *fvec, double *fjac, int ldfjac,
                    int iflag);
EXPORT int meet(void *p, int m, int n, const double *x, double *fvec, int iflag);
EXPORT int alarming(void *p, int m, int n, const double *x, double *fvec, int iflag);

int
decay(void *p, int m, int n, const double *x, double *fvec, int iflag)
{
    const double *t = p, *y = t + m;

    (void)n, (void)iflag;
    for (int i = 0; i < m; i++) {
        fvec[i] = x[0] * exp(-x[1] * t[i]) + x[2] - y[i];
    }
    return 0;
}

int
decay_combined(void *p, int m, int n, const double *x, double *fvec, double *fjac, int ldfjac,
               int iflag)
{
    const double *t = p;

    if (iflag == 1) {
        return decay(p, m, n, x, fvec, iflag);
    }
    for (int i = 0; i < m; i++) {
        double e = exp(-x[1] * t[i]);

        fjac[i] = e;
        fjac[i + ldfjac] = -x[0] * t[i] * e;
        fjac[i + 2 * ldfjac] = 1.0;
    }
    return 0;
}

/* fvec becomes: whether p is NULL, m, n, iflag; the rest is left alone. */
int
tell(void *p, int m, int n, const double *x, double *fvec, int iflag)
{
    (void)x;
    fvec[0] = p == NULL;
    fvec[1] = m;
    fvec[2] = n;
    fvec[3] = iflag;
    return 1;
}

/* The same, and whether fjac is NULL, ldfjac and -1; with iflag 2 all of that goes to fjac, with
 * what is in fvec[6] in place of -1. */
int
tell_combined(void *p, int m, int n, const double *x, double *fvec, double *fjac, int ldfjac,
              int iflag)
{
    double *out = iflag == 2 ? fjac : fvec;

    tell(p, m, n, x, out, iflag);
    out[4] = fjac == NULL;
    out[5] = ldfjac;
    out[6] = iflag == 2 ? fvec[6] : -1.0;
    return 1;
}

int
refuse_far(void *p, int m, int n, const double *x, double *fvec, int iflag)
{
    (void)p, (void)n, (void)iflag;
    for (int i = 0; i < m; i++) {
        fvec[i] = x[0];
    }
    return x[0] > 10.0 ? -7 : 0;
}

int
refuse_jacobian(void *p, int m, int n, const double *x, double *fvec, double *fjac, int ldfjac,
                int iflag)
{
    (void)fjac, (void)ldfjac;
    return iflag == 1 ? refuse_far(p, m, n, x, fvec, iflag) : -3;
}

/* fvec becomes x, and x is added to the data. */
int
add_up(void *p, int m, int n, const double *x, double *fvec, int iflag)
{
    (void)m, (void)iflag;
    for (int i = 0; i < n; i++) {
        ((double *)p)[i] += x[i];
        fvec[i] = x[i];
    }
    return 0;
}

/* Returns when another thread has changed the first of the data, or refuses after half a minute. */
int
wait_for_thread(void *p, int m, int n, const double *x, double *fvec, int iflag)
{
    const volatile double *data = p;
    const struct timespec millisecond = {0, 1000000};

    (void)m, (void)n, (void)iflag;
    ((double *)p)[1] = 1.0;
    for (int i = 0; i < 30000; i++) {
        if (data[0] != 0.0) {
            fvec[0] = x[0];
            return 0;
        }
        nanosleep(&millisecond, NULL);
    }
    return -1;
}

/* Data begin with the number of calls so far, and at which of them what is to be returned and,
 * unless it is 0, to stand last in what is written. */
enum { CALLS, AT, STATUS, SPOIL, SCRIPT };

static int
obey(double *script, double *last)
{
    script[CALLS] += 1.0;
    if (script[CALLS] != script[AT]) {
        return 0;
    }
    if (script[SPOIL] != 0.0) {
        *last = script[SPOIL];
    }
    return (int)script[STATUS];
}

/* b1/(1 + b2*t) + b3 - y: with the same bits in any language. */
int
scripted(void *p, int m, int n, const double *x, double *fvec, double *fjac, int ldfjac, int iflag)
{
    double *script = p;
    const double *t = script + SCRIPT, *y = t + m;

    if (iflag == 1) {
        for (int i = 0; i < m; i++) {
            fvec[i] = x[0] / (1.0 + x[1] * t[i]) + x[2] - y[i];
        }
        return obey(script, fvec + m - 1);
    }
    for (int i = 0; i < m; i++) {
        double under = 1.0 + x[1] * t[i];

        fjac[i] = 1.0 / under;
        fjac[i + ldfjac] = -x[0] * t[i] / (under * under);
        fjac[i + 2 * ldfjac] = 1.0;
    }
    return obey(script, fjac + m - 1 + (n - 1) * ldfjac);
}

/* s + 0.01*s*s - b where s = A*x; the data are A, column by column, and b. */
int
bent(void *p, int m, int n, const double *x, double *fvec, double *fjac, int ldfjac, int iflag)
{
    const double *a = p, *b = a + (ptrdiff_t)m * n;

    for (int i = 0; i < m; i++) {
        double s = 0.0;

        for (int j = 0; j < n; j++) {
            s += a[i + (ptrdiff_t)j * m] * x[j];
        }
        if (iflag == 1) {
            fvec[i] = s + 0.01 * s * s - b[i];
            continue;
        }
        for (int j = 0; j < n; j++) {
            fjac[i + (ptrdiff_t)j * ldfjac] = (1.0 + 0.02 * s) * a[i + (ptrdiff_t)j * m];
        }
    }
    return 0;
}

/* Data are the number of calls so far, and milliseconds. If these are 0 the residual is x - 3; if
 * not, each call takes so long, and what it returns falls a little from one to the next, so that
 * the fit has no end. */
int
creeping(void *p, int m, int n, const double *x, double *fvec, double *fjac, int ldfjac, int iflag)
{
    double *data = p;
    const struct timespec nap = {0, (long)(1e6 * data[1])};
    int is_endless = data[1] != 0.0;

    (void)m, (void)n, (void)ldfjac;
    if (is_endless) {
        nanosleep(&nap, NULL);
    }
    if (iflag == 2) {
        fjac[0] = is_endless ? -1.0 : 1.0;
        return 0;
    }
    data[0] += 1.0;
    fvec[0] = is_endless ? 1.0 - 1e-12 * data[0] : x[0] - 3.0;
    return 0;
}

/* Data are two ints: how many calls began, and for how many each of them waits; after half a minute
 * it refuses. */
int
meet(void *p, int m, int n, const double *x, double *fvec, int iflag)
{
    atomic_int *began = p;
    const struct timespec millisecond = {0, 1000000};

    (void)m, (void)n, (void)iflag;
    atomic_fetch_add(began, 1);
    for (int i = 0; i < 30000; i++) {
        if (atomic_load(began) >= atomic_load(began + 1)) {
            fvec[0] = x[0];
            return 0;
        }
        nanosleep(&millisecond, NULL);
    }
    return -1;
}

/* The data are a count of calls and the number of a signal, which is raised. Takes until the clock
 * shows another second. */
int
alarming(void *p, int m, int n, const double *x, double *fvec, int iflag)
{
    const time_t before = time(NULL);
    const struct timespec millisecond = {0, 1000000};
    double *data = p;

    (void)m, (void)n, (void)iflag;
    data[0] += 1.0;
    raise((int)data[1]);
    while (time(NULL) == before) {
        nanosleep(&millisecond, NULL);
    }
    fvec[0] = x[0];
    return 0;
}
