module qr_fold
!! Reduction of a block of rows against a triangle: [R; B] -> [R'; 0] by reflections.
!!
!! Reflection j is H = I - tau*v*v', with v zero but for a 1 in row j of R and for the rows of B, so
!! that all of R below row j stays as it is. Four columns at a time are reduced one by one; the
!! product of their reflections, I - V*T*V' with T upper triangular (Schreiber and Van Loan 1989),
!! then passes over the other columns once. Panels of several such fours do the same on a larger
!! scale: B is read once for each panel.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use qr_kernels, only: strip, dots_4x3, dots_4x2, dots_4x1, update_4x3, update_4x2, update_4x1, &
                      dots_first, reflect_3, reflect_2, reflect_1, finish_four
implicit none (type, external)
private
public :: widest, fold, reflect_head

integer(ip), parameter :: widest = 32
    !! the most columns of a panel

contains

pure subroutine fold(n, cols, r, ldr, strips, b, ldb, wide, staircase)
!! Reduce a block of rows against the first n columns of a triangle, and apply the reflections to
!! the columns that follow.

    ! Inputs
    integer(ip), intent(in) :: n
        !! order of R
    integer(ip), intent(in) :: cols
        !! number of columns, n or n + 1
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`, at least n
    integer(ip), intent(in) :: strips
        !! the rows of B, in strips
    integer(ip), intent(in) :: ldb
        !! leading dimension of `b`, at least strip*strips
    integer(ip), intent(in) :: wide
        !! columns of a panel: a multiple of 4, at most `widest`
    logical, intent(in) :: staircase
        !! whether column j of B is zero below its j-th row, and a column n + 1 all zero

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, cols)
        !! shape (ldr, cols); the upper triangle is that of R, a column n + 1 is a right-hand side
    real(dp), intent(inout) :: b(ldb, 4 * ((cols + 3) / 4))
        !! shape (ldb, cols rounded up to a multiple of 4); the block, and zero in columns that `r`
        !! does not have; destroyed

    ! Locals
    real(dp) :: t(widest, widest)
    integer(ip) :: first, four, next, after, used

    do first = 1, n, wide
        after = first + wide
        ! Rows where the panel is zero are left alone by its reflections.
        used = strips
        if (staircase) used = min(strips, (after + strip - 2) / strip)
        do four = first, min(after - 1, n), 4
            next = four + 4
            call reduce_four(min(4, n - four + 1), min(4, cols - four + 1), r(four, four), ldr, &
                             used, b(1, four), ldb, t(four - first + 1, four - first + 1))
            if (next > cols) return
            call join(four - first, used, b(1, first), ldb, t)
            if (next < after) then
                call apply(4_ip, min(after - 1, cols) - next + 1, used, b(1, four), ldb, &
                           t(four - first + 1, four - first + 1), r(four, next), ldr, b(1, next))
            end if
        end do
        if (after > cols) cycle
        call apply(min(wide, n - first + 1), cols - after + 1, used, b(1, first), ldb, t, &
                   r(first, after), ldr, b(1, after))
    end do
end subroutine fold

pure subroutine reduce_four(pivots, cols, r, ldr, strips, b, ldb, t)
!! Reduce the first columns of four, one after the other.
!!
!! Each reflection is one pass: it leaves the products that the next one needs.

    ! Inputs
    integer(ip), intent(in) :: pivots
        !! how many to reduce, 1 to 4
    integer(ip), intent(in) :: cols
        !! how many columns `r` has here, `pivots` to 4
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`
    integer(ip), intent(in) :: strips
        !! the rows of B, in strips
    integer(ip), intent(in) :: ldb
        !! leading dimension of `b`

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, cols)
        !! shape (ldr, cols); the triangle, from its diagonal on
    real(dp), intent(inout) :: b(ldb, 4)
        !! shape (ldb, 4); the columns of B; on exit those reduced are V without its unit rows
    real(dp), intent(inout) :: t(widest, 4)
        !! shape (widest, 4); on exit, when four were reduced, the first four rows are T transposed

    ! Locals
    real(dp) :: head(4, 4), tau(4), s(5), w(3), g(6), factor
    integer(ip) :: j, k

    ! By rows. Beyond the last column of R there are none but zeros in B, too.
    head = 0
    do k = 1, cols
        do j = 1, min(k, pivots)
            head(k, j) = r(j, k)
        end do
    end do

    call dots_first(strips, b, ldb, s)
    do j = 1, pivots
        call reflect_head(4 - j, head(j, j), s(1), s(2), w, tau(j), factor)
        select case (cols - j)
        case (3)
            call reflect_3(strips, factor, w, b(1, j), ldb, s)
        case (2)
            call reflect_2(strips, factor, w, b(1, j), ldb, s)
        case (1)
            call reflect_1(strips, factor, w(1), b(1, j), ldb, s(1))
        case default
            call finish_four(strips, factor, b, ldb, g)
            call form_t(tau, g, t)
        end select
    end do

    do k = 1, cols
        do j = 1, min(k, pivots)
            r(j, k) = head(k, j)
        end do
    end do
