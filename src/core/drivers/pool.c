#include "drivers/pool.h"

#include <limits.h>
#include <string.h>

#include "fit/factor.h"
#include "kernels/tuning.h"

void
pool_clear(Pool *pool)
{
    for (npy_intp i = 0; pool->fits != NULL && i < pool->size; i++) {
        fit_clear(&pool->fits[i]);
    }
    PyMem_Free(pool->fits);
    pool->fits = NULL;
    PyMem_Free(pool->memory);
    pool->memory = NULL;
    PyMem_Free(pool->points);
    pool->points = NULL;
    pool->size = pool->used = 0;
}

/* The doubles of one fit. Every product is of two ints, or of an int and a little more, and their
 * sum fits a size_t. */
static size_t
size_of(const Fit *fit)
{
    const size_t m = (size_t)fit->m, n = (size_t)fit->lm.n;

    return fit_size(fit) + n + 2 * m + m * n;
}

static void
lay_out(Fit *fit, const Fit *model, double *memory, double *spare)
{
    const npy_intp m = model->m;

    fit_shape(fit, model->m, model->lm.n, model->lm.isa);
    memory = fit_lay_out(fit, memory);
    fit->lm.x = memory;
    fit->f = fit->lm.x + fit->lm.n;
    fit->f_trial = fit->f + m;
    fit->jacobian = fit->f_trial + m;
    if (fit->lm.isa < 0) {
        fit->lm.r = fit->jacobian;
    }
    fit->lm.spare = spare;
}

/* Put the next fit of the table into a place. */
static void
begin(Pool *pool, Fit *fit)
{
    const Table *table = pool->table;
    const size_t row = (size_t)table->n * sizeof(double);

    fit->index = pool->next++;
    memcpy(fit->lm.x, table_row(table->x0, fit->index), row);
    if (table->diag != NULL) {
        memcpy(fit->lm.diag, table_row(table->diag, fit->index), row);
    }
    fit_begin(fit, &table->options, pool->differences);
}

int
pool_refill(Pool *pool, Fit *fit)
{
    if (pool->next >= pool->end) {
        return 0;
    }
    begin(pool, fit);
    return 1;
}

int
pool_together(const Table *table, int m)
{
    int width = 0;

    if (factor_isa(&table->options, m, table->n) < 0) {
        width = batched_together(table->options.isa, m, table->n);
    }
    return width > 0 ? width : 1;
}

