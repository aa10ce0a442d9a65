module qr_blocked
!! The blocked factorisation, for the instruction set that the caller names.
!!
!! The same sources are compiled for each; nothing here keeps what was chosen. Results depend on the
!! instruction set in their last digits, and on nothing else but the arguments.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, wide_ip => c_int64_t, c_ptr
use kernels_norms, only: norm
use qr_damping, only: damped_work, solve_damped
use qr_blocks, only: block_rows, triangle_lead
use qr_pivoted, only: triangle_work, factor_triangle
use qr_tsqr, only: rows_work, packed_size, start_rows, reduce_rows, reduce_differences, &
                   pack_rows, reduce_packed, end_rows
#ifdef HAVE_X86_VARIANTS
use kernels_norms_avx2, only: norm_avx2 => norm
use kernels_norms_avx512, only: norm_avx512 => norm
use qr_damping_avx2, only: solve_damped_avx2 => solve_damped
use qr_damping_avx512, only: solve_damped_avx512 => solve_damped
use qr_pivoted_avx2, only: factor_triangle_avx2 => factor_triangle
use qr_pivoted_avx512, only: factor_triangle_avx512 => factor_triangle
use qr_tsqr_avx2, only: reduce_rows_avx2 => reduce_rows, pack_rows_avx2 => pack_rows, &
                        reduce_packed_avx2 => reduce_packed, &
                        reduce_differences_avx2 => reduce_differences
use qr_tsqr_avx512, only: reduce_rows_avx512 => reduce_rows, pack_rows_avx512 => pack_rows, &
                          reduce_packed_avx512 => reduce_packed, &
                          reduce_differences_avx512 => reduce_differences
#endif
implicit none (type, external)
private
public :: baseline, avx2, avx512
public :: qr_variants, qr_lead, qr_spare
public :: qr_start, qr_rows, qr_differences, qr_end
public :: qr_chunk, qr_pack, qr_reduce
public :: qr_triangle, qr_damped, qr_norm

integer(ip), parameter :: baseline = 0 !! what every processor of the architecture has
integer(ip), parameter :: avx2 = 1 !! AVX2 and FMA
integer(ip), parameter :: avx512 = 2 !! AVX-512 F, DQ and VL, and FMA

contains

pure function qr_variants() bind(c, name="qr_variants")
!! How many instruction sets there is code for: they are numbered from 0, the baseline.
    integer(ip) :: qr_variants

#ifdef HAVE_X86_VARIANTS
    qr_variants = 3
#else
    qr_variants = 1
#endif
end function qr_variants

pure function qr_lead(n) bind(c, name="qr_lead")
!! The leading dimension of a triangle.
    integer(ip), intent(in), value :: n !! number of columns
    integer(ip) :: qr_lead

    qr_lead = triangle_lead(n)
end function qr_lead

pure function qr_spare(n) bind(c, name="qr_spare")
!! The number of elements that all of these routines need to work, one after the other.
    integer(ip), intent(in), value :: n !! number of columns
    integer(wide_ip) :: qr_spare

    qr_spare = max(rows_work(n), triangle_work(n), damped_work(n))
end function qr_spare

pure subroutine qr_start(n, r, work) bind(c, name="qr_start")
!! Begin the factorisation [A f] = Q*[R q; 0 *] of a matrix that is read once, in any number of
!! portions of rows.
    integer(ip), intent(in), value :: n !! number of columns, at least 1
    real(dp), intent(inout) :: r(qr_lead(n), n + 1) !! the triangle so far
    real(dp), intent(inout) :: work(qr_spare(n)) !! work, to be kept until `qr_end`

    call start_rows(n, r, work)
end subroutine qr_start

pure subroutine qr_rows(isa, m, n, a, strides, f, r, work) bind(c, name="qr_rows")
!! Go on with a portion of rows. The result does not depend on the portions if all but the last
!! have a number of rows that `qr_chunk` gives.
    integer(ip), intent(in), value :: isa !! the instruction set: `baseline`, `avx2` or `avx512`
    integer(ip), intent(in), value :: m !! number of rows
    integer(ip), intent(in), value :: n !! number of columns, at least 1
    integer(wide_ip), intent(in) :: strides(2)
        !! elements from one row of A to the next, and from one column to the next; negative where
        !! they run towards lower addresses
    real(dp), intent(in) :: a(1 + (m - 1) * abs(strides(1)) + (n - 1) * abs(strides(2)))
        !! A, from its lowest address on
    real(dp), intent(in) :: f(m) !! the column that goes along
    real(dp), intent(inout) :: r(qr_lead(n), n + 1) !! the triangle so far
    real(dp), intent(inout) :: work(qr_spare(n)) !! as the call before left it

    select case (isa)
