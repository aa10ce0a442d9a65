/* What each kernel does is said where it is defined; Fortran knows them by the modules of the same
 * names as the C files. `rows` is a positive multiple of ROW_MULTIPLE; ldv, ldc ... are leading
 * dimensions. */
#ifndef MINPACK_KERNELS_OPERATIONS_H
#define MINPACK_KERNELS_OPERATIONS_H

#include <stdint.h>

/* panel.c */
void kernel_dots(int cols, int rows, const double *v, int ldv, const double *c, int ldc, double *w,
                 int ldw);
void kernel_dots_first(int rows, const double *v, int ldv, double *w);
void kernel_update(int cols, int rows, const double *v, int ldv, const double *w, int ldw,
                   double *c, int ldc);
void kernel_reflect(int cols, int rows, double factor, const double *w, double *c, int ldc,
                    double *s);
void kernel_gram(int rows, double factor, double *v, int ldv, double *g);
void kernel_squares(int rows, const double *c, int ldc, double *s);

/* narrow.c */
void kernel_first(int cols, int rows, const double *v, const double *c, int ldc, double *square,
                  double *s, double *squares);
void kernel_second(int cols, int rows, double w, double *c, int ldc, double *along, double *s);
void kernel_pair(int cols, int rows, const double *w1, const double *w2, double *c, int ldc,
                 double *s, int keep);
void kernel_pair_more(int rows, const double *w1, const double *w2, const double *v,
                      const double *u, double *c, int ldc, double *s);

/* pack.c */
void kernel_pack_rows(int rows, int n, const double *a, int64_t down, double *b, int ldb);
void kernel_pack_columns(int rows, int n, const double *a, int64_t right, double *b, int ldb);
void kernel_pack_differences(int rows, int n, const double *const *points, int before,
                             const double *f, double *b, int ldb);

/* prefetch.c; the struct is `prefetch` of prefetch.f90 */
typedef struct {
    const double *first;
    const double *const *points;
    int64_t step;
    int pieces, lines, piece, line, portion;
} Prefetch;

void kernel_prefetch_rows(Prefetch *plan, int times, int rows, int n, const double *a,
                          const int64_t strides[2]);
void kernel_prefetch_points(Prefetch *plan, int times, int rows, int n, const double *const *points,
                            int before);
void kernel_prefetch_some(Prefetch *plan);
void kernel_prefetch_now(int n, const double *x);

/* batched_qr.c */
int kernel_batched_qr(int m, int n, double *a, double *rhs, int *ipvt, double *norms, double *work);

#endif /* MINPACK_KERNELS_OPERATIONS_H */
