module extrema
!! The larger and the smaller of two numbers, where one may be a NaN.
!!
!! What the intrinsics `max` and `min` make of a NaN is the compiler's choice. Where residuals and
!! Jacobian are so large that their products overflow, infinities cancel to NaN within `lmpar_`,
!! and the choice decides how the fit goes on. Here a NaN loses, as for maxNum and minNum of
!! IEEE 754-2008, and as in Argonne's compiled library.
use, intrinsic :: iso_c_binding, only: dp => c_double
implicit none (type, external)
private
public :: larger, smaller

contains

pure elemental real(dp) function larger(a, b)
!! The larger of `a` and `b`; the number, if one is a NaN.
    real(dp), intent(in) :: a !! a number
    real(dp), intent(in) :: b !! another

    larger = a
    if (b > a .or. a /= a) larger = b
end function larger

pure elemental real(dp) function smaller(a, b)
!! The smaller of `a` and `b`; the number, if one is a NaN.
    real(dp), intent(in) :: a !! a number
    real(dp), intent(in) :: b !! another

    smaller = a
    if (b < a .or. a /= a) smaller = b
end function smaller

end module extrema
