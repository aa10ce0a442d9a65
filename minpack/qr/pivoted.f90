module qr_pivoted
!! QR factorisation of a triangle with MINPACK's column pivoting, half of it matrix times matrix.
!!
!! Pivoting needs one row of R at each step to know the norms that remain, but no more: within a
!! panel the matrix stays as it is, and A - V*F', with a row of F for each column, stands for the
!! partly reduced one (Quintana-Orti, Sun and Bischof 1998). A column is brought up to date when it
!! becomes the pivot, all others at the end of the panel. F is kept transposed.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, wide_ip => c_int64_t
use kernels_machine, only: epsmch, safety
use kernels_norms, only: norm
use kernels_panel, only: kernel_dots, kernel_update
use kernels_tuning, only: row_multiple, wide => panel_pivoted, rows_trailing
use qr_blocks, only: triangle_lead
implicit none (type, external)
private
public :: factor_triangle, triangle_work

contains

pure function triangle_work(n)
!! The number of elements that `factor_triangle` needs to work.
    integer(ip), intent(in) :: n !! order of the triangle
    integer(wide_ip) :: triangle_work

    triangle_work = wide * int(triangle_lead(n) + n, wide_ip) + 2 * n
end function triangle_work

pure function first_row(j)
!! The row from which on the kernels take what concerns row j and those below: they have multiples
!! of rows, and what is above row j is zero in V.
    integer(ip), intent(in) :: j !! the row
    integer(ip) :: first_row

    first_row = 1 + row_multiple * ((j - 1) / row_multiple)
end function first_row

pure subroutine factor_triangle(n, r, qtf, ipvt, rdiag, acnorm, work)
!! Householder QR factorisation R*P = Q*S of an upper triangle R; S takes its place.
    integer(ip), intent(in) :: n !! order of R
    real(dp), intent(inout) :: r(triangle_lead(n), n)
        !! on entry the upper triangle is R; on exit it is S, with zeros below
    real(dp), intent(inout) :: qtf(n) !! on entry a vector, on exit Q' times it
    integer(ip), intent(inout) :: ipvt(n) !! column j of R*P is column ipvt(j) of R
    real(dp), intent(inout) :: rdiag(n) !! the diagonal of S
    real(dp), intent(inout) :: acnorm(n) !! the norms of the columns of R
    real(dp), intent(inout) :: work(triangle_work(n))
        !! work: V, F, and the norms that remain beside those from which they were last computed
        !! afresh

    real(dp) :: tau(wide)
    integer(ip) :: j, l, first, next, f, norms

    f = 1 + wide * triangle_lead(n)
    norms = f + wide * n
    do j = 1, n
        r(j + 1:triangle_lead(n), j) = 0
        acnorm(j) = norm(j, r(1, j))
        work(norms + j - 1) = acnorm(j)
        work(norms + n + j - 1) = acnorm(j)
        ipvt(j) = j
    end do

    next = 1
    do while (next <= n)
        first = next
        call factor_panel(n, r, ipvt, work(norms), work, work(f), tau, next)
        do l = 1, next - first
            call reflect_vector(first + l - 1, n, tau(l), work(1 + (l - 1) * triangle_lead(n)), qtf)
        end do
        call update_trailing(first, next, n, r, work, work(f))
        call renew_norms(next, n, r, work(norms))
    end do
    rdiag = work(norms:norms + n - 1)
end subroutine factor_triangle

pure subroutine factor_panel(n, r, ipvt, norms, v, f, tau, next)
!! Reduce columns until a panel is full, or a norm has to be computed afresh from a column.
    integer(ip), intent(in) :: n !! order of R
    real(dp), intent(inout) :: r(triangle_lead(n), n) !! the partly factored matrix
    integer(ip), intent(inout) :: ipvt(n) !! the permutation so far
    real(dp), intent(inout) :: norms(n, 2)
        !! the diagonal of S, then the norms that remain, negative where one has to be computed
        !! afresh; and the norms from which they were last computed afresh
    integer(ip), intent(inout) :: next
        !! on entry the first step, on exit the first one that is left
    real(dp), intent(inout) :: v(triangle_lead(n), wide) !! the reflections' vectors
    real(dp), intent(inout) :: f(wide, n) !! F
    real(dp), intent(inout) :: tau(wide) !! the reflections' scalars

    integer(ip) :: first, j, k, l, top
    logical :: worn

    first = next
    top = first_row(first)
    v(top:, :) = 0
    do k = first, n
        f(:, k) = 0
    end do

    worn = .false.
    do l = 1, min(wide, n - first + 1)
        j = first + l - 1
        next = j + 1
        call bring_largest_forward(j, n, r, ipvt, norms, f)
        do k = 1, l - 1, 4
            call kernel_update(1_ip, triangle_lead(n) - top + 1, v(top, k), triangle_lead(n), &
                               f(k, j), wide, r(top, j), triangle_lead(n))
        end do
        call make_reflection(j, n, r(1, j), v(1, l), norms(j, 1), tau(l))
        call extend_f(j, l, n, r, v, tau(l), f)
        call downdate_norms(j, l, n, r, v, f, norms, worn)
        if (worn) exit
    end do