end subroutine reduce_four

pure subroutine reflect_head(n, row, square, s, w, tau, factor)
!! Make the reflection that reduces a column to its element in R, and apply it to the row of R.
!!
!! The new element has the opposite sign, so that their difference has no cancellation.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of elements right of the column's own
    real(dp), intent(in) :: square
        !! the sum of squares of the column of B
    real(dp), intent(in) :: s(n)
        !! shape (n); the products of the column of B with those to its right

    ! In-outputs
    real(dp), intent(inout) :: row(n + 1)
        !! shape (n + 1); the row of R

    ! Outputs
    real(dp), intent(inout) :: w(n)
        !! shape (n); the weights of v that are to be taken off the columns to the right
    real(dp), intent(out) :: tau
        !! the scalar of the reflection
    real(dp), intent(out) :: factor
        !! what makes v of the column of B

    ! Locals
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
end subroutine reflect_head

pure subroutine form_t(tau, g, t)
!! T transposed, of four reflections: T(j, j) = tau(j), and above it in column j
!! -tau(j)*T*(V'*v(j)).

    ! Inputs
    real(dp), intent(in) :: tau(4)
        !! shape (4); the scalars of the reflections
    real(dp), intent(in) :: g(6)
        !! shape (6); the upper triangle of V'*V without its diagonal, by columns

    ! In-outputs
    real(dp), intent(inout) :: t(widest, 4)
        !! shape (widest, 4); on exit the first four rows are T transposed

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
end subroutine form_t

pure subroutine join(before, strips, v, ldv, t)
!! Complete T of a panel by the rows and columns of its last four reflections.
!!
!! Transposed, T is [T1 0; -T2*(V2'*V1)*T1 T2].

    ! Inputs
    integer(ip), intent(in) :: before
        !! the number of reflections before, a multiple of 4
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    integer(ip), intent(in) :: ldv
        !! leading dimension of `v`
    real(dp), intent(in) :: v(ldv, before + 4)
        !! shape (ldv, before + 4); V

    ! In-outputs
    real(dp), intent(inout) :: t(widest, widest)
        !! shape (widest, widest); T transposed; on entry without the block that joins both

    ! Locals
    real(dp) :: g(4, widest), w(4)
    integer(ip) :: j, k

    do j = 1, before, 4
        call dots_4x3(strips, v(1, before + 1), ldv, v(1, j), ldv, g(1, j), 4_ip)
        call dots_4x1(strips, v(1, before + 1), ldv, v(1, j + 3), g(1, j + 3))
    end do
    do j = 1, before
        w = 0
        do k = j, before
            w = w - g(:, k) * t(k, j)
        end do
        t(before + 1:before + 4, j) = 0
        call add_product(t(before + 1, before + 1), widest, w, t(before + 1, j))
    end do
end subroutine join

pure subroutine apply(p, cols, strips, v, ldb, t, r, ldr, c)
!! Apply the reflections of a panel to columns that follow: [R; C] - [1; V]*T'*(R + V'*C).
!!
!! Three columns at a time, which stay in the nearest cache between the product and the update.

    ! Inputs
    integer(ip), intent(in) :: p
        !! number of reflections, a multiple of 4
    integer(ip), intent(in) :: cols
        !! number of columns
    integer(ip), intent(in) :: strips
        !! the rows of V and C, in strips
    integer(ip), intent(in) :: ldb
        !! leading dimension of `v` and `c`
    real(dp), intent(in) :: v(ldb, p)
        !! shape (ldb, p); V
    real(dp), intent(in) :: t(widest, p)
        !! shape (widest, p); T transposed
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, cols)
        !! shape (ldr, cols); the first p rows are those of R that the reflections touch
    real(dp), intent(inout) :: c(ldb, cols)
        !! shape (ldb, cols); the columns of B

    ! Locals
    real(dp) :: w(widest, 3)
    integer(ip) :: j, k, l

    k = 1
    do while (k + 2 <= cols)
        do j = 1, p, 4
            call dots_4x3(strips, v(1, j), ldb, c(1, k), ldb, w(j, 1), widest)
        end do
        do l = 1, 3
            call weigh(p, t, r(1, k + l - 1), w(1, l))
        end do
        do j = 1, p, 4
            call update_4x3(strips, v(1, j), ldb, w(j, 1), widest, c(1, k), ldb)
        end do
        k = k + 3
    end do
    select case (cols - k)
    case (1)
        do j = 1, p, 4
            call dots_4x2(strips, v(1, j), ldb, c(1, k), ldb, w(j, 1), widest)
        end do
        call weigh(p, t, r(1, k), w(1, 1))
        call weigh(p, t, r(1, k + 1), w(1, 2))
        do j = 1, p, 4
            call update_4x2(strips, v(1, j), ldb, w(j, 1), widest, c(1, k), ldb)
        end do
    case (0)
        do j = 1, p, 4
            call dots_4x1(strips, v(1, j), ldb, c(1, k), w(j, 1))
        end do
        call weigh(p, t, r(1, k), w)
        do j = 1, p, 4
            call update_4x1(strips, v(1, j), ldb, w(j, 1), c(1, k))
        end do
    case default
        return
    end select
end subroutine apply

pure subroutine weigh(p, t, r, w)
!! w = T'*(r + w), and r = r - w.

    ! Inputs
    integer(ip), intent(in) :: p
        !! number of reflections, a multiple of 4
    real(dp), intent(in) :: t(widest, p)
        !! shape (widest, p); T transposed

    ! In-outputs
    real(dp), intent(inout) :: r(p)
        !! shape (p); a column of R
    real(dp), intent(inout) :: w(p)
        !! shape (p); on entry V'*c, on exit the weights of V

    ! Locals
    real(dp) :: x(4)
    integer(ip) :: i, j

    w = r + w
    ! From below, so that what a block of four rows still needs is not yet overwritten.
    do i = p - 3, 1, -4
        x = 0
        do j = 1, i, 4
            call add_product(t(i, j), widest, w(j), x)
        end do
        w(i:i + 3) = x
    end do
    r = r - w
end subroutine weigh

pure subroutine add_product(t, ldt, x, y)
!! y = y + T*x with T of order 4.

    ! Inputs
    integer(ip), intent(in) :: ldt
        !! leading dimension of `t`
    real(dp), intent(in) :: t(ldt, 4)
        !! shape (ldt, 4); T
    real(dp), intent(in) :: x(4)
        !! shape (4)

    ! In-outputs
    real(dp), intent(inout) :: y(4)
        !! shape (4)

    y = y + (t(1:4, 1) * x(1) + t(1:4, 2) * x(2) + t(1:4, 3) * x(3) + t(1:4, 4) * x(4))
end subroutine add_product

end module qr_fold
