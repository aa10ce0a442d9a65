module qr_damping
!! Solution of the damped linear least-squares problem, by reflections of blocks of rows.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, wide_ip => c_int64_t
use kernels_tuning, only: row_multiple, block_rows_damped
use qr_blocks, only: round_up, triangle_lead
use qr_tpqrt, only: tpqrt
implicit none (type, external)
private
public :: solve_damped, damped_work

integer(ip), parameter :: block_lead = block_rows_damped + row_multiple
    !! columns a power of two apart would share few lines of a cache

contains

pure function damped_work(n)
!! The number of elements that `solve_damped` needs to work.
    integer(ip), intent(in) :: n !! order of R
    integer(wide_ip) :: damped_work

    damped_work = int(lead(n), wide_ip) * (n + 1) + block_lead * int(n + 4, wide_ip) + n + 1
end function damped_work

pure subroutine solve_damped(n, r, ipvt, diag, x, sdiag, work)
!! Solve A*x = b, D*x = 0 in the sense of least squares, given A*P = Q*R and the first n components
!! of Q'*b: what `qrsolv_` does, up to rounding and the signs of the rows of S.
!!
!! A block of rows of P'*D*P is zero left of its first row's diagonal element, so it leaves the rows
!! of R above alone.
    integer(ip), intent(in) :: n !! order of R
    integer(ip), intent(in) :: ipvt(n) !! column j of A*P is column ipvt(j) of A
    real(dp), intent(in) :: diag(n) !! the diagonal of D
    real(dp), intent(inout) :: r(triangle_lead(n), n)
        !! on entry the upper triangle is that of R; on exit it is unchanged, and the strict lower
        !! triangle is the strict upper triangle of S, transposed
    real(dp), intent(inout) :: x(n) !! on entry the first n components of Q'*b, on exit the solution
    real(dp), intent(inout) :: sdiag(n) !! the diagonal of S
    real(dp), intent(inout) :: work(damped_work(n)) !! work

    integer(ip) :: rhs, factor, block

    rhs = 1 + lead(n) * n
    factor = rhs + lead(n)
    block = factor + n + 1
    call copy_triangle(n, r, ipvt, diag, x, work, work(factor))
    call reduce_diagonal(n, ipvt, diag, work(factor), work, work(block))
    call take_triangle(n, work, work(factor), r, sdiag)
    call solve_triangle(n, r, sdiag, work(rhs))
    call unscramble(n, ipvt, work(rhs), work(factor + n), x)
end subroutine solve_damped

pure function lead(n)
!! The leading dimension of S: an odd multiple of `row_multiple`, so that rows lie in different
!! lines of a cache.
    integer(ip), intent(in) :: n !! order of R
    integer(ip) :: lead

    lead = row_multiple * (2 * (n / (2 * row_multiple)) + 1)
    if (lead < n) lead = lead + 2 * row_multiple
end function lead

