module qr_tpqrt
!! Reduction of a block of rows against a triangle: [R; B] -> [R'; 0] by reflections.
!!
!! Reflection j is H = I - tau*v*v', with v zero but for a 1 in row j of R and for the rows of B, so
!! that all of R below row j stays as it is. Four columns at a time are reduced one by one; the
!! product of their reflections, I - V*T*V' with T upper triangular (Schreiber and Van Loan 1989),
!! then passes over the other columns once. Panels of several such fours do the same on a larger
!! scale: B is read once for each panel. T is kept transposed.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use kernels_panel, only: kernel_dots, kernel_dots_first, kernel_update, kernel_reflect, &
                         kernel_gram
use kernels_tuning, only: middle, large, panel_middle, panel_large, panel_wide, panel_damped
use qr_blocks, only: round_up
implicit none (type, external)
private
public :: tpqrt

contains

pure function panel_columns(n, staircase)
!! How many columns are reduced before the others are touched: a multiple of 4.
    integer(ip), intent(in) :: n !! order of R
    logical, intent(in) :: staircase !! as `tpqrt` has it
    integer(ip) :: panel_columns

    panel_columns = panel_wide
    if (n <= large) panel_columns = panel_large
    if (n <= middle) panel_columns = panel_middle
    if (staircase) panel_columns = panel_damped
end function panel_columns

pure subroutine tpqrt(n, cols, r, rows, b, ld, staircase)
!! Reduce a block of rows against the first n columns of a triangle, and apply the reflections to
!! the columns that follow.
    integer(ip), intent(in) :: n !! order of R
    integer(ip), intent(in) :: cols !! number of columns, n or n + 1
    integer(ip), intent(in) :: rows !! the rows of B, a multiple of `row_multiple`
    integer(ip), intent(in) :: ld(2) !! the leading dimensions of `r` and `b`
    logical, intent(in) :: staircase
        !! whether column j of B is zero below its j-th row, and a column n + 1 all zero
    real(dp), intent(inout) :: r(ld(1), cols)
        !! the upper triangle is that of R, a column n + 1 is a right-hand side
    real(dp), intent(inout) :: b(ld(2), 4 * ((cols + 3) / 4))
        !! shape (ld(2), cols rounded up to a multiple of 4); the block, and zero in columns that
        !! `r` does not have; destroyed

    real(dp) :: t(panel_wide, panel_wide + 4)
    integer(ip) :: wide, first, four, next, after, used

    wide = panel_columns(n, staircase)
    do first = 1, n, wide
        after = first + wide
        ! Rows where the panel is zero are left alone by its reflections.
        used = rows
        if (staircase) used = min(rows, round_up(after - 1))
        do four = first, min(after - 1, n), 4
            next = four + 4
            call reduce_four(min(4, n - four + 1), min(4, cols - four + 1), r(four, four), used, &
                             b(1, four), ld, t(four - first + 1, four - first + 1))
            if (next > cols) return
            call extend_t(four - first, used, b(1, first), ld(2), t)
            if (next < after) then
                call update_trailing(4_ip, min(after - 1, cols) - next + 1, used, b(1, four), &
                                     t(four - first + 1, four - first + 1), r(four, next), &
                                     b(1, next), ld)
            end if
        end do
        if (after > cols) cycle
        call update_trailing(min(wide, n - first + 1), cols - after + 1, used, b(1, first), t, &
                             r(first, after), b(1, after), ld)
    end do
end subroutine tpqrt

pure subroutine reduce_four(pivots, cols, r, rows, b, ld, t)
!! Reduce the first columns of four, one after the other.
!!
!! Each reflection is one pass: it leaves the products that the next one needs.
    integer(ip), intent(in) :: pivots !! how many to reduce, 1 to 4
    integer(ip), intent(in) :: cols !! how many columns `r` has here, `pivots` to 4
    integer(ip), intent(in) :: rows !! the rows of B
    integer(ip), intent(in) :: ld(2) !! the leading dimensions of `r` and `b`
    real(dp), intent(inout) :: r(ld(1), cols) !! the triangle, from its diagonal on
    real(dp), intent(inout) :: b(ld(2), 4)
        !! the columns of B; on exit those reduced are V without its unit rows
    real(dp), intent(inout) :: t(panel_wide, 4)
        !! on exit, when four were reduced, the first four rows are T

    real(dp) :: head(4, 4), tau(4), s(5), w(3), g(6), factor
    integer(ip) :: j, k

    ! By rows. Beyond the last column of R there are none but zeros in B, too.
    head = 0
    do k = 1, cols
        do j = 1, min(k, pivots)
            head(k, j) = r(j, k)
        end do
    end do

    call kernel_dots_first(rows, b, ld(2), s)
    do j = 1, pivots
        call larfg(4 - j, head(j, j), s(1), s(2), w, tau(j), factor)
        if (j < cols) then
            call kernel_reflect(cols - j, rows, factor, w, b(1, j), ld(2), s)
        else
            call kernel_gram(rows, factor, b, ld(2), g)
            call larft(tau, g, t)
        end if
    end do

    do k = 1, cols
        do j = 1, min(k, pivots)
            r(j, k) = head(k, j)
        end do
    end do
end subroutine reduce_four

pure subroutine larfg(n, row, square, s, w, tau, factor)
!! Make the reflection that reduces a column to its element in R, and apply it to the row of R.
!!
!! The new element has the opposite sign, so that their difference has no cancellation.
    integer(ip), intent(in) :: n !! number of elements right of the column's own
    real(dp), intent(in) :: square !! the sum of squares of the column of B
    real(dp), intent(in) :: s(n) !! the products of the column of B with those to its right
    real(dp), intent(inout) :: row(n + 1) !! the row of R
    real(dp), intent(inout) :: w(n)
        !! the weights of v that are to be taken off the columns to the right
    real(dp), intent(out) :: tau !! the scalar of the reflection
    real(dp), intent(out) :: factor !! what makes v of the column of B

    real(dp) :: beta

    tau = 0
    factor = 0
    if (square == 0) then
        w = 0
        return
    end if
    beta = -sign(sqrt(row(1) * row(1) + square), row(1))
    factor = 1 / (row(1) - beta)
    tau = (beta - row(1)) / beta
    row(1) = beta
    w = tau * (row(2:) + factor * s)
    row(2:) = row(2:) - w
end subroutine larfg

pure subroutine larft(tau, g, t)
!! T, transposed, of four reflections: T(j, j) = tau(j), and above it in column j
!! -tau(j)*T*(V'*v(j)).
    real(dp), intent(in) :: tau(4) !! the scalars of the reflections
    real(dp), intent(in) :: g(6) !! the upper triangle of V'*V without its diagonal, by columns
    real(dp), intent(inout) :: t(panel_wide, 4) !! on exit the first four rows are T

    t(1:4, 1:4) = 0
    t(1, 1) = tau(1)
    t(2, 1) = -tau(2) * (t(1, 1) * g(1))
    t(2, 2) = tau(2)
    t(3, 1) = -tau(3) * (t(1, 1) * g(2) + t(2, 1) * g(3))
    t(3, 2) = -tau(3) * (t(2, 2) * g(3))
    t(3, 3) = tau(3)
    t(4, 1) = -tau(4) * (t(1, 1) * g(4) + t(2, 1) * g(5) + t(3, 1) * g(6))
    t(4, 2) = -tau(4) * (t(2, 2) * g(5) + t(3, 2) * g(6))
    t(4, 3) = -tau(4) * (t(3, 3) * g(6))
    t(4, 4) = tau(4)
end subroutine larft

pure subroutine extend_t(before, rows, v, ldv, t)
!! Complete T of a panel by the rows and columns of its last four reflections.
!!
!! Transposed, T is [T1 0; -T2*(V2'*V1)*T1 T2].
    integer(ip), intent(in) :: before !! the number of reflections before, a multiple of 4
    integer(ip), intent(in) :: rows !! number of rows
    integer(ip), intent(in) :: ldv !! leading dimension of `v`
    real(dp), intent(in) :: v(ldv, before + 4) !! V
    real(dp), intent(inout) :: t(panel_wide, panel_wide)
        !! T; on entry without the block that joins both

    real(dp) :: g(4, panel_wide), w(4)
    integer(ip) :: j, k

    do j = 1, before, 4
        call kernel_dots(3_ip, rows, v(1, before + 1), ldv, v(1, j), ldv, g(1, j), 4_ip)
        call kernel_dots(1_ip, rows, v(1, before + 1), ldv, v(1, j + 3), ldv, g(1, j + 3), 4_ip)
    end do
    do j = 1, before
        w = 0
        do k = j, before
            w = w - g(:, k) * t(k, j)
        end do
        t(before + 1:before + 4, j) = 0
        call add_product(t(before + 1, before + 1), panel_wide, w, t(before + 1, j))
    end do
end subroutine extend_t

pure subroutine update_trailing(p, cols, rows, v, t, r, c, ld)
!! Apply the reflections of a panel to columns that follow: [R; C] - [1; V]*T'*(R + V'*C).
!!
!! Three columns at a time, which stay in the nearest cache between the product and the update.
    integer(ip), intent(in) :: p !! number of reflections, a multiple of 4
    integer(ip), intent(in) :: cols !! number of columns
    integer(ip), intent(in) :: rows !! the rows of V and C
    integer(ip), intent(in) :: ld(2) !! the leading dimensions of `r`, and of `v` and `c`
    real(dp), intent(in) :: v(ld(2), p) !! V
    real(dp), intent(in) :: t(panel_wide, p) !! T
    real(dp), intent(inout) :: r(ld(1), cols)
        !! the first p rows are those of R that the reflections touch
    real(dp), intent(inout) :: c(ld(2), cols) !! the columns of B

    real(dp) :: w(panel_wide, 3)
    integer(ip) :: j, k, l, few

    do k = 1, cols, 3
        few = min(3, cols - k + 1)
        do j = 1, p, 4
            call kernel_dots(few, rows, v(1, j), ld(2), c(1, k), ld(2), w(j, 1), panel_wide)
        end do
        do l = 1, few
            call multiply_by_t(p, t, r(1, k + l - 1), w(1, l))
        end do
        do j = 1, p, 4
            call kernel_update(few, rows, v(1, j), ld(2), w(j, 1), panel_wide, c(1, k), ld(2))
        end do
    end do
end subroutine update_trailing

pure subroutine multiply_by_t(p, t, r, w)
!! w = T'*(r + w), and r = r - w.
    integer(ip), intent(in) :: p !! number of reflections, a multiple of 4
    real(dp), intent(in) :: t(panel_wide, p) !! T
    real(dp), intent(inout) :: r(p) !! a column of R
    real(dp), intent(inout) :: w(p) !! on entry V'*c, on exit the weights of V

    real(dp) :: x(4)
    integer(ip) :: i, j

    w = r + w
    ! From below, so that what a block of four rows still needs is not yet overwritten.
    do i = p - 3, 1, -4
        x = 0
        do j = 1, i, 4
            call add_product(t(i, j), panel_wide, w(j), x)
        end do
        w(i:i + 3) = x
    end do
    r = r - w
end subroutine multiply_by_t

pure subroutine add_product(t, ldt, x, y)
!! y = y + T*x with T of order 4.
    integer(ip), intent(in) :: ldt !! leading dimension of `t`
    real(dp), intent(in) :: t(ldt, 4) !! T
    real(dp), intent(in) :: x(4) !! shape (4)
    real(dp), intent(inout) :: y(4) !! shape (4)

    y = y + (t(1:4, 1) * x(1) + t(1:4, 2) * x(2) + t(1:4, 3) * x(3) + t(1:4, 4) * x(4))
end subroutine add_product

end module qr_tpqrt
