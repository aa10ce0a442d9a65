/* Every number that was chosen by measuring. Fortran has them from the module kernels_tuning, C
 * from here; nothing but lines that both preprocess.
 *
 * In parentheses is what tells whether another number is better: factorisation is
 * benchmarks/factorisation.py, threads is benchmarks/threads.py, bench is ./dev bench. */
#ifndef MINPACK_KERNELS_TUNING_H
#define MINPACK_KERNELS_TUNING_H

/* Kernels */

/* Rows come in multiples of it: no vector of half of them is partly filled, and with AVX-512 that
 * takes 16. */
#define ROW_MULTIPLE 16
/* Doubles in a line of the cache, or more: 64 bytes, as x86-64 has. */
#define CACHE_LINE 8
/* Doubles under way from memory while rows are packed (factorisation). */
#define PREFETCH_PACK 1024
/* Doubles under way from memory in a copy around the caches (bench). */
#define PREFETCH_COPY 256
/* The most columns that are read side by side (factorisation). */
#define COLUMNS_BESIDE 16

/* The factorisation of rows: up to NARROW columns, up to MIDDLE, up to LARGE, and beyond */

/* The most columns for which two columns at a time are faster than panels (factorisation). */
#define NARROW 16
/* The first limit of block and panel sizes (factorisation). */
#define MIDDLE 128
/* The second, for panels alone (factorisation). */
#define LARGE 600
/* Rows of a block up to NARROW columns: with the prefetching of the next block a smaller one than
 * without (factorisation). */
#define BLOCK_ROWS_NARROW 320
/* Rows of a block up to MIDDLE columns (factorisation). */
#define BLOCK_ROWS_MIDDLE 512
/* Rows of a block beyond (factorisation). */
#define BLOCK_ROWS_WIDE 384
/* Columns of a panel up to MIDDLE columns (factorisation). */
#define PANEL_MIDDLE 4
/* Columns of a panel up to LARGE columns (factorisation). */
#define PANEL_LARGE 8
/* Columns of a panel beyond, and the most of any (factorisation). */
#define PANEL_WIDE 16

/* The other factorisations */

/* Rows of D that are reduced at a time (factorisation, damped). */
#define BLOCK_ROWS_DAMPED 192
/* Columns of a panel there (factorisation, damped). */
#define PANEL_DAMPED 8
/* Columns of a panel with pivots (factorisation). */
#define PANEL_PIVOTED 16
/* Rows of the trailing matrix that are updated at a time: those of a panel fit the nearest cache
 * (factorisation). */
#define ROWS_TRAILING 128
/* The least order of a triangle that is factored by panels and not column by column
 * (factorisation). */
#define TRIANGLE_PANELS 48
/* Elements of a Jacobian up to which several at a time are faster than one by one: they stay in a
 * near cache (bench, many fits). */
#define BATCHED_ELEMENTS 4096

/* Fits */

/* Multiplications m*n*n from which on qr="auto" takes the blocked factorisation (bench). */
#define BLOCKED_WORK 2e5
/* Multiplications from which on the GIL is given up: some two milliseconds; less is over before
 * another thread would get its turn (threads). */
#define GIL_FREE_WORK 2e6
/* Elements of a Jacobian that has left all caches before it is reduced (bench). */
#define BEYOND_CACHES 4e6
/* Doubles of memory of the fits that go side by side (bench, many fits). */
#define POOL_WINDOW 131072
/* Doubles that are enough for x and the workspace of a small fit, on the stack (bench). */
#define ONE_ROOM 192

#endif /* MINPACK_KERNELS_TUNING_H */
