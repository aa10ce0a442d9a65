module qr_kernels
!! The inner loops of the blocked factorisations: sums of products of columns, and updates.
!!
!! A tile is four columns of reflections against three columns, or one, of what they act on: its
!! twelve sums, or twelve weights, live in registers while the rows pass by in strips. Each sum is
!! split over the lanes of a vector, which `omp simd` allows for these loops and no others; which
!! lane gets which row is fixed when the file is compiled. Where fewer sums would leave the adders
!! waiting for their own results, the upper and the lower half of the rows have sums of their own.
!! There is always a strip, and `max` tells the compiler so: it spares the code for fewer rows.
!! The file is compiled once for every instruction set, under other module names.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
implicit none (type, external)
private
public :: strip, dots_4x3, dots_4x2, dots_4x1, update_4x3, update_4x2, update_4x1
public :: dots_first, reflect_3, reflect_2, reflect_1, finish_four

integer(ip), parameter :: strip = 16
    !! rows come in multiples of this, so that no vector of half of them is partly filled

contains

pure subroutine dots_4x3(strips, v, ldv, c, ldc, w, ldw)
!! w = V'*C for four columns of V and three of C.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    integer(ip), intent(in) :: ldv
        !! leading dimension of `v`
    real(dp), intent(in) :: v(ldv, 4)
        !! shape (ldv, 4); V
    integer(ip), intent(in) :: ldc
        !! leading dimension of `c`
    real(dp), intent(in) :: c(ldc, 3)
        !! shape (ldc, 3); C
    integer(ip), intent(in) :: ldw
        !! leading dimension of `w`, at least 4

    ! In-outputs
    real(dp), intent(inout) :: w(ldw, 3)
        !! shape (ldw, 3); on exit the first four rows are the products

    ! Locals
    real(dp) :: s11, s21, s31, s41, s12, s22, s32, s42, s13, s23, s33, s43
    integer(ip) :: i

    s11 = 0; s21 = 0; s31 = 0; s41 = 0
    s12 = 0; s22 = 0; s32 = 0; s42 = 0
    s13 = 0; s23 = 0; s33 = 0; s43 = 0
    !$omp simd reduction(+:s11,s21,s31,s41,s12,s22,s32,s42,s13,s23,s33,s43)
    do i = 1, strip * max(1, strips)
        s11 = s11 + v(i, 1) * c(i, 1)
        s21 = s21 + v(i, 2) * c(i, 1)
        s31 = s31 + v(i, 3) * c(i, 1)
        s41 = s41 + v(i, 4) * c(i, 1)
        s12 = s12 + v(i, 1) * c(i, 2)
        s22 = s22 + v(i, 2) * c(i, 2)
        s32 = s32 + v(i, 3) * c(i, 2)
        s42 = s42 + v(i, 4) * c(i, 2)
        s13 = s13 + v(i, 1) * c(i, 3)
        s23 = s23 + v(i, 2) * c(i, 3)
        s33 = s33 + v(i, 3) * c(i, 3)
        s43 = s43 + v(i, 4) * c(i, 3)
    end do
    w(1:4, 1) = [s11, s21, s31, s41]
    w(1:4, 2) = [s12, s22, s32, s42]
    w(1:4, 3) = [s13, s23, s33, s43]
end subroutine dots_4x3

pure subroutine dots_4x2(strips, v, ldv, c, ldc, w, ldw)
!! As `dots_4x3`, with two columns of C.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    integer(ip), intent(in) :: ldv
        !! leading dimension of `v`
    real(dp), intent(in) :: v(ldv, 4)
        !! shape (ldv, 4); V
    integer(ip), intent(in) :: ldc
        !! leading dimension of `c`
    real(dp), intent(in) :: c(ldc, 2)
        !! shape (ldc, 2); C
    integer(ip), intent(in) :: ldw
        !! leading dimension of `w`, at least 4

    ! In-outputs
    real(dp), intent(inout) :: w(ldw, 2)
        !! shape (ldw, 2); on exit the first four rows are the products

    ! Locals
    real(dp) :: s11, s21, s31, s41, s12, s22, s32, s42
    integer(ip) :: i

    s11 = 0; s21 = 0; s31 = 0; s41 = 0
    s12 = 0; s22 = 0; s32 = 0; s42 = 0
    !$omp simd reduction(+:s11,s21,s31,s41,s12,s22,s32,s42)
    do i = 1, strip * max(1, strips)
        s11 = s11 + v(i, 1) * c(i, 1)
        s21 = s21 + v(i, 2) * c(i, 1)
        s31 = s31 + v(i, 3) * c(i, 1)
        s41 = s41 + v(i, 4) * c(i, 1)
        s12 = s12 + v(i, 1) * c(i, 2)
        s22 = s22 + v(i, 2) * c(i, 2)
        s32 = s32 + v(i, 3) * c(i, 2)
        s42 = s42 + v(i, 4) * c(i, 2)
    end do
    w(1:4, 1) = [s11, s21, s31, s41]
    w(1:4, 2) = [s12, s22, s32, s42]
