! The blocked factorisation for processors with AVX2 and FMA: the same sources under other module names.
#define qr_kernels qr_kernels_avx2
#define qr_fold qr_fold_avx2
#define qr_tall qr_tall_avx2
#define qr_pivoted qr_pivoted_avx2
#define qr_damped qr_damped_avx2
#include "qr_kernels.f90"
#include "qr_fold.f90"
#include "qr_tall.f90"
#include "qr_pivoted.f90"
#include "qr_damped.f90"
