module qr_narrow
!! Reduction of a block of rows with few columns against a triangle: [R; B] -> [R'; 0].
!!
!! Where a block is in the nearest cache, storing costs more than multiplying, so two columns are
!! reduced before those that follow are updated, in one pass, which also forms the products that
!! make the next reflection. In between, another pass updates the second column alone, u, and forms
!! its products with the first, v, and with the others as they are; u'*v corrects the latter. Nobody
!! needs the vectors of the reflections, so a column stays as it was when it was reduced, and its
!! scale goes into the weights. As in `qr_kernels` each sum is split over the lanes of a vector, and
!! where there are few of them over two halves of the rows, too.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use qr_ahead, only: ahead, fetch_some
use qr_kernels, only: dots_4x1
use qr_narrow_products, only: open_3, open_2, open_1, second_4, second_3, second_2, second_1
use qr_narrow_updates, only: reflect_twice_4, reflect_twice_3, reflect_twice_2, products_twice_2, &
                             follow_twice_3
use qr_pack, only: narrow
implicit none (type, external)
private
public :: narrow_passes, narrow_products, fold_narrow

contains

pure function narrow_passes(n)
!! How many passes over a block these routines make, and so how often they fetch something.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of columns

    ! Result
    integer(ip) :: narrow_passes

    narrow_passes = n + n / 3
end function narrow_passes

pure subroutine narrow_products(n, strips, b, ldb, s, squares, plan)
!! The products of the first column with all, and the sums of squares.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of columns, at least 2
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    integer(ip), intent(in) :: ldb
        !! leading dimension of `b`
    real(dp), intent(in) :: b(ldb, n)
        !! shape (ldb, n); the columns

    ! Outputs
    real(dp), intent(inout) :: s(n)
        !! shape (n); the products
    real(dp), intent(inout) :: squares(n)
        !! shape (n); the sums of squares
    type(ahead), intent(inout) :: plan
        !! what to fetch meanwhile

    ! Locals
    integer(ip) :: k

    do k = 2, n - 2, 3
        call fetch_some(plan)
        call open_3(strips, b, b(1, k), ldb, s(1), s(k), squares(k))
    end do
    select case (n - k)
    case (1)
        call open_2(strips, b, b(1, k), ldb, s(1), s(k), squares(k))
    case (0)
        call open_1(strips, b, b(1, k), s(1), s(k), squares(k))
    case default
    end select
    squares(1) = s(1)
end subroutine narrow_products

pure subroutine fold_narrow(n, r, ldr, strips, b, ldb, s, plan)
!! Reduce a block of rows against a triangle, with a column that goes along.

    ! Inputs
    integer(ip), intent(in) :: n
        !! order of R, at most `narrow`
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`, at least n
    integer(ip), intent(in) :: strips
        !! the rows of B, in strips, at least 1
    integer(ip), intent(in) :: ldb
        !! leading dimension of `b`, at least strip*strips

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); the upper triangle is that of R, column n + 1 is a right-hand side
    real(dp), intent(inout) :: b(ldb, n + 1)
        !! shape (ldb, n + 1); the block; destroyed
    real(dp), intent(inout) :: s(n + 1)
        !! shape (n + 1); the products of the first column of B with all; destroyed
    type(ahead), intent(inout) :: plan
        !! what to fetch meanwhile

    ! Locals
    real(dp) :: w1(narrow), w2(narrow), along
    integer(ip) :: j, right

    do j = 1, n, 2
        right = n + 1 - j
        call reduce_row(right, ldr, r(j, j), s, w1)
        ! What is left of the column that goes along nobody needs.
        if (right == 1) return
        call fetch_some(plan)
        call second_products(right - 1, strips, w1(1), b(1, j), ldb, along, s)
        s(2:right) = s(2:right) - w1(2:right) * along
        right = right - 1
        call reduce_row(right, ldr, r(j + 1, j + 1), s, w2)
        if (right == 1) return
        call fetch_some(plan)
        call reflect(right, strips, w1(2), w2, b(1, j), ldb, s)
    end do
end subroutine fold_narrow

pure subroutine reduce_row(n, ldr, r, s, w)
!! Make the reflection that reduces a column to its element in R, as in `qr_fold`, and apply it to
!! the row of R.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of elements right of the column's own
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`
    real(dp), intent(in) :: s(n + 1)
        !! shape (n + 1); the products of the column of B with itself and those to its right

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); its first row is the row of R

    ! Outputs
    real(dp), intent(inout) :: w(n)
        !! shape (n); the weights of the column that are to be taken off those to its right

    ! Locals
    real(dp) :: beta, tau, factor, weight
    integer(ip) :: k

    if (s(1) == 0) then
        w = 0
        return
    end if
    beta = -sign(sqrt(r(1, 1) * r(1, 1) + s(1)), r(1, 1))
    factor = 1 / (r(1, 1) - beta)
    tau = (beta - r(1, 1)) / beta
    r(1, 1) = beta
    do k = 1, n
        weight = tau * (r(1, k + 1) + factor * s(k + 1))
        r(1, k + 1) = r(1, k + 1) - weight
        w(k) = factor * weight
    end do
end subroutine reduce_row

pure subroutine second_products(n, strips, w, b, ldb, along, s)
!! Take the first column off the second, and form the products of this one with all.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of columns after the second, at least 1
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: w
        !! the weight
    integer(ip), intent(in) :: ldb
        !! leading dimension of `b`

    ! In-outputs
    real(dp), intent(inout) :: b(ldb, n + 2)
        !! shape (ldb, n + 2); the columns

    ! Outputs
    real(dp), intent(out) :: along
        !! the product with the first
    real(dp), intent(inout) :: s(n + 1)
        !! shape (n + 1); the products with itself and those that follow

    ! Locals
    integer(ip) :: first, k

    select case (mod(n, 4))
    case (1)
        call second_1(strips, w, b, ldb, along, s)
        first = 2
    case (2)
        call second_2(strips, w, b, ldb, along, s)
        first = 3
    case (3)
        call second_3(strips, w, b, ldb, along, s)
        first = 4
    case default
        call second_4(strips, w, b, ldb, along, s)
        first = 5
    end select
    do k = first, n, 4
        call dots_4x1(strips, b(1, k + 2), ldb, b(1, 2), s(k + 1))
    end do
end subroutine second_products

pure subroutine reflect(n, strips, w1, w2, b, ldb, s)
!! Take multiples of two columns off those that follow, and form the products of the first of these
!! with all of them.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of columns that follow, at least 2
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: w1(n)
        !! shape (n); the weights of the first column
    real(dp), intent(in) :: w2(n)
        !! shape (n); the weights of the second
    integer(ip), intent(in) :: ldb
        !! leading dimension of `b`

    ! In-outputs
    real(dp), intent(inout) :: b(ldb, n + 2)
        !! shape (ldb, n + 2); the columns

    ! Outputs
    real(dp), intent(inout) :: s(n)
        !! shape (n); the products

    ! Locals
    integer(ip) :: first, k

    if (n == 2) then
        call products_twice_2(strips, w1, w2, b, ldb, s)
        return
    end if
    select case (mod(n, 3))
    case (2)
        call reflect_twice_2(strips, w1, w2, b, ldb, s)
        first = 3
    case (0)
        call reflect_twice_3(strips, w1, w2, b, ldb, s)
        first = 4
    case default
        call reflect_twice_4(strips, w1, w2, b, ldb, s)
        first = 5
    end select
    do k = first, n, 3
        call follow_twice_3(strips, w1(k), w2(k), b, b(1, 3), b(1, k + 2), ldb, s(k))
    end do
end subroutine reflect

end module qr_narrow