end subroutine dots_4x2

pure subroutine dots_4x1(strips, v, ldv, c, w)
!! w = V'*c for four columns of V.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    integer(ip), intent(in) :: ldv
        !! leading dimension of `v`
    real(dp), intent(in) :: v(ldv, 4)
        !! shape (ldv, 4); V
    real(dp), intent(in) :: c(strip * strips)
        !! shape (strip*strips); the column

    ! Outputs
    real(dp), intent(out) :: w(4)
        !! shape (4); the products

    ! Locals
    real(dp) :: s1, s2, s3, s4, z1, z2, z3, z4
    integer(ip) :: half, i, k

    half = strip / 2 * max(1, strips)
    s1 = 0; s2 = 0; s3 = 0; s4 = 0
    z1 = 0; z2 = 0; z3 = 0; z4 = 0
    !$omp simd reduction(+:s1,s2,s3,s4,z1,z2,z3,z4) private(k)
    do i = 1, half
        k = i + half
        s1 = s1 + v(i, 1) * c(i)
        s2 = s2 + v(i, 2) * c(i)
        s3 = s3 + v(i, 3) * c(i)
        s4 = s4 + v(i, 4) * c(i)
        z1 = z1 + v(k, 1) * c(k)
        z2 = z2 + v(k, 2) * c(k)
        z3 = z3 + v(k, 3) * c(k)
        z4 = z4 + v(k, 4) * c(k)
    end do
    w = [s1 + z1, s2 + z2, s3 + z3, s4 + z4]
end subroutine dots_4x1

pure subroutine update_4x3(strips, v, ldv, w, ldw, c, ldc)
!! C = C - V*w for four columns of V and three of C.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    integer(ip), intent(in) :: ldv
        !! leading dimension of `v`
    real(dp), intent(in) :: v(ldv, 4)
        !! shape (ldv, 4); V
    integer(ip), intent(in) :: ldw
        !! leading dimension of `w`, at least 4
    real(dp), intent(in) :: w(ldw, 3)
        !! shape (ldw, 3); the weights, in the first four rows
    integer(ip), intent(in) :: ldc
        !! leading dimension of `c`

    ! In-outputs
    real(dp), intent(inout) :: c(ldc, 3)
        !! shape (ldc, 3); C

    ! Locals
    real(dp) :: v1, v2, v3, v4
    integer(ip) :: i

    !$omp simd
    do i = 1, strip * max(1, strips)
        v1 = v(i, 1)
        v2 = v(i, 2)
        v3 = v(i, 3)
        v4 = v(i, 4)
        c(i, 1) = c(i, 1) - v1 * w(1, 1) - v2 * w(2, 1) - v3 * w(3, 1) - v4 * w(4, 1)
        c(i, 2) = c(i, 2) - v1 * w(1, 2) - v2 * w(2, 2) - v3 * w(3, 2) - v4 * w(4, 2)
        c(i, 3) = c(i, 3) - v1 * w(1, 3) - v2 * w(2, 3) - v3 * w(3, 3) - v4 * w(4, 3)
    end do
end subroutine update_4x3

pure subroutine update_4x2(strips, v, ldv, w, ldw, c, ldc)
!! As `update_4x3`, with two columns of C.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    integer(ip), intent(in) :: ldv
        !! leading dimension of `v`
    real(dp), intent(in) :: v(ldv, 4)
        !! shape (ldv, 4); V
    integer(ip), intent(in) :: ldw
        !! leading dimension of `w`, at least 4
    real(dp), intent(in) :: w(ldw, 2)
        !! shape (ldw, 2); the weights, in the first four rows
    integer(ip), intent(in) :: ldc
        !! leading dimension of `c`

    ! In-outputs
    real(dp), intent(inout) :: c(ldc, 2)
        !! shape (ldc, 2); C

    ! Locals
    real(dp) :: v1, v2, v3, v4
    integer(ip) :: i

    !$omp simd
    do i = 1, strip * max(1, strips)
        v1 = v(i, 1)
        v2 = v(i, 2)
        v3 = v(i, 3)
        v4 = v(i, 4)
        c(i, 1) = c(i, 1) - v1 * w(1, 1) - v2 * w(2, 1) - v3 * w(3, 1) - v4 * w(4, 1)
        c(i, 2) = c(i, 2) - v1 * w(1, 2) - v2 * w(2, 2) - v3 * w(3, 2) - v4 * w(4, 2)
    end do
