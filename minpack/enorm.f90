module enorm
!! The Euclidean norm of a vector, without overflow or harmful underflow.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
implicit none (type, external)
private
public :: enorm_

contains

pure real(dp) function enorm_(n, x) bind(c, name="enorm_")
!! The Euclidean norm of `x` (user guide, section 1.8).
!!
!! The squares are gathered in three sums. Components whose squares neither overflow nor underflow
!! go into one sum as they are; the larger and the smaller ones go into sums of their own, each
!! scaled by the largest magnitude met so far in its class, so that no square can leave the range.
!! Together: norm**2 = large_max**2 * large + medium + small_max**2 * small.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of components
    real(dp), intent(in) :: x(n)
        !! the vector, shape (n)

    ! Locals
    real(dp), parameter :: smallest_medium = 3.834e-20_dp
    real(dp), parameter :: largest_medium = 1.304e19_dp
    real(dp) :: large, medium, small
    real(dp) :: large_max, small_max
    real(dp) :: limit
    real(dp) :: xabs
    integer(ip) :: i

    large = 0
    medium = 0
    small = 0
    large_max = 0
    small_max = 0
    ! n squares are added, so each may only be an nth of what one alone might be.
    limit = largest_medium / n

    ! A NaN fails every comparison: it falls through to the large class and turns the norm to NaN.
    do i = 1, n
        xabs = abs(x(i))
        if (xabs > smallest_medium .and. xabs < limit) then
            medium = medium + xabs**2
        else if (xabs <= smallest_medium) then
            if (xabs > small_max) then
                small = 1 + small * (small_max / xabs)**2
                small_max = xabs
            else if (xabs /= 0) then
                small = small + (xabs / small_max)**2
            end if
        else if (xabs <= large_max) then
            large = large + (xabs / large_max)**2
        else
            large = 1 + large * (large_max / xabs)**2
            large_max = xabs
        end if
    end do

    ! Beside large components the small ones cannot change the result.
    if (large /= 0) then
        enorm_ = large_max * sqrt(large + (medium / large_max) / large_max)
    else if (medium /= 0) then
        if (medium >= small_max) then
            enorm_ = sqrt(medium * (1 + (small_max / medium) * (small_max * small)))
        else
            enorm_ = sqrt(small_max * ((medium / small_max) + (small_max * small)))
        end if
    else
        enorm_ = small_max * sqrt(small)
    end if
end function enorm_

end module enorm
