module qrfac
!! QR factorisation with column pivoting.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use dpmpar, only: epsmch
use kernels_machine, only: safety
use enorm, only: column_norms, enorm_
implicit none (type, external)
private
public :: qrfac_, factor_columns

contains

pure subroutine qrfac_(m, n, a, lda, pivot, ipvt, lipvt, rdiag, acnorm, wa) bind(c, name="qrfac_")
!! Householder QR factorisation A*P = Q*R of an m by n matrix, with optional column pivoting
!! (More 1978, section 3; user guide, section 1.8).
!!
!! Pivoting brings the column of largest remaining norm forward at each step, which makes the
!! diagonal of R nonincreasing in magnitude. Reflection j is I - u*u'/u(j), with u zero above j and
!! u(j) >= 1.
    integer(ip), intent(in) :: m !! number of rows
    integer(ip), intent(in) :: n !! number of columns
    integer(ip), intent(in) :: lda !! leading dimension of `a`, at least m
    integer(ip), intent(in) :: pivot
        !! a default LOGICAL of the caller, as the integer of the same size: nonzero to pivot
    integer(ip), intent(in) :: lipvt !! size of `ipvt`: n with pivoting, else 1 will do
    real(dp), intent(inout) :: a(lda, n)
        !! on entry the matrix; on exit the strict upper triangle is that of R, and the lower
        !! trapezoid holds the vectors u
    integer(ip), intent(inout) :: ipvt(lipvt)
        !! with pivoting column j of A*P is column ipvt(j) of A; else not referenced
    real(dp), intent(out) :: rdiag(n) !! the diagonal of R
    real(dp), intent(inout) :: acnorm(n)
        !! the norms of the columns of A; may be the same array as `rdiag` when the norms are not
        !! needed
    real(dp), intent(inout) :: wa(n)
        !! work: the norms from which the running ones in `rdiag` were last computed afresh; may be
        !! the same array as `rdiag` without pivoting

    integer(ip) :: j

    call column_norms(m, n, a, lda, acnorm)
    do j = 1, n
        rdiag(j) = acnorm(j)
    end do
    if (pivot /= 0) then
        call factor_columns(m, n, a, lda, rdiag, wa, ipvt)
    else
        call factor_columns(m, n, a, lda, rdiag, wa)
    end if
end subroutine qrfac_

pure subroutine factor_columns(m, n, a, lda, rdiag, wa, ipvt, rhs)
!! `qrfac_` from the norms of the columns on, with the reflections applied to a right-hand side on
!! the way.
    integer(ip), intent(in) :: m !! number of rows
    integer(ip), intent(in) :: n !! number of columns
    integer(ip), intent(in) :: lda !! leading dimension of `a`, at least m
    real(dp), intent(inout) :: a(lda, n) !! as for `qrfac_`
    real(dp), intent(inout) :: rdiag(n)
        !! on entry the norms of the columns of A, on exit the diagonal of R
    real(dp), intent(inout), optional :: rhs(m) !! on entry a vector b, on exit Q'*b
    real(dp), intent(inout) :: wa(n) !! work, as for `qrfac_`
    integer(ip), intent(inout), optional :: ipvt(n) !! given: to pivot, and the permutation

    integer(ip) :: j, k
    real(dp) :: norm

    do j = 1, n
        wa(j) = rdiag(j)
        if (present(ipvt)) ipvt(j) = j
    end do

    do j = 1, min(m, n)
        if (present(ipvt)) call bring_largest_forward(m, n, a, lda, j, ipvt, rdiag, wa)
        if (j == 1) then
            norm = rdiag(1) ! of the whole column, which is as it came
        else
            norm = enorm_(m - j + 1, a(j, j))
        end if
        if (norm /= 0) then
            ! The sign makes u(j) = 1 + |a(j, j)|/norm, a sum without cancellation.
            if (a(j, j) < 0) norm = -norm
            a(j:m, j) = a(j:m, j) / norm
            a(j, j) = a(j, j) + 1
            if (present(rhs)) then
                call reflect_rest(m - j + 1, n - j, a(j, j), a(j, min(j + 1, n)), lda, rhs(j))
            else
                call reflect_rest(m - j + 1, n - j, a(j, j), a(j, min(j + 1, n)), lda)
            end if
            if (present(ipvt)) then
                do k = j + 1, n
                    if (rdiag(k) /= 0) call downdate_norm(m - j, a(j, k), rdiag(k), wa(k))
                end do
            end if
        end if
        rdiag(j) = -norm
    end do
end subroutine factor_columns

