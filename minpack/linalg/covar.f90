module covar
!! The covariance matrix from a QR factorisation.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
implicit none (type, external)
private
public :: covar_

contains

pure subroutine covar_(n, r, ldr, ipvt, tol, wa) bind(c, name="covar_")
!! The inverse of A'*A from the factors A*P = Q*R: P*inv(R'*R)*P' (user guide, section 2.8).
!!
!! If R is nearly singular, the inverse is that of the largest leading triangle of R whose diagonal
!! elements exceed tol*|r(1, 1)|, and the rows and columns of the remaining variables are zero.
    integer(ip), intent(in) :: n !! order of R
    integer(ip), intent(in) :: ldr !! leading dimension of `r`, at least n
    integer(ip), intent(in) :: ipvt(n) !! column j of A*P is column ipvt(j) of A
    real(dp), intent(in) :: tol
        !! relative size below which a diagonal element of R counts as zero, >= 0
    real(dp), intent(inout) :: r(ldr, n)
        !! on entry the upper triangle is that of R, on exit the square matrix is the symmetric
        !! covariance matrix
    real(dp), intent(out) :: wa(n) !! work: the diagonal of the covariance matrix

    integer(ip) :: rank

    call invert_triangle(n, r, ldr, tol, rank)
    call multiply_inverse(n, r, ldr, rank)
    call unpermute(n, r, ldr, ipvt, rank, wa)
end subroutine covar_

pure subroutine invert_triangle(n, r, ldr, tol, rank)
!! Invert the leading nonsingular triangle of R in place, column by column.
    integer(ip), intent(in) :: n !! order of R
    integer(ip), intent(in) :: ldr !! leading dimension of `r`
    real(dp), intent(in) :: tol !! relative size below which a diagonal element counts as zero
    real(dp), intent(inout) :: r(ldr, n) !! on entry R, on exit the inverse of its leading triangle
    integer(ip), intent(out) :: rank !! order of that triangle

    real(dp) :: limit
    real(dp) :: factor
    integer(ip) :: i, j, k

    limit = tol * abs(r(1, 1))
    rank = 0
    do k = 1, n
        if (abs(r(k, k)) <= limit) exit
        r(k, k) = 1 / r(k, k)
        do j = 1, k - 1
            factor = r(k, k) * r(j, k)
            r(j, k) = 0
            do i = 1, j
                r(i, k) = r(i, k) - factor * r(i, j)
            end do
        end do
        rank = k
    end do
end subroutine invert_triangle

pure subroutine multiply_inverse(n, r, ldr, rank)
!! Replace the inverse T of a triangle by the upper triangle of T*T'.
    integer(ip), intent(in) :: n !! number of columns
    integer(ip), intent(in) :: ldr !! leading dimension of `r`
    integer(ip), intent(in) :: rank !! order of T
    real(dp), intent(inout) :: r(ldr, n) !! on entry T, on exit the upper triangle of T*T'

    real(dp) :: factor
    integer(ip) :: i, j, k

    do k = 1, rank
        do j = 1, k - 1
            factor = r(j, k)
            do i = 1, j
                r(i, j) = r(i, j) + factor * r(i, k)
            end do
        end do
        factor = r(k, k)
        do i = 1, k
            r(i, k) = factor * r(i, k)
        end do
    end do
end subroutine multiply_inverse

pure subroutine unpermute(n, r, ldr, ipvt, rank, wa)
!! Put the upper triangle of a symmetric matrix into the order of the variables, and fill the lower
!! one.
    integer(ip), intent(in) :: n !! order of the matrix
    integer(ip), intent(in) :: ldr !! leading dimension of `r`
    integer(ip), intent(in) :: ipvt(n) !! the permutation
    integer(ip), intent(in) :: rank !! rows and columns beyond this one become zero
    real(dp), intent(inout) :: r(ldr, n) !! on entry the upper triangle, on exit the whole matrix
    real(dp), intent(out) :: wa(n) !! work: the diagonal

    integer(ip) :: i, j
    integer(ip) :: row, column

    ! Every target lies in the strict lower triangle, so that no source is overwritten.
    do j = 1, n
        column = ipvt(j)
        do i = 1, j
            if (j > rank) r(i, j) = 0
            row = ipvt(i)
            if (row > column) r(row, column) = r(i, j)
            if (row < column) r(column, row) = r(i, j)
        end do
        wa(column) = r(j, j)
    end do

    do j = 1, n
        do i = 1, j - 1
            r(i, j) = r(j, i)
        end do
        r(j, j) = wa(j)
    end do
end subroutine unpermute

end module covar