#ifdef HAVE_X86_VARIANTS
    case (avx2)
        call reduce_rows_avx2(m, n, a, strides, f, r, work)
    case (avx512)
        call reduce_rows_avx512(m, n, a, strides, f, r, work)
#endif
    case default
        call reduce_rows(m, n, a, strides, f, r, work)
    end select
end subroutine qr_rows

pure subroutine qr_differences(isa, m, n, points, f, r, work) bind(c, name="qr_differences")
!! As `qr_rows`, where A is what residuals at other points are above f, and not formed.
    integer(ip), intent(in), value :: isa !! the instruction set: `baseline`, `avx2` or `avx512`
    integer(ip), intent(in), value :: m !! number of rows
    integer(ip), intent(in), value :: n !! number of columns, at least 1
    type(c_ptr), intent(in) :: points(n)
        !! where the residuals at the other points are, m of them each
    real(dp), intent(in) :: f(m) !! the column that goes along
    real(dp), intent(inout) :: r(qr_lead(n), n + 1) !! the triangle so far
    real(dp), intent(inout) :: work(qr_spare(n)) !! as the call before left it

    select case (isa)
#ifdef HAVE_X86_VARIANTS
    case (avx2)
        call reduce_differences_avx2(m, n, points, f, r, work)
    case (avx512)
        call reduce_differences_avx512(m, n, points, f, r, work)
#endif
    case default
        call reduce_differences(m, n, points, f, r, work)
    end select
end subroutine qr_differences

pure subroutine qr_chunk(n, rows, size) bind(c, name="qr_chunk")
!! How many rows to hand to `qr_pack` at a time, and the memory that they take there.
    integer(ip), intent(in), value :: n !! number of columns, at least 1
    integer(ip), intent(inout) :: rows
        !! on entry the least number of rows, on exit the next multiple of those that are reduced at
        !! a time
    integer(wide_ip), intent(out) :: size !! number of elements

    integer(ip) :: block

    block = block_rows(n)
    rows = block * ((rows + block - 1) / block)
    size = packed_size(rows, n)
end subroutine qr_chunk

pure subroutine qr_pack(isa, m, n, a, strides, f, blocks) bind(c, name="qr_pack")
!! The first half of `qr_rows`: copy a portion of rows, so that A need not be there for the second.
    integer(ip), intent(in), value :: isa !! the instruction set: `baseline`, `avx2` or `avx512`
    integer(ip), intent(in), value :: m !! number of rows
    integer(ip), intent(in), value :: n !! number of columns, at least 1
    integer(wide_ip), intent(in) :: strides(2)
        !! elements from one row of A to the next, and from one column to the next; negative where
        !! they run towards lower addresses
    real(dp), intent(in) :: a(1 + (m - 1) * abs(strides(1)) + (n - 1) * abs(strides(2)))
        !! A, from its lowest address on
    real(dp), intent(in) :: f(m) !! the column that goes along
    real(dp), intent(inout) :: blocks(packed_size(m, n))
        !! as long as `qr_chunk` says for so many rows, or more; the copy

    select case (isa)
#ifdef HAVE_X86_VARIANTS
    case (avx2)
        call pack_rows_avx2(m, n, a, strides, f, blocks)
    case (avx512)
        call pack_rows_avx512(m, n, a, strides, f, blocks)
#endif
    case default
        call pack_rows(m, n, a, strides, f, blocks)
    end select
end subroutine qr_pack

pure subroutine qr_reduce(isa, m, n, blocks, r, work) bind(c, name="qr_reduce")
!! The second half of `qr_rows`.
    integer(ip), intent(in), value :: isa !! the instruction set: `baseline`, `avx2` or `avx512`
    integer(ip), intent(in), value :: m !! number of rows
    integer(ip), intent(in), value :: n !! number of columns, at least 1
    real(dp), intent(inout) :: blocks(packed_size(m, n))
        !! the rows as `qr_pack` leaves them; destroyed
    real(dp), intent(inout) :: r(qr_lead(n), n + 1) !! the triangle so far
    real(dp), intent(inout) :: work(qr_spare(n)) !! as the call before left it

    select case (isa)
