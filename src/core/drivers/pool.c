#include "drivers/pool.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "drivers/one.h"
#include "fit/factor.h"

#ifdef PYMINPACK_BLOCKED

void
slots_clear(Slots *slots)
{
    for (npy_intp i = 0; slots->slots != NULL && i < slots->size; i++) {
        guard_clear(&slots->slots[i].guard);
    }
    PyMem_Free(slots->slots);
    slots->slots = NULL;
    PyMem_Free(slots->memory);
    slots->memory = NULL;
    PyMem_Free(slots->points);
    slots->points = NULL;
    slots->size = slots->used = 0;
}

/* The doubles of one slot. Every product is of two ints, or of an int and a
 * little more, and their sum fits a size_t. */
static size_t
slot_size(const Slots *slots, int n)
{
    size_t columns = (size_t)n;
    size_t m = (size_t)slots->m;

    /* An int is no larger than a double. */
    return 8 * columns + 2 * m + m * columns +
           (size_t)slots->ldr * (columns + 1);
}

/* The next piece of the memory. */
static double *
piece(double **rest, size_t size)
{
    double *start = *rest;

    *rest += size;
    return start;
}

static void
lay_out(const Slots *slots, Slot *slot, int n, double **rest)
{
    size_t columns = (size_t)n;
    size_t m = (size_t)slots->m;

    slot->x = piece(rest, columns);
    slot->trial = piece(rest, columns);
    slot->step = piece(rest, columns);
    slot->steps = piece(rest, columns);
    slot->diag = piece(rest, columns);
    slot->qtf = piece(rest, columns);
    slot->work = piece(rest, columns);
    slot->ipvt = (void *)piece(rest, columns);
    slot->fvec = piece(rest, m);
    slot->ftrial = piece(rest, m);
    slot->fjac = piece(rest, m * columns);
    if (slots->ldr > 0) {
        slot->r = piece(rest, (size_t)slots->ldr * (columns + 1));
    }
}

/* Put the next fit into a slot. */
static void
begin(Slots *slots, const Fits *fits, Slot *slot)
{
    const Options *options = &fits->options;
    const int cost = slots->differences ? fits->n : 0;
    const size_t row = (size_t)fits->n * sizeof(double);

    slot->fit = slots->next++;
    slot->nfev = 0;
    slot->njev = 0;
    memcpy(slot->x, fits_row(fits->x0, slot->fit), row);
    if (fits->diag != NULL) {
        memcpy(slot->diag, fits_row(fits->diag, slot->fit), row);
    }
    guard_begin(&slot->guard, slots->m, fits->n, slot->x, slot->fvec);
    slot->guard.r = slot->r != NULL ? slot->r : slot->fjac;
    slot->guard.ldr = slot->r != NULL ? slots->ldr : slots->m;
    lm_start(&slot->state, &slots->m, &fits->n, &slots->m, &options->ftol,
             &options->xtol, &options->gtol, &options->maxfev, slot->diag,
             &options->mode, &options->factor, &cost);
}

int
slots_refill(Slots *slots, const Fits *fits, Slot *slot)
{
    if (slots->next >= slots->end) {
        return 0;
    }
    begin(slots, fits, slot);
    return 1;
}

int
slots_together(const Fits *fits, int m)
{
    int width;

    if (solve_takes_blocks(&fits->options, m, fits->n)) {
        return 1;
    }
    width = lanes_width(triangle_instruction_set(), m, fits->n);
    return width > 0 ? width : 1;
}