end subroutine factor_panel

pure subroutine bring_largest_forward(j, n, r, ipvt, norms, f)
!! Exchange column j with the first of the columns j to n whose remaining norm is largest.
    integer(ip), intent(in) :: j !! the step
    integer(ip), intent(in) :: n !! order of R
    real(dp), intent(inout) :: r(triangle_lead(n), n) !! the partly factored matrix
    integer(ip), intent(inout) :: ipvt(n) !! the permutation so far
    real(dp), intent(inout) :: norms(n, 2) !! the norms, as `factor_panel` has them
    real(dp), intent(inout) :: f(wide, n) !! F

    integer(ip) :: kmax, k, i
    real(dp) :: swap

    kmax = j
    do k = j, n
        if (norms(k, 1) > norms(kmax, 1)) kmax = k
    end do
    if (kmax == j) return

    do i = 1, triangle_lead(n)
        swap = r(i, j)
        r(i, j) = r(i, kmax)
        r(i, kmax) = swap
    end do
    do i = 1, wide
        swap = f(i, j)
        f(i, j) = f(i, kmax)
        f(i, kmax) = swap
    end do
    norms(kmax, :) = norms(j, :)
    k = ipvt(j)
    ipvt(j) = ipvt(kmax)
    ipvt(kmax) = k
end subroutine bring_largest_forward

pure subroutine make_reflection(j, n, column, v, diagonal, tau)
!! The reflection I - tau*v*v' that makes zeros of all components below the j-th, v(j) = 1.
    integer(ip), intent(in) :: j !! the step
    integer(ip), intent(in) :: n !! number of components
    real(dp), intent(inout) :: column(n) !! the column
    real(dp), intent(inout) :: v(n) !! on entry zero, on exit the vector
    real(dp), intent(inout) :: diagonal
        !! the new j-th component: the norm, with the sign that the old one had not
    real(dp), intent(out) :: tau !! the scalar

    real(dp) :: length

    length = norm(n - j + 1, column(j))
    if (column(j) < 0) length = -length
    tau = 0
    v(j) = 1
    if (length /= 0) then
        ! As quotients neither overflow nor vanish together: 1 + |column(j)|/|length| is tau.
        v(j:n) = column(j:n) / length
        tau = v(j) + 1
        v(j + 1:n) = v(j + 1:n) / tau
        v(j) = 1
    end if
    diagonal = -length
    column(j) = -length
    column(j + 1:n) = 0
end subroutine make_reflection

pure subroutine reflect_vector(j, n, tau, v, x)
!! Apply a reflection to a vector.
    integer(ip), intent(in) :: j !! the first component that is not zero in v
    integer(ip), intent(in) :: n !! number of components
    real(dp), intent(in) :: tau !! the scalar
    real(dp), intent(in) :: v(n) !! the vector
    real(dp), intent(inout) :: x(n) !! the vector to reflect

    real(dp) :: total
    integer(ip) :: i

    total = 0
    !$omp simd reduction(+:total)
    do i = j, n
        total = total + v(i) * x(i)
    end do
    x(j:n) = x(j:n) - (tau * total) * v(j:n)
end subroutine reflect_vector

