"""What all values have in common, under the names that libraries import."""