end subroutine update_4x2

pure subroutine update_4x1(strips, v, ldv, w, c)
!! c = c - V*w for four columns of V.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    integer(ip), intent(in) :: ldv
        !! leading dimension of `v`
    real(dp), intent(in) :: v(ldv, 4)
        !! shape (ldv, 4); V
    real(dp), intent(in) :: w(4)
        !! shape (4); the weights

    ! In-outputs
    real(dp), intent(inout) :: c(strip * strips)
        !! shape (strip*strips); the column

    ! Locals
    integer(ip) :: i

    !$omp simd
    do i = 1, strip * max(1, strips)
        c(i) = c(i) - v(i, 1) * w(1) - v(i, 2) * w(2) - v(i, 3) * w(3) - v(i, 4) * w(4)
    end do
end subroutine update_4x1

pure subroutine dots_first(strips, c, ldc, s)
!! The products of the first of four columns with all of them.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    integer(ip), intent(in) :: ldc
        !! leading dimension of `c`
    real(dp), intent(in) :: c(ldc, 4)
        !! shape (ldc, 4); the columns

    ! Outputs
    real(dp), intent(out) :: s(4)
        !! shape (4); the products

    ! Locals
    real(dp) :: s1, s2, s3, s4, z1, z2, z3, z4
    integer(ip) :: half, i, k

    half = strip / 2 * max(1, strips)
    s1 = 0; s2 = 0; s3 = 0; s4 = 0
    z1 = 0; z2 = 0; z3 = 0; z4 = 0
    !$omp simd reduction(+:s1,s2,s3,s4,z1,z2,z3,z4) private(k)
    do i = 1, half
        k = i + half
        s1 = s1 + c(i, 1) * c(i, 1)
        s2 = s2 + c(i, 1) * c(i, 2)
        s3 = s3 + c(i, 1) * c(i, 3)
        s4 = s4 + c(i, 1) * c(i, 4)
        z1 = z1 + c(k, 1) * c(k, 1)
        z2 = z2 + c(k, 1) * c(k, 2)
        z3 = z3 + c(k, 1) * c(k, 3)
        z4 = z4 + c(k, 1) * c(k, 4)
    end do
    s = [s1 + z1, s2 + z2, s3 + z3, s4 + z4]
end subroutine dots_first

pure subroutine reflect_3(strips, factor, w, c, ldc, s)
!! Scale the first column, v, take v*w off the three others, and form the products of the first of
!! these with all three, in one pass.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: factor
        !! of the first column
    real(dp), intent(in) :: w(3)
        !! shape (3); the weights
    integer(ip), intent(in) :: ldc
        !! leading dimension of `c`

    ! In-outputs
    real(dp), intent(inout) :: c(ldc, 4)
        !! shape (ldc, 4); the columns

    ! Outputs
    real(dp), intent(out) :: s(3)
        !! shape (3); the products

    ! Locals
    real(dp) :: a1, a2, a3, a4, b1, b2, b3, b4
    real(dp) :: s2, s3, s4, z2, z3, z4
    integer(ip) :: half, i, k

    half = strip / 2 * max(1, strips)
    s2 = 0; s3 = 0; s4 = 0
    z2 = 0; z3 = 0; z4 = 0
    !$omp simd reduction(+:s2,s3,s4,z2,z3,z4) private(k, a1, a2, a3, a4, b1, b2, b3, b4)
    do i = 1, half
        k = i + half
        a1 = factor * c(i, 1)
        a2 = c(i, 2) - a1 * w(1)
        a3 = c(i, 3) - a1 * w(2)
        a4 = c(i, 4) - a1 * w(3)
        c(i, 1) = a1
        c(i, 2) = a2
        c(i, 3) = a3
        c(i, 4) = a4
        s2 = s2 + a2 * a2
        s3 = s3 + a2 * a3
        s4 = s4 + a2 * a4
        b1 = factor * c(k, 1)
        b2 = c(k, 2) - b1 * w(1)
        b3 = c(k, 3) - b1 * w(2)
        b4 = c(k, 4) - b1 * w(3)
        c(k, 1) = b1
        c(k, 2) = b2
        c(k, 3) = b3
        c(k, 4) = b4
        z2 = z2 + b2 * b2
        z3 = z3 + b2 * b3
        z4 = z4 + b2 * b4
    end do
    s = [s2 + z2, s3 + z3, s4 + z4]
