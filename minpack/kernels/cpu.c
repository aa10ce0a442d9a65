#include "kernels.h"

int
cpu_instruction_set(void)
{
#ifdef HAVE_X86_VARIANTS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("fma")) {
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
            __builtin_cpu_supports("avx512vl")) {
            return 2;
        }
        if (__builtin_cpu_supports("avx2")) {
            return 1;
        }
    }
#endif
    return 0;
}