int
pool_open(Pool *pool, int m, npy_intp size)
{
    const int n = pool->table->n;
    const Options *options = &pool->table->options;
    const int isa = factor_isa(options, m, n);
    const int width = isa < 0 ? batched_together(options->isa, m, n) : 0;
    Fit model = {0};
    size_t each, spare, group, total;

    fit_shape(&model, m, n, isa);
    each = size_of(&model);
    spare = (size_t)lm_spare(n, model.lm.isa);
    group = batched_size(width, m, n);
    if (size == 0) {
        size = (npy_intp)(POOL_WINDOW / each) + 1;
    }
    pool->m = m;
    pool->size = Py_MIN(size, pool->table->count);
    total = (size_t)PY_SSIZE_T_MAX / sizeof(double);
    if (spare + group > total || each > (total - spare - group) / (size_t)pool->size) {
        PyErr_NoMemory();
        return -1;
    }
    total = each * (size_t)pool->size + spare + group;
    pool->fits = PyMem_Calloc((size_t)pool->size, sizeof(Fit));
    pool->memory = PyMem_New(double, total);
    pool->points = PyMem_New(const double *, (size_t)n);
    if (pool->fits == NULL || pool->memory == NULL || pool->points == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    pool->batched.isa = options->isa;
    batched_lay_out(&pool->batched, width, m, n, pool->memory + spare);
    for (npy_intp i = 0; i < pool->size; i++) {
        lay_out(&pool->fits[i], &model, pool->memory + spare + group + (size_t)i * each,
                pool->memory);
    }
    return 0;
}

/* Write the results of a fit that has ended. */
static void
store(Pool *pool, Fit *fit)
{
    table_store(pool->table, fit);
    pool->done++;
}

static void
finish(Pool *pool, Fit *fit)
{
    fit_finish(fit);
    store(pool, fit);
}

void
pool_stop(Pool *pool, Fit *fit, int status)
{
    fit_stop(fit, status);
    store(pool, fit);
}

int
pool_may_try(Pool *pool, Fit *fit)
{
    if (fit_may_try(fit)) {
        return 1;
    }
    finish(pool, fit);
    return 0;
}

/* Close the gaps that finished fits leave. Fits are exchanged, so that each keeps its memory. */
static void
close_gaps(Pool *pool)
{
    for (npy_intp i = 0; i < pool->used;) {
        Fit fit = pool->fits[i];

        if (fit.lm.request != LM_FINISHED) {
            i++;
            continue;
        }
        pool->used--;
        pool->fits[i] = pool->fits[pool->used];
        pool->fits[pool->used] = fit;
    }
}

void
pool_fill(Pool *pool)
{
    int gaps = 0;

    for (npy_intp i = 0; i < pool->used; i++) {
        Fit *fit = &pool->fits[i];

        if (fit->lm.request == LM_TRIAL) {
            (void)pool_may_try(pool, fit);
        }
        if (fit->lm.request == LM_FINISHED && !pool_refill(pool, fit)) {
            gaps = 1;
        }
    }
    if (gaps) {
        close_gaps(pool);
    }
    while (pool->used < pool->size && pool->next < pool->end) {
        begin(pool, &pool->fits[pool->used++]);
    }
}

int
pool_points(const Pool *pool, const Fit *fit)
{
    if (fit->lm.request == LM_JACOBIAN) {
        return pool->differences ? fit->lm.n : 0;
    }
    return fit->lm.request != LM_FINISHED;
}

double *
pool_target(const Fit *fit)
{
    switch (fit->lm.request) {
    case LM_RESIDUAL:
        return fit->f;
    case LM_TRIAL:
        return fit->f_trial;
    default:
        return fit->jacobian;
    }
}

int
pool_wants_jacobian(const Pool *pool, const Fit *fit)
{
    return fit->lm.request == LM_JACOBIAN && !pool->differences;
}

/* Go on with factors that are in place. */
static void
take_factors(Pool *pool, Fit *fit)
{
    fit_take_factors(fit);
    if (fit->lm.request == LM_FINISHED) {
        finish(pool, fit);
    }
}

/* Factor the Jacobian of one fit and go on with it. */
static void
factor(Pool *pool, Fit *fit)
{
    const int blocks = fit->lm.isa >= 0;

    for (npy_intp j = 0; pool->differences && j < fit->lm.n; j++) {
        double *column = fit->jacobian + j * fit->m;

        if (blocks) {
            pool->points[j] = column;
        }
        else {
            lm_quotient(fit->m, fit->f, fit->steps[j], column);
        }
    }
    factor_memory(fit, blocks && pool->differences ? pool->points : NULL);
    take_factors(pool, fit);
}

void
pool_flush(Pool *pool)
{
    Batched *batched = &pool->batched;
    const int together = batched->count > 0 && batched->count == batched->width &&
                         batched_factor(batched, pool->differences);

    for (int i = 0; i < batched->count; i++) {
        if (together) {
            take_factors(pool, batched->group[i]);
        }
        else {
            factor(pool, batched->group[i]);
        }
    }
    batched->count = 0;
}

int
pool_advance(Pool *pool, Fit *fit, int finite)
{
    if (fit->lm.request == LM_JACOBIAN) {
        if (pool->batched.width == 0) {
            factor(pool, fit);
            return 0;
        }
        pool->batched.group[pool->batched.count++] = fit;
        if (pool->batched.count == pool->batched.width) {
            pool_flush(pool);
        }
        return 0;
    }
    if (fit_take_residuals(fit, lm_norm(&fit->lm, fit->m, pool_target(fit)), finite) < 0) {
        return -1;
    }
    if (fit->lm.request == LM_FINISHED) {
        finish(pool, fit);
    }
    return 0;
}
