module qr_ahead
!! Memory that is read next: it is fetched while there is something else to do. What does so is in
!! pack_rows.c.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, wide_ip => c_int64_t, c_ptr
implicit none (type, external)
private
public :: ahead, plan_ahead, plan_points_ahead, fetch_some, fetch_now

type, bind(c) :: ahead
    !! What is still to be fetched: some pieces of memory, of so many lines of the cache each.
    type(c_ptr) :: first
        !! where the first piece begins
    type(c_ptr) :: points
        !! null, or where it is noted where each piece begins
    integer(wide_ip) :: step
        !! elements from one piece to the next, or from what is noted to where a piece begins
    integer(ip) :: pieces
        !! number of pieces
    integer(ip) :: lines
        !! lines of a piece
    integer(ip) :: piece
        !! how many pieces are done
    integer(ip) :: line
        !! how many lines of the one that is not
    integer(ip) :: portion
        !! lines to be fetched at a time
end type ahead

interface
    pure subroutine plan_ahead(plan, times, rows, n, a, down, right) bind(c, name="plan_ahead")
    !! Fetch rows of a matrix in so many portions. Where it lies scattered nothing is fetched.
        import :: ahead, dp, ip, wide_ip
        implicit none (type, external)

        ! Inputs
        integer(ip), intent(in) :: times
            !! number of portions
        integer(ip), intent(in) :: rows
            !! number of rows, 0: nothing is to be fetched
        integer(ip), intent(in) :: n
            !! number of columns
        integer(wide_ip), intent(in) :: down
            !! elements from one row to the next
        integer(wide_ip), intent(in) :: right
            !! elements from one column to the next
        real(dp), intent(in) :: a(1)
            !! the first element; the others are beyond the bounds that are named here

        ! Outputs
        type(ahead), intent(inout) :: plan
            !! the plan
    end subroutine plan_ahead

    pure subroutine plan_points_ahead(plan, times, rows, n, points, before) &
        bind(c, name="plan_points_ahead")
    !! As `plan_ahead`, where each column has a place of its own.
        import :: ahead, ip, c_ptr
        implicit none (type, external)

        ! Inputs
        integer(ip), intent(in) :: times
            !! number of portions
        integer(ip), intent(in) :: rows
            !! number of rows, 0: nothing is to be fetched
        integer(ip), intent(in) :: n
            !! number of columns
        type(c_ptr), intent(in) :: points(n)
            !! shape (n); where the columns are, as long as there is something to be fetched
        integer(ip), intent(in) :: before
            !! how many of their elements there are before the rows

        ! Outputs
        type(ahead), intent(inout) :: plan
            !! the plan
    end subroutine plan_points_ahead

    pure subroutine fetch_some(plan) bind(c, name="fetch_some")
    !! Fetch a portion.
        import :: ahead
        implicit none (type, external)

        ! In-outputs
        type(ahead), intent(inout) :: plan
            !! the plan
    end subroutine fetch_some

    pure subroutine fetch_now(n, x) bind(c, name="fetch_now")
    !! Fetch a vector at once.
        import :: dp, ip
        implicit none (type, external)

        ! Inputs
        integer(ip), intent(in) :: n
            !! number of elements
        real(dp), intent(in) :: x(n)
            !! shape (n); the vector
    end subroutine fetch_now
end interface

end module qr_ahead
