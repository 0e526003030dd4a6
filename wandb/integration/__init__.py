"""What brings the values of other libraries into runs, each module named for its library."""
