"""The programs: compositions of the parts."""
