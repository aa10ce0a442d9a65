module qr_tall
!! The triangle of a matrix with many rows, in one pass over it.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, wide_ip => c_int64_t, c_ptr
use qr_ahead, only: ahead, plan_ahead, plan_points_ahead, fetch_now
use qr_fold, only: fold
use qr_kernels, only: strip
use qr_narrow, only: narrow_passes, narrow_products, fold_narrow
use qr_pack, only: line, narrow, block_rows, block_lead, block_size, block_columns, to_line, &
                   lowest_to_first, pack, pack_differences
use qr_scale, only: scale_columns, scale_by_squares
implicit none (type, external)
private
public :: tall_work, tall_blocks
public :: start_tall, reduce_tall, reduce_differences, pack_tall, fold_tall, end_tall

contains

pure function tall_work(n)
!! The number of elements that `reduce_tall` needs to work.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of columns

    ! Result
    integer(wide_ip) :: tall_work

    tall_work = 2 * int(n + 1, wide_ip) + line - 1 + block_size(n)
end function tall_work

pure subroutine start_tall(n, r, ldr, work)
!! Begin with no rows at all: R is zero.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of columns
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`, at least n

    ! Outputs
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); the triangle and the column that goes along
    real(dp), intent(inout) :: work(tall_work(n))
        !! shape (tall_work(n)); the scales of the columns, bounds on their elements, and a block

    ! Locals
    integer(ip) :: j
    integer(wide_ip) :: last

    do j = 1, n + 1
        r(1:n, j) = 0
        work(j) = 1
        work(n + 1 + j) = 0
    end do
    ! The columns beyond those of [A f] stay zero.
    last = 2 * (n + 1) + to_line(work(2 * n + 3)) + block_size(n)
    work(last - (block_columns(n) - n - 1) * block_lead(n) + 1:last) = 0
end subroutine start_tall

pure subroutine reduce_tall(m, n, a, down, right, f, r, ldr, work)
!! Reduce rows of [A f], which lie anywhere in memory, against the triangle of those before:
!! [R q; A f] -> [R' q'; 0 *].
!!
!! Blocks of rows are copied into the cache, the residual as one more column. Columns are scaled
!! there by powers of two, which changes no digit of R, when their elements are such that squares
!! would overflow or vanish. What is smaller than a column's largest element by the factor 2**(-200)
!! may vanish.

    ! Inputs
    integer(ip), intent(in) :: m
        !! number of rows
    integer(ip), intent(in) :: n
        !! number of columns
    integer(wide_ip), intent(in) :: down
        !! elements from one row of A to the next; negative when rows run towards lower addresses
    integer(wide_ip), intent(in) :: right
        !! elements from one column of A to the next; may be negative, too
    real(dp), intent(in) :: a(1 + (m - 1) * abs(down) + (n - 1) * abs(right))
        !! A, from its lowest address on
    real(dp), intent(in) :: f(m)
        !! shape (m); the column that goes along
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`, at least n

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); the triangle, scaled as `work` says
    real(dp), intent(inout) :: work(tall_work(n))
        !! shape (tall_work(n)); as `start_tall` or the rows before left it

    ! Locals
    type(ahead) :: plan
    integer(ip) :: i, rows, next
    integer(wide_ip) :: origin, first, place

    origin = lowest_to_first(m, n, down, right)
    place = 2 * (n + 1) + to_line(work(2 * n + 3))
    do i = 1, m, block_rows(n)
        rows = min(block_rows(n), m - i + 1)
        first = origin + (i - 1) * down
        call pack(rows, n, size(a, kind=wide_ip), a, first, down, right, f(i), work(place + 1), &
                  block_lead(n))
        next = min(block_rows(n), m - i + 1 - rows)
        call plan_ahead(plan, narrow_passes(n), next, n, a(first + min(next, 1) * rows * down), &
                        down, right)
        call fetch_now(next, f(i + min(next, 1) * rows))
        call fold_block(rows, n, work(place + 1), r, ldr, work, plan)
    end do
end subroutine reduce_tall

