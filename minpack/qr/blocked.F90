module qr_blocked
!! The blocked factorisation, for the instruction set that the caller names.
!!
!! The same sources are compiled for each; nothing here keeps what was chosen. Results depend on the
!! instruction set in their last digits, and on nothing else but the arguments.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, wide_ip => c_int64_t, c_ptr
use qr_damped, only: damped_work, solve_damped
use qr_norms, only: norm
use qr_pack, only: block_rows
use qr_pivoted, only: triangle_work, factor_triangle
use qr_tall, only: tall_work, tall_blocks, start_tall, reduce_tall, reduce_differences, pack_tall, &
                   fold_tall, end_tall
#ifdef HAVE_X86_VARIANTS
use qr_damped_avx2, only: solve_damped_avx2 => solve_damped
use qr_damped_avx512, only: solve_damped_avx512 => solve_damped
use qr_norms_avx2, only: norm_avx2 => norm
use qr_norms_avx512, only: norm_avx512 => norm
use qr_pivoted_avx2, only: factor_triangle_avx2 => factor_triangle
use qr_pivoted_avx512, only: factor_triangle_avx512 => factor_triangle
use qr_tall_avx2, only: reduce_tall_avx2 => reduce_tall, pack_tall_avx2 => pack_tall, &
                        fold_tall_avx2 => fold_tall, &
                        reduce_differences_avx2 => reduce_differences
use qr_tall_avx512, only: reduce_tall_avx512 => reduce_tall, pack_tall_avx512 => pack_tall, &
                          fold_tall_avx512 => fold_tall, &
                          reduce_differences_avx512 => reduce_differences
#endif
implicit none (type, external)
private
public :: baseline, avx2, avx512
public :: blocked_variants
public :: qr_lead, qr_spare, qr_start, qr_rows, qr_differences, qr_chunk, &
  qpack_rows, qr_fold_, qr_end, qr_triangle, qr_damped_, qr_norm
public :: blocked_tall_start, blocked_tall_rows, blocked_tall_pack, blocked_tall_fold, &
          blocked_tall_differences, &
          blocked_tall_end, blocked_tall_block, blocked_tall_blocks, blocked_norm
public :: blocked_triangle, blocked_damped
public :: blocked_spare, blocked_tall_work, blocked_triangle_work, blocked_damped_work

integer(ip), parameter :: baseline = 0
    !! what every processor of the architecture has
integer(ip), parameter :: avx2 = 1
    !! AVX2 and FMA
integer(ip), parameter :: avx512 = 2
    !! AVX-512 F, DQ and VL, and FMA

contains

pure function blocked_variants() bind(c, name="blocked_variants")
!! How many instruction sets there are code for: they are numbered from 0, the baseline.

    ! Result
    integer(ip) :: blocked_variants

#ifdef HAVE_X86_VARIANTS
    blocked_variants = 3
#else
    blocked_variants = 1
#endif
end function blocked_variants

pure function blocked_tall_work(n) bind(c, name="blocked_tall_work")
!! The number of elements that `blocked_tall` needs to work.

    ! Inputs
    integer(ip), intent(in), value :: n
        !! number of columns

    ! Result
    integer(wide_ip) :: blocked_tall_work

    blocked_tall_work = tall_work(n)
end function blocked_tall_work

pure subroutine blocked_tall_start(n, r, ldr, work) bind(c, name="blocked_tall_start")
!! Begin the factorisation [A f] = Q*[R q; 0 *] of a matrix that is read once, in any number of
!! portions of rows.

    ! Inputs
    integer(ip), intent(in), value :: n
        !! number of columns, at least 1
    integer(ip), intent(in), value :: ldr
        !! leading dimension of `r`, at least n

    ! Outputs
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); the triangle so far
    real(dp), intent(inout) :: work(tall_work(n))
        !! shape (blocked_tall_work(n)); work, to be kept until `blocked_tall_end`

    call start_tall(n, r, ldr, work)
end subroutine blocked_tall_start

pure subroutine blocked_tall_rows(isa, m, n, a, down, right, f, r, ldr, work) &
    bind(c, name="blocked_tall_rows")
