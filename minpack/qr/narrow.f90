module qr_narrow
!! What `qr_tpqrt` does, for few columns.
!!
!! Where a block is in the nearest cache, storing costs more than multiplying, so two columns are
!! reduced before those that follow are updated, in one pass, which also forms the products that
!! make the next reflection. In between, another pass updates the second column alone, u, and forms
!! its products with the first, v, and with the others as they are; u'*v corrects the latter. Nobody
!! needs the vectors of the reflections, so a column stays as it was when it was reduced, and its
!! scale goes into the weights.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use kernels_narrow, only: kernel_first, kernel_second, kernel_pair, kernel_pair_more
use kernels_panel, only: kernel_dots
use kernels_prefetch, only: prefetch, kernel_prefetch_some
use kernels_tuning, only: narrow
use qr_blocks, only: block_lead, triangle_lead
implicit none (type, external)
private
public :: narrow_passes, narrow_products, tpqrt_narrow

contains

pure function narrow_passes(n)
!! How many passes over a block these routines make, and so how often they fetch something.
    integer(ip), intent(in) :: n !! number of columns
    integer(ip) :: narrow_passes

    narrow_passes = n + n / 3
end function narrow_passes

pure subroutine narrow_products(n, rows, b, s, squares, plan)
!! The products of the first column with all, and the sums of squares.
    integer(ip), intent(in) :: n !! number of columns of A, at least 1
    integer(ip), intent(in) :: rows !! number of rows, a positive multiple of `row_multiple`
    real(dp), intent(in) :: b(block_lead(n), n + 1) !! the columns
    real(dp), intent(inout) :: s(n + 1) !! the products
    real(dp), intent(inout) :: squares(n + 1) !! the sums of squares
    type(prefetch), intent(inout) :: plan !! what to fetch meanwhile

    integer(ip) :: k

    do k = 2, n - 1, 3
        call kernel_prefetch_some(plan)
        call kernel_first(3_ip, rows, b, b(1, k), block_lead(n), s(1), s(k), squares(k))
    end do
    if (k <= n + 1) then
        call kernel_first(n + 2 - k, rows, b, b(1, k), block_lead(n), s(1), s(k), squares(k))
    end if
    squares(1) = s(1)
end subroutine narrow_products

pure subroutine tpqrt_narrow(n, r, rows, b, s, plan)
!! Reduce a block of rows against a triangle, with a column that goes along: [R; B] -> [R'; 0].
    integer(ip), intent(in) :: n !! order of R, at most `narrow`
    integer(ip), intent(in) :: rows !! the rows of B, a positive multiple of `row_multiple`
    real(dp), intent(inout) :: r(triangle_lead(n), n + 1)
        !! the upper triangle is that of R, column n + 1 is a right-hand side
    real(dp), intent(inout) :: b(block_lead(n), n + 1) !! the block; destroyed
    real(dp), intent(inout) :: s(n + 1) !! the products of the first column of B with all; destroyed
    type(prefetch), intent(inout) :: plan !! what to fetch meanwhile

    real(dp) :: w1(narrow), w2(narrow), along
    integer(ip) :: j, right

    do j = 1, n, 2
        right = n + 1 - j
        call reduce_row(right, triangle_lead(n), r(j, j), s, w1)
        ! What is left of the column that goes along nobody needs.
        if (right == 1) return
        call kernel_prefetch_some(plan)
        call second_products(right - 1, rows, w1(1), b(1, j), block_lead(n), along, s)
        s(2:right) = s(2:right) - w1(2:right) * along
        right = right - 1
        call reduce_row(right, triangle_lead(n), r(j + 1, j + 1), s, w2)
        if (right == 1) return
        call kernel_prefetch_some(plan)
        call update_pair(right, rows, w1(2), w2, b(1, j), block_lead(n), s)
    end do
end subroutine tpqrt_narrow

pure subroutine reduce_row(n, ldr, r, s, w)
!! Make the reflection that reduces a column to its element in R, as in `qr_tpqrt`, and apply it to
!! the row of R.
    integer(ip), intent(in) :: n !! number of elements right of the column's own
    integer(ip), intent(in) :: ldr !! leading dimension of `r`
    real(dp), intent(in) :: s(n + 1)
        !! the products of the column of B with itself and those to its right
    real(dp), intent(inout) :: r(ldr, n + 1) !! its first row is the row of R
    real(dp), intent(inout) :: w(n)
        !! the weights of the column that are to be taken off those to its right

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

pure subroutine second_products(n, rows, w, b, ldb, along, s)
!! Take the first column off the second, and form the products of this one with all.
    integer(ip), intent(in) :: n !! number of columns after the second, at least 1
    integer(ip), intent(in) :: rows !! number of rows
    real(dp), intent(in) :: w !! the weight
    integer(ip), intent(in) :: ldb !! leading dimension of `b`
    real(dp), intent(inout) :: b(ldb, n + 2) !! the columns
    real(dp), intent(out) :: along !! the product with the first
    real(dp), intent(inout) :: s(n + 1) !! the products with itself and those that follow

    integer(ip) :: cols, k

    ! 1 to 4, so that what is left is a multiple of 4.
    cols = 1 + mod(n - 1, 4)
    call kernel_second(cols, rows, w, b, ldb, along, s)
    do k = cols + 1, n, 4
        call kernel_dots(1_ip, rows, b(1, k + 2), ldb, b(1, 2), ldb, s(k + 1), 4_ip)
    end do
end subroutine second_products

pure subroutine update_pair(n, rows, w1, w2, b, ldb, s)
!! Take multiples of two columns off those that follow, and form the products of the first of these
!! with all of them.
    integer(ip), intent(in) :: n !! number of columns that follow, at least 2
    integer(ip), intent(in) :: rows !! number of rows
    real(dp), intent(in) :: w1(n) !! the weights of the first column
    real(dp), intent(in) :: w2(n) !! the weights of the second
    integer(ip), intent(in) :: ldb !! leading dimension of `b`
    real(dp), intent(inout) :: b(ldb, n + 2) !! the columns
    real(dp), intent(inout) :: s(n) !! the products

    integer(ip) :: cols, k

    ! 2 to 4, so that what is left is a multiple of 3. The last two columns stay as they are: nobody
    ! needs them any more.
    cols = 2 + mod(n - 2, 3)
    call kernel_pair(cols, rows, w1, w2, b, ldb, s, merge(0_ip, 1_ip, n == 2))
    do k = cols + 1, n, 3
        call kernel_pair_more(rows, w1(k), w2(k), b, b(1, 3), b(1, k + 2), ldb, s(k))
    end do
end subroutine update_pair

end module qr_narrow