pure subroutine copy_triangle(n, r, ipvt, diag, qtb, s, factor)
!! Copy [R Q'*b], with columns scaled by powers of two where squares would overflow or vanish.
    integer(ip), intent(in) :: n !! order of R
    real(dp), intent(in) :: r(triangle_lead(n), n) !! the upper triangle is that of R
    integer(ip), intent(in) :: ipvt(n) !! the permutation
    real(dp), intent(in) :: diag(n) !! the diagonal of D
    real(dp), intent(in) :: qtb(n) !! the right-hand side
    real(dp), intent(inout) :: s(lead(n), n + 1) !! the copy
    real(dp), intent(inout) :: factor(n + 1) !! the scales of the columns

    integer(ip) :: j

    do j = 1, n
        factor(j) = scale_of(j, r(1, j), diag(ipvt(j)))
        s(1:j, j) = r(1:j, j)
        if (factor(j) /= 1) s(1:j, j) = factor(j) * s(1:j, j)
    end do
    factor(n + 1) = scale_of(n, qtb, 0.0_dp)
    s(1:n, n + 1) = factor(n + 1) * qtb
end subroutine copy_triangle

pure function scale_of(n, x, other)
!! The power of two that brings the largest of some numbers into the range of safe squares.
    integer(ip), intent(in) :: n !! how many
    real(dp), intent(in) :: x(n) !! the numbers
    real(dp), intent(in) :: other !! one more
    real(dp) :: scale_of

    real(dp), parameter :: small = 2.0_dp**(-300), large = 2.0_dp**400
    real(dp) :: largest
    integer(ip) :: i

    scale_of = 1
    largest = abs(other)
    do i = 1, n
        if (abs(x(i)) > largest) largest = abs(x(i))
    end do
    if (largest >= small .and. largest <= large) return
    ! What is infinite has no scale.
    if (largest > 0 .and. largest <= huge(largest)) then
        scale_of = scale(1.0_dp, -max(exponent(largest), -1000))
    end if
end function scale_of

pure subroutine reduce_diagonal(n, ipvt, diag, factor, s, block)
!! Reduce P'*D*P against the triangle, a block of rows at a time.
    integer(ip), intent(in) :: n !! order of S
    integer(ip), intent(in) :: ipvt(n) !! the permutation
    real(dp), intent(in) :: diag(n) !! the diagonal of D
    real(dp), intent(in) :: factor(n + 1) !! the scales of the columns
    real(dp), intent(inout) :: s(lead(n), n + 1) !! the upper triangle and the right-hand side
    real(dp), intent(inout) :: block(block_lead, n + 4) !! work

    integer(ip) :: i, j, rows

    do i = 1, n, block_rows_damped
        rows = min(block_rows_damped, n - i + 1)
        block(1:block_rows_damped, i:n + 4) = 0
        do j = i, i + rows - 1
            block(j - i + 1, j) = factor(j) * diag(ipvt(j))
        end do
        call tpqrt(n - i + 1, n - i + 2, s(i, i), round_up(rows), block(1, i), &
                   [lead(n), block_lead], staircase=.true.)
    end do
end subroutine reduce_diagonal

pure subroutine take_triangle(n, s, factor, r, sdiag)
!! Put S where `qrsolv_` leaves it.
    integer(ip), intent(in) :: n !! order of S
    real(dp), intent(in) :: s(lead(n), n) !! S with its columns scaled
    real(dp), intent(in) :: factor(n) !! the scales
    real(dp), intent(inout) :: r(triangle_lead(n), n)
        !! on exit the strict lower triangle is that of S transposed
    real(dp), intent(inout) :: sdiag(n) !! the diagonal of S

    integer(ip) :: i, j, k

    ! Rows of some columns at a time: what is read together lies together.
    do k = 1, n, row_multiple
        do i = 1, min(k + row_multiple - 1, n)
            do j = max(k, i + 1), min(k + row_multiple - 1, n)
                r(j, i) = s(i, j) / factor(j)
            end do
        end do
        do j = k, min(k + row_multiple - 1, n)
            sdiag(j) = s(j, j) / factor(j)
        end do
    end do
end subroutine take_triangle

pure subroutine solve_triangle(n, s, sdiag, z)
!! Solve S*z = rhs, with z zero from the first zero on the diagonal of S onward.
    integer(ip), intent(in) :: n !! order of S
    real(dp), intent(in) :: s(triangle_lead(n), n)
        !! the strict lower triangle is that of S transposed
    real(dp), intent(in) :: sdiag(n) !! the diagonal of S
    real(dp), intent(inout) :: z(n) !! on entry the right-hand side, on exit the solution

    integer(ip) :: rank, i, j
    real(dp) :: total

    rank = 0
    do while (rank < n)
        if (sdiag(rank + 1) == 0) exit
        rank = rank + 1
    end do
    z(rank + 1:n) = 0

    do j = rank, 1, -1
        total = 0
        !$omp simd reduction(+:total)
        do i = j + 1, rank
            total = total + s(i, j) * z(i)
        end do
        z(j) = (z(j) - total) / sdiag(j)
    end do
end subroutine solve_triangle

pure subroutine unscramble(n, ipvt, z, factor, x)
!! Permute the components of z back to x, and undo the scale of the right-hand side.
    integer(ip), intent(in) :: n !! number of components
    integer(ip), intent(in) :: ipvt(n) !! the permutation
    real(dp), intent(in) :: z(n) !! the solution of the triangular system
    real(dp), intent(in) :: factor !! the scale of the right-hand side
    real(dp), intent(inout) :: x(n) !! the solution

    integer(ip) :: j

    do j = 1, n
        x(ipvt(j)) = z(j) / factor
    end do
end subroutine unscramble

end module qr_damping
