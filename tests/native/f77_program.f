C     A FORTRAN 77 PROGRAM AS MINPACK-1 USERS WROTE THEM: IMPLICIT
C     INTERFACES, EXTERNAL FCN, A LOGICAL FOR PIVOT. IT FITS A STRAIGHT
C     LINE AND A CIRCLE, AND PRINTS EVERY RESULT TO THE LAST BIT.
      PROGRAM CIRCLE
      INTEGER M, N, LDFJAC
      PARAMETER (M = 7, N = 3, LDFJAC = 9)
      INTEGER INFO, NFEV, NJEV, IPVT(N), I
      DOUBLE PRECISION X(N), FVEC(M), FJAC(LDFJAC,N), DIAG(N), QTF(N)
      DOUBLE PRECISION WA1(N), WA2(N), WA3(N), WA4(M), ENORM
      EXTERNAL FCN, ENORM

      X(1) = 0.5D0
      X(2) = -0.5D0
      X(3) = 3.0D0
      CALL LMDER(FCN, M, N, X, FVEC, FJAC, LDFJAC, 1.0D-12, 1.0D-12,
     *           0.0D0, 200, DIAG, 1, 100.0D0, 0, INFO, NFEV, NJEV,
     *           IPVT, QTF, WA1, WA2, WA3, WA4)
      WRITE (*, 10) 'LMDER', INFO, NFEV, NJEV, (IPVT(I), I = 1, N)
      WRITE (*, 20) (X(I), I = 1, N), (QTF(I), I = 1, N),
     *              ENORM(M, FVEC)

      DO 5 I = 1, M
         FJAC(I,1) = 1.0D0
         FJAC(I,2) = DBLE(I)
         FJAC(I,3) = DBLE(I*I)
    5 CONTINUE
      CALL QRFAC(M, N, FJAC, LDFJAC, .TRUE., IPVT, N, WA1, WA2, WA3)
      WRITE (*, 10) 'QRFAC', (IPVT(I), I = 1, N)
      WRITE (*, 20) (WA1(I), I = 1, N), (WA2(I), I = 1, N)
   10 FORMAT (A, 6I6)
   20 FORMAT (4Z18.16)
      END

C     DISTANCES OF POINTS FROM THE CIRCLE (X(1), X(2)), RADIUS X(3).
      SUBROUTINE FCN(M, N, X, FVEC, FJAC, LDFJAC, IFLAG)
      INTEGER M, N, LDFJAC, IFLAG, I
      DOUBLE PRECISION X(N), FVEC(M), FJAC(LDFJAC,N), U, V, D
      DOUBLE PRECISION PX(7), PY(7)
      DATA PX /1.1D0, 2.9D0, 4.2D0, 5.0D0, 3.9D0, 2.1D0, 0.8D0/
      DATA PY /4.2D0, 5.1D0, 4.4D0, 2.8D0, 1.1D0, 0.9D0, 2.2D0/
      DO 10 I = 1, M
         U = X(1) - PX(I)
         V = X(2) - PY(I)
         D = DSQRT(U*U + V*V)
         IF (IFLAG .EQ. 1) FVEC(I) = D - X(3)
         IF (IFLAG .EQ. 2) THEN
            FJAC(I,1) = U/D
            FJAC(I,2) = V/D
            FJAC(I,3) = -1.0D0
         END IF
   10 CONTINUE
      END
