module qr_pivoted
!! QR factorisation of a triangle with MINPACK's column pivoting, half of it matrix times matrix.
!!
!! Pivoting needs one row of R at each step to know the norms that remain, but no more: within a
!! panel the matrix stays as it is, and A - V*F', with a row of F for each column, stands for the
!! partly reduced one (Quintana-Orti, Sun and Bischof 1998). A column is brought up to date when it
!! becomes the pivot, all others at the end of the panel.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, wide_ip => c_int64_t
use qr_kernels, only: strip, dots_4x1, update_4x3, update_4x1
use qr_norms, only: norm
implicit none (type, external)
private
public :: factor_triangle, triangle_work

integer(ip), parameter :: wide = 16
    !! columns of a panel
integer(ip), parameter :: chunk = 8
    !! strips of rows that are brought up to date at a time: of a panel they fit the nearest cache

contains

pure function triangle_work(n)
!! The number of elements that `factor_triangle` needs to work.

    ! Inputs
    integer(ip), intent(in) :: n
        !! order of the triangle

    ! Result
    integer(wide_ip) :: triangle_work

    triangle_work = wide * int(strip * ((n + strip - 1) / strip) + n + 1, wide_ip) + n
end function triangle_work

pure subroutine factor_triangle(n, r, ldr, qtf, ipvt, rdiag, acnorm, work)
!! Householder QR factorisation R*P = Q*S of an upper triangle R; S takes its place.

    ! Inputs
    integer(ip), intent(in) :: n
        !! order of R
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`: a multiple of 16, at least n

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, n)
        !! shape (ldr, n); on entry the upper triangle is R; on exit it is S, with zeros below
    real(dp), intent(inout) :: qtf(n)
        !! shape (n); on entry a vector, on exit Q' times it

    ! Outputs
    integer(ip), intent(inout) :: ipvt(n)
        !! shape (n); column j of R*P is column ipvt(j) of R
    real(dp), intent(inout) :: rdiag(n)
        !! shape (n); the diagonal of S
    real(dp), intent(inout) :: acnorm(n)
        !! shape (n); the norms of the columns of R
    real(dp), intent(inout) :: work(triangle_work(n))
        !! shape (triangle_work(n)); work

    ! Locals
    integer(ip) :: j, rows, done, f, reference

    rows = strip * ((n + strip - 1) / strip)
    f = 1 + wide * rows
    reference = f + wide * n
    do j = 1, n
        r(j + 1:rows, j) = 0
        acnorm(j) = norm(j, r(1, j))
        rdiag(j) = acnorm(j)
        work(reference + j - 1) = acnorm(j)
        ipvt(j) = j
    end do

    j = 1
    do while (j <= n)
        call factor_panel(j, min(wide, n - j + 1), n, rows, r, ldr, qtf, ipvt, rdiag, &
                          work(reference), work, work(f), work(reference + n), done)
        call update_trailing(j, done, n, rows, r, ldr, work, work(f))
        call renew_norms(j + done, n, r, ldr, rdiag, work(reference))
        j = j + done
    end do
end subroutine factor_triangle

pure subroutine factor_panel(first, most, n, rows, r, ldr, qtf, ipvt, rdiag, reference, v, f, row, &
                             done)
!! Reduce columns until a panel is full, or a norm has to be computed afresh from a column.

    ! Inputs
    integer(ip), intent(in) :: first
        !! the first step
    integer(ip), intent(in) :: most
        !! the most steps
    integer(ip), intent(in) :: n
        !! order of R
    integer(ip), intent(in) :: rows
        !! n rounded up to strips
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, n)
        !! shape (ldr, n); the partly factored matrix
    real(dp), intent(inout) :: qtf(n)
        !! shape (n); the vector that goes along
    integer(ip), intent(inout) :: ipvt(n)
        !! shape (n); the permutation so far
    real(dp), intent(inout) :: rdiag(n)
        !! shape (n); the diagonal of S, then the remaining norms; negative where a norm has to be
        !! computed afresh
    real(dp), intent(inout) :: reference(n)
        !! shape (n); the norms from which they were last computed afresh

    ! Outputs
    real(dp), intent(inout) :: v(rows, wide)
        !! shape (rows, wide); the reflections' vectors
    real(dp), intent(inout) :: f(wide, n)
        !! shape (wide, n); F transposed
    real(dp), intent(inout) :: row(wide)
        !! shape (wide); work
    integer(ip), intent(out) :: done
        !! the number of steps

    ! Locals
    integer(ip) :: j, k, l, top
    real(dp) :: tau
    logical :: worn

    ! The row of the diagonal need not be the first of a strip; what is above it is zero in V.
    top = 1 + strip * ((first - 1) / strip)
    v(top:rows, :) = 0
    do k = first, n
        f(:, k) = 0
    end do

    worn = .false.
    do l = 1, most
        j = first + l - 1
        call bring_largest_forward(j, n, rows, r, ldr, ipvt, rdiag, reference, f)
        do k = 1, l - 1, 4
            call update_4x1((rows - top + 1) / strip, v(top, k), rows, f(k, j), r(top, j))
        end do
        call make_reflection(j, n, r(1, j), v(1, l), rdiag(j), tau)
        call reflect_vector(j, n, tau, v(1, l), qtf)
        call extend_f(j, l, n, rows, r, ldr, v, tau, f, row)
        call downdate_norms(j, l, n, rows, r, ldr, v, f, rdiag, reference, row, worn)
        done = l
        if (worn) exit
    end do
end subroutine factor_panel

pure subroutine bring_largest_forward(j, n, rows, r, ldr, ipvt, rdiag, reference, f)
!! Exchange column j with the first of the columns j to n whose remaining norm is largest.

    ! Inputs
    integer(ip), intent(in) :: j
        !! the step
    integer(ip), intent(in) :: n
        !! order of R
    integer(ip), intent(in) :: rows
        !! n rounded up to strips
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, n)
        !! shape (ldr, n); the partly factored matrix
    integer(ip), intent(inout) :: ipvt(n)
        !! shape (n); the permutation so far
    real(dp), intent(inout) :: rdiag(n)
        !! shape (n); the remaining norms of columns j to n
    real(dp), intent(inout) :: reference(n)
        !! shape (n); the norms from which they were last computed afresh
    real(dp), intent(inout) :: f(wide, n)
        !! shape (wide, n); F transposed

    ! Locals
    integer(ip) :: kmax, k, i
    real(dp) :: swap

    kmax = j
    do k = j, n
        if (rdiag(k) > rdiag(kmax)) kmax = k
    end do
    if (kmax == j) return

    do i = 1, rows
        swap = r(i, j)
        r(i, j) = r(i, kmax)
        r(i, kmax) = swap
    end do
    do i = 1, wide
        swap = f(i, j)
        f(i, j) = f(i, kmax)
        f(i, kmax) = swap
    end do
    rdiag(kmax) = rdiag(j)
    reference(kmax) = reference(j)
    k = ipvt(j)
    ipvt(j) = ipvt(kmax)
    ipvt(kmax) = k
end subroutine bring_largest_forward

pure subroutine make_reflection(j, n, column, v, diagonal, tau)
!! The reflection I - tau*v*v' that makes zeros of all components below the j-th, v(j) = 1.

    ! Inputs
    integer(ip), intent(in) :: j
        !! the step
    integer(ip), intent(in) :: n
        !! number of components

    ! In-outputs
    real(dp), intent(inout) :: column(n)
        !! shape (n); the column
    real(dp), intent(inout) :: v(n)
        !! shape (n); on entry zero, on exit the vector

    ! Outputs
    real(dp), intent(inout) :: diagonal
        !! the new j-th component: the norm, with the sign that the old one had not
    real(dp), intent(out) :: tau
        !! the scalar

    ! Locals
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

    ! Inputs
    integer(ip), intent(in) :: j
        !! the first component that is not zero in v
    integer(ip), intent(in) :: n
        !! number of components
    real(dp), intent(in) :: tau
        !! the scalar
    real(dp), intent(in) :: v(n)
        !! shape (n); the vector

    ! In-outputs
    real(dp), intent(inout) :: x(n)
        !! shape (n); the vector to reflect

    ! Locals
    real(dp) :: total
    integer(ip) :: i

    total = 0
    !$omp simd reduction(+:total)
    do i = j, n
        total = total + v(i) * x(i)
    end do
    x(j:n) = x(j:n) - (tau * total) * v(j:n)
end subroutine reflect_vector

pure subroutine extend_f(j, l, n, rows, r, ldr, v, tau, f, products)
!! Column l of F, tau*(A - V*F')'*v, for the columns right of j.

    ! Inputs
    integer(ip), intent(in) :: j
        !! the step
    integer(ip), intent(in) :: l
        !! the step within the panel
    integer(ip), intent(in) :: n
        !! order of R
    integer(ip), intent(in) :: rows
        !! n rounded up to strips
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`
    real(dp), intent(in) :: r(ldr, n)
        !! shape (ldr, n); A
    real(dp), intent(in) :: v(rows, wide)
        !! shape (rows, wide); V, with v as column l
    real(dp), intent(in) :: tau
        !! the scalar of the reflection

    ! In-outputs
    real(dp), intent(inout) :: f(wide, n)
        !! shape (wide, n); F transposed

    ! Outputs
    real(dp), intent(inout) :: products(wide)
        !! shape (wide); work: V'*v

    ! Locals
    real(dp) :: s(4), total
    integer(ip) :: top, strips, i, k

    top = 1 + strip * ((j - 1) / strip)
    strips = (rows - top + 1) / strip
    do k = 1, wide, 4
        products(k:k + 3) = 0
        if (k < l) call dots_4x1(strips, v(top, k), rows, v(top, l), products(k))
    end do
    products(l:) = 0

    do k = j + 1, n - 3, 4
        call dots_4x1(strips, r(top, k), ldr, v(top, l), s)
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

