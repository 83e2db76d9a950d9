# A transaction does not live on inside TLS.
modes: clear

tx
C: STARTTLS
S: 220|503
