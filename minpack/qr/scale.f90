module qr_scale
!! Scaling of the columns of a block and of the triangle by powers of two, which changes no digit.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use kernels_panel, only: kernel_squares
use qr_blocks, only: block_columns, block_lead, triangle_lead
implicit none (type, external)
private
public :: scale_columns, scale_by_squares

real(dp), parameter :: small = 2.0_dp**(-300), large = 2.0_dp**400
    !! between these lie the largest elements of the columns as they are worked on

contains

pure subroutine scale_columns(n, rows, b, factor, largest, r)
!! Bring the columns of a block to the scale of R's, or both to another.
    integer(ip), intent(in) :: n !! number of columns of A
    integer(ip), intent(in) :: rows !! rows of the block, a multiple of `row_multiple`
    real(dp), intent(inout) :: b(block_lead(n), block_columns(n)) !! the block
    real(dp), intent(inout) :: factor(n + 1) !! the scales, powers of two
    real(dp), intent(inout) :: largest(n + 1) !! bounds on the elements so far, unscaled
    real(dp), intent(inout) :: r(triangle_lead(n), n + 1) !! the triangle

    real(dp) :: squares(4)
    integer(ip) :: k

    do k = 1, n + 1, 4
        call kernel_squares(rows, b(1, k), block_lead(n), squares)
        call scale_by_squares(n, min(4, n + 2 - k), squares, rows, b(1, k), factor(k), largest(k), &
                              r(1, k))
    end do
end subroutine scale_columns

pure subroutine scale_by_squares(n, cols, squares, rows, b, factor, largest, r)
!! As `scale_columns`, for some of them whose sums of squares are known.
    integer(ip), intent(in) :: n !! order of R
    integer(ip), intent(in) :: cols !! number of columns
    real(dp), intent(in) :: squares(cols) !! their sums of squares
    integer(ip), intent(in) :: rows !! rows of the block
    real(dp), intent(inout) :: b(block_lead(n), cols) !! the columns of the block
    real(dp), intent(inout) :: factor(cols) !! the scales
    real(dp), intent(inout) :: largest(cols) !! bounds on the elements so far, unscaled
    real(dp), intent(inout) :: r(triangle_lead(n), cols) !! the columns of R

    integer(ip) :: k

    do k = 1, cols
        if (squares(k) >= small**2 .and. squares(k) <= large**2 .and. factor(k) == 1) then
            largest(k) = max(largest(k), sqrt(squares(k)))
        else
            call rescale(rows, b(1, k), factor(k), largest(k), n, r(1, k))
        end if
    end do
end subroutine scale_by_squares

pure subroutine rescale(rows, b, factor, largest, n, r)
!! Scale a column whose sum of squares says nothing.
    integer(ip), intent(in) :: rows !! rows of the block
    integer(ip), intent(in) :: n !! order of R
    real(dp), intent(inout) :: b(rows) !! the column of the block
    real(dp), intent(inout) :: factor !! its scale
    real(dp), intent(inout) :: largest !! a bound on its elements so far
    real(dp), intent(inout) :: r(n) !! the column of R

    real(dp) :: other
    integer(ip) :: i

    do i = 1, rows
        if (abs(b(i)) > largest) largest = abs(b(i))
    end do
    ! What is infinite has no scale.
    if (largest > 0 .and. largest <= huge(largest)) then
        if (.not. (factor * largest >= small .and. factor * largest <= large)) then
            other = scale(1.0_dp, -max(exponent(largest), -1000))
            r = r * (other / factor)
            factor = other
        end if
    end if
    if (factor /= 1) b = factor * b
end subroutine rescale

end module qr_scale