pure subroutine downdate_norms(j, l, n, rows, r, ldr, v, f, norms, reference, weights, worn)
!! Take row j of S off the norms that remain, as `qrfac_` does.

    ! Inputs
    integer(ip), intent(in) :: j
        !! the step
    integer(ip), intent(in) :: l
        !! the step within the panel
    integer(ip), intent(in) :: n
        !! order of R
    integer(ip), intent(in) :: rows
        !! n rounded up to strips
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`
    real(dp), intent(in) :: r(ldr, n)
        !! shape (ldr, n); the matrix, not up to date
    real(dp), intent(in) :: v(rows, wide)
        !! shape (rows, wide); V
    real(dp), intent(in) :: f(wide, n)
        !! shape (wide, n); F transposed
    real(dp), intent(in) :: reference(n)
        !! shape (n); the norms as they were when last computed afresh

    ! In-outputs
    real(dp), intent(inout) :: norms(n)
        !! shape (n); from j + 1 on the norms that remain; on exit negative where one has lost
        !! too many digits

    ! Outputs
    real(dp), intent(inout) :: weights(wide)
        !! shape (wide); work: row j of V
    logical, intent(inout) :: worn
        !! becomes true when a norm has

    ! Locals
    real(dp), parameter :: safety = 0.05_dp, epsmch = 2.22044604926e-16_dp
    real(dp) :: element
    integer(ip) :: i, k

    weights = v(j, :)
    weights(l + 1:) = 0
    do k = j + 1, n
        ! A zero norm stays zero.
        if (norms(k) == 0) cycle
        element = 0
        !$omp simd reduction(+:element)
        do i = 1, wide
            element = element + weights(i) * f(i, k)
        end do
        element = r(j, k) - element
        norms(k) = norms(k) * sqrt(max(0.0_dp, 1 - (element / norms(k))**2))
        if (.not. safety * (norms(k) / reference(k))**2 > epsmch) then
            norms(k) = -1
            worn = .true.
        end if
    end do
end subroutine downdate_norms

pure subroutine update_trailing(first, done, n, rows, r, ldr, v, f)
!! A = A - V*F' for the columns that the panel has not reduced.

    ! Inputs
    integer(ip), intent(in) :: first
        !! the first column of the panel
    integer(ip), intent(in) :: done
        !! how many columns it has
    integer(ip), intent(in) :: n
        !! order of R
    integer(ip), intent(in) :: rows
        !! n rounded up to strips
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`
    real(dp), intent(in) :: v(rows, wide)
        !! shape (rows, wide); V
    real(dp), intent(in) :: f(wide, n)
        !! shape (wide, n); F transposed

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, n)
        !! shape (ldr, n); the matrix

    ! Locals
    integer(ip) :: top, strips, k, l

    do top = 1 + strip * ((first - 1) / strip), rows, strip * chunk
        strips = min(chunk, (rows - top + 1) / strip)
        do k = first + done, n - 2, 3
            do l = 1, done, 4
                call update_4x3(strips, v(top, l), rows, f(l, k), wide, r(top, k), ldr)
            end do
        end do
        do k = first + done + 3 * ((n - first - done + 1) / 3), n
            do l = 1, done, 4
                call update_4x1(strips, v(top, l), rows, f(l, k), r(top, k))
            end do
        end do
    end do
end subroutine update_trailing

pure subroutine renew_norms(j, n, r, ldr, norms, reference)
!! Compute afresh the norms that have lost too many digits.

    ! Inputs
    integer(ip), intent(in) :: j
        !! the first row and column of the matrix that remains
    integer(ip), intent(in) :: n
        !! order of R
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`
    real(dp), intent(in) :: r(ldr, n)
        !! shape (ldr, n); the matrix, up to date

    ! In-outputs
    real(dp), intent(inout) :: norms(n)
        !! shape (n); the norms that remain, negative where they are to be computed
    real(dp), intent(inout) :: reference(n)
        !! shape (n); the norms as they were when last computed afresh

    ! Locals
    integer(ip) :: k

    do k = j, n
        if (norms(k) >= 0) cycle
        norms(k) = norm(n - j + 1, r(j, k))
        reference(k) = norms(k)
    end do
end subroutine renew_norms

end module qr_pivoted