end subroutine reflect_3

pure subroutine reflect_2(strips, factor, w, c, ldc, s)
!! As `reflect_3`, with two other columns.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: factor
        !! of the first column
    real(dp), intent(in) :: w(2)
        !! shape (2); the weights
    integer(ip), intent(in) :: ldc
        !! leading dimension of `c`

    ! In-outputs
    real(dp), intent(inout) :: c(ldc, 3)
        !! shape (ldc, 3); the columns

    ! Outputs
    real(dp), intent(out) :: s(2)
        !! shape (2); the products

    ! Locals
    real(dp) :: a1, a2, a3, b1, b2, b3
    real(dp) :: s2, s3, z2, z3
    integer(ip) :: half, i, k

    half = strip / 2 * max(1, strips)
    s2 = 0; s3 = 0
    z2 = 0; z3 = 0
    !$omp simd reduction(+:s2,s3,z2,z3) private(k, a1, a2, a3, b1, b2, b3)
    do i = 1, half
        k = i + half
        a1 = factor * c(i, 1)
        a2 = c(i, 2) - a1 * w(1)
        a3 = c(i, 3) - a1 * w(2)
        c(i, 1) = a1
        c(i, 2) = a2
        c(i, 3) = a3
        s2 = s2 + a2 * a2
        s3 = s3 + a2 * a3
        b1 = factor * c(k, 1)
        b2 = c(k, 2) - b1 * w(1)
        b3 = c(k, 3) - b1 * w(2)
        c(k, 1) = b1
        c(k, 2) = b2
        c(k, 3) = b3
        z2 = z2 + b2 * b2
        z3 = z3 + b2 * b3
    end do
    s = [s2 + z2, s3 + z3]
end subroutine reflect_2

pure subroutine reflect_1(strips, factor, w, c, ldc, s)
!! As `reflect_3`, with one other column.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: factor
        !! of the first column
    real(dp), intent(in) :: w
        !! the weight
    integer(ip), intent(in) :: ldc
        !! leading dimension of `c`

    ! In-outputs
    real(dp), intent(inout) :: c(ldc, 2)
        !! shape (ldc, 2); the columns

    ! Outputs
    real(dp), intent(out) :: s
        !! the sum of squares

    ! Locals
    real(dp) :: a1, a2, b1, b2
    real(dp) :: s2, z2
    integer(ip) :: half, i, k

    half = strip / 2 * max(1, strips)
    s2 = 0
    z2 = 0
    !$omp simd reduction(+:s2,z2) private(k, a1, a2, b1, b2)
    do i = 1, half
        k = i + half
        a1 = factor * c(i, 1)
        a2 = c(i, 2) - a1 * w
        c(i, 1) = a1
        c(i, 2) = a2
        s2 = s2 + a2 * a2
        b1 = factor * c(k, 1)
        b2 = c(k, 2) - b1 * w
        c(k, 1) = b1
        c(k, 2) = b2
        z2 = z2 + b2 * b2
    end do
    s = s2 + z2
end subroutine reflect_1

pure subroutine finish_four(strips, factor, v, ldv, g)
!! Scale the last of four columns and form the products of all pairs.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: factor
        !! of the last column
    integer(ip), intent(in) :: ldv
        !! leading dimension of `v`

    ! In-outputs
    real(dp), intent(inout) :: v(ldv, 4)
        !! shape (ldv, 4); the columns

    ! Outputs
    real(dp), intent(out) :: g(6)
        !! shape (6); the products of the columns 1,2; 1,3; 2,3; 1,4; 2,4; 3,4

    ! Locals
    real(dp) :: v4, g12, g13, g23, g14, g24, g34
    integer(ip) :: i

    g12 = 0; g13 = 0; g23 = 0; g14 = 0; g24 = 0; g34 = 0
    !$omp simd reduction(+:g12,g13,g23,g14,g24,g34) private(v4)
    do i = 1, strip * max(1, strips)
        v4 = factor * v(i, 4)
        v(i, 4) = v4
        g12 = g12 + v(i, 1) * v(i, 2)
        g13 = g13 + v(i, 1) * v(i, 3)
        g23 = g23 + v(i, 2) * v(i, 3)
        g14 = g14 + v(i, 1) * v4
        g24 = g24 + v(i, 2) * v4
        g34 = g34 + v(i, 3) * v4
    end do
    g = [g12, g13, g23, g14, g24, g34]
end subroutine finish_four

end module qr_kernels
