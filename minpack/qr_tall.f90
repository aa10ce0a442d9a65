module qr_tall
!! The triangle of a matrix with many rows, in one pass over it.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, wide_ip => c_int64_t, &
                                       c_intptr_t, c_loc
use qr_fold, only: fold
use qr_kernels, only: strip, sums_of_squares
use qr_narrow, only: narrow, narrow_products, fold_narrow
implicit none (type, external)
private
public :: block_rows, tall_work, tall_blocks
public :: start_tall, reduce_tall, pack_tall, fold_tall, end_tall

real(dp), parameter :: small = 2.0_dp**(-300), large = 2.0_dp**400
    !! between these lie the largest elements of the columns as they are worked on
integer(ip), parameter :: line = 8
    !! blocks and their columns begin with a line of the cache, which is at most so many elements

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
    work(last - 3 * block_lead(n) + 1:last) = 0
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
    integer(ip) :: i, rows
    integer(wide_ip) :: origin, place

    origin = lowest_to_first(m, n, down, right)
    place = 2 * (n + 1) + to_line(work(2 * n + 3))
    do i = 1, m, block_rows(n)
        rows = min(block_rows(n), m - i + 1)
        call pack(rows, n, size(a, kind=wide_ip), a, origin + (i - 1) * down, down, right, f(i), &
                  work(place + 1), block_lead(n))
        call fold_block(rows, n, work(place + 1), r, ldr, work)
    end do
end subroutine reduce_tall

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
        blocks(place + block_size(n) - 3 * block_lead(n) + 1:place + block_size(n)) = 0
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
    integer(ip) :: i
    integer(wide_ip) :: place, before

    before = to_line(blocks)
    do i = 1, m, block_rows(n)
        place = before + ((i - 1) / block_rows(n)) * block_size(n)
        call fold_block(min(block_rows(n), m - i + 1), n, blocks(place + 1), r, ldr, work)
    end do
end subroutine fold_tall

pure subroutine fold_block(rows, n, b, r, ldr, work)
!! Reduce one block against the triangle.

    ! Inputs
    integer(ip), intent(in) :: rows
        !! number of rows
    integer(ip), intent(in) :: n
        !! number of columns of A
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`

    ! In-outputs
    real(dp), intent(inout) :: b(block_lead(n), padded(n + 1))
        !! shape (block_lead(n), n + 1 rounded up to a multiple of 4); the block; destroyed
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); the triangle
    real(dp), intent(inout) :: work(2 * n + 2)
        !! shape (2*n + 2); the scales of the columns, and bounds on their elements

    ! Locals
    real(dp) :: s(narrow + 1), squares(narrow + 1)
    integer(ip) :: strips

    strips = (rows + strip - 1) / strip
    if (n <= narrow) then
        call narrow_products(n + 1, strips, b, block_lead(n), s, squares)
        call scale_by_squares(n, n + 1, squares, strips, b, block_lead(n), work(1), work(n + 2), &
                              r, ldr)
        if (any(work(1:n + 1) /= 1)) then
            call narrow_products(n + 1, strips, b, block_lead(n), s, squares)
        end if
        call fold_narrow(n, r, ldr, strips, b, block_lead(n), s)
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

pure function block_rows(n)
!! How many rows are reduced at a time: a few columns of them fit the nearest cache, and all
!! columns the next one or two.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of columns

    ! Result
    integer(ip) :: block_rows

    block_rows = 384
    if (n <= 128) block_rows = 512
end function block_rows

pure function block_lead(n)
!! The leading dimension of a block: columns a power of two apart would share few lines of a cache.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of columns

    ! Result
    integer(ip) :: block_lead

    block_lead = block_rows(n) + strip
end function block_lead

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

pure function block_size(n)
!! The number of elements of a block.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of columns

    ! Result
    integer(wide_ip) :: block_size

    block_size = block_lead(n) * int(padded(n + 1), wide_ip)
end function block_size

pure function to_line(x)
!! How many elements there are before the next line of the cache.

    ! Inputs
    real(dp), intent(in), target :: x(1)
        !! shape (1); where to begin

    ! Result
    integer(wide_ip) :: to_line

    to_line = modulo(-transfer(c_loc(x), 0_c_intptr_t) / 8, int(line, c_intptr_t))
end function to_line

pure function lowest_to_first(m, n, down, right)
!! Where the first element of a matrix is, counted from its lowest address, which is 1.

    ! Inputs
    integer(ip), intent(in) :: m
        !! number of rows
    integer(ip), intent(in) :: n
        !! number of columns
    integer(wide_ip), intent(in) :: down
        !! elements from one row to the next
    integer(wide_ip), intent(in) :: right
        !! elements from one column to the next

    ! Result
    integer(wide_ip) :: lowest_to_first

    lowest_to_first = 1 - min(0_wide_ip, (m - 1) * down) - min(0_wide_ip, (n - 1) * right)
end function lowest_to_first

pure function padded(n)
!! The next multiple of 4.

    ! Inputs
    integer(ip), intent(in) :: n
        !! a number of columns

    ! Result
    integer(ip) :: padded

    padded = 4 * ((n + 3) / 4)
end function padded

pure subroutine pack(rows, n, length, a, first, down, right, f, b, ldb)
!! Copy rows of [A f] into a block, and fill its last strip up with zeros.

    ! Inputs
    integer(ip), intent(in) :: rows
        !! number of rows
    integer(ip), intent(in) :: n
        !! number of columns of A
    integer(wide_ip), intent(in) :: length
        !! number of elements of `a`
    real(dp), intent(in) :: a(length)
        !! A
    integer(wide_ip), intent(in) :: first
        !! where in `a` the first row begins
    integer(wide_ip), intent(in) :: down
        !! elements from one row to the next
    integer(wide_ip), intent(in) :: right
        !! elements from one column to the next
    real(dp), intent(in) :: f(rows)
        !! shape (rows); the column that goes along
    integer(ip), intent(in) :: ldb
        !! leading dimension of `b`

    ! Outputs
    real(dp), intent(inout) :: b(ldb, n + 1)
        !! shape (ldb, n + 1); the block

    ! Locals
    integer(ip), parameter :: together = 8
    integer(ip) :: i, j, k

    if (down == 1) then
        do k = 1, n
            call copy(rows, a(first + (k - 1) * right), b(1, k))
        end do
    else
        ! Few rows at a time: what is read together lies together, and so does what is written.
        do i = 0, rows - together, together
            do k = 1, n
                do j = 1, together
                    b(i + j, k) = a(first + (i + j - 1) * down + (k - 1) * right)
                end do
            end do
        end do
        do k = 1, n
            do j = rows - mod(rows, together) + 1, rows
                b(j, k) = a(first + (j - 1) * down + (k - 1) * right)
            end do
        end do
    end if
    b(1:rows, n + 1) = f
    if (mod(rows, strip) /= 0) b(rows + 1:rows + strip - mod(rows, strip), 1:n + 1) = 0
end subroutine pack

pure subroutine copy(n, x, y)
!! y = x.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of elements
    real(dp), intent(in) :: x(n)
        !! shape (n)

    ! Outputs
    real(dp), intent(inout) :: y(n)
        !! shape (n)

    y = x
end subroutine copy

pure subroutine scale_columns(n, strips, b, ldb, factor, largest, r, ldr)
!! Bring the columns of a block to the scale of R's, or both to another.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of columns of A
    integer(ip), intent(in) :: strips
        !! rows of the block, in strips
    integer(ip), intent(in) :: ldb
        !! leading dimension of `b`
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`

    ! In-outputs
    real(dp), intent(inout) :: b(ldb, padded(n + 1))
        !! shape (ldb, n + 1 rounded up to a multiple of 4); the block
    real(dp), intent(inout) :: factor(n + 1)
        !! shape (n + 1); the scales, powers of two
    real(dp), intent(inout) :: largest(n + 1)
        !! shape (n + 1); bounds on the elements so far, unscaled
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); the triangle

    ! Locals
    real(dp) :: squares(4)
    integer(ip) :: k

    do k = 1, n + 1, 4
        call sums_of_squares(strips, b(1, k), ldb, squares)
        call scale_by_squares(n, min(4, n + 2 - k), squares, strips, b(1, k), ldb, factor(k), &
                              largest(k), r(1, k), ldr)
    end do
