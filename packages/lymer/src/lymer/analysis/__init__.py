"""What follows from where spans stand and how long they take: columns in, columns out, pure."""