pure subroutine reduce_differences(m, n, points, f, r, ldr, work)
!! As `reduce_tall`, where A is what residuals at other points are above f.

    ! Inputs
    integer(ip), intent(in) :: m
        !! number of rows
    integer(ip), intent(in) :: n
        !! number of columns
    type(c_ptr), intent(in) :: points(n)
        !! shape (n); where the residuals at the other points are, m of them each
    real(dp), intent(in) :: f(m)
        !! shape (m); the column that goes along
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`, at least n

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); the triangle, scaled as `work` says
    real(dp), intent(inout) :: work(tall_work(n))
        !! shape (tall_work(n)); as `start_tall` or the rows before left it

    ! Locals
    type(ahead) :: plan
    integer(ip) :: i, rows, after, next
    integer(wide_ip) :: place

    place = 2 * (n + 1) + to_line(work(2 * n + 3))
    do i = 1, m, block_rows(n)
        rows = min(block_rows(n), m - i + 1)
        after = i - 1 + rows
        call pack_differences(rows, n, points, i - 1, f(i), work(place + 1), block_lead(n))
        next = min(block_rows(n), m - after)
        call plan_points_ahead(plan, narrow_passes(n), next, n, points, after)
        call fetch_now(next, f(i + min(next, 1) * rows))
        call fold_block(rows, n, work(place + 1), r, ldr, work, plan)
    end do
end subroutine reduce_differences

pure function tall_blocks(m, n)
!! The number of elements that `pack_tall` fills.

    ! Inputs
    integer(ip), intent(in) :: m
        !! number of rows
    integer(ip), intent(in) :: n
        !! number of columns

    ! Result
    integer(wide_ip) :: tall_blocks

    tall_blocks = line - 1 + ((m + block_rows(n) - 1) / block_rows(n)) * block_size(n)
end function tall_blocks

pure subroutine pack_tall(m, n, a, down, right, f, blocks)
!! The first half of `reduce_tall`: copy rows of [A f] to where `fold_tall` takes them from.

    ! Inputs
    integer(ip), intent(in) :: m
        !! number of rows
    integer(ip), intent(in) :: n
        !! number of columns
    integer(wide_ip), intent(in) :: down
        !! elements from one row of A to the next; negative when rows run towards lower addresses
    integer(wide_ip), intent(in) :: right
        !! elements from one column of A to the next; may be negative, too
    real(dp), intent(in) :: a(1 + (m - 1) * abs(down) + (n - 1) * abs(right))
        !! A, from its lowest address on
    real(dp), intent(in) :: f(m)
        !! shape (m); the column that goes along

    ! Outputs
    real(dp), intent(inout) :: blocks(tall_blocks(m, n))
        !! shape (tall_blocks(m, n)); the rows

    ! Locals
    integer(ip) :: i
    integer(wide_ip) :: origin, place, before

    origin = lowest_to_first(m, n, down, right)
    before = to_line(blocks)
    do i = 1, m, block_rows(n)
        place = before + ((i - 1) / block_rows(n)) * block_size(n)
        ! The columns beyond those of [A f].
        blocks(place + (n + 1) * block_lead(n) + 1:place + block_size(n)) = 0
        call pack(min(block_rows(n), m - i + 1), n, size(a, kind=wide_ip), a, &
                  origin + (i - 1) * down, down, right, f(i), blocks(place + 1), block_lead(n))
    end do
end subroutine pack_tall

pure subroutine fold_tall(m, n, blocks, r, ldr, work)
!! The second half of `reduce_tall`.

    ! Inputs
    integer(ip), intent(in) :: m
        !! number of rows
    integer(ip), intent(in) :: n
        !! number of columns
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`, at least n

    ! In-outputs
    real(dp), intent(inout) :: blocks(tall_blocks(m, n))
        !! shape (tall_blocks(m, n)); the rows as and where `pack_tall` leaves them; destroyed
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); the triangle, scaled as `work` says
    real(dp), intent(inout) :: work(tall_work(n))
        !! shape (tall_work(n)); as `start_tall` or the rows before left it

    ! Locals
    type(ahead) :: plan
    integer(ip) :: i, next
    integer(wide_ip) :: place, before

    before = to_line(blocks)
    do i = 1, m, block_rows(n)
        place = before + ((i - 1) / block_rows(n)) * block_size(n)
        ! A block is one piece of memory.
        next = 0
        if (i + block_rows(n) <= m) next = block_lead(n) * (n + 1)
        call plan_ahead(plan, narrow_passes(n), next, 1_ip, &
                        blocks(place + min(next, 1) * block_size(n) + 1), 1_wide_ip, 0_wide_ip)
        call fold_block(min(block_rows(n), m - i + 1), n, blocks(place + 1), r, ldr, work, plan)
    end do
end subroutine fold_tall

pure subroutine fold_block(rows, n, b, r, ldr, work, plan)
!! Reduce one block against the triangle.

    ! Inputs
    integer(ip), intent(in) :: rows
        !! number of rows
    integer(ip), intent(in) :: n
        !! number of columns of A
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`

    ! In-outputs
    real(dp), intent(inout) :: b(block_lead(n), block_columns(n))
        !! shape (block_lead(n), block_columns(n)); the block; destroyed
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); the triangle
    real(dp), intent(inout) :: work(2 * n + 2)
        !! shape (2*n + 2); the scales of the columns, and bounds on their elements
    type(ahead), intent(inout) :: plan
        !! what to fetch meanwhile

    ! Locals
    real(dp) :: s(narrow + 1), squares(narrow + 1)
    integer(ip) :: strips

    strips = (rows + strip - 1) / strip
    if (n <= narrow) then
        call narrow_products(n + 1, strips, b, block_lead(n), s, squares, plan)
        call scale_by_squares(n, n + 1, squares, strips, b, block_lead(n), work(1), work(n + 2), &
                              r, ldr)
        if (any(work(1:n + 1) /= 1)) then
            call narrow_products(n + 1, strips, b, block_lead(n), s, squares, plan)
        end if
        call fold_narrow(n, r, ldr, strips, b, block_lead(n), s, plan)
        return
    end if
    call scale_columns(n, strips, b, block_lead(n), work(1), work(n + 2), r, ldr)
    call fold(n, n + 1, r, ldr, strips, b, block_lead(n), panel_columns(n), staircase=.false.)
end subroutine fold_block

pure subroutine end_tall(n, r, ldr, work)
!! Take the scaling off the triangle.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of columns
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`, at least n
    real(dp), intent(in) :: work(tall_work(n))
        !! shape (tall_work(n)); as the last rows left it

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); on exit the upper triangle of the first n columns is R, with zeros
        !! below, and column n + 1 is q, the first n components of Q'*f

    ! Locals
    integer(ip) :: j

    do j = 1, n + 1
        if (work(j) /= 1) r(1:n, j) = r(1:n, j) / work(j)
    end do
end subroutine end_tall

pure function panel_columns(n)
!! How many columns are reduced before the others are touched.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of columns

    ! Result
    integer(ip) :: panel_columns

    panel_columns = 16
    if (n <= 600) panel_columns = 8
    if (n <= 128) panel_columns = 4
end function panel_columns

end module qr_tall
