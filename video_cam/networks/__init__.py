"""Where networks come from: one file for each source, each of them a table or a function."""