pure subroutine bring_largest_forward(m, n, a, lda, j, ipvt, rdiag, wa)
!! Exchange column j with the first of the columns j to n whose remaining norm is largest.
    integer(ip), intent(in) :: m !! number of rows
    integer(ip), intent(in) :: n !! number of columns
    integer(ip), intent(in) :: lda !! leading dimension of `a`
    integer(ip), intent(in) :: j !! the step
    real(dp), intent(inout) :: a(lda, n) !! the partly factored matrix
    integer(ip), intent(inout) :: ipvt(n) !! the permutation so far
    real(dp), intent(inout) :: rdiag(n) !! the remaining norms of columns j to n
    real(dp), intent(inout) :: wa(n) !! the norms from which they were last computed afresh

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
    swap = rdiag(j)
    rdiag(j) = rdiag(kmax)
    rdiag(kmax) = swap
    wa(kmax) = wa(j)
    k = ipvt(j)
    ipvt(j) = ipvt(kmax)
    ipvt(kmax) = k
end subroutine bring_largest_forward

pure subroutine reflect_rest(m, n, u, a, lda, rhs)
!! Apply the reflection I - u*u'/u(1) to the columns of a matrix and to a right-hand side.
!!
!! One sum alone would wait for itself at every term, so those of four columns and of the
!! right-hand side go side by side, each in its own order. Where fewer columns are left, the sums
!! of the last are made several times and used once.
    integer(ip), intent(in) :: m !! number of rows
    integer(ip), intent(in) :: n !! number of columns; may be 0
    integer(ip), intent(in) :: lda !! leading dimension of `a`
    real(dp), intent(in) :: u(m) !! the vector of the reflection
    real(dp), intent(inout) :: a(lda, n) !! the columns to reflect
    real(dp), intent(inout), optional :: rhs(m) !! the right-hand side

    real(dp) :: total(5)
    integer(ip) :: first, j

    if (n == 0 .and. present(rhs)) then
        call add_products(m, u, rhs, rhs, rhs, rhs, rhs, total)
        rhs = rhs - (total(1) / u(1)) * u
    end if
    do first = 1, n, 4
        if (first == 1 .and. present(rhs)) then
            call add_products(m, u, a(1, 1), a(1, min(2, n)), a(1, min(3, n)), a(1, min(4, n)), &
                              rhs, total)
            rhs = rhs - (total(5) / u(1)) * u
        else
            call add_products(m, u, a(1, first), a(1, min(first + 1, n)), a(1, min(first + 2, n)), &
                              a(1, min(first + 3, n)), u, total)
        end if
        do j = first, min(first + 3, n)
            a(1:m, j) = a(1:m, j) - (total(j - first + 1) / u(1)) * u
        end do
    end do
end subroutine reflect_rest

pure subroutine add_products(m, u, a, b, c, d, e, total)
!! The products of a vector with five others, each added up from its first component to its last.
    integer(ip), intent(in) :: m !! number of components
    real(dp), intent(in) :: u(m) !! the vector
    real(dp), intent(in) :: a(m), b(m), c(m), d(m), e(m)
        !! shape (m); the others, of which some may be the same
    real(dp), intent(out) :: total(5) !! the products

    real(dp) :: at, bt, ct, dt, et
    integer(ip) :: i

    at = 0
    bt = 0
    ct = 0
    dt = 0
    et = 0
    do i = 1, m
        at = at + u(i) * a(i)
        bt = bt + u(i) * b(i)
        ct = ct + u(i) * c(i)
        dt = dt + u(i) * d(i)
        et = et + u(i) * e(i)
    end do
    total = [at, bt, ct, dt, et]
end subroutine add_products

pure subroutine downdate_norm(n, column, norm, reference)
!! Take the first component of a column off its remaining norm.
!!
!! norm*sqrt(1 - (component/norm)**2) costs one root instead of a pass over the column, but loses
!! digits each time. Once 0.05*(norm/reference)**2 has fallen to the machine precision the norm is
!! computed afresh.
    integer(ip), intent(in) :: n !! number of components that remain
    real(dp), intent(in) :: column(n + 1) !! the component that leaves, then those that remain
    real(dp), intent(inout) :: norm !! on entry the norm of all n + 1, on exit of the last n
    real(dp), intent(inout) :: reference !! the norm as it was when last computed afresh

    real(dp) :: rest

    rest = 1 - (column(1) / norm)**2
    if (.not. rest > 0) rest = 0
    norm = norm * sqrt(rest)
    ! Far from that limit, and told without a division.
    if (norm > 0.001_dp * reference) return
    if (.not. safety * (norm / reference)**2 > epsmch) then
        norm = enorm_(n, column(2:))
        reference = norm
    end if
end subroutine downdate_norm

end module qrfac