!! Go on with a portion of rows. The result does not depend on the portions if all but the last
!! have a multiple of `blocked_tall_block(n)` rows.

    ! Inputs
    integer(ip), intent(in), value :: isa
        !! the instruction set: `baseline`, `avx2` or `avx512`
    integer(ip), intent(in), value :: m
        !! number of rows
    integer(ip), intent(in), value :: n
        !! number of columns, at least 1
    integer(wide_ip), intent(in), value :: down
        !! elements from one row of A to the next; negative when rows run towards lower addresses
    integer(wide_ip), intent(in), value :: right
        !! elements from one column of A to the next; may be negative, too
    real(dp), intent(in) :: a(1 + (m - 1) * abs(down) + (n - 1) * abs(right))
        !! A, from its lowest address on
    real(dp), intent(in) :: f(m)
        !! shape (m); the column that goes along
    integer(ip), intent(in), value :: ldr
        !! leading dimension of `r`, at least n

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); the triangle so far
    real(dp), intent(inout) :: work(tall_work(n))
        !! shape (blocked_tall_work(n)); as the call before left it

    select case (isa)
#ifdef HAVE_X86_VARIANTS
    case (avx2)
        call reduce_tall_avx2(m, n, a, down, right, f, r, ldr, work)
    case (avx512)
        call reduce_tall_avx512(m, n, a, down, right, f, r, ldr, work)
#endif
    case default
        call reduce_tall(m, n, a, down, right, f, r, ldr, work)
    end select
end subroutine blocked_tall_rows

pure subroutine blocked_tall_differences(isa, m, n, points, f, r, ldr, work) &
    bind(c, name="blocked_tall_differences")
!! As `blocked_tall_rows`, where A is what residuals at other points are above f, and not formed.

    ! Inputs
    integer(ip), intent(in), value :: isa
        !! the instruction set: `baseline`, `avx2` or `avx512`
    integer(ip), intent(in), value :: m
        !! number of rows
    integer(ip), intent(in), value :: n
        !! number of columns, at least 1
    type(c_ptr), intent(in) :: points(n)
        !! shape (n); where the residuals at the other points are, m of them each
    real(dp), intent(in) :: f(m)
        !! shape (m); the column that goes along
    integer(ip), intent(in), value :: ldr
        !! leading dimension of `r`, at least n

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); the triangle so far
    real(dp), intent(inout) :: work(tall_work(n))
        !! shape (blocked_tall_work(n)); as the call before left it

    select case (isa)
#ifdef HAVE_X86_VARIANTS
    case (avx2)
        call reduce_differences_avx2(m, n, points, f, r, ldr, work)
    case (avx512)
        call reduce_differences_avx512(m, n, points, f, r, ldr, work)
#endif
    case default
        call reduce_differences(m, n, points, f, r, ldr, work)
    end select
end subroutine blocked_tall_differences

pure function blocked_tall_block(n) bind(c, name="blocked_tall_block")
!! How many rows are reduced at a time.

    ! Inputs
    integer(ip), intent(in), value :: n
        !! number of columns

    ! Result
    integer(ip) :: blocked_tall_block

    blocked_tall_block = block_rows(n)
end function blocked_tall_block

pure function blocked_tall_blocks(m, n) bind(c, name="blocked_tall_blocks")
!! The number of elements that `blocked_tall_pack` fills.

    ! Inputs
    integer(ip), intent(in), value :: m
        !! number of rows
    integer(ip), intent(in), value :: n
        !! number of columns

    ! Result
    integer(wide_ip) :: blocked_tall_blocks

    blocked_tall_blocks = tall_blocks(m, n)
end function blocked_tall_blocks

pure subroutine blocked_tall_pack(isa, m, n, a, down, right, f, blocks) &
    bind(c, name="blocked_tall_pack")
!! The first half of `blocked_tall_rows`: copy a portion of rows, so that A need not be there for
!! the second.

    ! Inputs
    integer(ip), intent(in), value :: isa
        !! the instruction set: `baseline`, `avx2` or `avx512`
    integer(ip), intent(in), value :: m
        !! number of rows
    integer(ip), intent(in), value :: n
        !! number of columns, at least 1
    integer(wide_ip), intent(in), value :: down
        !! elements from one row of A to the next; negative when rows run towards lower addresses
    integer(wide_ip), intent(in), value :: right
        !! elements from one column of A to the next; may be negative, too
    real(dp), intent(in) :: a(1 + (m - 1) * abs(down) + (n - 1) * abs(right))
        !! A, from its lowest address on
    real(dp), intent(in) :: f(m)
        !! shape (m); the column that goes along

    ! Outputs
    real(dp), intent(inout) :: blocks(tall_blocks(m, n))
        !! shape (blocked_tall_blocks(m, n)); the rows

    select case (isa)
