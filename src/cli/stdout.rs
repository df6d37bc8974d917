//! Standard output.

use std::io::{self, Write};

/// Prints a line. Unlike `println!`, it returns an error if the reader has closed the pipe.
pub fn print_line(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