#ifdef HAVE_X86_VARIANTS
    case (avx2)
        call reduce_packed_avx2(m, n, blocks, r, work)
    case (avx512)
        call reduce_packed_avx512(m, n, blocks, r, work)
#endif
    case default
        call reduce_packed(m, n, blocks, r, work)
    end select
end subroutine qr_reduce

pure subroutine qr_end(n, r, work) bind(c, name="qr_end")
!! End the factorisation.
    integer(ip), intent(in), value :: n !! number of columns, at least 1
    real(dp), intent(in) :: work(qr_spare(n)) !! as the last rows left it
    real(dp), intent(inout) :: r(qr_lead(n), n + 1)
        !! on exit in the first n rows R, with zeros below its diagonal, and as the last column the
        !! first n components of Q'*f

    call end_rows(n, r, work)
end subroutine qr_end

pure subroutine qr_triangle(isa, n, r, qtf, ipvt, rdiag, acnorm, spare) bind(c, name="qr_triangle")
!! The factorisation R*P = Q*S of an upper triangle, with the pivots of `qrfac_`.
    integer(ip), intent(in), value :: isa !! the instruction set: `baseline`, `avx2` or `avx512`
    integer(ip), intent(in), value :: n !! order of R
    real(dp), intent(inout) :: r(qr_lead(n), n)
        !! on entry the upper triangle is R; on exit it is S, with zeros below
    real(dp), intent(inout) :: qtf(n) !! on entry a vector, on exit Q' times it
    integer(ip), intent(inout) :: ipvt(n) !! column j of R*P is column ipvt(j) of R
    real(dp), intent(inout) :: rdiag(n) !! the diagonal of S
    real(dp), intent(inout) :: acnorm(n) !! the norms of the columns of R
    real(dp), intent(inout) :: spare(qr_spare(n)) !! work

    select case (isa)
#ifdef HAVE_X86_VARIANTS
    case (avx2)
        call factor_triangle_avx2(n, r, qtf, ipvt, rdiag, acnorm, spare)
    case (avx512)
        call factor_triangle_avx512(n, r, qtf, ipvt, rdiag, acnorm, spare)
#endif
    case default
        call factor_triangle(n, r, qtf, ipvt, rdiag, acnorm, spare)
    end select
end subroutine qr_triangle

pure subroutine qr_damped(isa, n, r, ipvt, diag, x, sdiag, spare) bind(c, name="qr_damped")
!! What `qrsolv_` does, up to rounding and the signs of the rows of S.
    integer(ip), intent(in), value :: isa !! the instruction set: `baseline`, `avx2` or `avx512`
    integer(ip), intent(in), value :: n !! order of R
    integer(ip), intent(in) :: ipvt(n) !! column j of A*P is column ipvt(j) of A
    real(dp), intent(in) :: diag(n) !! the diagonal of D
    real(dp), intent(inout) :: r(qr_lead(n), n)
        !! on entry the upper triangle is that of R; on exit it is unchanged, and the strict lower
        !! triangle is the strict upper triangle of S, transposed
    real(dp), intent(inout) :: x(n) !! on entry the first n components of Q'*b, on exit the solution
    real(dp), intent(inout) :: sdiag(n) !! the diagonal of S
    real(dp), intent(inout) :: spare(qr_spare(n)) !! work

    select case (isa)
#ifdef HAVE_X86_VARIANTS
    case (avx2)
        call solve_damped_avx2(n, r, ipvt, diag, x, sdiag, spare)
    case (avx512)
        call solve_damped_avx512(n, r, ipvt, diag, x, sdiag, spare)
#endif
    case default
        call solve_damped(n, r, ipvt, diag, x, sdiag, spare)
    end select
end subroutine qr_damped

pure function qr_norm(isa, n, x) bind(c, name="qr_norm")
!! The Euclidean norm, as `enorm_` but for rounding.
    integer(ip), intent(in), value :: isa !! the instruction set: `baseline`, `avx2` or `avx512`
    integer(ip), intent(in), value :: n !! number of components
    real(dp), intent(in) :: x(n) !! the vector
    real(dp) :: qr_norm

    select case (isa)
#ifdef HAVE_X86_VARIANTS
    case (avx2)
        qr_norm = norm_avx2(n, x)
    case (avx512)
        qr_norm = norm_avx512(n, x)
#endif
    case default
        qr_norm = norm(n, x)
    end select
end function qr_norm

end module qr_blocked