#ifdef HAVE_X86_VARIANTS
    case (avx2)
        call pack_tall_avx2(m, n, a, down, right, f, blocks)
    case (avx512)
        call pack_tall_avx512(m, n, a, down, right, f, blocks)
#endif
    case default
        call pack_tall(m, n, a, down, right, f, blocks)
    end select
end subroutine blocked_tall_pack

pure subroutine blocked_tall_fold(isa, m, n, blocks, r, ldr, work) &
    bind(c, name="blocked_tall_fold")
!! The second half of `blocked_tall_rows`.

    ! Inputs
    integer(ip), intent(in), value :: isa
        !! the instruction set: `baseline`, `avx2` or `avx512`
    integer(ip), intent(in), value :: m
        !! number of rows
    integer(ip), intent(in), value :: n
        !! number of columns, at least 1
    integer(ip), intent(in), value :: ldr
        !! leading dimension of `r`, at least n

    ! In-outputs
    real(dp), intent(inout) :: blocks(tall_blocks(m, n))
        !! shape (blocked_tall_blocks(m, n)); the rows as `blocked_tall_pack` leaves them; destroyed
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); the triangle so far
    real(dp), intent(inout) :: work(tall_work(n))
        !! shape (blocked_tall_work(n)); as the call before left it

    select case (isa)
#ifdef HAVE_X86_VARIANTS
    case (avx2)
        call fold_tall_avx2(m, n, blocks, r, ldr, work)
    case (avx512)
        call fold_tall_avx512(m, n, blocks, r, ldr, work)
#endif
    case default
        call fold_tall(m, n, blocks, r, ldr, work)
    end select
end subroutine blocked_tall_fold

pure subroutine blocked_tall_end(n, r, ldr, work) bind(c, name="blocked_tall_end")
!! End the factorisation.

    ! Inputs
    integer(ip), intent(in), value :: n
        !! number of columns, at least 1
    integer(ip), intent(in), value :: ldr
        !! leading dimension of `r`, at least n
    real(dp), intent(in) :: work(tall_work(n))
        !! shape (blocked_tall_work(n)); as the last rows left it

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); on exit in the first n rows R, with zeros below its diagonal, and as
        !! the last column the first n components of Q'*f

    call end_tall(n, r, ldr, work)
end subroutine blocked_tall_end

pure function blocked_triangle_work(n) bind(c, name="blocked_triangle_work")
!! The number of elements that `blocked_triangle` needs to work.

    ! Inputs
    integer(ip), intent(in), value :: n
        !! order of the triangle

    ! Result
    integer(wide_ip) :: blocked_triangle_work

    blocked_triangle_work = triangle_work(n)
end function blocked_triangle_work

pure subroutine blocked_triangle(isa, n, r, ldr, qtf, ipvt, rdiag, acnorm, work) &
    bind(c, name="blocked_triangle")
!! The factorisation R*P = Q*S of an upper triangle, with the pivots of `qrfac_`.

    ! Inputs
    integer(ip), intent(in), value :: isa
        !! the instruction set: `baseline`, `avx2` or `avx512`
    integer(ip), intent(in), value :: n
        !! order of R
    integer(ip), intent(in), value :: ldr
        !! leading dimension of `r`: a multiple of 16, at least n

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, n)
        !! shape (ldr, n); on entry the upper triangle is R; on exit it is S, with zeros below
    real(dp), intent(inout) :: qtf(n)
        !! shape (n); on entry a vector, on exit Q' times it

    ! Outputs
    integer(ip), intent(inout) :: ipvt(n)
        !! shape (n); column j of R*P is column ipvt(j) of R
    real(dp), intent(inout) :: rdiag(n)
        !! shape (n); the diagonal of S
    real(dp), intent(inout) :: acnorm(n)
        !! shape (n); the norms of the columns of R
    real(dp), intent(inout) :: work(triangle_work(n))
        !! shape (blocked_triangle_work(n)); work

    select case (isa)