end subroutine scale_columns

pure subroutine scale_by_squares(n, cols, squares, strips, b, ldb, factor, largest, r, ldr)
!! As `scale_columns`, for some of them whose sums of squares are known.

    ! Inputs
    integer(ip), intent(in) :: n
        !! order of R
    integer(ip), intent(in) :: cols
        !! number of columns
    real(dp), intent(in) :: squares(cols)
        !! shape (cols); their sums of squares
    integer(ip), intent(in) :: strips
        !! rows of the block, in strips
    integer(ip), intent(in) :: ldb
        !! leading dimension of `b`
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`

    ! In-outputs
    real(dp), intent(inout) :: b(ldb, cols)
        !! shape (ldb, cols); the columns of the block
    real(dp), intent(inout) :: factor(cols)
        !! shape (cols); the scales
    real(dp), intent(inout) :: largest(cols)
        !! shape (cols); bounds on the elements so far, unscaled
    real(dp), intent(inout) :: r(ldr, cols)
        !! shape (ldr, cols); the columns of R

    ! Locals
    integer(ip) :: k

    do k = 1, cols
        if (squares(k) >= small**2 .and. squares(k) <= large**2 .and. factor(k) == 1) then
            largest(k) = max(largest(k), sqrt(squares(k)))
        else
            call rescale(strip * strips, b(1, k), factor(k), largest(k), n, r(1, k))
        end if
    end do
end subroutine scale_by_squares

pure subroutine rescale(rows, b, factor, largest, n, r)
!! Scale a column whose sum of squares says nothing.

    ! Inputs
    integer(ip), intent(in) :: rows
        !! rows of the block
    integer(ip), intent(in) :: n
        !! order of R

    ! In-outputs
    real(dp), intent(inout) :: b(rows)
        !! shape (rows); the column of the block
    real(dp), intent(inout) :: factor
        !! its scale
    real(dp), intent(inout) :: largest
        !! a bound on its elements so far
    real(dp), intent(inout) :: r(n)
        !! shape (n); the column of R

    ! Locals
    real(dp) :: other
    integer(ip) :: i

    do i = 1, rows
        if (abs(b(i)) > largest) largest = abs(b(i))
    end do
    ! What is infinite has no scale.
    if (largest > 0 .and. largest <= huge(largest)) then
        if (.not. (factor * largest >= small .and. factor * largest <= large)) then
            other = scale(1.0_dp, -max(exponent(largest), -1000))
            r = r * (other / factor)
            factor = other
        end if
    end if
    if (factor /= 1) b = factor * b
end subroutine rescale

end module qr_tall
