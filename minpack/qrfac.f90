module qrfac
!! QR factorisation with column pivoting.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use dpmpar, only: epsmch
use enorm, only: enorm_
use extrema, only: larger
implicit none (type, external)
private
public :: qrfac_

contains

pure subroutine qrfac_(m, n, a, lda, pivot, ipvt, lipvt, rdiag, acnorm, wa) bind(c, name="qrfac_")
!! Householder QR factorisation A*P = Q*R of an m by n matrix, with optional column pivoting
!! (More 1978, section 3; user guide, section 1.8).
!!
!! Pivoting brings the column of largest remaining norm forward at each step, which makes the
!! diagonal of R nonincreasing in magnitude. Reflection j is I - u*u'/u(j), with u zero above j and
!! u(j) >= 1.

    ! Inputs
    integer(ip), intent(in) :: m
        !! number of rows
    integer(ip), intent(in) :: n
        !! number of columns
    integer(ip), intent(in) :: lda
        !! leading dimension of `a`, at least m
    integer(ip), intent(in) :: pivot
        !! a default LOGICAL of the caller, as the integer of the same size: nonzero to pivot
    integer(ip), intent(in) :: lipvt
        !! size of `ipvt`: n with pivoting, else 1 will do

    ! In-outputs
    real(dp), intent(inout) :: a(lda, n)
        !! shape (lda, n); on entry the matrix; on exit the strict upper triangle is that of R, and
        !! the lower trapezoid holds the vectors u

    ! Outputs
    integer(ip), intent(inout) :: ipvt(lipvt)
        !! shape (lipvt); with pivoting column j of A*P is column ipvt(j) of A; else not referenced
    real(dp), intent(out) :: rdiag(n)
        !! shape (n); the diagonal of R
    real(dp), intent(inout) :: acnorm(n)
        !! shape (n); the norms of the columns of A; may be the same array as `rdiag` when the
        !! norms are not needed
    real(dp), intent(inout) :: wa(n)
        !! shape (n); work: the norms from which the running ones in `rdiag` were last computed
        !! afresh; may be the same array as `rdiag` without pivoting

    ! Locals
    integer(ip) :: j, k
    real(dp) :: norm

    do j = 1, n
        acnorm(j) = enorm_(m, a(1, j))
        rdiag(j) = acnorm(j)
        wa(j) = rdiag(j)
        if (pivot /= 0) ipvt(j) = j
    end do

    do j = 1, min(m, n)
        if (pivot /= 0) call bring_largest_forward(m, n, a, lda, j, ipvt, rdiag, wa)
        norm = enorm_(m - j + 1, a(j, j))
        if (norm /= 0) then
            ! The sign makes u(j) = 1 + |a(j, j)|/norm, a sum without cancellation.
            if (a(j, j) < 0) norm = -norm
            a(j:m, j) = a(j:m, j) / norm
            a(j, j) = a(j, j) + 1
            do k = j + 1, n
                call reflect(m - j + 1, a(j, j), a(j, k))
                if (pivot /= 0 .and. rdiag(k) /= 0) then
                    call downdate_norm(m - j, a(j, k), rdiag(k), wa(k))
                end if
            end do
        end if
        rdiag(j) = -norm
    end do
end subroutine qrfac_

pure subroutine bring_largest_forward(m, n, a, lda, j, ipvt, rdiag, wa)
!! Exchange column j with the first of the columns j to n whose remaining norm is largest.

    ! Inputs
    integer(ip), intent(in) :: m
        !! number of rows
    integer(ip), intent(in) :: n
        !! number of columns
    integer(ip), intent(in) :: lda
        !! leading dimension of `a`
    integer(ip), intent(in) :: j
        !! the step

    ! In-outputs
    real(dp), intent(inout) :: a(lda, n)
        !! shape (lda, n); the partly factored matrix
    integer(ip), intent(inout) :: ipvt(n)
        !! shape (n); the permutation so far
    real(dp), intent(inout) :: rdiag(n)
        !! shape (n); the remaining norms of columns j to n
    real(dp), intent(inout) :: wa(n)
        !! shape (n); the norms from which they were last computed afresh

    ! Locals
    integer(ip) :: kmax, k, i
    real(dp) :: swap

    kmax = j
    do k = j, n
        if (rdiag(k) > rdiag(kmax)) kmax = k
    end do
    if (kmax == j) return

    do i = 1, m
        swap = a(i, j)
        a(i, j) = a(i, kmax)
        a(i, kmax) = swap
    end do
    rdiag(kmax) = rdiag(j)
    wa(kmax) = wa(j)
    k = ipvt(j)
    ipvt(j) = ipvt(kmax)
    ipvt(kmax) = k
end subroutine bring_largest_forward

pure subroutine reflect(n, u, y)
!! Apply the reflection I - u*u'/u(1) to y.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of components
    real(dp), intent(in) :: u(n)
        !! shape (n); the vector of the reflection

    ! In-outputs
    real(dp), intent(inout) :: y(n)
        !! shape (n); the vector to reflect

    ! Locals
    integer(ip) :: i
    real(dp) :: total

    total = 0
    do i = 1, n
        total = total + u(i) * y(i)
    end do
    total = total / u(1)
    y = y - total * u
end subroutine reflect

pure subroutine downdate_norm(n, column, norm, reference)
!! Take the first component of a column off its remaining norm.
!!
!! norm*sqrt(1 - (component/norm)**2) costs one root instead of a pass over the column, but loses
!! digits each time. Once 0.05*(norm/reference)**2 has fallen to the machine precision the norm is
!! computed afresh.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of components that remain
    real(dp), intent(in) :: column(n + 1)
        !! shape (n + 1); the component that leaves, then those that remain

    ! In-outputs
    real(dp), intent(inout) :: norm
        !! on entry the norm of all n + 1, on exit of the last n
    real(dp), intent(inout) :: reference
        !! the norm as it was when last computed afresh

    ! Locals
    real(dp), parameter :: safety = 0.05_dp

    norm = norm * sqrt(larger(0.0_dp, 1 - (column(1) / norm)**2))
    if (.not. safety * (norm / reference)**2 > epsmch) then
        norm = enorm_(n, column(2:))
        reference = norm
    end if
end subroutine downdate_norm

end module qrfac