#ifdef HAVE_X86_VARIANTS
    case (avx2)
        call factor_triangle_avx2(n, r, ldr, qtf, ipvt, rdiag, acnorm, work)
    case (avx512)
        call factor_triangle_avx512(n, r, ldr, qtf, ipvt, rdiag, acnorm, work)
#endif
    case default
        call factor_triangle(n, r, ldr, qtf, ipvt, rdiag, acnorm, work)
    end select
end subroutine blocked_triangle

pure function blocked_damped_work(n) bind(c, name="blocked_damped_work")
!! The number of elements that `blocked_damped` needs to work.

    ! Inputs
    integer(ip), intent(in), value :: n
        !! order of R

    ! Result
    integer(wide_ip) :: blocked_damped_work

    blocked_damped_work = damped_work(n)
end function blocked_damped_work

pure function blocked_spare(n) bind(c, name="blocked_spare")
!! The number of elements that all of these routines need to work, one after the other.

    ! Inputs
    integer(ip), intent(in), value :: n
        !! number of columns

    ! Result
    integer(wide_ip) :: blocked_spare

    blocked_spare = max(tall_work(n), triangle_work(n), damped_work(n))
end function blocked_spare

pure subroutine blocked_damped(isa, n, r, ldr, ipvt, diag, qtb, x, sdiag, work) &
    bind(c, name="blocked_damped")
!! What `qrsolv_` does, up to rounding and the signs of the rows of S.

    ! Inputs
    integer(ip), intent(in), value :: isa
        !! the instruction set: `baseline`, `avx2` or `avx512`
    integer(ip), intent(in), value :: n
        !! order of R
    integer(ip), intent(in), value :: ldr
        !! leading dimension of `r`, at least n
    integer(ip), intent(in) :: ipvt(n)
        !! shape (n); column j of A*P is column ipvt(j) of A
    real(dp), intent(in) :: diag(n)
        !! shape (n); the diagonal of D
    real(dp), intent(in) :: qtb(n)
        !! shape (n); the first n components of Q'*b

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, n)
        !! shape (ldr, n); on entry the upper triangle is that of R; on exit it is unchanged, and
        !! the strict lower triangle is the strict upper triangle of S, transposed

    ! Outputs
    real(dp), intent(inout) :: x(n)
        !! shape (n); the solution
    real(dp), intent(inout) :: sdiag(n)
        !! shape (n); the diagonal of S
    real(dp), intent(inout) :: work(damped_work(n))
        !! shape (blocked_damped_work(n)); work

    select case (isa)
#ifdef HAVE_X86_VARIANTS
    case (avx2)
        call solve_damped_avx2(n, r, ldr, ipvt, diag, qtb, x, sdiag, work)
    case (avx512)
        call solve_damped_avx512(n, r, ldr, ipvt, diag, qtb, x, sdiag, work)
#endif
    case default
        call solve_damped(n, r, ldr, ipvt, diag, qtb, x, sdiag, work)
    end select
end subroutine blocked_damped

pure function blocked_norm(isa, n, x) bind(c, name="blocked_norm")
!! The Euclidean norm, as `enorm_` but for rounding.

    ! Inputs
    integer(ip), intent(in), value :: isa
        !! the instruction set: `baseline`, `avx2` or `avx512`
    integer(ip), intent(in), value :: n
        !! number of components
    real(dp), intent(in) :: x(n)
        !! shape (n); the vector

    ! Result
    real(dp) :: blocked_norm

    select case (isa)
#ifdef HAVE_X86_VARIANTS
    case (avx2)
        blocked_norm = norm_avx2(n, x)
    case (avx512)
        blocked_norm = norm_avx512(n, x)
#endif
    case default
        blocked_norm = norm(n, x)
    end select
end function blocked_norm


pure integer(ip) function qr_lead(n) bind(c)
    integer(ip), intent(in), value :: n
    qr_lead = (n + 15) / 16 * 16
end function
pure integer(wide_ip) function qr_spare(n) bind(c)
    integer(ip), intent(in), value :: n
    qr_spare = blocked_spare(n)