pure subroutine extend_f(j, l, n, r, v, tau, f)
!! Column l of F, tau*(A - V*F')'*v, for the columns right of j.
    integer(ip), intent(in) :: j !! the step
    integer(ip), intent(in) :: l !! the step within the panel
    integer(ip), intent(in) :: n !! order of R
    real(dp), intent(in) :: r(triangle_lead(n), n) !! A
    real(dp), intent(in) :: v(triangle_lead(n), wide) !! V, with v as column l
    real(dp), intent(in) :: tau !! the scalar of the reflection
    real(dp), intent(inout) :: f(wide, n) !! F

    real(dp) :: s(4), products(wide), total
    integer(ip) :: lead, top, rows, i, k

    lead = triangle_lead(n)
    top = first_row(j)
    rows = lead - top + 1
    do k = 1, wide, 4
        products(k:k + 3) = 0
        if (k < l) call kernel_dots(1_ip, rows, v(top, k), lead, v(top, l), lead, products(k), 4_ip)
    end do
    products(l:) = 0

    do k = j + 1, n - 3, 4
        call kernel_dots(1_ip, rows, r(top, k), lead, v(top, l), lead, s, 4_ip)
        f(l, k:k + 3) = s
    end do
    do k = j + 1 + 4 * ((n - j) / 4), n
        total = 0
        !$omp simd reduction(+:total)
        do i = j, n
            total = total + r(i, k) * v(i, l)
        end do
        f(l, k) = total
    end do
    do k = j + 1, n
        total = 0
        !$omp simd reduction(+:total)
        do i = 1, wide
            total = total + f(i, k) * products(i)
        end do
        f(l, k) = tau * (f(l, k) - total)
    end do
end subroutine extend_f

pure subroutine downdate_norms(j, l, n, r, v, f, norms, worn)
!! Take row j of S off the norms that remain, as `qrfac_` does.
    integer(ip), intent(in) :: j !! the step
    integer(ip), intent(in) :: l !! the step within the panel
    integer(ip), intent(in) :: n !! order of R
    real(dp), intent(in) :: r(triangle_lead(n), n) !! the matrix, not up to date
    real(dp), intent(in) :: v(triangle_lead(n), wide) !! V
    real(dp), intent(in) :: f(wide, n) !! F
    real(dp), intent(inout) :: norms(n, 2)
        !! the norms, as `factor_panel` has them: on exit negative where one has lost too many
        !! digits
    logical, intent(inout) :: worn !! becomes true when one has

    real(dp) :: weights(wide), element
    integer(ip) :: i, k

    weights = v(j, :)
    weights(l + 1:) = 0
    do k = j + 1, n
        ! A zero norm stays zero.
        if (norms(k, 1) == 0) cycle
        element = 0
        !$omp simd reduction(+:element)
        do i = 1, wide
            element = element + weights(i) * f(i, k)
        end do
        element = r(j, k) - element
        norms(k, 1) = norms(k, 1) * sqrt(max(0.0_dp, 1 - (element / norms(k, 1))**2))
        if (.not. safety * (norms(k, 1) / norms(k, 2))**2 > epsmch) then
            norms(k, 1) = -1
            worn = .true.
        end if
    end do
end subroutine downdate_norms

pure subroutine update_trailing(first, next, n, r, v, f)
!! A = A - V*F' for the columns that the panel has not reduced.
    integer(ip), intent(in) :: first !! the first column of the panel
    integer(ip), intent(in) :: next !! the first column behind it
    integer(ip), intent(in) :: n !! order of R
    real(dp), intent(in) :: v(triangle_lead(n), wide) !! V
    real(dp), intent(in) :: f(wide, n) !! F
    real(dp), intent(inout) :: r(triangle_lead(n), n) !! the matrix

    integer(ip) :: lead, top, rows, k, l

    lead = triangle_lead(n)
    do top = first_row(first), lead, rows_trailing
        rows = min(rows_trailing, lead - top + 1)
        do k = next, n, 3
            do l = 1, next - first, 4
                call kernel_update(min(3, n - k + 1), rows, v(top, l), lead, f(l, k), wide, &
                                   r(top, k), lead)
            end do
        end do
    end do
end subroutine update_trailing

pure subroutine renew_norms(j, n, r, norms)
!! Compute afresh the norms that have lost too many digits.
    integer(ip), intent(in) :: j !! the first row and column of the matrix that remains
    integer(ip), intent(in) :: n !! order of R
    real(dp), intent(in) :: r(triangle_lead(n), n) !! the matrix, up to date
    real(dp), intent(inout) :: norms(n, 2) !! the norms, as `factor_panel` has them

    integer(ip) :: k

    do k = j, n
        if (norms(k, 1) >= 0) cycle
        norms(k, 1) = norm(n - j + 1, r(j, k))
        norms(k, 2) = norms(k, 1)
    end do
end subroutine renew_norms

end module qr_pivoted