int
slots_open(Slots *slots, const Fits *fits, int m, npy_intp size)
{
    int blocks = solve_takes_blocks(&fits->options, m, fits->n);
    int width;
    size_t each, spare, total;
    double *rest;

    slots->m = m;
    slots->isa = triangle_instruction_set();
    slots->ldr = blocks ? triangle_lead(fits->n) : 0;
    each = slot_size(slots, fits->n);
    width = blocks ? 0 : lanes_width(slots->isa, m, fits->n);
    spare = blocks ? (size_t)qr_spare(fits->n)
                   : lanes_size(width, m, fits->n);
    if (size == 0) {
        size = (npy_intp)(POOL_WINDOW / each) + 1;
    }
    slots->size = Py_MIN(size, fits->count);
    total = (size_t)PY_SSIZE_T_MAX / sizeof(double);
    if (spare > total || each > (total - spare) / (size_t)slots->size) {
        PyErr_NoMemory();
        return -1;
    }
    total = each * (size_t)slots->size + spare;
    slots->slots = PyMem_Calloc((size_t)slots->size, sizeof(Slot));
    slots->memory = PyMem_New(double, total);
    slots->points = PyMem_New(const double *, (size_t)fits->n);
    if (slots->slots == NULL || slots->memory == NULL ||
        slots->points == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    rest = slots->memory;
    slots->spare = piece(&rest, spare);
    lanes_lay_out(&slots->lanes, width, m, fits->n, slots->spare);
    for (npy_intp i = 0; i < slots->size; i++) {
        lay_out(slots, &slots->slots[i], fits->n, &rest);
    }
    return 0;
}

/* Write the results of a fit. */
static void
write_results(Slots *slots, Fits *fits, Slot *slot, int info)
{
    const Outcome outcome = {
        .info = info,
        .nfev = slot->nfev,
        .njev = slot->njev,
        .x = slot->x,
        .fvec = slot->fvec,
        .r = slot->guard.r,
        .ldr = slot->guard.ldr,
        .ipvt = slot->ipvt,
    };

    fits_store(fits, slot->fit, slots->m, &outcome, slot->work);
    slots->done++;
    slot->state.request = LM_FINISHED;
}

static void
finish(Slots *slots, Fits *fits, Slot *slot)
{
    write_results(slots, fits, slot,
                  guard_verdict(&slot->guard, slot->state.info));
}

void
slots_stop(Slots *slots, Fits *fits, Slot *slot, int status)
{
    if (slot->state.request == LM_RESIDUAL) {
        for (npy_intp i = 0; i < slots->m; i++) {
            slot->fvec[i] = NAN; /* whatever was written there */
        }
    }
    (void)guard_verdict(&slot->guard, slot->state.info);
    write_results(slots, fits, slot, status);
}

int
slots_may_try(Slots *slots, Fits *fits, Slot *slot)
{
    if (guard_trial(&slot->guard, slot->trial)) {
        return 1;
    }
    finish(slots, fits, slot);
    return 0;
}

/* Take the slots that hold no fit out of the row. Slots are exchanged, so that
 * each keeps its memory. */
static void
close_ranks(Slots *slots)
{
    for (npy_intp i = 0; i < slots->used;) {
        Slot slot = slots->slots[i];

        if (slot.state.request != LM_FINISHED) {
            i++;
            continue;
        }
        slots->used--;
        slots->slots[i] = slots->slots[slots->used];
        slots->slots[slots->used] = slot;
    }
}

void
slots_settle(Slots *slots, Fits *fits)
{
    int gaps = 0;

    for (npy_intp i = 0; i < slots->used; i++) {
        Slot *slot = &slots->slots[i];

        if (slot->state.request == LM_TRIAL) {
            (void)slots_may_try(slots, fits, slot);
        }
        if (slot->state.request == LM_FINISHED &&
            !slots_refill(slots, fits, slot)) {
            gaps = 1;
        }
    }
    if (gaps) {
        close_ranks(slots);
    }
    while (slots->used < slots->size && slots->next < slots->end) {
        begin(slots, fits, &slots->slots[slots->used++]);
    }
}

int
slots_points(const Slots *slots, const Slot *slot)
{
    switch (slot->state.request) {
    case LM_RESIDUAL:
    case LM_TRIAL:
        return 1;
    case LM_JACOBIAN:
        return slots->differences ? slot->guard.n : 0;
    default:
        return 0;
    }
}

int
slots_wants_jacobian(const Slots *slots, const Slot *slot)
{
    return slot->state.request == LM_JACOBIAN && !slots->differences;
}

/* Make what came at the displaced points the Jacobian, or any Jacobian a
 * triangle. */
static void
complete_jacobian(const Slots *slots, const Fits *fits, Slot *slot)
{
    const Blocks blocks = {.isa = slots->isa, .work = slots->spare};

    slot->guard.fresh_jacobian = 1;
    if (slots->ldr == 0) {
        if (slots->differences) {
            lm_quotients(&slots->m, &fits->n, slot->fvec, slot->steps,
                         slot->fjac);
        }
        return;
    }
    if (slots->differences) {
        for (npy_intp j = 0; j < fits->n; j++) {
            slots->points[j] = slot->fjac + j * slots->m;
        }
        lm_reduce(&slots->isa, &slots->m, &fits->n, slots->points, slot->fvec,
                  slot->steps, slot->r, &slots->ldr, slot->qtf, slots->spare);
        return;
    }
    triangle_of_memory(slot->fjac, &blocks, slots->m, fits->n, slot->fvec,
                       slot->r);
    memcpy(slot->qtf, slot->r + (size_t)fits->n * (size_t)slots->ldr,
           (size_t)fits->n * sizeof(double));
}

/* As lm_advance, by blocks. */
static void
proceed(Slots *slots, const Fits *fits, Slot *slot)
{
    const int iter = slot->state.iter;
    double fnorm = 0.0;

    if (slot->state.request != LM_JACOBIAN) {
        fnorm = qr_norm(slots->isa, slots->m,
                        slot->state.request == LM_TRIAL ? slot->ftrial
                                                        : slot->fvec);
    }
    /* The steps of differences are wanted no longer. */
    lm_proceed(&slot->state, &fits->n, slot->x, &fnorm, slot->r, &slots->ldr,
               slot->diag, slot->ipvt, slot->qtf, slot->step, slot->trial,
               slot->work, slot->steps, &slots->isa, slots->spare);
    if (slot->state.iter != iter) {
        memcpy(slot->fvec, slot->ftrial, (size_t)slots->m * sizeof(double));
    }
}

/* Hand the answer over, and see what the fit waits for next. */
static void
answer(Slots *slots, Fits *fits, Slot *slot)
{
    if (slot->r != NULL) {
        proceed(slots, fits, slot);
    }
    else {
        lm_advance(&slot->state, &slots->m, &fits->n, slot->x, slot->fvec,
                   slot->fjac, &slots->m, slot->diag, slot->ipvt, slot->qtf,
                   slot->step, slot->trial, slot->work, slot->ftrial);
    }
    if (slot->state.request == LM_FINISHED) {
        finish(slots, fits, slot);
    }
}

/* Factor the Jacobians of the group side by side: whether that was possible.
 */
static int
factor_group(Slots *slots, Fits *fits)
{
    const Lanes *lanes = &slots->lanes;
    const double *fjac[LANES_MOST], *fvec[LANES_MOST];

    for (int lane = 0; lane < lanes->width; lane++) {
        fjac[lane] = slots->group[lane]->fjac;
        fvec[lane] = slots->group[lane]->fvec;
    }
    lanes_load(lanes, slots->m, fits->n, fjac, fvec);
    if (!lanes_factor(lanes, slots->isa, slots->m, fits->n)) {
        return 0;
    }
    for (int lane = 0; lane < lanes->width; lane++) {
        Slot *slot = slots->group[lane];

        lanes_store(lanes, lane, slots->m, fits->n, slot->fjac, slot->qtf,
                    slot->trial, slot->ipvt);
        lm_resume(&slot->state, &fits->n, slot->x, slot->fjac, &slots->m,
                  slot->diag, slot->ipvt, slot->qtf, slot->step, slot->trial,
                  slot->work, slot->ftrial);
        if (slot->state.request == LM_FINISHED) {
            finish(slots, fits, slot);
        }
    }
    return 1;
}

void
slots_flush(Slots *slots, Fits *fits)
{
    if (slots->grouped == 0 || slots->grouped < slots->lanes.width ||
        !factor_group(slots, fits)) {
        for (int i = 0; i < slots->grouped; i++) {
            answer(slots, fits, slots->group[i]);
        }
    }
    slots->grouped = 0;
}

int
slots_advance(Slots *slots, Fits *fits, Slot *slot)
{
    switch (slot->state.request) {
    case LM_RESIDUAL:
        if (!guard_first(&slot->guard, slot->finite)) {
            finish(slots, fits, slot);
            return 0;
        }
        break;
    case LM_TRIAL:
        if (guard_answer(&slot->guard, slot->trial, slot->finite) < 0) {
            return -1;
        }
        break;
    default:
        complete_jacobian(slots, fits, slot);
        if (slots->lanes.width > 0) {
            slots->group[slots->grouped++] = slot;
            if (slots->grouped == slots->lanes.width) {
                slots_flush(slots, fits);
            }
            return 0;
        }
    }
    answer(slots, fits, slot);
    return 0;
}

#endif