end function
pure real(dp) function qr_norm(isa, n, x) bind(c)
    integer(ip), intent(in), value :: isa, n
    real(dp), intent(in) :: x(n)
    qr_norm = blocked_norm(isa, n, x)
end function
pure subroutine qr_start(n, r, work) bind(c)
    integer(ip), intent(in), value :: n
    real(dp), intent(inout) :: r(qr_lead(n), n + 1), work(tall_work(n))
    call blocked_tall_start(n, r, qr_lead(n), work)
end subroutine
pure subroutine qr_end(n, r, work) bind(c)
    integer(ip), intent(in), value :: n
    real(dp), intent(inout) :: r(qr_lead(n), n + 1), work(tall_work(n))
    call blocked_tall_end(n, r, qr_lead(n), work)
end subroutine
pure subroutine qr_rows(isa, m, n, a, strides, f, r, work) bind(c)
    integer(ip), intent(in), value :: isa, m, n
    integer(wide_ip), intent(in) :: strides(2)
    real(dp), intent(in) :: a(1 + (m - 1) * abs(strides(1)) + (n - 1) * abs(strides(2))), f(m)
    real(dp), intent(inout) :: r(qr_lead(n), n + 1), work(tall_work(n))
    call blocked_tall_rows(isa, m, n, a, strides(1), strides(2), f, r, qr_lead(n), work)
end subroutine
pure subroutine qpack_rows(isa, m, n, a, strides, f, blocks) bind(c, name="qr_packx")
    integer(ip), intent(in), value :: isa, m, n
    integer(wide_ip), intent(in) :: strides(2)
    real(dp), intent(in) :: a(1 + (m - 1) * abs(strides(1)) + (n - 1) * abs(strides(2))), f(m)
    real(dp), intent(inout) :: blocks(tall_blocks(m, n))
    call blocked_tall_pack(isa, m, n, a, strides(1), strides(2), f, blocks)
end subroutine
pure subroutine qr_fold_(isa, m, n, blocks, r, work) bind(c, name="qr_foldx")
    integer(ip), intent(in), value :: isa, m, n
    real(dp), intent(inout) :: blocks(tall_blocks(m, n))
    real(dp), intent(inout) :: r(qr_lead(n), n + 1), work(tall_work(n))
    call blocked_tall_fold(isa, m, n, blocks, r, qr_lead(n), work)
end subroutine
pure subroutine qr_differences(isa, m, n, points, f, r, work)
    integer(ip), intent(in), value :: isa, m, n
    type(c_ptr), intent(in) :: points(n)
    real(dp), intent(in) :: f(m)
    real(dp), intent(inout) :: r(qr_lead(n), n + 1), work(tall_work(n))
    call blocked_tall_differences(isa, m, n, points, f, r, qr_lead(n), work)
end subroutine
pure subroutine qr_chunk(n, rows, elements) bind(c)
    integer(ip), intent(in), value :: n
    integer(ip), intent(inout) :: rows
    integer(wide_ip), intent(out) :: elements
    integer(ip) :: b
    b = blocked_tall_block(n)
    rows = ((rows + b - 1) / b) * b
    elements = tall_blocks(rows, n)
end subroutine
pure subroutine qr_triangle(isa, n, r, qtf, ipvt, rdiag, acnorm, spare)
    integer(ip), intent(in), value :: isa, n
    real(dp), intent(inout) :: r(qr_lead(n), n), qtf(n), rdiag(n), acnorm(n), spare(blocked_spare(n))
    integer(ip), intent(inout) :: ipvt(n)
    call blocked_triangle(isa, n, r, qr_lead(n), qtf, ipvt, rdiag, acnorm, spare)
end subroutine
pure subroutine qr_damped_(isa, n, r, ipvt, diag, x, sdiag, spare)
    integer(ip), intent(in), value :: isa, n
    real(dp), intent(inout) :: r(qr_lead(n), n), diag(n), x(n), sdiag(n), spare(blocked_spare(n))
    integer(ip), intent(in) :: ipvt(n)
    real(dp) :: qtb(2000)
    qtb(1:n) = x
    call blocked_damped(isa, n, r, qr_lead(n), ipvt, diag, qtb, x, sdiag, spare)
end subroutine

end module qr_blocked
